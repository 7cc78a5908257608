"""The real Glance with a store of volumes, on the lab's Cinder: volumes in Ceph, and files on a stand-in for NFS.

Both ask the lab's Keystone who their callers are, and Cinder asks this Glance for images.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from conformance.cinder_rig import lab_alone, lab_client, lab_leftovers
from conformance.rbd_rig import after_opening, lab, lab_back
from realglance.client import Client
from realglance.server import CONFIG, LIBRARY, PASTE, Glance, environment, until

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

DATA = os.urandom((9 << 20) + 12345)
STORES = """
[{kind}]
store_description = volumes of the type {kind}
cinder_store_auth_address = {keystone}
cinder_store_user_name = glance
cinder_store_password = glancepass
cinder_store_project_name = service
cinder_volume_type = {kind}
cinder_mount_point_base = {mounts}
"""
KEYSTONE = """
[keystone_authtoken]
www_authenticate_uri = {keystone}
auth_url = {keystone}
auth_type = password
project_domain_name = Default
user_domain_name = Default
project_name = service
username = glance
password = glancepass
service_token_roles_required = true
"""
_LOCATION = re.compile(r"cinder://(?:rbd|nfs)/[0-9a-f-]{36}")
Volumes = Callable[[str, str], str]


@pytest.fixture(scope="module")
def glance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Glance]:
    """A server with files and two types of volumes, where Cinder looks for it."""
    place = tmp_path_factory.mktemp("glance")
    keystone = lab("MULTISTORE_LAB_KEYSTONE")
    mounts = lab("MULTISTORE_LAB_CINDER_PLACE") + "/mnt-images"
    config = CONFIG.replace("web:http\n", "web:http,rbd:cinder,nfs:cinder\n", 1)
    config = config.replace("[DEFAULT]\n", "[DEFAULT]\ndo_secure_hash = false\n", 1)
    config += KEYSTONE.format(keystone=keystone)
    for kind in ("rbd", "nfs"):
        config += STORES.format(kind=kind, keystone=keystone, mounts=mounts)
    with lab_alone():
        port = int(lab("MULTISTORE_LAB_CINDER_GLANCE"))
        server = Glance(environment(LIBRARY), place, config, port)
        paste = PASTE.replace("context rootapp", "authtoken context rootapp")
        paste += "\n[filter:authtoken]\npaste.filter_factory = keystonemiddleware.auth_token:filter_factory\n"
        (place / "etc/glance-api-paste.ini").write_text(paste)
        with server:
            yield server


@pytest.fixture(autouse=True)
def _nothing_left(glance: Glance) -> Iterator[None]:
    yield
    left = lab_leftovers(glance.place / "locks")
    left += [f"volume {each.name}" for each in lab_client("demo", "demo").volumes.list()]
    assert not left, left


def client_of(glance: Glance, user: str = "glance", project: str = "service") -> Client:
    client = glance.client()
    client.who = {"X-Auth-Token": lab_client(user, project).client.get_token()}
    return client


def add(client: Client, kind: str, *, known: bool) -> str:
    image = client.create()
    data = DATA if known else iter([DATA[: 1 << 20], DATA[1 << 20 :]])
    client("PUT", f"/images/{image}/file", data, expect=204, headers={"X-Image-Meta-Store": kind})
    return image


def part_of(client: Client, image: str) -> bytes:
    """Read ten bytes from the middle of an image."""
    wanted = {"Range": "bytes=5000000-5000009"}
    return client("GET", f"/images/{image}/file", headers=wanted, expect=206).body


@pytest.mark.parametrize("kind", ["rbd", "nfs"])
def test_images_are_volumes(glance: Glance, kind: str) -> None:
    client = client_of(glance, "demo", "demo")
    demo = lab_client("demo", "demo").client.get_project_id()
    images = [add(client, kind, known=known) for known in (True, False)]
    for image in images:
        shown = client.show(image)
        assert (shown["status"], shown["size"]) == ("active", len(DATA))
        assert shown["os_hash_value"] == hashlib.sha512(DATA).hexdigest()
        home = home_of(client, image, kind)
        assert client("GET", f"/images/{image}/file").body == DATA
        assert part_of(client, image) == DATA[5_000_000:5_000_010]
        volume = lab_client().volumes.get(home)
        assert (volume.name, volume.volume_type) == (f"image-{image}", kind)
        assert volume.metadata["glance_image_id"] == image
        assert volume.metadata["image_size"] == str(len(DATA))
        assert volume.metadata["image_owner"] == demo
    for image in images:
        client("DELETE", f"/images/{image}", expect=204)


@pytest.mark.parametrize("kind", ["rbd", "nfs"])
def test_locations_of_before_there_were_several_stores_are_read_and_healed(
    glance: Glance, kind: str
) -> None:
    """They name a volume alone, and the store is found by its type; Glance then writes it down."""
    client = client_of(glance)
    images = [add(client, kind, known=True) for _ in range(2)]
    for image in images:
        home = home_of(client, image, kind)
        glance.rows(
            "update image_locations set value = ?, meta_data = '{}' where image_id = ?",
            f"cinder://{home}",
            image,
        )
    assert client("GET", f"/images/{images[0]}/file").body == DATA
    assert part_of(client, images[0]) == DATA[5_000_000:5_000_010]
    home_of(client, images[0], kind)
    for image in images:  # the second one as it was in the database
        client("DELETE", f"/images/{image}", expect=204)


def test_an_image_is_copied_between_stores(glance: Glance) -> None:
    client = client_of(glance)
    image = add(client, "rbd", known=True)
    asked = {"method": {"name": "copy-image"}, "stores": ["nfs", "fast"]}
    client("POST", f"/images/{image}/import", asked, expect=202)
    until("the import to end", lambda: glance.idle(image), 200)
    assert set(client.locations(image)) == {"rbd", "nfs", "fast"}, glance.log()[-6000:]
    for store in ("rbd", "nfs", "fast"):
        assert client("GET", f"/images/{image}/file?prefer={store}").body == DATA
    client("DELETE", f"/images/{image}", expect=204)


def test_a_quota_is_a_full_store(glance: Glance) -> None:
    admin = lab_client("admin", "admin")
    project = lab_client().client.get_project_id()
    client = client_of(glance)
    taken = admin.quotas.get(project, usage=True).gigabytes
    admin.quotas.update(project, gigabytes=taken["in_use"] + taken["reserved"])
    try:
        image = client.create()
        headers = {"X-Image-Meta-Store": "rbd"}
        client("PUT", f"/images/{image}/file", DATA, expect=413, headers=headers)
    finally:
        admin.quotas.update(project, gigabytes=1000)
        with contextlib.suppress(AssertionError):
            client("DELETE", f"/images/{image}", expect=204)


# -- volumes of images, and images of volumes ------------------------------------------------------


@pytest.fixture
def volumes() -> Iterator[Volumes]:
    """Make a user's volumes of images, as ``cinder create --image`` does; they are removed again."""
    cinder = lab_client("demo", "demo")
    made = []

    def make(image: str, kind: str) -> str:
        made.append(cinder.volumes.create(1, imageRef=image, volume_type=kind).id)
        return str(made[-1])

    yield make
    for each in made:
        ended(cinder, each)
        cinder.volumes.delete(each)
    end = time.monotonic() + 60
    while any(each.id in made for each in cinder.volumes.list()):
        assert time.monotonic() < end, "a volume is not deleted"
        time.sleep(0.2)


