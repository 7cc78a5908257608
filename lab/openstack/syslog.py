"""Writes what arrives on a Unix datagram socket to a file: a syslog for Swift.

Swift logs to a syslog only; where there is no /dev/log, it would open UDP sockets on all addresses.

usage: syslog.py SOCKET FILE
"""

from __future__ import annotations

import pathlib
import re
import socket
import sys


def main(path: str, file: str) -> None:
    pathlib.Path(path).unlink(missing_ok=True)
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server,
        open(file, "ab", buffering=0) as out,
    ):
        server.bind(path)
        while True:
            line = re.sub(rb"^<\d+>", b"", server.recv(65536))
            out.write(line.rstrip(b"\0\n") + b"\n")


if __name__ == "__main__":
    main(*sys.argv[1:3])
