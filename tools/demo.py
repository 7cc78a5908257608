"""The demonstration: a real image goes into two stores, survives what stores suffer from, and comes back identical.

``IMAGE=path`` takes an image of yours, which is only read; otherwise a small disk image is made.
Everything happens in the folder ``demo/`` of the tree, which is made anew.
The exit code is 0 only if every step ended as it should.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from breaking_server import BreakingServer
from fat_image import write_image
from multistore import Fleet, StoreError, StoreOptions, open_store

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "demo"
NAME = "disk"
T = TypeVar("T")
CONFIG = """\
catalog = "catalog.db"

[stores.fast]
url = "file:fast"

[stores.safe]
url = "file:safe"
"""


class WrongTurn(Exception):
    """A step did not end as it should."""


def main() -> int:
    """Go through all steps."""
    started = time.monotonic()
    try:
        image = prepare()
        digest = put(image)
        read_back(image)
        damage_and_repair(image)
        read_through_failure(image, digest)
    except (WrongTurn, StoreError, OSError, subprocess.TimeoutExpired) as wrong:
        print(f"\nNOT AS IT SHOULD BE: {wrong}", file=sys.stderr)
        return 1
    print(
        f"\nAll as it should be, in {time.monotonic() - started:.1f} s: one image was put into two stores in one pass, listed,"
        "\nread back identical, damaged, found, repaired, and read through a store that broke half-way."
        f"\nWhat is left to look at is in {DEMO}."
    )
    return 0


def prepare() -> Path:
    """Make the folder, the settings and, if none is given, the image."""
    given = os.environ.get("IMAGE", "")
    image = Path(given).expanduser().absolute() if given else DEMO / "disk.img"
    if given and not (image.is_file() and image.stat().st_size > 1):
        raise WrongTurn(f"IMAGE={given} is no file with anything in it")
    if given and image.is_relative_to(DEMO):
        raise WrongTurn(
            f"IMAGE={given} lies in {DEMO}, which is made anew: move it elsewhere first"
        )
    if given and shutil.disk_usage(ROOT).free < 5 * on_disk(image):
        raise WrongTurn(f"five copies of IMAGE={given} do not fit beside {DEMO}")
    if DEMO.exists():
        shutil.rmtree(DEMO)
    DEMO.mkdir()
    for name in ("fast", "safe"):
        (DEMO / name).mkdir()
    (DEMO / "multistore.toml").write_text(CONFIG, encoding="utf-8")
    if given:
        say(f"The image is {image}: {image.stat().st_size:,} bytes.")
    else:
        write_image(os.fspath(image))
        say(
            f"Made {image.name}: a disk of {image.stat().st_size:,} bytes with a partition and a FAT16 file system,"
            f"\nof which {on_disk(image):,} bytes take room; the rest are holes."
        )
    say("Two file stores, 'fast' and 'safe', are described in demo/multistore.toml.")
    return image


def put(image: Path) -> str:
    """Put the image into both stores and list it; its sha256."""
    with image.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    say(
        "1. Put it into both stores, reading it once; its publisher's sha256 is compared on the way."
    )
    multistore("put", shown(image), NAME, "--expect", f"sha256:{digest}")
    say("2. A wrong sha256 is refused, and nothing becomes visible.")
    multistore("put", shown(image), "other", "--expect", f"sha256:{'0' * 64}", exit_code=7)
    multistore("ls")
    return digest


def read_back(image: Path) -> None:
    """Get the image back and compare."""
    say("3. Get it back, and compare it with the original byte by byte.")
    multistore("get", NAME, "back.img")
    compare(image, DEMO / "back.img")


def damage_and_repair(image: Path) -> None:
    """Flip bytes of one copy; verify finds and repairs it."""
    copy = stored_file("fast", image.stat().st_size)
    say(f"4. Damage one copy: a few bytes in the middle of {copy.relative_to(ROOT)} are flipped.")
    flip(copy)
    say("   verify reads every copy, says which is wrong and how that is known, and exits with 7.")
    multistore("verify", NAME, exit_code=7)
    say("5. Repair it from the good copy, and verify once more.")
    multistore("verify", "--repair", NAME)
    multistore("verify", NAME)
    compare(image, stored_file("fast", image.stat().st_size))


def read_through_failure(image: Path, digest: str) -> None:
    """Read from a web server that dies in the middle; the file store goes on at the same byte."""
    copy = stored_file("safe", image.stat().st_size)
    say("6. Read through a store that breaks: a web server serves the image, and dies half-way.")
    patience = StoreOptions(attempts=2, backoff=0.1)
    with (
        BreakingServer(copy) as server,
        open_store(f"{server.url}/", name="web", options=patience) as web,
        open_store({"driver": "file", "path": os.fspath(DEMO / "safe")}, name="safe") as safe,
    ):
        fleet = Fleet([web, safe], weights={"web": 2, "safe": 1})
        copies = {"web": f"{server.url}/{copy.name}", "safe": only(safe.list()).ref}
        fetched = fleet.get(
            copies, DEMO / "through.img", expect={"sha256": digest}, size=image.stat().st_size
        )
        sent = server.sent
    if fetched.stores[-1:] != ("safe",) or not 0 < sent < fetched.size:
        raise WrongTurn(f"the bytes came from {fetched.stores}, {sent} of them from the web")
    say(
        f"   'web' broke off after {sent:,} bytes; 'safe' went on from there to {fetched.size:,}; sha256 of the whole was right."
    )
    compare(image, DEMO / "through.img")


def only(found: Iterable[T]) -> T:
    """Give the only one of what was found."""
    each = list(found)
    if len(each) != 1:
        raise WrongTurn(f"{len(each)} images where one was expected")
    return each[0]


def multistore(*arguments: str, exit_code: int = 0) -> None:
    """Run the command line in the folder, show what it says, and insist on the exit code."""
    print(f"\n   $ multistore {shlex.join(arguments)}", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "multistore.cli", *arguments],
        cwd=DEMO,
        env={**os.environ, "MULTISTORE_CONFIG": os.fspath(DEMO / "multistore.toml")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=3600,
        check=False,
    )
    for line in done.stdout.splitlines():
        print(f"   {line}")
    if done.returncode != exit_code:
        raise WrongTurn(f"exit code {done.returncode} instead of {exit_code}")
    if exit_code:
        print(f"   (exit code {exit_code}, as it should be)")


def stored_file(store: str, size: int) -> Path:
    """Find the file that a file store keeps the image in."""
    files = (each for each in (DEMO / store).rglob("[!.]*") if each.is_file())
    return only(each for each in files if each.stat().st_size == size)


def flip(path: Path) -> None:
    """Change 16 bytes in the middle of a file, its size staying the same."""
    mode = path.stat().st_mode
    path.chmod(mode | 0o200)
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        old = file.read(16)
        file.seek(-len(old), os.SEEK_CUR)
        file.write(bytes(byte ^ 0xFF for byte in old))
    path.chmod(mode)


def compare(one: Path, other: Path) -> None:
    """Insist that two files have the same bytes."""
    with one.open("rb") as first, other.open("rb") as second:
        while (piece := first.read(1 << 20)) == second.read(1 << 20):
            if not piece:
                say(
                    f"   {other.relative_to(ROOT)} is identical; it takes {on_disk(other):,} bytes of the disk."
                )
                return
    raise WrongTurn(f"{other} differs from {one}")


def shown(image: Path) -> str:
    """Give the image as the command line gets it, in the folder."""
    return image.name if image.parent == DEMO else os.fspath(image)


def on_disk(path: Path) -> int:
    """Count the bytes that a file takes on disk."""
    return path.stat().st_blocks * 512


def say(text: str) -> None:
    """Tell what happens."""
    print(("" if text.startswith("   ") else "\n") + text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
