"""The format `nbgrader`: a copy of a course's `gradebook.db` with the grades, written through nbgrader itself."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from grader.delivery.editions import has_points
from grader.delivery.grade_export import GradeExport, GradeFormat, GradeRow, RowReport, reports_of
from grader.delivery.nbgrader_program import MISSING, NOTEBOOK
from grader.delivery.pairing import Person, pair_people
from grader.schema.errors import UsageError
from grader.schema.grade import CriterionGrade, Grade

__all__ = ["FORMAT", "cells_of", "grade_of"]

_PROGRAM: Final = Path(__file__).parents[1] / "nbgrader_program.py"
_SECONDS: Final = 600
"""Longest time for one call of nbgrader."""
_MOST_TEXT: Final = 400
_ADVICE: Final = "name the file gradebook.db of the course"


def cells_of(grade: Grade) -> list[dict[str, Any]]:
    """Make a grade cell for each criterion; a bonus has no maximum.

    Args:
        grade: Any grade of the class.
    """
    return [{"name": line.id, "max_score": 0.0 if line.bonus else line.max_points} for line in grade.criteria]


def grade_of(grade: Grade, student: str) -> dict[str, Any]:
    """Make the grade of a student: computed points are nbgrader's automatic scores, points of people its manual scores.

    Args:
        grade: The complete grade.
        student: nbgrader's id of the student.
    """
    submitted = grade.submission.submitted
    return {
        "student": student,
        "timestamp": "" if submitted is None else submitted.isoformat(),
        "penalty": 0.0 if grade.late is None else -grade.late.points,
        "scores": {line.id: _score(line) for line in grade.criteria},
    }


def _score(line: CriterionGrade) -> dict[str, Any]:
    points = line.points if has_points(line) else None
    judged = line.judged is not None
    return {
        "auto": None if judged else points,
        "manual": points if judged else None,
        "pending": points is None,
    }


def _write(export: GradeExport) -> Sequence[RowReport]:
    if export.worksheet is None:
        msg = "no worksheet"
        raise ValueError(msg)
    _copy(export.worksheet.path, export.target)
    known = _run(export, {"do": "students"})
    assignment = export.column or export.rubric
    others = [name for name in known["assignments"].get(assignment, []) if name != NOTEBOOK]
    if others:
        msg = f"the assignment {assignment!r} has notebooks of its own: {', '.join(others)}"
        advice = "choose another name with `--column`, so that nothing counts twice"
        raise UsageError(msg, where=str(export.worksheet.path), advice=advice)
    people = [_person(number, one) for number, one in enumerate(known["students"], 1)]
    pairing = pair_people(export.rows, people)
    writable = {index: row for index, row in enumerate(export.rows) if row.writable and index in pairing.pairs}
    grades = {index: row.read().whole for index, row in writable.items()}
    scores: dict[str, float] = {}
    if grades:
        ids = {index: pairing.pairs[index].ids[0] for index in grades}
        request = {
            "do": "write",
            "assignment": assignment,
            "cells": cells_of(next(iter(grades.values()))),
            "grades": [grade_of(grade, ids[index]) for index, grade in grades.items()],
        }
        scores = _run(export, request)["scores"]
    reports = [_report(index, row, pairing.pairs, pairing.reasons, scores) for index, row in enumerate(export.rows)]
    return (*reports, *_left(pairing.left))


def _report(
    index: int,
    row: GradeRow,
    pairs: Mapping[int, Person],
    reasons: Mapping[int, str],
    scores: Mapping[str, float],
) -> RowReport:
    if not row.writable:
        return reports_of(row)
    if index not in pairs:
        why = f"{reasons.get(index, '')}; `nbgrader db student add` adds a student"
        return RowReport(row.label, row.submission, "unmatched", why=why)
    student = pairs[index].ids[0]
    return RowReport(row.label, row.submission, "written", f"{scores[student]:g} points", row.remark, student)


def _left(people: Sequence[Person]) -> Iterator[RowReport]:
    for person in people:
        yield RowReport(person.label, "", "left", why="nobody in the class matches", place=person.ids[0])


def _person(number: int, student: Mapping[str, str]) -> Person:
    name = " ".join(filter(None, (student["first"], student["last"])))
    ids = (student["id"], student["lms"])
    return Person(line=number, name=name, ids=ids, login=student["id"], email=student["email"])


def _copy(source: Path, target: Path) -> None:
    """Copy a database completely, even if another program has it open.

    Raises:
        UsageError: It is no database of nbgrader.
    """
    try:
        with (
            closing(sqlite3.connect(f"file:{quote(str(source.resolve()))}?mode=ro", uri=True)) as old,
            closing(sqlite3.connect(target)) as new,
        ):
            old.backup(new)
            tables = {name for (name,) in new.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error as error:
        msg = f"the gradebook cannot be read: {error}"
        raise UsageError(
            msg, where=f"--worksheet {source}", advice="name the file gradebook.db of the course"
        ) from error
    if not {"student", "assignment", "grade"} <= tables:
        msg = "this is no gradebook of nbgrader"
        raise UsageError(msg, where=f"--worksheet {source}", advice=_ADVICE)


def _run(export: GradeExport, request: Mapping[str, Any]) -> dict[str, Any]:
    """Let nbgrader answer a request about the copy of the gradebook.

    Raises:
        UsageError: nbgrader is not installed there, or fails.
    """
    python = export.python or sys.executable
    folder = Path(shutil.which(python) or python).parent  # nbgrader calls alembic, which is there
    environment = {**os.environ, "PATH": os.pathsep.join((str(folder), os.environ.get("PATH", os.defpath)))}
    command = [python, "-c", _PROGRAM.read_text(encoding="utf-8")]
    text = json.dumps({**request, "database": str(export.target.resolve())})
    try:
        done = subprocess.run(
            command,
            input=text,
            cwd=export.target.parent,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        msg = f"the interpreter cannot be run: {error}"
        raise UsageError(msg, where=f"--python {python}") from error
    if done.returncode == MISSING:
        msg = f"nbgrader is not installed there: {_last(done.stderr)}"
        advice = "name the interpreter of nbgrader's environment with `--python`"
        raise UsageError(msg, where=f"--python {python}", advice=advice)
    if done.returncode:
        msg = f"nbgrader failed: {_last(done.stderr)}"
        advice = "`nbgrader db upgrade` upgrades the gradebook of an older version"
        raise UsageError(msg, where="--to nbgrader", advice=advice)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _last(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:_MOST_TEXT] if lines else "no message"


FORMAT = GradeFormat(
    name="nbgrader",
    title="a copy of the gradebook.db of an nbgrader course, with the grades",
    file="gradebook.db",
    write=_write,
    worksheet="the gradebook.db of the course",
    worksheet_is_database=True,
    options=frozenset({"column", "python"}),
)
