"""Cases of the package itself: names, stores and idents, metadata checks, old call forms, capabilities, exceptions."""

from __future__ import annotations

import dataclasses

from differential.script import (
    CONF,
    Case,
    call,
    create,
    multi,
    saved,
    single,
    source,
    value,
    verifier,
)

WEB = {"type": "http"}
#: Every exception with the fields of its template; the value of a field is the name of the field.
EXCEPTIONS: dict[str, str] = {
    "BackendException": "", "UnsupportedBackend": "", "MissingCredentialError": "required", "BadAuthStrategy": "expected received",
    "AuthorizationRedirect": "uri", "NotFound": "image", "UnknownHashingAlgo": "algo", "UnknownScheme": "scheme",
    "BadStoreUri": "uri", "Duplicate": "image", "StorageFull": "", "StorageWriteDenied": "", "AuthBadRequest": "url",
    "AuthUrlNotFound": "url", "AuthorizationFailure": "", "NotAuthenticated": "", "Forbidden": "", "Invalid": "",
    "BadStoreConfiguration": "store_name reason", "DriverLoadFailure": "driver_name", "StoreDeleteNotSupported": "",
    "StoreGetNotSupported": "", "StoreAddDisabled": "", "StoreRandomGetNotSupported": "offset chunk_size",
    "MaxRedirectsExceeded": "redirects", "NoServiceEndpoint": "", "RegionAmbiguity": "region", "RemoteServiceUnavailable": "",
    "HasSnapshot": "", "InUseByStore": "", "HostNotInitialized": "host", "TimeoutError": "timeout", "GlanceStoreException": "",
}  # fmt: skip


def raised(name: str, fields: list[str]) -> list[object]:
    """Raise it bare, with its fields, with a text, and with a text that cannot be formatted."""
    given: dict[str, object] = {each: 4711 if each == "timeout" else f"<{each}>" for each in fields}
    look = [str(each) for each in given.values()]
    return [
        call("worker.raised", name, {}, label=f"{name} bare"),
        call("worker.raised", name, given, look=look, label=f"{name} with fields"),
        call("worker.raised", name, {"message": "%(a)s and %(b)s", "a": "A", "b": "B"}, look=["A and B"], label=f"{name} with a text"),
        call("worker.raised", name, {"message": "%(nope)s", "a": "A"}, look=["%(nope)s"], label=f"{name} with a bad text"),
    ]  # fmt: skip


NAMES = [
    "register_store_opts", "create_multi_stores", "verify_store", "get_store_weight", "get_store_from_store_identifier", "add",
    "add_with_multihash", "delete", "get", "set_acls_for_multi_store", "get_known_schemes_for_multi_store",
    "get_size_from_uri_and_backend", "register_opts", "create_stores", "verify_default_store", "get_known_schemes",
    "get_store_from_scheme", "get_store_from_uri", "get_from_backend", "get_size_from_backend", "delete_from_backend",
    "get_store_from_location", "add_to_backend", "add_to_backend_with_multihash", "set_acls", "Indexable",
    "check_location_metadata", "store_add_to_backend", "store_add_to_backend_with_multihash", "Store", "back_compat_add",
    "BackendGroupConfiguration", "SHARED_CONF_GROUP", "driver.Store", "driver.back_compat_add", "backend.Indexable", "backend._load_store",
    "multi_backend.add", "capabilities.check", "capabilities.BitMasks", "location.Location", "i18n._", "common.utils.get_hasher",
    "multi_backend._RESERVED_STORES", "location.SCHEME_TO_CLS_MAP", "location.SCHEME_TO_CLS_BACKEND_MAP",
]  # fmt: skip
METADATA: dict[str, object] = {
    "empty": {}, "text": "x", "list": ["a", {"b": ["c"]}], "nested": {"a": {"b": ["c", {"d": "e"}]}}, "number": {"a": 1},
    "none": {"a": None}, "bool": {"a": {"b": True}}, "deep": {"a": {"b": ["c", 5]}}, "deeper": {"k": [["x", 1]]},
    "top number": 5, "top none": None, "top tuple": {"$": "tuple", "items": ["a"]}, "bytes": {"a": {"$": "bytes", "text": "b"}},
}  # fmt: skip


def old(label: str, *args: object, **kwargs: object) -> object:
    """Call ``add`` of the store itself."""
    return call("@store.add", label, source("hello"), *args, label=label, **kwargs)


def keywords(**kwargs: object) -> dict[str, object]:
    """Give the three values by keyword."""
    return {"image_id": "k", "image_file": source("hello"), "image_size": 5, **kwargs}


