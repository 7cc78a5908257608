"""Whom the http store trusts, what it tells, and to whom."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from facade.houses import at, let_go, make_http
from glance_store import exceptions
from rawserver import RawServer, Request, Script, authority, reply

SECRET = "c4nary"
Answer = Callable[[Request], Script]


def get(store: Any, uri: str, **kwargs: Any) -> tuple[bytes, int]:
    stream, size = store.get(at(store, uri), **kwargs)
    return b"".join(stream), size


def size_of(store: Any, uri: str) -> int:
    found: int = store.get_size(at(store, uri))
    return found


def always(*steps: Any) -> Answer:
    return lambda _request: list(steps)


def raised(work: Callable[[], object], kind: type[Exception]) -> Any:
    with pytest.raises(kind) as caught:
        work()
    assert type(caught.value) is kind
    found: Any = caught.value
    assert isinstance(found.msg, str)
    return found


def secure(answer: Answer, tmp_path: Path) -> tuple[RawServer, str]:
    """Make a TLS server, and the file of its authority."""
    ca = authority()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    path = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return RawServer(answer, context), str(path)


def test_h2_configured_trust_wins_over_the_environment(
    conf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, ca = secure(always(reply(body=b"image")), tmp_path)
    other = tmp_path / "other.pem"
    authority().cert_pem.write_to_path(str(other))
    with server:
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            monkeypatch.setenv(name, str(other))
        store = make_http(conf, https_ca_certificates_file=ca)
        assert get(store, server.url + "/x") == (b"image", 5)
        insecure = make_http(conf, "insecure", https_insecure=True)
        assert get(insecure, server.url + "/x") == (b"image", 5)
        strict = make_http(conf, "strict", https_insecure=False)
        raised(lambda: get(strict, server.url + "/x"), exceptions.RemoteServiceUnavailable)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", ca)
        filled = make_http(conf, "filled", https_insecure=False)
        assert get(filled, server.url + "/x") == (b"image", 5), (
            "the environment fills what is unset"
        )


def test_h2_a_configured_proxy_wins_over_the_environment(
    conf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with RawServer(always(reply(body=b"image"))) as proxy:
        place = f"127.0.0.1:{proxy.port}"
        for identifier, text in (("plain", place), ("whole", f"http://{place}")):
            store = make_http(conf, identifier, http_proxy_information={"http": text})
            assert get(store, "http://images.example/x") == (b"image", 5)
        assert {each.target for each in proxy.requests} == {"http://images.example/x"}
        other = make_http(conf, "other", http_proxy_information={"https": place})
        raised(lambda: get(other, "http://127.0.0.1:1/x"), exceptions.RemoteServiceUnavailable)


def test_h2_netrc_is_never_read(conf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login other password other\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with RawServer(always(reply(body=b"image"))) as server:
        store = make_http(conf)
        get(store, server.url + "/x")
        get(store, server.url.replace("://", "://me:p%40ss@") + "/x")
        first, second = server.requests
        assert "authorization" not in first.fields
        assert second.fields["authorization"] == "Basic bWU6cEBzcw=="
        let_go(store)


def test_h6_nobody_is_led_from_https_down_to_http(conf: Any, tmp_path: Path) -> None:
    with RawServer(always(reply(body=b"image"))) as plain:
        server, ca = secure(always(reply("302 x", f"Location: {plain.url}/x")), tmp_path)
        with server:
            store = make_http(conf, https_ca_certificates_file=ca)
            for work in (get, size_of):
                raised(lambda: work(store, server.url + "/x"), exceptions.BadStoreUri)  # noqa: B023
            assert plain.requests == []
            let_go(store)


def test_h6_hosts_can_be_allowed_and_denied(conf: Any) -> None:
    with RawServer(always(reply(body=b"image"))) as server:
        public = make_http(conf, "public", http_store_allowed_hosts=[])
        denied = make_http(conf, "denied", http_store_denied_hosts=["127.0.0.0/8"])
        listed = make_http(conf, "listed", http_store_allowed_hosts=["127.0.0.1"])
        for store in (public, denied):
            for work in (get, size_of):
                raised(lambda: work(store, server.url + "/x"), exceptions.BadStoreUri)  # noqa: B023
        assert server.requests == []
        assert get(listed, server.url + "/x") == (b"image", 5)
        let_go(listed)
    store = make_http(conf, "default")
    raised(lambda: get(store, "http://169.254.169.254/latest"), exceptions.BadStoreUri)


def test_h12_no_cookie_is_ever_sent(conf: Any) -> None:
    with RawServer(always(reply("200 OK", "Set-Cookie: a=b", body=b"image"))) as server:
        store = make_http(conf)
        for _ in range(3):
            get(store, server.url + "/x")
        assert all("cookie" not in request.fields for request in server.requests)
        let_go(store)


def test_h21_no_secret_shows_in_texts_or_logs(conf: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for status in ("404 x", "403 x", "500 x", "302 x"):
        with RawServer(always(reply(status))) as server:
            store = make_http(conf)
            uri = server.url.replace("://", f"://me:{SECRET}@") + f"/x?token={SECRET}"
            for work in (get, size_of):
                with pytest.raises(exceptions.GlanceStoreException) as caught:
                    work(store, uri)
                assert SECRET not in str(caught.value) + repr(caught.value)
            let_go(store)
    assert SECRET not in caplog.text


def test_h24_unverified_servers_are_warned_of_once(
    conf: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server, _ca = secure(always(reply(body=b"image")), tmp_path)
    with server:
        store = make_http(conf, "web")
        for _ in range(3):
            get(store, server.url + "/x")
        assert caplog.text.count("does not verify") == 1
        let_go(store)
