"""The stores of a Glance configuration, opened for multistore's own command line."""

from __future__ import annotations

from typing import Any

from multistore.errors import Misconfigured
from multistore.registry import Foreign
from oslo_config import cfg

from glance_store import _registry, backend, multi_backend
from glance_store._loading import driver_class

__all__ = ["read"]


def read(path: str) -> Foreign:
    """Open the stores of a Glance configuration file, the reserved ones left out; Misconfigured if it cannot be read.

    Without ``enabled_backends``, those of the single-store mode, called like their drivers.
    """
    conf = _configuration(path)
    several = _registry.enabled(conf)
    if several:
        multi_backend.register_store_opts(conf)
        wanted, default = several, conf.glance_store.default_backend
    else:
        backend.register_opts(conf)
        wanted = {entry: entry for entry in conf.glance_store.stores}
        default = conf.glance_store.default_store
    drivers, weights, failures = {}, {}, {}
    for identifier, entry in wanted.items():
        try:
            store = driver_class(entry)(conf, identifier if several else None)
            drivers[identifier] = store.core_driver()
            weights[identifier] = float(store.weight)
        except AttributeError:
            failures[identifier] = f"the driver {entry} is not one of multistore's"
        except Exception as error:
            failures[identifier] = str(error)
    return Foreign(drivers, weights, default, failures)


def _configuration(path: str) -> Any:
    conf = cfg.ConfigOpts()
    conf.register_opts([cfg.DictOpt("enabled_backends")])
    try:
        conf([], project="glance", default_config_files=[path], default_config_dirs=[])
    except (cfg.ConfigFilesNotFoundError, cfg.ConfigFilesPermissionDeniedError, OSError) as error:
        raise Misconfigured(f"{path} cannot be read", setting="config") from error
    except (cfg.ConfigFileParseError, UnicodeDecodeError) as error:
        raise Misconfigured(
            f"{path} is no configuration file of oslo.config", setting="config"
        ) from error
    return conf
