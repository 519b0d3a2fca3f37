"""Marks of a class through a spreadsheet, files of several graders, and requests of students."""

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from grader.delivery.marks import marks_csv
from grader.delivery.roster import Student
from grader.pipeline.course import Course
from grader.pipeline.judgements import judged_course, judgement_file
from grader.pipeline.marks import after, export_marks, import_marks, join_judgements
from grader.pipeline.regrade import course_of_results
from grader.pipeline.rejudge import rejudge
from grader.pipeline.requests import Answer, answer_request, import_requests, open_requests, read_reply
from grader.schema.errors import EditedGradeError, UsageError
from grader.schema.grade import Grade
from grader.schema.judgement import Judgement
from grader.store.judgements import JudgementFile, judgement_line
from grader.store.results import ResultsFolder
from tests.support.command import grader
from tests.support.kept_results import keep_results

NOW = datetime(2026, 5, 1, 18, tzinfo=UTC)
_NAMES = ("ada", "bo")
_COMPUTED = "runs"
"""A criterion of the rubric that the grader computes."""


@pytest.fixture
def out(tmp_path: Path) -> ResultsFolder:
    return keep_results(tmp_path / "results", "mnist-cnn", *_NAMES)


@pytest.fixture
def course(out: ResultsFolder) -> Course:
    return course_of_results(out)


def now() -> datetime:
    return NOW


def later() -> datetime:
    return NOW + timedelta(hours=1)


def grade_of(out: ResultsFolder, name: str) -> Grade:
    grade = out.read_grade(name)
    assert grade is not None
    return grade


class Sheet:
    """An exported table that somebody edits."""

    def __init__(self, out: ResultsFolder, course: Course, criterion: str | None = None) -> None:
        content = marks_csv(export_marks(out, judged_course(course, out), criterion=criterion))
        self.rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
        self.path = out.root.with_name("marks.csv")

    def set(self, number: int, **cells: str) -> "Sheet":
        self.rows[number] |= cells
        return self

    def file(self) -> Path:
        with self.path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(self.rows[0]))
            writer.writeheader()
            writer.writerows(self.rows)
        return self.path


def imported(
    out: ResultsFolder, course: Course, sheet: Sheet, moment: Callable[[], datetime] = now, **options: Any
) -> list[Judgement]:
    """Import a table, and make the grades again."""
    done = import_marks(out, course, sheet.file(), by=options.pop("by", "Nina"), now=moment, **options)
    rejudge(out, course, [one.submission for one in done.judgements])
    return list(done.judgements)


def test_an_export_that_nobody_edited_imports_nothing(out: ResultsFolder, course: Course) -> None:
    sheet = Sheet(out, course)
    assert len(sheet.rows) > len(_NAMES)
    assert imported(out, course, sheet) == []
    first = Sheet(out, course).set(0, points="1,5", comment="'=Well done\nreally").set(1, comment="Only a comment.")
    assert [(one.kind, one.points) for one in imported(out, course, first)] == [("points", 1.5), ("comment", None)]
    before = judgement_file(out).path.read_bytes()
    for again in (first, Sheet(out, course)):
        assert imported(out, course, again, later) == []
    assert judgement_file(out).path.read_bytes() == before


def test_imported_points_are_in_the_grade_with_the_name(out: ResultsFolder, course: Course) -> None:
    sheet = Sheet(out, course).set(0, points="2")
    imported(out, course, sheet)
    line = next(one for one in grade_of(out, "ada").criteria if one.id == sheet.rows[0]["criterion"])
    assert line.judged is not None
    assert (line.points, line.judged.by, line.judged.kind) == (2.0, "Nina", "points")


def test_nothing_is_imported_if_one_row_is_wrong_and_all_problems_are_named(out: ResultsFolder, course: Course) -> None:
    sheet = Sheet(out, course)
    sheet.set(0, points="1").set(1, points="99").set(2, notebook="f" * 64, points="1")
    sheet.set(3, submission="bob", points="1").set(4, criterion="sketsch", points="1")
    with pytest.raises(UsageError) as caught:
        imported(out, course, sheet)
    problems = caught.value.message.split("; line ")
    expected = (
        "more than the",
        "another notebook now: export the marks again",
        "did you mean 'bo'",
        "no criterion 'sketsch'",
    )
    assert all(words in problem for words, problem in zip(expected, problems, strict=True))
    assert [problem.removeprefix("line ")[0] for problem in problems] == ["3", "4", "5", "6"]
    assert judgement_file(out).read().judgements == ()


