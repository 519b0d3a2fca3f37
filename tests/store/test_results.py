"""The results folder."""

import errno
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.schema.errors import ArtefactError, StorageError
from grader.schema.evidence import Evidence, FitFact
from grader.schema.grade import CriterionGrade, Grade, LayerGrade, ModelGrade, RubricStamp, SubmissionStamp
from grader.schema.submission import Run
from grader.store.results import ResultsFolder


def run() -> Run:
    return Run(status="completed", seconds=1.5, cells_run=3, cells_total=3, isolation="none", seed=0, dialect="keras3")


def evidence(*losses: float) -> Evidence:
    fit = FitFact(event=4, cell=2, model="m1", status="completed", history={"loss": losses})
    return Evidence(run=run(), fits=(fit,))


def grade(submission: str = "ann", measured: Any = None) -> Grade:
    layer = LayerGrade.model_validate(
        {
            "name": "d",
            "class": "Dense",
            "output_shape": (10,),
            "parameters": 5,
            "trainable": True,
            "config": {"units": 10},
        }
    )
    model = ModelGrade(
        name="net", roles=("cnn",), input_shape=(28, 28, 1), output_shape=(None, 10), parameters=5, layers=(layer,),
        accuracy={}, id="m1", assurance="recorded",
    )  # fmt: skip
    criterion = CriterionGrade(
        id="c", title="Título", points=1, max_points=2, status="partial", message="half", measured={"value": measured}
    )
    return Grade(
        submission=SubmissionStamp(id=submission, student="Ann", files=("a.ipynb",), sha256="0" * 64),
        rubric=RubricStamp(id="r", sha256="1" * 64),
        status="graded", score=1, max_score=2, pending=0, criteria=(criterion,), models=(model,),
    )  # fmt: skip


def test_a_grade_comes_back_as_it_was_written(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path / "out")
    written = grade(measured=0.5)
    path = results.write_grade(written)
    assert path == tmp_path / "out" / "ann" / "grade.json"
    assert results.read_grade("ann") == written
    assert results.read_grade("bob") is None


def test_grade_json_has_the_names_of_the_contract_and_is_strict_json(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path)
    path = results.write_grade(grade(measured=[float("nan"), float("inf"), 1.0]))
    content = json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert content["models"][0]["layers"][0]["class"] == "Dense"
    assert content["criteria"][0]["measured"]["value"] == [None, None, 1.0]
    names = "version submission rubric status reason score max_score pending criteria models diagnostics execution"
    later = ("edition", "attempts", "main_model", "main_accuracy", "problems", "problems_says", "reason_says")
    people = ("comments", "flags", "requests", "review", "late", "excused", "due", "seal", "quick")
    assert set(content) == {*names.split(), "reference", *later, *people}
    added = {"cause", "measured_labels", "says", "advice_says", "judged", "comments"}
    assert added <= set(content["criteria"][0])
    stamp = ("id", "student", "files", "sha256", "notes", "notes_says", "submitted", "submitted_from")
    assert set(content["submission"]) == set(stamp)
    assert "Título" in path.read_text(encoding="utf-8")


@given(st.lists(st.floats(), max_size=5))
def test_evidence_of_a_training_that_diverged_comes_back(
    tmp_path_factory: pytest.TempPathFactory, losses: list[float]
) -> None:
    results = ResultsFolder(tmp_path_factory.mktemp("r"))
    results.write_evidence("ann", evidence(*losses))
    back = results.read_evidence("ann")
    assert back is not None
    assert repr(back.fits[0].history["loss"]) == repr(tuple(losses))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "damaged"),
        ("[" * 100_000, "damaged"),
        ("[]", "version None"),
        ('{"version": 99}', "version 99"),
        ('{"version": 1}', "invalid value"),
    ],
)
def test_damaged_evidence_or_of_another_version_is_told(tmp_path: Path, content: str, words: str) -> None:
    results = ResultsFolder(tmp_path)
    folder = results.evidence_folder("ann")
    folder.mkdir(parents=True)
    (folder / "evidence.json").write_text(content)
    with pytest.raises(ArtefactError, match=words) as caught:
        results.read_evidence("ann")
    assert str(folder) in caught.value.where
    assert "--no-resume" in caught.value.advice


def test_a_full_disk_leaves_the_old_file_and_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = ResultsFolder(tmp_path)
    results.write_report("ann", "old")

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="disk is full"):
        results.write_report("ann", "new")
    assert [(path.name, path.read_text()) for path in (tmp_path / "ann").iterdir()] == [("report.html", "old")]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError) as caught:
        ResultsFolder(tmp_path / "file").write_page("index.html", "x")
    assert "--out" in caught.value.advice


def test_half_characters_of_a_student_do_not_stop_a_report(tmp_path: Path) -> None:
    path = ResultsFolder(tmp_path).write_report("ann", "x\ud83dy")
    assert path.read_text(encoding="utf-8") == "x?y"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "a\0b"])
def test_an_id_that_is_no_plain_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not a valid folder name"):
        ResultsFolder(tmp_path).folder(name)


def test_new_evidence_takes_the_place_of_the_old_whole(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path)
    for number in (1, 2):
        filled = results.new_evidence_folder("ann")
        (filled / f"events-{number}").write_text("x")
        assert results.adopt_evidence("ann", filled) == tmp_path / "ann" / "evidence"
    assert [path.name for path in (tmp_path / "ann").iterdir()] == ["evidence"]
    assert [path.name for path in results.evidence_folder("ann").iterdir()] == ["events-2"]


def test_the_old_evidence_stays_when_the_new_cannot_be_moved(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path)
    filled = results.new_evidence_folder("ann")
    (filled / "old").write_text("x")
    results.adopt_evidence("ann", filled)
    with pytest.raises(StorageError):
        results.adopt_evidence("ann", tmp_path / "not-there")
    assert [path.name for path in results.evidence_folder("ann").iterdir()] == ["old"]


def test_a_folder_left_over_by_a_run_that_was_killed_goes_away(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path)
    abandoned = results.new_evidence_folder("ann")
    assert results.new_evidence_folder("ann") != abandoned
    assert not abandoned.exists()


def test_what_a_killed_run_left_goes_away_and_folders_of_others_stay(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path)
    results.new_evidence_folder("ann")
    (tmp_path / "own").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "note.txt").write_text("x")
    with results.at_work():
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes", "own"]


@pytest.fixture
def disk() -> Iterator[Path]:
    """A folder with another one in it that may not be looked into, also where tests run as root."""
    with tempfile.TemporaryDirectory() as name:
        folder, user = Path(name), os.geteuid()
        folder.chmod(0o777)
        (folder / "lost+found").mkdir(mode=0)
        if user == 0:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            os.seteuid(user)
            (folder / "lost+found").chmod(0o700)


def test_a_folder_that_may_not_be_looked_into_is_passed_over(disk: Path) -> None:
    results = ResultsFolder(disk)
    results.write_grade(grade("bob"))
    with results.at_work():
        assert results.submissions() == ("bob",)
    assert sorted(path.name for path in disk.iterdir()) == ["bob", "lost+found"]


def test_submissions_with_evidence_or_a_grade_are_listed(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path / "none")
    assert results.submissions() == ()
    results = ResultsFolder(tmp_path)
    results.write_grade(grade("bob"))
    results.write_evidence("ann", evidence(1.0))
    results.write_page("index.html", "x")
    (tmp_path / "stray").mkdir()
    assert results.submissions() == ("ann", "bob")
