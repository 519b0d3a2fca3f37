"""Checks of other packages may use the import paths of the version before."""

import importlib
import subprocess
import sys
import warnings

import pytest

from grader import _former_paths
from grader._former_paths import MOVED
from grader.facts import case
from grader.schema import grade


@pytest.mark.parametrize("old", MOVED)
def test_a_former_path_is_the_same_module_and_names_the_new_path(old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, old, raising=False)
    with pytest.warns(DeprecationWarning, match=f"^{old} is now {MOVED[old]}$"):
        module = importlib.import_module(old)
    assert module is importlib.import_module(MOVED[old])
    assert module.__name__ == MOVED[old]


@pytest.mark.parametrize("name", ["Case", "CheckSpec", "DiagnosticSpec"])
def test_the_case_is_found_where_it_was(name: str) -> None:
    with pytest.warns(DeprecationWarning, match=f"grader.facts.case.{name}"):
        assert getattr(grade, name) is getattr(case, name)


def test_a_name_that_never_was_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Suitcase'"):
        grade.Suitcase  # type: ignore[attr-defined]  # noqa: B018 - the mistake of this test
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("grader.checks.suitcase")


def test_the_warning_points_to_the_import_of_the_other_package() -> None:
    code = "from grader.checks.params import Params\nfrom grader.schema.grade import Case\nprint(Params, Case)"
    done = subprocess.run(
        [sys.executable, "-W", "always::DeprecationWarning:__main__", "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    warned = [line for line in done.stderr.splitlines() if "DeprecationWarning" in line]
    assert [line.partition(": ")[0] for line in warned] == ["<string>:1", "<string>:2"]
    assert "grader.facts.case.Case" in done.stdout


def test_the_finder_is_added_once_and_the_new_paths_warn_nobody() -> None:
    before = list(sys.meta_path)
    _former_paths.install()
    assert sys.meta_path == before
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for new in MOVED.values():
            importlib.import_module(new)
