"""Compute what a regrade would change, without rendering or writing anything.

Grades are made by the functions of the regrade itself (`attempted`, `difference`), so that both give the same result.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from grader.pipeline.changes import Changed
from grader.pipeline.course import Course
from grader.pipeline.judgements import judged_course, orphans_of
from grader.pipeline.kept_work import KeptWork
from grader.pipeline.process_pool import in_chunks, sparing
from grader.pipeline.regrade import (
    Regrade,
    Review,
    Room,
    attempted,
    counted_attempts,
    difference,
    ineffective,
    precompute,
    room_of,
    source_of,
    unchanged,
    with_kept_parts,
)
from grader.schema.grade import Grade
from grader.schema.judgement import ReviewGrade
from grader.store.results import ResultsFolder, unsealed_data

__all__ = [
    "BINS",
    "Preview",
    "Previewed",
    "Score",
    "joined",
    "number_or_none",
    "preview_class",
    "previewed",
    "score_bins",
    "snapshot",
]

BINS = 10
"""Number of bins of a distribution of scores."""


@dataclass(frozen=True, slots=True)
class Score:
    """The score of one submission, before and after a regrade."""

    submission: str
    student: str
    old: float | None
    """The stored score; None if there is none."""
    new: float | None
    old_max: float
    """The most points of the stored grade; 0 if there is none."""
    new_max: float

    def as_json(self) -> dict[str, Any]:
        """Return the JSON values that `grader regrade --dry-run --json` prints."""
        return {"submission": self.submission, "old": self.old, "new": self.new}


@dataclass(frozen=True, slots=True)
class Preview:
    """The result of a regrade that is not carried out."""

    regrade: Regrade
    """The result that `regrade_class` would return, with all changes."""
    scores: tuple[Score, ...]
    """The scores of all submissions, in order."""

    @property
    def before(self) -> tuple[int, ...]:
        """The distribution of the stored scores; see `score_bins`."""
        return score_bins((one.old, one.old_max) for one in self.scores)

    @property
    def after(self) -> tuple[int, ...]:
        """The distribution of the new scores; see `score_bins`."""
        return score_bins((one.new, one.new_max) for one in self.scores)


@dataclass(frozen=True, slots=True)
class Previewed:
    """The result of such a regrade for one submission."""

    score: Score
    graded: bool
    changed: Changed | None
    counted: frozenset[int]
    """Numbers of the attempts in its grade."""
    review: tuple[ReviewGrade, ...]
    edited: bool = False
    """Whether somebody edited the stored grade by hand."""


def score_bins(scores: Iterable[tuple[float | None, float]]) -> tuple[int, ...]:
    """Count scores in ten bins by their share of full marks.

    Args:
        scores: Each score with its most points; without a score, or without points, it is left out.

    Returns:
        The numbers of the bins from 0 to 100 %; full marks and more count in the last one.
    """
    bins = [0] * BINS
    for score, most in scores:
        if score is not None and most > 0:
            bins[min(max(int(score / most * BINS + 1e-9), 0), BINS - 1)] += 1
    return tuple(bins)


def preview_class(
    course: Course,
    out: ResultsFolder,
    *,
    judgements: Path | None = None,
    workers: int | None = None,
    listener: Callable[[int, int], None] = lambda _done, _all: None,
) -> Preview:
    """Compute what `regrade_class` would do. Nothing in the folder changes, not even a temporary file.

    Args:
        course: Rubric, reference and data.
        out: The results folder.
        judgements: The file of judgements that the regrade is to use; by default the one it would find.
        workers: Number of processes; by default the number of cores.
        listener: Called with the number of finished submissions and the total.

    Raises:
        HarnessError: A worker process died.
    """
    course = judged_course(course, out, judgements)
    names, done = out.submissions(), list[Previewed]()
    with snapshot(out) as copy:
        room = replace(room_of(course, copy), writes=False)
        precompute(course)
        with closing(in_chunks(partial(_previewed_some, room), names, workers=workers)) as answers:
            for answer in answers:
                done += answer
                listener(len(done), len(names))
        return joined(room, names, done)


@contextmanager
def snapshot(out: ResultsFolder) -> Iterator[ResultsFolder]:
    """Read a results folder with a copy of its database, since SQLite writes files even to read one.

    Args:
        out: The results folder.
    """
    with tempfile.TemporaryDirectory(prefix="grader-preview-") as folder:
        copy = Path(folder) / "grader.sqlite"
        # Changes that are not in the database yet are in its log.
        for suffix in ("", "-wal"):
            with suppress(FileNotFoundError):
                shutil.copyfile(f"{out.database_path}{suffix}", f"{copy}{suffix}")
        yield ResultsFolder(out.root, database=copy)


def joined(room: Room, names: Sequence[str], done: Sequence[Previewed]) -> Preview:
    """Join the results of all submissions.

    Args:
        room: The shared data.
        names: Ids of all submissions.
        done: The result of each submission that has one, in the order of the ids.
    """
    changes = {one.score.submission: one.changed for one in done if one.changed is not None}
    # The regrade lists the changes of an interrupted one with the same rubric, too.
    offsets = room.journal.places()
    interrupted = [offsets[name] for name in names if name in offsets and name not in changes]
    if interrupted:
        changes |= {one.submission: one for one in room.journal.read(interrupted)}
    parts, outdated = ineffective(room, {one.score.submission: one.counted for one in done})
    ordered = tuple(changes[name] for name in names if name in changes)
    regrade = Regrade(
        total=len(done),
        not_graded=sum(not one.graded for one in done),
        changed=len(ordered),
        first=ordered,
        ineffective=parts,
        outdated=outdated,
        review=tuple(
            Review(one.score.submission, one.score.student, judgement) for one in done for judgement in one.review
        ),
        orphans=orphans_of(room.course, names),
        edited=tuple(one.score.submission for one in done if one.edited),
    )
    return Preview(regrade, tuple(one.score for one in done))


def _previewed_some(room: Room, names: Sequence[str]) -> list[Previewed]:
    return [one for name in sparing(names) if (one := _previewed_one(room, name)) is not None]


def _previewed_one(room: Room, name: str) -> Previewed | None:
    standing = unchanged(room, name)
    if standing is not None:
        kept = standing[0]
        return previewed(kept, None, kept.score, kept.max_score)
    work = KeptWork(room.course, room.out, name)
    old, source = work.data, source_of(room, name, work.data, trusted=work.is_by_grader)
    own = with_kept_parts(room, work, name)
    result = attempted(own, source, lambda new, _: difference(work, new, unsealed_data(new, work.known)))
    if result is None:
        return None
    stored = old if isinstance(old, dict) else {}
    one = previewed(*result, number_or_none(stored.get("score")), number_or_none(stored.get("max_score")) or 0.0)
    return replace(one, edited=source.edited)


def previewed(new: Grade, changed: Changed | None, old: float | None, old_max: float) -> Previewed:
    """Reduce a new grade to its result in a preview.

    Args:
        new: The new grade.
        changed: Its differences from the stored grade.
        old: The stored score.
        old_max: The most points of the stored grade.
    """
    stamp = new.submission
    return Previewed(
        score=Score(stamp.id, stamp.student, old, new.score, old_max, new.max_score),
        graded=new.status == "graded",
        changed=changed,
        counted=counted_attempts(new),
        review=new.review,
    )


def number_or_none(value: object) -> float | None:
    """Return a number of a JSON document; None for anything else."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