FORMS = [
    call("worker.store", "one", save="store", label="store"),
    old("three", 5),
    old("algorithm", 5, "sha256"),
    old("algorithm and context", 5, "sha256", {"a": 1}),
    old("all six", 5, "sha256", {"a": 1}, verifier()),
    old("algorithm by keyword", 5, hashing_algo="sha256"),
    old("all by position and keyword", 5, hashing_algo="sha256", context=None, verifier=verifier()),
    old("context", 5, {"a": 1}),
    old("context and verifier", 5, {"a": 1}, verifier()),
    old("context by keyword", 5, context={"a": 1}),
    old("verifier by keyword", 5, verifier=verifier()),
    old("context and verifier by keyword", 5, context={"a": 1}, verifier=verifier()),
    old("no algorithm, by position", 5, None, {"a": 1}),
    old("no algorithm, context, verifier", 5, None, {"a": 1}, verifier()),
    old("no context", 5, None),
    old("text as context", 5, "a context"),
    old("bad algorithm", 5, hashing_algo="nope"),
    old("two values"),
    old("unknown keyword", 5, nope=1),
    old("seven values", 5, "sha256", None, None, "more"),
    call("@store.add", label="keywords", **keywords()),
    call(
        "@store.add",
        label="keywords and algorithm",
        **keywords(image_id="k2", hashing_algo="sha256"),
    ),
    call(
        "@store.add", label="keywords and verifier", **keywords(image_id="k3", verifier=verifier())
    ),
    call("@store.add", label="keywords too few", image_id="x"),
]
BITS = ["NONE", "READ_ACCESS", "READ_OFFSET", "READ_CHUNK", "READ_RANDOM", "WRITE_ACCESS", "WRITE_OFFSET", "WRITE_CHUNK",
        "WRITE_RANDOM", "RW_ACCESS", "RW_OFFSET", "RW_CHUNK", "RW_RANDOM", "DRIVER_REUSABLE", "ALL"]  # fmt: skip

BASE_CALLS: dict[str, list[object]] = {
    "get": ["x"], "add": ["x", "y", 0, "md5"], "delete": ["x"], "get_size": ["x"], "set_acls": ["x"], "get_schemes": [],
    "configure": [], "configure_add": [], "update_capabilities": [],
}  # fmt: skip

