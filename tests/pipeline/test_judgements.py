"""Judgements in the pipeline: they reach grades, reports and tables, and a regrade keeps or lists them."""

import csv
import json
import multiprocessing
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from grader.cli.app import main
from grader.delivery.messages import Sender
from grader.delivery.plan import Selection
from grader.delivery.roster import read_roster
from grader.facts.language import english
from grader.pipeline.judgements import judged_course, judgement_file
from grader.pipeline.mailing import MailOptions, mail_class
from grader.pipeline.publish import basis_of
from grader.pipeline.regrade import course_of_results, regrade_class
from grader.pipeline.rejudge import ClassRows, rejudge
from grader.pipeline.rubrics import note_judgements
from grader.schema.base import Assurance
from grader.schema.errors import EditedGradeError, UsageError
from grader.schema.grade import CriterionGrade, Grade
from grader.schema.judgement import Judgement
from grader.store.results import ResultsFolder
from tests.support.kept_results import keep_results
from tests.support.waiting import DEADLOCK_SECONDS

_RUBRIC = "mnist-cnn"
_NAMES = ("ada", "bo", "cleo")


@pytest.fixture
def out(tmp_path: Path) -> ResultsFolder:
    return keep_results(tmp_path / "results", _RUBRIC, *_NAMES)


def manual_line(grade: Grade) -> CriterionGrade:
    """The criterion that waits for a person in a grade that nobody judged."""
    return next(line for line in grade.criteria if line.status == "pending")


def grade_of(out: ResultsFolder, name: str) -> Grade:
    grade = out.read_grade(name)
    assert grade is not None
    return grade


def a_judgement(grade: Grade, **values: Any) -> Judgement:
    """Points for the criterion that waits for a person."""
    given = {
        "at": datetime(2026, 5, 1, 18, tzinfo=UTC),
        "by": "Nina",
        "submission": grade.submission.id,
        "notebook": grade.submission.sha256,
        "rubric": grade.rubric.id,
        "kind": "points",
    }
    if values.get("kind", "points") == "points":
        line = manual_line(grade)
        given |= {"criterion": line.id, "points": line.max_points / 2, "of": line.max_points}
    return Judgement.model_validate(given | values)


def test_points_of_a_person_reach_the_grade_the_report_and_the_table(out: ResultsFolder) -> None:
    before = grade_of(out, "ada")
    line = manual_line(before)
    judgement_file(out).append([a_judgement(before, comment="Name the ranks that you mean.")])
    course = course_of_results(out)
    (change,) = rejudge(out, course, ["ada"])
    after = grade_of(out, "ada")
    judged = next(one for one in after.criteria if one.id == line.id)
    assert (judged.points, judged.status, judged.assurance) == (line.max_points / 2, "partial", Assurance.JUDGED)
    assert judged.judged is not None
    assert (judged.judged.by, judged.judged.computed_status, judged.judged.computed_says) == (
        *("Nina", "pending"),
        line.says,
    )
    assert after.score == change.new == (before.score or 0) + line.max_points / 2
    assert after.pending == before.pending - line.max_points
    page = out.report_path("ada").read_text(encoding="utf-8")
    assert "Nina" in page
    assert "Name the ranks that you mean." in page
    with (out.root / "grades.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert (rows["ada"]["judged_by"], rows["ada"]["judged_at"]) == ("Nina", "2026-05-01T18:00:00.000000Z")
    assert rows["bo"]["judged_by"] == ""
    assert float(rows["ada"]["score"]) == after.score


def test_a_judgement_changes_the_basis_of_its_submission_alone(out: ResultsFolder) -> None:
    course, stamps = course_of_results(out), [grade_of(out, name).submission for name in _NAMES]
    before = [basis_of(stamp, judged_course(course, out), out) for stamp in stamps]
    judgement_file(out).append([a_judgement(grade_of(out, "bo"))])
    after = [basis_of(stamp, judged_course(course, out), out) for stamp in stamps]
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False, True]


def test_a_regrade_after_rejudging_changes_nothing(out: ResultsFolder) -> None:
    course = course_of_results(out)
    judgement_file(out).append(
        [a_judgement(grade_of(out, "ada")), a_judgement(grade_of(out, "cleo"), kind="flag", why="?")]
    )
    rejudge(out, course, ["ada", "cleo", "nobody"])
    files = {path: path.read_bytes() for path in out.root.rglob("*") if path.name != "grader.sqlite" and path.is_file()}
    with out.at_work():
        result = regrade_class(course, out)
    assert (result.total, result.changed, result.review, result.orphans) == (len(_NAMES), 0, (), ())
    same = {path: path.read_bytes() for path in out.root.rglob("*") if path.name != "grader.sqlite" and path.is_file()}
    assert same == files


