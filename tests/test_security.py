"""The page about security: each promise names a test that exists, and the figures are about targets that exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.fuzz.target import all_targets

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
PROMISE = re.compile(r"^\| (?P<promise>[^|]+) \| (?P<test>`tests/[^|`]+`) \|$", re.MULTILINE)
FIGURE = re.compile(
    r"^\| (?P<target>[^|]+) \| (?P<inputs>[\d,]+) \| (?P<seconds>[\d,]+) \| (?P<findings>\d+)", re.MULTILINE
)


@cache
def _tests_of(file: str) -> frozenset[str]:
    """Names of the test functions of a file; none if there is no such file."""
    path = ROOT / file
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if path.is_file() else ()
    return frozenset(node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize(("promise", "test"), PROMISE.findall(PAGE))
def test_each_promise_names_a_test_that_exists(promise: str, test: str) -> None:
    (named,) = NAMED.findall(test)
    assert named[1] in _tests_of(named[0]), promise


def test_a_test_that_does_not_exist_would_be_noticed() -> None:
    assert "test_each_promise_names_a_test_that_exists" in _tests_of("tests/test_security.py")
    assert "test_nothing" not in _tests_of("tests/test_security.py")
    assert _tests_of("tests/test_no_such_file.py") == frozenset()


def test_there_are_promises_and_all_named_tests_are_in_their_table() -> None:
    assert len(PROMISE.findall(PAGE)) >= 30
    assert len(NAMED.findall(PAGE)) == len(PROMISE.findall(PAGE))


def test_there_are_figures_of_each_target() -> None:
    assert {match["target"].strip("`") for match in FIGURE.finditer(PAGE)} == all_targets().keys()


def test_the_policy_leads_to_the_page_and_invents_no_address() -> None:
    policy = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert "docs/security.md" in policy
    assert "Report a vulnerability" in policy
    assert re.search(r"[\w.]+@[\w.]+", policy) is None
