"""Cases of http stores: redirects, statuses, lengths, refusals, what the text of errors holds."""

from __future__ import annotations

from differential.script import CONF, Case, call, data, multi, saved, single, source, value

WEB = {"type": "http"}
BASE = "http://{http}"


def both(uri: str, backend: str | None = "web") -> list[object]:
    """Get it and ask for its size."""
    place = BASE + uri if uri.startswith("/") else uri
    return [
        call("get", place, backend, read="all", label=f"get {uri}"),
        call("get_size_from_uri_and_backend", place, backend, label=f"size {uri}"),
    ]


def each(*uris: str) -> list[object]:
    """Do so for each of them."""
    return [step for uri in uris for step in both(uri)]


# fmt: off
CASES: list[Case] = [
    multi("http", *each("/image", "/empty", "/nolength", "/query/a%20b?q=1&r=%2F", "/query/x;v=1?q=2", "/query/x?#f",
                        "/query", "/query/a//b", "/missing", "/part", "/nohead"), web=WEB),
    multi("http-lengths", *each("/badlength", "/cut", "/gzip"), web=WEB),
    multi("http-statuses", *each(*(f"/status/{status}" for status in
                                   (201, 204, 205, 400, 401, 403, 404, 405, 410, 416, 429, 500, 502, 503))), web=WEB),
    multi("http-no-location", *each(*(f"/status/{status}" for status in (300, 301, 302, 303, 304, 307, 308))), web=WEB),
    multi("http-redirects", *each(*(f"/redirect/{status}/1" for status in (300, 301, 302, 303, 307, 308)),
                                  *(f"/redirect/302/{count}" for count in (2, 3, 4, 5, 6, 9)), "/redirect/301/4"), web=WEB),
    multi("http-targets", *each("/to?/image", "/to?//HOST/image", "/to?http://HOST/image", "/to?HTTP://HOST/image",
                                "/to?ftp://HOST/image", "/to?file:///etc/hostname", "/to?image", "/to?http://HOST/missing",
                                "/to?http://{refused}/x", "/to?", "/to?http:///x"), web=WEB),
    multi("http-access", *each("http://user:s3cr3t@{http}/auth", "http://user:wrong@{http}/auth", "/auth"), web=WEB),
    multi("http-refused", *each("http://{refused}/x", "http://user:s3cr3t@{refused}/x", "http://{refused}/x?token=s3cr3t",
                                "http://user:s3cr3t@{http}/missing", "/status/500?token=s3cr3t",
                                "http://{http}:80:90/x", "http://127.0.0.1:99999/x", "http://h h/x"), web=WEB),
    multi(
        "http-verbs",
        call("add_with_multihash", CONF, "image", source("hello"), 5, "web", "md5", label="add", consumed=True),
        call("add", CONF, "image", source("hello"), 5, "web", label="add the old way"),
        call("delete", BASE + "/image", "web", label="delete"),
        call("get", BASE + "/image", "web", offset=5, label="offset"),
        call("get", BASE + "/image", "web", chunk_size=5, label="length"),
        call("get", BASE + "/image", "web", offset=5, chunk_size=7, label="range"),
        call("get", BASE + "/image", "web", offset=0, chunk_size=None, read="all", label="no range"),
        call("set_acls_for_multi_store", BASE + "/image", "web", public=True, label="acls"),
        call("worker.store", "web", save="store", label="store"),
        *(value("@store." + name, name) for name in ("capabilities", "url_prefix", "READ_CHUNKSIZE", "weight", "backend_group",
                                                     "add.__name__", "get.__name__", "delete.__name__")),
        value("glance_store._drivers.http.MAX_REDIRECTS", "MAX_REDIRECTS"),
        web={"weight": "3", **WEB},
    ),
    multi(
        "http-pieces",
        call("worker.store", "web", save="store", label="store"),
        call("worker.set", "@store.READ_CHUNKSIZE", 1000, label="small pieces"),
        call("get", BASE + "/image", "web", save="got", label="get"),
        call("worker.index", saved("got"), 0, save="data", label="data"),
        call("@data.__len__", label="length"),
        call("@data.__getitem__", {"$": "slice", "items": [0, None]}, label="first"),
        call("@data.__getitem__", {"$": "slice", "items": [1000, None]}, label="second"),
        call("@data.__getitem__", 2000, label="third, by index"),
        call("get", BASE + "/image", "web", read="first", label="abandon"),
        call("get", BASE + "/image", "web", read="all", label="whole"),
        web=WEB,
    ),
    multi("http-cookies", call("get", BASE + "/cookie", "web", read="all", label="first"),
          call("get", BASE + "/cookie", "web", read="all", label="second"), web=WEB),
    multi("http-proxy", *each("/image"), web={"http_proxy_information": "http:{refused}", **WEB}),
    multi("http-two", *both("/image"), *both("/image", "mirror"), *both("/image", None),
          call("worker.store", "mirror", save="store", label="store"), value("@store.url_prefix"), web=WEB, mirror=WEB),
    multi("http-and-files", call("get", BASE + "/image", None, read="all", label="get"),
          call("get", BASE + "/nolength", None, read="all", label="get without length"),
          call("get", BASE + "/missing", None, read="all", label="get missing"),
          call("get", BASE + "/status/500", None, read="all", label="get broken"),
          call("delete", BASE + "/image", None, label="delete"), one={}, web=WEB),
    single(
        "http-single",
        call("get_from_backend", BASE + "/image", read="all", label="get"),
        call("get_from_backend", BASE + "/image", offset=4, read="all", label="get a range"),
        call("get_size_from_backend", BASE + "/image", label="size"),
        call("delete_from_backend", BASE + "/image", label="delete"),
        call("add_to_backend", CONF, "x", data("x"), 1, "http", label="add"),
        call("set_acls", BASE + "/image", public=True, label="acls"),
        call("get_store_from_scheme", "https", save="store", label="store"),
        value("@store.url_prefix"),
        stores="file,http",
    ),
]
# fmt: on
