"""A class graded again from kept evidence: who changed and why, nothing touched in vain, whole after any kill."""

import csv
import json
import multiprocessing
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from grader.cli.app import main
from grader.datasets.store import DatasetStore
from grader.pipeline import regrade
from grader.pipeline.changes import Journal
from grader.pipeline.course import Course, load_course
from grader.pipeline.process_pool import in_chunks
from grader.pipeline.publish import basis_of, judge, publish, publish_class, reports_of
from grader.pipeline.regrade import Regrade, regrade_class, report_class
from grader.pipeline.rubrics import find_rubric, note_rubric
from grader.report import notebook as notebook_module
from grader.schema.errors import HarnessError
from grader.schema.reference import ReferenceRecord
from grader.schema.submission import Submission
from grader.store.database import Database, ExecutionKey
from grader.store.files import Batch
from grader.store.results import ResultsFolder
from tests.support.waiting import DEADLOCK_SECONDS, until

ROOT = Path(__file__).parents[2]
_FORK = multiprocessing.get_context("fork")
NAMES = tuple(f"student-{number:02d}" for number in range(26))


def _course(folder: Path, old: str = "", new: str = "") -> Course:
    """The shipped rubric, with one piece of its text replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    text = (ROOT / "rubrics" / "keras-mnist-cnn.yaml").read_text(encoding="utf-8")
    assert old in text
    (folder / "keras-mnist-cnn.yaml").write_text(text.replace(old, new, 1), encoding="utf-8")
    return load_course(find_rubric(str(folder / "keras-mnist-cnn.yaml")), DatasetStore())


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A class with the really recorded evidence of two shipped solutions, graded."""
    root = tmp_path_factory.mktemp("class")
    out, course = ResultsFolder(root / "out"), _course(root)
    evidences = [
        ReferenceRecord.model_validate_json((ROOT / "reference" / f"{name}.evidence.json").read_bytes()).evidence
        for name in ("mnist-cnn", "keras-mnist-cnn")
    ]
    for number, name in enumerate(NAMES):
        evidence = evidences[number % 2]
        out.write_evidence(name, evidence)
        out.write_executed(name, (ROOT / "tests" / "notebooks" / "plain.ipynb").read_bytes())
        submission = Submission(id=name, student=name.title(), notebook=Path(), sha256=f"{number:064d}")
        publish(judge(submission, evidence, course), evidence, course, out)
    note_rubric(course.loaded, out)
    publish_class(course, out)
    return root


@pytest.fixture
def folder(kept: Path, tmp_path: Path) -> Path:
    copy = Path(shutil.copytree(kept, tmp_path / "copy"))
    note_rubric(find_rubric(str(copy / "keras-mnist-cnn.yaml")), ResultsFolder(copy / "out"))
    return copy


def _files(out: Path) -> dict[str, bytes]:
    """Everything but the database, whose bytes hold times, the note of where the rubric lies, and kept work."""
    skipped = {"grader.sqlite", "rubric.json", "rendered.parts", "graded.parts"}
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file() and p.name not in skipped}


@pytest.fixture(scope="module")
def whole(kept: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Regrade, dict[str, bytes]]:
    """Result and files of a regrade with other points that nothing disturbed."""
    copy = Path(shutil.copytree(kept, tmp_path_factory.mktemp("whole") / "copy"))
    result = regrade_class(_dearer(copy), ResultsFolder(copy / "out"))
    return result, _files(copy / "out")


def _traces(out: Path) -> dict[str, tuple[int, bytes]]:
    return {str(p.relative_to(out)): (p.stat().st_mtime_ns, p.read_bytes()) for p in out.rglob("*") if p.is_file()}


def _dearer(folder: Path) -> Course:
    return _course(folder, "points: 5\n", "points: 8\n")


@pytest.mark.parametrize("workers", [1, 2])
def test_where_nothing_changed_no_file_is_touched(folder: Path, workers: int) -> None:
    before = _files(folder / "out")
    unchanged = Regrade(total=len(NAMES), not_graded=0, changed=0, first=())
    assert regrade_class(_course(folder), ResultsFolder(folder / "out"), workers=workers) == unchanged
    # The first regrade of a copied folder notes the status of its files in the database.
    assert _files(folder / "out") == before
    traces = _traces(folder / "out")
    assert regrade_class(_course(folder), ResultsFolder(folder / "out"), workers=workers) == unchanged
    assert _traces(folder / "out") == traces


