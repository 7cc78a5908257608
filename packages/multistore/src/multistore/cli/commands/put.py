"""``multistore put``."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from multistore.cli.exits import PARTIAL, SOURCE, describe
from multistore.cli.options import Size, dry_run, pairs, session_of, shared, stores
from multistore.cli.output import size_text
from multistore.cli.progress import showing
from multistore.cli.session import Session

if TYPE_CHECKING:
    from multistore.fleet import FleetReceipt
    from multistore.pipeline.source import Source
    from multistore.store import Store

_URLS = ("http://", "https://")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


@click.command("put")
@click.argument("source")
@click.argument("name", required=False)
@stores("Put it into this store; may be repeated. The default is what the configuration says.")
@click.option("--minimum", type=click.IntRange(1), help="Be content with so many stores.")
@click.option(
    "--expect",
    metavar="ALG:HEX",
    multiple=True,
    help="Refuse anything with another digest; may be repeated.",
)
@click.option(
    "--digest",
    "digests",
    metavar="ALG",
    multiple=True,
    help="Compute this digest instead of md5 and sha512; may be repeated.",
)
@click.option(
    "--size",
    type=Size(),
    metavar="SIZE",
    help="Refuse more or less than so many bytes; 8MiB and 1.5G are sizes, too.",
)
@click.option(
    "--label",
    metavar="KEY=VALUE",
    multiple=True,
    help="Keep this beside the image, where the store can.",
)
@dry_run
@shared
@click.pass_context
def command(
    ctx: click.Context,
    source: str,
    name: str | None,
    stores: tuple[str, ...],
    minimum: int | None,
    expect: tuple[str, ...],
    digests: tuple[str, ...],
    size: int | None,
    label: tuple[str, ...],
    dry_run: bool,
) -> int:
    """Store SOURCE under NAME, in one pass, in all of the stores or nowhere.

    SOURCE is a file, a http(s) URL, or - for standard input.
    NAME is the last part of SOURCE if it is not given.
    """
    session = session_of(ctx)
    source = _source_of(source)
    name = _name_of(source) if name is None else name
    expected = pairs(expect, ":", "ALG:HEX, such as sha256:9f86d08...")
    labels = pairs(label, "=", "KEY=VALUE")
    chosen = stores or session.default
    if not chosen:
        raise click.UsageError("none of the stores can be written: 'multistore stores' shows them")
    session.check_stores(chosen)
    if minimum is None and not stores:
        minimum = session.configuration.minimum
    if minimum is not None and minimum > len(set(chosen)):
        raise click.UsageError(f"--minimum {minimum}, but there are {len(set(chosen))} stores")
    if dry_run:
        return _pretend(session, source, name, chosen, Wanted(size, digests, expected))
    from multistore.store import DIGESTS

    with showing(session), _opened(session, source) as (stream, known):
        receipt = session.repository.put(
            name,
            stream,
            stores=chosen,
            minimum=minimum,
            size=known if size is None else size,
            digests=digests or DIGESTS,
            expect=expected,
            labels=labels,
        )
    return _report(session, receipt)


def _source_of(source: str) -> str:
    """Give the source with the scheme of a URL in small letters; refuse URLs that nothing here reads."""
    found = _SCHEME.match(source)
    if found is None or os.path.exists(source):
        return source
    scheme = found[1].lower()
    if f"{scheme}://" not in _URLS:
        hint = "give the path of the file" if scheme == "file" else "only http and https URLs are"
        raise click.UsageError(f"a URL of {scheme} is not read: {hint}")
    return scheme + source[len(scheme) :]


def _name_of(source: str) -> str:
    if source == "-":
        raise click.UsageError("standard input needs a NAME")
    path = source
    if source.startswith(_URLS):
        path = source.partition("?")[0].partition("#")[0].partition("//")[2].partition("/")[2]
    name = os.path.basename(path.rstrip("/"))
    if not name:
        raise click.UsageError("SOURCE ends in no name: give a NAME")
    return name


@contextlib.contextmanager
def _opened(session: Session, source: str) -> Iterator[tuple[Source, int | None]]:
    """Open the source; gives its size if that is known before it is read."""
    if source == "-":
        yield sys.stdin.buffer, None
    elif source.startswith(_URLS):
        with _web(session, source) as web, web.open(source) as image:
            yield iter(image), image.size
    else:
        with open(source, "rb", buffering=0) as file:
            yield source if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else file, None


@contextlib.contextmanager
def _web(session: Session, url: str) -> Iterator[Store]:
    """Give the store that reads a URL: the configured one whose ``base`` is nearest, then one without, then a bare one.

    So the credentials, proxy, certificates and ``allow`` of a store are used for what is its own, and for nothing else.
    """
    from multistore.store import open_store

    def base(store: Store) -> int:
        return max(
            (len(prefix) for prefix in store.driver.prefixes() if prefix not in _URLS), default=0
        )

    owners = [
        store
        for store in session.stores.values()
        if store.driver.schemes[0] in ("http", "https") and store.owns(url)
    ]
    if owners:
        yield max(owners, key=base)
        return
    driver = {"driver": url.partition(":")[0]}
    with open_store(driver, name=SOURCE, options=session.configuration.options) as web:
        yield web


@dataclass(frozen=True)
class Wanted:
    """What a dry run holds the source against."""

    size: int | None
    digests: Sequence[str]
    expect: Mapping[str, str]


def _pretend(
    session: Session, source: str, name: str, chosen: tuple[str, ...], wanted: Wanted
) -> int:
    """Look at everything that could be wrong, short of doing it."""
    from multistore.catalog.choice import taken
    from multistore.errors import SizeMismatch
    from multistore.pipeline.digests import digesters, normalise_expected

    digesters([*wanted.digests, *normalise_expected(wanted.expect)])
    session.check_writable(chosen, name)
    size = _size_of(session, source)
    if wanted.size is not None and size is not None and size != wanted.size:
        raise SizeMismatch(expected=wanted.size, actual=size, exceeds=size > wanted.size)
    if session.existing.catalog.image(name) is not None:
        raise taken(name)
    text = f"would put {name} ({size_text(size)}) into {', '.join(chosen)}"
    session.output.record("would put", {"name": name, "size": size, "stores": list(chosen)}, text)
    return 0


def _size_of(session: Session, source: str) -> int | None:
    """Give the size of the source if that is known before it is read; a pipe is not even opened."""
    if source == "-":
        return None
    if not source.startswith(_URLS) and not stat.S_ISREG(os.stat(source).st_mode):
        if os.path.isdir(source):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), source)
        return None
    with _opened(session, source) as (_, known):
        return os.path.getsize(source) if known is None else known


def _report(session: Session, receipt: FleetReceipt) -> int:
    failures = {store: describe(error)[0][0] for store, error in receipt.failures.items()}
    seconds = receipt.seconds.get("total", 0.0)
    rate = f", {size_text(int(receipt.size / seconds))}/s" if seconds else ""
    session.output.record(
        "put",
        {
            "name": receipt.name,
            "size": receipt.size,
            "digests": dict(receipt.digests),
            "copies": receipt.refs,
            "failures": failures,
            "seconds": dict(receipt.seconds),
        },
        f"put {receipt.name}: {size_text(receipt.size)} into {', '.join(receipt.copies)}"
        f" in {seconds:.1f} s{rate}",
    )
    for algorithm, digest in receipt.digests.items():
        if not session.json and not session.quiet:
            session.output.line(f"  {algorithm}  {digest}")
    for store, text in failures.items():
        session.output.problem(
            [(f"{store}: {text}", "multistore cp makes the missing copy later")], PARTIAL
        )
    return PARTIAL if failures else 0
