"""A service for tests: a rubric with a hidden criterion, and grades without an execution."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.datasets.store import DatasetStore
from grader.execution.sandbox.choice import choose_isolation
from grader.execution.sandbox.device import Device
from grader.pipeline.course import Course, load_course
from grader.pipeline.publish import judge, publish
from grader.pipeline.rubrics import find_rubric
from grader.pipeline.setup import Bench, Options
from grader.pipeline.submission import publish_failure
from grader.schema.errors import HarnessError
from grader.schema.grade import Grade
from grader.schema.progress import Listener
from grader.schema.submission import Submission
from grader.service.rooms import Keeper, Room
from grader.store.results import ResultsFolder
from tests.support.desk_class import Student

__all__ = ["CLIENT", "INSTRUCTOR", "QuickGrader", "a_notebook", "a_room", "a_served_course", "notebook_bytes"]

CLIENT = "client-token-0123456789abcdef-0123"
INSTRUCTOR = "instructor-token-0123456789abcdef-0"
RUBRIC = """\
version: 1
id: served
title: A served rubric
dataset: mnist
criteria:
  - {id: runs, title: All cells run, points: 4, check: runs}
  - {id: secret, title: A secret word, points: 3, hidden: true, check: text, with: {min_words: 2}}
"""


def a_served_course(folder: Path) -> Course:
    """Write the rubric to a folder, and load its course."""
    path = folder / "served.yaml"
    path.write_text(RUBRIC, encoding="utf-8")
    return load_course(find_rubric(str(path)), DatasetStore())


def a_room(course: Course, root: Path, *, jobs: int = 1, clock: Callable[[], float] = lambda: 0.0) -> Room:
    """Make the room of a course; nothing can be executed in it."""
    out, device = ResultsFolder(root), Device("cpu")
    bench = Bench(
        isolation=choose_isolation("none"),
        device=device,
        threads=1,
        options=Options(isolation="none", warm=False),
        python=Path("python"),
        devices=(device,) * jobs,
    )
    return Room(course, bench, out, Keeper(course, out, clock))


def a_notebook(*cells: tuple[str, str]) -> dict[str, Any]:
    """Make a notebook of cells as (kind, source)."""
    return Student("x", "x", cells).notebook


def notebook_bytes(word: str = "numbers = [1, 2, 3]") -> bytes:
    """Make the bytes of a notebook with one code cell."""
    return json.dumps(a_notebook(("markdown", "Two words"), ("code", word))).encode()


@dataclass
class QuickGrader:
    """Takes the place of `grade_found`: grades a notebook as if all of its cells had run.

    Attributes:
        before: Called with each submission before its grade is published; it may raise.
        fault: A fault of the grader in each submission; None without one.
    """

    before: Callable[[Submission, Listener], None] = lambda _submission, _listener: None
    fault: HarnessError | None = None

    def __call__(
        self, found: Submission, course: Course, _bench: Bench, out: ResultsFolder, listener: Listener
    ) -> Grade:
        """Grade a submission."""
        self.before(found, listener)
        if self.fault is not None:
            return publish_failure(found, self.fault, course, out)
        notebook: Mapping[str, Any] = json.loads(found.notebook.read_bytes())
        cells = [(cell["cell_type"], cell["source"]) for cell in notebook["cells"]]
        evidence = Student(found.id, found.student, cells).evidence
        out.write_evidence(found.id, evidence)
        out.write_executed(found.id, json.dumps(notebook))
        grade = judge(found, evidence, course)
        publish(grade, evidence, course, out)
        return grade
