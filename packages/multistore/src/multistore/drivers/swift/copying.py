"""Copies inside an account: Swift copies object by object, and no byte passes through here."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

from multistore.drivers.swift.container import Container, Head
from multistore.drivers.swift.manifests import static_segments
from multistore.drivers.swift.upload import SegmentedUpload
from multistore.errors import Corrupt, Unsupported

__all__ = ["copy_into"]


def copy_into(
    upload: SegmentedUpload, source: Container, name: str, head: Head, parallel: int
) -> None:
    """Fill an upload with the bytes of an object; Unsupported if the server does not show what it is made of."""
    what = f"the object {name!r}"
    places = [(source.name, name, head.size)]
    if head.static:
        segments = static_segments(source, name, what)
        if segments is None:
            raise Unsupported(f"{what}: this server does not show its segments")
        places = [(each.container, each.name, each.size) for each in segments if not each.manifest]
    largest = source.swift.limit("swift", "max_file_size", 5 << 30)
    if max(size for _, _, size in places) > largest:
        raise Unsupported(f"{what} is larger than what Swift copies at once")
    with ThreadPoolExecutor(parallel, "multistore-swift-copy") as pool:
        jobs = [
            pool.submit(upload.copy_part, index, f"/{quote(place)}/{quote(inner)}", size)
            for index, (place, inner, size) in enumerate(places)
        ]
    for job in jobs:
        job.result()
    after = source.head(name, what)
    if (after.version, after.size) != (head.version, head.size):
        raise Corrupt(f"{what} was changed while it was copied")
