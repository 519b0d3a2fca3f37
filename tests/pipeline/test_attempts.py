"""One notebook executed several times: what is executed, kept, taken, and taken again after a change of the rubric."""

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from grader.datasets.store import DatasetStore
from grader.execution.runner import execute
from grader.intake.find import find_submissions
from grader.pipeline import execution
from grader.pipeline.course import Course, load_course
from grader.pipeline.reference_run import verify_reference
from grader.pipeline.regrade import regrade_class
from grader.pipeline.rubrics import find_rubric
from grader.pipeline.setup import Options, set_up
from grader.schema.errors import SandboxError, StorageError
from grader.schema.grade import Grade
from grader.store.attempts import AttemptsFolder
from grader.store.results import ResultsFolder
from tests.support.command import NOTEBOOKS, RUBRIC, a_course, grader, needs_bubblewrap, small_digits
from tests.support.says import says
from tests.support.warm_grading import grade_warm

pytestmark = pytest.mark.bubblewrap

LUCK = "import random\nluck = random.random()\nprint(luck)\nassert luck > 0.5"
"""With the seeds 1, 2, 3 it raises, runs, and raises."""


class Class:
    """A small course with one results folder, and a note of every execution."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.out = ResultsFolder(folder / "out")
        self.store = DatasetStore(folder / "data")
        self.store.import_file("digits", small_digits(folder / "digits.npz"))
        self.seeds: list[int] = []
        self.failing: dict[int, Exception] = {}
        """Seeds that the grader fails with."""
        monkeypatch.setattr(execution, "execute", self._execute)

    def _execute(self, request: Any, listener: Any) -> Any:
        self.seeds.append(request.seed)
        if request.seed in self.failing:
            raise self.failing[request.seed]
        return execute(request, listener)

    def course(self, run: str, text: str = RUBRIC) -> Course:
        file = self.folder / "tiny.yaml"
        file.write_text(text.replace("run: {", f"run: {{{run}, "), encoding="utf-8")
        return load_course(find_rubric(str(file)), self.store)

    def grade(self, run: str, *, notebook: Path | None = None, text: str = RUBRIC, **options: Any) -> Grade:
        self.seeds.clear()
        course = self.course(run, text)
        bench = set_up(course.loaded, Options(**{"warm": False, **options}))
        found = find_submissions([notebook or self.folder / "luck.ipynb"], unpack_to=self.folder / "unpacked")
        (made,) = grade_warm(found, course, bench, self.out)
        return self.kept(made.submission.id)

    def regrade(self, run: str, text: str = RUBRIC) -> Grade:
        self.seeds.clear()
        assert regrade_class(self.course(run, text), self.out).total == 1
        assert self.seeds == []
        (name,) = self.out.submissions()
        return self.kept(name)

    def kept(self, name: str) -> Grade:
        found = self.out.read_grade(name)
        assert found is not None
        return found

    @property
    def placed(self) -> int:
        """Seed of the evidence that lies in the submission's own place."""
        (name,) = self.out.submissions()
        evidence = self.out.read_evidence(name)
        assert evidence is not None
        return evidence.run.seed


def write(path: Path, *cells: str, text: str = "A game of luck.") -> Path:
    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell(text), *map(nbformat.v4.new_code_cell, cells)],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    path.write_text(nbformat.writes(made), encoding="utf-8")
    return path


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Class:
    """A class with one notebook whose success is its seed's."""
    needs_bubblewrap()
    write(tmp_path / "luck.ipynb", LUCK)
    return Class(tmp_path, monkeypatch)


def told(made: Grade) -> list[tuple[Any, ...]]:
    assert made.attempts is not None
    return [(one.number, one.seed, one.status, one.score) for one in made.attempts.tried]


def test_each_attempt_has_the_next_seed_and_the_rubric_says_which_one_is_taken(room: Class) -> None:
    made = room.grade("seed: 1, attempts: 3, take: first")
    assert room.seeds == [1, 2, 3]
    assert told(made) == [(1, 1, "graded", 1), (2, 2, "graded", 3), (3, 3, "graded", 1)]
    assert made.attempts is not None
    assert made.attempts.score is not None
    assert (made.attempts.score.low, made.attempts.score.high) == (1, 3)
    assert (made.attempts.taken, made.score, room.placed) == (1, 1, 1)
    made = room.grade("seed: 1, attempts: 3, take: median")
    assert made.attempts is not None
    assert (made.attempts.taken, made.score, room.placed, room.seeds) == (3, 1, 3, [])


