"""Signing a part whose digest is known: the same signature, without hashing the bytes once more."""

from __future__ import annotations

from functools import cache
from typing import Any

__all__ = ["sign_known_parts"]

#: What botocore calls Signature Version 4 for S3, before and after it is told that it is S3.
_PLAIN = ("v4", "s3v4")
_NAME = "s3v4-multistore"


def sign_known_parts(client: Any) -> None:
    """Have a client take the digest of a part from ``Body.sha256`` where it is there."""
    client.meta.events.register("choose-signer.s3.UploadPart", _choose)


def _choose(signature_version: object, **_: object) -> str | None:
    return _signer() if signature_version in _PLAIN else None


@cache
def _signer() -> str:
    """Give the name under which botocore finds the class below."""
    from botocore import auth

    class KnownPayload(auth.S3SigV4Auth):  # type: ignore[misc]
        def payload(self, request: Any) -> Any:
            known = getattr(request.body, "sha256", None)
            if known is not None and self._should_sha256_sign_payload(request):
                return known
            return super().payload(request)

    auth.AUTH_TYPE_MAPS[_NAME] = KnownPayload
    return _NAME
