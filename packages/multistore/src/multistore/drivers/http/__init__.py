"""Images on web servers, read only: HTTP and HTTPS with ranges, limits on every wait, and a policy for every hop."""

from multistore.drivers.http.driver import HttpDriver
from multistore.drivers.http.refs import HttpRef
from multistore.drivers.http.settings import HttpSettings

__all__ = ["HttpDriver", "HttpRef", "HttpSettings"]
