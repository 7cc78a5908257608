"""Which directories a filesystem store has: from the options to a list with priorities."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from oslo_config import cfg

from glance_store import exceptions
from glance_store._config import SHARED_CONF_GROUP
from glance_store._options.core import GROUP
from glance_store.i18n import _

__all__ = ["Directory", "bad", "parsed", "texts"]

LOG = logging.getLogger(__name__)

_ONE = "filesystem_store_datadir"
_SEVERAL = "filesystem_store_datadirs"


class Directory(NamedTuple):
    """A data directory as it was written, and its priority."""

    path: str
    priority: int = 0

    @property
    def prefix(self) -> str:
        """What the locations of its images begin with, as the interface has always written them."""
        return "file://" + os.path.join(self.path, "")

    @property
    def known_prefix(self) -> str:
        """What the core's references to its images begin with."""
        return os.path.join("file:///" + os.path.abspath(self.path).lstrip("/"), "")


def bad(reason: str) -> exceptions.BadStoreConfiguration:
    """Make the error for what the operator has to correct."""
    return exceptions.BadStoreConfiguration(store_name="filesystem", reason=reason)


def texts(conf: Any, view: Any, group: str | None) -> tuple[list[str], bool]:
    """Give the entries of the option that counts, and whether it is the one for several directories.

    Only values that somebody set contradict each other, and only within one section: the store's own section comes before the
    shared one, and both before the default.
    """
    for section in (group, SHARED_CONF_GROUP) if group else (GROUP,):
        one, several = _explicit(conf, section, _ONE), _explicit(conf, section, _SEVERAL)
        listed = [text for text in several or () if text.strip()]
        if one and listed:
            raise bad(
                _("set either %(one)s or %(several)s, not both")
                % {"one": _ONE, "several": _SEVERAL}
            )
        if listed:
            return listed, True
        if one is not None or _value(conf, section, _ONE) is not None:
            break  # set, perhaps to say that there is none; or a reserved store's own default
    chosen = getattr(view, _ONE)
    if not chosen:
        raise bad(_("set %(one)s or %(several)s") % {"one": _ONE, "several": _SEVERAL})
    return [chosen], False


def _value(conf: Any, section: str, name: str) -> Any:
    """Give the value of an option in one section alone; None if there is none."""
    try:
        return conf[section][name]
    except cfg.NoSuchOptError:
        return None


def _explicit(conf: Any, section: str, name: str) -> Any:
    """Give the value that somebody set in a section; None if nobody did."""
    value = _value(conf, section, name)
    if value is None or conf.get_location(name, section).location is cfg.Locations.opt_default:
        return None
    return value


def parsed(entries: Sequence[str], resolved: Callable[[str], str]) -> list[Directory]:
    """Read ``PATH`` and ``PATH:PRIORITY``, the highest priority first; BadStoreConfiguration.

    An entry that repeats another is left out, or refused if its priority differs; ``resolved`` tells where a path leads.
    """
    found: dict[str, Directory] = {}
    for text in entries:
        directory = _entry(text)
        place = resolved(directory.path)
        other = found.setdefault(place, directory)
        if other is directory:
            continue
        if other.priority != directory.priority:
            raise bad(_("%s: the directory has two priorities") % directory.path)
        LOG.warning("the data directory %s is listed more than once", directory.path)
    return sorted(found.values(), key=lambda each: -each.priority)


def _entry(text: str) -> Directory:
    path, colon, priority = text.rpartition(":")
    if not colon:
        path, priority = text, ""
    path, priority = path.strip(), priority.strip()
    try:
        number = int(priority or "0")
    except ValueError:
        raise bad(
            _("%(entry)s: '%(priority)s' after the last colon is no whole number")
            % {"entry": text, "priority": priority}
        ) from None
    if not path:
        raise bad(_("'%s' names no directory") % text)
    return Directory(path, number)
