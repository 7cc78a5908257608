"""Cases of adding images to file stores: sizes, sources, errors, modes, thin provisioning, metadata files."""

from __future__ import annotations

from differential.script import (
    CONF,
    Case,
    call,
    data,
    multi,
    random,
    single,
    source,
    value,
    verifier,
    zeros,
)

ENTRIES = '[{"id": "far", "mountpoint": "{root}/elsewhere"}, {"id": "near", "mountpoint": "{root}/disk", "more": ["x"]}]'


def add(
    name: str,
    what: object,
    size: object,
    backend: str | None = "one",
    algorithm: object = "sha256",
    **how: object,
) -> object:
    """Add with a multihash."""
    return call(
        "add_with_multihash", CONF, name, what, size, backend, algorithm, **{"label": name, **how}
    )


def place(content: object, name: str = "image") -> object:
    """Put a file where the store has its images."""
    return call("worker.file", "{root}/disk/one/" + name, content, label="put " + name)


# fmt: off
CASES: list[Case] = [
    multi(
        "add",
        add("whole", source("hello"), 5),
        add("unknown size", source("hello"), 0),
        add("empty", source(), 0),
        add("big", source(random(300_000)), 300_000),
        add("iterated", source(random(300_000), form="iter", pieces=[1000]), 300_000),
        add("iterated oddly", source("abcdefgh", form="iter", pieces=[1, 0, 3]), 8),
        add("iterated in huge pieces", source(random(500_000), form="iter", pieces=[400_000]), 0),
        add("short reads", source(random(9000), most=777), 9000),
        add("plain list", [data("ab"), data("cd")], 4),
        add("empty list", [], 0),
        add("md5", source("hello"), 5, algorithm="md5"),
        add("sha512", source("hello"), 5, algorithm="sha512"),
        add("blake2b", source("hello"), 5, algorithm="blake2b"),
        add("verified", source(random(200_000)), 200_000, verifier=verifier()),
        add("with context", source("hello"), 5, context={"a": 1}),
        add("default store", source("hello"), 5, None),
        add("with scheme", source("hello"), 5, scheme="whatever"),
        add("unknown store", source("hello"), 5, "nope", look=["nope"]),
        add("0a1b2c3d-0000-4000-8000-000000000000", source("hello"), 5),
        call("add_with_multihash", CONF, 17, source("hello"), 5, "one", "md5", label="number as id"),
        call("add", CONF, "old way", source("hello"), 5, "one", label="old way"),
        call("add", CONF, "old way, default", source("hello"), 5, None, label="old way, default"),
        call("add", CONF, "old way, verified", source("hello"), 5, "one", verifier=verifier(), label="old way, verified"),
    ),
    multi(
        "add-algorithms",
        *(
            add(f"algorithm {name}", source("hello"), 5, algorithm=name, look=[str(name)])
            for name in ("nope", "", None, "SHA256", "shake_128", "shake_256")
        ),
    ),
    multi(
        "add-sizes",
        add("too long", source(random(300_000)), 100_000, consumed=True),
        add("too long at once", source("hello"), 4),
        add("too short", source("hello"), 6),
        add("empty but declared", source(), 3),
        add("long iterated", source(random(9000), form="iter", pieces=[1000]), 2500, consumed=True),
        add("negative", source("hello"), -1),
        add("None", source("hello"), None),
        add("too short, verified", source(random(65541)), 65542, verifier=verifier()),
        add("too long, verified", source(random(200_000)), 65542, verifier=verifier()),
        add("exactly a piece", source(random(65536)), 65536, consumed=True),
    ),
    multi(
        "add-twice",
        add("image", source("hello"), 5),
        add("image", source("other"), 5, consumed=True, label="again"),
        call("glance_store.add", CONF, "image", source("other"), 5, "one", label="again, the old way"),
        add("image", source("other"), 5, "two", label="in the other store"),
        place("foreign", "foreign"),
        add("foreign", source("other"), 5, label="over a foreign file"),
        call("worker.folder", "{root}/disk/one/folder", label="put folder"),
        add("folder", source("other"), 5, label="over a folder"),
        call("worker.link", "{root}/disk/nowhere", "{root}/disk/one/link", label="put link"),
        add("link", source("other"), 5, label="through a dangling link"),
        one={}, two={},
    ),
    multi(
        "add-ids",
        *(add(name, source("hello"), 5, label=f"id {name!r}") for name in ("a b", "ä", "a?b", "a#b", "a%20b", ".hidden", "a.b")),
        *(add(name, source("hello"), 5, label=f"id {name!r}") for name in ("../out", "a/b", "", ".", "..", "{root}/disk/two/abs", "x" * 300)),
        one={}, two={},
    ),
    multi(
        "add-sources",
        *(
            add(f"source {error} at {at}", source(random(200_000), fail_at=at, error=error), 0)
            for error in ("KeyError", "RuntimeError", "OSError:EPIPE", "OSError:ENOSPC", "OSError:EACCES")
            for at in (0, 131_072)
        ),
        add("iterated source", source(random(200_000), form="iter", fail_at=65536, error="KeyError"), 0),
        add("verifier", source("hello"), 5, verifier=verifier("KeyError")),
    ),
    multi(
        "add-no-room",
        call("worker.size_limit", 100_000, label="limit"),
        add("fits", source(random(50_000)), 50_000),
        add("too big", source(random(300_000)), 300_000),
        add("too big, unknown", source(random(300_000)), 0),
        add("too big, iterated", source(random(300_000), form="iter"), 0),
    ),
    multi(
        "add-no-permission",
        call("worker.mode", "{root}/disk/one", 0o555, label="read only"),
        add("image", source("hello"), 5),
        call("glance_store.add", CONF, "image", source("hello"), 5, "one", label="old way"),
    ),
    multi("add-mode-640", add("image", source("hello"), 5), one={"filesystem_store_file_perm": "640"}),
    multi("add-mode-604", add("image", source("hello"), 5), one={"filesystem_store_file_perm": "604"}),
    multi("add-mode-666", add("image", source("hello"), 5), one={"filesystem_store_file_perm": "666"}),
    multi("add-mode-negative", add("image", source("hello"), 5), one={"filesystem_store_file_perm": "-1"}),
    multi("add-umask", call("worker.umask", 0o077, label="umask"), add("image", source("hello"), 5)),
    multi(
        "add-thin",
        add("zeros", source(zeros(200_000)), 200_000),
        add("mixed", source(random(65536), zeros(131_072), random(100)), 0),
        add("zeros last", source("x", zeros(300_000)), 0),
        add("zeros iterated", source(zeros(10_000), form="iter", pieces=[1000]), 0),
        add("too long", source(zeros(200_000)), 100),
        one={"filesystem_thin_provisioning": "true"},
    ),
    multi("add-small-pieces", add("image", source(random(5000), zeros(5000)), 10_000),
          one={"filesystem_store_chunk_size": "7", "filesystem_thin_provisioning": "true"}),
    multi(
        "add-metadata",
        call("worker.file", "{root}/mounts", ENTRIES.replace("{root}", "{root}"), label="put mounts"),
        call("worker.create", label="create now"),
        add("image", source("hello"), 5),
        call("glance_store.add", CONF, "old", source("hello"), 5, "one", label="old way"),
        one={"filesystem_store_metadata_file": "{root}/mounts"}, made=False,
    ),
    *(
        multi(
            f"add-metadata-{name}",
            call("worker.file", "{root}/mounts", content, label="put mounts"),
            call("worker.create", label="create now"),
            add("image", source("hello"), 5),
            one={"filesystem_store_metadata_file": "{root}/mounts"}, made=False,
        )
        for name, content in {
            "object": '{"id": "x", "mountpoint": "{root}/disk/one"}',
            "no-match": '{"id": "x", "mountpoint": "/elsewhere"}',
            "first-of-two": '[{"id": "wide", "mountpoint": "{root}"}, {"id": "narrow", "mountpoint": "{root}/disk/one"}]',
            "boundary": '[{"id": "text", "mountpoint": "{root}/disk/on"}]',
            "slash": '[{"id": "text", "mountpoint": "{root}/disk/"}]',
            "empty-mountpoint": '[{"id": "x", "mountpoint": ""}]',
            "empty-list": "[]",
            "nested": '{"id": "x", "mountpoint": "{root}", "share": {"a": ["b", {"c": "d"}]}}',
            "number": '{"id": "x", "mountpoint": "{root}", "port": 1}',
            "null": '{"id": "x", "mountpoint": "{root}", "port": null}',
            "no-id": '{"mountpoint": "{root}"}',
            "id-number": '{"id": 1, "mountpoint": "{root}"}',
            "no-mountpoint": '{"id": "x"}',
            "text": '"x"',
            "no-json": "{",
            "nothing": "",
        }.items()
    ),
    multi("add-metadata-missing", add("image", source("hello"), 5), one={"filesystem_store_metadata_file": "{root}/none"}),
    multi(
        "add-metadata-private",
        call("worker.file", "{root}/mounts", '{"id": "x", "mountpoint": "{root}"}', label="put mounts"),
        call("worker.create", label="create now"),
        add("image", source("hello"), 5, save="added"),
        call("worker.index", {"$": "saved", "name": "added"}, 4, save="metadata", label="metadata"),
        call("@metadata.update", {"store": "changed", "id": "changed"}, label="change it"),
        add("image2", source("hello"), 5),
        one={"filesystem_store_metadata_file": "{root}/mounts"}, made=False,
    ),
    single(
        "add-single",
        call("add_to_backend", CONF, "a", source("hello"), 5, label="add"),
        call("add_to_backend", CONF, "b", source("hello"), 5, "filesystem", label="by scheme"),
        call("add_to_backend", CONF, "c", source("hello"), 5, "nope", label="unknown scheme", look=["nope"]),
        call("add_to_backend", CONF, "d", source("hello"), 5, "http", label="to http"),
        call("add_to_backend_with_multihash", CONF, "e", source("hello"), 5, "sha512", label="with multihash"),
        call("add_to_backend_with_multihash", CONF, "f", source("hello"), 5, "nope", label="bad algorithm"),
        call("add_to_backend_with_multihash", CONF, "a", source("hello"), 5, "sha512", label="again"),
        call("add_to_backend", CONF, "g", source("hello"), 9, label="too short"),
        call("get_store_from_scheme", "file", save="store", label="store"),
        value("@store.FILESYSTEM_STORE_METADATA"),
    ),
]
# fmt: on
