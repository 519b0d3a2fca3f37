"""Rules for the tests themselves: where each one is, and that none of them asserts how fast something is."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import grader

TESTS = Path(__file__).parent
PACKAGE = Path(grader.__file__).parent
CELLS = [TESTS / "notebooks" / "cells", TESTS / "hostile" / "samples", TESTS / "hostile" / "snippets"]
"""Folders with code of notebooks."""
FILES = sorted(path for path in TESTS.rglob("*.py") if not any(map(path.is_relative_to, CELLS)))
CLOCKS = {"monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time", "thread_time", "time_ns"}
DURATIONS = {"begun", "duration", "elapsed", "ended", "ends", "millis", "milliseconds", "seconds", "started", "took"}
ALLOWED = {
    "fuzz/run.py": "the time that a person gives each target; the default tests do not run it",
    "support/waiting.py": "the limit of every wait, which turns a deadlock into a failure",
}
"""Files that may compare a clock, each with the reason."""


def _reads_a_clock(node: ast.expr) -> bool:
    """Whether an expression calls a clock of the module `time`, or has the name of a duration."""
    return any(_is_clock(part) or _is_duration(part) for part in ast.walk(node))


def _is_clock(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = ast.unparse(node.func)
    return name == "time.time" or name.rpartition(".")[2] in CLOCKS


def _is_duration(node: ast.AST) -> bool:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.Constant(value=name):
            return name in DURATIONS
    return False


def _timed_comparisons(source: str) -> Iterator[int]:
    """Lines that compare a duration or a moment by order; equality with a number of the test's own is no claim."""
    for node in ast.walk(ast.parse(source)):
        ordered = isinstance(node, ast.Compare) and any(
            isinstance(operator, (ast.Lt, ast.LtE, ast.Gt, ast.GtE)) for operator in node.ops
        )
        if isinstance(node, ast.Compare) and ordered and any(map(_reads_a_clock, [node.left, *node.comparators])):
            yield node.lineno


@pytest.mark.parametrize(
    "claim",
    [
        "assert time.monotonic() - begun < 60",
        "assert outcome.run.seconds < 15",
        "assert 1 <= perf_counter() - start",
        "assert end['seconds'] >= 1.5",
        "assert begun + 50 <= session['deadline'] <= time.time() + 50",
        "while not found:\n    assert time.monotonic() < limit",
    ],
)
def test_a_timed_claim_is_found(claim: str) -> None:
    assert list(_timed_comparisons(claim))


@pytest.mark.parametrize("fact", ["assert fact.seconds == 0.5", "assert len(found) < 3", "time.sleep(0.1)"])
def test_other_assertions_are_no_timed_claims(fact: str) -> None:
    assert list(_timed_comparisons(fact)) == []


def test_no_assertion_depends_on_the_clock() -> None:
    found = {
        path.relative_to(TESTS).as_posix(): lines
        for path in FILES
        if (lines := list(_timed_comparisons(path.read_text(encoding="utf-8"))))
    }
    assert found.keys() == ALLOWED.keys(), found


def test_the_tests_of_inside_are_named_after_its_modules() -> None:
    modules = {path.relative_to(PACKAGE / "inside") for path in (PACKAGE / "inside").rglob("*.py")}
    strays = [
        path.relative_to(TESTS).as_posix()
        for path in (TESTS / "inside").rglob("test_*.py")
        if (path.relative_to(TESTS / "inside").with_name(path.name.removeprefix("test_"))) not in modules
    ]
    assert strays == []


def test_every_folder_of_tests_has_the_name_of_a_package() -> None:
    own = {"end_to_end", "fuzz", "hostile", "notebooks", "notebooks/cells", "notebooks/cells/tutorials", "support"}
    folders = {path.parent.relative_to(TESTS).as_posix() for path in FILES} - {".", *own}
    assert {folder for folder in folders if not (PACKAGE / folder / "__init__.py").exists()} == set()


GROUPS = """
import os, pathlib, pytest

@pytest.mark.parametrize("group", [pytest.param(g, marks=pytest.mark.xdist_group(g)) for g in "aaaabbbb"])
def test_group(group):
    pathlib.Path(f"{group}-{os.getpid()}").touch()
"""


def test_tests_of_one_group_run_in_one_process(tmp_path: Path) -> None:
    (tmp_path / "test_groups.py").write_text(GROUPS, encoding="utf-8")
    words = ("-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", "-p", "no:cacheprovider", "test_groups.py")
    done = subprocess.run([sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert sorted(path.name[0] for path in tmp_path.glob("?-*")) == ["a", "b"]