def test_other_points_than_the_graders_need_a_reason(out: ResultsFolder, course: Course) -> None:
    sheet = Sheet(out, course, _COMPUTED).set(0, points="1")
    with pytest.raises(UsageError, match="line 2: the grader computes runs: give the reason"):
        imported(out, course, sheet)
    (override,) = imported(out, course, sheet.set(0, why="It ran on another machine."))
    assert (override.kind, override.points) == ("override", 1.0)
    line = next(one for one in grade_of(out, "ada").criteria if one.id == _COMPUTED)
    assert line.judged is not None
    assert (line.points, line.judged.why, line.judged.computed_status) == (1.0, "It ran on another machine.", "passed")
    (withdrawal,) = imported(out, course, Sheet(out, course, _COMPUTED).set(0, points="", why=""), later)
    assert withdrawal.withdraws
    assert next(one for one in grade_of(out, "ada").criteria if one.id == _COMPUTED).judged is None


def test_a_judgement_since_the_export_is_not_overwritten_unless_somebody_decides(
    out: ResultsFolder, course: Course
) -> None:
    mine, theirs = Sheet(out, course), Sheet(out, course)
    imported(out, course, theirs.set(0, points="3").set(1, points="1"), by="Omar")
    mine.set(0, points="2")  # and nobody changed the second row here
    with pytest.raises(UsageError, match="Omar gave 3 points since the export") as caught:
        imported(out, course, mine, later)
    assert "line 3" not in caught.value.message
    assert imported(out, course, mine, later, take="stored") == []
    (one,) = imported(out, course, mine, later, take="file")
    assert (one.points, one.by) == (2.0, "Nina")


def test_a_dry_run_stores_nothing(out: ResultsFolder, course: Course) -> None:
    sheet = Sheet(out, course).set(0, points="2")
    done = import_marks(out, course, sheet.file(), by="Nina", now=now, dry_run=True)
    assert [one.points for one in done.judgements] == [2.0]
    assert not judgement_file(out).path.exists()


def test_a_new_judgement_counts_whatever_the_clock_of_the_earlier_one_said(out: ResultsFolder, course: Course) -> None:
    imported(out, course, Sheet(out, course).set(0, points="3"), later)
    (second,) = imported(out, course, Sheet(out, course).set(0, points="2"), now)
    assert second.at == later() + timedelta(microseconds=1)
    assert after(NOW, [second]) > second.at
    assert Sheet(out, course).rows[0]["points"] == "2"


def test_marks_of_an_edited_grade_are_refused(out: ResultsFolder, course: Course) -> None:
    path = out.grade_path("bo")
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "score": 100}), encoding="utf-8")
    with pytest.raises(EditedGradeError, match="edited these grades by hand: bo"):
        export_marks(out, course)


def test_files_of_two_graders_are_joined(out: ResultsFolder, course: Course, tmp_path: Path) -> None:
    imported(out, course, Sheet(out, course).set(0, points="2"))
    (mine,) = judgement_file(out).read().judgements
    other = JudgementFile(tmp_path / "omar.jsonl")
    theirs = mine.model_copy(update={"by": "Omar", "points": 3.0, "at": later()})
    flag = Judgement(at=NOW, by="Omar", submission="bo", rubric=mine.rubric, kind="flag", why="?")
    other.append([mine, theirs, flag])
    joined = join_judgements(out, [other.path, other.path])
    assert joined.judgements == (theirs, flag)
    assert joined.replaced == (f"ada, {mine.criterion}: Nina 2, Omar 3; the last one counts",)
    assert join_judgements(out, [other.path]).judgements == ()


# --- requests


def ask(out: ResultsFolder, course: Course, *rows: str) -> tuple[Judgement, ...]:
    path = out.root.with_name("requests.csv")
    path.write_text("\n".join(("student,criterion,reason", *rows)), encoding="utf-8")
    new = import_requests(out, course, path, now=now)
    rejudge(out, course, [one.submission for one in new])
    return new


