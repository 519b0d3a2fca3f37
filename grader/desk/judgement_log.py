"""Follow the file of judgements, which several processes append to."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from threading import Lock

from grader.grading.judged import concerns
from grader.schema.judgement import Judgement
from grader.store.judgements import JudgementFile, parse_judgements

__all__ = ["JudgementLog"]

_TAIL = 512
"""Bytes before the known end that must be the same, or else the whole file is read again."""


@dataclass(slots=True)
class _Known:
    """The part of the file that was read."""

    size: int = 0
    inode: int = 0
    tail: bytes = b""
    stamp: int = 0
    by_submission: dict[str, tuple[Judgement, ...]] = field(default_factory=dict)


class JudgementLog:
    """The judgements about one rubric, by submission. Only new lines are read."""

    def __init__(self, file: JudgementFile, rubric: str) -> None:
        """Set the file, and the id of the rubric."""
        self.file = file
        self._rubric = rubric
        self._known = _Known()
        self._lock = Lock()

    def read(self) -> Mapping[str, tuple[Judgement, ...]]:
        """Return the judgements of each submission, in the order of the file.

        Raises:
            UsageError: The file has lines that are not judgements.
        """
        with self._lock:
            self._follow()
            return self._known.by_submission

    def _follow(self) -> None:
        try:
            state = self.file.path.stat()
        except OSError:
            self._known = _Known()
            return
        known = self._known
        if (state.st_size, state.st_ino, state.st_mtime_ns) == (known.size, known.inode, known.stamp):
            return
        new = self._appended() if state.st_ino == known.inode and state.st_size > known.size else None
        if new is None:
            judgements: Iterable[Judgement] = self.file.read().judgements
            self._known = _Known(inode=state.st_ino, by_submission=self._sorted_in({}, judgements))
            self._note_end(state.st_size)
        else:
            known.by_submission = self._sorted_in(known.by_submission, parse_judgements(new).judgements)
            self._note_end(known.size + len(new))
        self._known.stamp = state.st_mtime_ns

    def _appended(self) -> bytes | None:
        """Return the complete lines after the known part; None if the known part has changed."""
        known = self._known
        with self.file.path.open("rb") as file:
            file.seek(known.size - len(known.tail))
            content = file.read()
        if not content.startswith(known.tail) or not known.tail.endswith(b"\n"):
            return None
        return content[len(known.tail) : content.rfind(b"\n") + 1]

    def _note_end(self, size: int) -> None:
        """Remember the end of the known part."""
        with self.file.path.open("rb") as file:
            start = max(0, size - _TAIL)
            file.seek(start)
            self._known.tail = file.read(size - start)
        self._known.size = size

    def _sorted_in(
        self, before: Mapping[str, tuple[Judgement, ...]], new: Iterable[Judgement]
    ) -> dict[str, tuple[Judgement, ...]]:
        groups: defaultdict[str, list[Judgement]] = defaultdict(list)
        for one in new:
            if concerns(one, one.submission, self._rubric):
                groups[one.submission].append(one)
        return {**before, **{name: (*before.get(name, ()), *some) for name, some in groups.items()}}
