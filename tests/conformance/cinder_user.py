"""An ordinary user of this machine who may become root by rootwrap alone, as the manual sets one up; made and removed by tests."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BIN", "Deputy", "deputy"]

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
#: What each package ships, and the directories that the manual has an operator write there.
SHIPPED = {
    "multistore": (ROOT / "packages/multistore/etc/multistore", "/etc/multistore", "/var/lib/multistore/mnt"),
    "glance": (ROOT / "packages/glance_store/etc/glance", "/etc/glance", "/var/lib/glance/mnt"),
}  # fmt: skip


@dataclass(frozen=True)
class Deputy:
    """Who it is, and his directories."""

    name: str
    place: Path

    @property
    def conf(self) -> Path:
        return self.place / "etc/rootwrap.conf"

    @property
    def mounts(self) -> Path:
        return self.place / "mnt"

    @property
    def home(self) -> Path:
        """For files of its own."""
        return self.place / "home"

    @property
    def locks(self) -> Path:
        return self.place / "locks"

    def run(self, *command: str | Path, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Run something as this user, with nothing of our environment."""
        words = ["runuser", "--user", self.name, "--", "env", "-i", "PATH=/usr/bin:/bin", "no_proxy=127.0.0.1"]  # fmt: skip
        return subprocess.run(
            [*words, *command],
            check=False,
            capture_output=True,
            text=True,
            timeout=seconds,
            cwd="/",
            stdin=subprocess.DEVNULL,
        )


@contextlib.contextmanager
def deputy(package: str) -> Iterator[Deputy]:
    """Make the user, what a package ships for rootwrap, the line for sudo, and directories for locks and mounts."""
    made = Deputy(f"ms-{os.getpid()}", Path(tempfile.mkdtemp(prefix="multistore-", dir="/var/tmp")))
    shipped, etc, mounts = SHIPPED[package]
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, made.place)
        made.place.chmod(0o755)
        root("useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", made.name)
        stack.callback(root, "userdel", made.name)
        who = pwd.getpwnam(made.name)
        shutil.copytree(shipped, made.conf.parent)
        for file in made.conf.parent.rglob("*.*"):
            if file.is_file():
                text = file.read_text().replace(etc, str(made.conf.parent))
                text = text.replace("exec_dirs=", f"exec_dirs={BIN},")
                file.write_text(text.replace(mounts, str(made.mounts)))
        for place in (made.mounts, made.locks, made.home):
            place.mkdir()
            os.chown(place, who.pw_uid, who.pw_gid)
        command = BIN / f"{package}-rootwrap"
        stack.enter_context(may_become_root(made, command))
        stack.enter_context(may_read_key(who.pw_gid))
        for path in (ROOT, BIN, Path(sys.executable).resolve().parent):
            stack.enter_context(may_pass(made.name, path))
        yield made


@contextlib.contextmanager
def may_become_root(made: Deputy, command: Path) -> Iterator[None]:
    """Write the manual's line for sudo, and where it finds the command."""
    file = Path("/etc/sudoers.d", made.name)
    text = f'Defaults:{made.name} secure_path="{BIN}:/usr/sbin:/usr/bin:/sbin:/bin"\n'
    text += f"{made.name} ALL = (root) NOPASSWD: {command} {made.conf} *\n"
    ready = made.place / "sudoers"
    ready.write_text(text)
    root("visudo", "--check", "--quiet", "--file", str(ready))
    ready.chmod(0o440)
    shutil.copy(ready, file)
    try:
        yield
    finally:
        file.unlink()


@contextlib.contextmanager
def may_read_key(group: int) -> Iterator[None]:
    """Let the user read the key of Cinder's Ceph user."""
    key = Path("/etc/ceph/ceph.client.cinder.keyring").resolve(strict=True)
    before = key.stat()
    os.chown(key, -1, group)
    key.chmod(0o640)
    try:
        yield
    finally:
        key.chmod(before.st_mode & 0o777)
        os.chown(key, -1, before.st_gid)


@contextlib.contextmanager
def may_pass(name: str, path: Path) -> Iterator[None]:
    """Let the user through to a directory, where the tree lies in somebody's private place."""
    with ExitStack() as stack:
        for each in (path, *path.parents):
            if not each.stat().st_mode & 0o001:
                had = "system.posix_acl_access" in os.listxattr(each)
                end = ["--remove", f"user:{name}"] if had else ["--remove-all"]
                root("setfacl", "--modify", f"user:{name}:x", str(each))
                stack.callback(root, "setfacl", *end, str(each))
        yield


def root(*command: str) -> None:
    """Run something as what we are."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, (command, done.stderr)