@pytest.mark.parametrize("name", ["evidence/evidence.json", "executed.ipynb", "grade.json", "instructor.html"])
def test_where_nothing_changed_no_file_is_opened_and_one_that_changed_is_noticed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    out, course = ResultsFolder(folder / "out"), _course(folder)
    regrade_class(course, out, workers=1)
    read = list[str]()
    monkeypatch.setattr(ResultsFolder, "grade_data", _noting(read, ResultsFolder.grade_data))
    assert regrade_class(course, out, workers=1).total == len(NAMES)
    assert read == []
    # Same size, same time of modification.
    path = out.folder(NAMES[5]) / name
    before, content = path.stat(), path.read_bytes()
    path.write_bytes(content.replace(b"e", b"f", 1))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    regrade_class(course, out, workers=1)
    assert read != []


@pytest.mark.parametrize("damage", ["", '{"counted": [1], "review": []}'])
def test_pages_that_are_gone_are_written_again_with_the_rows_of_grades_that_stay(folder: Path, damage: str) -> None:
    out, course = ResultsFolder(folder / "out"), _course(folder)
    regrade_class(course, out)
    before = _files(out.root)
    with Database(out.database_path).connection() as connection:
        if damage:
            connection.execute("UPDATE standing SET outcome = ? WHERE submission = ?", (damage, NAMES[3]))
    (out.root / "index.html").unlink()
    out.report_path(NAMES[7], "student").unlink()
    assert regrade_class(course, out).total == len(NAMES)
    assert _files(out.root) == before


