"""The http driver keeps what every store of the interface keeps when it is read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from facade.conformance import ReadingConformance
from facade.houses import at, let_go, make_http
from facade.rigs import Rig
from rawserver import RawServer, Request, Script, reply


class Shop:
    """Serves the planted images, with or without ranges."""

    def __init__(self, *, ranges: bool) -> None:
        self.ranges = ranges
        self.images: dict[str, bytes] = {}

    def answer(self, request: Request) -> Script:
        data = self.images.get(request.target.partition("?")[0].lstrip("/"))
        if data is None:
            return [reply("404 Not Found")]
        if request.method == "HEAD":
            return [reply(length=len(data))]
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.fields.get("range", ""))
        if not self.ranges or asked is None:
            return [reply("200 OK", body=data)]
        first = int(asked[1])
        last = min(int(asked[2] or len(data)), len(data) - 1)
        if first >= len(data):
            return [reply("416 No", f"Content-Range: bytes */{len(data)}")]
        content = f"Content-Range: bytes {first}-{last}/{len(data)}"
        return [reply("206 Part", content, body=data[first : last + 1])]


class HttpReading(ReadingConformance):
    ranges = True
    identifier: str | None = None

    @pytest.fixture
    def rig(self, conf: Any) -> Iterator[Rig]:
        shop = Shop(ranges=self.ranges)
        store = make_http(conf, self.identifier)
        with RawServer(shop.answer) as server:
            base = server.url.replace("http://", "http://me:c4nary@") + "/{}?sig=c4nary"

            def plant(name: str, data: bytes) -> str:
                shop.images[name] = data
                return base.format(name)

            yield Rig(
                store=store,
                at=lambda uri: at(store, uri),
                plant=plant,
                missing=base.format,
                secrets=("c4nary",),
                identifier=self.identifier,
            )
            let_go(store)


class TestSingleStore(HttpReading):
    pass


class TestMultiStoreWithoutRanges(HttpReading):
    ranges = False
    identifier = "web"
