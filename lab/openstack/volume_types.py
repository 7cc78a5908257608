"""Waits until Cinder's services are up, and makes volume types, each on the backend of its name.

usage: volume_types.py KEYSTONE TYPE...
"""

from __future__ import annotations

import sys
import time

from cinderclient import client
from keystoneauth1 import session
from keystoneauth1.identity import v3

PATIENCE = 90.0  # seconds


def admin(url: str) -> client.Client:
    identity = v3.Password(
        url,
        username="admin",
        password="adminpass",
        project_name="admin",
        user_domain_id="default",
        project_domain_id="default",
    )
    return client.Client("3.60", session=session.Session(auth=identity, timeout=30))


def wait(cinder: client.Client, backends: list[str]) -> None:
    wanted = {f"cinder-volume lab@{each}" for each in backends} | {"cinder-scheduler lab"}
    end = time.monotonic() + PATIENCE
    while True:
        up = {f"{each.binary} {each.host}" for each in cinder.services.list() if each.state == "up"}
        if wanted <= up:
            return
        if time.monotonic() > end:
            sys.exit(f"Cinder's services are not up: {wanted - up}")
        time.sleep(0.2)


if __name__ == "__main__":
    cinder = admin(sys.argv[1])
    for name in sys.argv[2:]:
        cinder.volume_types.create(name).set_keys({"volume_backend_name": name})
    wait(cinder, sys.argv[2:])
