"""Translation markers of the interface, under the domain ``glance_store``."""

from __future__ import annotations

import oslo_i18n

__all__ = ["_", "_LC", "_LE", "_LI", "_LW"]

_factory = oslo_i18n.TranslatorFactory(domain="glance_store")

_ = _factory.primary
_LI = _factory.log_info
_LW = _factory.log_warning
_LE = _factory.log_error
_LC = _factory.log_critical