def test_a_withdrawn_judgement_leaves_the_grade_as_computed(out: ResultsFolder) -> None:
    before, course = grade_of(out, "ada"), course_of_results(out)
    first = a_judgement(before)
    judgement_file(out).append([first])
    rejudge(out, course, ["ada"])
    assert grade_of(out, "ada") != before
    withdrawal = {"at": first.at + timedelta(seconds=1), "points": None, "of": None}
    judgement_file(out).append([first.model_copy(update=withdrawal)])
    rejudge(out, course, ["ada"])
    assert grade_of(out, "ada") == before


def test_kept_rows_give_the_same_class_pages(out: ResultsFolder) -> None:
    course, rows = course_of_results(out), ClassRows()
    rejudge(out, course, [], rows=rows)
    judgement_file(out).append([a_judgement(grade_of(out, "bo"))])
    rejudge(out, course, ["bo"], rows=rows)
    with_rows = (out.root / "index.html").read_bytes(), (out.root / "grades.csv").read_bytes()
    rejudge(out, course, [])
    assert with_rows == ((out.root / "index.html").read_bytes(), (out.root / "grades.csv").read_bytes())


def test_a_judgement_of_another_notebook_has_no_effect_and_is_listed(
    out: ResultsFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    before = grade_of(out, "ada")
    stale = a_judgement(before, notebook="0" * 64)
    orphan = a_judgement(before, submission="nobody")
    judgement_file(out).append([stale, orphan])
    with pytest.raises(SystemExit) as done:
        main(["regrade", str(out.root), "--json"])
    assert done.value.code == 0
    printed = json.loads(capsys.readouterr().out)
    (review,) = printed["review"]
    assert (review["submission"], review["criterion"], review["reason"]) == ("ada", stale.criterion, "notebook")
    assert [one["submission"] for one in printed["orphans"]] == ["nobody"]
    after = grade_of(out, "ada")
    assert (after.score, after.pending) == (before.score, before.pending)
    with pytest.raises(SystemExit):
        main(["regrade", str(out.root)])
    text = capsys.readouterr().out
    assert "another notebook was handed in" in text
    assert "there is no such submission" in text


def test_the_file_of_judgements_is_next_to_the_results_or_the_named_one(out: ResultsFolder, tmp_path: Path) -> None:
    assert judgement_file(out).path == tmp_path / "results-judgements.jsonl"
    note_judgements(out, tmp_path / "mine.jsonl")
    assert judgement_file(out).path == tmp_path / "mine.jsonl"
    with out.at_work():
        regrade_class(course_of_results(out), out)
    assert judgement_file(out).path == tmp_path / "mine.jsonl"
    with pytest.raises(UsageError, match="inside the results folder"):
        note_judgements(out, out.root / "mine.jsonl")


def test_a_missing_file_of_judgements_does_not_lose_judged_points(out: ResultsFolder) -> None:
    course = course_of_results(out)
    judgement_file(out).append([a_judgement(grade_of(out, "ada"))])
    rejudge(out, course, ["ada"])
    judged = grade_of(out, "ada")
    judgement_file(out).path.unlink()
    with out.at_work(), pytest.raises(UsageError, match="1 grades have judgements, such as ada"):
        regrade_class(course, out)
    assert grade_of(out, "ada") == judged
    judgement_file(out).path.touch()
    rejudge(out, course, ["ada"])
    assert grade_of(out, "ada").pending > judged.pending


def test_a_wrong_line_stops_a_regrade_and_names_the_line(out: ResultsFolder) -> None:
    file = judgement_file(out)
    file.append([a_judgement(grade_of(out, "ada"))])
    with file.path.open("a", encoding="utf-8") as lines:
        lines.write('{"version": 1, "kind": "points"}\n')
    with out.at_work(), pytest.raises(UsageError, match="line 2: at: Field required"):
        regrade_class(course_of_results(out), out)


# --- edited by hand


def edit(out: ResultsFolder, name: str, *keys: Any, value: Any) -> None:
    """Change one value of a `grade.json`, as somebody with an editor does."""
    path = out.grade_path(name)
    data = json.loads(path.read_bytes())
    place = data
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    path.write_text(json.dumps(data), encoding="utf-8")


def test_a_regrade_names_and_restores_grades_that_were_edited_by_hand(
    out: ResultsFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    course, before = course_of_results(out), {name: grade_of(out, name) for name in _NAMES}
    edit(out, "ada", "criteria", 0, "points", value=99.0)
    path = out.grade_path("bo")
    path.write_text(json.dumps(json.loads(path.read_bytes())), encoding="utf-8")  # only formatting
    with pytest.raises(EditedGradeError, match="edited this grade by hand"):
        out.read_grade("ada")
    with pytest.raises(SystemExit):
        main(["regrade", str(out.root), "--json"])
    printed = json.loads(capsys.readouterr().out)
    assert printed["edited"] == ["ada"]
    assert [one["submission"] for one in printed["changed"]] == ["ada"]
    assert {name: grade_of(out, name) for name in _NAMES} == before
    with out.at_work():
        assert regrade_class(course, out).edited == ()


def test_an_edited_name_of_the_student_is_not_taken_over(out: ResultsFolder) -> None:
    edit(out, "ada", "submission", "student", value="Somebody Else")
    with out.at_work():
        assert regrade_class(course_of_results(out), out).edited == ("ada",)
    assert grade_of(out, "ada").submission.student == "ada"


def test_an_edited_rubric_does_not_stop_a_regrade(out: ResultsFolder) -> None:
    edit(out, "ada", "rubric", "id", value="keras-mnist-cnn")
    with out.at_work():
        assert regrade_class(course_of_results(out), out).edited == ("ada",)
    assert grade_of(out, "ada").rubric.id == _RUBRIC


def test_an_edited_grade_without_evidence_is_not_accepted(out: ResultsFolder) -> None:
    out.forget_evidence("ada")
    edit(out, "ada", "score", value=100.0)
    with out.at_work():
        assert regrade_class(course_of_results(out), out).not_graded == 1
    grade = grade_of(out, "ada")
    assert (grade.status, grade.score) == ("not_graded", None)
    assert "edited this grade by hand" in (grade.reason or "")


def test_the_class_page_and_the_report_command_name_an_edited_grade(
    out: ResultsFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    report = out.report_path("ada").read_bytes()
    edit(out, "ada", "score", value=100.0)
    with pytest.raises(SystemExit):
        main(["report", str(out.root)])
    printed = capsys.readouterr().out
    assert "edited by hand" in printed
    assert "ada" in printed
    assert out.report_path("ada").read_bytes() == report
    assert "1 grade was edited by hand" in (out.root / "index.html").read_text(encoding="utf-8")


def test_mail_holds_an_edited_grade_back(out: ResultsFolder, tmp_path: Path) -> None:
    roster = tmp_path / "roster.csv"
    roster.write_text("id,email\n" + "".join(f"{name},{name}@example.org\n" for name in _NAMES), encoding="utf-8")
    edit(out, "ada", "score", value=100.0)
    address = Address("Course", addr_spec="course@example.org")
    sender = Sender(address, address, address)
    mailing = mail_class(out, read_roster(roster), MailOptions(sender, selection=Selection(with_pending=True)))
    states = {one.entry.submission: (one.entry.action, one.entry.reason) for one in mailing.outcomes}
    assert states["ada"][0] == "held"
    assert "edited its grade.json by hand" in english(states["ada"][1] or "")
    assert states["bo"][0] == "send"


# --- several graders at once


def _judge_all(folder: Path, names: tuple[str, ...], by: str) -> None:
    """Judge submissions one after the other, as a grader at the desk."""
    out = ResultsFolder(folder)
    course, rows = course_of_results(out), ClassRows()
    for name in names:
        judgement_file(out).append([a_judgement(grade_of(out, name), by=by)])
        rejudge(out, course, [name], rows=rows, wait=DEADLOCK_SECONDS)


def test_two_graders_judge_at_once_and_no_grade_is_left_behind(out: ResultsFolder) -> None:
    fork = multiprocessing.get_context("fork")
    graders = [
        fork.Process(target=_judge_all, args=(out.root, names, by))
        for by, names in (("Nina", ("ada", "cleo")), ("Omar", ("bo",)))
    ]
    for process in graders:
        process.start()
    for process in graders:
        process.join(DEADLOCK_SECONDS)
        assert process.exitcode == 0
    judged = {name: {line.judged.by for line in grade_of(out, name).criteria if line.judged} for name in _NAMES}
    assert judged == {"ada": {"Nina"}, "bo": {"Omar"}, "cleo": {"Nina"}}
    pages = (out.root / "index.html").read_bytes(), (out.root / "grades.csv").read_bytes()
    with out.at_work():
        assert regrade_class(course_of_results(out), out).changed == 0
    assert pages == ((out.root / "index.html").read_bytes(), (out.root / "grades.csv").read_bytes())


def test_a_command_that_cannot_lock_the_folder_says_that_the_judgements_are_stored(
    out: ResultsFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("grader.pipeline.rejudge.rejudge", partial(rejudge, wait=0.0))
    requests = tmp_path / "requests.csv"
    requests.write_text("student,reason\nada,Please look again.\n", encoding="utf-8")
    with out.at_work(), pytest.raises(SystemExit) as done:
        main(["requests", "import", str(out.root), str(requests)])
    assert done.value.code == 2
    assert "the judgements are stored" in " ".join(capsys.readouterr().err.split())
    assert [one.kind for one in judgement_file(out).read().judgements] == ["request"]
