"""What can be told of the tree without running the library: sizes, words, verbs, pins."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINES = 400
FUNCTION_LINES = 60
SKIPPED = {"demo", "build", "dist", "_build", "generated", ".data", "__pycache__", "htmlcov"}
VERBS = ["demo", "test", "lint", "bench", "docs", "native", "lab-up", "test-real", "lab-down"]

#: Words that only mean something on the machine of whoever wrote the tree; the brackets keep this file clean.
FOREIGN = re.compile(
    r"(?<![\w.])/(?:wor[k]|roo[t]|op[t]|hom[e])/\w"
    r"|(?i:/tmp/prob[e]|brie[f]\.md|anchor[s]\.md|reliabilit[y]\.md|ecosyste[m]\.md|user[s]\.md|share[d]/(?:design|lab|spec)"
    r"|\bcolleagu[e]|\bthe architec[t]\b|\bsub-?agen[t]|\bissu[e] #?\d+|\bissue[s] show\b"
    r"|pythonhoste[d]|pypi\.or[g]/simple|--index-ur[l] http|extra-index-ur[l])"
)
UNFINISHED = re.compile(r"\b(TOD[O]|FIXM[E]|XX[X])\b")


def files() -> Iterator[Path]:
    """Give every text file that belongs to the tree."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [
            each
            for each in folders
            if each not in SKIPPED
            and not each.endswith(".egg-info")
            and (not each.startswith(".") or each == ".ci")
        ]
        for name in names:
            if (
                name.endswith((".pyc", ".png", ".gz", ".so"))
                or name.startswith(".coverage")
                or name == ".git"
            ):
                continue
            yield Path(folder, name)


def is_shell(path: Path) -> bool:
    return path.suffix == ".sh" or (path.parent.name == ".ci" and path.name == "run")


TREE = sorted(files())


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_the_tree_is_found() -> None:
    assert {"README.md", "Makefile", ".ci/run"} <= set(map(shown, TREE))


def test_files_of_code_stay_short() -> None:
    long = {
        shown(path): count
        for path in TREE
        if path.suffix in (".py", ".sh") and (count := text_of(path).count("\n")) > LINES
    }
    assert not long


def test_functions_stay_within_a_screen() -> None:
    long = {
        f"{shown(path)}:{node.name}": length
        for path in TREE
        if path.suffix == ".py"
        for node in ast.walk(ast.parse(text_of(path)))
        if isinstance(node, ast.FunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES
    }
    assert not long


@pytest.mark.parametrize("pattern", [FOREIGN, UNFINISHED], ids=["foreign", "unfinished"])
def test_nothing_in_the_tree_is_private_or_unfinished(pattern: re.Pattern[str]) -> None:
    found = [
        f"{shown(path)}:{number}: {line.strip()}"
        for path in TREE
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        if pattern.search(line)
    ]
    assert not found


def test_conditions_are_entered_by_their_locks() -> None:
    """Python code enters a condition: what a signal raises there leaves it locked for ever, where a lock's own block is safe."""
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in ROOT.glob("packages/*/src/**/*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if "Condition()" in line
    ]
    assert not found, "give it a threading.RLock(), and write `with` that lock"


def test_the_makefile_has_nine_verbs_and_help_lists_them() -> None:
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    said = subprocess.run(
        ["make", "--no-print-directory"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert [line.split()[0] for line in said.stdout.splitlines()[1:]] == VERBS
    phony = re.search(r"^\.PHONY: (.*)$", text_of(ROOT / "Makefile"), re.MULTILINE)
    assert phony is not None
    assert phony[1].split() == ["help", *VERBS]


def test_make_runs_every_real_test() -> None:
    asked = re.search(r"-m pytest (.*) -m \"real and not alone\"", text_of(ROOT / "Makefile"))
    assert asked is not None
    rooms = tuple(f"{room}/" for room in asked[1].split())
    marked = re.compile(r"pytest\.mark\.rea[l]\b")
    found = [shown(path) for path in TREE if path.suffix == ".py" and marked.search(text_of(path))]
    assert found
    assert [path for path in found if not path.startswith(rooms)] == []


@pytest.mark.parametrize("script", [path for path in TREE if is_shell(path)], ids=shown)
def test_shell_scripts_are_well_formed(script: Path) -> None:
    subprocess.run(["bash", "-n", script], check=True)


def test_requirements_are_pinned_and_cover_what_the_extras_need() -> None:
    pinned = {}
    for line in text_of(ROOT / "requirements/dev.txt").splitlines():
        if line and not line.lstrip().startswith("#"):
            found = re.fullmatch(r"([a-z0-9-]+)==([\w.]+)", line)
            assert found, line
            pinned[found[1]] = found[2]
    package = tomllib.loads(text_of(ROOT / "packages/multistore/pyproject.toml"))["project"]
    assert package["dependencies"] == []
    for extra, needs in package["optional-dependencies"].items():
        for need in needs:
            assert re.split(r"[<>=\[ ]", need)[0] in pinned, f"extra {extra}"


def test_fragments_of_the_changelog_have_a_known_kind_and_something_to_say() -> None:
    settings = tomllib.loads(text_of(ROOT / "pyproject.toml"))["tool"]["towncrier"]
    kinds = {kind["directory"] for kind in settings["type"]}
    for path in (ROOT / "changelog.d").iterdir():
        if path.name == "README.md":
            continue
        found = re.fullmatch(r"[a-z0-9-]+\.([a-z]+)\.md", path.name)
        assert found, path.name
        assert found[1] in kinds, path.name
        assert len(text_of(path)) > 20, path.name


def test_importing_the_library_loads_nothing_of_others_and_starts_nothing() -> None:
    code = (
        "import sys; before = set(sys.modules); import multistore, threading; "
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}; "
        "print(sorted(new - set(sys.stdlib_module_names))); print(threading.active_count()); "
        "print(sorted(new & {'ssl', 'sqlite3', 'socket', 'subprocess', 'asyncio', 'http'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=15
    )
    assert done.stdout.splitlines() == ["['multistore']", "1", "[]"]