def test_the_best_attempt_is_the_submission_s_and_none_follows_full_marks(room: Class) -> None:
    made = room.grade("seed: 1, attempts: 3")
    assert room.seeds == [1, 2]
    assert told(made) == [(1, 1, "graded", 1), (2, 2, "graded", 3), (3, 3, "skipped", None)]
    assert made.attempts is not None
    assert made.attempts.why_says is not None
    assert says(made.attempts.why_says, "Attempt {numbers} was not executed: {reason}.", numbers=[3])
    assert says(
        made.attempts.why_says,
        "attempt {number:number} already has full marks, so the points could not change",
        number=2,
    )
    assert (made.score, made.execution and made.execution.seed, room.placed) == (3, 2, 2)
    assert room.out.read_grade("luck") == made
    kept = AttemptsFolder(room.out, "luck")
    assert kept.numbers() == (1, 2)
    own, theirs = room.out.evidence_folder("luck"), kept.each.evidence_folder("2")
    files = sorted(path.relative_to(own) for path in own.rglob("*") if path.is_file())
    assert Path("events.jsonl") in files
    assert all((own / file).samefile(theirs / file) for file in files)
    assert "Attempts" in room.out.report_path("luck").read_text(encoding="utf-8")
    assert room.grade("seed: 1, attempts: 3") == made
    assert room.seeds == []


def test_more_attempts_execute_only_those_that_are_new_and_fewer_none(room: Class) -> None:
    single = room.grade("seed: 1")
    assert (room.seeds, single.attempts) == ([1], None)
    assert not AttemptsFolder(room.out, "luck").exists()
    assert room.grade("seed: 1", attempts=3).score == 3
    assert room.seeds == [2]
    several = room.grade("seed: 1, attempts: 3, take: median")
    assert (room.seeds, told(several)[2]) == ([3], (3, 3, "graded", 1))
    assert (room.grade("seed: 1"), room.seeds, room.placed) == (single, [], 1)
    assert room.grade("seed: 1, attempts: 3").score == 3
    assert room.seeds == []


def test_the_command_line_s_number_and_seed_go_before_the_rubric_s(room: Class) -> None:
    made = room.grade("seed: 9, attempts: 5, take: first", attempts=2, seed=1)
    assert room.seeds == [1, 2]
    assert len(told(made)) == 2


def test_a_regrade_grades_all_attempts_again_and_chooses_again_without_execution(room: Class) -> None:
    room.grade("seed: 1, attempts: 3, take: first")
    assert room.placed == 1
    best = room.regrade("seed: 1, attempts: 3, take: best")
    assert (best.score, room.placed, len(told(best))) == (3, 2, 3)
    assert "0.956" in room.out.executed_path("luck").read_text(encoding="utf-8")
    assert room.out.read_grade("luck") == best
    easier = RUBRIC.replace("{id: runs, title: It runs, points: 2, check: runs}", "{id: runs, points: 0, check: runs}")
    assert (room.regrade("seed: 1, attempts: 3", easier).score, room.placed) == (1, 1)
    assert room.regrade("seed: 1, attempts: 3, take: first").score == 1


def test_a_regrade_says_what_was_never_executed_and_the_next_grading_executes_it(room: Class) -> None:
    room.grade("seed: 2, attempts: 2")
    assert room.seeds == [2]
    harder = RUBRIC.replace("min_words: 3", "min_words: 300")
    made = room.regrade("seed: 2, attempts: 2", harder)
    assert told(made) == [(1, 2, "graded", 2), (2, 3, "skipped", None)]
    assert made.attempts is not None
    assert made.attempts.why_says is not None
    assert says(
        made.attempts.why_says,
        "it has no stored evidence, and only {command:code} executes notebooks",
        command="grader grade",
    )
    executed = room.grade("seed: 2, attempts: 2", text=harder)
    assert (room.seeds, [one[2] for one in told(executed)]) == ([3], ["graded", "graded"])


def test_a_failure_of_the_grader_costs_its_attempt_alone_and_is_tried_again(room: Class) -> None:
    room.failing = {1: SandboxError("the kernel did not start"), 3: LookupError("odd")}
    made = room.grade("seed: 1, attempts: 3, take: median")
    assert [one[2:] for one in told(made)] == [("not_graded", None), ("graded", 3), ("not_graded", None)]
    assert made.attempts is not None
    assert (made.status, made.score) == ("graded", 3)
    assert "Attempt 1 was not graded: the kernel did not start" in made.attempts.why
    assert "an error in the grader: LookupError: odd" in made.attempts.why
    assert room.regrade("seed: 1, attempts: 3, take: median") == made
    room.failing = {}
    again = room.grade("seed: 1, attempts: 3, take: median")
    assert room.seeds == [1, 3]
    assert (again.score, [one[2] for one in told(again)]) == (1, ["graded"] * 3)


def test_where_every_attempt_failed_nothing_is_graded_and_a_regrade_changes_nothing(room: Class) -> None:
    room.failing = dict.fromkeys((1, 2), SandboxError("the kernel did not start"))
    made = room.grade("seed: 1, attempts: 2")
    assert (made.status, made.score) == ("not_graded", None)
    assert "none of 2 attempts could be graded; attempt 1: the kernel did not start" in (made.reason or "")
    assert [one[2] for one in told(made)] == ["not_graded"] * 2
    assert room.regrade("seed: 1, attempts: 2") == made
    room.failing = {}
    assert room.grade("seed: 1, attempts: 2").score == 3


