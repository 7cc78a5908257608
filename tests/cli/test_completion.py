"""Completion in the shell: of commands, options, images and stores."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from cli.person import Person


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_scripts(person: Person, shell: str) -> None:
    script = person("completion", shell).out
    assert "_MULTISTORE_COMPLETE" in script
    if (found := shutil.which(shell)) is not None:
        subprocess.run([found, "-n"], input=script.encode(), check=True, timeout=10)


def completed(person: Person, *words: str) -> list[str]:
    """What bash is offered behind these words."""
    done = person.apart(
        env={
            "_MULTISTORE_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(["multistore", *words]),
            "COMP_CWORD": str(len(words)),
        }
    )
    return [line.partition(",")[2] for line in done.out.splitlines() if line]


def test_commands_options_and_names_are_completed(stocked: Person) -> None:
    assert completed(stocked, "st") == ["stat", "stores"]
    assert completed(stocked, "get", "a") == ["a1", "a2"]
    assert completed(stocked, "rm", "b") == ["b"]
    assert "--repair" in completed(stocked, "verify", "--re")
    assert completed(stocked, "put", "--store", "f") == ["fast"]
    assert completed(stocked, "cp", "a1", "--to", "s") == ["safe"]
    assert completed(stocked, "get", "--config", "nosuch.toml", "a") == []


def test_completion_never_makes_a_catalog(person: Person) -> None:
    assert completed(person, "get", "") == []
    assert list(person.home.iterdir()) == []
