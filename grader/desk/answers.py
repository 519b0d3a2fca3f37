"""Collect the answers of a class to one question: equal answers are one group, without names, in a stable order."""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final

from pydantic import ValidationError

from grader.desk.state import Desk
from grader.facts.answers import Answer, answer_to, starter_lines
from grader.report.notebook import CellView, notebook_cells
from grader.schema.evidence import CellFact
from grader.schema.grade import CriterionGrade, Grade, SubmissionStamp
from grader.schema.rubric import Criterion

__all__ = ["Answers", "Group", "Names", "answered_cells", "names_in", "questions"]

_LARGEST: Final = 256 << 20
_KEY: Final = 16
"""Letters of a group's key, which names no student."""
_SHORTEST_ANYWHERE: Final = 5
_SHORTEST_IN_TEXT: Final = 3
"""Shorter names are not covered, since they are parts of other words."""
_COVER: Final = "▒▒▒"
_Stamp = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Group:
    """Answers that say the same."""

    key: str
    """Names the group in addresses; it does not reveal a student."""
    members: tuple[str, ...]
    """Ids of the submissions; the first one is shown."""
    answer: Answer
    lines: Mapping[str, CriterionGrade]
    """The criterion in the grade of each member."""

    @property
    def waiting(self) -> tuple[str, ...]:
        """The members that nobody has judged."""
        return tuple(name for name in self.members if self.lines[name].status == "pending")

    @property
    def line(self) -> CriterionGrade:
        """The criterion in the grade of the first member that was judged, else of the first one."""
        judged = (self.lines[name] for name in self.members if self.lines[name].judged is not None)
        return next(judged, self.lines[self.members[0]])


def questions(desk: Desk) -> tuple[Criterion, ...]:
    """List the criteria that people judge: manual ones, and those that wait for a person in some submission."""
    pending = {line.id for grade in desk.grades().values() for line in grade.criteria if line.status == "pending"}
    return tuple(one for one in desk.criteria.values() if one.manual is not None or one.id in pending)


@dataclass
class Answers:
    """The answers of a class, read from the stored notebooks once."""

    desk: Desk
    _cells: dict[str, tuple[_Stamp, tuple[CellFact, ...]]] = field(default_factory=dict)
    _found: dict[tuple[str, str], tuple[_Stamp, Answer, str]] = field(default_factory=dict)
    _apart: set[tuple[str, str]] = field(default_factory=set)
    """Members that were split off, as (criterion, submission)."""
    _lock: Lock = field(default_factory=Lock)

    def groups(self, criterion: Criterion) -> tuple[Group, ...]:
        """Group the answers to a question, in an order that depends on no name.

        A submission that was not graded, or whose criterion the grader could decide alone, is left out.
        """
        members: defaultdict[str, list[str]] = defaultdict(list)
        lines: dict[str, CriterionGrade] = {}
        answers: dict[str, Answer] = {}
        with self._lock:
            for name, grade in self.desk.grades().items():
                line = _open_line(grade, criterion)
                if line is None:
                    continue
                lines[name] = line
                answers[name], content = self._answer(grade.submission, criterion, line)
                members[_key(criterion.id, content)].append(name)
        groups = (
            Group(key, tuple(names), answers[names[0]], {name: lines[name] for name in names})
            for key, names in members.items()
        )
        return tuple(sorted(groups, key=lambda group: group.key))

    def split(self, criterion: str, submission: str) -> None:
        """Let a member be a group of its own from now on."""
        with self._lock:
            self._apart.add((criterion, submission))
            self._found.pop((criterion, submission), None)

    def _answer(self, submission: SubmissionStamp, criterion: Criterion, line: CriterionGrade) -> tuple[Answer, str]:
        """Return a submission's answer, and what equal answers have in common."""
        name = submission.id
        stamp, cells = self._cells_of(name)
        known = self._found.get((criterion.id, name))
        if known is not None and known[0] == stamp:
            return known[1:]
        if criterion.manual is None:
            places = {pointer.cell for pointer in line.evidence}
            answer = Answer(tuple(cell.index for cell in cells if cell.index in places), "", pictures=False)
        else:
            starter = starter_lines((*_texts(self.desk), *_title_lines(submission)))
            answer = answer_to(criterion.title, criterion.manual.guide, cells, starter)
        alone = criterion.manual is None or answer.pictures or not stamp[1] or (criterion.id, name) in self._apart
        content = f"of {name}" if alone else f"says {answer.text}"
        self._found[criterion.id, name] = (stamp, answer, content)
        return answer, content

    def _cells_of(self, name: str) -> tuple[_Stamp, tuple[CellFact, ...]]:
        """Read the cells in a submission's evidence; none if they cannot be read."""
        path = self.desk.out.evidence_folder(name) / "evidence.json"
        try:
            state = path.stat()
            stamp = (state.st_mtime_ns, state.st_size)
            known = self._cells.get(name)
            if known is None or known[0] != stamp:
                if state.st_size > _LARGEST:
                    return (0, 0), ()
                data: Any = json.loads(path.read_bytes())
                known = stamp, tuple(map(CellFact.model_validate, data["cells"]))
        except (OSError, ValueError, TypeError, KeyError, RecursionError, ValidationError):
            return (0, 0), ()
        self._cells[name] = known
        return known


