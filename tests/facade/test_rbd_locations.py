"""Locations of rbd stores: Nova and Cinder take the text apart, so it is a wire format."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest
from glance_store import exceptions
from glance_store._drivers.rbd import StoreLocation

FSID = "db437934-7e1c-445b-a4f5-7cc5bc44ba1b"


def parsed(uri: str) -> StoreLocation:
    place = StoreLocation({}, None)
    place.parse_uri(uri)
    return place


def as_nova(uri: str) -> tuple[str, ...]:
    """Take a location apart as Nova and Cinder do: four parts, unquoted, none of them empty."""
    pieces = [unquote(each) for each in uri.removeprefix("rbd://").split("/")]
    assert len(pieces) == 4
    assert "" not in pieces
    return tuple(pieces)


@pytest.mark.parametrize(
    ("parts", "uri"),
    [
        ((FSID, "images", "i", "snap"), f"rbd://{FSID}/images/i/snap"),
        ((FSID, "a/b", "i", "snap"), f"rbd://{FSID}/a%2Fb/i/snap"),
        ((FSID, "images", "ä @", "snap"), f"rbd://{FSID}/images/%C3%A4%20%40/snap"),
        ((FSID, "images", "a?b#c", "s"), f"rbd://{FSID}/images/a%3Fb%23c/s"),
    ],
)
def test_four_parts_are_quoted_as_nova_unquotes_them(parts: tuple[str, ...], uri: str) -> None:
    keys = ("fsid", "pool", "image", "snapshot")
    place = StoreLocation(dict(zip(keys, parts, strict=True)), None)
    assert place.get_uri() == uri
    assert as_nova(uri) == parts
    again = parsed(uri)
    assert (again.fsid, again.pool, again.image, again.snapshot) == parts
    assert again.get_uri() == uri


def test_what_nova_writes_without_quoting_is_read() -> None:
    place = parsed(f"rbd://{FSID}/images/a?b#ä/snap")
    assert place.image == "a?b#ä"


def test_the_old_form_is_taken_as_it_is() -> None:
    place = parsed("rbd://an%20image")
    assert (place.fsid, place.pool, place.image, place.snapshot) == (None, None, "an%20image", None)
    assert place.get_uri() == "rbd://an%20image"


@pytest.mark.parametrize(
    "uri",
    ["rbd://", "RBD://i", "rbd:/i", "http://i", "rbd://a/b", "rbd://a/b/c", "rbd://a/b/c/d/", "rbd://a/b/c/d/e",
     "rbd://a//c/d", "rbd:///b/c/d", "rbd://a/b/c%00/d", "rbd://a/b/%FF/d", "rbd://a/b/c%0A/d", "rbd://a/b/.multistore-new-1/d"],
)  # fmt: skip
def test_other_texts_are_refused(uri: str) -> None:
    with pytest.raises(exceptions.BadStoreUri):
        parsed(uri)


def test_a_refusal_tells_no_password() -> None:
    with pytest.raises(exceptions.BadStoreUri) as caught:
        parsed("rbd://me:s3cret@host/b")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("specs", "uri"),
    [
        ({"image": "i", "fsid": None, "pool": "images", "snapshot": "snap"}, "rbd://i"),
        ({"image": "i", "fsid": FSID, "pool": "images", "snapshot": None}, "rbd://i"),
        ({"image": "i"}, "rbd://i"),
    ],
)
def test_r28_none_is_no_text(specs: dict[str, Any], uri: str) -> None:
    """R28: 5.7.0 writes rbd://None/..."""
    assert StoreLocation(specs, None).get_uri() == uri


def test_r28_a_location_needs_an_image() -> None:
    """R28."""
    for specs in ({"image": None, "pool": "images"}, {"image": ""}, {"pool": "images"}):
        with pytest.raises(exceptions.BadStoreUri):
            StoreLocation(specs, None)
