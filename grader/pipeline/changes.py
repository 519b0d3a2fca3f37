"""What a regrade changed: who, and for each criterion what it was before and is now."""

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
    "models": "networks",
    "main_model": "graded model",
    "main_accuracy": "accuracy of the graded model",
    "execution": "execution",
    "reference": "comparison with the reference",
    "submission": "submission",
    "problems": "problems",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a grade, before and after."""

    criterion: str
    """Its id; empty where something beside the criteria changed."""
    why: str
    """In words, with the id."""
    old_points: float | None = None
    new_points: float | None = None
    old_max: float | None = None
    new_max: float | None = None
    old_status: str = ""
    new_status: str = ""


@dataclass(frozen=True, slots=True)
class Changed:
    """One submission that a regrade changed."""

    submission: str
    student: str
    old: float | None
    """The score before; None where there was none."""
    new: float | None
    changes: tuple[Change, ...]

    def as_json(self) -> dict[str, Any]:
        """What `grader regrade --json` prints of it."""
        return {
            "submission": self.submission,
            "old": self.old,
            "new": self.new,
            "criteria": [change.criterion for change in self.changes if change.criterion],
            "why": [change.why for change in self.changes],
        }


def changes_of(old: Grade | None, new: Grade) -> Changed | None:
    """Say what a person who reads both grades finds different; the rubric's own digest alone is no difference.

    Args:
        old: The grade before; None where there was none that can be read.
        new: The grade now.

    Returns:
        None where nothing is.
    """
    if old is not None:
        old = _completed(old, new)
        if old == new.model_copy(update={"rubric": old.rubric}):
            return None
    changes = tuple(_changes(old, new))
    stamp = new.submission
    return Changed(stamp.id, stamp.student, old.score if old else None, new.score, changes)


def _completed(old: Grade, new: Grade) -> Grade:
    """Name the graded model in a grade of an earlier version, which names none: the name alone is no difference."""
    named = {"main_model": new.main_model, "main_accuracy": new.main_accuracy}
    return old.model_copy(update=named) if old.main_model is None else old


def _changes(old: Grade | None, new: Grade) -> Iterator[Change]:
    before = {c.id: c for c in old.criteria} if old else {}
    after = {c.id: c for c in new.criteria}
    if new.status == "not_graded" or (old is not None and old.status == "not_graded"):
        yield Change("", new.reason or "graded now")
    if new.status == "not_graded":
        return
    yield from _other_attempt(old, new)
    for name in dict.fromkeys([*after, *before]):
        if before.get(name) != after.get(name):
            yield _change(name, before.get(name), after.get(name))
    if old is not None:
        parts = [words for part, words in _OTHER_PARTS.items() if getattr(old, part) != getattr(new, part)]
        if parts:
            yield Change("", f"other words or figures: {', '.join(parts)}")


def _other_attempt(old: Grade | None, new: Grade) -> Iterator[Change]:
    """Say that the change made another attempt the one that is graded."""
    before = old.attempts.taken if old is not None and old.attempts is not None else None
    if new.attempts is not None and before != new.attempts.taken:
        yield Change(
            "", f"attempt {new.attempts.taken} is graded now{f', no longer attempt {before}' if before else ''}"
        )


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
    """Say how one line of a grade became another."""
    if new is None:
        return f"{name}: no longer asked for"
    now = f"{new.points:g} of {new.max_points:g}, {new.status}: {new.message}"
    if old is None:
        return f"{name}: new, {now}"
    if (old.points, old.max_points, old.status) == (new.points, new.max_points, new.status):
        return f"{name}: same points, other words or figures"
    return f"{name}: {old.points:g} of {old.max_points:g} → {now}"


def write_changes(file: TextIO, changed: Iterable[Changed]) -> None:
    """Write one row for each change of each submission, for a spreadsheet: RFC 4180, texts guarded as in `grades.csv`.

    Args:
        file: Opened with `newline=""`.
        changed: In the order of the rows; one at a time is in memory.
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
    """What a regrade has changed so far: on the disk, so that the list is whole although it was killed in between.

    A worker writes its changes down before it puts the new grades into their places. When the same regrade is started
    again, grades that are in their places already look unchanged; the journal knows what they were before. And what is
    on the disk is not in memory, however large a class is.
    """

    def __init__(self, root: Path, rubric_sha256: str) -> None:
        """Name the journal of one rubric in a results folder."""
        self._root = root
        self._path = root / f".regrade-{rubric_sha256[:16]}.jsonl"

    def begin(self) -> None:
        """Go on with what an interrupted regrade with this rubric changed; what another rubric's left is removed.

        Raises:
            StorageError: It cannot be removed.
        """
        try:
            for other in self._root.glob(".regrade-*.jsonl"):
                if other != self._path:
                    other.unlink(missing_ok=True)
        except OSError as error:
            raise _failed(self._path, error) from error

    def places(self) -> dict[str, int]:
        """Find where each submission's changes stand, by its id; where it is noted twice, both are the same.

        Raises:
            StorageError: It cannot be read.
        """
        found: dict[str, int] = {}
        try:
            if not self._path.exists():
                return found
            with self._path.open("rb") as file:
                at = 0
                for line in file:
                    if (one := _read(line)) is not None:
                        found[one.submission] = at
                    at += len(line)
        except OSError as error:
            raise _failed(self._path, error) from error
        return found

    def read(self, places: Iterable[int]) -> Iterator[Changed]:
        """Read changes one after the other.

        Args:
            places: Of `places`, in the order that is wanted.

        Raises:
            StorageError: It cannot be read.
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
        """Add changes, in one write; a line that is cut short by a kill is not read.

        Raises:
            StorageError: It cannot be written.
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
        """Remove it: the list was written.

        Raises:
            StorageError: It cannot be removed.
        """
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise _failed(self._path, error) from error


def _failed(path: Path, error: OSError) -> StorageError:
    msg = f"the list of changes cannot be kept ({error.strerror or error})"
    return StorageError(msg, where=str(path))


def _read(line: bytes) -> Changed | None:
    try:
        given: Mapping[str, Any] = json.loads(line)
        changes = tuple(Change(**change) for change in given["changes"])
        return Changed(**{**given, "changes": changes})
    except (ValueError, TypeError, KeyError):
        return None
