"""What a preview announces is exactly what the regrade then does, and a preview changes nothing."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, reject, settings
from hypothesis import strategies as st

from grader.datasets.store import DatasetStore
from grader.grading.documents import read_located
from grader.pipeline.changes import Changed, Journal
from grader.pipeline.course import Course, load_course
from grader.pipeline.judgements import judged_course, judgement_file
from grader.pipeline.preview import Preview, joined, preview_class, score_bins, snapshot
from grader.pipeline.preview_pool import PreviewPool
from grader.pipeline.previewer import Previewer
from grader.pipeline.regrade import regrade_class, room_of
from grader.pipeline.rubrics import find_rubric, note_rubric
from grader.schema.errors import RubricError, UsageError
from grader.schema.evidence import RefusalFact
from grader.schema.judgement import Judgement
from grader.schema.message import say
from grader.schema.reference import ReferenceRecord
from grader.store.attempts import AttemptsFolder
from grader.store.database import Database, ExecutionKey
from grader.store.results import ResultsFolder

ROOT = Path(__file__).parents[2]
RUBRIC: Mapping[str, Any] = read_located(
    (ROOT / "rubrics" / "keras-mnist-cnn.yaml").read_bytes(), name="rubric", noun="rubric", kind=RubricError
).data
_WITHOUT_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
"""An example takes a second, and the changes of an example say what they are."""
KEY = ExecutionKey(notebook="n", settings="s", runtime="r", data="d")


def plain(value: Any) -> Any:
    """A copy of the YAML values that may be changed."""
    return json.loads(json.dumps(value))


def course_of(folder: Path, rubric: Mapping[str, Any] = RUBRIC) -> Course:
    """The course of a rubric, whose file is JSON, which is YAML, too."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "keras-mnist-cnn.yaml"
    file.write_text(json.dumps(rubric), encoding="utf-8")
    return load_course(find_rubric(str(file)), DatasetStore())


def files_of(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file with its time of change, and every folder."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in (folder, *folder.rglob("*"))
    }


def judgement(kind: str, criterion: str, name: str, **values: Any) -> Judgement:
    return Judgement.model_validate(
        {
            "at": datetime(2026, 5, 1, 18, tzinfo=UTC),
            "by": "Nina",
            "submission": name,
            "rubric": "keras-mnist-cnn",
            "kind": kind,
            "criterion": criterion,
            **values,
        }
    )


