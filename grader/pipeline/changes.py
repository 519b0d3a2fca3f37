"""List the changes of a regrade: the submissions, and each criterion before and after."""

import csv
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from grader.report.csvfile import guarded
from grader.schema.errors import StorageError
from grader.schema.grade import CriterionGrade, Grade

__all__ = ["Change", "Changed", "Journal", "changes_of", "write_changes"]

_COLUMNS = ("id", "student", "old_score", "new_score", "criterion", "old_points", "new_points", "old_max", "new_max")
_WORDS = ("old_status", "new_status", "why")
_OTHER_PARTS = {
    "attempts": "attempts",
    "diagnostics": "margin notes",
    "models": "models",
    "main_model": "graded model",
    "main_accuracy": "accuracy of the graded model",
    "execution": "execution",
    "reference": "comparison with the reference",
    "submission": "submission",
    "problems": "problems",
    "comments": "comments of people",
    "flags": "flags",
    "requests": "requests",
    "review": "judgements to review",
    "late": "late submission",
    "due": "due date",
    "excused": "excuse",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One criterion of a grade, before and after."""

    criterion: str
    """The criterion's id; empty if something else changed."""
    why: str
    """Description, with the id."""
    old_points: float | None = None
    new_points: float | None = None
    old_max: float | None = None
    new_max: float | None = None
    old_status: str = ""
    new_status: str = ""


@dataclass(frozen=True, slots=True)
class Changed:
    """A submission that a regrade changed."""

    submission: str
    student: str
    old: float | None
    """The previous score; None if there was none."""
    new: float | None
    changes: tuple[Change, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the JSON values that `grader regrade --json` prints."""
        return {
            "submission": self.submission,
            "old": self.old,
            "new": self.new,
            "criteria": [change.criterion for change in self.changes if change.criterion],
            "why": [change.why for change in self.changes],
        }


def changes_of(old: Grade | None, new: Grade) -> Changed | None:
    """Find the differences between two grades, except for the rubric's digest.

    Args:
        old: The previous grade; None if it does not exist or cannot be read.
        new: The new grade.

    Returns:
        None if nothing changed.
    """
    if old is not None:
        old = _completed(old, new)
        if old == new.model_copy(update={"rubric": old.rubric}):
            return None
    changes = tuple(_changes(old, new))
    stamp = new.submission
    return Changed(stamp.id, stamp.student, old.score if old else None, new.score, changes)


def _completed(old: Grade, new: Grade) -> Grade:
    """Add fields to a grade of an earlier version, so that their absence is not a difference."""
    others = {line.id: line for line in new.criteria}
    lines = tuple(
        line.model_copy(update={"student": other.student})
        if (other := others.get(line.id, line)) is not line and line.student is None and other.student is not None
        else line
        for line in old.criteria
    )
    named = {"main_model": new.main_model, "main_accuracy": new.main_accuracy} if old.main_model is None else {}
    return old.model_copy(update={"criteria": lines, **named})


def _changes(old: Grade | None, new: Grade) -> Iterator[Change]:
    before = {c.id: c for c in old.criteria} if old else {}
    after = {c.id: c for c in new.criteria}
    if new.status == "not_graded" or (old is not None and old.status == "not_graded"):
        yield Change("", new.reason or "graded now")
    if new.status == "not_graded":
        return
    yield from _other_attempt(old, new)
    for name in dict.fromkeys([*after, *before]):
        if _differ(before.get(name), after.get(name)):
            yield _change(name, before.get(name), after.get(name))
    if old is not None:
        parts = [words for part, words in _OTHER_PARTS.items() if _differ(getattr(old, part), getattr(new, part))]
        if parts:
            yield Change("", f"other parts changed: {', '.join(parts)}")


def _differ(old: object, new: object) -> bool:
    """Whether two parts differ; the same part may be a lazy document, which a comparison would validate."""
    return old is not new and old != new


def _other_attempt(old: Grade | None, new: Grade) -> Iterator[Change]:
    """Report that another attempt is graded now."""
    before = old.attempts.taken if old is not None and old.attempts is not None else None
    if new.attempts is not None and before != new.attempts.taken:
        instead = f" instead of attempt {before}" if before else ""
        yield Change("", f"attempt {new.attempts.taken} is graded now{instead}")


def _change(name: str, old: CriterionGrade | None, new: CriterionGrade | None) -> Change:
    return Change(
        criterion=name,
        why=_why(name, old, new),
        old_points=old.points if old else None,
        new_points=new.points if new else None,
        old_max=old.max_points if old else None,
        new_max=new.max_points if new else None,
        old_status=old.status if old else "",
        new_status=new.status if new else "",
    )


def _why(name: str, old: CriterionGrade | None, new: CriterionGrade | None) -> str:
    """Describe the change of a criterion."""
    if new is None:
        return f"{name}: no longer in the rubric"
    now = f"{new.points:g} of {new.max_points:g}, {new.status}: {new.message}"
    if old is None:
        return f"{name}: new, {now}"
    if (old.points, old.max_points, old.status) == (new.points, new.max_points, new.status):
        return f"{name}: points unchanged, message or measurement changed"
    return f"{name}: {old.points:g} of {old.max_points:g} → {now}"


def write_changes(file: TextIO, changed: Iterable[Changed]) -> None:
    """Write a CSV file (RFC 4180) with one row per change; texts are guarded as in `grades.csv`.

    Args:
        file: Opened with `newline=""`.
        changed: The submissions in order; only one at a time is in memory.
    """
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow((*_COLUMNS, *_WORDS))
    for one in changed:
        head = (guarded(one.submission), guarded(one.student), one.old, one.new)
        for change in one.changes:
            numbers = (change.old_points, change.new_points, change.old_max, change.new_max)
            words = (change.old_status, change.new_status, guarded(change.why))
            writer.writerow((*head, guarded(change.criterion), *numbers, *words))


class Journal:
    """A file with the changes of a running regrade, so that the list stays complete if the regrade is killed.

    A worker writes changes to the journal before it replaces grades. After a restart of the same regrade, replaced
    grades look unchanged, but the journal still has their changes. The file also saves memory for large classes.
    """

    def __init__(self, root: Path, rubric_sha256: str) -> None:
        """Set the journal's path for a rubric and a results folder."""
        self._root = root
        self._path = root / f".regrade-{rubric_sha256[:16]}.jsonl"

    def begin(self) -> None:
        """Keep the changes of an interrupted regrade with this rubric, and remove journals of other rubrics.

        Raises:
            StorageError: A journal cannot be removed.
        """
        try:
            for other in self._root.glob(".regrade-*.jsonl"):
                if other != self._path:
                    other.unlink(missing_ok=True)
        except OSError as error:
            raise _failed(self._path, error) from error

    def places(self) -> dict[str, int]:
        """Find the file offset of each submission's changes, by its id; duplicate entries are equal.

        Raises:
            StorageError: The journal cannot be read.
        """
        offsets: dict[str, int] = {}
        try:
            if not self._path.exists():
                return offsets
            with self._path.open("rb") as file:
                at = 0
                for line in file:
                    if (one := _read(line)) is not None:
                        offsets[one.submission] = at
                    at += len(line)
        except OSError as error:
            raise _failed(self._path, error) from error
        return offsets

    def read(self, places: Iterable[int]) -> Iterator[Changed]:
        """Read changes one after the other.

        Args:
            places: Offsets of `places`, in the desired order.

        Raises:
            StorageError: The journal cannot be read.
        """
        try:
            with self._path.open("rb") as file:
                for place in places:
                    file.seek(place)
                    if (one := _read(file.readline())) is not None:
                        yield one
        except OSError as error:
            raise _failed(self._path, error) from error

    def note(self, changed: Iterable[Changed]) -> None:
        """Append changes in a single write; incomplete lines are skipped when the journal is read.

        Raises:
            StorageError: The journal cannot be written.
        """
        lines = "".join(f"\n{json.dumps(asdict(one))}" for one in changed)
        if not lines:
            return
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            with os.fdopen(handle, "ab", buffering=0) as file:
                file.write(lines.encode())
        except OSError as error:
            raise _failed(self._path, error) from error

    def end(self) -> None:
        """Remove the journal after the list was written.

        Raises:
            StorageError: The journal cannot be removed.
        """
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise _failed(self._path, error) from error


def _failed(path: Path, error: OSError) -> StorageError:
    msg = f"the list of changes cannot be stored ({error.strerror or error})"
    return StorageError(msg, where=str(path))


def _read(line: bytes) -> Changed | None:
    try:
        entry: Mapping[str, Any] = json.loads(line)
        changes = tuple(Change(**change) for change in entry["changes"])
        return Changed(**{**entry, "changes": changes})
    except (ValueError, TypeError, KeyError):
        return None
