"""Make the student's edition of a grade: the grade without anything that gives the solution away.

Every surface for students (the page `report.html`, mails, the output of `grader check`) shows only a grade of this
module.
"""

from collections.abc import Collection, Sequence

from grader.facts.language import english
from grader.facts.points import total_of
from grader.facts.rubric_parts import roles_only_of
from grader.facts.student_view import manual_view, private_view
from grader.schema.grade import Audience, CriterionGrade, Grade, ModelGrade, StudentView
from grader.schema.judgement import JudgedGrade
from grader.schema.lazy import deferred, lazy_field_is_none
from grader.schema.message import Message, say
from grader.schema.rubric import Criterion, Rubric

__all__ = ["edition"]

_SAME = ("id", "title", "points", "max_points", "status", "assurance", "evidence", "hidden", "bonus", "borderline")
"""Fields of a criterion that are the same in both editions."""

_FAULT = say("The grader failed on this submission. This is not a score of zero; your course can grade it again.")
_WITH_KEYWORDS = "text"
"""The check whose findings name the expected words; grades of earlier versions have no other text for students."""


def edition(grade: Grade, rubric: Rubric | None, audience: Audience) -> Grade:
    """Make an edition of a grade. The student's edition of a student's edition is the same grade.

    The student's edition has no hidden criteria and does not count them. It has neither guides nor expected keywords,
    no findings of private criteria, no notes for instructors, and the reference only if the rubric shows it. It shows
    who judged and when, comments, and requests with their answers. It has no flags, no reasons of overrides and
    excuses, no other verdict of the grader that a person replaced, and no judgements to review.

    Args:
        grade: The complete grade, as in `grade.json`.
        rubric: The rubric. What it hides now is also removed from a grade that an earlier version of it made. Without
            it, the grade's own marks count, and the reference is removed.
        audience: The readers.
    """
    if audience == "instructor" or grade.edition == "student":
        return grade
    criteria = {criterion.id: criterion for criterion in rubric.criteria} if rubric is not None else {}
    hidden = {c.id for c in criteria.values() if c.hidden} | {line.id for line in grade.criteria if line.hidden}
    private = {c.id for c in criteria.values() if c.private}
    roles = roles_only_of(rubric, hidden) if rubric is not None else frozenset()
    shown = tuple(_later(line, criteria.get(line.id)) for line in grade.criteria if line.id not in hidden)
    return grade.model_copy(
        update={
            "edition": "student",
            "criteria": shown,
            "models": tuple(_without_roles(model, roles) for model in grade.models) if roles else grade.models,
            "diagnostics": tuple(note for note in grade.diagnostics if not note.for_instructor),
            "flags": (),
            "review": (),
            "requests": tuple(one for one in grade.requests if one.criterion not in hidden),
            "excused": None if grade.excused is None else "",
            "reference": grade.reference if rubric is not None and rubric.shows_reference else None,
            **(_sums(grade, shown) if len(shown) < len(grade.criteria) else {}),
            **(_reason() if grade.status == "not_graded" and _names(grade.reason, hidden | private) else {}),
        }
    )


def _without_roles(model: ModelGrade, roles: Collection[str]) -> ModelGrade:
    return model.model_copy(update={"roles": tuple(role for role in model.roles if role not in roles)})


def _sums(grade: Grade, shown: Sequence[CriterionGrade]) -> dict[str, object]:
    """Add the points of the shown criteria, and deduct those of a late submission."""
    before = total_of(line.points for line in shown)
    deducted = 0.0 if grade.late is None else min(-grade.late.points, max(before, 0.0))
    late = None if grade.late is None else grade.late.model_copy(update={"before": before, "points": -deducted})
    return {
        "score": None if grade.score is None else total_of((before, -deducted)),
        "late": late,
        "max_score": total_of(line.max_points for line in shown if not line.bonus),
        "pending": total_of(line.max_points for line in shown if line.status == "pending"),
        # The scores of all attempts include hidden criteria.
        "attempts": None,
    }


def _reason() -> dict[str, object]:
    """Replace the failure of a check, which names its criterion and may quote its parameters."""
    return {"reason": english(_FAULT), "reason_says": _FAULT}


def _names(text: str | None, criteria: set[str]) -> bool:
    return any(repr(name) in (text or "") for name in criteria)


def _later(line: CriterionGrade, criterion: Criterion | None) -> CriterionGrade:
    """Make the student's form of a criterion when its texts are needed; a page often has them already."""
    if lazy_field_is_none(line, "student"):
        return _for_student(line, criterion)
    known = {name: getattr(line, name) for name in _SAME}
    return deferred(CriterionGrade, known, lambda: _for_student(line, criterion))


def _for_student(line: CriterionGrade, criterion: Criterion | None) -> CriterionGrade:
    if line.judged is not None:
        same = line.judged.computed_points if line.judged.confirms(line.points, line.status) else None
        judged = JudgedGrade(by=line.judged.by, at=line.judged.at, kind=line.judged.kind, computed_points=same)
        line = line.model_copy(update={"judged": judged})
    view = line.student or _view_of(line, criterion)
    if view is None:
        return line
    return line.model_copy(
        update={
            **_texts(view.says, view.advice_says),
            "measured": view.measured,
            "student": None,
        }
    )


def _texts(says: Message, advice: Message | None) -> dict[str, object]:
    return {
        "message": english(says),
        "says": says,
        "advice": english(advice) if advice is not None else "",
        "advice_says": advice,
    }


def _view_of(line: CriterionGrade, criterion: Criterion | None) -> StudentView | None:
    """Make the students' text of a finding that has none, because another version of the rubric or grader made it."""
    if criterion is None:
        return None
    if criterion.manual is not None:
        return manual_view()
    if criterion.private or any(test.check == _WITH_KEYWORDS for test in criterion.tests):
        return private_view(line.status, criterion.advice.strip())
    return None
