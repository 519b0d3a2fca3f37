"""The public API: its names, signatures and types, that it loads lazily, and that it grades."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

import grader
from grader.schema.errors import RubricError, SubmissionPathError, UsageError
from tests.support.command import NOTEBOOKS, a_course, needs_bubblewrap
from tests.support.kept_results import keep_results
from tests.test_writing_a_check import FILES

ROOT = Path(__file__).parent.parent

NAMES = {
    "Assurance": "grader.schema.base.Assurance",
    "Case": "grader.facts.case.Case",
    "Diagnostic": "grader.schema.grade.Diagnostic",
    "Evidence": "grader.schema.evidence.Evidence",
    "Finding": "grader.schema.grade.Finding",
    "Grade": "grader.schema.grade.Grade",
    "GraderError": "grader.schema.errors.GraderError",
    "LoadedRubric": "grader.grading.loader.LoadedRubric",
    "Params": "grader.checks.support.params.Params",
    "Pointer": "grader.schema.base.Pointer",
    "Regrade": "grader.pipeline.regrade.Regrade",
    "Rubric": "grader.schema.rubric.Rubric",
    "Shown": "grader.report.shown.Shown",
    "Step": "grader.schema.progress.Step",
    "WithModel": "grader.checks.support.params.WithModel",
    "check": "grader.api.check",
    "grade": "grader.api.grade",
    "load_rubric": "grader.api.load_rubric",
    "regrade": "grader.api.regrade",
    "register_check": "grader.checks.registry.check",
    "register_diagnostic": "grader.checks.registry.diagnostic",
    "show": "grader.report.shown.show",
}
"""Public name → the class or function that it is."""

_ISOLATION = "Literal['auto', 'bubblewrap', 'container', 'user', 'none'] = 'auto'"
_DEVICE = "Literal['auto', 'cpu', 'gpu'] = 'auto'"
_RUBRIC = "str | pathlib.Path | grader.grading.loader.LoadedRubric"
_ON_STEP = "Callable[[grader.schema.progress.Step], None] | None = None"
SIGNATURES = {
    "load_rubric": "(rubric: str | pathlib.Path) -> grader.grading.loader.LoadedRubric",
    "grade": (
        "(paths: str | pathlib.Path | Iterable[str | pathlib.Path], "
        f"rubric: {_RUBRIC}, out: str | pathlib.Path, *, jobs: int | None = None, isolation: {_ISOLATION}, "
        f"device: {_DEVICE}, attempts: int | None = None, seed: int | None = None, resume: bool = True, "
        f"language: str | None = None, on_step: {_ON_STEP}) -> tuple[grader.schema.grade.Grade, ...]"
    ),
    "check": (
        f"(notebook: str | pathlib.Path, rubric: {_RUBRIC}, *, out: str | pathlib.Path | None = None, "
        f"isolation: {_ISOLATION}, device: {_DEVICE}, seed: int | None = None, quick: bool = False, "
        f"language: str | None = None, on_step: {_ON_STEP}) "
        "-> grader.schema.grade.Grade"
    ),
    "show": ("(grades: grader.schema.grade.Grade | Iterable[grader.schema.grade.Grade]) -> grader.report.shown.Shown"),
    "regrade": (
        f"(folder: str | pathlib.Path, rubric: {_RUBRIC} | None = None, *, language: str | None = None, "
        "on_progress: Callable[[int, int], None] | None = None) -> grader.pipeline.regrade.Regrade"
    ),
}

HEAVY = ("pydantic", "numpy", "nbclient", "jupyter_client", "typer", "rich", "jinja2", "yaml", "pathlib", "grader.api")
"""Modules that `import grader` must not import."""

SNIPPET = """\
from pathlib import Path

import grader


def main() -> list[float | None]:
    grades = grader.grade([Path("a.ipynb")], "mnist-cnn", "results", jobs=2, isolation="bubblewrap")
    changed: int = grader.regrade("results").changed
    return [grade.score for grade in grades] + [grader.check("a.ipynb", "mnist-cnn").score, changed]
