"""``multistore stores``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from multistore.cli.exits import describe, exit_code, worst
from multistore.cli.options import session_of, shared
from multistore.cli.output import size_text
from multistore.config import Secret
from multistore.model import Usage

if TYPE_CHECKING:
    from multistore.cli.session import Session
    from multistore.store import Store


@click.command("stores")
@click.option("--check", is_flag=True, help="Find out whether each store can be used now.")
@click.option(
    "--versions", is_flag=True, help="Show the versions in use, and what computes the digests."
)
@shared
@click.pass_context
def command(ctx: click.Context, check: bool, versions: bool) -> int:
    """Show the configured stores: what they can do, how full they are, and with --check whether they work."""
    session = session_of(ctx)
    configuration = session.configuration
    rows, codes = [], []
    for name, store in session.stores.items():
        state, code = _checked(store) if check else ("", 0)
        codes.append(code)
        usage = _usage(store)
        weight = configuration.weights.get(name, 0)
        facts = {
            "name": name,
            "driver": store.driver.schemes[0],
            "default": name in session.default,
            "weight": weight,
            "verbs": [verb.name.lower() for verb in store.capabilities.verbs if verb.name],
            "free": usage.free,
            "total": usage.total,
            "settings": _settings(store),
            "check": state or None,
        }
        session.output.record("store", facts)
        where = ", ".join(store.redact(prefix) for prefix in store.driver.prefixes()) or "anywhere"
        row = [name, store.driver.schemes[0], where, f"{weight:g}", size_text(usage.free)]
        rows.append([*row, "yes" if name in session.default else "no", state])
    header = ["NAME", "DRIVER", "WHERE", "WEIGHT", "FREE", "DEFAULT", "CHECK" if check else ""]
    session.output.table(header, rows, right=("WEIGHT", "FREE"))
    working = {"working": codes.count(0)} if check else {}
    session.output.record("total", {"stores": len(codes), **working})
    if not session.json and not session.quiet:
        session.output.line(
            f"configuration: {configuration.path or 'none, these are the defaults'}"
        )
        session.output.line(f"catalog: {configuration.catalog}")
    if versions:
        _show_versions(session)
    return worst(codes)


def _show_versions(session: Session) -> None:
    """Say what is in use: a support case begins with these lines."""
    import platform

    import multistore

    facts = {"multistore": multistore.__version__, "python": platform.python_version()}
    fused = session.configuration.options.fused_digests
    for sha in ("sha512", "sha256"):
        facts[f"md5 with {sha}"] = (
            _digested_by(("md5", sha)) if fused else "hashlib (fused_digests is off)"
        )
    session.output.record("versions", facts)
    if not session.json and not session.quiet:
        for name, value in facts.items():
            session.output.line(f"{name}: {value}")


def _digested_by(pair: tuple[str, str]) -> str:
    from multistore.pipeline.digests import kernel

    status = kernel(pair)
    if status is None:
        return "hashlib (multistore-digest is not installed)"
    return status.level + (f" ({status.reason})" if status.reason else "")


def _checked(store: Store) -> tuple[str, int]:
    try:
        store.check()
    except Exception as error:
        return describe(error)[0][0], exit_code(error)
    return "works", 0


def _usage(store: Store) -> Usage:
    from multistore.errors import StoreError

    try:
        return store.usage()
    except StoreError:
        return Usage()  # what is wrong is told by --check


def _settings(store: Store) -> Mapping[str, object]:
    """Give the settings in force, without any secret."""
    from multistore.layers.base import unwrap

    settings = getattr(unwrap(store.driver), "settings", None)
    if not dataclasses.is_dataclass(settings):
        return {}
    found = {field.name: getattr(settings, field.name) for field in dataclasses.fields(settings)}
    return {name: _safe(store, value) for name, value in found.items()}


def _safe(store: Store, value: object) -> object:
    """Give a value as it may be shown: a URL may hold a password, too."""
    if isinstance(value, Secret | Mapping) and value:
        return "***"
    return store.redact(value) if isinstance(value, str) and "://" in value else value
