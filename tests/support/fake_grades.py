"""Grades without an execution, for tests of the pytest plugin; each one is noted next to its notebook."""

import warnings
from pathlib import Path

from grader.grading.loader import LoadedRubric
from grader.pytest_plugin.outcomes import Settings
from grader.schema.errors import IsolationRefusedError
from grader.schema.grade import Grade

__all__ = ["CONFTEST", "RUBRIC", "executions", "fake_check"]

RUBRIC = """\
version: 1
id: fake
title: A fake course
dataset: mnist
criteria:
  - {id: passed, title: It runs, points: 2, check: runs}
  - {id: partial, points: 4, check: runs}
  - {id: failed, title: It draws, points: 3, check: runs, advice: Draw it.}
  - {id: pending, points: 5, manual: {guide: secret}}
  - {id: bonus, points: 1, bonus: true, check: runs}
  - {id: hidden, points: 1, hidden: true, check: runs}
"""
"""A rubric whose criteria get the status that they are named after."""

CONFTEST = """\
from grader.pytest_plugin.session import CHECK
from tests.support.fake_grades import fake_check

def pytest_configure(config):
    config.stash[CHECK] = fake_check
"""

_POINTS = {"passed": 2.0, "partial": 1.5}


def fake_check(notebook: Path, loaded: LoadedRubric, settings: Settings) -> Grade:
    """Make a grade; the name of the notebook can ask for a failure of the grader or a warning."""
    with (notebook.parent / "executions.txt").open("a", encoding="utf-8") as file:
        file.write(f"{notebook.name} {settings.isolation} {settings.device} {settings.seed} {settings.quick}\n")
    name = notebook.stem
    if name == "refused":
        msg = "no sandbox works on this machine"
        raise IsolationRefusedError(msg, where="--isolation auto")
    if name == "mistake":
        msg = "a mistake in the grader"
        raise ZeroDivisionError(msg)
    if name == "warned":
        warnings.warn("two cores are busy", RuntimeWarning, stacklevel=2)
    criteria = [
        {
            "id": one.id,
            "title": one.title or one.id,
            "points": _POINTS.get(one.id, 0.0),
            "max_points": one.points,
            "status": "failed" if one.bonus else one.id,
            "message": f"Seen for {one.id}.",
            "advice": one.advice,
            "bonus": one.bonus,
            "evidence": [{"cell": 1}] if one.id == "failed" else [],
        }
        for one in loaded.rubric.criteria
    ]
    graded = name != "lost"
    return Grade.model_validate({
        "submission": {"id": name, "student": name, "files": (), "sha256": ""},
        "rubric": {"id": "fake", "sha256": ""},
        "status": "graded" if graded else "not_graded",
        "reason": None if graded else "the disk is full",
        "score": 3.5 if graded else None,
        "max_score": 14,
        "pending": 5,
        "criteria": criteria if graded else (),
        "diagnostics": [{"id": "n", "title": "Raw pixels", "cell": 2, "message": "Seen in a.", "advice": "Divide."}],
    })  # fmt: skip


def executions(folder: Path) -> list[str]:
    """List what was executed in a folder: name, isolation, device, seed, quick."""
    file = folder / "executions.txt"
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []
