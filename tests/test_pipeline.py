"""A class through the rooms: what one failure costs, what is executed again, what a grade holds."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grader import courses, pipeline, publishing, regrading
from grader.datasets.store import DatasetStore
from grader.execution.device import Device
from grader.execution.isolation import Bubblewrap, NoIsolation
from grader.execution.runner import execute
from grader.intake.find import find_submissions
from grader.report.page import render_report
from grader.schema.errors import HarnessError, RubricError, SandboxError, StorageError
from grader.schema.grade import Grade
from grader.store.results import ResultsFolder
from tests.command import NOTEBOOKS, RUBRIC, needs_bubblewrap, small_digits

pytestmark = pytest.mark.bubblewrap

Run = Callable[..., dict[str, Grade]]


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note the first code of each notebook that is really executed."""
    needs_bubblewrap()
    found: list[str] = []
    real = execute

    def note(request: Any, listener: Any) -> Any:
        found.append(next(cell.source for cell in request.notebook.cells if cell.cell_type == "code"))
        return real(request, listener)

    monkeypatch.setattr(pipeline, "execute", note)
    return found


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Grade notebooks with a small course into one results folder."""
    store = DatasetStore(tmp_path / "data")
    store.import_file("digits", small_digits(tmp_path / "digits.npz"))
    (tmp_path / "tiny.yaml").write_text(RUBRIC, encoding="utf-8")
    loaded = courses.find_rubric(str(tmp_path / "tiny.yaml"))
    course = courses.load_course(loaded, store)

    def go(*notebooks: Path, **options: Any) -> dict[str, Grade]:
        bench = pipeline.set_up(loaded, pipeline.Options(**options))
        found = find_submissions(notebooks, unpack_to=tmp_path / "unpacked")
        out = ResultsFolder(tmp_path / "out")
        outlines = pipeline.grade_class(found, course, bench, out, lambda _: None)
        whole = {one.submission.id: out.read_grade(one.submission.id) for one in outlines}
        return {name: grade for name, grade in whole.items() if grade is not None}

    return go


def test_a_second_run_executes_only_what_changed(run: Run, executed: list[str], tmp_path: Path) -> None:
    notebook = Path(shutil.copy(NOTEBOOKS / "plain.ipynb", tmp_path))
    first = run(notebook)
    assert run(notebook) == first
    assert len(executed) == 1
    notebook.write_text(notebook.read_text(encoding="utf-8").replace("[1, 2, 3]", "[4]"), encoding="utf-8")
    run(notebook)
    assert executed[1:] == ["numbers = [4]"]
    run(notebook, resume=False)
    assert len(executed) == 3


@pytest.mark.tensorflow
def test_a_class_gets_the_same_grades_from_warm_processes(
    run: Run, executed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: Any = vars(pipeline)["execute"]
    warm: list[bool] = []

    def note(request: Any, listener: Any) -> Any:
        outcome = noted(request, listener)
        warm.append(outcome.warm)
        return outcome

    monkeypatch.setattr(pipeline, "execute", note)
    notebooks = [NOTEBOOKS / f"{name}.ipynb" for name in ("no-kernel-metadata", "plain", "not-json")]
    cold = run(*notebooks, warm=False)
    forked = run(*notebooks, warm=True, resume=False, jobs=2)
    assert warm == [False, False, True, True]
    assert len(executed) == 4
    assert {name: _verdicts(grade) for name, grade in forked.items()} == {
        name: _verdicts(grade) for name, grade in cold.items()
    }


def _verdicts(grade: Grade) -> list[Any]:
    return [grade.status, grade.score, *((c.status, c.points, c.message, c.assurance) for c in grade.criteria)]


def test_a_class_that_cannot_be_graded_warm_is_graded_cold_and_says_so(tmp_path: Path) -> None:
    store = DatasetStore(tmp_path / "data")
    store.import_file("digits", small_digits(tmp_path / "digits.npz"))
    (tmp_path / "tiny.yaml").write_text(RUBRIC, encoding="utf-8")
    loaded = courses.find_rubric(str(tmp_path / "tiny.yaml"))
    bench = pipeline.set_up(loaded, pipeline.Options(isolation="none", warm=True))
    found = find_submissions([NOTEBOOKS / "plain.ipynb"], unpack_to=tmp_path / "unpacked")
    out = ResultsFolder(tmp_path / "out")
    (grade,) = pipeline.grade_class(found, courses.load_course(loaded, store), bench, out, lambda _: None)
    assert grade.score == 3
    assert bench.notices == ["started cold: there is no warm start with isolation 'none'"]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (SandboxError("the kernel did not start"), "the kernel did not start"),
        (LookupError("odd"), "a fault of the grader's own: LookupError: odd"),
    ],
)
def test_a_failure_of_the_grader_costs_one_submission_and_is_tried_again(  # noqa: PLR0913, PLR0917 - fixtures
    run: Run, executed: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fault: Exception, said: str
) -> None:
    noted: Any = vars(pipeline)["execute"]

    def fail(request: Any, listener: Any) -> Any:
        if any("a kernel" in cell.source for cell in request.notebook.cells):
            raise fault
        return noted(request, listener)

    notebooks = [NOTEBOOKS / f"{name}.ipynb" for name in ("no-kernel-metadata", "plain", "not-json")]
    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "execute", fail)
        grades = run(*notebooks)
    failed = grades.pop("no-kernel-metadata")
    assert (failed.status, failed.score) == ("not_graded", None)
    assert said in (failed.reason or "")
    assert {c.status for c in failed.criteria} == {"skipped"}
    assert {name: grade.score for name, grade in grades.items()} == {"plain": 3, "not-json": 0}
    assert ResultsFolder(tmp_path / "out").read_grade("no-kernel-metadata") == failed
    assert "no-kernel-metadata" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    executed.clear()
    again = run(*notebooks)
    assert again["no-kernel-metadata"].score == 2
    assert executed == ["print('no word about a kernel')"]


def test_a_report_that_fails_is_no_grade_but_costs_only_its_own_submission(
    run: Run, executed: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = render_report

    def fail(**parts: Any) -> Any:
        if parts["grade"].submission.id == "plain":
            raise ZeroDivisionError
        return real(**parts)

    with monkeypatch.context() as patched:
        patched.setattr(publishing, "render_report", fail)
        grades = run(NOTEBOOKS / "plain.ipynb", NOTEBOOKS / "not-json.ipynb")
    assert (grades["plain"].status, grades["not-json"].status) == ("not_graded", "graded")
    assert not (tmp_path / "out" / "plain" / "report.html").exists()
    assert run(NOTEBOOKS / "plain.ipynb")["plain"].score == 3
    assert len(executed) == 1


def test_results_that_cannot_be_written_end_the_run(
    run: Run, executed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        msg = "cannot write: the disk is full"
        raise StorageError(msg)

    monkeypatch.setattr(ResultsFolder, "write_grade", full)
    with pytest.raises(HarnessError, match="the disk is full"):
        run(NOTEBOOKS / "not-json.ipynb")
    assert executed == []


def test_evidence_of_an_earlier_notebook_is_not_taken_for_a_later_one_s(
    run: Run, executed: list[str], tmp_path: Path
) -> None:
    notebook = Path(shutil.copy(NOTEBOOKS / "plain.ipynb", tmp_path))
    assert run(notebook)["plain"].score == 3
    notebook.write_text("import keras\n", encoding="utf-8")
    rejected = run(notebook)["plain"]
    assert rejected.score == 0
    out = ResultsFolder(tmp_path / "out")
    course = courses.load_course(courses.find_rubric(str(tmp_path / "tiny.yaml")), DatasetStore(tmp_path / "data"))
    assert regrading.regrade_class(course, out) == regrading.Regrade(total=1, not_graded=0, changed=())
    assert out.read_grade("plain") == rejected
    assert not out.evidence_folder("plain").exists()
    assert len(executed) == 1


def test_evidence_that_is_damaged_is_told_and_costs_one_submission(
    run: Run, executed: list[str], tmp_path: Path
) -> None:
    run(NOTEBOOKS / "plain.ipynb", NOTEBOOKS / "no-kernel-metadata.ipynb")
    out = ResultsFolder(tmp_path / "out")
    (out.evidence_folder("plain") / "evidence.json").write_text("{", encoding="utf-8")
    course = courses.load_course(courses.find_rubric(str(tmp_path / "tiny.yaml")), DatasetStore(tmp_path / "data"))
    result = regrading.regrade_class(course, out)
    assert (result.not_graded, [one.submission for one in result.changed]) == (1, ["plain"])
    assert "damaged" in result.changed[0].changes[0].why
    new = {name: out.read_grade(name) for name in out.submissions()}
    assert {name: (grade.status, grade.score) for name, grade in new.items() if grade} == {
        "plain": ("not_graded", None),
        "no-kernel-metadata": ("graded", 2),
    }
    assert len(executed) == 2


def test_several_attempts_are_refused_and_not_taken_for_one(tmp_path: Path) -> None:
    file = tmp_path / "tiny.yaml"
    file.write_text(RUBRIC.replace("run: {", "run: {attempts: 3, "), encoding="utf-8")
    with pytest.raises(RubricError, match="attempts"):
        pipeline.set_up(courses.find_rubric(str(file)), pipeline.Options(isolation="none"))


def test_a_grade_of_a_real_training_is_the_contract_s(run: Run, tmp_path: Path) -> None:
    needs_bubblewrap()
    run(NOTEBOOKS / "tiny-cnn.ipynb")
    grade = json.loads((tmp_path / "out" / "tiny-cnn" / "grade.json").read_text(encoding="utf-8"))
    assert set(grade) == {
        *("version", "submission", "rubric", "status", "reason", "score", "max_score", "pending"),
        *("criteria", "models", "diagnostics", "execution", "reference"),
    }
    assert (grade["version"], grade["status"], grade["reason"]) == (1, "graded", None)
    assert {"id", "student", "files", "sha256"} <= set(grade["submission"])
    assert {"id", "sha256"} <= set(grade["rubric"])
    wanted = {"id", "title", "points", "max_points", "status", "message", "advice", "assurance", "measured", "evidence"}
    assert all(wanted <= set(criterion) for criterion in grade["criteria"])
    assert all(set(pointer) == {"cell", "event"} for c in grade["criteria"] for pointer in c["evidence"])
    (model,) = grade["models"]
    assert {"name", "roles", "input_shape", "output_shape", "parameters", "layers", "accuracy"} <= set(model)
    layer = {"name", "class", "output_shape", "parameters", "trainable", "config"}
    assert all(layer <= set(one) for one in model["layers"])
    accuracy = model["accuracy"]["digits/test"]
    assert 0 <= accuracy["low"] <= accuracy["value"] <= accuracy["high"] <= 1
    assert accuracy["assurance"] == "verified"
    execution = {
        *("status", "seconds", "cells_run", "cells_total", "errors", "peak_memory_mib"),
        *("device", "seed", "versions"),
    }
    assert execution <= set(grade["execution"])
    assert grade["execution"]["status"] == "completed"
    assert grade["execution"]["versions"]["keras"].startswith("3.")
    assert grade["reference"] is None


@pytest.mark.parametrize(
    ("asked", "isolation", "device", "submissions", "forks"),
    [
        (None, "bubblewrap", "cpu", 2, True),
        (None, "bubblewrap", "cpu", 1, False),
        (None, "none", "cpu", 300, False),
        (None, "bubblewrap", "gpu", 300, False),
        (False, "bubblewrap", "cpu", 300, False),
        (True, "bubblewrap", "cpu", 1, True),
    ],
)
def test_kernels_are_forked_where_that_is_safe_and_pays(
    *, asked: bool | None, isolation: str, device: Any, submissions: int, forks: bool
) -> None:
    walls = Bubblewrap() if isolation == "bubblewrap" else NoIsolation()
    options = pipeline.Options(warm=asked)
    bench = pipeline.Bench(walls, Device(kind=device), threads=1, options=options, python=Path("python"))
    assert pipeline._forks(bench, submissions) is forks
    assert bool(bench.notices) is (device == "gpu")
