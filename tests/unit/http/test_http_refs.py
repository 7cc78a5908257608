"""References and settings of http stores: what is accepted, the one form, and what is shown."""

from __future__ import annotations

import pytest
from multistore.config import Secret
from multistore.drivers.http import HttpDriver, HttpSettings
from multistore.errors import InvalidRef, Misconfigured
from multistore.registry import open_driver

CANARY = "CANARY"


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "http:", "http:/h/p", "http:///p", "ftp://h/p", "http://h:x/", "http://h:-1/", "http://h:99999/",
        "http://h:80:90/", "http://h:0/", "http://[::1]:x/", "http://[::1/", "http://a@b@c/", "http://h/\n",
        "http://h/\x00", " http://h/", "http://h\\x/", "http://h h/", "http://127.1/", "http://0x7f000001/",
        "http://2130706433/", "http://0177.0.0.1/", "http://1.2.3.256/", "http://[fe80::1%25eth0]/", "http://h/../x",
        "http://h/%2e%2E/x", "http://h/a%2f..%2fb", "http://..h/", "http://h\u0661/", "http://ex\u00e4mple/", "http://h/\ud800",
        "http://h:\u0661/", "http://" + "a" * 300, "http://h/" + "x" * 20_000,
    ],
)  # fmt: skip
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(InvalidRef):
        HttpDriver.parse(text)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("HTTP://H", "http://h/"),
        ("http://h:80/p;v=1?q=%20#f", "http://h/p;v=1?q=%20"),
        ("https://u:p@h:8443/a b", "https://u:p@h:8443/a%20b"),
        ("http://[::1]:80/\u00e4%zz", "http://[::1]/%C3%A4%25zz"),
        ("http://h.:/?a/../b", "http://h./?a/../b"),
    ],
)
def test_references_have_one_form(text: str, canonical: str) -> None:
    assert str(HttpDriver.parse(text)) == canonical
    assert HttpDriver.parse(canonical) == HttpDriver.parse(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://u:p@h/x?a=1&b=2", "https://***@h/x?a=***&b=***"),
        ("https://h/x?token", "https://h/x?***"),
        ("https://h/x?a=1&token", "https://h/x?a=***&***"),
        ("https://h/x?dG9rZW4==", "https://h/x?***"),
        ("https://h/x?a=1;//u:p@h/a=", "https://h/x?a=***"),
        ("https://h/x?https://u:p@h/a=b", "https://h/x?***"),
        ("https://h/x?&a=&=b", "https://h/x?&***&***"),
        ("https://mirror/https://u:p@h/x", "https://mirror/https://***@h/x"),
        ("https://h/a@b:c/d", "https://h/a@b:c/d"),
        ("http://u:p@h@i/", "http://..."),
        ("u:p@h", "(no http reference)"),
    ],
)
def test_redacted_references_keep_what_is_public(text: str, shown: str) -> None:
    assert HttpDriver().redact(text) == shown


@pytest.mark.parametrize(
    ("values", "setting"),
    [
        ({"token": Secret("x")}, "base"), ({"base": "ftp://h"}, "base"), ({"base": "http://u:CANARY@h"}, "base"),
        ({"base": "http://h/?a"}, "base"), ({"base": "http://h", "headers": Secret("CANARY")}, "headers"),
        ({"base": "http://h", "headers": Secret("Host: x")}, "headers"), ({"proxy": Secret("CANARY")}, "proxy"),
        ({"base": "http://h", "token": Secret("a\rb")}, "token"), ({"allow": ("a/b",)}, "allow"),
        ({"base": "http://h", "token": Secret("a"), "username": "u"}, "token"), ({"deny": ("*",)}, "deny"),
        ({"base": "http://h", "username": "\ud800"}, "username"), ({"deny": ("a", "u:CANARY@h")}, "deny"),
        ({"base": "http://h", "password": Secret("CANARY\ud800")}, "password"),
    ],
)  # fmt: skip
def test_wrong_settings_are_named(values: dict[str, object], setting: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        HttpDriver(HttpSettings(**values))  # type: ignore[arg-type]  # values of any type
    assert caught.value.setting == setting
    assert CANARY not in str(caught.value)


def test_an_entry_of_a_list_is_named_by_its_place() -> None:
    with pytest.raises(Misconfigured, match="setting 'deny': entry 2 is neither a host, nor"):
        HttpDriver(HttpSettings(deny=("a", "b/c")))


def test_a_url_opens_a_store() -> None:
    driver = open_driver("https://user:CANARY@h/images?read_timeout=3")
    assert isinstance(driver, HttpDriver)
    assert driver.prefixes() == ("https://h/images/",)
    assert driver.settings.read_timeout == 3.0
    assert CANARY not in repr(driver.settings)
    assert open_driver("http:").owns("https://anywhere/x")
