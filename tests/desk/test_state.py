"""Decisions of people are checked, appended, seen by other desks, and can be taken back."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from grader.desk.guard import Visitor
from grader.desk.judgement_log import JudgementLog
from grader.desk.state import Desk, Draft
from grader.pipeline.course import Course
from grader.schema.errors import GraderError, UsageError
from grader.schema.grade import CriterionGrade
from grader.schema.judgement import Judgement
from grader.store.judgements import JudgementFile
from tests.support.desk_class import a_desk


def line(desk: Desk, submission: str, criterion: str) -> CriterionGrade:
    return next(one for one in desk.grade(submission).criteria if one.id == criterion)


def test_a_recorded_judgement_is_in_the_grade_at_once(desk: Desk, mara: Visitor) -> None:
    assert desk.grade("ada").pending == 17
    (one,) = desk.record(mara, [Draft("ada", "points", "critique", points=3.5, comment="Well seen.")])
    judged = line(desk, "ada", "critique")
    assert (judged.points, judged.status) == (3.5, "partial")
    assert judged.judged is not None
    assert judged.judged.by == "Mara"
    assert desk.grade("ada").pending == 12
    assert (one.notebook, one.of, one.rubric) == (desk.grade("ada").submission.sha256, 5, "essays")
    assert desk.outdated() == ("ada",)


@pytest.mark.parametrize(
    ("draft", "message"),
    [
        (Draft("nobody", "points", "critique", points=1), "no submission 'nobody'"),
        (Draft("../ada", "points", "critique", points=1), "no submission"),
        (Draft("ada\n", "points", "critique", points=1), "no submission"),
        (Draft("", "flag", why="x"), "no submission"),
        (Draft("ada", "points", "critic", points=1), "no criterion 'critic'"),
        (Draft("ada", "points", "critique", points=5.5), "not between 0 and 5"),
        (Draft("ada", "points", "critique", points=-1), "not between 0 and 5"),
        (Draft("ada", "points", "critique", points=float("nan")), "not between 0 and 5"),
        (Draft("ada", "points", "critique", points=float("inf")), "not between 0 and 5"),
        (Draft("ada", "override", "runs", points=1), "needs a reason"),
        (Draft("ada", "points"), "one criterion"),
        (Draft("ada", "excuse", "critique", why="x"), "whole submission"),
        (Draft("ada", "comment", comment="x" * 20_001), "at most 20000"),
    ],
)
def test_what_is_not_possible_is_refused_and_nothing_of_the_batch_is_recorded(
    desk: Desk, mara: Visitor, draft: Draft, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        desk.record(mara, [Draft("ben", "points", "critique", points=1), draft])
    assert not desk.file.path.exists()
    assert mara.done == []


def test_nobody_judges_without_a_name(desk: Desk) -> None:
    with pytest.raises(UsageError, match="name"):
        desk.record(Visitor("id", "csrf"), [Draft("ada", "points", "critique", points=1)])


def test_text_cannot_become_a_second_judgement(desk: Desk, mara: Visitor) -> None:
    forged = json.dumps(
        {"version": 1, "at": "2030-01-01T00:00:00Z", "by": "Mara", "submission": "ben", "kind": "points"}
    )
    for text in (f'"}}\n{forged}\n', f"\r{forged}\r", f"\u2028{forged}\u2029", '\\"}\\n', "\x00\x85"):
        desk.record(
            mara,
            [
                Draft("ada", "comment", "critique", comment=text),
                Draft("ada", "request", "critique", why=text, by="Ada"),
            ],
        )
    read = desk.file.read().judgements
    assert len(read) == 10
    assert {one.submission for one in read} == {"ada"}
    assert len(desk.file.path.read_bytes().splitlines()) == 10
    assert line(desk, "ben", "critique").status == "pending"


def test_undo_takes_back_the_last_judgement_and_brings_back_the_one_before(desk: Desk, mara: Visitor) -> None:
    theo = Visitor("theo-id", "csrf", "Theo")
    desk.record(theo, [Draft("ada", "points", "critique", points=1, comment="Too short.")])
    desk.record(mara, [Draft("ada", "points", "critique", points=4), Draft("ben", "points", "critique", points=4)])
    undone = desk.undo(mara)
    assert {one.submission for one in undone} == {"ada", "ben"}
    judged = line(desk, "ada", "critique")
    assert judged.points == 1
    assert judged.judged is not None
    assert judged.judged.by == "Theo"
    assert line(desk, "ben", "critique").status == "pending"
    assert desk.undo(mara) == ()
    assert [one.submission for one in desk.undo(theo)] == ["ada"]
    assert line(desk, "ada", "critique").status == "pending"


def test_undo_leaves_what_somebody_else_decided_since(desk: Desk, mara: Visitor) -> None:
    desk.record(mara, [Draft("ada", "points", "critique", points=4)])
    desk.record(Visitor("theo-id", "csrf", "Theo"), [Draft("ada", "points", "critique", points=2)])
    with pytest.raises(UsageError, match="somebody judged this again"):
        desk.undo(mara)
    assert line(desk, "ada", "critique").points == 2


@pytest.mark.parametrize(
    "draft",
    [
        Draft("ada", "flag", "critique", why="look"),
        Draft("ada", "comment", comment="text"),
        Draft("ada", "excuse", why="ill"),
        Draft("ada", "override", "runs", points=0, why="cheated"),
        Draft("ada", "request", "critique", why="why?", by="Ada Abara"),
    ],
)
def test_every_kind_can_be_undone(desk: Desk, mara: Visitor, draft: Draft) -> None:
    before = desk.grade("ada")
    desk.record(mara, [draft])
    assert desk.grade("ada") != before
    desk.undo(mara)
    assert desk.grade("ada") == before


def test_two_desks_on_one_folder_see_each_others_judgements(root: Path, course: Course, mara: Visitor) -> None:
    one, other = a_desk(root, course), a_desk(root, course)
    assert other.grade("ada").pending == 17
    one.record(mara, [Draft("ada", "points", "critique", points=3)])
    assert line(other, "ada", "critique").points == 3
    other.record(Visitor("theo-id", "csrf", "Theo"), [Draft("ada", "points", "critique", points=2)])
    assert line(one, "ada", "critique").points == 2


def test_judgements_of_the_same_moment_keep_their_order(desk: Desk, mara: Visitor) -> None:
    now = desk.clock()
    desk.clock = lambda: now
    for points in (1.0, 2.0, 3.0):
        desk.record(mara, [Draft("ada", "points", "critique", points=points)])
    assert line(desk, "ada", "critique").points == 3
    moments = [one.at for one in desk.file.read().judgements]
    assert moments == sorted(set(moments))


def test_a_slow_clock_does_not_make_a_judgement_the_older_one(root: Path, course: Course, mara: Visitor) -> None:
    fast, slow = a_desk(root, course), a_desk(root, course)
    now = fast.clock()
    fast.clock, slow.clock = (lambda: now + timedelta(hours=1)), (lambda: now)
    fast.record(Visitor("theo-id", "csrf", "Theo"), [Draft("ada", "points", "critique", points=1)])
    slow.record(mara, [Draft("ada", "points", "critique", points=4)])
    assert line(fast, "ada", "critique").points == 4
    slow.undo(mara)
    assert line(fast, "ada", "critique").points == 1


def test_a_wrong_line_in_the_file_is_named_and_nothing_is_lost(desk: Desk, mara: Visitor) -> None:
    desk.record(mara, [Draft("ada", "points", "critique", points=3)])
    content = desk.file.path.read_bytes()
    desk.file.path.write_bytes(content + b'{"version": 9}\n')
    with pytest.raises(GraderError, match="line 2"):
        desk.grades()
    desk.file.path.write_bytes(content)
    assert line(desk, "ada", "critique").points == 3


def _judgement(points: float, submission: str = "ada") -> Judgement:
    return Judgement.model_validate(
        {
            "at": f"2030-01-01T00:00:0{points:.0f}Z",
            "by": "M",
            "submission": submission,
            "criterion": "c",
            "kind": "points",
            "points": points,
            "of": 9,
        }
    )


def test_the_log_follows_a_file_that_grows_shrinks_is_edited_and_is_replaced(tmp_path: Path) -> None:
    file = JudgementFile(tmp_path / "j.jsonl")
    log = JudgementLog(file, "essays")
    assert log.read() == {}

    def points() -> list[float | None]:
        return [one.points for one in log.read().get("ada", ())]

    file.append([_judgement(1)])
    assert points() == [1]
    file.append([_judgement(2), _judgement(3, "ben")])
    assert points() == [1, 2]
    with file.path.open("ab") as writer:
        writer.write(b'{"version": 1, "at": "20')  # a process was killed
    assert points() == [1, 2]
    file.append([_judgement(4)])
    assert points() == [1, 2, 4]
    edited = (
        file.path.read_text(encoding="utf-8")
        .replace('"points": 1.0', '"points": 5.0')
        .replace('"points":1.0', '"points":5.0')
    )
    file.path.write_text(edited, encoding="utf-8")
    file.append([_judgement(6)])
    assert points() == [5, 2, 4, 6]
    file.path.write_text("", encoding="utf-8")
    assert points() == []
    other = JudgementFile(tmp_path / "other.jsonl")
    other.append([_judgement(7), _judgement(8)])
    other.path.replace(file.path)
    assert points() == [7, 8]
    file.path.unlink()
    assert points() == []


def test_a_missing_line_end_of_an_editor_is_no_problem(tmp_path: Path) -> None:
    file = JudgementFile(tmp_path / "j.jsonl")
    log = JudgementLog(file, "essays")
    file.append([_judgement(1)])
    file.path.write_bytes(file.path.read_bytes().rstrip(b"\n"))
    assert [one.points for one in log.read()["ada"]] == [1]
    file.append([_judgement(2)])
    assert [one.points for one in log.read()["ada"]] == [1, 2]


def test_judgements_under_another_rubric_do_not_count(desk: Desk) -> None:
    other = _judgement(1).model_copy(update={"rubric": "another", "criterion": "critique"})
    desk.file.append([other])
    assert line(desk, "ada", "critique").status == "pending"
    assert desk.judgements("ada") == ()


def test_a_changed_grade_is_read_again(desk: Desk, mara: Visitor) -> None:
    desk.record(mara, [Draft("ada", "points", "critique", points=3)])
    stored = desk.out.read_grade("ada")
    assert stored is not None
    other = stored.model_copy(update={"submission": stored.submission.model_copy(update={"sha256": "0" * 64})})
    desk.out.write_grade(other)
    grade = desk.grade("ada")
    assert line(desk, "ada", "critique").status == "pending"
    assert [one.reason for one in grade.review] == ["notebook"]


def test_a_stored_judgement_counts_once(desk: Desk, mara: Visitor) -> None:
    """The stored grade has the judgement after an update; the desk must not take it for the grader's verdict."""
    desk.record(
        mara, [Draft("ada", "points", "critique", points=3), Draft("ada", "override", "runs", points=1, why="see")]
    )
    stored = desk.out.read_grade("ada")
    assert stored is not None
    desk.out.write_grade(desk.judged(stored))
    assert desk.outdated() == ()
    judged = line(desk, "ada", "runs")
    assert judged.judged is not None
    assert (judged.points, judged.judged.computed_points, judged.judged.computed_status) == (1, 4, "passed")
    desk.undo(mara)
    assert line(desk, "ada", "runs").points == 4
    assert line(desk, "ada", "critique").status == "pending"
    assert desk.outdated() == ("ada",)
