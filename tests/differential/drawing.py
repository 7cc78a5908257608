"""Generated cases: hypothesis draws sequences of calls over two file stores and a web store."""

from __future__ import annotations

from typing import Any

from differential.script import CONF, Case, call, multi, random, single, source, verifier, zeros
from hypothesis import strategies as st

__all__ = ["cases", "locations"]

NAMES = ("a", "b c")
STORES = ("one", "one", "two")
ALGORITHMS = ("md5", "sha256", "sha512", "blake2b", "nope")
PIECE = 65536
WEB = {"type": "http"}


def at(store: str, name: str) -> str:
    return "file://{root}/disk/" + f"{store}/{name}"


@st.composite
def runs(draw: st.DrawFn) -> tuple[list[Any], int]:
    """Draw what an image is made of, and how long that is."""
    sizes = st.one_of(
        st.integers(0, 100), st.sampled_from([PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
    )
    made: list[Any] = []
    length = 0
    for _ in range(draw(st.integers(0, 3))):
        size = draw(sizes)
        length += size
        made.append(zeros(size) if draw(st.booleans()) else random(size, draw(st.integers(0, 3))))
    return made, length


@st.composite
def sources(draw: st.DrawFn) -> tuple[Any, int]:
    """Draw a source, and how long it is."""
    made, length = draw(runs())
    if draw(st.booleans()):
        pieces = draw(st.lists(st.integers(1, 2 * PIECE), min_size=1, max_size=3))
        return source(*made, form="iter", pieces=pieces), length
    return source(*made, most=draw(st.sampled_from([None, 1000, PIECE]))), length


@st.composite
def adding(draw: st.DrawFn) -> Any:
    """Draw an add, by either call, with a right, unknown or wrong size."""
    what, length = draw(sources())
    size = max(0, draw(st.sampled_from([length] * 4 + [0, 0, length + 1, length - 1])))
    name, store = draw(st.sampled_from(NAMES)), draw(st.sampled_from([*STORES, None]))
    how = {"verifier": verifier()} if draw(st.booleans()) else {}
    if draw(st.booleans()):
        return call("add", CONF, name, what, size, store, label="add", **how)
    algorithm = draw(st.sampled_from(ALGORITHMS))
    return call("add_with_multihash", CONF, name, what, size, store, algorithm, label="add with multihash", **how)  # fmt: skip


@st.composite
def getting(draw: st.DrawFn) -> Any:
    """Draw a get of all or a range, with its store or without one."""
    store = draw(st.sampled_from(STORES))
    offset = draw(st.sampled_from([0, 0, 1, 50, PIECE, 5 * PIECE]))
    length = draw(st.sampled_from([None, None, 1, 60, PIECE]))
    kind = "get a range" if offset or length else "get"
    backend = draw(st.sampled_from([store, store, None]))
    uri = at(store, draw(st.sampled_from(NAMES)))
    return call("get", uri, backend, offset=offset, chunk_size=length, read="all", label=kind)


@st.composite
def sizing(draw: st.DrawFn) -> Any:
    store = draw(st.sampled_from(STORES))
    uri = at(store, draw(st.sampled_from(NAMES)))
    return call("get_size_from_uri_and_backend", uri, draw(st.sampled_from([store] * 4 + ["nope", None])), label="size")  # fmt: skip


@st.composite
def deleting(draw: st.DrawFn) -> Any:
    """Draw a delete by the store that has it, or without naming one."""
    store = draw(st.sampled_from(STORES))
    uri = at(store, draw(st.sampled_from(NAMES)))
    return call("delete", uri, draw(st.sampled_from([store, None])), label="delete")


@st.composite
def surfing(draw: st.DrawFn) -> Any:
    """Draw a get or a size of something on the web."""
    path = draw(st.sampled_from(["/image", "/empty", "/nolength", "/missing", "/redirect/302/3", "/redirect/301/5", "/status/403"]))  # fmt: skip
    uri = "http://{http}" + path
    if draw(st.booleans()):
        return call("get", uri, "web", read="all", label="web get")
    return call("get_size_from_uri_and_backend", uri, "web", label="web size")


STEPS = st.one_of(adding(), adding(), getting(), getting(), sizing(), deleting(), surfing())


@st.composite
def alone(draw: st.DrawFn) -> Any:
    """Draw a call of the API for a single store of each scheme."""
    verb = draw(st.sampled_from(["add", "add", "add with multihash", "get", "get a range", "size", "delete"]))  # fmt: skip
    name = draw(st.sampled_from(NAMES))
    uri = draw(st.sampled_from(["file://{root}/disk/images/" + name] * 4 + ["http://{http}/image"]))
    if verb.startswith("add"):
        what, length = draw(sources())
        size = draw(st.sampled_from([length, length, 0, length + 1]))
        scheme = draw(st.sampled_from([None, "file", "filesystem", "nope"]))
        if verb == "add":
            return call("add_to_backend", CONF, name, what, size, scheme, label=verb)
        algorithm = draw(st.sampled_from(ALGORITHMS))
        return call("add_to_backend_with_multihash", CONF, name, what, size, algorithm, scheme, label=verb)  # fmt: skip
    if verb == "size":
        return call("get_size_from_backend", uri, label=verb)
    if verb == "delete":
        return call("delete_from_backend", uri, label=verb)
    if verb == "get" or uri.startswith("http"):
        return call("get_from_backend", uri, read="all", label="get")
    return call("get_from_backend", uri, offset=draw(st.integers(0, 100)), chunk_size=7, read="all", label=verb)  # fmt: skip


OPTIONS = st.fixed_dictionaries({
    "filesystem_thin_provisioning": st.sampled_from(["true", "false"]),
    "filesystem_store_chunk_size": st.sampled_from(["65536", "4096", "1000"]),
    "filesystem_store_file_perm": st.sampled_from(["0", "640", "600"]),
})  # fmt: skip


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw a configuration and up to a score of calls, of several stores or of one a scheme."""
    if draw(st.booleans()):
        calls = draw(st.lists(alone(), min_size=5, max_size=16))
        return single("generated", *calls, stores="file,http", **draw(OPTIONS))
    steps = [draw(adding()), *draw(st.lists(STEPS, min_size=5, max_size=16))]
    return multi("generated", *steps, one=draw(OPTIONS), two=draw(OPTIONS), web=WEB)


def words(alphabet: str) -> st.SearchStrategy[str]:
    """Draw words of some letters."""
    return st.text(st.sampled_from(alphabet), max_size=6)


LETTERS = "ab1-_.~%+,=:@&$!*'()é"
FILES = st.lists(words(LETTERS + ";"), min_size=1, max_size=4).map("/".join).map("file:///".__add__)
HOSTS = st.sampled_from(["h", "h.example", "127.0.0.1", "[::1]", "[fe80::1]", "H-1"])
WEBS = st.builds(
    "{}://{}{}{}/{}{}".format,
    st.sampled_from(["http", "https"]),
    st.sampled_from(["", "", "u:p@", "u%40:p%3A@", "u:@"]),
    HOSTS,
    st.sampled_from(["", "", ":80", ":1", ":65535", ":"]),
    st.lists(words(LETTERS), max_size=3).map("/".join),
    st.one_of(st.just(""), words(LETTERS + "/;").map("?".__add__)),
)


@st.composite
def locations(draw: st.DrawFn) -> Case:
    """Draw well-formed locations to be taken apart and put together again."""
    uris = draw(st.lists(st.one_of(FILES, WEBS), min_size=10, max_size=30))
    steps = [
        call("worker.parsed", uri, "one" if uri.startswith("file") else "web", label="parse")
        for uri in uris
    ]
    return multi("generated", *steps, one={}, web=WEB)
