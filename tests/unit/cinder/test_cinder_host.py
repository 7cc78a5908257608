"""This host: mounts shared by processes, privileges, addresses; and the settings and sessions of stores."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fakes.cinder_cloud import Cloud
from multistore.config import Secret, build
from multistore.drivers.cinder import CinderDriver, CinderSettings, Sdk, mounts, sdk
from multistore.drivers.cinder.holds import Holds
from multistore.drivers.cinder.sdk import own_address
from multistore.errors import AccessDenied, Misconfigured, Unavailable
from multistore.model import Caller
from multistore.testing.tools import one_image, read
from multistore.testing.watch import in_child

Make = Callable[..., CinderDriver]
Commands = list[tuple[str, ...]]


def mount(tmp_path: Path, export: Path, options: str = "") -> mounts.Mount:
    data = {"export": f"127.0.0.1:{export}", "options": options}
    return mounts.mount(Holds(str(tmp_path), 5.0), None, str(tmp_path / "mnt"), data)


def test_an_export_is_mounted_once_for_all_processes(tmp_path: Path, commands: Commands) -> None:
    """CI-15, CI-16: with its options as words, and ours last; the last user unmounts it, in whatever process."""
    one = mount(tmp_path, tmp_path, "-o vers=4.1,nolock")
    digest = one.path.rpartition("/")[2]
    assert len(digest) == 64

    def other() -> list[tuple[str, ...]]:
        two = mount(tmp_path, tmp_path)
        two.release()
        return commands

    tame = ("-o", "nosuid,nodev,noexec")
    words = ("mount", "-t", "nfs", "-o", "vers=4.1,nolock", *tame, f"127.0.0.1:{tmp_path}")
    assert in_child(other, 10) == [(*words, one.path)]
    one.release()
    assert [each[0] for each in commands] == ["mount", "umount"]
    assert not os.path.lexists(one.path)


def test_a_mount_point_that_is_there_already_is_used(tmp_path: Path, commands: Commands) -> None:
    """CI-14: after a reboot the directory is left."""
    one = mount(tmp_path, tmp_path)
    path = Path(one.path)
    one.release()
    path.mkdir(parents=True)
    again = mount(tmp_path, tmp_path)
    assert path.is_symlink()
    again.release()
    assert not path.exists()


def test_what_a_killed_process_has_mounted_is_used_or_swept(
    tmp_path: Path, commands: Commands
) -> None:
    """CI-13: but what somebody uses stays."""
    in_child(lambda: bool(mount(tmp_path, tmp_path)), 10)
    one = mount(tmp_path, tmp_path)  # it is mounted: no second command
    assert not commands
    holds = Holds(str(tmp_path), 5.0)
    mounts.sweep_mounts(holds, None, str(tmp_path / "mnt"))
    assert os.path.islink(one.path)
    one.release()
    in_child(lambda: bool(mount(tmp_path, tmp_path)), 10)
    mounts.sweep_mounts(holds, None, str(tmp_path / "mnt"))
    assert not os.listdir(tmp_path / "mnt")


def test_a_failing_mount_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_words: object) -> None:
        raise Unavailable("mount failed: no such export")

    monkeypatch.setattr(mounts, "as_root", fail)
    with pytest.raises(Unavailable, match="no such export"):
        mount(tmp_path, tmp_path)
    assert not os.listdir(tmp_path / "mnt")


def test_a_command_as_root_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="status 3"):
        mounts.as_root(None, "sh", "-c", "exit 3")
    with pytest.raises(Unavailable, match="not allowed"):
        mounts.as_root("sh -c 'echo not allowed >&2; exit 1'", "mount")
    with pytest.raises(Misconfigured) as caught:
        mounts.as_root(str(tmp_path / "nothing"), "mount")
    assert caught.value.setting == "root_helper"


def test_a_file_of_another_user_is_ours_while_it_is_used(
    cloud: Cloud,
    make: Make,
    commands: Commands,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """CI-19: given back by the last reader of the host only."""
    from multistore.drivers.cinder import connecting

    cloud.protocol = "nfs"
    driver = make(root_helper="become")
    ref = one_image(driver, "image", b"12345").ref
    commands.clear()
    owner = [12345]
    real, stat = os.open, os.stat

    def opened(path: Any, flags: int, mode: int = 0o777) -> int:
        if "volume-" in str(path) and "/mnt/" in str(path) and owner[0] != os.geteuid():
            raise PermissionError(13, "denied")
        return real(path, flags, mode)

    def status(path: Any, **options: Any) -> Any:
        found = stat(path, **options)
        if "/mnt/" in str(path):
            return os.stat_result([*found[:4], owner[0], *found[5:10]])
        return found

    def chown(_helper: str | None, *command: str) -> None:
        commands.append(command)
        owner[0] = int(command[1])

    monkeypatch.setattr(connecting, "as_root", chown)
    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(os, "stat", status)
    with driver.open(ref) as one:
        first = one.read()
        assert read(make(root_helper="become"), ref) == b"12345"
        assert owner == [os.geteuid()]
        assert b"".join(first) == b"12345"
    assert owner == [12345]
    driver.delete(ref)


def test_this_hosts_address_is_the_one_that_reaches_cinder() -> None:
    """CI-29: not whatever its name resolves to first."""
    assert own_address("http://127.0.0.1:8776/v3") == "127.0.0.1"
    assert own_address(None) == "127.0.0.1"


# -- sessions --------------------------------------------------------------------------------------

KEYSTONE = "http://127.0.0.1:1/v3"


def settings(**changes: Any) -> CinderSettings:
    values: dict[str, Any] = {"lock_path": "/tmp", "auth_url": KEYSTONE, "username": "u"}
    return CinderSettings(**{**values, "password": Secret("s3cret"), "project": "p", **changes})


def test_each_store_has_a_session_of_its_own() -> None:
    """CI-5, CI-22, CI-29: with its own user, certificates, interface and time limit."""
    sdk = Sdk()
    one = sdk.client(settings(interface="internal", region="r1", timeout=9.0), None).client
    two = sdk.client(settings(username="other", verify=False), None).client
    assert one.session is not two.session
    assert one.session.auth is not two.session.auth
    assert (one.session.verify, two.session.verify) == (True, False)
    assert one.session.timeout == 9.0
    assert (one.interface, two.interface) == ("internal", "public")
    assert (one.service_type, one.region_name) == ("volumev3", "r1")
    assert not one.session.session.trust_env
    for client in (one, two):
        client.session.session.close()


def test_without_a_user_of_its_own_a_store_works_with_the_callers_token() -> None:
    catalog = [
        {"type": "volumev3", "name": "cinder", "endpoints": [
            {"region": "r1", "publicURL": "http://one/v3/p"}, {"region": "r2", "publicURL": "http://two/v3/p"}]},
    ]  # fmt: skip
    caller = Caller(token="t0ken", project="p", extra={"service_catalog": catalog})
    plain = CinderSettings(lock_path="/tmp", region="r2")
    client = Sdk().client(plain, caller).client
    assert client.get_endpoint() == "http://two/v3/p"
    assert client.session.get_token() == "t0ken"
    client.session.session.close()
    for wrong, setting in ((None, "username"), (Caller(token="t"), "service_type")):
        with pytest.raises(Misconfigured) as caught:
            Sdk().client(plain, wrong)
        assert caught.value.setting == setting


def test_an_application_credential_replaces_the_user() -> None:
    with_credential = settings(
        username=None,
        password=None,
        project=None,
        application_credential_id=Secret("id"),
        application_credential_secret=Secret("s"),
    )
    client = Sdk().client(with_credential, None).client
    assert type(client.session.auth).__name__ == "ApplicationCredential"
    client.session.session.close()


def test_answers_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Those to attaching hold the passwords of storage."""
    caplog.set_level(logging.DEBUG)
    client = Sdk().client(settings(), None).client
    seen: dict[str, object] = {}

    class Http:
        def request(self, method: str, url: str, **options: object) -> None:
            seen.update(options)
            raise RuntimeError(url)

    client.session.session = Http()
    with pytest.raises(RuntimeError):
        client.session.request("http://127.0.0.1:1/x", "GET", authenticated=False)
    assert not [each for each in caplog.messages if "127.0.0.1:1/x" in each]
    assert seen["verify"] is True


