"""Grades, students and options for mails."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from grader.delivery.letter import Curves, Letter, letter
from grader.delivery.messages import sender_of
from grader.delivery.roster import Student
from grader.delivery.smtp import Courier, Server
from grader.grading.loader import LoadedRubric
from grader.pipeline.mailing import MailOptions
from grader.report.templating import Templates
from grader.schema.base import Pointer
from grader.schema.grade import CriterionGrade, ErrorGrade, ExecutionGrade, Grade, RubricStamp, SubmissionStamp
from grader.schema.message import say
from tests.support.factories import a_rubric
from tests.support.mail_server import Inbox

__all__ = [
    "GUIDE",
    "NOW",
    "RUBRIC",
    "TEMPLATES",
    "a_courier",
    "a_criterion",
    "a_grade",
    "a_letter",
    "a_student",
    "options",
]

TEMPLATES = Templates(Path(__file__).parents[2] / "templates")
NOW = datetime(2026, 11, 29, 20, 9, tzinfo=UTC)
GUIDE = "the eighth flaw is a kernel of zeros"
RUBRIC = a_rubric(
    {"id": "runs", "points": 4, "check": "runs"},
    {"id": "accuracy", "points": 33, "check": "accuracy", "with": {"at_least": 0.99}},
    {"id": "explained", "points": 5, "manual": {"guide": GUIDE}},
    {"id": "trap", "points": 3, "check": "runs", "hidden": True},
)


def a_criterion(name: str, points: float, most: float, **keys: Any) -> CriterionGrade:
    """A line of a grade; its status follows from the points."""
    status = "passed" if points == most else "partial" if points else "failed"
    values: dict[str, Any] = {"title": f"Title of {name}", "status": status, "message": f"Seen in {name}."}
    return CriterionGrade(id=name, points=points, max_points=most, **(values | keys))


def a_grade(name: str = "amara", accuracy: float = 20.0, *, pending: bool = False, **keys: Any) -> Grade:
    """A grade with an error in cell 5, a missed criterion, and a hidden one."""
    criteria = [
        a_criterion(
            "runs", 0, 4, says=say("{cell:Cell} raised an error.", cell=4), message="-", evidence=(Pointer(cell=4),)
        ),
        a_criterion("accuracy", accuracy, 33.0, advice="Train `model` longer. Use dropout."),
        a_criterion("trap", 0, 3, hidden=True, message="The hidden trap was missed."),
        a_criterion("shape", 4, 4),
    ]
    if pending:
        criteria.append(a_criterion("explained", 0, 5, status="pending", message=f"Waits for a person: {GUIDE}"))
    error = ErrorGrade(cell=4, name="SyntaxError", message="invalid syntax (x.py)", cause="invalid syntax", line=2)
    run = ExecutionGrade(
        status="cell_error",
        seconds=1.0,
        cells_run=5,
        cells_total=6,
        errors=(error,),
        peak_memory_mib=None,
        device="cpu",
        seed=0,
        versions={},
        isolation="none",
        dialect="keras3",
    )
    values: dict[str, Any] = {
        "submission": SubmissionStamp(id=name, student=name, files=(f"{name}.ipynb",), sha256="0" * 64),
        "rubric": RubricStamp(id="sample", sha256="1" * 64, title="A sample"),
        "status": "graded",
        "score": 4 + accuracy,
        "max_score": 49.0 if pending else 44.0,
        "pending": 5.0 if pending else 0.0,
        "criteria": tuple(criteria),
        "execution": run,
    }
    return Grade(**(values | keys))


def a_student(key: str, line: int = 2, **keys: Any) -> Student:
    """A row of a roster."""
    values: dict[str, Any] = {
        "id": key,
        "name": key.capitalize(),
        "email": f"{key}@example.org",
        "language": None,
        "submission": "",
    }
    return Student(**(values | keys), line=line)


def a_letter(grade: Grade | None = None, **keys: Any) -> Letter:
    """The contents of a message, with curves and the code of the error's cell."""
    curves = Curves({"accuracy": (0.9, 0.95, 0.99), "val_accuracy": (0.91, None, 0.98)})
    values: dict[str, Any] = {"name": "Amara Ö.", "curves": curves, "sources": {4: "import numpy\nhistory = ###"}}
    return letter(grade or a_grade(), **(values | keys))


def options(**keys: Any) -> MailOptions:
    """Options with a sender."""
    sender = sender_of("Deep Learning <course@example.org>", "Dr. Ada <ada@example.org>", "bounces@example.org")
    return MailOptions(sender=sender, **({"rubric": LoadedRubric(RUBRIC, "1" * 64, Path("sample.yaml"))} | keys))


def a_courier(inbox: Inbox, **keys: Any) -> Courier:
    """A connection to a test's server, without pauses."""
    values: dict[str, Any] = {"security": "none", "timeout": 20.0}
    return Courier(Server(inbox.host, inbox.port, **(values | keys)), rate=1e6)
