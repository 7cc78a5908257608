"""An s3 store of the interface over one bucket, looked at from outside as well."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from conformance.s3_rig import Backstage
from facade.houses import at, let_go, make_s3
from facade.rigs import Rig

__all__ = ["s3_house"]


def s3_house(
    conf: Any, back: Backstage, identifier: str | None = None, **options: Any
) -> Iterator[Rig]:
    settings = back.settings
    secret = settings.secret_key.reveal() if settings.secret_key else ""
    endpoint = f"http{'s' * settings.server.tls}://{settings.server.place}"
    base = f"s3://{settings.server.place}/{settings.bucket}/"
    given = {
        "s3_store_access_key": settings.access_key,
        "s3_store_secret_key": secret,
        **options,
    }

    def make() -> Any:
        return make_s3(conf, endpoint, settings.bucket, identifier, **given)

    def plant(name: str, data: bytes) -> str:
        back.ask("put_object", Key=name, Body=data)
        return f"s3://me:{secret}@{base.removeprefix('s3://')}{name}"

    store = make()
    yield Rig(
        store=store,
        at=lambda uri: at(store, uri),
        plant=plant,
        missing=lambda name: base + name,
        leftovers=back.leftovers,
        another=make,
        secrets=(secret,),
        identifier=identifier,
        exclusive=False,  # moto and the gateway look first and write then
        large=(5 << 20) + 12_345,
    )
    let_go(store)
