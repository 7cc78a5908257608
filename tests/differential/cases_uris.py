"""Cases of the grammar of locations: file and http, both modes, with store objects and specs."""

from __future__ import annotations

from differential.script import CONF, Case, call, create, multi, single, value

FILE = [
    "file:///a/b", "filesystem:///a/b", "file://a/b", "file:////a//b", "file:///a%20b", "file:///a;b",
    "file:///a b", "file:///a/", "file:///", "file:// /a ", "file:///a  ", "file://", "file://  ",
    "file:///a/../b", "file:///a/./b", "file:///ä",
]  # fmt: skip
FILE_ODD = [
    "file:///a?b", "file:///a#b", "file:///a\nb", "file:/a", "FILE:///a", "file://[x/a", "fil:///a", "", "a/b",
    "/a", "http://h/p", "file",
]  # fmt: skip
HTTP = [
    "http://h/p?q", "http://h/p", "https://h/p", "http://u:s3cr3t@h/p", "http://u:@h/p", "http://h:/p", "http://[::1]/p",
    "http://[::1]:80/p", "http://h", "http://h/", "http://h:8080/p", "http://h/a%20b", "http://h/p#f", "http://h/p?",
    "http://H/P", "http://h//p", "http://h/p?q=1&r=a%2Fb",
]  # fmt: skip
HTTP_ODD = [
    "http://u@h/p", "http://u:p:s3cr3t@h/p", "http:///p", "http://h:x/p", "http://h:-1/p", "http://[::1]:x/p",
    "http://h:80:90/p", "http://h:99999/p", "http://h:0/p", "http://h/p;v=1?q=1#f", "HTTP://h/p", "http:/h/p", "http://[::1/p",
    "http://:80/p", "http://u:s3cr3t@h:x/p", "http://h:\uff11/p", "http://h h/p", "http://:s3cr3t@h/p", "http://",
    "http://a:b@c:s3cr3t@h/p",
]  # fmt: skip

WEB = {"type": "http"}


def parse(uris: list[str], backend: str | None) -> list[object]:
    """Parse each of them."""
    return [call("worker.parsed", uri, backend, label=uri) for uri in uris]


# fmt: off
CASES: list[Case] = [
    multi("uri-file", *parse(FILE, "one")),
    multi("uri-file-odd", *parse(FILE_ODD, "one")),
    multi("uri-http", *parse(HTTP, "web"), web=WEB),
    multi("uri-http-odd", *parse(HTTP_ODD, "web"), web=WEB),
    single("uri-single-file", *parse(FILE[:8], None)),
    single("uri-single-http", *parse(HTTP[:8], None), stores="file,http"),
    single(
        "uri-single-schemes",
        *parse(["fil:///a", "", "FILE:///a", "file:///a"], None),
        call("get_store_from_uri", "file:///a", label="store from file:///a"),
        call("get_store_from_uri", "http://h/a", label="store from http://h/a"),
        call("get_store_from_uri", "nope://h/a", label="store from nope://h/a"),
        call("get_store_from_location", "file:///a/b", label="scheme of file:///a/b"),
        call("get_store_from_location", "http://h/p", label="scheme of http://h/p"),
    ),
    multi(
        "uri-idents",
        call("worker.parsed", "file:///a", "two", label="other store"),
        call("worker.parsed", "file:///a", "nope", look=["nope"], label="unknown store"),
        call("worker.parsed", "file:///a", None, label="no store"),
        call("worker.parsed", "nope:///a", "one", look=["nope"], label="unknown scheme"),
        call("worker.parsed", "http://h/p", "one", label="scheme of another store"),
        call("worker.parsed", None, "one", label="None"),
        one={}, two={}, web=WEB,
    ),
    multi(
        "specs",
        call("worker.from_specs", "filesystem", {"path": "/a/b"}, label="file"),
        call("worker.from_specs", "filesystem", {"path": "/a/b", "scheme": "filesystem"}, label="filesystem"),
        call("worker.from_specs", "http", {"scheme": "http", "netloc": "h", "path": "/p"}, label="http"),
        call(
            "worker.from_specs", "http",
            {"scheme": "https", "netloc": "h:1", "path": "/p", "user": "u", "password": "p", "query": "q"},
            label="https in full",
        ),
        call("worker.from_specs", "http", {"scheme": "http"}, label="http without netloc"),
        call("worker.from_specs", "filesystem", {}, label="empty"),
    ),
    multi(
        "location-objects",
        call("worker.location", "file:///a/b", "one", save="found", label="found"),
        value("@found.store_name"),
        value("@found.backend_group"),
        value("@found.image_id"),
        value("@found.store_specs"),
        call("@found.get_store_uri", label="get_store_uri"),
        call("@found.get_uri", label="get_uri"),
        value("@found.store_location.backend_group"),
        value("@found.store_location.specs"),
        value("glance_store._drivers.filesystem.StoreLocation", "class"),
        call("location.Location", "file", "not called", CONF, label="class is no class"),
        call("location.StoreLocation", {}, CONF, save="base", label="base"),
        call("@base.get_uri", label="base.get_uri"),
        call("@base.parse_uri", "x", label="base.parse_uri"),
        call("@base.process_specs", label="base.process_specs"),
        call("location.StoreLocation.validate_schemas", "a://b", ["a://"], label="schema right"),
        call("location.StoreLocation.validate_schemas", "A://b", ["a://"], look=["a://", "A://b"], label="schema wrong"),
        call("location.StoreLocation.validate_schemas", "b://b", ["a://", "c://"], look=["a://", "c://"], label="schemas"),
    ),
    Case("nothing-made", [
        call("worker.parsed", "file:///a", None, label="parse"),
        call("get_known_schemes", label="schemes"),
        call("get_known_schemes_for_multi_store", label="multi schemes"),
        call("get_from_backend", "file:///a", label="get"),
        call("get_store_from_scheme", "file", label="store"),
    ]),
    Case("made-twice", [create(), call("worker.create", label="again"), call("get_known_schemes", label="schemes")],
         {"glance_store": {"filesystem_store_datadir": "{root}/disk/a"}}),
]
# fmt: on