"""
WRONG = {
    'import grader\ngrader.check("a.ipynb")\n': "call-arg",
    "import grader\ngrader.chek\n": "attr-defined",
    'import grader\ngrader.grade("a", "b", "c", isolation="firejail")\n': "arg-type",
    "from grader.schema.grade import Case\n": "attr-defined",
}


def test_the_public_names_are_exactly_these() -> None:
    assert set(grader.__all__) == {*NAMES, "__version__"}
    assert set(dir(grader)) >= set(grader.__all__)


@pytest.mark.parametrize("name", NAMES)
def test_each_public_name_is_documented_and_comes_from_its_module(name: str) -> None:
    value = getattr(grader, name)
    assert f"{value.__module__}.{value.__qualname__}" == NAMES[name]
    assert inspect.getdoc(value)


@pytest.mark.parametrize("name", SIGNATURES)
def test_the_signatures_are_fixed(name: str) -> None:
    signature = str(inspect.signature(getattr(grader, name)))
    assert signature.replace("typing.", "").replace("collections.abc.", "") == SIGNATURES[name]


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'chek'"):
        grader.chek  # type: ignore[attr-defined]  # noqa: B018 - the mistake of this test


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys; import grader; "
        f"heavy = set({HEAVY}) & set(sys.modules); own = sorted(n for n in sys.modules if n.startswith('grader')); "
        "assert not heavy, heavy; assert own == ['grader', 'grader._former_paths', 'grader.version'], own; "
        "grader.Finding; "
        "assert 'grader.api' not in sys.modules; grader.check; assert 'grader.api' in sys.modules"
    )
    # Without the site packages' own start-up files, which import what they like.
    env = {"PYTHONPATH": ":".join([str(ROOT), *(path for path in sys.path if path.endswith("site-packages"))])}
    subprocess.run([sys.executable, "-S", "-c", code], check=True, env=env)


@pytest.mark.slow
@pytest.mark.early
def test_type_checkers_see_the_api(tmp_path: Path) -> None:
    (tmp_path / "right.py").write_text(SNIPPET, encoding="utf-8")
    for name, text in FILES.items():
        (tmp_path / Path(name).name).write_text(text, encoding="utf-8")
    for number, source in enumerate(WRONG):
        (tmp_path / f"wrong{number}.py").write_text(source, encoding="utf-8")
    words = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", "cache", "."]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    errors = sorted(done.stdout.splitlines())
    assert [line.partition(":")[0] for line in errors] == [f"wrong{number}.py" for number in range(len(WRONG))], errors
    for line, code in zip(errors, WRONG.values(), strict=True):
        assert line.endswith(f"[{code}]")


def test_the_wheel_says_that_it_is_typed() -> None:
    files = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    assert "grader/py.typed" in files


def test_a_rubric_is_loaded_by_its_id_or_its_path() -> None:
    by_id = grader.load_rubric("mnist-cnn")
    assert by_id.rubric.id == "mnist-cnn"
    assert grader.load_rubric(by_id.path) == by_id
    with pytest.raises(RubricError, match="no rubric 'mnist'"):
        grader.load_rubric("mnist")


def test_a_results_folder_is_graded_again(tmp_path: Path) -> None:
    out = keep_results(tmp_path / "results", "keras-mnist-cnn", "amara", "ben")
    counted: list[tuple[int, int]] = []
    same = grader.regrade(out.root, on_progress=lambda done, total: counted.append((done, total)))
    assert (same.total, same.changed) == (2, 0)
    assert counted[-1] == (2, 2)
    shipped = grader.load_rubric("keras-mnist-cnn").path.read_text(encoding="utf-8")
    (tmp_path / "dearer.yaml").write_text(shipped.replace("points: 5\n", "points: 8\n", 1), encoding="utf-8")
    assert grader.regrade(str(out.root), tmp_path / "dearer.yaml").changed == 2


def test_a_results_folder_is_graded_again_in_another_language(tmp_path: Path) -> None:
    out = keep_results(tmp_path / "results", "keras-mnist-cnn", "amara")
    grader.regrade(out.root, language="de")
    page = out.report_path("amara").read_text(encoding="utf-8")
    assert '<html lang="de"' in page
    grader.regrade(out.root)
    assert out.report_path("amara").read_text(encoding="utf-8") == page
    grader.regrade(out.root, language="en")
    assert '<html lang="en"' in out.report_path("amara").read_text(encoding="utf-8")


def test_an_unknown_language_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="language"):
        grader.grade(NOTEBOOKS / "plain.ipynb", "mnist-cnn", tmp_path / "results", language="xx")
    with pytest.raises(UsageError, match="language"):
        grader.check(NOTEBOOKS / "plain.ipynb", "mnist-cnn", language="xx")
    assert not (tmp_path / "results").exists()


def test_a_folder_without_results_cannot_be_graded_again(tmp_path: Path) -> None:
    with pytest.raises(SubmissionPathError, match="the folder has no results"):
        grader.regrade(tmp_path)


@pytest.mark.bubblewrap
def test_a_class_and_one_notebook_are_graded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_bubblewrap()
    rubric = a_course(tmp_path / "course")
    monkeypatch.setenv("GRADER_DATA", str(rubric.parent / "data"))
    steps: list[grader.Step] = []
    notebook = NOTEBOOKS / "plain.ipynb"
    (whole,) = grader.grade(notebook, rubric, tmp_path / "results", jobs=1, on_step=steps.append)
    assert (whole.status, whole.score) == ("graded", 3)
    assert all(criterion.message for criterion in whole.criteria)
    assert (tmp_path / "results" / "index.html").is_file()
    assert [step.kind for step in steps if step.kind != "working"] == ["begun", "done"]
    assert '<html lang="en"' in (tmp_path / "results" / "index.html").read_text(encoding="utf-8")
    grader.grade(notebook, rubric, tmp_path / "results", jobs=1, language="de")
    assert '<html lang="de"' in (tmp_path / "results" / "index.html").read_text(encoding="utf-8")
    before = set(tmp_path.rglob("*"))
    assert grader.check(notebook, grader.load_rubric(rubric)).score == 3
    assert set(tmp_path.rglob("*")) == before
    with pytest.raises(SubmissionPathError, match="`check` grades one"):
        grader.check(NOTEBOOKS, rubric)
