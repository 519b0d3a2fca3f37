"""Registering and finding checks."""

import ast
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grader.checks import all_checks, all_diagnostics, check, diagnostic, registry
from grader.checks.registry import built_in_modules
from grader.checks.support.params import Params
from grader.facts.case import Case
from grader.schema.described import field_notes
from grader.schema.errors import HarnessError
from grader.schema.grade import Finding

HEADINGS = ("What it does:", "Why it matters:", "Example:")


@pytest.fixture
def fresh_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry, "_CHECKS", dict(registry._CHECKS))
    monkeypatch.setattr(registry, "_DIAGNOSTICS", dict(registry._DIAGNOSTICS))
    all_checks.cache_clear()
    all_diagnostics.cache_clear()
    yield
    all_checks.cache_clear()
    all_diagnostics.cache_clear()


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


def names_in(module: str) -> list[tuple[str, str]]:
    """(decorator, name) of each check and diagnostic that the source of a module registers."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return [
        (call.func.id, call.args[0].value)
        for node in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
        for call in node.decorator_list
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and isinstance(call.args[0], ast.Constant)
        if call.func.id in {"check", "diagnostic"} and isinstance(call.args[0].value, str)
    ]


@pytest.mark.parametrize("module", built_in_modules())
def test_each_module_registers_what_its_folder_is_for(module: str) -> None:
    package, _, name = module.rpartition(".")
    registered = names_in(module)
    if package == "grader.checks":
        assert registered == ([] if name == "registry" else [("check", name)])
    else:
        assert {kind for kind, _ in registered} == {"diagnostic"}


def test_each_name_is_registered_once_and_all_of_them_are_found() -> None:
    registered = [one for module in built_in_modules() for one in names_in(module)]
    assert len(registered) == len(set(registered))
    assert {name for kind, name in registered if kind == "check"} == set(all_checks())
    assert {name for kind, name in registered if kind == "diagnostic"} == set(all_diagnostics())


def test_a_new_module_is_found_without_a_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "course_checks"
    (package / "support").mkdir(parents=True)
    for name in ("__init__.py", "depth.py", "support/__init__.py", "support/helper.py"):
        (package / name).touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(registry, "_BUILT_IN", ("course_checks",))
    assert built_in_modules() == ("course_checks.depth",)


def test_the_folder_of_checks_holds_nothing_else() -> None:
    folder = Path(registry.__file__).parent
    packages = {path.name for path in folder.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert packages == {"support", "diagnostics"}
    assert {path.suffix for path in folder.iterdir() if path.is_file()} == {".py"}


@pytest.mark.parametrize("module", built_in_modules())
def test_each_check_has_its_test_file_and_its_page(module: str) -> None:
    package, _, name = module.rpartition(".")
    if package == "grader.checks":
        assert Path(__file__).with_name(f"test_{name}.py").is_file()
        assert name == "registry" or (Path(__file__).parents[2] / "docs" / "checks" / f"{name}.md").is_file()


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
    assert field_notes(spec.parameters).keys() == spec.parameters.model_fields.keys()
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


@pytest.mark.usefixtures("fresh_registry")
def test_what_is_registered_later_is_found_too() -> None:
    assert "later" not in all_checks()
    assert "later-note" not in all_diagnostics()

    def later(case: Case, params: Params) -> Finding:
        return Finding(status="passed", message=f"{len(case.evidence.cells)} {params}")

    check("later")(later)
    diagnostic("later-note")(lambda _: ())
    assert all_checks()["later"].run is later
    assert "later-note" in all_diagnostics()
