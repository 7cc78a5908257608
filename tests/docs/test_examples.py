"""Every example that a reader can see is run: those of the pages and those of the docstrings."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest
from pages import OPTIONS, Page, blocks

ROOT = Path(__file__).parents[2]
#: Pages whose blocks show signatures, to be read and not run.
SKETCHES = ("design.md",)
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [
        ROOT / "README.md",
        ROOT / "packages/multistore/README.md",
        *(ROOT / "docs").rglob("*.md"),
    ]
    if "_build" not in path.parts and path.name not in SKETCHES
)
PACKAGE = ROOT / "packages/multistore/src"
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
    if path.name != "__main__.py"
)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.timeout(60)
def test_the_examples_of_a_page_do_what_the_page_says(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "MULTISTORE_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    path = ROOT / page
    reader = Page(path, tmp_path)
    for block in blocks(path.read_text(encoding="utf-8")):
        reader.run(block)
    assert reader.status == 0, "the last command of the page failed"


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_a_docstring_do_what_it_says(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(importlib.import_module(module), optionflags=OPTIONS)
    assert result.failed == 0


def test_a_wrong_example_is_noticed(tmp_path: Path) -> None:
    page = Page(tmp_path / "page.md", tmp_path)
    text = "```console\n$ echo right\nwrong\n```\n"
    with pytest.raises(AssertionError, match="wanted"):
        page.run(next(blocks(text)))
    text = "```python\n>>> 1 + 1\n3\n```\n"
    with pytest.raises(AssertionError, match="Expected"):
        page.run(next(blocks(text)))
    text = "```console\n$ false\n$ echo hidden\n```\n"
    with pytest.raises(AssertionError):
        page.run(next(blocks(text)))