def test_a_request_is_listed_answered_and_shown_to_the_student(out: ResultsFolder, course: Course) -> None:
    (request,) = ask(out, course, f"Ada,{_COMPUTED},It does run on my machine.")
    assert (request.kind, request.by, request.criterion) == ("request", "ada", _COMPUTED)
    assert ask(out, course, f"Ada,{_COMPUTED},It does run on my machine.") == ()
    (listed,) = open_requests(out)
    assert (listed.submission, listed.request.why) == ("ada", "It does run on my machine.")
    answer = Answer("ada", _COMPUTED, "Nina", "It does not here.", points=1.0, why="Half of it ran.")
    given = answer_request(out, course, answer, now=later)
    assert [one.kind for one in given] == ["override", "answer"]
    rejudge(out, course, ["ada"])
    assert open_requests(out) == ()
    page = out.report_path("ada").read_text(encoding="utf-8")
    assert "It does run on my machine." in page
    assert "It does not here." in page
    assert "Half of it ran." not in page
    assert "1 request" not in (out.root / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer("adaa", _COMPUTED, "Nina", "No."), "did you mean 'ada'"),
        (Answer("ada", "sketch", "Nina", "No."), "no request about 'sketch'"),
        (Answer("ada", _COMPUTED, "Nina", " "), "the answer is empty"),
        (Answer("ada", _COMPUTED, "Nina", "No.", points=400.0, why="x"), "has 0 to"),
        (Answer("ada", _COMPUTED, "Nina", "No.", points=1.0), "need a reason"),
        (Answer("ada", _COMPUTED, " ", "No."), "the name is empty"),
    ],
)
def test_an_impossible_answer_is_refused_and_stores_nothing(
    out: ResultsFolder, course: Course, answer: Answer, words: str
) -> None:
    ask(out, course, f"ada,{_COMPUTED},Please look again.")
    before = judgement_file(out).path.read_bytes()
    with pytest.raises(UsageError, match=words):
        answer_request(out, course, answer, now=later)
    assert judgement_file(out).path.read_bytes() == before


def test_the_text_of_a_student_forges_no_judgement(out: ResultsFolder, course: Course) -> None:
    before = grade_of(out, "ada")
    forged = Judgement(
        at=later(), by="Nina", submission="ada", rubric=course.stamp.id, criterion="sketch", kind="points", points=3
    )
    text = f'"}}\n{judgement_line(forged)}{{"'
    buffer = io.StringIO()
    csv.writer(buffer).writerow(("ada", "sketch", text))
    (request,) = ask(out, course, buffer.getvalue())
    assert (request.kind, request.why) == ("request", text)
    assert judgement_file(out).read().judgements == (request,)
    now_graded = grade_of(out, "ada")
    assert (now_graded.score, now_graded.pending) == (before.score, before.pending)
    assert all(line.judged is None for line in now_graded.criteria)


def test_a_pasted_mail_without_a_sent_message_finds_no_submission(out: ResultsFolder, course: Course) -> None:
    assert read_reply(out, course, "Please look at the sketch again.").submission is None


def test_the_mail_of_a_student_becomes_a_request(out: ResultsFolder, course: Course) -> None:
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "Ada <ada.l@example.org>", "Re: your grade"
    mail.set_content(
        "The sketch is in cell 3, sch\u00f6n!\n\nOn 1 May 2026, Course wrote:\n> 0 of 3\n", cte="quoted-printable"
    )
    path = out.root.with_name("reply.eml")
    path.write_bytes(mail.as_bytes())
    with pytest.raises(UsageError, match="neither the sender nor a Message-ID"):
        import_requests(out, course, path, now=now)
    ada = Student("ada", "Ada", "ada.l@example.org", None, "", 2)
    (request,) = import_requests(out, course, path, [ada], now=now)
    assert (request.submission, request.by, request.criterion) == ("ada", "ada", "sketch")
    assert request.why == "The sketch is in cell 3, sch\u00f6n!"


# --- commands


@pytest.mark.slow
def test_the_commands_work_together(out: ResultsFolder, tmp_path: Path) -> None:
    table = tmp_path / "marks.csv"
    exported = grader("marks", "export", out.root, "--out", table)
    assert (exported.code, exported.out.split(",")[0][:5]) == (0, "rows:")
    done = grader("marks", "import", out.root, table, "--by", "Nina", "--dry-run")
    assert (done.code, "would be imported: 0" in done.out) == (0, True)
    wrong = grader("marks", "import", out.root, table, "--by", " ")
    assert wrong.code == 2
    requests = tmp_path / "requests.csv"
    requests.write_text("student,reason\nada,Please look again.\n", encoding="utf-8")
    assert grader("requests", "import", out.root, requests).code == 0
    (listed,) = json.loads(grader("requests", "list", out.root, "--json").out)
    assert (listed["submission"], listed["criterion"]) == ("ada", "*")
    answered = grader("requests", "answer", out.root, "ada", "*", "--by", "Nina", "--comment", "No.")
    assert answered.code == 0, answered.err
    assert "open requests: 0" in grader("requests", "list", out.root).out
    joined = grader("marks", "join", out.root, judgement_file(out).path)
    assert (joined.code, joined.out) == (0, "added: 0\n")