# fmt: off
CASES: list[Case] = [
    Case("names", [value("glance_store." + name, name) for name in NAMES]),
    Case("masks", [value(f"glance_store.capabilities.BitMasks.{name}", name) for name in BITS]),
    Case("exceptions", [step for name, fields in EXCEPTIONS.items() for step in raised(name, fields.split())]),
    Case("redirect-exception", [call("exceptions.RedirectException", "http://h/p", save="error", label="make"),
                                value("@error.url.netloc", "netloc"), value("@error.args", "args")]),
    multi("metadata", *(call("check_location_metadata", each, label=name, look=["b", "a", "k[0][1]"]) for name, each in METADATA.items())),
    multi(
        "hashers",
        *(call("worker.hashed", name, label=name) for name in ("md5", "sha256", "sha512", "nope", "")),
        call("common.utils.is_uuid_like", "0a1b2c3d-0000-4000-8000-000000000000", label="uuid"),
        call("common.utils.is_uuid_like", "0A1B2C3D-0000-4000-8000-000000000000", label="uuid in capitals"),
        call("common.utils.is_uuid_like", "nope", label="no uuid"),
        call("common.utils.is_uuid_like", 5, label="number"),
    ),
    multi("forms", *FORMS),
    single("forms-single", call("get_store_from_scheme", "file", save="store", label="store"), *FORMS[1:]),
    multi(
        "idents",
        *(call(verb, ident, label=f"{verb} {ident}", look=[ident] if ident else [])
          for verb in ("get_store_from_store_identifier", "get_store_weight") for ident in ("one", "two", "web", "nope", None)),
        call("verify_store", label="verify"),
        call("get_known_schemes", label="schemes of single"),
        call("get_known_schemes_for_multi_store", label="schemes of multi"),
        call("worker.same", label="the same object twice"),
        one={"weight": "5"}, two={"weight": "-1", "store_description": "words"}, web=WEB,
    ),
    multi("default-unset", call("verify_store", label="verify"), call("add", CONF, "x", source("x"), 1, None, label="add"),
          one={}, glance_store={}),
    multi("default-unknown", call("verify_store", label="verify"), call("add", CONF, "x", source("x"), 1, None, label="add"),
          one={}, glance_store={"default_backend": "nope"}),
    multi("default-disabled", call("verify_store", label="verify"), call("add", CONF, "x", source("x"), 1, None, label="add"),
          one={"filesystem_store_datadir": ""}),
    multi("driver-unknown", call("verify_store", label="verify"), call("worker.store", "one", label="one"),
          call("worker.store", "odd", label="odd"), call("get_store_weight", "odd", label="weight"), one={}, odd={"type": "nope"}),
    multi("driver-broken", call("verify_store", label="verify"), call("worker.store", "two", label="two"),
          call("worker.store", "bad", label="bad"), one={}, bad={"filesystem_store_file_perm": "888"}, two={}),
    multi("driver-alias", call("worker.store", "one", label="one"),
          call("add", CONF, "x", source("x"), 1, "one", save="added", label="add"), call("get", saved("added", 0), "one", read="all", label="get"),
          one={"type": "glance.store.filesystem.Store", "filesystem_store_datadir": "{root}/disk/one"}),
    dataclasses.replace(multi("nothing-enabled", call("verify_store", label="verify")), enabled={}),
    dataclasses.replace(
        multi(
            "reserved",
            call("worker.store", "os_glance_staging_store", save="staging", label="staging"),
            value("@staging.datadir", "staging directory"),
            value("@staging.url_prefix", "staging prefix"),
            call("add", CONF, "image", source("hello"), 5, "os_glance_staging_store", save="staged", label="stage"),
            call("get", saved("staged", 0), "os_glance_staging_store", read="all", label="get"),
            call("get_size_from_uri_and_backend", saved("staged", 0), "os_glance_staging_store", label="size"),
            call("delete", saved("staged", 0), "os_glance_staging_store", label="delete"),
            call("get_store_weight", "os_glance_staging_store", label="weight"),
            value("glance_store.multi_backend._RESERVED_STORES", "reserved"),
            call("verify_store", label="verify"),
            call("add", CONF, "image", source("hello"), 5, "os_glance_tasks_store", save="task", label="task"),
            call("delete", saved("task", 0), None, label="delete without a store"),
            one={},
            os_glance_staging_store={"filesystem_store_datadir": "{root}/disk/staging"},
            os_glance_tasks_store={"filesystem_store_datadir": "{root}/disk/tasks"},
        ),
        enabled={"one": "file"},
        reserved={"os_glance_staging_store": "file", "os_glance_tasks_store": "file"},
    ),
    multi(
        "acls",
        call("set_acls_for_multi_store", "file:///a", "one", public=True, label="file"),
        call("set_acls_for_multi_store", "file:///a", "nope", public=True, label="unknown store"),
        call("set_acls_for_multi_store", "nope://a", "one", label="unknown scheme"),
    ),
    single("single-core", call("verify_default_store", label="verify"), call("get_known_schemes", label="schemes"),
           call("set_acls", "file:///a", public=True, label="acls"), call("set_acls", "nope:///a", public=True, label="acls of nothing"),
           call("get_store_from_scheme", "nope", label="unknown scheme", look=["nope"]),
           call("get_store_from_scheme", "filesystem", label="other scheme")),
    single("single-default", call("verify_default_store", label="verify"), stores="file,http", default_store="https"),
    single("single-default-missing", call("verify_default_store", label="verify"), stores="file", default_store="http"),
    single("single-default-odd", call("verify_default_store", label="verify"), stores="file", default_store="nope"),
    single("single-stores-unknown", call("verify_default_store", label="verify"), stores="nope,file"),
    single("single-stores-twice", call("get_known_schemes", label="schemes"), stores="file,file,http"),
    multi(
        "capabilities",
        call("worker.store", "one", save="store", label="store"),
        *(call("@store.is_capable", *bits, label=f"capable {bits}") for bits in ((), (1,), (7,), (8,), (63,), (64,), (1, 8))),
        call("@store.contains", 7, 3, label="contains"),
        call("@store.unset_capabilities", 8, label="unset"),
        value("@store.capabilities", "without 8"),
        call("add", CONF, "x", source("x"), 1, "one", label="add"),
        call("delete", "file://{root}/disk/one/x", "one", label="delete"),
        call("@store.set_capabilities", 8, label="set"),
        call("@store.unset_capabilities", 1, label="unset read"),
        call("get", "file://{root}/disk/one/x", "one", label="get"),
        call("get", "file://{root}/disk/one/x", "one", offset=1, label="get a range", look=["1"]),
        call("get_size_from_uri_and_backend", "file://{root}/disk/one/x", "one", label="size"),
        call("@store.set_capabilities", 1, label="set read"),
        call("@store.unset_capabilities", 2, label="unset offset"),
        call("get", "file://{root}/disk/one/x", "one", offset=1, label="get from", look=["1"]),
        call("get", "file://{root}/disk/one/x", "one", chunk_size=1, label="get length", look=["1"]),
    ),
    multi(
        "base-store",
        call("Store", CONF, save="base", label="make"),
        *(call(f"@base.{verb}", *args, label=verb) for verb, args in BASE_CALLS.items()),
        *(value(f"@base.{name}", name) for name in ("capabilities", "weight", "url_prefix", "backend_group", "READ_CHUNKSIZE",
                                                    "WRITE_CHUNKSIZE", "OPTIONS", "store_location_class")),
    ),
    Case("options", [create(), call("worker.options", "backend._list_opts", label="single"),
                     call("worker.options", "multi_backend._list_config_opts", label="multi")],
         {"glance_store": {"filesystem_store_datadir": "{root}/disk/x"}}),
    multi("view", call("BackendGroupConfiguration", [], config_group="one", conf=CONF, save="view", label="make"),
          value("@view.config_group", "group"), call("@view.get", "nope", 5, label="get unknown"), value("@view.nope", "unknown")),
]
# fmt: on
