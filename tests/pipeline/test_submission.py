"""A class through the rooms: what one failure costs, what is executed again, what a grade holds."""

import errno
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest

from grader.datasets.store import DatasetStore
from grader.execution.gpu_errors import check_gpu_memory
from grader.execution.runner import execute
from grader.execution.sandbox.bubblewrap import Bubblewrap
from grader.execution.sandbox.device import Device
from grader.execution.sandbox.load import Load
from grader.execution.sandbox.unprotected import NoIsolation
from grader.inside.describe.fingerprint import fingerprint
from grader.intake import find
from grader.intake import notebook as intake_notebook
from grader.intake.find import find_submissions
from grader.pipeline import attempts, execution, publish, submission
from grader.pipeline.classroom import grade_class, kept_of_others
from grader.pipeline.course import Course, assemble_course, load_course
from grader.pipeline.execution import _misses, _runtime, keys_of, settings_of
from grader.pipeline.reference import read_reference, write_reference
from grader.pipeline.regrade import Regrade, regrade_class
from grader.pipeline.rubrics import find_rubric
from grader.pipeline.setup import Bench, Options, _forks, set_up
from grader.report.page import render_report
from grader.schema.errors import HarnessError, PredictorError, ReferenceMissingError, SandboxError, StorageError
from grader.schema.grade import Grade, RubricStamp, SubmissionStamp
from grader.schema.rubric import RunSettings
from grader.schema.submission import CellError, Submission
from grader.store.attempts import AttemptsFolder
from grader.store.results import ResultsFolder
from tests.support.command import NOTEBOOKS, RUBRIC, needs_bubblewrap, small_digits
from tests.support.factories import an_evidence
from tests.support.warm_grading import grade_warm

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

    monkeypatch.setattr(execution, "execute", note)
    return found


@pytest.fixture
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """Grade notebooks with a small course into one results folder; a test may give the rubric."""
    store = DatasetStore(tmp_path / "data")
    store.import_file("digits", small_digits(tmp_path / "digits.npz"))
    (tmp_path / "tiny.yaml").write_text(request.param if hasattr(request, "param") else RUBRIC, encoding="utf-8")
    loaded = find_rubric(str(tmp_path / "tiny.yaml"))
    course = load_course(loaded, store)

    def go(*notebooks: Path, **options: Any) -> dict[str, Grade]:
        bench = set_up(loaded, Options(**{"warm": False, **options}))
        found = find_submissions(notebooks, unpack_to=tmp_path / "unpacked")
        out = ResultsFolder(tmp_path / "out")
        outlines = grade_warm(found, course, bench, out)
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


