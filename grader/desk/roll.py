"""Read the stored grades of a class, only as far as lists need them, and again only after a change."""

from collections.abc import Mapping
from threading import Lock
from typing import Any

from pydantic import ValidationError

from grader.facts.language import english
from grader.facts.points import total_of
from grader.schema.base import Assurance
from grader.schema.grade import CriterionGrade, Grade
from grader.store.results import ResultsFolder

__all__ = ["Roll", "computed"]

_LEFT_OUT: Mapping[str, Any] = {"models": (), "diagnostics": (), "reference": None, "attempts": None}
"""Large parts of a grade that lists do not need."""
_Stamp = tuple[int, int]


def computed(grade: Grade) -> Grade:
    """Return a grade without the judgements of people in it, and without a deduction for a late submission.

    The assurance of a judged criterion, and whether it was borderline, are lost; only a regrade has them.
    """
    if grade.status != "graded":
        criteria = tuple(line.model_copy(update={"comments": ()}) for line in grade.criteria)
    else:
        criteria = tuple(map(_computed_line, grade.criteria))
    pending = total_of(line.max_points for line in criteria if line.status == "pending")
    return grade.model_copy(
        update={
            "criteria": criteria,
            "score": total_of(line.points for line in criteria) if grade.status == "graded" else None,
            "pending": pending if grade.status == "graded" else 0.0,
            "comments": (),
            "flags": (),
            "requests": (),
            "review": (),
            "excused": None,
            "late": None,
        }
    )


def _computed_line(line: CriterionGrade) -> CriterionGrade:
    update: dict[str, Any] = {"comments": ()}
    if line.judged is not None:
        says, advice = line.judged.computed_says, line.judged.computed_advice_says
        update |= {
            "judged": None,
            "points": line.judged.computed_points or 0.0,
            "status": line.judged.computed_status,
            "assurance": None if line.assurance is Assurance.JUDGED else line.assurance,
            **({} if says is None else {"says": says, "message": english(says)}),
            "advice_says": advice,
            "advice": "" if advice is None else english(advice),
        }
    return line.model_copy(update=update)


class Roll:
    """The stored grades of a results folder."""

    def __init__(self, out: ResultsFolder) -> None:
        """Set the folder."""
        self._out = out
        self._known: dict[str, tuple[_Stamp, Grade]] = {}
        self._lock = Lock()

    def grades(self) -> Mapping[str, Grade]:
        """Return the stored grades by submission, without models, notes and attempts.

        A submission whose grade is missing or damaged is left out.
        """
        with self._lock:
            known = {name: one for name in self._out.submissions() if (one := self._read(name)) is not None}
            self._known = known
            return {name: grade for name, (_, grade) in known.items()}

    def _read(self, name: str) -> tuple[_Stamp, Grade] | None:
        try:
            state = self._out.grade_path(name).stat()
        except OSError:
            return None
        stamp = (state.st_mtime_ns, state.st_size)
        known = self._known.get(name)
        if known is not None and known[0] == stamp:
            return known
        data = self._out.grade_data(name)
        try:
            return stamp, Grade.model_validate({**data, **_LEFT_OUT})
        except (TypeError, ValidationError):
            return None
