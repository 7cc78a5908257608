"""One measured piece of work on Swift: ``python swift_work.py NAME '{...}'``, through the glance_store of this interpreter or by swiftclient.

Prints one JSON object, as ``work.py`` does, with the CPU seconds of this process; ``idle`` is the memory with the store
made.  ``failed`` is the class of what went wrong, where a release may fail.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

from glance_work import Stream
from resident import peak

ALGORITHM = "sha512"
PIECE = 1 << 20


def made(place: dict[str, Any]) -> Any:
    """Make one swift store, and use it once: as a service has it that runs for a while."""
    import glance_store
    from oslo_config import cfg

    stem = os.path.join(place["directory"], f"service-{os.getpid()}")
    with open(f"{stem}-accounts.conf", "w", encoding="utf-8") as file:
        file.write(
            f"[ref1]\nauth_address = {place['auth']}\n"
            f"user = {place['project']}:{place['user']}\nkey = {place['password']}\n"
        )
    path = f"{stem}.conf"
    with open(path, "w", encoding="utf-8") as file:
        file.write(
            "[DEFAULT]\nenabled_backends = one:swift\n[glance_store]\ndefault_backend = one\n[one]\n"
            f"swift_store_config_file = {stem}-accounts.conf\ndefault_swift_reference = ref1\n"
            f"swift_store_container = {place['container']}\nswift_store_create_container_on_put = true\n"
            "swift_store_large_object_size = 32\nswift_store_large_object_chunk_size = 32\n"
        )
        if place["endpoint"]:
            file.write(f"swift_store_endpoint = {place['endpoint']}\n")
    cfg.CONF.register_opts([cfg.DictOpt("enabled_backends")])
    cfg.CONF(args=[], project="bench", default_config_files=[path], default_config_dirs=[])
    glance_store.register_store_opts(cfg.CONF)
    glance_store.create_multi_stores(cfg.CONF)
    os.unlink(path)
    with contextlib.suppress(Exception):  # it is not there
        glance_store.get_size_from_uri_and_backend(url_of(place, "missing"), "one")
    return glance_store


def url_of(place: dict[str, Any], name: str) -> str:
    """Give a location of an image, which both take."""
    return f"swift+config://ref1/{place['container']}/{name}"


def add_one(store: Any, name: str, source: Any, size: int) -> None:
    """Add an image as Glance does."""
    from oslo_config import cfg

    store.add_with_multihash(cfg.CONF, name, source, size, "one", ALGORITHM)


def add(store: Any, _: dict[str, Any], name: str, path: str, known: bool) -> dict[str, Any]:
    """Add one big image from a file; release 5.7.0 fails where the size is known, and not a multiple of a segment's."""
    with open(path, "rb") as source:
        try:
            add_one(store, name, source, os.path.getsize(path) if known else 0)
        except Exception as error:
            return {"failed": type(error).__name__}
    return {}


def add_stream(store: Any, _: dict[str, Any], name: str, size: int) -> None:
    """Add a stream of unknown length."""
    add_one(store, name, Stream(size), 0)


def get(store: Any, place: dict[str, Any], name: str) -> None:
    """Get one big image, and drop it."""
    data, size = store.get(url_of(place, name), "one")
    assert sum(map(len, data)) == size


def small(store: Any, place: dict[str, Any], verb: str, count: int, size: int = 64 << 10) -> None:
    """Do one thing with small images, one after the other."""
    data = os.urandom(size)
    for number in range(count):
        if verb == "add":
            add_one(store, f"small-{number}", io.BytesIO(data), size)
            continue
        url = url_of(place, f"small-{number}")
        if verb == "get":
            for _ in store.get(url, "one")[0]:
                pass
        elif verb == "size":
            assert store.get_size_from_uri_and_backend(url, "one") == size
        else:
            store.delete(url, "one")


def lookup(store: Any, _: dict[str, Any], count: int) -> None:
    """Look the store up by its name."""
    find = store.get_store_from_store_identifier
    for _each in range(count):
        find("one")


# -- what swiftclient does by itself ---------------------------------------------------------------


def client(place: dict[str, Any]) -> Any:
    """Make a connection as one writes it, logged in."""
    from keystoneauth1.identity import v3
    from keystoneauth1.session import Session
    from swiftclient.client import Connection

    auth = v3.Password(
        place["auth"],
        username=place["user"],
        password=place["password"],
        project_name=place["project"],
        user_domain_id="default",
        project_domain_id="default",
    )
    session = Session(auth)
    url = place["endpoint"] or session.get_endpoint(service_type="object-store")
    return Connection(preauthurl=url, preauthtoken=session.get_token(), retries=0)


def raw_upload(raw: Any, place: dict[str, Any], name: str, path: str) -> None:
    """Send a file as one object: no digest of it is made."""
    with open(path, "rb") as source:
        size = os.path.getsize(path)
        raw.put_object(place["container"], name, source, size, chunk_size=PIECE)


def raw_download(raw: Any, place: dict[str, Any], name: str) -> None:
    """Get an image in one stream, and drop it."""
    for _ in raw.get_object(place["container"], name, resp_chunk_size=PIECE)[1]:
        pass


def clean(raw: Any, place: dict[str, Any]) -> None:
    """Remove all, so that the disk below the server does not fill up."""
    for each in raw.get_container(place["container"], full_listing=True)[1]:
        raw.delete_object(place["container"], each["name"])


def make_container(raw: Any, place: dict[str, Any]) -> dict[str, Any]:
    """Make the container, and say where it is."""
    raw.put_container(place["container"])
    return {"endpoint": raw.url}


def remove_container(raw: Any, place: dict[str, Any]) -> None:
    """Remove the container and all that is in it."""
    clean(raw, place)
    raw.delete_container(place["container"])


OURS: dict[str, Callable[..., Any]] = {
    each.__name__: each for each in (add, add_stream, get, small, lookup)
}
RAW: dict[str, Callable[..., Any]] = {
    each.__name__: each
    for each in (raw_upload, raw_download, clean, make_container, remove_container)
}


def usage() -> resource.struct_rusage:
    """Give what this process has used so far."""
    return resource.getrusage(resource.RUSAGE_SELF)


def main() -> None:
    """Do one piece of work and say what it took."""
    name, arguments = sys.argv[1], json.loads(sys.argv[2])
    place = arguments.pop("place")
    tool = made(place) if name in OURS else client(place)
    idle, before = peak(), usage()
    started = time.perf_counter()
    told = (OURS | RAW)[name](tool, place, **arguments)
    seconds = time.perf_counter() - started
    after = usage()
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    report: dict[str, Any] = {
        "seconds": seconds,
        "idle": idle,
        "peak": peak(),
        "cpu": cpu,
    }
    print(json.dumps(report | (told or {})))


if __name__ == "__main__":
    main()