def test_who_changed_and_why_is_told_for_each_criterion(folder: Path) -> None:
    out = ResultsFolder(folder / "out")
    old = out.read_grade(NAMES[0])
    result = regrade_class(_dearer(folder), out)
    assert [one.submission for one in result.first] == list(NAMES)
    (change,) = result.first[0].changes
    assert (change.criterion, change.old_points, change.new_points, change.new_max) == ("runs", 5, 8, 8)
    assert change.why.startswith("runs: 5 of 5 → 8 of 8, passed: ")
    new = out.read_grade(NAMES[0])
    assert old
    assert new
    assert (old.score, new.score) == (result.first[0].old, result.first[0].new)
    with (folder / "out" / "changes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["id"], r["student"], r["criterion"]) for r in rows[:1]] == [(NAMES[0], NAMES[0].title(), "runs")]
    assert [(r["old_points"], r["new_points"], r["why"]) for r in rows[:1]] == [("5.0", "8.0", change.why)]
    gradings = Database(out.database_path).gradings()
    assert {row.score for row in gradings} == {one.new for one in result.first}


def test_a_new_comment_in_the_rubric_is_stamped_and_changes_nobody(folder: Path) -> None:
    out = ResultsFolder(folder / "out")
    result = regrade_class(_course(folder, "version: 1", "version: 1  # as agreed"), out)
    assert result.changed == 0
    assert len({row.sha256 for row in Database(out.database_path).gradings()}) == 1
    assert result == regrade_class(_course(folder, "version: 1", "version: 1  # as agreed"), out)


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_leave_the_same_bytes_as_one_process(
    folder: Path, whole: tuple[Regrade, dict[str, bytes]], workers: int
) -> None:
    result = regrade_class(_dearer(folder), ResultsFolder(folder / "out"), workers=workers)
    assert (result, _files(folder / "out")) == whole


@pytest.fixture(scope="module")
def worked(kept: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The class after two regrades, with both files of kept work."""
    copy = Path(shutil.copytree(kept, tmp_path_factory.mktemp("worked") / "copy"))
    for course in (_dearer(copy), _course(copy)):
        regrade_class(course, ResultsFolder(copy / "out"))
    return copy


@pytest.mark.parametrize(
    ("how", "file"),
    [
        *((how, "rendered.parts") for how in ("missing", "empty", "cut", "flipped", "of another submission")),
        *((how, "graded.parts") for how in ("missing", "flipped", "of another submission")),
    ],
)
def test_kept_work_that_is_missing_or_damaged_gives_the_same_files(
    worked: Path, tmp_path: Path, whole: tuple[Regrade, dict[str, bytes]], how: str, file: str
) -> None:
    folder = Path(shutil.copytree(worked, tmp_path / "copy"))
    parts = sorted((folder / "out").glob(f"*/evidence/{file}"))
    assert len(parts) == len(NAMES)
    for index, path in enumerate(parts):
        content = path.read_bytes()
        if how == "missing":
            path.unlink()
        elif how == "of another submission":
            path.write_bytes(parts[index - 1].read_bytes())
        else:
            damaged = (
                content.replace(b"</", b"<_").replace(b'":', b"':")
                if how == "flipped"
                else content[: len(content) // 2]
            )
            path.write_bytes(b"" if how == "empty" else damaged)
    assert (regrade_class(_dearer(folder), ResultsFolder(folder / "out"), workers=1), _files(folder / "out")) == whole


def test_kept_work_is_used_so_that_only_changed_criteria_are_judged_and_rendered(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = ResultsFolder(folder / "out")
    regrade_class(_dearer(folder), out, workers=1)
    judged, rendered = list[str](), list[object]()
    grading = sys.modules["grader.grading.grade"]  # the package has a function of this name
    monkeypatch.setattr(grading, "_criterion", _noting(judged, vars(grading)["_criterion"]))
    monkeypatch.setattr(notebook_module, "notebook_cells", _noting(rendered, notebook_module.notebook_cells))
    assert regrade_class(_course(folder, "points: 5\n", "points: 6\n"), out, workers=1).changed == len(NAMES)
    assert (len(judged), rendered) == (len(NAMES), [])


def test_the_noted_digest_of_a_grade_is_that_of_its_files(worked: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(worked, tmp_path / "copy"))
    course, out = _dearer(folder), ResultsFolder(folder / "out")
    regrade_class(course, out, workers=1)
    noted = {row.submission: row.basis for row in Database(out.database_path).gradings()}
    stamps = [grade.submission for name in NAMES if (grade := out.read_grade(name)) is not None]
    assert noted == {stamp.id: basis_of(stamp, course, out) for stamp in stamps}


def _noting(calls: list[Any], real: Any) -> Any:
    def noting(*parts: Any, **named: Any) -> Any:
        calls.append(parts[0])
        return real(*parts, **named)

    return noting


def test_kept_work_is_not_used_for_other_evidence_or_an_edited_grade(folder: Path) -> None:
    out = ResultsFolder(folder / "out")
    regrade_class(_dearer(folder), out, workers=1)
    evidence = out.read_evidence(NAMES[1])
    assert evidence is not None
    out.write_evidence(NAMES[0], evidence)
    path = out.grade_path(NAMES[2])
    path.write_text(path.read_text(encoding="utf-8").replace('"status": "passed"', '"status": "failed"', 1))
    result = regrade_class(_course(folder, "points: 5\n", "points: 6\n"), out, workers=1)
    assert result.edited == (NAMES[2],)
    first, second, third = (out.grade_data(name) for name in NAMES[:3])
    assert first["criteria"] == second["criteria"]
    assert third["criteria"][0]["status"] == "passed"


def _killed_after(files: int, course: Course, out: ResultsFolder) -> None:
    """Put so many files in their places, then die as by a power cut."""
    left = [files]
    real = Path.replace

    def replace(self: Path, target: Any) -> Any:
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1
        return real(self, target)

    pytest.MonkeyPatch().setattr(Path, "replace", replace)  # in a process of its own
    regrade_class(course, out, workers=1)


# A report and its grade for each of 26 submissions come first, then the three pages of the class.
@pytest.mark.parametrize("files", [0, 1, 2, 3, 25, 52, 53, 54])
@pytest.mark.slow
def test_killed_at_any_moment_the_next_regrade_leaves_the_same_files(
    folder: Path, whole: tuple[Regrade, dict[str, bytes]], files: int
) -> None:
    course, out = _dearer(folder), ResultsFolder(folder / "out")
    process = _FORK.Process(target=_killed_after, args=(files, course, out))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert (regrade_class(course, out), _files(out.root)) == whole


def test_a_lost_worker_is_told_and_costs_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    course, out = _dearer(folder), ResultsFolder(folder / "out")
    parent = os.getpid()

    def lost(*_: object, **__: object) -> Any:
        assert os.getpid() != parent
        os.kill(os.getpid(), signal.SIGKILL)

    with monkeypatch.context() as patched:
        patched.setattr(regrade, "judge", lost)
        with pytest.raises(HarnessError, match="worker process died"):
            regrade_class(course, out, workers=2)
    assert regrade_class(course, out, workers=2).changed == len(NAMES)


def _slow(marks: Path, names: Sequence[str]) -> int:
    (marks / str(os.getpid())).touch()
    time.sleep(2 * DEADLOCK_SECONDS)
    return len(names)


def _slow_work(out: Path, marks: Path) -> None:
    with ResultsFolder(out).at_work():
        list(in_chunks(partial(_slow, marks), [str(number) for number in range(100)], workers=2))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_a_parent_that_was_killed_and_nobody_is_kept_out(
    tmp_path: Path, number: signal.Signals
) -> None:
    marks, out = tmp_path / "marks", tmp_path / "out"
    marks.mkdir()
    process = _FORK.Process(target=_slow_work, args=(out, marks))
    process.start()
    until(lambda: len(list(marks.iterdir())) == 2)
    assert process.pid
    workers = [psutil.Process(int(mark.name)) for mark in marks.iterdir()]
    assert {worker.ppid() for worker in workers} == {process.pid}
    os.kill(process.pid, number)
    process.join()
    assert process.exitcode == -number
    psutil.wait_procs(workers, timeout=DEADLOCK_SECONDS)
    assert not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in workers)
    with ResultsFolder(out).at_work():
        pass


def test_a_worker_does_not_hold_the_folder(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    with ResultsFolder(tmp_path / "out").at_work():
        orphan = _FORK.Process(target=_slow, args=(marks, ()))
        orphan.start()
        until(lambda: list(marks.iterdir()))
    with ResultsFolder(tmp_path / "out").at_work():
        assert orphan.is_alive()
    orphan.kill()
    orphan.join()


def _commanded(words: Sequence[str], slow: str, marks: Path) -> None:
    """Be the command, with one piece of work that takes a while."""
    real = vars(regrade)[slow]

    def slowly(*parts: Any, **named: Any) -> Any:
        (marks / str(os.getpid())).touch()
        time.sleep(0.3)
        return real(*parts, **named)

    pytest.MonkeyPatch().setattr(regrade, slow, slowly)  # in a process of its own
    sys.argv[:] = ["grader", *words]
    with (marks.parent / "said").open("w", encoding="utf-8") as sys.stderr:
        main(words)


@pytest.mark.parametrize(
    ("command", "slow", "number"),
    [
        ("regrade", "judge", signal.SIGINT),
        ("regrade", "judge", signal.SIGTERM),
        ("regrade", "judge", signal.SIGHUP),
        ("report", "reports_of", signal.SIGTERM),
    ],
)
@pytest.mark.slow
def test_a_signal_ends_it_in_good_order_and_says_how_to_go_on(
    folder: Path, tmp_path: Path, command: str, slow: str, number: signal.Signals
) -> None:
    course, out, marks = _dearer(folder), folder / "out", tmp_path / "marks"
    marks.mkdir()
    process = _FORK.Process(target=_commanded, args=([command, str(out)], slow, marks))
    process.start()
    until(lambda: list(marks.iterdir()))
    assert process.pid
    os.kill(process.pid, number)
    process.join()
    assert process.exitcode == 128 + number
    said = (tmp_path / "said").read_text(encoding="utf-8")
    assert said.startswith("stopping … a second signal stops at once\nstopped. ")
    assert said.endswith(f":\ngrader {command} {out}\n")
    workers = [int(mark.name) for mark in marks.iterdir() if int(mark.name) != process.pid]
    assert not any(psutil.pid_exists(worker) for worker in workers)
    with ResultsFolder(out).at_work():
        assert regrade_class(course, ResultsFolder(out)).total == len(NAMES)


def test_a_fault_in_one_report_costs_one_submission(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, real = ResultsFolder(folder / "out"), reports_of

    def fail(grade: Any, evidence: Any, *rest: Any) -> Any:
        if grade.submission.id == NAMES[3] and evidence is not None:
            msg = "odd"
            raise LookupError(msg)
        return real(grade, evidence, *rest)

    monkeypatch.setattr(regrade, "reports_of", fail)
    result = regrade_class(_dearer(folder), out, workers=1)
    assert (result.total, result.not_graded) == (len(NAMES), 1)
    failed = out.read_grade(NAMES[3])
    assert failed
    assert (failed.status, failed.score) == ("not_graded", None)
    assert "LookupError: odd" in (failed.reason or "")


def test_a_report_that_is_gone_or_empty_is_made_again(folder: Path) -> None:
    out = ResultsFolder(folder / "out")
    before = _files(out.root)
    out.report_path(NAMES[0]).unlink()
    out.report_path(NAMES[1]).write_bytes(b"")
    assert regrade_class(_course(folder), out).changed == 0
    assert _files(out.root) == before


def test_reports_are_rendered_again_to_the_same_bytes(folder: Path) -> None:
    out = ResultsFolder(folder / "out")
    before = _files(out.root)
    for name in NAMES:
        out.report_path(name).unlink()
    assert report_class(_course(folder), out, workers=2) == len(NAMES)
    assert _files(out.root) == before


def test_the_rubric_of_a_grade_is_read_from_its_head_whatever_a_student_is_called(folder: Path) -> None:
    out = ResultsFolder(folder / "out")
    grade = out.read_grade(NAMES[0])
    assert grade
    stamp = grade.submission.model_copy(update={"student": '\n "rubric": {\n  "id": "mine",'})
    out.write_grade(grade.model_copy(update={"submission": stamp}))
    assert out.rubric_id(NAMES[0]) == "keras-mnist-cnn"
    data = json.loads(out.grade_path(NAMES[0]).read_bytes())
    out.grade_path(NAMES[0]).write_text(json.dumps(data), encoding="utf-8")
    assert out.rubric_id(NAMES[0]) == "keras-mnist-cnn"
    assert out.rubric_id("nobody") is None


def test_a_journal_s_half_written_line_is_not_read(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "a" * 64)
    (tmp_path / f".regrade-{'a' * 16}.jsonl").write_text('\n{"submission": "x", "stu\n[1]\n3', encoding="utf-8")
    (tmp_path / f".regrade-{'b' * 16}.jsonl").write_text("{}", encoding="utf-8")
    journal.begin()
    assert journal.places() == {}
    assert [p.name for p in tmp_path.iterdir()] == [f".regrade-{'a' * 16}.jsonl"]
    journal.end()
    assert list(tmp_path.iterdir()) == []


def _lengths(names: Sequence[str]) -> tuple[int, list[str]]:
    return os.getpid(), list(names)


def test_chunks_come_back_in_order_and_from_other_processes() -> None:
    names = [str(number) for number in range(500)]
    answers = list(in_chunks(_lengths, names, workers=3))
    assert [name for _, chunk in answers for name in chunk] == names
    assert os.getpid() not in {pid for pid, _ in answers}
    assert [pid for pid, _ in in_chunks(_lengths, names[:5], workers=3)] == [os.getpid()]
    assert {pid for pid, _ in in_chunks(_lengths, names, workers=3, least=501)} == {os.getpid()}
    assert [len(chunk) for _, chunk in in_chunks(_lengths, names, workers=1, most=300)] == [300, 200]


def test_a_batch_puts_its_files_in_their_places_together(tmp_path: Path) -> None:
    batch = Batch(tmp_path)
    batch.add(tmp_path / "a", "one")
    batch.add(tmp_path / "b", b"two")
    assert not (tmp_path / "a").exists()
    batch.commit()
    batch.commit()
    assert {p.name: p.read_text(encoding="utf-8") for p in tmp_path.iterdir()} == {"a": "one", "b": "two"}


def _executed_with(course: Course, out: ResultsFolder, names: Sequence[str]) -> None:
    """Note that submissions were executed as a rubric says, and that their grades stand."""
    database = Database(out.database_path)
    gradings = database.gradings()
    for name in names:
        key = ExecutionKey(notebook=f"{NAMES.index(name):064d}", settings="s", runtime="r", data="d")
        database.record_execution(name, key, seconds=1, parts=json.dumps(course.parts))
    database.record_gradings([row for row in gradings if row.submission in names])


def test_what_only_an_execution_brings_into_effect_is_told(folder: Path) -> None:
    out = ResultsFolder(folder / "out")
    _executed_with(_course(folder), out, NAMES[:3])
    assert regrade_class(_course(folder), out).ineffective == ()
    slower = _course(
        folder, "run: {dialect: auto, seed: 7", "tasks: {few: {classes: [0, 1]}}\nrun: {dialect: auto, seed: 9"
    )
    _executed_with(slower, out, NAMES[:1])
    told = regrade_class(slower, out)
    assert (told.ineffective, told.outdated) == (("run.seed", "tasks.few"), 2)
    assert regrade_class(_dearer(folder), out).ineffective == ("run.seed", "tasks.few")


def test_stale_executions_of_attempts_that_are_not_in_the_grade_are_not_told_of(folder: Path) -> None:
    out, old = ResultsFolder(folder / "out"), json.dumps(_course(folder).parts)
    slower = _course(folder, "run: {dialect: auto, seed: 7", "run: {dialect: auto, seed: 9")
    _executed_with(slower, out, NAMES)
    key = ExecutionKey(notebook=f"{0:064d}", settings="old", runtime="r", data="d")
    Database(out.database_path).record_execution(NAMES[0], key, seconds=1, attempt=2, parts=old)
    told = regrade_class(slower, out)
    assert (told.ineffective, told.outdated) == ((), 0)
    assert regrade_class(_course(folder), out).outdated == len(NAMES)


def test_one_lacking_prediction_takes_no_grade_away(folder: Path) -> None:
    out, course = ResultsFolder(folder / "out"), _course(folder)
    _executed_with(course, out, NAMES)
    lost = ["the record ends early"]
    for name, problems in zip(NAMES[:3], ([], [], lost), strict=True):
        evidence = out.read_evidence(name)
        assert evidence
        out.write_evidence(name, evidence.model_copy(update={"accuracies": (), "problems": tuple(problems)}))
    now = _course(folder, "run: {dialect: auto, seed: 7", "run: {dialect: auto, seed: 9")
    _executed_with(now, out, NAMES[1:])
    assert regrade_class(now, out).not_graded == 1
    unasked, unable, failed = (out.read_grade(name) for name in NAMES[:3])
    for grade, said in ((unasked, "`grader grade` with this rubric"), (unable, "cannot prepare the test images")):
        assert grade
        assert grade.score
        assert grade.pending
        assert any(said in line.message for line in grade.criteria if line.status == "pending")
    assert failed
    assert failed.status == "not_graded"
    assert "the record ends early" in (failed.reason or "")


def test_another_number_of_attempts_is_told_until_notebooks_are_executed_so_often(folder: Path) -> None:
    out = ResultsFolder(folder / "out")
    _executed_with(_course(folder), out, NAMES)
    more = _course(folder, "run: {", "run: {attempts: 3, ")
    for _ in range(2):
        told = regrade_class(more, out)
        assert (told.ineffective, told.outdated) == (("run.attempts",), len(NAMES))
    note_rubric(more.loaded, out)
    assert regrade_class(more, out).ineffective == ()


def test_which_attempt_is_taken_takes_effect_at_once(folder: Path) -> None:
    out = ResultsFolder(folder / "out")
    _executed_with(_course(folder), out, NAMES)
    assert regrade_class(_course(folder, "run: {", "run: {take: median, "), out).ineffective == ()


@pytest.mark.parametrize("noted", ["", "no JSON", "[1]"])
def test_of_an_execution_that_nothing_is_known_of_nothing_differs(folder: Path, noted: str) -> None:
    assert _course(folder).differing_parts(noted) == ()
