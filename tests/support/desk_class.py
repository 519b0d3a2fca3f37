"""A class for the desk: made-up grades, executed notebooks and evidence of a rubric with two manual criteria."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from grader.datasets.store import DatasetStore
from grader.desk.guard import Door
from grader.desk.holds import Holds
from grader.desk.state import Desk
from grader.desk.updates import Updates
from grader.pipeline.course import Course, load_course
from grader.pipeline.publish import judge, publish, publish_class
from grader.pipeline.rubrics import find_rubric, note_rubric
from grader.schema.evidence import CellFact, Evidence
from grader.schema.submission import Run, Submission
from grader.store.database import Database
from grader.store.judgements import JudgementFile
from grader.store.results import ResultsFolder

__all__ = ["PORT", "RUBRIC", "Clock", "Student", "a_course", "a_desk", "a_door", "keep_class"]

PORT = 8321
RUBRIC = """\
version: 1
id: essays
title: Essays on a model
dataset: mnist
criteria:
  - {id: runs, title: All cells run, points: 4, check: runs}
  - id: critique
    title: The critique of the model
    points: 5
    manual: {guide: Names the flaws of the first model. Zeros as initial weights; softmax in a hidden layer.}
  - id: curves
    title: The learning curves are explained
    points: 12
    manual: {guide: Explains overfitting with the learning curves of training and validation.}
"""


@dataclass
class Clock:
    """A clock that a test moves."""

    now: datetime = field(default_factory=lambda: datetime(2030, 5, 4, 12, tzinfo=UTC))

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@dataclass(frozen=True)
class Student:
    """A submission: its cells as (kind, source), and the displays of code cells by index."""

    id: str
    name: str
    cells: Sequence[tuple[str, str]]
    displays: Mapping[int, Sequence[Mapping[str, Any]]] = field(default_factory=dict)

    @property
    def notebook(self) -> dict[str, Any]:
        """The executed notebook."""
        return {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {},
            "cells": [self._cell(index, kind, source) for index, (kind, source) in enumerate(self.cells)],
        }

    def _cell(self, index: int, kind: str, source: str) -> dict[str, Any]:
        cell: dict[str, Any] = {"cell_type": kind, "id": f"c{index}", "metadata": {}, "source": source}
        if kind == "code":
            outputs = [
                {"output_type": "display_data", "data": dict(d), "metadata": {}} for d in self.displays.get(index, ())
            ]
            cell |= {"execution_count": 1, "outputs": outputs}
        return cell

    @property
    def evidence(self) -> Evidence:
        """The evidence of an execution without errors."""
        number = sum(kind == "code" for kind, _ in self.cells)
        run = Run(
            status="completed",
            seconds=1.0,
            cells_run=number,
            cells_total=number,
            isolation="none",
            seed=0,
            dialect="keras3",
        )
        cells = tuple(
            CellFact(
                index=index, kind=kind, source=source, executed=kind == "code", images=len(self.displays.get(index, ()))
            )
            for index, (kind, source) in enumerate(self.cells)
        )
        return Evidence(run=run, cells=cells)


def a_course(folder: Path) -> Course:
    """Write the rubric to a folder, and load its course."""
    path = folder / "essays.yaml"
    path.write_text(RUBRIC, encoding="utf-8")
    return load_course(find_rubric(str(path)), DatasetStore())


def keep_class(out: ResultsFolder, course: Course, students: Sequence[Student], *, pages: bool = True) -> None:
    """Grade the students' evidence, and write the results as a grading does.

    Args:
        out: The results folder.
        course: The course.
        students: The class.
        pages: Whether to write reports, too.
    """
    for student in students:
        content = json.dumps(student.notebook)
        submission = Submission(
            id=student.id,
            student=student.name,
            notebook=Path(),
            files=(f"{student.id}.ipynb",),
            sha256=hashlib.sha256(content.encode()).hexdigest(),
        )
        out.write_evidence(student.id, student.evidence)
        out.write_executed(student.id, content)
        grade = judge(submission, student.evidence, course)
        if pages:
            publish(grade, student.evidence, course, out)
        else:
            out.write_grade(grade)
    note_rubric(course.loaded, out)
    if pages:
        publish_class(course, out)
    else:
        Database(out.database_path)


def a_desk(root: Path, course: Course, clock: Clock | None = None) -> Desk:
    """Open a desk on the results folder `root/class`."""
    out = ResultsFolder(root / "class")
    return Desk(
        out,
        course,
        JudgementFile(root / "class-judgements.jsonl"),
        Updates(lambda _submissions: None),
        Holds(out.root / ".desk-holds.json"),
        clock=clock or Clock(),
    )


def a_door(name: str = "Mara") -> Door:
    """Make a door with a known port."""
    return Door(PORT, name=name, token="the-token")  # noqa: S106 - of a test
