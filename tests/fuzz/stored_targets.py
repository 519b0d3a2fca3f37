"""Readers of results that the grader wrote before, and that somebody may have changed or damaged since."""

import atexit
import json
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from grader.desk.holds import Holds
from grader.pipeline.course import Course
from grader.pipeline.regrade import regrade_chosen
from grader.pipeline.similarity import compare_results
from grader.schema.errors import GraderError
from grader.schema.grade import Grade
from grader.store.database import Database, ExecutionKey
from grader.store.results import ResultsFolder
from grader.store.seal import is_edited, is_sealed_stamp
from tests.fuzz import seeds
from tests.fuzz.target import SHARED_FOLDERS, target
from tests.support.desk_class import Student, a_course, keep_class

_NAME = "ann"


@target(
    "grade.json",
    "a stored grade",
    form="json",
    seeds=seeds.grades,
    covers=["grader.store.results", "grader.store.seal"],
)
def _grade(document: bytes, own: Path) -> None:
    out = ResultsFolder(own / "results")
    path = out.grade_path(_NAME)
    path.parent.mkdir(parents=True)
    path.write_bytes(document)
    data = out.grade_data(_NAME)
    is_edited(data)
    is_sealed_stamp(data)
    out.rubric_id(_NAME)
    out.standing(_NAME)
    with suppress(GraderError):
        out.read_grade(_NAME)
    grade = out.read_grade(_NAME, edited=True)
    assert isinstance(grade, Grade)


@target(
    "evidence.json",
    "stored evidence",
    form="json",
    seeds=lambda: seeds.grades("evidence"),
    covers=["grader.store.results", "grader.schema.evidence"],
    slow=True,
)
def _evidence(document: bytes, own: Path) -> None:
    out = ResultsFolder(own / "results")
    path = out.evidence_folder(_NAME) / "evidence.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(document)
    evidence = out.read_evidence(_NAME)
    if evidence is not None:
        out.write_evidence(_NAME, evidence)


_SIGNS = {"executed.ipynb": b"nbformat", "evidence/evidence.json": b"dialect", "grade.json": b"criteria"}
"""Document → a word that only this document has."""


@cache
def _class() -> tuple[Course, Path]:
    """A graded class of one student, made once."""
    folder = Path(mkdtemp(prefix="fuzz-stored-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    SHARED_FOLDERS.append(f"{os.path.realpath(folder)}{os.sep}")
    course = a_course(folder)
    cells = [("markdown", "## Critique\nToo few layers."), ("code", "x = 1\n1 / 0")]
    keep_class(ResultsFolder(folder / "class"), course, [Student(_NAME, "Ann Lee", cells)], pages=False)
    return course, folder / "class"


def _stored() -> Sequence[bytes]:
    root = _class()[1] / _NAME
    return [(root / name).read_bytes() for name in _SIGNS]


@target(
    "results folder",
    "a stored grade, notebook or evidence, when the class is graded again and its reports are made",
    form="json",
    seeds=_stored,
    covers=[
        "grader.pipeline.publish",
        "grader.pipeline.regrade",
        "grader.pipeline.similarity",
        "grader.store.attempts",
        "grader.store.ledger",
    ],
    slow=True,
)
def _results_folder(document: bytes, own: Path) -> None:
    course, kept = _class()
    shutil.copytree(kept, own / "class")
    out = ResultsFolder(own / "class")
    for name, sign in _SIGNS.items():
        path = out.folder(_NAME) / name
        if sign in document:
            path.write_bytes(document)
            break
    regrade_chosen(course, out, [_NAME])
    with suppress(GraderError):
        compare_results(out)
    grade = out.read_grade(_NAME)
    assert grade is None or "an error in the grader" not in (grade.reason or "")


@target(
    "holds of the desk",
    "the file with which people at the desk hold answers",
    form="json",
    seeds=lambda: [json.dumps({"critique/ann": ["holder", "Mara", 50.0], "x": ["a", "b", 1e9]}).encode()],
    covers=["grader.desk.holds"],
)
def _holds(document: bytes, own: Path) -> None:
    path = own / "holds.json"
    path.write_bytes(document)
    holds = Holds(path, clock=lambda: 10.0)
    holds.others("me")
    holds.take("key", "me", "Ann", force=True)
    holds.release("me")


@target(
    "grader.sqlite",
    "the database of a results folder",
    form="bytes",
    seeds=lambda: [_database()],
    covers=["grader.store.database"],
)
def _open_database(document: bytes, own: Path) -> None:
    path = own / "grader.sqlite"
    path.write_bytes(document)
    database = Database(path)
    database.needs_grading("a", "r", "basis")


def _database() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "grader.sqlite"
        key = ExecutionKey(notebook="n", settings="s", runtime="r", data="d")
        Database(path).record_execution("a", key, seconds=1.0)
        return path.read_bytes()
