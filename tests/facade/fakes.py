"""Drivers as other distributions write them: subclasses of ``glance_store.driver.Store``, without anything of multistore."""

# ruff: noqa: PLR0917  # as the interface has it
from __future__ import annotations

import hashlib
from typing import Any, ClassVar

import glance_store
from glance_store import capabilities, driver, exceptions, location
from oslo_config import cfg

Masks = capabilities.BitMasks


class StoreLocation(location.StoreLocation):
    """``mem://PLACE/ID``."""

    path = ""

    def process_specs(self) -> None:
        self.path = self.specs["path"]  # type: ignore[index]

    def get_uri(self) -> str:
        return f"mem://{self.path}"

    def parse_uri(self, uri: str) -> None:
        if uri.startswith("mem://["):
            raise ValueError("Invalid IPv6 URL")
        self.validate_schemas(uri, valid_schemas=("mem://", "mem+alt://"))
        self.path = uri.partition("://")[2]


class Memory(driver.Store):
    """Keeps its objects in a dictionary that outlives it; everything that a test wants to see is an attribute."""

    _CAPABILITIES = Masks.RW_RANDOM | Masks.DRIVER_REUSABLE
    OPTIONS: ClassVar[list[Any] | None] = [
        cfg.StrOpt("mem_place", default="common", help="first part of every path"),
        cfg.IntOpt("mem_count", default=3, help="some number"),
    ]
    schemes: ClassVar[tuple[str, ...]] = ("mem", "mem+alt")
    objects: ClassVar[dict[str, bytes]] = {}
    log: ClassVar[list[tuple[Any, ...]]] = []
    metadata: Any = None

    def get_schemes(self) -> tuple[str, ...]:
        return self.schemes

    def configure_add(self) -> None:
        view = driver.BackendGroupConfiguration(
            self.OPTIONS, self.backend_group or "glance_store", conf=self.conf
        )
        self.place = view.mem_place
        if self.place == "forbidden":
            raise exceptions.BadStoreConfiguration(store_name="mem", reason="no such place")
        if self.place == "explosive":
            raise OSError(5, "the disk is gone")
        if self.backend_group:
            self._url_prefix = f"mem://{self.place}"

    @capabilities.check
    def get(
        self, location: Any, offset: int = 0, chunk_size: int | None = None, context: Any = None
    ) -> Any:
        self.log.append(("get", self.backend_group, location.get_store_uri()))
        path = location.store_location.path
        if path not in self.objects:
            raise exceptions.NotFound(image=path)
        return iter([self.objects[path]]), len(self.objects[path])

    def get_size(self, location: Any, context: Any = None) -> int:
        return len(self.objects[location.store_location.path])

    @driver.back_compat_add
    @capabilities.check
    def add(
        self,
        image_id: str,
        image_file: Any,
        image_size: int,
        hashing_algo: str,
        context: Any = None,
        verifier: Any = None,
    ) -> Any:
        self.log.append(("add", self.backend_group, hashing_algo, context, verifier))
        data = image_file.read()
        path = f"{self.place}/{image_id}"
        self.objects[path] = data
        metadata = {"store": self.backend_group} if self.backend_group else {}
        return (
            f"mem://{path}",
            len(data),
            hashlib.md5(data).hexdigest(),
            hashlib.new(hashing_algo, data).hexdigest(),
            metadata if self.metadata is None else self.metadata,
        )

    @capabilities.check
    def delete(self, location: Any, context: Any = None) -> None:
        self.log.append(("delete", self.backend_group, location.get_store_uri()))
        path = location.store_location.path
        if path not in self.objects:
            raise exceptions.NotFound(image=path)
        del self.objects[path]

    def set_acls(
        self,
        location: Any,
        public: bool = False,
        read_tenants: Any = None,
        write_tenants: Any = None,
        context: Any = None,
    ) -> None:
        self.log.append(("set_acls", public, read_tenants, write_tenants))
        if read_tenants is not None:
            read_tenants.append("changed")


class Raw(driver.Store):
    """Reads the group of the store itself, without a view."""

    OPTIONS: ClassVar[list[Any] | None] = [cfg.IntOpt("raw_count", default=7, help="some number")]

    def get_schemes(self) -> tuple[str, ...]:
        return ("raw",)

    def configure_add(self) -> None:
        self.count = self.conf[self.backend_group].raw_count


class NoOptions(Memory):
    """Has no options at all."""

    OPTIONS = None

    def configure_add(self) -> None:
        pass


class NoConf(driver.Store):
    """The driver ``no_conf`` of the interface's tests: it cannot be configured and has no schemes."""

    def configure(self, re_raise_bsc: bool = False) -> None:
        raise exceptions.BadStoreConfiguration(store_name="no_conf", reason="it never can")

    def get_schemes(self) -> tuple[str, ...]:
        return ()


class Schemeless(driver.Store):
    """A broken driver: it can be configured, and has no schemes."""

    def get_schemes(self) -> tuple[str, ...]:
        return ()


class Unfinished(driver.Store):
    """Its author did not fill in the schemes."""


class Refusing(Memory):
    """Its constructor finds the configuration wrong."""

    def __init__(self, conf: Any, backend: str | None = None) -> None:
        raise exceptions.BadStoreConfiguration(store_name="refusing", reason="at once")


class Fragile(Memory):
    """Its constructor fails in an unforeseen way."""

    def __init__(self, conf: Any, backend: str | None = None) -> None:
        raise KeyError("http://me:s3cret@host/")


def put(store: str, image_id: str, data: bytes = b"data") -> str:
    """Put an object directly where the store of that place keeps it; gives its location."""
    Memory.objects[f"{store}/{image_id}"] = data
    return f"mem://{store}/{image_id}"


__all__ = ["Memory", "NoConf", "Raw", "glance_store", "put"]
