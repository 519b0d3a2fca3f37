"""`grader extend` and `grader excuse`: the decision is stored, and the grade follows."""

import json
from pathlib import Path

import pytest

from grader.store.judgements import JudgementFile
from grader.store.results import ResultsFolder
from tests.support.command import exit_code_of
from tests.support.kept_results import keep_results

COURSE = """\
version: 1
title: DL
timezone: Europe/Berlin
roster: roster.csv
graders: [Nina]
assignments:
  first: {rubric: mnist-cnn, due: 2026-11-08 18:00, late: {per_day: 10}, times: times.csv}
"""
ROSTER = "id,name,email\ns1,Ada Lee,ada@x.org\ns2,Bo Roth,bo@x.org\ns3,Bo Roth,bo2@x.org\n"


@pytest.fixture
def out(tmp_path: Path) -> ResultsFolder:
    (tmp_path / "course.yaml").write_text(COURSE)
    (tmp_path / "roster.csv").write_text(ROSTER)
    (tmp_path / "times.csv").write_text("id,submitted\ns1,2026-11-10 12:00\n")
    out = keep_results(tmp_path / "results" / "first", "mnist-cnn", "Ada-Lee")
    assert exit_code_of("regrade", str(out.root)) == 0
    return out


def score_of(out: ResultsFolder) -> tuple[float | None, float | None]:
    grade = out.read_grade("Ada-Lee")
    assert grade is not None
    return grade.score, None if grade.late is None else grade.late.points


@pytest.mark.parametrize("word", ["Ada-Lee", "s1", "ada@x.org", "ADA LEE"])
def test_an_extension_takes_effect_at_once_and_can_be_taken_back(out: ResultsFolder, word: str) -> None:
    full = (score_of(out)[0] or 0) + 20
    assert score_of(out) == (full - 20, -20)
    folder = str(out.root)
    assert exit_code_of("extend", folder, word, "--until", "2026-11-09 18:00", "--by", "Nina", "--why", "ill") == 0
    assert score_of(out) == (full - 10, -10)
    assert exit_code_of("extend", folder, word, "--withdraw", "--by", "Nina") == 0
    assert score_of(out) == (full - 20, -20)
    judgements = JudgementFile(out.root.parents[1] / "judgements.jsonl").read().judgements
    assert [(one.kind, one.by, one.why, one.rubric) for one in judgements] == [
        ("extension", "Nina", "ill", "mnist-cnn"),
        ("extension", "Nina", "", "mnist-cnn"),
    ]


def test_the_new_due_date_is_in_the_time_zone_of_the_course(
    out: ResultsFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code_of("extend", str(out.root), "s1", "--until", "2026-11-09 18:00Z", "--by", "Nina") == 0
    assert "until 9 Nov 2026, 19:00 CET" in capsys.readouterr().out


def test_an_excuse_works_for_a_student_without_a_submission(out: ResultsFolder) -> None:
    assert exit_code_of("excuse", str(out.root), "s2", "--by", "Nina") == 0
    table = (out.root / "grades.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[1:4] for line in table[2:]] == [["Bo Roth", "excused", ""], ["Bo Roth", "missing", ""]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("extend", "Adda-Lee", "--until", "2026-11-09", "--by", "Nina"), "did you mean 'Ada-Lee'"),
        (("extend", "Bo Roth", "--until", "2026-11-09", "--by", "Nina"), "'Bo Roth' names several students: s2, s3"),
        (("extend", "s1", "--until", "soon", "--by", "Nina"), "'soon' is not a date"),
        (("extend", "s1", "--by", "Nina"), "give a date"),
        (("extend", "s1", "--until", "2026-11-09", "--withdraw", "--by", "Nina"), "one of both is enough"),
        (("excuse", "s1", "--by", "Nino"), "did you mean 'Nina'"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_stored(
    out: ResultsFolder, words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = score_of(out)
    command, *rest = words
    assert exit_code_of(command, str(out.root), *rest) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert score_of(out) == before
    assert not (out.root.parents[1] / "judgements.jsonl").exists()


def test_the_grade_says_that_the_date_was_extended(out: ResultsFolder) -> None:
    assert exit_code_of("extend", str(out.root), "s1", "--until", "2026-11-09 18:00", "--by", "Nina") == 0
    grade = json.loads((out.root / "Ada-Lee" / "grade.json").read_text(encoding="utf-8"))
    assert grade["due"] == "2026-11-09T17:00:00.000000Z"
    assert grade["late"]["extended"] is True