def test_the_libraries_may_be_imported_in_any_thread() -> None:
    """The first use of a process may be a read, ahead of which a thread runs; whoever joins it must not wait for ever."""
    script = (
        "import threading\n"
        "from multistore.drivers.cinder.sdk import _module\n"
        "made = threading.Thread(target=_module, args=('os_brick.initiator.connector',), daemon=True)\n"
        "made.start()\n"
        "made.join(40)\n"
        "raise SystemExit(made.is_alive())\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=False, timeout=50)
    assert done.returncode == 0


def test_a_key_of_ceph_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before os-brick looks for it, whose words are not repeated."""
    monkeypatch.setattr(sdk, "_KEYS", str(tmp_path))
    monkeypatch.setattr(sdk, "_ceph", lambda _place: None)
    brick = SimpleNamespace(InitiatorConnector=SimpleNamespace(factory=lambda *_, **__: "made"))
    monkeypatch.setattr(Sdk, "_brick", lambda _self, _settings: brick)
    data = {"cluster_name": "ceph", "auth_username": "cinder", "name": "volumes/x"}
    info = {"driver_volume_type": "rbd", **data}
    path = tmp_path / "ceph.client.cinder.keyring"
    for each in (info, {"driver_volume_type": "rbd", "data": data}):
        with pytest.raises(AccessDenied, match=str(path)):
            Sdk().connector(settings(), "rbd", each)
    path.write_text("[client.cinder]")
    assert Sdk().connector(settings(), "rbd", info) == "made"


@pytest.mark.parametrize(
    ("values", "setting"),
    [
        ({}, "lock_path"),
        ({"lock_path": "/l", "username": "u"}, "auth_url"),
        ({"lock_path": "/l", "auth_url": KEYSTONE}, "username"),
        ({"lock_path": "/l", "auth_url": KEYSTONE, "username": "u"}, "password"),
        ({"lock_path": "/l", "application_credential_id": "x"}, "application_credential_secret"),
        ({"lock_path": "/l", "store": "a//b"}, "store"),
        ({"lock_path": "/l", "root_helper": "sudo 'x"}, "root_helper"),
        ({"lock_path": ""}, "lock_path"),
        ({"lock_path": "/l", "extend": "never"}, "extend"),
    ],
)
def test_wrong_settings_are_named(values: dict[str, object], setting: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        build(CinderSettings, values, where="store s")
    assert caught.value.setting == setting
