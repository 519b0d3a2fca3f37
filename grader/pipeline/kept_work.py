"""Use again what was computed and rendered for a submission before, as far as its inputs are equal.

Two files next to the evidence have rendered parts of the pages, and a record of what each part of the grade was
computed from. Without a file, or if it is damaged or of another version of the grader, everything is made again.
"""

import hashlib
from collections.abc import Mapping
from functools import cached_property, partial
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from grader.grading.parts import Parts, PartsRecord
from grader.pipeline.course import Course
from grader.report.fragments import Fragments
from grader.schema.base import Document
from grader.schema.errors import ArtefactError
from grader.schema.evidence import Evidence
from grader.schema.grade import AUDIENCES, Audience, Grade
from grader.store.files import sha256_or_empty
from grader.store.fragments import FragmentFile
from grader.store.results import LARGE_LISTS, LARGE_PARTS, ResultsFolder, large_parts, lazy_grade
from grader.store.seal import SEAL, seal_of, sorted_text

__all__ = ["KeptWork"]

_RECORD: Final = hashlib.blake2b(b"parts of the grade", digest_size=16).hexdigest()
"""Key of the record in its file."""
_SPARE: Final = 16 << 10
"""Size in bytes of old records that are tolerated in the file."""


class _Record(Document):
    """The inputs of the parts of a stored grade."""

    renderer: str
    """Digest of the code, the reference and the data."""
    evidence: str
    """SHA-256 of the evidence."""
    grade: str
    """SHA-256 of `grade.json`."""
    parts: PartsRecord
    digests: tuple[str, ...] = ()
    """The digests of the large parts of the grade, as `Fragments` computes them."""


