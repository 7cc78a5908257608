"""What the shipped filters let a service of another user run as root."""

from __future__ import annotations

from pathlib import Path

import pytest
from glance_store._drivers import cinder
from oslo_rootwrap import wrapper

PACKAGES = Path(__file__).parents[2] / "packages"
GLANCE = PACKAGES / "glance_store/etc/glance"
OURS = PACKAGES / "multistore/etc/multistore"
NUMBER = "01234567-89ab-cdef-0123-456789abcdef"
HELPER = "--privsep_context os_brick.privileged.default --privsep_sock_path /tmp/x/privsep.sock"
TAME = "-o nosuid,nodev,noexec"


@pytest.mark.parametrize(("place", "base"), [(GLANCE, "glance"), (OURS, "multistore")])
@pytest.mark.parametrize(
    ("allowed", "command"),
    [
        (True, "mount -t nfs {tame} 10.0.0.1:/export/a {mount}"),
        (True, "mount -t nfs -o vers=4.1,nolock {tame} 10.0.0.1:/export {mount}"),
        (True, "umount {mount}"),
        (True, "chown 42 {mount}/volume-{number}"),
        (True, "chown 42 /dev/sdb"),
        (True, "privsep-helper --config-file /etc/glance/a.conf {helper}"),
        (False, "mount -t nfs 10.0.0.1:/export/a {mount}"),
        (False, "mount -t nfs {tame} -o suid 10.0.0.1:/export/a {mount}"),
        (False, "mount -t nfs -o suid 10.0.0.1:/export/a {mount}"),
        (False, "mount -t nfs {tame} 10.0.0.1:/export/a /etc"),
        (False, "mount -t nfs {tame} 10.0.0.1:/export/../a {mount}"),
        (False, "mount -t ext4 {tame} /dev/sda1 {mount}"),
        (False, "mount -t nfs -o suid;x {tame} 10.0.0.1:/e {mount}"),
        (False, "umount /"),
        (False, "chown 42 /etc/shadow"),
        (False, "chown 42 /dev/../etc/shadow"),
        (False, "chown 42 {mount}/../../x"),
        (False, "sh"),
    ],
)
def test_the_filters_let_nothing_else_through(
    place: Path, base: str, allowed: bool, command: str
) -> None:
    """CI-29."""
    known = wrapper.load_filters([str(place / "rootwrap.d")])
    path = f"/var/lib/{base}/mnt/" + "a" * 64
    words = command.format(tame=TAME, mount=path, number=NUMBER, helper=HELPER).split()
    assert any(each.match(words) for each in known) is allowed


def test_both_packages_ship_the_same_filters() -> None:
    theirs = (GLANCE / "rootwrap.d/glance_cinder_store.filters").read_text()
    ours = (OURS / "rootwrap.d/multistore_cinder.filters").read_text()
    (head, one), (_, two) = theirs.split("[Filters]"), ours.split("[Filters]")
    assert "cinder_mount_point_base" in head
    assert one.replace("/lib/glance/", "/lib/multistore/") == two


def test_the_configuration_of_rootwrap_is_shipped() -> None:
    text = (GLANCE / "rootwrap.conf").read_text()
    assert "filters_path=/etc/glance/rootwrap.d" in text
    names = {each.name: each for each in cinder.Store.OPTIONS}
    assert names["rootwrap_config"].default == "/etc/glance/rootwrap.conf"
    assert "filters_path=/etc/multistore/rootwrap.d" in (OURS / "rootwrap.conf").read_text()