def test_a_grade_that_nothing_changed_about_is_neither_judged_nor_rendered_again(
    run: Run, executed: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    notebook = Path(shutil.copy(NOTEBOOKS / "plain.ipynb", tmp_path))
    out = ResultsFolder(tmp_path / "out")
    done: list[str] = []

    def note(name: str, real: Any, *inputs: Any, **options: Any) -> Any:
        done.append(name)
        return real(*inputs, **options)

    for name in ("judge", "render"):
        home: Any = publish if name == "render" else submission
        real = vars(home)[name]
        monkeypatch.setattr(home, name, partial(note, name, real))

    def what_a_run_does() -> list[str]:
        done.clear()
        grades.append(run(notebook)["plain"])
        return list(done)

    grades: list[Grade] = []
    assert what_a_run_does() == ["judge", "render"]
    assert what_a_run_does() == []
    report = out.report_path("plain").read_bytes()
    for spoil in (
        out.report_path("plain").unlink,
        lambda: out.grade_path("plain").write_text(out.grade_path("plain").read_text().replace("3.0", "2.0")),
        lambda: out.report_path("plain").write_bytes(report[:100]),
        lambda: out.executed_path("plain").write_text(out.executed_path("plain").read_text() + "\n"),
    ):
        spoil()
        assert what_a_run_does() == ["judge", "render"]
        assert what_a_run_does() == []
        assert out.report_path("plain").read_bytes() == report
    assert len(set(map(repr, grades))) == 1
    assert len(executed) == 1


def test_what_decides_a_grade_decides_whether_it_is_made_again(
    run: Run, executed: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert run(NOTEBOOKS / "plain.ipynb")["plain"].score == 3
    store = DatasetStore(tmp_path / "data")
    file = tmp_path / "tiny.yaml"
    loaded = find_rubric(str(file))
    basis = load_course(loaded, store).basis
    assert load_course(loaded, store).basis == basis
    file.write_text(RUBRIC + "# a remark\n", encoding="utf-8")
    other_rubric = load_course(find_rubric(str(file)), store).basis
    reference = ResultsFolder(tmp_path / "out").read_evidence("plain")
    other_reference = assemble_course(loaded, reference, store).basis
    monkeypatch.setattr("grader.pipeline.course.grading_code", lambda: "other code")
    other_code = load_course(loaded, store).basis
    store.import_file("digits", small_digits(tmp_path / "more.npz", train=40))
    other_data = load_course(loaded, store).basis
    assert len({basis, other_rubric, other_reference, other_code, other_data}) == 5
    assert len(executed) == 1


def test_a_file_beside_the_notebook_that_changed_executes_it_again(
    run: Run, executed: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "class" / "anna"
    folder.mkdir(parents=True)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import helper", id="c1")])
    nbformat.write(notebook, folder / "work.ipynb")
    (folder / "helper.py").write_text("1 / 0", encoding="utf-8")
    assert run(folder)["anna"].score == 0
    run(folder)
    assert len(executed) == 1
    (folder / "helper.py").write_text("1 / 1", encoding="utf-8")
    assert run(folder)["anna"].score == 2
    assert len(executed) == 2


@pytest.mark.parametrize("when", ["before", "during"])
def test_a_data_set_that_vanishes_is_no_students_failure_and_is_prepared_again(
    run: Run, executed: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, when: str
) -> None:
    noted: Any = vars(execution)["execute"]
    store = DatasetStore(tmp_path / "data")

    def lose(request: Any, listener: Any) -> Any:
        outcome = noted(request, listener)
        shutil.rmtree(store.root / "digits")
        return outcome

    with monkeypatch.context() as patched:
        if when == "before":
            shutil.rmtree(store.root / "digits")
        else:
            patched.setattr(execution, "execute", lose)
        grade = run(NOTEBOOKS / "plain.ipynb")["plain"]
    assert (grade.status, grade.score) == ("not_graded", None)
    assert "the data set `digits` is incomplete" in (grade.reason or "")
    assert "tmp" not in str([c.message for c in grade.criteria])
    load_course(find_rubric(str(tmp_path / "tiny.yaml")), store)
    assert run(NOTEBOOKS / "plain.ipynb")["plain"].score == 3
    assert len(executed) == (1 if when == "before" else 2)


def test_a_data_set_that_is_exchanged_meanwhile_is_told(
    run: Run, executed: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    noted: Any = vars(execution)["execute"]

    def exchange(request: Any, listener: Any) -> Any:
        outcome = noted(request, listener)
        store = DatasetStore(tmp_path / "data")
        store.import_file("digits", small_digits(tmp_path / "more.npz", train=40))
        store.prepare("digits", fingerprint)
        return outcome

    monkeypatch.setattr(execution, "execute", exchange)
    grade = run(NOTEBOOKS / "plain.ipynb")["plain"]
    assert grade.status == "not_graded"
    assert "was replaced by another one" in (grade.reason or "")
    assert len(executed) == 1


def test_files_that_are_exchanged_meanwhile_are_told_and_executed_again(
    run: Run, executed: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "class" / "anna"
    folder.mkdir(parents=True)
    cell = nbformat.v4.new_code_cell("import helper", id="c0")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), folder / "work.ipynb")
    helper = folder / "helper.py"
    helper.write_text("1 / 0", encoding="utf-8")
    noted: Any = vars(execution)["execute"]

    def exchange(request: Any, listener: Any) -> Any:
        outcome = noted(request, listener)
        helper.write_text("1 / 1", encoding="utf-8")
        return outcome

    with monkeypatch.context() as patched:
        patched.setattr(execution, "execute", exchange)
        grade = run(folder)["anna"]
    assert grade.status == "not_graded"
    assert "were replaced while it was graded" in (grade.reason or "")
    assert run(folder)["anna"].score == 2
    assert len(executed) == 2


def test_a_scratch_disk_that_is_full_is_said_in_words(
    run: Run, executed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/scratch/x.npy")

    with monkeypatch.context() as patched:
        patched.setattr(execution, "build_evidence", lambda **_: full())
        grade = run(NOTEBOOKS / "plain.ipynb")["plain"]
    assert grade.status == "not_graded"
    assert (grade.reason or "").startswith("/scratch/x.npy: the disk is full")
    assert run(NOTEBOOKS / "plain.ipynb")["plain"].score == 3
    assert len(executed) == 2


@pytest.mark.tensorflow
@pytest.mark.slow
def test_a_class_gets_the_same_grades_from_warm_processes(
    run: Run, executed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: Any = vars(execution)["execute"]
    warm: list[bool] = []

    def note(request: Any, listener: Any) -> Any:
        outcome = noted(request, listener)
        warm.append(outcome.warm)
        return outcome

    monkeypatch.setattr(execution, "execute", note)
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
    loaded = find_rubric(str(tmp_path / "tiny.yaml"))
    bench = set_up(loaded, Options(isolation="none", warm=True))
    found = find_submissions([NOTEBOOKS / "plain.ipynb"], unpack_to=tmp_path / "unpacked")
    out = ResultsFolder(tmp_path / "out")
    (grade,) = grade_warm(found, load_course(loaded, store), bench, out)
    assert grade.score == 3
    assert bench.notices == ["started cold: there is no warm start with isolation 'none'"]


def test_a_class_is_graded_on_the_bench_that_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command decides once whether there are warm processes."""
    course = _course(tmp_path, RUBRIC)
    bench = set_up(course.loaded, Options(isolation="none", warm=True))
    found = find_submissions([NOTEBOOKS / "plain.ipynb"], unpack_to=tmp_path / "unpacked")
    monkeypatch.setattr("grader.pipeline.setup.WarmPool", pytest.fail)
    (grade,) = grade_class(found, course, bench, ResultsFolder(tmp_path / "out"), lambda _: None)
    assert grade.score == 3
    assert bench.notices == []


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (SandboxError("the kernel did not start"), "the kernel did not start"),
        (LookupError("odd"), "an error in the grader: LookupError: odd"),
    ],
)
def test_a_failure_of_the_grader_costs_one_submission_and_is_tried_again(  # noqa: PLR0913, PLR0917 - fixtures
    run: Run, executed: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fault: Exception, said: str
) -> None:
    noted: Any = vars(execution)["execute"]

    def fail(request: Any, listener: Any) -> Any:
        if any("a kernel" in cell.source for cell in request.notebook.cells):
            raise fault
        return noted(request, listener)

    notebooks = [NOTEBOOKS / f"{name}.ipynb" for name in ("no-kernel-metadata", "plain", "not-json")]
    with monkeypatch.context() as patched:
        patched.setattr(execution, "execute", fail)
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


@pytest.mark.parametrize(("busy", "executions", "status"), [(1, 2, "graded"), (2, 2, "not_graded")])
def test_a_notebook_that_ran_out_of_time_on_a_busy_machine_runs_once_more(  # noqa: PLR0913, PLR0917 - fixtures
    run: Run, executed: list[str], monkeypatch: pytest.MonkeyPatch, busy: int, executions: int, status: str
) -> None:
    noted: Any = vars(execution)["execute"]
    quiet: list[bool] = []
    starved = Load(seconds=5.0, cores=2, cpu_seconds=2.0, waited_seconds=6.0, others_seconds=7.0)

    def crowd(request: Any, listener: Any) -> Any:
        outcome = noted(request, listener)
        if len(executed) > busy or quiet:
            return outcome
        return replace(outcome, run=outcome.run.model_copy(update={"status": "timeout"}), load=starved)

    monkeypatch.setattr(execution, "execute", crowd)
    (found,) = run(NOTEBOOKS / "plain.ipynb").values()
    assert (found.status, len(executed)) == (status, executions)
    if status == "graded":
        assert found.score == 3
        return
    assert found.score is None
    assert "the notebook got only 25% of the CPU time that it could use" in (found.reason or "")
    executed.clear()
    quiet.append(True)
    (again,) = run(NOTEBOOKS / "plain.ipynb").values()
    assert (again.status, len(executed)) == ("graded", 1)


@pytest.mark.parametrize(("full", "status"), [(1, "graded"), (2, "not_graded")])
def test_a_notebook_that_found_a_shared_gpu_full_runs_once_more(
    run: Run, executed: list[str], monkeypatch: pytest.MonkeyPatch, full: int, status: str
) -> None:
    noted: Any = vars(execution)["execute"]
    message = "OOM when allocating tensor on device:GPU:0 by allocator GPU_0_bfc"
    error = CellError(cell=0, name="ResourceExhaustedError", message=message)
    shared = Device("gpu", 0, "Tesla T4", shared=True)

    def crowd(request: Any, listener: Any) -> Any:
        outcome = noted(request, listener)
        if len(executed) > full:
            return outcome
        return replace(outcome, run=outcome.run.model_copy(update={"status": "cell_error", "errors": (error,)}))

    monkeypatch.setattr(execution, "execute", crowd)
    monkeypatch.setattr(execution, "check_gpu_memory", lambda errors, _: check_gpu_memory(errors, shared))
    (found,) = run(NOTEBOOKS / "plain.ipynb").values()
    assert (found.status, len(executed)) == (status, 2)
    assert status == "graded" or "the GPU Tesla T4 had no free memory" in (found.reason or "")


def test_a_notebook_that_used_its_time_for_nothing_gets_no_second_try(
    run: Run, executed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: Any = vars(execution)["execute"]
    asleep = Load(seconds=5.0, cores=2, cpu_seconds=0.1, waited_seconds=0.1, others_seconds=9.9)

    def sleep(request: Any, listener: Any) -> Any:
        outcome = noted(request, listener)
        return replace(outcome, run=outcome.run.model_copy(update={"status": "timeout"}), load=asleep)

    monkeypatch.setattr(execution, "execute", sleep)
    (found,) = run(NOTEBOOKS / "plain.ipynb").values()
    assert (found.status, len(executed)) == ("graded", 1)
    assert found.execution is not None
    assert found.execution.status == "timeout"


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize(
    ("code", "status"), [("while True: pass", "not_graded"), ("import time; time.sleep(99)", "graded")]
)
@pytest.mark.parametrize("run", [RUBRIC.replace("60 s", "6 s")], indirect=True, ids=["six seconds"])
def test_on_a_loaded_machine_a_busy_notebook_is_starved_and_a_sleeping_one_is_not(
    run: Run, executed: list[str], tmp_path: Path, code: str, status: str
) -> None:
    notebook = tmp_path / "own" / "busy.ipynb"
    notebook.parent.mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)]), notebook)
    with ExitStack() as load:
        for _ in range(3 * len(os.sched_getaffinity(0))):
            # The scheduler may share the cores between sessions, so programs of one session would take too little.
            other = load.enter_context(
                subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
            )
            load.callback(other.kill)
        (found,) = run(notebook).values()
    assert found.status == status
    assert len(executed) == (2 if status == "not_graded" else 1)
    assert found.execution is None or found.execution.status == "timeout"


@pytest.mark.parametrize("kinds", [{"whole"}, {"whole", "alone"}], ids=["the whole report", "any report"])
def test_a_report_that_fails_does_not_undo_a_grade(
    run: Run, executed: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kinds: set[str]
) -> None:
    real = render_report

    def fail(**parts: Any) -> Any:
        kind = "alone" if parts["evidence"] is None else "whole"
        if parts["grade"].submission.id == "plain" and kind in kinds:
            raise ZeroDivisionError
        return real(**parts)

    with monkeypatch.context() as patched:
        patched.setattr(publish, "render_report", fail)
        grades = run(NOTEBOOKS / "plain.ipynb", NOTEBOOKS / "not-json.ipynb")
    assert (grades["plain"].status, grades["plain"].score) == ("graded", 3)
    page = (tmp_path / "out" / "plain" / "report.html").read_text(encoding="utf-8")
    assert "The grader could not render the whole report (ZeroDivisionError)." in page
    assert grades["plain"].criteria[0].title in page
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
    course = load_course(find_rubric(str(tmp_path / "tiny.yaml")), DatasetStore(tmp_path / "data"))
    assert regrade_class(course, out) == Regrade(total=1, not_graded=0, changed=0, first=())
    assert out.read_grade("plain") == rejected
    assert not out.evidence_folder("plain").exists()
    assert len(executed) == 1


def test_the_text_of_a_notebook_that_is_not_executed_counts_also_in_a_regrade(
    run: Run, executed: list[str], tmp_path: Path
) -> None:
    cells = [nbformat.v4.new_markdown_cell("layers see small patches"), nbformat.v4.new_code_cell("x <- 1")]
    written = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": {"name": "ir", "display_name": "R"}})
    notebook = tmp_path / "words.ipynb"
    nbformat.write(written, notebook)
    graded = run(notebook)["words"]
    assert [c.status for c in graded.criteria] == ["failed", "passed"]
    assert (graded.score, graded.execution, executed) == (1, None, [])
    out = ResultsFolder(tmp_path / "out")
    course = load_course(find_rubric(str(tmp_path / "tiny.yaml")), DatasetStore(tmp_path / "data"))
    assert regrade_class(course, out) == Regrade(total=1, not_graded=0, changed=0, first=())
    assert out.read_grade("words") == graded
    assert run(notebook)["words"] == graded
    shutil.copy(NOTEBOOKS / "plain.ipynb", notebook)
    assert run(notebook)["words"].score == 3


@pytest.mark.parametrize("when", ["before it is found", "when its turn comes"])
def test_a_notebook_that_cannot_be_read_is_not_graded_and_costs_no_evidence(
    run: Run, executed: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, when: str
) -> None:
    notebook = Path(shutil.copy(NOTEBOOKS / "plain.ipynb", tmp_path))
    graded, out = run(notebook)["plain"], ResultsFolder(tmp_path / "out")
    module, name = (find, "_file_digest") if when == "before it is found" else (intake_notebook, "_read")

    def drop(*_: object) -> Any:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    with monkeypatch.context() as patched:
        patched.setattr(module, name, drop)
        grade = run(notebook, resume=False)["plain"]
    assert (grade.status, grade.score) == ("not_graded", None)
    assert "cannot be read (Stale file handle)" in (grade.reason or "")
    assert out.read_evidence("plain") is not None
    assert run(notebook)["plain"].score == graded.score == 3
    assert len(executed) == (1 if when == "before it is found" else 2)


def test_a_notebook_that_is_exchanged_meanwhile_is_told_and_executed_again(
    run: Run, executed: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    notebook = Path(shutil.copy(NOTEBOOKS / "plain.ipynb", tmp_path))
    real = find_submissions

    def exchange(*paths: Any, **options: Any) -> Any:
        found = real(*paths, **options)
        notebook.write_text(notebook.read_text(encoding="utf-8").replace("[1, 2, 3]", "[4]"), encoding="utf-8")
        return found

    with monkeypatch.context() as patched:
        patched.setitem(globals(), "find_submissions", exchange)
        grade = run(notebook)["plain"]
    assert grade.status == "not_graded"
    assert "changed while the class was graded" in (grade.reason or "")
    assert executed == []
    assert run(notebook)["plain"].score == 3
    assert executed == ["numbers = [4]"]


def _kept(out: ResultsFolder, folder: Path, *files: str) -> tuple[str, ...]:
    """Warnings for notebooks of a folder, whose grades are then kept."""
    folder.mkdir(exist_ok=True)
    for name in files:
        (folder / name).write_text(f"{folder.name} {name}", encoding="utf-8")
    found = find_submissions([folder / name for name in files], unpack_to=folder / "unpacked")
    warnings = kept_of_others(found, out)
    for one in found:
        stamp = SubmissionStamp(id=one.id, student=one.student, files=one.files, sha256=one.sha256)
        rubric = RubricStamp(id="tiny", sha256="", title="")
        out.write_grade(Grade(submission=stamp, rubric=rubric, status="not_graded", score=None, max_score=3, pending=0))
    return warnings


def test_results_of_others_and_names_that_two_sections_share_are_told(tmp_path: Path) -> None:
    out = ResultsFolder(tmp_path / "out")
    assert _kept(out, tmp_path / "a", "lee.ipynb", "ann.ipynb") == ()
    others, replaced = _kept(out, tmp_path / "b", "lee.ipynb", "bob.ipynb")
    assert f"{out.root} also has results of 1 other submission: ann; it stays" in others
    assert "the results of 1 earlier notebook are replaced" in replaced
    assert "the results of 1 earlier notebook are replaced, because one of these has its name: lee;" in replaced


def test_a_notebook_handed_in_again_is_no_other_one_s_and_one_of_a_like_name_is(tmp_path: Path) -> None:
    out = ResultsFolder(tmp_path / "out")
    assert _kept(out, tmp_path / "a", "Ann Lee.ipynb") == ()
    assert _kept(out, tmp_path / "b", "Ann Lee.ipynb") == ()
    (replaced,) = _kept(out, tmp_path / "b", "Ann-Lee.ipynb")
    assert "Ann-Lee" in replaced


def test_evidence_that_is_damaged_is_told_and_costs_one_submission(
    run: Run, executed: list[str], tmp_path: Path
) -> None:
    run(NOTEBOOKS / "plain.ipynb", NOTEBOOKS / "no-kernel-metadata.ipynb")
    out = ResultsFolder(tmp_path / "out")
    (out.evidence_folder("plain") / "evidence.json").write_text("{", encoding="utf-8")
    course = load_course(find_rubric(str(tmp_path / "tiny.yaml")), DatasetStore(tmp_path / "data"))
    result = regrade_class(course, out)
    assert (result.not_graded, [one.submission for one in result.first]) == (1, ["plain"])
    assert "damaged" in result.first[0].changes[0].why
    new = {name: out.read_grade(name) for name in out.submissions()}
    assert {name: (grade.status, grade.score) for name, grade in new.items() if grade} == {
        "plain": ("not_graded", None),
        "no-kernel-metadata": ("graded", 2),
    }
    assert len(executed) == 2


@pytest.mark.slow
def test_a_grade_of_a_real_training_is_the_contract_s(run: Run, tmp_path: Path) -> None:
    needs_bubblewrap()
    run(NOTEBOOKS / "tiny-cnn.ipynb")
    grade = json.loads((tmp_path / "out" / "tiny-cnn" / "grade.json").read_text(encoding="utf-8"))
    assert set(grade) == {
        *("version", "submission", "rubric", "status", "reason", "score", "max_score", "pending"),
        *("criteria", "models", "diagnostics", "execution", "reference", "attempts"),
        *("edition", "main_model", "main_accuracy", "problems", "problems_says", "reason_says"),
        *("comments", "flags", "requests", "review", "late", "due", "excused", "seal", "quick"),
    }
    assert (grade["version"], grade["status"], grade["reason"]) == (1, "graded", None)
    assert {"id", "student", "files", "sha256", "notes", "notes_says"} <= set(grade["submission"])
    assert {"id", "sha256"} <= set(grade["rubric"])
    wanted = {"id", "title", "points", "max_points", "status", "message", "advice", "assurance", "measured", "evidence"}
    wanted |= {"cause", "measured_labels", "judged", "comments"}
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
        *("cpu_seconds", "cpu_share", "pressure", "device", "seed", "versions", "limits"),
    }
    assert execution <= set(grade["execution"])
    assert grade["execution"]["status"] == "completed"
    assert grade["execution"]["cpu_seconds"] > 0
    assert 0 < grade["execution"]["cpu_share"] <= 1
    assert grade["execution"]["versions"]["keras"].startswith("3.")
    assert grade["reference"] is None
    assert grade["attempts"] is None


@pytest.mark.parametrize(
    ("asked", "isolation", "device", "submissions", "overlaps", "forks"),
    [
        (None, "bubblewrap", "cpu", 2, False, True),
        (None, "bubblewrap", "cpu", 1, False, False),
        (None, "bubblewrap", "cpu", 1, True, True),
        (None, "none", "cpu", 300, True, False),
        (None, "bubblewrap", "gpu", 300, True, False),
        (False, "bubblewrap", "cpu", 300, True, False),
        (True, "bubblewrap", "cpu", 1, False, True),
    ],
)
def test_kernels_are_forked_where_that_is_safe_and_pays(  # noqa: PLR0913 - one row of the table
    *, asked: bool | None, isolation: str, device: Any, submissions: int, overlaps: bool, forks: bool
) -> None:
    walls = Bubblewrap() if isolation == "bubblewrap" else NoIsolation()
    options = Options(warm=asked)
    bench = Bench(walls, Device(kind=device), threads=1, options=options, python=Path("python"))
    assert _forks(bench, submissions, overlaps=overlaps) is forks
    assert bool(bench.notices) is (device == "gpu")


@pytest.mark.parametrize(("quick", "threads", "factor"), [(False, 1, 2), (False, 2, 1), (True, 1, 1)])
def test_a_notebook_on_one_core_of_several_gets_twice_the_time_but_no_slower_answer(
    monkeypatch: pytest.MonkeyPatch, *, quick: bool, threads: int, factor: float
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    bench = Bench(NoIsolation(), Device("cpu"), threads=threads, options=Options(quick=quick), python=Path("python"))
    run = settings_of(RunSettings(time=10, fit_time=5), bench)
    assert (run.time, run.fit_time) == (10 * factor, 5 * factor)


def _keys(folder: Path, text: str) -> Any:
    """What an execution with a rubric is known by."""
    course = _course(folder, text)
    bench = set_up(course.loaded, Options(isolation="none"))
    submission = Submission(id="a", student="a", notebook=folder / "a.ipynb", sha256="0" * 64)
    return keys_of(submission, course, bench)[1]


def _course(folder: Path, text: str) -> Course:
    """Load a course with small data sets."""
    store = DatasetStore(folder / "data")
    for name in ("digits", "others"):
        if not (store.root / name).exists():
            store.import_file(name, small_digits(folder / f"{name}.npz"))
    (folder / "tiny.yaml").write_text(text, encoding="utf-8")
    return load_course(find_rubric(str(folder / "tiny.yaml")), store)


def test_which_data_set_is_graded_decides_what_is_executed_again(tmp_path: Path) -> None:
    both = RUBRIC.replace("dataset: digits", "dataset: digits\ndatasets: [others]")
    judged = "  - {id: acc, points: 1, check: accuracy, with: {at_least: 0.5, dataset: others}}\n"
    first = _keys(tmp_path, both)
    assert _keys(tmp_path, both.replace("points: 2", "points: 4")) == first
    swapped = _keys(tmp_path, both.replace("digits", "x").replace("others", "digits").replace("x", "others", 1))
    named = _keys(tmp_path, both + judged)
    assert len({first.settings, swapped.settings, named.settings}) == 3
    assert first.data == swapped.data == named.data


def test_a_quick_run_is_never_taken_for_a_full_one(tmp_path: Path) -> None:
    full = _keys(tmp_path, RUBRIC)
    course = _course(tmp_path, RUBRIC)
    bench = set_up(course.loaded, Options(isolation="none", quick=True))
    submission = Submission(id="a", student="a", notebook=tmp_path / "a.ipynb", sha256="0" * 64)
    quick = keys_of(submission, course, bench)[1]
    assert quick.settings != full.settings
    assert (quick.data, quick.runtime) == (full.data, full.runtime)


def test_a_changed_file_of_the_course_executes_notebooks_again(tmp_path: Path) -> None:
    text = RUBRIC + "files: [utils.py]\n"
    (tmp_path / "utils.py").write_text("x = 1\n")
    first = _keys(tmp_path, text)
    assert _keys(tmp_path, text.replace("points: 2", "points: 4")) == first
    noted = json.dumps(_course(tmp_path, text).parts)
    (tmp_path / "utils.py").write_text("x = 2\n")
    changed = _keys(tmp_path, text)
    assert changed != first
    assert changed.settings != _keys(tmp_path, RUBRIC).settings
    course = _course(tmp_path, text)
    assert course.differing_parts(noted) == ("files.utils.py",)
    assert course.differing_parts(json.dumps(course.parts)) == ()


def test_a_rubric_without_files_keeps_its_executions(tmp_path: Path) -> None:
    _keys(tmp_path, RUBRIC)
    assert "files" not in _course(tmp_path, RUBRIC).parts


def test_the_place_of_the_notebook_decides_what_is_executed_again(tmp_path: Path) -> None:
    first = _keys(tmp_path, RUBRIC)
    for name in ("sub/a.ipynb", "sub/work/a.ipynb"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    course = _course(tmp_path, RUBRIC)
    bench = set_up(course.loaded, Options(isolation="none"))
    bare = Submission(id="a", student="a", notebook=tmp_path / "a.ipynb", sha256="0" * 64)
    assert keys_of(bare, course, bench)[1] == first
    moved = [
        keys_of(bare.model_copy(update={"folder": tmp_path / "sub", "notebook": tmp_path / name}), course, bench)[1]
        for name in ("sub/a.ipynb", "sub/work/a.ipynb")
    ]
    assert len({first.data, *(key.data for key in moved)}) == 3


def test_the_reference_is_stale_after_a_change_of_a_course_file(tmp_path: Path) -> None:
    (tmp_path / "utils.py").write_text("x = 1\n")
    shutil.copy(NOTEBOOKS / "plain.ipynb", tmp_path / "solution.ipynb")
    _keys(tmp_path, RUBRIC)
    (tmp_path / "tiny.yaml").write_text(RUBRIC + "files: [utils.py]\nreference: solution.ipynb\n", encoding="utf-8")
    loaded = find_rubric(str(tmp_path / "tiny.yaml"))
    evidence = an_evidence()
    write_reference(loaded, evidence)
    assert read_reference(loaded) == evidence
    (tmp_path / "utils.py").write_text("x = 2\n")
    with pytest.raises(ReferenceMissingError, match="the course's files changed"):
        read_reference(find_rubric(str(tmp_path / "tiny.yaml")))


@pytest.mark.parametrize(
    ("error", "named"),
    [
        ("ModuleNotFoundError: No module named 'helper'", ["helper.py"]),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'data.csv'", ["data.csv"]),
        ("FileNotFoundError: [Errno 2] No such file or directory: '../data.csv'", ["data.csv"]),
        ("ValueError: 'data.csv' is wrong", []),
        ("NameError: name 'helper' is not defined", []),
    ],
)
def test_a_withheld_file_is_named_if_the_notebook_failed_without_it(error: str, named: list[str]) -> None:
    withheld = ("data.csv", "helper.py")
    assert [name for name in withheld if _misses(error, name)] == named


def test_the_versions_in_the_courses_own_environment_decide_what_is_executed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[str] = []

    def asked(python: Path, names: Any) -> dict[str, str]:
        assert "keras" in names
        found.append(str(python))
        return {"keras": f"3.{len(found)}"}

    monkeypatch.setattr(execution, "python_versions", asked)
    text = RUBRIC.replace("run: {", "run: {kernel: /usr/bin/python3, ")
    keys = []
    for _ in range(2):
        _runtime.cache_clear()
        keys.append(_keys(tmp_path, text))
    _runtime.cache_clear()
    assert found == ["/usr/bin/python3"] * 2
    assert keys[0].settings == keys[1].settings
    assert keys[0].runtime != keys[1].runtime


def test_the_first_regrade_judges_only_the_criterion_whose_points_changed(
    run: Run, executed: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert run(NOTEBOOKS / "plain.ipynb")["plain"].score == 3
    dearer = tmp_path / "dearer.yaml"
    dearer.write_text(RUBRIC.replace("points: 2", "points: 7"), encoding="utf-8")
    course = load_course(find_rubric(str(dearer)), DatasetStore(tmp_path / "data"))
    judged: list[str] = []
    grading = sys.modules["grader.grading.grade"]  # the package has a function of this name
    real = vars(grading)["_criterion"]

    def criterion(rule: Any, *inputs: Any) -> Any:
        judged.append(rule.id)
        return real(rule, *inputs)

    monkeypatch.setattr(grading, "_criterion", criterion)
    out = ResultsFolder(tmp_path / "out")
    (changed,) = regrade_class(course, out, workers=1).first
    assert (changed.new, judged, len(executed)) == (8, ["runs"], 1)


def test_evidence_that_lacks_a_prediction_is_not_judged_for_ever_but_made_again(
    run: Run, executed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Any = vars(submission)["judge"]
    lacking: list[int] = []

    def judge(*inputs: Any, **options: Any) -> Any:
        if len(executed) < 3:
            lacking.append(len(executed))
            msg = "the accuracy is not known although a trained network was kept"
            raise PredictorError(msg)
        return real(*inputs, **options)

    monkeypatch.setattr(submission, "judge", judge)
    monkeypatch.setattr(attempts, "judge", judge)
    assert run(NOTEBOOKS / "plain.ipynb")["plain"].status == "not_graded"
    assert run(NOTEBOOKS / "plain.ipynb", attempts=1)["plain"].status == "not_graded"
    assert lacking == [1, 1, 2]
    assert run(NOTEBOOKS / "plain.ipynb", attempts=2)["plain"].score == 3
    assert len(executed) == 3
    assert run(NOTEBOOKS / "plain.ipynb", attempts=2)["plain"].score == 3
    assert len(executed) == 3


def test_what_the_very_same_rubric_could_not_predict_is_not_executed_for_ever(
    run: Run, executed: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real: Any = vars(submission)["judge"]
    lacking: list[str] = []

    def judge(*inputs: Any, **options: Any) -> Any:
        lacking.append(inputs[3])
        if inputs[3] == "lost":
            msg = "the accuracy is not known although a trained network was kept"
            raise PredictorError(msg)
        return real(*inputs, **options)

    monkeypatch.setattr(submission, "judge", judge)
    monkeypatch.setattr(attempts, "judge", judge)
    out = ResultsFolder(tmp_path / "out")

    def anew(**options: Any) -> list[str]:
        """What was lacking, where a grade is not there any more."""
        out.grade_path("plain").unlink(missing_ok=True)
        lacking.clear()
        assert run(NOTEBOOKS / "plain.ipynb", **options)["plain"].score == 3
        return list(lacking)

    assert anew() == ["unable"]
    assert anew() == ["unable"]
    assert len(executed) == 1
    with closing(sqlite3.connect(out.database_path)) as database, database:
        database.execute("UPDATE execution SET parts = ''")
    assert anew() == ["lost", "unable"]
    assert anew() == ["unable"]
    assert len(executed) == 2
    assert anew(attempts=2) == ["unable"]
    assert len(executed) == 2
    evidence = out.read_evidence("plain")
    assert evidence
    AttemptsFolder(out, "plain").each.write_evidence("1", evidence.model_copy(update={"problems": ("lost",)}))
    assert anew(attempts=2) == ["lost", "unable"]
    assert len(executed) == 3


@pytest.mark.tensorflow
@pytest.mark.slow
def test_a_network_is_judged_on_the_other_data_set_that_a_criterion_names(tmp_path: Path) -> None:
    needs_bubblewrap()
    store = DatasetStore(tmp_path / "data")
    store.import_file("digits", small_digits(tmp_path / "digits.npz"))
    small_digits(tmp_path / "others.npz", train=40, test=20)
    with np.load(tmp_path / "others.npz") as parts:
        turned = {name: part[:, ::-1] if name.startswith("x") else part for name, part in parts.items()}
    np.savez(tmp_path / "others.npz", **turned)
    store.import_file("others", tmp_path / "others.npz")
    judged = "  - {id: acc, points: 5, check: accuracy, with: {at_least: 0.5, partial_from: 0, dataset: others}}\n"
    text = RUBRIC.replace("dataset: digits", "dataset: digits\ndatasets: [others]").replace("1 GiB", "3 GiB") + judged
    (tmp_path / "tiny.yaml").write_text(text, encoding="utf-8")
    notebook = json.loads((NOTEBOOKS / "tiny-cnn.ipynb").read_text(encoding="utf-8"))
    other = json.dumps(notebook).replace("digits", "others")
    (tmp_path / "net.ipynb").write_text(other, encoding="utf-8")
    course = load_course(find_rubric(str(tmp_path / "tiny.yaml")), store)
    bench = set_up(course.loaded, Options())
    found = find_submissions([tmp_path / "net.ipynb"], unpack_to=tmp_path / "unpacked")
    out = ResultsFolder(tmp_path / "out")
    grade_warm(found, course, bench, out)
    grade = out.read_grade("net")
    assert grade
    line = grade.criteria[-1]
    assert (line.measured["total"], line.assurance) == (20, "verified"), line.message
    assert [key for model in grade.models for key in model.accuracy] == ["others/test"]