@pytest.fixture(scope="module")
def class_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A class with everything that a regrade meets."""
    root = tmp_path_factory.mktemp("class")
    out, course = ResultsFolder(root / "results"), course_of(root)
    first, second = (
        ReferenceRecord.model_validate_json((ROOT / "reference" / f"{name}.evidence.json").read_bytes()).evidence
        for name in ("mnist-cnn", "keras-mnist-cnn")
    )
    refused = second.model_copy(update={"refusal": RefusalFact(reason=say("It is empty."), advice="")})
    kinds = {"first": first, "second": second, "refused": refused, "lost": first, "gone": second, "edited": second}
    for name, evidence in {**kinds, "failed": first, "judged": second, "unread": first, "asked": second}.items():
        out.write_evidence(name, evidence)
    AttemptsFolder(out, "tried").begin()
    for number, evidence in enumerate((first, second), start=1):
        AttemptsFolder(out, "tried").each.write_evidence(str(number), evidence)
    out.evidence_path("lost").write_text("{", encoding="utf-8")
    database = Database(out.database_path)
    database.record_execution("asked", KEY, seconds=1.0, parts=json.dumps(course.parts))
    database.record_execution("failed", KEY, seconds=1.0, failure="the sandbox did not start")
    judgement_file(out).append(
        [
            judgement("points", "colours", "judged", points=3, of=5),
            judgement("override", "accuracy", "judged", points=10, of=10, why="The seed was unlucky."),
            judgement("comment", "*", "judged", comment="Well done."),
        ]
    )
    regrade_class(course, out, workers=1)
    # What happened since.
    shutil.rmtree(out.evidence_folder("gone"))
    out.evidence_path("unread").write_text('{"version": 1}', encoding="utf-8")
    out.grade_path("edited").write_text(
        out.grade_path("edited").read_text(encoding="utf-8").replace('"status": "passed"', '"status": "failed"', 1),
        encoding="utf-8",
    )
    judgement_file(out).append(
        [
            judgement("points", "colours", "second", points=5, of=5),
            judgement("flag", "runs", "first", why="Looks odd."),
            judgement("points", "colours", "nobody", points=5, of=5),
        ]
    )
    note_rubric(course.loaded, out)
    return root


# --- random changes of a rubric

Change = Callable[[dict[str, Any]], None]


def _pick(rubric: dict[str, Any], index: int) -> dict[str, Any]:
    criterion: dict[str, Any] = rubric["criteria"][index % len(rubric["criteria"])]
    return criterion


def _tests(criterion: dict[str, Any]) -> list[dict[str, Any]]:
    return [criterion] if "check" in criterion else [*criterion.get("any_of", ()), *criterion.get("all_of", ())]


@dataclass(frozen=True)
class Set:
    """Set a key of a criterion."""

    index: int
    key: str
    value: Any

    def __call__(self, rubric: dict[str, Any]) -> None:
        _pick(rubric, self.index)[self.key] = self.value


@dataclass(frozen=True)
class Remove:
    index: int

    def __call__(self, rubric: dict[str, Any]) -> None:
        if len(rubric["criteria"]) > 1:
            rubric["criteria"].remove(_pick(rubric, self.index))


@dataclass(frozen=True)
class Add:
    """Add a copy of a criterion, or a manual one."""

    index: int
    manual: bool

    def __call__(self, rubric: dict[str, Any]) -> None:
        ids = {criterion["id"] for criterion in rubric["criteria"]}
        new = next(f"more-{number}" for number in count() if f"more-{number}" not in ids)
        copy = {"points": 4, "manual": {"guide": "Read it."}} if self.manual else plain(_pick(rubric, self.index))
        rubric["criteria"].insert(self.index % 5, {**copy, "id": new})


@dataclass(frozen=True)
class Combine:
    """Turn the checks of a criterion into alternatives, or into conditions that must all hold."""

    index: int
    key: str
    other: int

    def __call__(self, rubric: dict[str, Any]) -> None:
        criterion = _pick(rubric, self.index)
        mine, theirs = _tests(criterion), _tests(_pick(rubric, self.other))
        if mine and theirs:
            tests = [{key: one[key] for key in ("check", "with") if key in one} for one in (*mine, *theirs)]
            for key in ("check", "with", "any_of", "all_of"):
                criterion.pop(key, None)
            criterion[self.key] = plain(tests)


@dataclass(frozen=True)
class Scale:
    """Multiply the numbers among the parameters of all checks of a criterion."""

    index: int
    factor: float

    def __call__(self, rubric: dict[str, Any]) -> None:
        for test in _tests(_pick(rubric, self.index)):
            for key, value in test.get("with", {}).items():
                if isinstance(value, int | float) and not isinstance(value, bool):
                    test["with"][key] = self._scaled(value)
                if isinstance(value, dict):
                    test["with"][key] = {name: self._scaled(one) for name, one in value.items()}

    def _scaled(self, value: float) -> float:
        return min(value * self.factor, 1.0) if value < 1 else max(1, round(value * self.factor))


@dataclass(frozen=True)
class Update:
    """Replace a part outside of the criteria."""

    key: str
    value: Any

    def __call__(self, rubric: dict[str, Any]) -> None:
        rubric[self.key] = {**rubric.get(self.key, {}), **self.value} if isinstance(self.value, dict) else self.value


_INDEX = st.integers(0, 30)
_CHANGES: st.SearchStrategy[Change] = st.one_of(
    st.builds(Scale, _INDEX, st.sampled_from([0.5, 0.97, 0.99, 1.01, 1.02, 3.0])),
    st.builds(Set, _INDEX, st.just("points"), st.sampled_from([0, 1, 2.5, 7, 33.3])),
    st.builds(Set, _INDEX, st.sampled_from(["hidden", "bonus", "private"]), st.booleans()),
    st.builds(Set, _INDEX, st.just("title"), st.sampled_from(["Another title", "ä \ud83d\ude00 ö"])),
    st.builds(Remove, _INDEX),
    st.builds(Add, _INDEX, st.booleans()),
    st.builds(Combine, _INDEX, st.sampled_from(["any_of", "all_of"]), _INDEX),
    st.builds(
        Update,
        st.just("roles"),
        st.sampled_from(
            [
                {"cnn": {"has_layer": "Conv2D", "pick": "first_trained"}},
                {"cnn": {"has_layer": "Dense", "pick": "last_trained"}},
                {"mlp": {"has_layer": "Dense", "pick": "last_trained"}},
                {"mlp": {"has_layer": "LSTM", "pick": "last_trained"}},
            ]
        ),
    ),
    st.builds(Update, st.just("run"), st.sampled_from([{"time": "20 min"}, {"take": "first"}, {"take": "median"}])),
    st.builds(
        Update,
        st.just("diagnostics"),
        st.sampled_from([{"only": []}, {"models": ["cnn"]}, {"students": {"models": []}}]),
    ),
    st.builds(Update, st.just("title"), st.just("Another title")),
)


def warm_preview(previewer: Previewer, course: Course, out: ResultsFolder) -> Preview:
    course = judged_course(course, out)
    with snapshot(out) as copy:
        done = previewer.preview(course, out.submissions())
        return joined(room_of(course, copy), out.submissions(), done)


@contextmanager
def copied_in_place(folder: Path) -> Iterator[None]:
    """Put a copy in the place of a folder, whose path is part of some messages."""
    aside = folder.with_name("aside")
    folder.rename(aside)
    try:
        shutil.copytree(aside, folder)
        yield
    finally:
        shutil.rmtree(folder)
        aside.rename(folder)


def check_same(class_folder: Path, folder: Path, previewer: Previewer, changes: Sequence[Change]) -> None:
    """Preview a changed rubric, from scratch and with earlier results, and compare with the regrade."""
    rubric = plain(RUBRIC)
    for change in changes:
        change(rubric)
    try:
        course = course_of(folder, rubric)
    except RubricError:
        reject()
    out = ResultsFolder(class_folder / "results")
    before = files_of(class_folder)
    announced = preview_class(course, out, workers=1)
    assert warm_preview(previewer, course, out) == announced
    assert files_of(class_folder) == before
    with copied_in_place(class_folder):
        assert announced.regrade == regrade_class(course, out, workers=1)
        grades = {name: out.read_grade(name) for name in out.submissions()}
    assert {one.submission: (one.new, one.new_max) for one in announced.scores} == {
        name: (grade.score, grade.max_score) for name, grade in grades.items() if grade is not None
    }


@pytest.fixture(scope="module")
def previewer(class_folder: Path) -> Previewer:
    return Previewer(ResultsFolder(class_folder / "results"))


@settings(max_examples=6, phases=_WITHOUT_SHRINKING)
@given(st.lists(_CHANGES, min_size=1, max_size=4))
def test_a_preview_announces_exactly_what_the_regrade_does(
    class_folder: Path, tmp_path_factory: pytest.TempPathFactory, previewer: Previewer, changes: list[Change]
) -> None:
    check_same(class_folder, tmp_path_factory.mktemp("one"), previewer, changes)


@pytest.mark.slow
@pytest.mark.early
@settings(max_examples=80, phases=_WITHOUT_SHRINKING)
@given(st.lists(_CHANGES, max_size=5))
def test_a_preview_announces_exactly_what_the_regrade_does_for_many_rubrics(
    class_folder: Path, tmp_path_factory: pytest.TempPathFactory, previewer: Previewer, changes: list[Change]
) -> None:
    check_same(class_folder, tmp_path_factory.mktemp("one"), previewer, changes)


# --- examples


@pytest.fixture
def copied(class_folder: Path, tmp_path: Path) -> ResultsFolder:
    shutil.copytree(class_folder, tmp_path / "class")
    return ResultsFolder(tmp_path / "class" / "results")


def test_the_class_of_these_tests_has_grades_of_every_kind(copied: ResultsFolder, tmp_path: Path) -> None:
    result = preview_class(course_of(tmp_path), copied, workers=1).regrade
    changed = {one.submission: one for one in result.first}
    # Of the submission that was never graded, the execution failed.
    assert result.total == len(copied.submissions()) - 1 == 10
    assert result.not_graded == 3
    assert result.edited == ("edited",)
    assert [one.submission for one in result.orphans] == ["nobody"]
    # The message of the damaged evidence names its path, which is another one in this copy.
    assert {"gone", "unread", "second", "edited", "first", "lost"} == set(changed)
    assert (changed["gone"].new, changed["second"].new) == (None, (changed["second"].old or 0) + 5)


def test_the_changes_of_an_interrupted_regrade_are_announced_too(copied: ResultsFolder, tmp_path: Path) -> None:
    course = course_of(tmp_path)
    Journal(copied.root, course.stamp.sha256).note([Changed("asked", "Asked", 1.0, 2.0, ())])
    announced = preview_class(course, copied, workers=1).regrade
    assert [one.old for one in announced.first if one.submission == "asked"] == [1.0]
    assert announced == regrade_class(course, copied, workers=1)


def test_a_part_that_only_reads_other_criteria_is_computed_again(class_folder: Path, tmp_path: Path) -> None:
    """The accuracy of the graded model follows the criteria that name a data set, so no part of it may be kept."""
    out = ResultsFolder(class_folder / "results")
    rubric = plain(RUBRIC)
    rubric["criteria"] = [one for one in rubric["criteria"] if one["id"] not in {"accuracy", "beats-mlp"}]
    kept = Previewer(out)
    for course in (course_of(tmp_path / "a"), course_of(tmp_path / "b", rubric), course_of(tmp_path / "a")):
        assert warm_preview(kept, course, out) == preview_class(course, out, workers=1)


def test_a_submission_that_changed_is_read_again(copied: ResultsFolder, tmp_path: Path) -> None:
    course, kept = course_of(tmp_path), Previewer(copied)
    first = warm_preview(kept, course, copied)
    shutil.copyfile(copied.evidence_path("first"), copied.evidence_path("second"))
    judgement_file(copied).append([judgement("points", "colours", "asked", points=1, of=5)])
    second = warm_preview(kept, course, copied)
    assert second != first
    assert second == preview_class(course, copied, workers=1)
    regrade_class(course, copied, workers=1)
    assert warm_preview(kept, course, copied) == preview_class(course, copied, workers=1)


def test_a_previewer_keeps_no_more_than_it_may(class_folder: Path, tmp_path: Path) -> None:
    out = ResultsFolder(class_folder / "results")
    small = Previewer(out, most_kept=out.grade_path("first").stat().st_size + 1)
    course = course_of(tmp_path)
    assert warm_preview(small, course, out) == warm_preview(small, course, out) == preview_class(course, out, workers=1)
    kept = [out.grade_path(name) for name in small._kept]
    assert [path.is_file() for path in kept].count(True) == 1


@pytest.fixture
def pool(copied: ResultsFolder) -> Iterator[PreviewPool]:
    with PreviewPool(copied.root, DatasetStore().root, workers=2) as workers:
        yield workers


@pytest.mark.slow
@pytest.mark.early
def test_worker_processes_give_the_same_preview(copied: ResultsFolder, pool: PreviewPool, tmp_path: Path) -> None:
    rubric = plain(RUBRIC)
    Scale(9, 1.01)(rubric)
    steps: list[tuple[int, int]] = []
    for course in (course_of(tmp_path / "a"), course_of(tmp_path / "b", rubric)):
        made = pool.preview(course.loaded, listener=lambda done, total: steps.append((done, total)))
        assert made == preview_class(course, copied, workers=1)
    assert steps[-1] == (11, 11)
    judgement_file(copied).path.write_text("no judgement\n", encoding="utf-8")
    with pytest.raises(UsageError, match="line 1"):
        pool.preview(course_of(tmp_path / "a").loaded)


@pytest.mark.parametrize(
    ("scores", "bins"),
    [
        ([], (0,) * 10),
        ([(0, 10), (0.99, 10), (1, 10)], (2, 1, 0, 0, 0, 0, 0, 0, 0, 0)),
        ([(30, 100), (10, 10), (12, 10), (None, 10), (3, 0)], (0, 0, 0, 1, 0, 0, 0, 0, 0, 2)),
    ],
)
def test_scores_are_counted_by_their_share_of_full_marks(
    scores: list[tuple[float | None, float]], bins: tuple[int, ...]
) -> None:
    assert score_bins(scores) == bins
