"""One measured piece of work on S3: ``python s3_work.py NAME '{...}'``, through the glance_store of this interpreter or through boto3.

Prints one JSON object, as ``work.py`` does, with the CPU seconds of this process; ``idle`` is the memory with the store made.
"""

from __future__ import annotations

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
THREADS = 10


def made(place: dict[str, str]) -> Any:
    """Make one s3 store, as Glance does at its start."""
    import glance_store
    from oslo_config import cfg

    path = os.path.join(place["directory"], f"service-{os.getpid()}.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write(
            "[DEFAULT]\nenabled_backends = one:s3\n[glance_store]\ndefault_backend = one\n[one]\n"
            f"s3_store_host = {place['endpoint']}\ns3_store_access_key = {place['access']}\n"
            f"s3_store_secret_key = {place['secret']}\ns3_store_bucket = {place['bucket']}\n"
        )
    cfg.CONF.register_opts([cfg.DictOpt("enabled_backends")])
    cfg.CONF(args=[], project="bench", default_config_files=[path], default_config_dirs=[])
    glance_store.register_store_opts(cfg.CONF)
    glance_store.create_multi_stores(cfg.CONF)
    os.unlink(path)
    return glance_store


def url_of(place: dict[str, str], name: str) -> str:
    """Give the location of an image."""
    return f"s3://{place['endpoint'].removeprefix('http://')}/{place['bucket']}/{name}"


def add_one(store: Any, name: str, source: Any, size: int) -> None:
    """Add an image as Glance does."""
    from oslo_config import cfg

    store.add_with_multihash(cfg.CONF, name, source, size, "one", ALGORITHM)


def add(store: Any, _: dict[str, str], name: str, path: str, known: bool) -> None:
    """Add one big image from a file."""
    with open(path, "rb") as source:
        add_one(store, name, source, os.path.getsize(path) if known else 0)


def add_stream(store: Any, _: dict[str, str], name: str, size: int) -> None:
    """Add a stream of unknown length."""
    add_one(store, name, Stream(size), 0)


def get(store: Any, place: dict[str, str], name: str) -> None:
    """Get one big image, and drop it."""
    data, size = store.get(url_of(place, name), "one")
    assert sum(map(len, data)) == size


def small(store: Any, place: dict[str, str], verb: str, count: int, size: int = 64 << 10) -> None:
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
            store.get_size_from_uri_and_backend(url, "one")
        else:
            store.delete(url, "one")


# -- what boto3 does by itself ---------------------------------------------------------------------


def client(place: dict[str, str]) -> Any:
    """Make a client as one writes it."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=place["endpoint"],
        region_name="us-east-1",
        aws_access_key_id=place["access"],
        aws_secret_access_key=place["secret"],
        config=Config(
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            max_pool_connections=THREADS,
        ),
    )


def raw_upload(raw: Any, place: dict[str, str], name: str, path: str) -> None:
    """Upload a file with boto3's transfer manager: no digest of the whole is made."""
    from boto3.s3.transfer import TransferConfig

    raw.upload_file(path, place["bucket"], name, Config=TransferConfig(max_concurrency=THREADS))


def raw_download(raw: Any, place: dict[str, str], name: str) -> None:
    """Download with boto3's transfer manager, into memory: it writes no special file in parallel."""
    from boto3.s3.transfer import TransferConfig

    config = TransferConfig(max_concurrency=THREADS)
    path = f"/dev/shm/multistore-{os.getpid()}"
    try:
        raw.download_file(place["bucket"], name, path, Config=config)
    finally:
        os.unlink(path)


def clean(raw: Any, place: dict[str, str]) -> None:
    """Remove all, so that the disk below the server does not fill up."""
    for each in raw.list_multipart_uploads(Bucket=place["bucket"]).get("Uploads", ()):
        raw.abort_multipart_upload(
            Bucket=place["bucket"], Key=each["Key"], UploadId=each["UploadId"]
        )
    while found := raw.list_objects_v2(Bucket=place["bucket"]).get("Contents"):
        for each in found:
            raw.delete_object(Bucket=place["bucket"], Key=each["Key"])


def make_bucket(raw: Any, place: dict[str, str]) -> None:
    """Make the bucket."""
    raw.create_bucket(Bucket=place["bucket"])


OURS: dict[str, Callable[..., None]] = {
    each.__name__: each for each in (add, add_stream, get, small)
}
RAW: dict[str, Callable[..., None]] = {
    each.__name__: each for each in (raw_upload, raw_download, clean, make_bucket)
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
    (OURS | RAW)[name](tool, place, **arguments)
    seconds = time.perf_counter() - started
    after = usage()
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    report: dict[str, Any] = {
        "seconds": seconds,
        "idle": idle,
        "peak": peak(),
        "cpu": cpu,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
