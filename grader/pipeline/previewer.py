"""Preview one changed rubric after the other on the same class, and keep what does not depend on the change."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from grader.grading.parts import Parts
from grader.pipeline.changes import Changed, changes_of
from grader.pipeline.course import Course
from grader.pipeline.preview import Previewed, number_or_none, previewed, snapshot
from grader.pipeline.publish import judge
from grader.pipeline.regrade import Room, Source, attempted, precompute, room_of, source_of
from grader.schema.base import Document
from grader.schema.evidence import Evidence
from grader.schema.grade import Grade, Lacking
from grader.schema.submission import Submission
from grader.store.database import digest_of
from grader.store.results import LARGE_LISTS, LARGE_PARTS, ResultsFolder, stored_form

__all__ = ["Previewer"]

_MOST_KEPT: Final = 64 << 20
"""Size of the stored grades whose parts are kept, in bytes. In memory they need about eight times as much."""
_Signature = tuple[int, int, int]


@dataclass(slots=True)
class _Stored:
    """The stored grade and evidence of one submission."""

    signature: _Signature | None
    source: Source
    old: Grade | None
    score: float | None
    max_score: float
    parts: dict[Path, tuple[_Signature | None, Parts]] = field(default_factory=dict)
    """By the file of the evidence."""
    forms: dict[int, tuple[Document, Document]] = field(default_factory=dict)
    """Parts of the last new grade and their stored form, by the identity of the part."""


class Previewer:
    """Computes previews in this process; a submission whose files changed is read again. For use in one thread."""

    def __init__(self, out: ResultsFolder, *, most_kept: int = _MOST_KEPT) -> None:
        """Start without any stored grade.

        Args:
            out: The results folder.
            most_kept: Size of the stored grades whose parts are kept, in bytes; others are graded from scratch.
        """
        self._out = out
        self._most = most_kept
        self._kept: dict[str, _Stored] = {}
        self._size = 0
        self._outside = ""

    def preview(
        self,
        course: Course,
        names: Sequence[str],
        *,
        listener: Callable[[int], None] = lambda _done: None,
    ) -> list[Previewed]:
        """Compute what a regrade would do with some submissions; see `preview_class`.

        Args:
            course: Rubric, reference and data, with the judgements.
            names: Ids of submissions in the folder.
            listener: Called with the number of finished submissions.
        """
        precompute(course)
        self._forget_parts(_outside(course))
        done: list[Previewed] = []
        with snapshot(self._out) as copy:
            room = replace(room_of(course, copy), writes=False)
            for number, name in enumerate(names, start=1):
                one = self._one(room, name)
                if one is not None:
                    done.append(one)
                listener(number)
        return done

    def _forget_parts(self, outside: str) -> None:
        if outside != self._outside:
            self._outside = outside
            for stored in self._kept.values():
                stored.parts.clear()

    def _one(self, room: Room, name: str) -> Previewed | None:
        stored = self._stored(room, name)
        edited = stored.source.edited
        reader = _Reader(room.out.root, room.out.database_path, {} if edited else {name: stored.old})
        own = replace(room, out=reader, judge=partial(_judge, stored, reader))
        result = attempted(own, stored.source, lambda new, _: _difference(stored, new))
        if result is None:
            return None
        return replace(previewed(*result, stored.score, stored.max_score), edited=edited)

    def _stored(self, room: Room, name: str) -> _Stored:
        """Read a stored grade, unless it was read before and has not changed."""
        path = self._out.grade_path(name)
        signature = _signature(path)
        known = self._kept.get(name)
        if known is not None and known.signature == signature:
            return known
        stored = _read(room, name, signature)
        if known is not None:
            stored.parts = known.parts
            self._size -= _size(known.signature)
            del self._kept[name]
        # The result for an edited grade depends on more than this file.
        if not stored.source.edited and self._size + _size(signature) <= self._most:
            self._kept[name] = stored
            self._size += _size(signature)
        return stored


class _Reader(ResultsFolder):
    """A results folder that knows some grades, and from which file each evidence was read."""

    def __init__(self, root: Path, database: Path | None, grades: Mapping[str, Grade | None]) -> None:
        super().__init__(root, database=database)
        self._grades = grades
        self.origins: dict[int, tuple[Evidence, Path, _Signature | None]] = {}
        """By the identity of the evidence, which is kept so that its identity stays unique."""

    def nested(self, root: Path) -> "_Reader":
        """Return a reader that shares the origins."""
        inner = _Reader(root, None, {})
        inner.origins = self.origins
        return inner

    def read_grade(self, submission: str, *, edited: bool = False) -> Grade | None:
        """Return a known grade, or read it."""
        if submission in self._grades:
            return self._grades[submission]
        return super().read_grade(submission, edited=edited)

    def read_evidence(self, submission: str) -> Evidence | None:
        """Read evidence, and note its file."""
        path = self.evidence_path(submission)
        signature = _signature(path)
        evidence = super().read_evidence(submission)
        if evidence is not None:
            self.origins[id(evidence)] = (evidence, path, signature)
        return evidence


def _judge(  # noqa: PLR0913, PLR0917 - as `judge`, with the stored parts
    stored: _Stored, reader: _Reader, submission: Submission, evidence: Evidence, course: Course, lacking: Lacking
) -> Grade:
    """Grade evidence with the parts that are kept for its file."""
    _, path, signature = reader.origins[id(evidence)]
    known = stored.parts.get(path)
    if known is None or known[0] != signature:
        known = stored.parts[path] = (signature, Parts())
    return judge(submission, evidence, course, lacking, parts=known[1])


def _difference(stored: _Stored, new: Grade) -> Changed | None:
    """Find the differences between the stored grade and a new one, as `difference` does."""
    return changes_of(stored.old, _as_stored(stored, new))


def _as_stored(stored: _Stored, new: Grade) -> Grade:
    """Return a grade as it would be read again after it was stored; unchanged parts are converted only once."""
    forms: dict[int, tuple[Document, Document]] = {}

    def form(part: Document, like: Document | None) -> Document:
        known = stored.forms.get(id(part))
        if known is None or known[0] is not part:
            converted = stored_form(part)
            # Keep equal parts only once.
            known = (part, like if like is not None and like == converted else converted)
        forms[id(part)] = known
        return known[1]

    rest = stored_form(new.model_copy(update={**dict.fromkeys(LARGE_LISTS, ()), **dict.fromkeys(LARGE_PARTS)}))
    update: dict[str, Any] = {name: tuple(_forms(form, stored.old, new, name)) for name in LARGE_LISTS}
    for name in LARGE_PARTS:
        part = getattr(new, name)
        update[name] = None if part is None else form(part, getattr(stored.old, name, None))
    stored.forms = forms
    return rest.model_copy(update=update)


def _forms(
    form: Callable[[Document, Document | None], Document], old: Grade | None, new: Grade, name: str
) -> Iterator[Document]:
    before: Sequence[Document] = getattr(old, name, ())
    for index, part in enumerate(getattr(new, name)):
        yield form(part, before[index] if index < len(before) else None)


def _read(room: Room, name: str, signature: _Signature | None) -> _Stored:
    data = room.out.grade_data(name)
    try:
        old = None if data is None else Grade.model_validate(data)
    except ValidationError:
        old = None
    values = data if isinstance(data, dict) else {}
    score, most = values.get("score"), values.get("max_score")
    return _Stored(
        signature=signature,
        source=source_of(room, name, data),
        old=old,
        score=number_or_none(score),
        max_score=number_or_none(most) or 0.0,
    )


def _outside(course: Course) -> str:
    """Digest what grades depend on in addition to evidence, the rubric, and judgements."""
    rubric = course.loaded.rubric
    return digest_of(
        "" if course.reference is None else course.reference.model_dump_json(),
        {name: data.sha256 for name, data in course.prepared.items()},
        {name: task.model_dump(mode="json") for name, task in rubric.tasks.items()},
        rubric.dataset,
    )


def _signature(path: Path) -> _Signature | None:
    """Return what tells two versions of a file apart; None if it does not exist."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _size(signature: _Signature | None) -> int:
    return signature[1] if signature is not None else 0
