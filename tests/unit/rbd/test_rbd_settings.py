"""Settings, and where Ceph's modules come from."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from multistore.drivers.rbd import RbdDriver, RbdSettings
from multistore.drivers.rbd.sdk import load
from multistore.errors import Misconfigured
from multistore.registry import open_driver


@pytest.mark.parametrize(
    ("url", "pool"),
    [
        ("rbd:", "images"),
        ("rbd://", "images"),
        ("rbd:fast", "fast"),
        ("rbd://fast/", "fast"),
        ("rbd://a%20b", "a b"),
    ],
)
def test_a_url_names_a_pool(url: str, pool: str) -> None:
    driver = open_driver(
        f"{url}?conf=/etc/x.conf&user=glance&object_size=4MiB&pools=a,b&features=layering"
    )
    assert isinstance(driver, RbdDriver)
    assert driver.settings == RbdSettings(
        pool=pool,
        conf="/etc/x.conf",
        user="glance",
        object_size=4 << 20,
        pools=("a", "b"),
        features=("layering",),
    )


@pytest.mark.parametrize(
    ("values", "setting"),
    [
        ({"object_size": 6 << 20}, "object_size"), ({"object_size": 64 << 20}, "object_size"),
        ({"object_size": 1}, "object_size"), ({"features": "layering,flying"}, "features"), ({"pool": ""}, "pool"),
        ({"user": "a\0b"}, "user"), ({"timeout": 0}, "timeout"), ({"foreign_fsid": "maybe"}, "foreign_fsid"),
        ({"url": "rbd://a/b"}, "url"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_found_before_the_first_upload(
    values: dict[str, object], setting: str
) -> None:
    """R19."""
    table = values if "url" in values else {"driver": "rbd", **values}
    with pytest.raises(Misconfigured) as caught:
        open_driver(table)
    assert caught.value.setting == setting


def test_an_exclusive_name_is_not_promised_beside_a_journal() -> None:
    assert RbdDriver(RbdSettings()).capabilities.exclusive_create
    assert not RbdDriver(
        RbdSettings(features=("layering", "journaling"))
    ).capabilities.exclusive_create


@pytest.mark.parametrize("name", ["rados.cpython-39-x86_64-linux-gnu.so", None])
def test_missing_modules_are_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str | None
) -> None:
    for module in ("rados", "rbd"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setattr(sys, "path", [])
    if name is not None:
        (tmp_path / name).touch()
    driver = RbdDriver(RbdSettings(bindings=str(tmp_path)))
    with pytest.raises(Misconfigured) as caught:
        driver.check()
    assert caught.value.setting == "bindings"
    assert (name or "python3-rbd") in str(caught.value)
    assert "3.1" in str(caught.value)


def test_modules_come_from_the_directory_and_nothing_else_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("rados", "rbd"):
        monkeypatch.delitem(sys.modules, module, raising=False)
        monkeypatch.setattr(sys, "path", [each for each in sys.path if "packages" not in each])
        (tmp_path / f"{module}.py").write_text("import rados\nnumber = 7\n")
    before = list(sys.path)
    found = load(str(tmp_path))
    assert (found.rados.number, found.rbd.number) == (7, 7)
    assert sys.path == before
    for module in ("rados", "rbd"):
        monkeypatch.delitem(sys.modules, module)