def ended(cinder: Any, volume: str) -> str:
    """Wait for the end of what Cinder does with a volume, and give its state."""
    end = time.monotonic() + 120
    while (state := str(cinder.volumes.get(volume).status)).endswith("ing"):
        assert time.monotonic() < end, f"{volume} is {state}"
        time.sleep(0.2)
    return state


def beginning_of(volume: str, kind: str) -> bytes:
    """Read a volume past Cinder and our library: as many bytes as the image has."""
    if kind == "nfs":
        file = Path(lab("MULTISTORE_LAB_CINDER_PLACE"), "export", f"volume-{volume}")
        with file.open("rb") as opened:
            return opened.read(len(DATA))
    back = lab_back(pool="volumes")
    with back.pool("volumes", user="cinder") as io:
        image = back.sdk.rbd.Image(io, f"volume-{volume}", read_only=True)
        try:
            after_opening(io)
            found: bytes = image.read(0, len(DATA))
        finally:
            image.close()
    return found


def was_cloned(volume: str) -> bool:
    """Say whether Cinder's volume service tells that it cloned an image's volume."""
    place = Path(lab("MULTISTORE_LAB_CINDER_PLACE"))
    logs = (place.with_name("log") / "cinder-volume.log", place / "volume-again.log")
    said = "".join(each.read_text(errors="replace") for each in logs if each.exists())
    return f"Will clone a volume from the image volume {volume}" in said


def test_volumes_are_made_of_stored_images_and_images_of_volumes(
    glance: Glance, volumes: Volumes
) -> None:
    """A clone of the image's own volume where the type is the same, or else what Glance serves; a user's, all of them."""
    client, cinder = client_of(glance, "demo", "demo"), lab_client("demo", "demo")
    images = {kind: add(client, kind, known=True) for kind in ("rbd", "nfs")}
    homes = {kind: home_of(client, image, kind) for kind, image in images.items()}
    made: dict[tuple[str, str], str] = {}
    # While Cinder's NFS driver clones a file it has a snapshot, and is no raw file for anybody else: one after the other.
    for pairs in ((("rbd", "rbd"), ("rbd", "nfs"), ("nfs", "nfs")), (("nfs", "rbd"),)):
        made |= {pair: volumes(images[pair[0]], pair[1]) for pair in pairs}
        for source, kind in pairs:
            volume = made[source, kind]
            assert ended(cinder, volume) == "available", (source, kind)
            assert beginning_of(volume, kind) == DATA, (source, kind)
    for kind in ("rbd", "nfs"):
        assert was_cloned(homes[kind]), kind
    for image in images.values():  # the clones do not keep it, nor has it changed
        assert client("GET", f"/images/{image}/file").body == DATA
        client("DELETE", f"/images/{image}", expect=204)
    image_of(client, cinder, made["rbd", "rbd"])


def image_of(client: Client, cinder: Any, volume: str) -> None:
    """Do ``cinder upload-to-image``: Cinder clones the volume, and tells Glance where the clone is."""
    told = cinder.volumes.upload_to_image(volume, False, "made", "bare", "raw", "private", False)
    image = told[1]["os-volume_upload_image"]["image_id"]
    until("the image", partial(is_finished, client, image), 60)
    assert ended(cinder, volume) == "available"
    labels = lab_client().volumes.get(home_of(client, image, "rbd")).metadata
    assert labels["glance_image_id"] == image
    assert "multistore_upload" not in labels  # the clone itself, and nothing that was sent
    assert part_of(client, image) == DATA[5_000_000:5_000_010]
    client("DELETE", f"/images/{image}", expect=204)


def is_finished(client: Client, image: str) -> bool:
    return client.show(image)["status"] in ("active", "killed")


def home_of(client: Client, image: str, kind: str) -> str:
    """Give the volume of an image."""
    ((store, location),) = client.locations(image).items()
    assert (store, bool(_LOCATION.fullmatch(location))) == (kind, True)
    return location.rpartition("/")[2]
