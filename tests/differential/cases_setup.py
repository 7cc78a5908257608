"""Cases of configuring file stores: directories and priorities, modes, refused settings, attributes, default stores."""

from __future__ import annotations

from differential.script import CONF, Case, call, create, multi, random, single, source, value

ONE = "{root}/disk/one"
BOTH = ["{root}/disk/a:10", "{root}/disk/b:20"]
NO_DIR = {"filesystem_store_datadir": ""}


def use(backend: str = "one") -> list[object]:
    """Add, and look at what the store is: what a failed configuration leaves of it."""
    return [
        call("add", CONF, "image", source("hello"), 5, backend, save="image", label="add"),
        call("worker.store", backend, save="store", label="store"),
        value("@store.datadir", "datadir"),
        value("@store.url_prefix", "url_prefix"),
        value("@store.capabilities", "capabilities"),
    ]


def kept() -> list[object]:
    """Read and delete a file that lies where the store had it."""
    return [
        call("worker.folder", ONE, label="folder"),
        call("worker.file", ONE + "/old", "old", label="put old"),
        call("get", "file://" + ONE + "/old", "one", read="all", label="get old"),
        call("delete", "file://" + ONE + "/old", "one", label="delete old"),
    ]


def dirs(name: str, *entries: str, more: dict[str, object] | None = None) -> Case:
    """Make a case of several directories; the one directory is blanked, which release 5.7.0 needs."""
    store = {"filesystem_store_datadirs": list(entries), **NO_DIR, **(more or {})}
    return multi(
        "dirs-" + name,
        *use(),
        value("@store.multiple_datadirs", "multiple"),
        value("@store.priority_list", "priority list"),
        value("@store.priority_data_map", "priority map"),
        one=store,
    )


