"""What a script can do besides calling the library: configure it, make files, look into objects.

Standard library only, and the glance_store under test: it runs in the environment of the peer as well.
"""

from __future__ import annotations

import functools
import os
import resource
from typing import Any

__all__ = ["Actions", "SkippedError"]

OPTIONS = {
    *("default_backend", "default_store", "stores"),
    *("filesystem_store_datadir", "filesystem_store_datadirs", "filesystem_store_metadata_file"),
    *("filesystem_store_file_perm", "filesystem_store_chunk_size", "filesystem_thin_provisioning"),
    *("filesystem_store_timeout", "filesystem_store_thread_pool_size"),
    "filesystem_store_threadpool_threshold",
    *("https_ca_certificates_file", "https_insecure", "http_proxy_information"),
}


class SkippedError(Exception):
    """A step needs what an earlier one failed to give."""


class Actions:
    """The part of a running script that the steps named ``worker.*`` reach."""

    def __init__(self, script: dict[str, Any], interface: Any) -> None:
        self.script = script
        self.interface = interface
        self.root: str = script["root"]
        self.places: dict[str, str] = {"{root}": self.root, **script.get("places", {})}
        self.saved: dict[str, Any] = {}

    def fill(self, text: str) -> str:
        """Put places for placeholders."""
        for mark, place in self.places.items():
            text = text.replace(mark, place)
        return text

    def hide(self, text: str) -> str:
        """Put placeholders for places."""
        for mark, place in self.places.items():
            text = text.replace(place, mark)
        return text

    @property
    def conf(self) -> Any:
        from oslo_config import cfg

        return cfg.CONF

    def recall(self, name: str) -> Any:
        """Give what an earlier step saved."""
        if name not in self.saved:
            raise SkippedError
        return self.saved[name]

    def target(self, name: str) -> Any:
        """Find what a step names: ``glance_store.x.y``, ``@saved.x`` or ``worker.x``."""
        first, *rest = name.split(".")
        if first == "worker":
            return getattr(self, "do_" + rest[0])
        found = self.recall(first[1:]) if first.startswith("@") else self.interface
        return functools.reduce(getattr, rest, found)

    def do_configure(self) -> None:
        """Read the script's configuration, as a service does at its start."""
        from oslo_config import cfg

        path = os.path.join(self.root, "service.conf")
        with open(path, "w", encoding="utf-8") as file:
            for group, options in self.script["config"].items():
                file.write(f"[{group}]\n")
                for name, values in options.items():
                    listed = values if isinstance(values, list) else [values]
                    file.writelines(f"{name} = {self.fill(value)}\n" for value in listed)
        if self.script.get("enabled") is not None:
            self.conf.register_opts([cfg.DictOpt("enabled_backends")])
        self.conf(args=[], project="differential", default_config_files=[path], default_config_dirs=[])  # fmt: skip
        if self.script.get("enabled") is not None:
            self.conf.set_override("enabled_backends", self.script["enabled"])

    def do_create(self) -> Any:
        """Create the stores, as Glance does."""
        self.do_configure()
        reserved = self.script.get("reserved")
        if self.script.get("enabled") is None:
            self.interface.register_opts(self.conf)
            return self.interface.create_stores(self.conf)
        self.interface.register_store_opts(self.conf, reserved_stores=reserved)
        return self.interface.create_multi_stores(self.conf, reserved_stores=reserved)

    def do_store(self, ident: str) -> Any:
        """Give a store by its ident, or by its scheme when there is one store only."""
        if self.script.get("enabled") is None:
            return self.interface.get_store_from_scheme(ident)
        return self.interface.get_store_from_store_identifier(ident)

    def do_location(self, uri: str, backend: str | None = None) -> Any:
        location = self.interface.location
        if self.script.get("enabled") is None:
            return location.get_location_from_uri(uri)
        return location.get_location_from_uri_and_backend(uri, backend)

    def do_parsed(self, uri: str, backend: str | None = None) -> Any:
        """Parse a location and give its parts."""
        found = self.do_location(uri, backend).store_location
        names = ("scheme", "path", "user", "password", "netloc", "query")
        return {name: getattr(found, name, None) for name in names}, found.get_uri()

    def do_from_specs(self, kind: str, specs: dict[str, Any]) -> Any:
        module = getattr(self.interface._drivers, kind)
        return module.StoreLocation(specs, self.conf).get_uri()

    def do_set(self, target: str, value: Any) -> None:
        """Assign to an attribute of something saved."""
        owner, _, name = target.rpartition(".")
        setattr(self.target(owner), name, value)

    def do_index(self, value: Any, *items: Any) -> Any:
        return functools.reduce(lambda found, item: found[item], items, value)

    def do_size_limit(self, size: int) -> None:
        """Let no file grow beyond ``size``: what a full disk does, by EFBIG."""
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def do_folder(self, path: str, mode: int = 0o755) -> None:
        os.makedirs(path, exist_ok=True)
        os.chmod(path, mode)

    def do_file(self, path: str, content: Any, mode: int = 0o644) -> None:
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        os.chmod(path, mode)

    def do_mode(self, path: str, mode: int) -> None:
        os.chmod(path, mode)

    def do_link(self, target: str, path: str) -> None:
        os.symlink(target, path)

    def do_umask(self, mask: int) -> None:
        os.umask(mask)

    def do_private(self, directory: str, name: str = "file") -> Any:
        """Make a store of one's own with a configuration of its own, as Glance does for staging."""
        from oslo_config import cfg

        conf = cfg.ConfigOpts()
        conf(args=[], project="differential", default_config_files=[], default_config_dirs=[])
        self.interface.backend.register_opts(conf)
        conf.set_override("filesystem_store_datadir", directory, group="glance_store")
        return self.interface.backend._load_store(conf, name)

    def do_raised(self, name: str, fields: dict[str, Any]) -> None:
        """Raise an exception of the interface."""
        kind = getattr(self.interface.exceptions, name)
        if not issubclass(kind, self.interface.exceptions.GlanceStoreException):
            raise kind
        raise kind(**fields)

    def do_hashed(self, name: str) -> Any:
        from glance_store.common import utils

        made = utils.get_hasher(name, usedforsecurity=False)
        made.update(b"data")
        return made.hexdigest()

    def do_same(self) -> bool:
        """Say whether a store is looked up or made anew."""
        one, other = self.do_store("one"), self.do_store("one")
        return one is other

    def do_options(self, name: str) -> Any:
        """List the options that 5.7.0 has: name, type and default of each, by group."""
        found: dict[str, Any] = {}
        for group, options in self.target("glance_store." + name)():
            rows = found.setdefault(str(group), [])
            for option in options:
                if option.name in OPTIONS:
                    rows.append([option.name, type(option).__name__, repr(option.default)])
        return {group: sorted(rows) for group, rows in found.items() if rows}
