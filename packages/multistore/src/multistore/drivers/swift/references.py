"""The file with accounts: an INI file, each section one account, under the keys that Glance has always used."""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from typing import Any

from multistore.config import Secret, shown
from multistore.drivers.swift.settings import Account
from multistore.errors import Misconfigured

__all__ = ["read_accounts"]

_TEXTS = {
    "user_domain_id": "user_domain_id",
    "user_domain_name": "user_domain_name",
    "project_domain_id": "project_domain_id",
    "project_domain_name": "project_domain_name",
    "project_id": "project_id",
}


def read_accounts(path: str) -> Mapping[str, Account]:
    """Read a file of accounts; Misconfigured if it cannot be read.

    Values are taken as they are, but for a doubled percent sign, and quotes around the whole.
    A section that lacks what an account needs is left out.
    """
    # No interpolation: a percent sign in a password is a percent sign.
    parser = configparser.RawConfigParser(strict=False)
    try:
        with open(path, encoding="utf-8") as file:
            parser.read_file(file)
    except (OSError, UnicodeError, configparser.Error) as error:
        raise Misconfigured(
            f"the file with accounts {shown(path)} cannot be read ({type(error).__name__})",
            setting="config_file",
        ) from None
    found = {}
    for section in parser.sections():
        account = _account({key: _unquoted(value) for key, value in parser.items(section)})
        if account is not None and account.complete:
            found[section] = account
    return found


def _unquoted(value: str | None) -> str | None:
    """Give a value without the quotes around it; None if a quote opens it and none closes it."""
    value = (value or "").replace("%%", "%")
    if value[:1] in ("'", '"'):
        return value[1:-1] if len(value) > 1 and value[-1] == value[0] else None
    return value


def _account(values: Mapping[str, str | None]) -> Account | None:
    url = values.get("auth_address")
    if not url or None in values.values():
        return None
    texts: dict[str, Any] = {field: values[key] for key, field in _TEXTS.items() if values.get(key)}
    url = url if "://" in url else f"https://{url}"
    number, secret = (
        values.get("application_credential_id"),
        values.get("application_credential_secret"),
    )
    if number and secret:
        return Account(
            url,
            application_credential_id=Secret(number),
            application_credential_secret=Secret(secret),
            project=values.get("project_name"),
            **texts,
        )
    user, key = values.get("user"), values.get("key")
    if not user or not key:
        return None
    project, colon, name = user.partition(":")
    if not colon or ":" in name:
        return None
    return Account(url, user=name, project=project, password=Secret(key), **texts)
