"""Stores of volumes in the hands of an ordinary user, with what the packages ship for rootwrap: on the lab's Cinder."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conformance.cinder_rig import lab_alone, lab_client, lab_leftovers
from conformance.cinder_user import BIN, Deputy, deputy
from conformance.rbd_rig import lab

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

CONFIG = """
catalog = "{home}/catalog.db"
"""
STORE = """
[stores.{kind}]
driver = "cinder"
store = "{kind}"
lock_path = "{locks}"
mount_base = "{mounts}"
auth_url = "{keystone}"
username = "demo"
password = {{ file = "{home}/password" }}
project = "demo"
volume_type = "{kind}"
root_helper = "sudo {command} {conf}"
"""
#: What Glance does with a store, in a process of its own: add, get, delete.
INTERFACE = """
import sys, warnings
warnings.simplefilter("ignore")
from types import SimpleNamespace
import glance_store
from glance_store import location, multi_backend
from oslo_config import cfg

conf = cfg.CONF
conf.register_opt(cfg.DictOpt("enabled_backends"))
glance_store.register_store_opts(conf)
conf(["--config-file", sys.argv[1]])
multi_backend.create_multi_stores(conf)
store = multi_backend.get_store_from_store_identifier("nfs")
caller = SimpleNamespace(project_id="p", user_id="u", auth_token=None, service_catalog=[], to_dict=dict)
data = bytes(range(256)) * 40_000
uri = store.add("image", iter([data]), 0, "sha512", context=caller)[0]
place = location.get_location_from_uri_and_backend(uri, "nfs")
stream, size = store.get(place, context=caller)
assert b"".join(stream) == data
store.delete(place, context=caller)
print("well", uri)
"""
GLANCE = """
[DEFAULT]
enabled_backends = nfs:cinder
[glance_store]
default_backend = nfs
[oslo_concurrency]
lock_path = {locks}
[nfs]
rootwrap_config = {conf}
cinder_store_auth_address = {keystone}
cinder_store_user_name = glance
cinder_store_password = glancepass
cinder_store_project_name = service
cinder_volume_type = nfs
cinder_mount_point_base = {mounts}
"""


@pytest.fixture(params=["multistore", "glance"])
def user(request: pytest.FixtureRequest) -> Iterator[Deputy]:
    """A user as the manual sets it up for one of the packages; nothing is left of it."""
    with lab_alone(), deputy(request.param) as made:
        yield made
        assert not list(made.mounts.iterdir())
        assert not lab_leftovers(made.locks)
        end = time.monotonic() + 20
        while helpers := helpers_of(made):
            assert time.monotonic() < end, helpers
            time.sleep(0.1)


def helpers_of(user: Deputy) -> list[str]:
    """Give the processes that became root for a user and are still there; Cinder's own helpers name its configuration."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = each.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(user.conf) in words or ("privsep-helper" in words and "cinder.conf" not in words):
            found.append(words)
    return found


@pytest.mark.parametrize("user", ["multistore"], indirect=True)
def test_an_ordinary_user_keeps_images_in_volumes(user: Deputy) -> None:
    """Of both types, with the command line, and the role of a member in Cinder: checked, put, read, and removed."""
    values = {"keystone": lab("MULTISTORE_LAB_KEYSTONE"), "command": BIN / "multistore-rootwrap"}
    for name in ("home", "locks", "mounts", "conf"):
        values[name] = getattr(user, name)
    text = CONFIG.format(**values)
    text += "".join(STORE.format(kind=kind, **values) for kind in ("rbd", "nfs"))
    (user.home / "multistore.toml").write_text(text)
    (user.home / "password").write_text("demopass")
    (user.home / "image").write_bytes(os.urandom((9 << 20) + 5))

    def multistore(*words: str) -> str:
        done = user.run(BIN / "multistore", *words, "--config", user.home / "multistore.toml")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    cinder = lab_client("demo", "demo")
    multistore("stores", "--check")
    multistore("put", str(user.home / "image"), "image")
    (volume,) = (each for each in cinder.volumes.list() if each.volume_type == "nfs")
    file = Path(lab("MULTISTORE_LAB_CINDER_PLACE"), "export", f"volume-{volume.id}")
    # Root's, and nobody else may look into it: it was this user's only as long as it was attached.
    assert (file.stat().st_uid, file.stat().st_mode & 0o007) == (0, 0)
    multistore("verify", "image")
    assert file.stat().st_uid == 0
    multistore("rm", "image")
    assert not cinder.volumes.list()
    assert not cinder.attachments.list()


@pytest.mark.parametrize("user", ["multistore"], indirect=True)
def test_nothing_else_is_done_as_root(user: Deputy) -> None:
    allowed = f"{BIN / 'multistore-rootwrap'} {user.conf}"
    for command, why in (
        ("id", "password is required"),
        (f"{BIN / 'multistore-rootwrap'} /tmp/own.conf id", "password is required"),
        (f"{allowed} id", "Unauthorized command"),
        (f"{allowed} chown 1 /etc/shadow", "Unauthorized command"),
        (f"{allowed} umount {user.place}", "Unauthorized command"),
    ):
        done = user.run("sudo", "-n", *command.split())
        assert done.returncode != 0, command
        assert why in done.stderr, (command, done.stderr)


@pytest.mark.parametrize("user", ["glance"], indirect=True)
def test_an_ordinary_user_runs_the_interface(user: Deputy) -> None:
    """As Glance does, on files whose owner changes, with what the package ships."""
    values = {name: getattr(user, name) for name in ("locks", "mounts", "conf")}
    file = user.home / "glance-api.conf"
    file.write_text(GLANCE.format(keystone=lab("MULTISTORE_LAB_KEYSTONE"), **values))
    done = user.run(BIN / "python", "-c", INTERFACE, str(file))
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith("well cinder://nfs/")
