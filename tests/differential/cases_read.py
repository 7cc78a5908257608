"""Cases of reading and deleting images of file stores: ranges, sizes, errors, other stores, no store."""

from __future__ import annotations

from differential.script import CONF, Case, call, multi, random, saved, single, source, value

SIZE = 200_000
RANGES = [(0, None), (10, 20), (70_000, None), (70_000, 70_000), (0, 1), (199_999, 1), (199_990, 50), (0, SIZE),
          (0, 300_000), (300_000, None), (300_000, 5), (SIZE, None), (0, 0), (5, 0), (-1, None), (0, -1)]  # fmt: skip


def image(name: str = "image", backend: str = "one", save: str = "image") -> object:
    """Add an image and save the result."""
    return call(
        "add_with_multihash",
        CONF,
        name,
        source(random(SIZE)),
        SIZE,
        backend,
        "md5",
        save=save,
        label="add " + name + " to " + backend,
    )


def get(uri: object, backend: object = "one", label: str = "", **how: object) -> object:
    """Get all of it."""
    return call("get", uri, backend, read="all", label=label or f"get {uri}", **how)


IMAGE = saved("image", 0)
OUTSIDE = "file://{root}/outside"


def odd_places(verb: str, read: str = "") -> list[object]:
    """Call something for locations that are no image of the store."""
    places = {
        "missing": "file://{root}/disk/one/none",
        "missing elsewhere": "file://{root}/none",
        "outside": OUTSIDE,
        "other store's": "file://{root}/disk/two/image",
        "folder": "file://{root}/disk/one/folder",
        "below a file": "file://{root}/disk/one/image/x",
        "link": "file://{root}/disk/one/link",
        "dangling link": "file://{root}/disk/one/dangling",
        "unreadable": "file://{root}/disk/one/unreadable",
        "in a closed folder": "file://{root}/disk/one/closed/x",
        "relative": "file://disk/one/image",
        "dots": "file://{root}/disk/one/../one/image",
        "double slashes": "file://{root}/disk//one//image",
        "long": "file://{root}/disk/one/" + "x" * 300,
        "nul": "file://{root}/disk/one/a\0b",
        "the store itself": "file://{root}/disk/one",
    }
    how = {"read": read} if read else {}
    vague = {"folder", "the store itself"}  # their sizes differ by file system
    return [
        call(verb, uri, "one", label=f"{verb} {name}", vague=name in vague, **how)
        for name, uri in places.items()
    ]


ODD = [
    image(),
    image(backend="two", save="other"),
    call("worker.file", "{root}/outside", "outside", label="put outside"),
    call("worker.folder", "{root}/disk/one/folder", label="put folder"),
    call("worker.link", "{root}/outside", "{root}/disk/one/link", label="put link"),
    call("worker.link", "{root}/nowhere", "{root}/disk/one/dangling", label="put dangling link"),
    call("worker.file", "{root}/disk/one/unreadable", "hidden", 0, label="put unreadable"),
    call("worker.folder", "{root}/disk/one/closed", 0, label="put closed folder"),
]


def ranges(verb: str, *rest: object) -> list[object]:
    """Read every range by keywords; the stores are file stores."""
    return [
        call(
            verb,
            IMAGE,
            *rest,
            offset=offset,
            chunk_size=length,
            read="all",
            label=f"{verb} {offset} {length}",
        )
        for offset, length in RANGES
    ]


# fmt: off
CASES: list[Case] = [
    multi("get", image(), get(IMAGE), *ranges("get", "one")),
    multi("get-small-pieces", image(), *ranges("get", "one"), one={"filesystem_store_chunk_size": "10000"}),
    single("get-single", call("add_to_backend", CONF, "image", source(random(SIZE)), SIZE, save="image", label="add"),
           *ranges("get_from_backend")),
    multi("get-odd", *ODD, *odd_places("get", "all"), one={}, two={}),
    multi("size-odd", *ODD, *odd_places("get_size_from_uri_and_backend"), one={}, two={}),
    multi("delete-odd", *ODD, *odd_places("delete"), one={}, two={}),
    multi(
        "delete",
        image(),
        call("delete", IMAGE, "one", label="delete"),
        call("delete", IMAGE, "one", label="again"),
        get(IMAGE, label="get deleted"),
        call("get_size_from_uri_and_backend", IMAGE, "one", label="size of deleted"),
        image(),
        call("delete", IMAGE, "one", context={"a": 1}, label="with context"),
        image(),
        call("worker.mode", "{root}/disk/one", 0o555, label="read only"),
        call("delete", IMAGE, "one", label="read only delete"),
    ),
    multi(
        "size",
        image(),
        call("get_size_from_uri_and_backend", IMAGE, "one", label="size"),
        call("get_size_from_uri_and_backend", IMAGE, None, label="no store"),
        call("get_size_from_uri_and_backend", IMAGE, "nope", label="unknown store"),
        call("get_size_from_uri_and_backend", "nope://x", "one", label="unknown scheme"),
        call("get_size_from_uri_and_backend", IMAGE, "one", context={"a": 1}, label="with context"),
    ),
    multi(
        "no-store",
        image(),
        image("second", "two", save="second"),
        get(IMAGE, None, label="get from the first"),
        get(saved("second", 0), None, label="get from the second"),
        get(saved("second", 0), "", label="get by an empty name"),
        get("file://{root}/disk/one/none", None, label="get missing"),
        get("http://{refused}/x", None, label="get by a scheme without store"),
        get("file://[x", None, label="get nonsense"),
        call("delete", saved("second", 0), None, label="delete from the second"),
        call("delete", IMAGE, None, label="delete from the first"),
        call("delete", IMAGE, None, label="delete missing"),
        call("delete", "nope://x", None, label="delete unknown scheme"),
        one={}, two={},
    ),
    multi(
        "wrong-store",
        image(),
        get(IMAGE, "two", label="get"),
        call("get_size_from_uri_and_backend", IMAGE, "two", label="size"),
        get(IMAGE, "nope", label="get from unknown"),
        call("delete", IMAGE, "nope", label="delete from unknown"),
        call("delete", IMAGE, "two", label="delete"),
        one={}, two={},
    ),
    multi(
        "stream",
        image(),
        call("get", IMAGE, "one", save="got", label="get"),
        call("worker.index", saved("got"), 0, save="data", label="data"),
        value("@data.chunk_size"),
        value("@data.partial_length"),
        value("@data.filepath"),
        call("worker.index", saved("got", 0), label="no index"),
        call("@data.close", label="close"),
        call("@data.close", label="close again"),
        call("get", IMAGE, "one", read="first", label="abandon"),
    ),
    single(
        "single",
        call("add_to_backend", CONF, "image", source("hello"), 5, save="image", label="add"),
        call("get_from_backend", IMAGE, read="all", label="get"),
        call("get_from_backend", IMAGE, read="all", context={"a": 1}, label="get with context"),
        call("get_size_from_backend", IMAGE, label="size"),
        call("get_size_from_backend", "nope://x", label="size by unknown scheme"),
        call("get_from_backend", "file://{root}/none", read="all", label="get missing"),
        call("delete_from_backend", "file://{root}/none", label="delete missing outside"),
        call("worker.file", "{root}/outside", "outside", label="put outside"),
        call("get_from_backend", OUTSIDE, read="all", label="get outside"),
        call("delete_from_backend", OUTSIDE, label="delete outside"),
        call("delete_from_backend", IMAGE, label="delete"),
        call("delete_from_backend", IMAGE, label="again"),
    ),
]
# fmt: on