class KeptWork:
    """The work that was done before for one submission; for use in one thread."""

    def __init__(self, course: Course, out: ResultsFolder, name: str, parts: Parts | None = None) -> None:
        """Set the submission; files are read when they are first needed.

        Args:
            course: Rubric, reference and data.
            out: The results folder.
            name: Id of the submission.
            parts: The parts of a grade that was just computed; None for a grade that is stored.
        """
        self._course = course
        self._out = out
        self._name = name
        self._parts = parts
        self._fragments: Fragments | None = None
        self._known_digests: list[tuple[Document, str]] = []
        self.known: Mapping[int, Any] = {}
        """The JSON values of the parts of the stored grade that are used again, by the identity of the part."""

    @cached_property
    def content(self) -> bytes:
        """The content of the stored `grade.json`; empty if there is none, or none can be read."""
        return self._out.grade_content(self._name) or b""

    @cached_property
    def data(self) -> Any:
        """The JSON values of the stored `grade.json`; None if there is none, or none can be read."""
        return self._out.grade_values(self.content) if self.content else None

    @cached_property
    def grade(self) -> Grade | None:
        """The stored grade, even if somebody edited it; None if there is none, or none can be read."""
        try:
            if self.data is None:
                return None
            return lazy_grade(self.data) if self._is_current else Grade.model_validate(self.data)
        except ValidationError:
            return None

    @property
    def is_by_grader(self) -> bool:
        """Whether the stored grade is known to be as the grader wrote it, by the digest of its file."""
        known = self._record
        return known is not None and self._evidence_digest != "" and known.grade == self._grade_digest

    @cached_property
    def _is_current(self) -> bool:
        """Whether the stored grade is as this version of the grader wrote it."""
        known = self._record
        return known is not None and self.is_by_grader and known.renderer == self._course.renderer

    def parts(self) -> Parts:
        """Return the parts of the stored grade, for the next grading of the stored evidence."""
        known = self._record
        if (
            known is not None
            and self._is_current
            and known.evidence == self._evidence_digest
            and self.grade is not None
        ):
            self._parts = Parts.restore(known.parts, self.grade, self._course.field_digests)
            large = list(large_parts(self.grade, self.data))
            self.known = {id(part): values for part, values in large}
            for (part, _), digest in zip(large, known.digests, strict=False):
                self._known_digests.append((part, digest))
        else:
            self._parts = Parts()
        return self._parts

    def fragments(self) -> Fragments:
        """Return the rendered parts of the submission's pages."""
        if self._fragments is None:
            digests = self._digests
            self._fragments = (
                Fragments(self._course.renderer, digests["evidence"], digests["notebook"], self._file.get)
                if digests
                else Fragments()
            )
            for part, digest in self._known_digests:
                self._fragments.know_digest(part, digest)
        return self._fragments

    def sealed(self, new: Grade, data: dict[str, Any]) -> dict[str, Any]:
        """Add the seal to the JSON values of a grade.

        Args:
            new: The grade.
            data: Its JSON values without a seal.
        """
        fragments, texts = self.fragments(), dict[int, bytes]()
        large = list(large_parts(new, data))
        fragments.know(large)
        for part, values in large:
            texts[id(values)] = fragments.content(fragments.key("sorted", part), partial(sorted_text, values))
        return {**data, SEAL: seal_of(data, texts)}

    def digests_with(self, content: bytes, pages: Mapping[Audience, bytes]) -> Mapping[str, str]:
        """Return what `ResultsFolder.standing` returns once files are written; empty if that is unknown.

        Args:
            content: The content of `grade.json`.
            pages: The content of both editions of the report.
        """
        known = self._digests
        if not known or len(pages) < len(AUDIENCES):
            return {}
        written = {self._out.grade_path(self._name).name: content}
        written |= {self._out.report_path(self._name, audience).name: page for audience, page in pages.items()}
        return {
            self._out.evidence_path(self._name).name: known["evidence"],
            self._out.executed_path(self._name).name: known["notebook"],
            **{name: hashlib.sha256(text).hexdigest() for name, text in written.items()},
        }

    def store(self, new: Grade, content: bytes = b"") -> None:
        """Store the parts that are new.

        Args:
            new: The new grade.
            content: The content of its file; if empty, the file does not change.
        """
        digests, fragments = self._digests, self.fragments()
        if not digests:
            return
        record = self._new_record(new, hashlib.sha256(content).hexdigest() if content else digests["grade"])
        self._file.store(fragments.used, fragments.new)
        if record is not None and record != self._record:
            self._record_file.store((_RECORD,), {_RECORD: to_json(record)})

    def _new_record(self, new: Grade, digest: str) -> _Record | None:
        parts = None if self._parts is None else self._parts.record(new, self._course.field_digests)
        if parts is None:
            return None
        large = [*(part for name in LARGE_LISTS for part in getattr(new, name))]
        large += [part for name in LARGE_PARTS if (part := getattr(new, name)) is not None]
        return _Record(
            renderer=self._course.renderer,
            evidence=self._evidence_digest,
            grade=digest,
            parts=parts,
            digests=tuple(map(self.fragments().digest, large)),
        )

    @cached_property
    def _file(self) -> FragmentFile:
        return FragmentFile(self._out.fragments_path(self._name))

    @cached_property
    def _record_file(self) -> FragmentFile:
        return FragmentFile(self._out.record_path(self._name), spare=_SPARE)

    @cached_property
    def _record(self) -> _Record | None:
        stored = self._record_file.get(_RECORD)
        try:
            return None if stored is None else _Record.model_validate(from_json(stored))
        except ValueError:
            return None

    @cached_property
    def _grade_digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest() if self.content else ""

    @cached_property
    def _evidence_content(self) -> bytes:
        return self._out.evidence_content(self._name) or b""

    @cached_property
    def _evidence_digest(self) -> str:
        """Digest of the evidence; empty if there is none, or if it cannot be read."""
        return hashlib.sha256(self._evidence_content).hexdigest() if self._evidence_content else ""

    def evidence(self, name: str) -> Evidence | None:
        """Read the evidence; if it was graded before with this version of the grader, fields are validated when needed.

        Args:
            name: Id of the submission, as for `ResultsFolder.read_evidence`.

        Raises:
            ArtefactError: The file is damaged, too large, or of another version.
        """
        if name == self._name and self._is_current and self._record and self._record.evidence == self._evidence_digest:
            return self._out.evidence_of(self._evidence_content)
        return self._out.read_evidence(name)

    @cached_property
    def _digests(self) -> Mapping[str, str]:
        """Digests of the submission's files; empty if they cannot be read, or there is no evidence."""
        try:
            notebook = sha256_or_empty(self._out.executed_path(self._name))
        except ArtefactError:
            return {}
        evidence = self._evidence_digest
        return {"evidence": evidence, "notebook": notebook, "grade": self._grade_digest} if evidence else {}
