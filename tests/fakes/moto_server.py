"""A moto server in a process of its own: quick, without signatures, and good for nothing but the fast tier."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def quick_clients() -> Iterator[None]:
    """Have botocore make once what is the same for all clients: three quarters of what one costs, and tests make thousands."""
    import botocore.client
    import botocore.endpoint_provider

    rules_of, class_of = (
        botocore.endpoint_provider.RuleSet,
        botocore.client.ClientCreator._create_client_class,
    )
    rules: dict[int, tuple[Any, Any]] = {}
    classes: dict[str, Any] = {}

    def kept_rules(**values: Any) -> Any:
        key = id(values["rules"])
        if key not in rules:
            rules[key] = (values, rules_of(**values))
        return rules[key][1]

    def kept_class(creator: Any, service: str, model: Any) -> Any:
        if service not in classes:
            classes[service] = class_of(creator, service, model)
        return classes[service]

    botocore.endpoint_provider.RuleSet = kept_rules
    botocore.client.ClientCreator._create_client_class = kept_class
    try:
        yield
    finally:
        botocore.endpoint_provider.RuleSet = rules_of
        botocore.client.ClientCreator._create_client_class = class_of


@contextlib.contextmanager
def moto_server() -> Iterator[str]:
    """Run a server, and give its address, ``127.0.0.1:PORT``."""
    server = subprocess.Popen(
        [sys.executable, "-W", "ignore", Path(__file__).with_name("moto_process.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        port = server.stdout.readline().strip()
        assert port.isdecimal(), "moto did not start"
        with quick_clients():
            yield f"127.0.0.1:{port}"
    finally:
        server.stdin.close()  # it ends with its input, also when this process is killed
        server.stdout.close()
        server.wait(10)
