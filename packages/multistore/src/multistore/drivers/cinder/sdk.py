"""The vendor's libraries: a client of Cinder's API, and os-brick's connectors of this host.

Nothing is imported before it is used: cinderclient and os-brick take most of a second.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shlex
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from multistore.errors import AccessDenied, Misconfigured

if TYPE_CHECKING:
    from multistore.config import Secret
    from multistore.drivers.cinder.settings import CinderSettings
    from multistore.model import Caller

__all__ = ["Sdk", "connect"]

T = TypeVar("T")

#: Attachments with a mode; Cinder has it since the release Rocky.
_MICROVERSION = "3.54"
#: os-brick looks for Ceph's keys nowhere else.
_KEYS = "/etc/ceph"


class Sdk:
    """What the driver needs of the libraries; tests give a stand-in."""

    def check(self) -> None:
        """Make sure that the libraries are there, without importing them."""
        for name in ("cinderclient", "keystoneauth1", "os_brick"):
            if importlib.util.find_spec(name) is None:
                raise _missing(name)

    def client(self, settings: CinderSettings, caller: Caller | None) -> Any:
        """Make a client of Cinder's API with a session of its own."""
        cinder = _module("cinderclient.client")
        session = _session(settings, caller)
        return cinder.Client(
            _MICROVERSION,
            session=session,
            service_type=settings.service_type,
            service_name=settings.service_name,
            interface=settings.interface,
            region_name=settings.region,
            os_endpoint=_endpoint(settings, caller),
            connect_retries=0,
            status_code_retries=0,
        )

    def owner(self, client: Any) -> str:
        """Give the project that a client works in."""
        return str(client.client.get_project_id() or "")

    def properties(self, settings: CinderSettings, api: str | None) -> dict[str, Any]:
        """Say what this host is, for storage to let it in; ``api`` is the URL of Cinder."""
        connector = self._brick(settings)
        found: dict[str, Any] = connector.get_connector_properties(
            settings.root_helper or "",
            settings.my_ip or own_address(api),
            settings.multipath,
            settings.enforce_multipath,
            host=settings.host or socket.gethostname(),
        )
        return found

    def connector(self, settings: CinderSettings, protocol: str, info: Mapping[str, Any]) -> Any:
        """Make the connector of a protocol."""
        brick = self._brick(settings)
        if protocol == "rbd":
            _ceph(settings.bindings)
            _check_key(info)
        return brick.InitiatorConnector.factory(
            protocol.upper(),
            settings.root_helper or "",
            use_multipath=settings.multipath,
            conn=dict(info),
        )

    def endpoint(self, client: Any) -> str | None:
        """Give the URL of Cinder's API that a client uses."""
        found = client.client.get_endpoint()
        return str(found) if found else None

    def _brick(self, settings: CinderSettings) -> Any:
        _ceph(settings.bindings, wanted=False)
        connector = _module("os_brick.initiator.connector")
        _privileges(settings)
        return connector


def connect(connector: Any, data: Mapping[str, Any]) -> Any:
    """Connect a volume to this host, and give what os-brick found; the work is done in a thread of its own.

    Ceph's client tells itself apart by a number that it draws from a generator of the calling thread.
    A forked child has a copy of that generator, and when the cluster blocks a dead child it would block its parent.
    """
    return _aside(partial(connector.connect_volume, data))


def own_address(api: str | None) -> str:
    """Give the address of this host from which it reaches Cinder: the kernel's choice, and nothing is sent."""
    parts = urlsplit(api or "")
    host = parts.hostname or "127.0.0.1"
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((host, parts.port or 8776))
                return str(probe.getsockname()[0])
        except OSError:
            continue
    return "127.0.0.1"


def _privileges(settings: CinderSettings) -> None:
    """Tell os-brick how to become root, and where the locks are; what the service has said of that before, holds."""
    from oslo_config import cfg

    _module("os_brick.opts")
    if not cfg.CONF.os_brick.lock_path:
        cfg.CONF.set_override("lock_path", settings.lock_path, "os_brick")
    privileged = _module("os_brick.privileged")
    for context in (privileged.default, privileged.brick_privsep_hide_output):
        if settings.root_helper:
            _module("oslo_privsep.priv_context").init(root_helper=shlex.split(settings.root_helper))
        elif os.geteuid() == 0:
            context.set_client_mode(False)


def _session(settings: CinderSettings, caller: Caller | None) -> Any:
    base: Any = _module("keystoneauth1.session").Session
    requests = _module("requests")
    http = requests.Session()
    http.trust_env = False  # neither proxies, nor .netrc, nor another's authorities

    class Session(base):  # type: ignore[misc]  # the library has no types
        def request(self, *args: Any, **options: Any) -> Any:
            # Its debug log has whole answers, and those to attaching have the passwords of storage.
            return super().request(*args, **options | {"log": False})

    return Session(
        auth=_auth(settings, caller),
        session=http,
        verify=(settings.ca_file or True) if settings.verify else False,
        timeout=settings.timeout,
        redirect=False,
    )


