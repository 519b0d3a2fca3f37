"""Keep the parts of a grade for the next grading of the same evidence with a changed rubric.

A grade is a pure function. Each of its parts (a criterion, the notes, the models …) is computed from the evidence, the
models of the roles, the reference, and those fields of the rubric that its computation reads. A view of the rubric
notes these fields. A part is used again only if all of them are equal; otherwise it is computed again.

A part of a stored grade is used again by the same rule. For this, a small record next to the grade has the digests of
the fields that each part was computed from.
"""

import functools
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self, TypeVar

from pydantic_core import PydanticSerializationError, to_json

from grader.facts.case import Case
from grader.facts.views import View, view_of
from grader.schema.base import Document
from grader.schema.grade import Grade, RoleMatch
from grader.schema.rubric import Criterion, Rubric

__all__ = ["FieldDigests", "Parts", "PartsRecord", "criterion_part"]

_T = TypeVar("_T")


class _RubricView(View, Rubric):
    """A rubric that notes reads."""

    watched = frozenset(Rubric.model_fields)


_DIGEST_BYTES: Final = 16
_MOST_NAMES: Final = 2_048
_CRITERIA: Final[dict[int, tuple[Criterion, str]]] = {}
"""Criteria and the names of their parts, by identity; all submissions of a class have the same criteria."""
_UNKNOWN: Final = "unknown"
"""Instead of a digest, where there is none."""


class PartsRecord(Document):
    """The inputs of the parts of a stored grade, as digests."""

    context: str
    """Digest of the models of the roles, and of the other inputs except for the rubric and the evidence."""
    parts: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    """The digest of the name of each part, and the fields of the rubric that were read, with their digests."""


class FieldDigests:
    """Digests of the fields of one rubric, each computed once."""

    def __init__(self, rubric: Rubric) -> None:
        """Set the rubric."""
        self._rubric = rubric
        self._known: dict[str, str] = {}

    def of(self, field: str) -> str:
        """Return the digest of a field; `unknown` if it has none."""
        known = self._known.get(field)
        if known is None:
            exists = field in Rubric.model_fields
            known = self._known[field] = _digest(getattr(self._rubric, field)) if exists else _UNKNOWN
        return known


@dataclass(frozen=True, slots=True)
class _Part:
    value: Any
    read: Mapping[str, Any]
    """The fields of the rubric that were read, with their values, or with their digests for a stored part."""
    stored: bool = False


class Parts:
    """The parts of the last two grades of one evidence; for use in one thread."""

    def __init__(self) -> None:
        """Start without any part."""
        self._context: object = None
        self._stored_context = ""
        self._digests: FieldDigests | None = None
        self._rubric: Rubric | None = None
        self._read: set[str] = set()
        self._parts: dict[str, _Part] = {}
        self._earlier: dict[str, _Part] = {}

    @classmethod
    def restore(cls, record: PartsRecord, grade: Grade, digests: FieldDigests) -> Self:
        """Use the parts of a stored grade.

        Args:
            record: The inputs of its parts.
            grade: The stored grade, as it was computed, without decisions of people.
            digests: The digests of the rubric of the next grading.
        """
        parts, values = cls(), _values(grade)
        if len(values) == len(record.parts):
            parts._stored_context, parts._digests = record.context, digests
            parts._parts = {
                name: _Part(value, dict(read), stored=True)
                for (name, read), value in zip(record.parts, values, strict=True)
            }
        return parts

    def record(self, grade: Grade, digests: FieldDigests) -> PartsRecord | None:
        """Describe the inputs of the last grading, for `restore`.

        Args:
            grade: Its grade.
            digests: The digests of its rubric.

        Returns:
            None if the inputs cannot be described, or if the grade has other parts, such as decisions of people.
        """
        computed = [part.value for part in self._parts.values()]
        same = len(computed) == len(values := _values(grade)) and all(
            one is other or one == other for one, other in zip(computed, values, strict=True)
        )
        context = _digest(self._context)
        read = {field: digests.of(field) for part in self._parts.values() for field in part.read}
        if not same or _UNKNOWN in {context, *read.values()}:
            return None
        return PartsRecord(
            context=context,
            parts=tuple(
                (name if part.stored else _name(name), tuple((field, read[field]) for field in part.read))
                for name, part in self._parts.items()
            ),
        )

    def begin(self, case: Case, reference_roles: Mapping[str, RoleMatch] | None) -> Case:
        """Begin a grading. If anything but the rubric's fields differs from the last one, all parts are dropped.

        Args:
            case: The evidence, the same as in the last grading, the rubric, and the models of its roles.
            reference_roles: The models of the roles in the reference.

        Returns:
            The case to compute the parts from.
        """
        context = (case.roles, case.lacking, case.noted, reference_roles)
        if self._stored_context:
            same = self._stored_context == _digest(context)
            self._stored_context = ""
        else:
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
        part = self._earlier.get(name) or (self._earlier.get(_name(name)) if self._digests is not None else None)
        if part is None or not self._holds(part):
            self._read.clear()
            value = make()
            part = _Part(value, {field: getattr(self._rubric, field) for field in self._read})
        self._parts[_name(name) if part.stored else name] = part
        result: _T = part.value
        return result

    def _holds(self, part: _Part) -> bool:
        """Whether all fields of the rubric that the part depends on are equal."""
        if part.stored:
            digests = self._digests
            return digests is not None and all(digests.of(field) == known for field, known in part.read.items())
        return all(getattr(self._rubric, field) == value for field, value in part.read.items())


def criterion_part(criterion: Criterion) -> str:
    """Name the part of a criterion, which depends on all that the rubric says about it."""
    known = _CRITERIA.get(id(criterion))
    if known is None or known[0] is not criterion:
        if len(_CRITERIA) > _MOST_NAMES:
            _CRITERIA.clear()
        known = _CRITERIA[id(criterion)] = (criterion, f"criterion {criterion.model_dump_json()}")
    return known[1]


@functools.lru_cache(maxsize=_MOST_NAMES)
def _name(name: str) -> str:
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).hexdigest()


def _digest(value: object) -> str:
    """Digest a document, or JSON values with documents in them; `unknown` if it has lone surrogates."""
    try:
        return hashlib.blake2b(to_json(value, inf_nan_mode="constants"), digest_size=_DIGEST_BYTES).hexdigest()
    except PydanticSerializationError:
        return _UNKNOWN


def _values(grade: Grade) -> list[Any]:
    """List the parts of a grade, in the order in which they are computed."""
    values = [*grade.criteria, (grade.diagnostics, grade.problems_says), grade.models, grade.execution]
    return values if grade.reference is None else [*values, grade.reference]