def _open_line(grade: Grade, criterion: Criterion) -> CriterionGrade | None:
    """Return the criterion's line if a person decides it: it waits, or a person has judged what waited."""
    if grade.status != "graded":
        return None
    line = next((line for line in grade.criteria if line.id == criterion.id), None)
    if line is None or line.status == "pending":
        return line
    return line if line.judged is not None and line.judged.computed_status == "pending" else None


def _key(criterion: str, content: str) -> str:
    return hashlib.sha256(f"{criterion}\n{content}".encode("utf-8", "replace")).hexdigest()[:_KEY]


def _texts(desk: Desk) -> Sequence[str]:
    texts = desk.course.loaded.rubric.template_text
    return (texts,) if isinstance(texts, str) else texts


@dataclass(frozen=True, slots=True)
class Names:
    """Patterns of a student's names."""

    anywhere: re.Pattern[str]
    """Whole names and the id, in text, code and output."""
    in_text: re.Pattern[str]
    """Also single parts of the name, in text cells."""


def names_in(stamp: SubmissionStamp) -> Names:
    """Return patterns of the names of a student, to cover them on a page without names.

    Args:
        stamp: The submission.
    """
    parts = stamp.student.split()
    name, last = " ".join(parts), parts[-1] if parts else ""
    first = name.removesuffix(last).strip()
    whole = {name, f"{last}, {first}", f"{last} {first}", stamp.id} if first else {name}
    single = {form for part in (*parts, stamp.id) for form in (part, part.capitalize())}
    anywhere = _pattern((one for one in whole if len(one) >= _SHORTEST_ANYWHERE), re.IGNORECASE)
    return Names(anywhere, _pattern((one for one in single if len(one) >= _SHORTEST_IN_TEXT), 0))


def _pattern(words: Iterable[str], flags: int) -> re.Pattern[str]:
    longest_first = sorted(set(words), key=lambda word: (-len(word), word))
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first)) or '(?!)'})(?!\w)", flags)


def _title_lines(stamp: SubmissionStamp) -> Iterable[str]:
    """Return lines with a student's name, which are no answer."""
    return (f"{label}{name}" for name in (stamp.student, stamp.id) for label in ("", "Name: ", "Student: ", "by "))


def answered_cells(
    desk: Desk, submission: str, cells: Sequence[int] | None, hidden: Names | None = None
) -> tuple[CellView, ...] | None:
    """Render cells of a submission's executed notebook in the sanitized form of the reports.

    Args:
        desk: The desk.
        submission: The submission.
        cells: Indexes of the cells; None for all of them.
        hidden: Names to cover.

    Returns:
        The cells in order; None if the notebook cannot be read.
    """
    path = desk.out.executed_path(submission)
    try:
        if path.stat().st_size > _LARGEST:
            return None
        notebook: Any = json.loads(path.read_bytes())
        every = list(notebook["cells"])
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    shown = range(len(every)) if cells is None else sorted(set(cells))
    blank: dict[str, Any] = {"cell_type": "raw", "source": ""}
    kept = [_covered_cell(cell, hidden) if index in shown else blank for index, cell in enumerate(every)]
    views = notebook_cells({"cells": kept}, desk.course.language)
    return tuple(view for view in views if view.index in shown)


def _covered_cell(cell: Any, hidden: Names | None) -> Any:
    if hidden is None or not isinstance(cell, dict):
        return cell
    patterns = [hidden.anywhere] if cell.get("cell_type") == "code" else [hidden.anywhere, hidden.in_text]
    return _covered(cell, patterns)


def _covered(value: Any, patterns: Sequence[re.Pattern[str]]) -> Any:
    """Replace names in all texts of a cell, but not in the data of its pictures."""
    if isinstance(value, str):
        for pattern in patterns:
            value = pattern.sub(_COVER, value)
        return value
    if isinstance(value, list):
        return [_covered(item, patterns) for item in value]
    if isinstance(value, dict):
        return {key: item if _is_data(key) else _covered(item, patterns) for key, item in value.items()}
    return value


def _is_data(key: object) -> bool:
    return str(key).startswith("image/") or key in {"cell_type", "output_type"}