def _auth(settings: CinderSettings, caller: Caller | None) -> Any:
    v3 = _module("keystoneauth1.identity.v3")
    if settings.with_credential:
        return v3.ApplicationCredential(
            settings.auth_url,
            application_credential_id=_revealed(settings.application_credential_id),
            application_credential_secret=_revealed(settings.application_credential_secret),
        )
    if settings.with_service:
        return v3.Password(
            settings.auth_url,
            username=settings.username,
            password=_revealed(settings.password),
            user_domain_name=settings.user_domain,
            project_name=settings.project,
            project_domain_name=settings.project_domain,
        )
    if caller is None or not (caller.token or caller.user):
        raise Misconfigured(
            "the store has no user of its own, and this call has no caller with a token: set auth_url, username,"
            " password and project",
            setting="username",
        )
    token = caller.token or f"{caller.user}:{caller.project}"
    return _module("keystoneauth1.token_endpoint").Token(_endpoint(settings, caller), token)


def _endpoint(settings: CinderSettings, caller: Caller | None) -> str | None:
    """Give the fixed URL of Cinder's API: the setting, or, for a caller's token, what the caller's catalog says."""
    if settings.endpoint is not None or settings.with_service:
        return settings.endpoint
    catalog = caller.extra.get("service_catalog") if caller else None
    for service in catalog if isinstance(catalog, list | tuple) else ():
        if service.get("type") != settings.service_type:
            continue
        if settings.service_name not in (None, service.get("name")):
            continue
        for each in service.get("endpoints") or ():
            if settings.region in (None, each.get("region")):
                url = each.get(f"{settings.interface}URL")
                if url:
                    return str(url)
    raise Misconfigured(
        f"the caller's catalog has no {settings.service_type} with the interface {settings.interface}"
        " in the region asked for",
        setting="service_type",
    )


def _revealed(secret: Secret | None) -> str | None:
    return None if secret is None else secret.reveal()


def _module(name: str) -> Any:
    try:
        with warnings.catch_warnings():
            # os-brick's libraries take eventlet along, which warns of itself, and whoever uses it of that.
            warnings.simplefilter("ignore")
            if (
                name not in sys.modules
                and threading.current_thread() is not threading.main_thread()
            ):
                _aside(partial(importlib.import_module, name))
            return importlib.import_module(name)
    except ImportError as error:
        raise _missing(name) from error


def _aside(work: Callable[[], T]) -> T:
    """Do something in a thread of its own, which nobody joins.

    eventlet, which os-brick's libraries take along, has a second ``threading`` that takes the thread which imports it for
    the main one: whoever joined that thread would wait for ever.
    """
    found: list[T] = []
    errors: list[BaseException] = []
    done = threading.Event()

    def run() -> None:
        try:
            found.append(work())
        except BaseException as error:
            errors.append(error)
        finally:
            done.set()

    threading.Thread(target=run, name="multistore-cinder-aside", daemon=True).start()
    done.wait()
    if errors:
        raise errors[0]
    return found[0]


def _missing(name: str) -> Misconfigured:
    return Misconfigured(
        f"a Cinder store needs Python's module {name}: install multistore[cinder]", setting="driver"
    )


def _check_key(info: Mapping[str, Any]) -> None:
    """Say where os-brick will look for the key of Cinder's Ceph user, if it cannot be read there."""
    data = info["data"] if isinstance(info.get("data"), dict) else info
    cluster, user = data.get("cluster_name"), data.get("auth_username")
    path = os.path.join(_KEYS, f"{cluster}.client.{user}.keyring")
    if user and not data.get("keyring") and not os.access(path, os.R_OK):
        raise AccessDenied(
            f"the volume is in Ceph, and the key of Cinder's user cannot be read in {path}: put it there,"
            " readable for the user of this process"
        )


def _ceph(place: str, *, wanted: bool = True) -> None:
    """Import rados and rbd, which are on no package index, from the distribution's directory and nothing else there."""
    for name in ("rados", "rbd"):
        if name in sys.modules:
            continue
        try:
            importlib.import_module(name)
        except ImportError:
            spec = PathFinder.find_spec(name, [place])
            if spec is None or spec.loader is None:
                if not wanted:
                    return
                raise Misconfigured(
                    f"the volume is in Ceph, and the Python module {name} is missing, neither importable nor in"
                    f" {place}: install the distribution's python3-rados and python3-rbd",
                    setting="bindings",
                ) from None
            module = module_from_spec(spec)
            sys.modules[name] = module
            try:
                spec.loader.exec_module(module)
            except BaseException:
                del sys.modules[name]
                if wanted:
                    raise
                return
