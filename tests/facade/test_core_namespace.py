"""What ``import glance_store`` brings, and what it costs."""

from __future__ import annotations

import builtins
import json
import subprocess
import sys
from typing import Any

import glance_store
import pytest

MULTI = """register_store_opts create_multi_stores verify_store get_store_weight get_store_from_store_identifier add
add_with_multihash delete get set_acls_for_multi_store get_known_schemes_for_multi_store get_size_from_uri_and_backend"""
SINGLE = """register_opts create_stores verify_default_store get_known_schemes get_store_from_scheme get_store_from_uri
get_from_backend get_size_from_backend delete_from_backend get_store_from_location add_to_backend
add_to_backend_with_multihash set_acls Indexable check_location_metadata store_add_to_backend
store_add_to_backend_with_multihash"""
DRIVER = "Store back_compat_add BackendGroupConfiguration SHARED_CONF_GROUP"
MODULES = "backend multi_backend driver exceptions location capabilities i18n"


@pytest.mark.parametrize("name", f"{MULTI} {SINGLE} {DRIVER} {MODULES} TimeoutError".split())
def test_every_name_of_the_interface_is_an_attribute_of_the_package(name: str) -> None:
    assert getattr(glance_store, name) is not None


def test_every_exception_is_an_attribute_of_the_package() -> None:
    for name, value in vars(glance_store.exceptions).items():
        if isinstance(value, type) and value.__module__ == "glance_store.exceptions":
            assert getattr(glance_store, name) is value


def test_the_modules_share_their_functions() -> None:
    for name in ("check_location_metadata", "store_add_to_backend"):
        assert getattr(glance_store, name) is getattr(glance_store.backend, name)
    assert glance_store.driver.__name__ == "glance_store.driver"
    assert glance_store.SHARED_CONF_GROUP == "backend_defaults"
    with pytest.raises(AttributeError, match="nosuch"):
        _ = glance_store.nosuch
    with pytest.raises(AttributeError, match="nosuch"):
        _ = glance_store.backend.nosuch


def test_c28_a_star_import_leaves_the_builtin_timeout_error_alone() -> None:
    scope: dict[str, Any] = {}
    exec("from glance_store import *; from glance_store.exceptions import *", scope)
    assert scope.get("TimeoutError", builtins.TimeoutError) is builtins.TimeoutError
    assert not issubclass(glance_store.TimeoutError, builtins.TimeoutError)
    assert glance_store.exceptions.TimeoutError is glance_store.TimeoutError


def test_importing_the_package_brings_neither_the_library_nor_any_driver() -> None:
    script = "import glance_store, sys, json; print(json.dumps(list(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, timeout=60
    )
    loaded = set(json.loads(done.stdout))
    heavy = {"multistore", "requests", "urllib3", "jsonschema", "oslo_concurrency"}
    assert not heavy & loaded
    assert not [name for name in loaded if name.startswith("glance_store._drivers")]


def test_i18n_offers_its_markers() -> None:
    for name in ("_", "_LI", "_LW", "_LE", "_LC"):
        assert getattr(glance_store.i18n, name)("text") == "text"
