"""The public names, and what importing the package costs."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys

import multistore
import pytest

HEAVY = {
    "asyncio",
    "boto3",
    "botocore",
    "click",
    "concurrent.futures",
    "email",
    "http.client",
    "logging",
    "multiprocessing",
    "requests",
    "rich",
    "socket",
    "sqlite3",
    "ssl",
    "subprocess",
    "swiftclient",
    "tomllib",
    "typing_extensions",
    "urllib.request",
    "urllib3",
}


def in_fresh_python(code: str) -> object:
    """Give what ``code`` prints as JSON, in an interpreter without site-packages' start-up files."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=15, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", multistore.__all__)
def test_each_public_name_is_the_one_of_its_home(name: str) -> None:
    homes = [module for module, names in multistore._HOMES.items() if name in names.split()]
    assert len(homes) == 1
    home = importlib.import_module(homes[0])
    assert getattr(multistore, name) is getattr(home, name)
    assert name in home.__all__


def test_the_lists_of_names_agree() -> None:
    homes = [name for names in multistore._HOMES.values() for name in names.split()]
    assert sorted(homes) == sorted(multistore.__all__) == list(multistore.__all__)
    assert set(multistore.__all__) <= set(dir(multistore))


def test_type_checkers_see_the_same_names() -> None:
    import ast
    import inspect

    tree = ast.parse(inspect.getsource(multistore))
    blocks = [node for node in tree.body if isinstance(node, ast.If)]
    found = {
        (node.module, alias.name)
        for block in blocks
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert found == {
        (module, name) for module, names in multistore._HOMES.items() for name in names.split()
    }


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Stores'"):
        _ = multistore.Stores
    with pytest.raises(ImportError):
        exec("from multistore import Stores", {})


@pytest.mark.parametrize(
    "statement",
    [
        "import multistore",
        "from multistore import *",
        "import multistore; multistore.open_store('memory:')",
    ],
)
def test_importing_and_opening_load_nothing_heavy(statement: str) -> None:
    code = f"{statement}\nimport sys, json\nprint(json.dumps(sorted(sys.modules)))"
    bare = in_fresh_python("import sys, json\nprint(json.dumps(sorted(sys.modules)))")
    loaded = in_fresh_python(code)
    assert isinstance(loaded, list)
    assert isinstance(bare, list)
    assert set(loaded).difference(bare).intersection(HEAVY) == set()
    assert "multistore" in loaded


def test_the_bare_import_loads_no_other_module_of_the_package() -> None:
    code = "import multistore, sys, json\nprint(json.dumps([m for m in sys.modules if 'multistore' in m]))"
    loaded = in_fresh_python(code)
    assert isinstance(loaded, list)
    # An editable installation has a finder of that name.
    assert [name for name in loaded if not name.startswith(("_", "__"))] == ["multistore"]


def test_importing_starts_no_thread_and_opens_no_file() -> None:
    code = (
        "import os, threading, json\n"
        "before = set(os.listdir('/proc/self/fd'))\n"
        "from multistore import *\n"
        "store = open_store('memory:')\n"
        "after = set(os.listdir('/proc/self/fd'))\n"
        "print(json.dumps([threading.active_count(), len(after - before)]))"
    )
    assert in_fresh_python(code) == [1, 0]