# fmt: off
CASES: list[Case] = [
    multi("setup-nested", *use(), one={"filesystem_store_datadir": ONE + "/deep/er"}),
    multi("setup-slash", *use(), one={"filesystem_store_datadir": ONE + "/"}),
    multi("setup-double-slash", *use(), one={"filesystem_store_datadir": "{root}/disk//one"}),
    multi("setup-none", *use(), one=NO_DIR),
    multi("setup-both", *use(), *kept(), one={"filesystem_store_datadir": ONE, "filesystem_store_datadirs": BOTH}),
    multi("setup-only-dirs", *use(), one={"filesystem_store_datadirs": BOTH}),
    multi("setup-mode-288", *use(), *kept(), one={"filesystem_store_datadir": ONE, "filesystem_store_file_perm": "288"}),
    multi("setup-mode-200", *use(), *kept(), one={"filesystem_store_datadir": ONE, "filesystem_store_file_perm": "200"}),
    multi("setup-mode-744", *use(), one={"filesystem_store_datadir": ONE, "filesystem_store_file_perm": "744"}),
    *(
        multi(f"setup-folder-{folder:o}-mode-{mode}", call("worker.folder", ONE, folder, label="folder"), create(), *use(),
              one={"filesystem_store_datadir": ONE, "filesystem_store_file_perm": mode}, made=False)
        for folder, mode in ((0o700, "744"), (0o700, "600"), (0o700, "640"), (0o711, "604"))
    ),
    multi("setup-folder-read-only", call("worker.folder", ONE, 0o555, label="folder"), create(), *use(), made=False),
    multi("setup-folder-in-read-only", call("worker.folder", "{root}/disk/closed", 0o555, label="folder"), create(), *use(),
          one={"filesystem_store_datadir": "{root}/disk/closed/one"}, made=False),
    multi("setup-file", call("worker.file", ONE, "a file", label="put file"), create(), *use(), made=False),
    multi("setup-below-file", call("worker.file", "{root}/disk/f", "a file", label="put file"), create(), *use(), made=False,
          one={"filesystem_store_datadir": "{root}/disk/f/one"}),
    dirs("two", *BOTH),
    dirs("no-priority", "{root}/disk/a"),
    dirs("empty-priority", "{root}/disk/a:"),
    dirs("blanks", " {root}/disk/a : 3 ", "{root}/disk/b : -1"),
    dirs("signs", "{root}/disk/a:+3", "{root}/disk/b:1_0"),
    dirs("hexadecimal", "{root}/disk/a:0x1"),
    dirs("fraction", "{root}/disk/a:1.5"),
    dirs("words", "{root}/disk/a:high"),
    dirs("colon", "{root}/disk/a:b:7"),
    dirs("no-path", ":5"),
    dirs("twice", "{root}/disk/a:5", "{root}/disk/a:5"),
    dirs("twice-differently", "{root}/disk/a:5", "{root}/disk/a:6"),
    dirs("twice-by-slash", "{root}/disk/a:5", "{root}/disk/a/:5"),
    dirs("mode", *BOTH, more={"filesystem_store_file_perm": "640"}),
    multi(
        "dirs-work",
        call("add", CONF, "image", source("hello"), 5, "one", save="image", label="add"),
        call("add", CONF, "image", source("hello"), 5, "one", label="again"),
        call("worker.file", "{root}/disk/a/other", "other", label="put in the other directory"),
        call("add", CONF, "other", source("hello"), 5, "one", label="add what the other directory has"),
        call("get", "file://{root}/disk/a/other", "one", read="all", label="get from the other directory"),
        call("get_size_from_uri_and_backend", "file://{root}/disk/a/other", "one", label="size in the other directory"),
        call("delete", "file://{root}/disk/a/other", "one", label="delete from the other directory"),
        call("add", CONF, "huge", source(random(3 << 20)), 10**18, "one", label="more than there is"),
        one={"filesystem_store_datadirs": BOTH, **NO_DIR},
    ),
    multi("setup-huge", call("add", CONF, "huge", source(random(3 << 20)), 10**18, "one", label="more than there is")),
    multi("setup-attributes", call("worker.store", "one", save="store", label="store"),
          *(value("@store." + name, name) for name in (
              "chunk_size", "thin_provisioning", "READ_CHUNKSIZE", "WRITE_CHUNKSIZE", "multiple_datadirs", "backend_group",
              "weight", "FILESYSTEM_STORE_METADATA", "store_location_class", "add.__name__", "get.__name__", "delete.__name__",
              "store_conf.filesystem_store_chunk_size", "store_conf.filesystem_thin_provisioning", "timeout_executor.timeout",
              "timeout_executor.pool_size", "timeout_executor.threshold")),
          one={"filesystem_store_datadir": ONE, "filesystem_store_chunk_size": "4096", "filesystem_thin_provisioning": "true",
               "weight": "7", "filesystem_store_timeout": "5"}),
    multi("setup-shared", call("worker.store", "one", save="store", label="store"), value("@store.chunk_size"),
          call("worker.store", "two", save="other", label="other"), value("@other.chunk_size"), value("@other.thin_provisioning"),
          one={"filesystem_store_datadir": ONE, "filesystem_store_chunk_size": "4096"}, two={},
          backend_defaults={"filesystem_store_chunk_size": "8192", "filesystem_thin_provisioning": "true"}),
    multi("setup-zero-chunk", create(), *use(), made=False,
          one={"filesystem_store_datadir": ONE, "filesystem_store_chunk_size": "0"}),
    multi("setup-two-in-one", *use(), call("add", CONF, "image", source("hello"), 5, "two", label="add to the second"),
          call("delete", "file://{root}/disk/x/image", "two", label="delete from the second"),
          one={"filesystem_store_datadir": "{root}/disk/x"}, two={"filesystem_store_datadir": "{root}/disk/x"}),
    multi("timeouts", *use(), call("get", "file://" + ONE + "/image", "one", read="all", label="get"),
          call("delete", "file://" + ONE + "/image", "one", label="delete"),
          call("delete", "file://" + ONE + "/image", "one", label="again"),
          one={"filesystem_store_datadir": ONE, "filesystem_store_timeout": "20"}),
    single("single-setup", call("get_store_from_scheme", "file", save="store", label="store"),
           *(value("@store." + name, name) for name in ("datadir", "url_prefix", "weight", "backend_group", "capabilities"))),
    single("single-both", call("add_to_backend", CONF, "a", source("hello"), 5, label="add"),
           filesystem_store_datadir="{root}/disk/images", filesystem_store_datadirs=BOTH),
    Case("private-store", [
        call("worker.private", "{root}/disk/staging", save="store", label="make"),
        call("@store.configure", label="configure"),
        call("@store.add", "image", source("hello"), 5, save="image", label="add"),
        call("@store.add", "image2", source("hello"), 5, context=None, label="add with context"),
        call("@store.add", "image3", source("hello"), 0, label="add of unknown size"),
        call("@store.add", "image", source("hello"), 5, label="again"),
        call("worker.private", "{root}/disk/other", name="nope", label="unknown driver"),
    ]),
]
# fmt: on
