"""The audit of dependencies: what nobody knows is never reported as "no vulnerability"."""

import json
from typing import Any

import pytest

from tests.support.uv_calls import note_uv_calls
from tools.audit import main, verdict

CLEAN = {"name": "numpy", "version": "2.4.6", "vulns": []}
AFFECTED = {
    "name": "jinja2",
    "version": "3.0",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["3.1"]}, {"id": "GHSA-2", "fix_versions": []}],
}
SKIPPED = {"name": "rich", "skip_reason": "Dependency not found on PyPI and could not be audited: rich (13.9)"}


def report(*packages: dict[str, Any]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


@pytest.mark.parametrize(
    ("packages", "code"),
    [
        ([CLEAN], 0),
        ([CLEAN, AFFECTED], 1),
        ([AFFECTED, SKIPPED], 1),
        ([CLEAN, SKIPPED], 2),
        ([SKIPPED], 2),
        ([], 2),
    ],
)
def test_the_exit_code_says_what_is_known(packages: list[dict[str, Any]], code: int) -> None:
    assert verdict(report(*packages), "").code == code


def test_each_vulnerability_is_named_with_the_version_that_fixes_it() -> None:
    text = "\n".join(verdict(report(CLEAN, AFFECTED, SKIPPED), "").lines)
    assert "jinja2 3.0: PYSEC-1, fixed in 3.1" in text
    assert "jinja2 3.0: GHSA-2, fixed in no version yet" in text
    assert "no answer about 1 of 3 packages (rich)" in text


@pytest.mark.parametrize("output", ["", "not json", "[]", "{}", "null", '{"dependencies": null}'])
def test_without_a_report_nothing_is_known_and_the_reason_is_shown(output: str) -> None:
    result = verdict(output, "first\nConnectionError: no route\n")
    assert (result.code, result.lines[-1][:15]) in {(2, "ConnectionError"), (2, "It could not be")}
    assert result.lines[0].startswith("UNKNOWN")


def test_pip_audit_comes_from_the_index_of_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UV_DEFAULT_INDEX", raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example/simple")
    calls = note_uv_calls(monkeypatch, report(CLEAN))
    assert main([]) == 0
    ((words, variables),) = calls
    assert words[:2] == ["tool", "run"]
    assert variables["UV_DEFAULT_INDEX"] == "https://index.example/simple"
