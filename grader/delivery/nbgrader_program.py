"""The program that reads and writes nbgrader's gradebook: it runs in an environment where nbgrader is installed.

It imports nothing of the grader, since the grader need not be installed there. `grader.delivery.formats.nbgrader` runs
its source with `python -c`, sends a request as JSON on the standard input, and reads the answer from the last line of
the standard output.
"""

import json
import sys
from typing import Any

__all__ = ["MISSING", "NOTEBOOK", "main", "students", "write"]

MISSING = 9
"""Exit code if nbgrader cannot be imported."""
NOTEBOOK = "grader"
"""Name of the notebook that has a cell for each criterion."""


def students(gradebook: Any) -> dict[str, Any]:
    """Describe the students of a gradebook, and the notebooks of each assignment.

    Args:
        gradebook: nbgrader's `Gradebook`.
    """
    return {
        "students": [
            {
                "id": one.id,
                "first": one.first_name or "",
                "last": one.last_name or "",
                "email": one.email or "",
                "lms": getattr(one, "lms_user_id", None) or "",
            }
            for one in gradebook.students
        ],
        "assignments": {one.name: [notebook.name for notebook in one.notebooks] for one in gradebook.assignments},
    }


def write(gradebook: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Write scores into a gradebook through nbgrader's interface.

    Args:
        gradebook: nbgrader's `Gradebook`.
        request: The name of the assignment, its criteria and the grades; see `grader.delivery.formats.nbgrader`.
    """
    assignment = request["assignment"]
    gradebook.update_or_create_assignment(assignment)
    gradebook.update_or_create_notebook(NOTEBOOK, assignment)
    wanted = {one["name"]: one for one in request["cells"]}
    for cell in gradebook.find_notebook(NOTEBOOK, assignment).grade_cells:
        if cell.name not in wanted:
            cell.max_score = 0.0
    for name, cell in wanted.items():
        gradebook.update_or_create_grade_cell(name, NOTEBOOK, assignment, max_score=cell["max_score"], cell_type="code")
    for grade in request["grades"]:
        _write_grade(gradebook, assignment, grade)
    gradebook.db.commit()
    return {"scores": {one["student"]: _score(gradebook, assignment, one) for one in request["grades"]}}


def _score(gradebook: Any, assignment: str, grade: dict[str, Any]) -> float:
    """Read a score back, with the deduction as `nbgrader export` subtracts it."""
    score: float = gradebook.find_submission(assignment, grade["student"]).score
    penalty: float = grade["penalty"]
    return max(score - penalty, 0.0)


def _write_grade(gradebook: Any, assignment: str, grade: dict[str, Any]) -> None:
    from nbgrader.api import Grade  # noqa: PLC0415 - installed only where this program runs

    given = {"timestamp": grade["timestamp"]} if grade["timestamp"] else {}
    submission = gradebook.update_or_create_submission(assignment, grade["student"], **given)
    (notebook,) = (one for one in submission.notebooks if one.name == NOTEBOOK)
    notebook.late_submission_penalty = grade["penalty"]
    known = {one.cell_id: one for one in notebook.grades}
    for cell in notebook.notebook.grade_cells:
        row = known.get(cell.id) or Grade(cell_id=cell.id, notebook=notebook)
        gradebook.db.add(row)
        score = grade["scores"].get(cell.name, {"auto": None, "manual": None, "pending": False})
        row.auto_score, row.manual_score = score["auto"], score["manual"]
        row.needs_manual_grade = score["pending"]


def main() -> int:
    """Answer the request on the standard input."""
    request = json.load(sys.stdin)
    try:
        from nbgrader.api import Gradebook  # noqa: PLC0415 - installed only where this program runs
    except ImportError as error:
        sys.stderr.write(f"{error}\n")
        return MISSING
    with Gradebook(f"sqlite:///{request['database']}") as gradebook:
        answer = students(gradebook) if request["do"] == "students" else write(gradebook, request)
    sys.stdout.write(f"{json.dumps(answer)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
