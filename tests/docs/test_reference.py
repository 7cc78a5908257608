"""The tables that pages show are those that the code gives."""

from __future__ import annotations

import re
from pathlib import Path

import option_tables
import pytest
import reference_tables
from glance_store import multi_backend

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs/reference"


def reference() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(PAGES.glob("*.md")))


def test_the_readme_shows_what_the_drivers_declare() -> None:
    table = reference_tables.markdown(reference_tables.capability_rows())
    assert table in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_driver_has_a_table_of_settings_and_a_page() -> None:
    for name in reference_tables.drivers():
        assert f"{{driver-settings}} {name}\n" in reference()
        assert (ROOT / f"docs/how-to/{name}.md").is_file()


def test_every_setting_says_what_it_is_for() -> None:
    for name, driver in reference_tables.drivers().items():
        for setting, kind, default, meaning in reference_tables.setting_rows(driver)[1:]:
            assert kind, (name, setting)
            assert default, (name, setting)
            assert len(meaning) > 5, (name, setting)


def test_every_driver_of_glance_store_has_a_table_of_options_and_each_says_what_it_is_for() -> None:
    for name, options in multi_backend._list_driver_opts().items():
        assert f"{{glance-options}} {name}\n" in reference()
        rows = option_tables.option_rows(option_tables.LISTS[name])[1:]
        assert [row[0] for row in rows] == [f"`{option.name}`" for option in options]
        assert all(kind and default and len(meaning) > 20 for _, kind, default, meaning in rows)


def test_every_public_module_is_in_the_reference() -> None:
    package = ROOT / "packages/multistore/src/multistore"
    inner = {"__init__", "cancel", "py", "pipeline", "layers", "drivers", "cli"}
    for path in package.iterdir():
        name = path.stem
        if name in inner or name.startswith("__") or not (path.is_dir() or path.suffix == ".py"):
            continue
        assert re.search(rf"automodule:: multistore\.{name}$", reference(), re.MULTILINE), name


@pytest.mark.parametrize("row", reference_tables.error_rows()[1:], ids=lambda row: row[0])
def test_every_error_has_a_line_in_the_table(row: tuple[str, ...]) -> None:
    name, exit_code, retry, meaning = row
    assert name.strip("`").isidentifier()
    assert 0 < int(exit_code) < 256
    assert retry in ("yes", "no")
    assert meaning.endswith((".", "wrong", "``"))


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_of_the_pages_at_the_root_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / page).read_text(encoding="utf-8")):
        assert (ROOT / target).exists(), target
