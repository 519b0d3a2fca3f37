"""Keep the parts of a grade for the next grading of the same evidence with a changed rubric.

A grade is a pure function. Each of its parts (a criterion, the notes, the models …) is computed from the evidence, the
models of the roles, the reference, and those fields of the rubric that its computation reads. A view of the rubric
notes these fields. A part is used again only if all of them are equal; otherwise it is computed again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from grader.facts.case import Case
from grader.facts.views import View, view_of
from grader.schema.grade import RoleMatch
from grader.schema.rubric import Rubric

__all__ = ["Parts"]

_T = TypeVar("_T")


class _RubricView(View, Rubric):
    """A rubric that notes reads."""

    watched = frozenset(Rubric.model_fields)


@dataclass(frozen=True, slots=True)
class _Part:
    value: Any
    read: Mapping[str, Any]
    """The fields of the rubric that were read, with their values."""


class Parts:
    """The parts of the last two grades of one evidence; for use in one thread."""

    def __init__(self) -> None:
        """Start without any part."""
        self._context: object = None
        self._rubric: Rubric | None = None
        self._read: set[str] = set()
        self._parts: dict[str, _Part] = {}
        self._earlier: dict[str, _Part] = {}

    def begin(self, case: Case, reference_roles: Mapping[str, RoleMatch] | None) -> Case:
        """Begin a grading. If anything but the rubric's fields differs from the last one, all parts are dropped.

        Args:
            case: The evidence, the same as in the last grading, the rubric, and the models of its roles.
            reference_roles: The models of the roles in the reference.

        Returns:
            The case to compute the parts from.
        """
        context = (case.roles, case.lacking, case.noted, reference_roles)
        same = context == self._context
        self._context, self._rubric = context, case.rubric
        self._earlier, self._parts = (self._parts if same else {}), {}
        return replace(case, rubric=view_of(_RubricView, case.rubric, self._read))

    def part(self, name: str, make: Callable[[], _T]) -> _T:
        """Return a part of the grade.

        Args:
            name: Name that identifies the part, and everything that `make` depends on in addition to the case.
            make: Computes the part from the case that `begin` returned.
        """
        part = self._earlier.get(name)
        if part is None or any(getattr(self._rubric, field) != value for field, value in part.read.items()):
            self._read.clear()
            value = make()
            part = _Part(value, {field: getattr(self._rubric, field) for field in self._read})
        self._parts[name] = part
        result: _T = part.value
        return result
