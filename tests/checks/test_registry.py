"""Registering and finding checks."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grader.checks import all_checks, all_diagnostics, check, registry
from grader.checks.support.params import Params
from grader.facts.case import Case
from grader.schema.errors import HarnessError
from grader.schema.grade import Finding

HEADINGS = ("What it does:", "Why it matters:", "Example:")


@pytest.fixture
def fresh_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry, "_CHECKS", dict(registry._CHECKS))
    all_checks.cache_clear()
    yield
    all_checks.cache_clear()


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    """Make a real installed distribution that brings a module of checks."""
    (folder / "their_checks.py").write_text(source)
    info = folder / "their_checks-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-checks\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[grader.checks]\ntheirs = their_checks\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "their_checks", raising=False)


THEIRS = '''
from grader.checks import check
from grader.checks.support.params import Params
from grader.facts.case import Case
from grader.schema.grade import Finding

@check("{name}")
def theirs(case: Case, params: Params) -> Finding:
    """Ours."""
    return Finding(status="passed", message="seen")
'''


def test_the_checks_of_the_first_assignment_are_there() -> None:
    assert set(all_checks()) >= {
        *("runs", "input_shape", "output_shape", "accuracy", "has_layer", "parameters", "trained", "plots", "text")
    }


@pytest.mark.parametrize("name", sorted(all_checks()))
def test_every_check_is_documented_under_the_same_headings(name: str) -> None:
    doc = all_checks()[name].doc
    assert [heading for heading in HEADINGS if heading not in doc] == []


@pytest.mark.parametrize("name", sorted(all_checks()))
def test_every_parameter_is_described_once_at_its_field(name: str) -> None:
    spec = all_checks()[name]
    assert [field for field, info in spec.parameters.model_fields.items() if not info.description] == []
    assert "Parameters:" not in spec.doc


@pytest.mark.parametrize("name", sorted(all_diagnostics()))
def test_every_diagnostic_is_documented(name: str) -> None:
    doc = all_diagnostics()[name].doc
    assert [heading for heading in ("What it does:", "Why it matters:", "Example:") if heading not in doc] == []


@pytest.mark.usefixtures("fresh_registry")
def test_an_installed_package_brings_its_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, THEIRS.format(name="theirs"))
    assert all_checks()["theirs"].doc == "Ours."


@pytest.mark.usefixtures("fresh_registry")
def test_an_installed_package_cannot_replace_a_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, THEIRS.format(name="accuracy"))
    with pytest.raises(HarnessError, match=r"'theirs'.*already registered by grader\.checks\.accuracy"):
        all_checks()


@pytest.mark.usefixtures("fresh_registry")
def test_a_broken_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "import nothing_of_this_name")
    with pytest.raises(HarnessError, match=r"'theirs'.*nothing_of_this_name"):
        all_checks()


@pytest.mark.usefixtures("fresh_registry")
def test_a_check_without_typed_parameters_is_refused() -> None:
    def untyped(case: Case, params: Any) -> Finding:
        return Finding(status="passed", message=f"{case} {params}")

    with pytest.raises(TypeError, match="pydantic model"):
        check("untyped")(untyped)


@pytest.mark.usefixtures("fresh_registry")
def test_the_decorator_gives_the_function_back() -> None:
    def ours(case: Case, params: Params) -> Finding:
        return Finding(status="passed", message=f"{len(case.evidence.cells)} {params}")

    assert check("ours")(ours) is ours
