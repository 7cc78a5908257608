"""Which container an image is in."""

from __future__ import annotations

import json
from collections.abc import Iterator

from multistore.drivers.swift.settings import SwiftSettings
from multistore.drivers.swift.wire import Swift
from multistore.errors import Unavailable

__all__ = ["Naming"]


class Naming:
    """One container, one for each beginning of names, or one for each image."""

    def __init__(self, settings: SwiftSettings) -> None:
        self._settings = settings

    @property
    def several(self) -> bool:
        """Whether there is more than one."""
        return self._settings.seed > 0 or self._settings.container_per_image

    def container(self, name: str) -> str:
        """Give the container of an image; dashes among the first characters of its name do not count."""
        base, seed = self._settings.container, self._settings.seed
        if self._settings.container_per_image:
            return f"{base}_{name}"
        if not seed:
            return base
        return f"{base}_{name[: seed + name[:seed].count('-')].lower()}"

    def takes(self, container: str) -> bool:
        """Say whether images there are this store's business."""
        settings = self._settings
        if container in settings.containers or "*" in settings.containers:
            return True
        return (
            container.startswith(f"{settings.container}_")
            if self.several
            else container == settings.container
        )

    def listed(self, swift: Swift) -> Iterator[str]:
        """List the containers that there are."""
        query = {"format": "json", "prefix": f"{self._settings.container}_"}
        while True:
            reply = swift.ask("GET", (), "the account", query=query, fine=(404,))
            if reply.status == 404 or not reply.body.strip():  # noqa: PLR2004 - of HTTP
                return
            try:
                page = [str(each["name"]) for each in json.loads(reply.body)]
            except (ValueError, TypeError, KeyError) as error:
                raise Unavailable("the account: Swift sent no list") from error
            yield from page
            if not page:
                return
            query["marker"] = page[-1]
