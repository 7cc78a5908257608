"""Ways to a real Swift with Keystone: past the catalog, and over TLS with a certificate of one's own authority."""

from __future__ import annotations

import contextlib
import io
import ssl
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme
from conformance.swift_rig import Backstage, keystone, lab
from facade.houses import at, fresh_conf, make_swift
from fakes.s3_proxy import Proxy, proxied
from multistore import Store, StoreOptions
from multistore.drivers.swift import SwiftDriver
from multistore.errors import Unavailable
from multistore.testing.tools import content, digests_of, read

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

LARGE = (5 << 16) + 1
ONCE = StoreOptions(attempts=1)


@pytest.fixture
def back() -> Iterator[Backstage]:
    found = Backstage(keystone())
    yield found
    found.empty()


@pytest.fixture
def account(back: Backstage) -> str:
    """The path of the account at Swift."""
    with back.container() as container:
        return urlsplit(container.swift.identity.endpoint()).path


@pytest.mark.parametrize("told", [True, False], ids=["told", "from the catalog"])
def test_the_endpoint_of_the_options_is_used_whatever_the_catalog_says(
    told: bool, back: Backstage, account: str
) -> None:
    """A region that no catalog knows does not matter then; every request goes there, and none otherwise."""
    with proxied(lab("MULTISTORE_LAB_KEYSTONE_SWIFT")) as proxy:
        options = {"swift_store_endpoint": proxy.address + account, "swift_store_region": "Mars"}
        store = make_swift(
            fresh_conf(),
            lab("MULTISTORE_LAB_KEYSTONE").removesuffix("/v3"),
            swift_store_user="demo:demo",
            swift_store_key="demopass",
            swift_store_container=back.settings.container,
            **(options if told else {"swift_store_region": "RegionOne"}),
        )
        image, data = str(uuid.uuid4()), content(1000)
        uri = store.add(image, io.BytesIO(data), len(data), "sha512")[0]
        assert uri == f"swift+config://ref1/{back.settings.container}/{image}"
        assert b"".join(store.get(at(store, uri))[0]) == data
        assert back.names() == [image]
        store.delete(at(store, uri))
        assert not back.names()
        seen = [request.path.partition("?")[0] for request in proxy.requests]
        assert bool(seen) is told
        assert all(path.startswith(account) for path in seen)


@contextlib.contextmanager
def over_tls(authority: trustme.CA) -> Iterator[Proxy]:
    """Run a proxy before Swift that ends TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    proxy = Proxy(lab("MULTISTORE_LAB_KEYSTONE_SWIFT"))
    proxy.server.socket = context.wrap_socket(proxy.server.socket, server_side=True)
    thread = threading.Thread(target=proxy.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.server.shutdown()
        proxy.server.server_close()
        thread.join()


def test_a_certificate_of_ones_own_authority_is_accepted_with_its_file_and_with_no_other(
    back: Backstage, account: str, tmp_path: Path
) -> None:
    authority, file, wrong = trustme.CA(), tmp_path / "ca.pem", tmp_path / "wrong.pem"
    authority.cert_pem.write_to_path(str(file))
    trustme.CA().cert_pem.write_to_path(str(wrong))
    with over_tls(authority) as proxy:
        own = {
            "container": back.settings.container,
            "storage_url": proxy.address.replace("http:", "https:") + account,
        }
        for refused in (None, str(wrong)):
            store = Store(
                SwiftDriver(keystone(**own, ca_file=refused)), name="judged", options=ONCE
            )
            with pytest.raises(Unavailable, match="certificate"):
                store.put("image", content(LARGE))
            store.close()
        assert not proxy.requests, "no token was sent"
        store = Store(SwiftDriver(keystone(**own, ca_file=str(file))), name="judged", options=ONCE)
        receipt = store.put("image", content(LARGE))
        assert receipt.digests == digests_of(content(LARGE))
        assert read(store.driver, receipt.ref) == content(LARGE)
        store.delete(receipt.ref)
        assert not back.names()
        assert proxy.requests
        store.close()