def test_a_disk_that_is_full_ends_the_run_and_not_attempt_after_attempt(room: Class) -> None:
    room.failing = dict.fromkeys((1, 2, 3), StorageError("cannot write: the disk is full"))
    made = room.grade("seed: 1, attempts: 3")
    assert room.seeds == [1]
    assert made.status == "not_graded"


def test_attempts_of_an_earlier_notebook_or_other_settings_are_not_mixed_in(room: Class) -> None:
    room.grade("seed: 1, attempts: 3, take: first")
    write(room.folder / "luck.ipynb", "print('no luck needed')")
    made = room.grade("seed: 1, attempts: 3")
    assert room.seeds == [1]
    assert [one[2] for one in told(made)] == ["graded", "skipped", "skipped"]
    assert AttemptsFolder(room.out, "luck").numbers() == (1,)
    assert room.regrade("seed: 1, attempts: 3, take: first").score == 3


def test_a_file_that_is_no_notebook_leaves_no_attempts_behind(room: Class) -> None:
    room.grade("seed: 1, attempts: 2")
    (room.folder / "luck.ipynb").write_text("{", encoding="utf-8")
    made = room.grade("seed: 1, attempts: 2")
    assert (made.score, made.attempts) == (0, None)
    assert not AttemptsFolder(room.out, "luck").exists()


def test_the_reference_is_executed_once(room: Class) -> None:
    write(room.folder / "solution.ipynb", "print('solved')")
    text = RUBRIC.replace("dataset: digits", "dataset: digits\nreference: solution.ipynb")
    (room.folder / "tiny.yaml").write_text(text.replace("run: {", "run: {attempts: 3, take: first, "), encoding="utf-8")
    loaded = find_rubric(str(room.folder / "tiny.yaml"))
    made, _ = verify_reference(loaded, room.store, Options(warm=False), lambda _: None)
    assert (made.attempts, room.seeds) == (None, [0])


@pytest.mark.slow
def test_the_commands_say_what_the_attempts_came_to(tmp_path: Path) -> None:
    needs_bubblewrap()
    rubric = a_course(tmp_path)
    env = {"GRADER_DATA": str(tmp_path / "data")}
    notebook = write(tmp_path / "luck.ipynb", LUCK)
    out = tmp_path / "out"
    words = ("grade", notebook, "--rubric", rubric, "--out", out, "--no-warm", "--seed", "1", "--attempts", "2")
    done = grader(*words, "--json", env=env)
    assert done.code == 0, done.err
    (row,) = json.loads(done.out)["grades"]
    assert row["attempts"] == {
        "asked": 2,
        "take": "best",
        "taken": 2,
        "why": "Attempt 2 was taken, the best of 2.",
        "score": {"low": 1.0, "high": 3.0},
    }
    assert row["borderline"] == []
    assert "2 of 2, 1 to 3" in grader(*words, env=env).out
    rubric.write_text(RUBRIC.replace("run: {", "run: {take: first, "), encoding="utf-8")
    regraded = json.loads(grader("regrade", out, "--rubric", rubric, "--json", env=env).out)
    assert "attempt 1 is graded now instead of attempt 2" in regraded["changed"][0]["why"]
    refused = grader(*words[:-1], "0", env=env)
    assert refused.code == 2


def test_an_author_s_own_run_is_one_execution(tmp_path: Path) -> None:
    needs_bubblewrap()
    rubric = a_course(tmp_path)
    rubric.write_text(RUBRIC.replace("run: {", "run: {seed: 1, attempts: 2, "), encoding="utf-8")
    notebook = write(tmp_path / "luck.ipynb", LUCK)
    env = {"GRADER_DATA": str(tmp_path / "data")}
    own = grader("check", notebook, "--rubric", rubric, "--format", "json", env=env)
    assert (own.code, json.loads(own.out)["attempts"], json.loads(own.out)["score"]) == (1, None, 1)


@pytest.mark.tensorflow
@pytest.mark.slow
def test_real_trainings_with_different_seeds_spread_and_their_accuracies_are_verified(room: Class) -> None:
    text = RUBRIC.replace("memory: 1 GiB", "memory: 3 GiB") + (
        "  - {id: accuracy, points: 10, check: accuracy, with: {at_least: 0.9, partial_from: 0.01}}\n"
    )
    made = room.grade("seed: 1, attempts: 3, take: best", text=text, notebook=NOTEBOOKS / "tiny-cnn.ipynb")
    assert made.attempts is not None
    assert [one.seed for one in made.attempts.tried] == [1, 2, 3]
    found = [next(iter(next(iter(one.accuracy.values())).values())) for one in made.attempts.tried]
    assert all(fact.assurance == "verified" for fact in found)
    assert made.score == max(one.score or 0 for one in made.attempts.tried)
    placed = room.out.evidence_folder("tiny-cnn") / "models"
    taken = AttemptsFolder(room.out, "tiny-cnn").each.evidence_folder(str(made.attempts.taken)) / "models"
    models = sorted(path.name for path in placed.iterdir())
    assert models
    assert all((placed / name).samefile(taken / name) for name in models)
