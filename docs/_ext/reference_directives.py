"""Directives that put the tables of ``reference_tables`` into a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import option_tables
import reference_tables
from docutils import nodes
from multistore.registry import driver_class
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata


class _Table(SphinxDirective):
    """A table made by code; the page's own parser reads it, so its cells are Markdown."""

    has_content = False

    def rows(self) -> reference_tables.Rows:
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes(reference_tables.markdown(self.rows()))


class DriverSettings(_Table):
    """``{driver-settings} NAME``: every setting of a driver."""

    required_arguments = 1

    def rows(self) -> reference_tables.Rows:
        return reference_tables.setting_rows(driver_class(self.arguments[0]))


class DriverCapabilities(_Table):
    """``{driver-capabilities}``: what each driver can do."""

    def rows(self) -> reference_tables.Rows:
        return reference_tables.capability_rows()


class GlanceOptions(_Table):
    """``{glance-options} LIST``: the options of glance_store's core, of every store, or of one driver."""

    required_arguments = 1

    def rows(self) -> reference_tables.Rows:
        return option_tables.option_rows(option_tables.LISTS[self.arguments[0]])


class ErrorTable(_Table):
    """``{error-table}``: every error with its exit code."""

    def rows(self) -> reference_tables.Rows:
        return reference_tables.error_rows()


def setup(app: Sphinx) -> ExtensionMetadata:
    """Tell Sphinx the directives."""
    app.add_directive("driver-settings", DriverSettings)
    app.add_directive("driver-capabilities", DriverCapabilities)
    app.add_directive("glance-options", GlanceOptions)
    app.add_directive("error-table", ErrorTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
