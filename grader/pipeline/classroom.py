"""Many submissions: what the results folder holds before a run, and the run itself."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

from grader.execution.sandbox.capacity import DeviceSlots
from grader.execution.sandbox.scratch import sweep
from grader.grading.grade import outline
from grader.intake.find import Found
from grader.pipeline.canary import check_class, place_of
from grader.pipeline.course import Course
from grader.pipeline.engines import Engine, LocalEngine
from grader.pipeline.publish import publish_class
from grader.pipeline.setup import Bench, Options, attempts_of, warmed
from grader.pipeline.submission import grade_found
from grader.schema.grade import Grade
from grader.schema.progress import Listener
from grader.store.results import ResultsFolder

__all__ = ["at_work", "executions_of", "grade_class", "kept_of_others", "run_class"]


@contextmanager
def at_work(out: ResultsFolder) -> Iterator[None]:
    """Make sure, before anything is executed, that results can be written and that no other grader writes them.

    What graders that were killed left behind is removed: half-written files here, and their folders and programs.

    Raises:
        UsageError: There is a file of that name, or another grader is at work.
        StorageError: The folder cannot be made or written to.
    """
    with out.at_work():
        sweep()
        yield


def kept_of_others(found: Sequence[Found], out: ResultsFolder) -> tuple[str, ...]:
    """Say what a results folder holds of others than these: they stay, but for those whose name one of these has.

    Returns:
        A warning each, in words.
    """
    names = {one.id for one in found}
    others = [name for name in out.submissions() if name not in names]
    replaced = [one.id for one in found if _replaces(one, out.grade_data(one.id), among_others=bool(others))]
    warnings = []
    if others:
        warnings.append(
            f"warning: {out.root} also holds results of {len(others)} that are not among these submissions: "
            f"{_some(others)}; they stay on the class page"
        )
    if replaced:
        warnings.append(
            f"warning: {len(replaced)} of these have the name of another notebook that was graded here before, "
            f"whose results are replaced: {_some(replaced)}; give each section an `--out` of its own"
        )
    return tuple(warnings)


def _replaces(found: Found, kept: Any, *, among_others: bool) -> bool:
    """Tell another student's kept grade from an earlier one of the same student's.

    Of two notebooks with one file name nobody can tell; where results of others lie beside them, they may be of another
    section.
    """
    try:
        student, sha256 = kept["submission"]["student"], kept["submission"]["sha256"]
    except (TypeError, KeyError):
        return False
    if not sha256 or not found.sha256 or sha256 == found.sha256:
        return False
    return among_others or student != found.student


def _some(names: Sequence[str]) -> str:
    most = 5
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def grade_class(
    found: Sequence[Found], course: Course, bench: Bench, out: ResultsFolder, listener: Listener
) -> tuple[Grade, ...]:
    """Grade many submissions on this machine, a few at a time, and write the pages of the class; see `run_class`.

    Raises:
        HarnessError: The recorder does not see all that the checks read; nothing was graded.
    """
    check_class(place_of(bench), found, course.loaded)
    devices = bench.devices or (bench.device,)
    slots = DeviceSlots(devices)
    with warmed(bench, executions_of(len(found), course, bench.options)) as ready:

        def grade_one(one: Found, listen: Listener) -> Grade:
            with slots.lend() as device:
                return outline(grade_found(one, course, replace(ready, device=device), out, listen))

        return run_class(LocalEngine(grade_one, len(devices)), found, course, out, listener)


def run_class(
    engine: Engine, found: Sequence[Found], course: Course, out: ResultsFolder, listener: Listener
) -> tuple[Grade, ...]:
    """Let an engine grade many submissions, and write the pages of the class.

    Returns:
        Outlines of the grades in the order of `found`; whole they are in the results folder.

    Raises:
        StorageError: Results cannot be written.
        KeyboardInterrupt: The person does not want to wait; what ran was ended first, and nothing of it is kept.
    """
    with closing(engine.grades(found, listener)) as grading:
        # Of a whole class only what everybody is told of each is kept in memory.
        grades = {grade.submission.id: outline(grade) for grade in grading}
    publish_class(out, course.loaded.rubric.title, course.ranked_by)
    return tuple(grades[one.id] for one in found)


def executions_of(submissions: int, course: Course, options: Options) -> int:
    """How many executions there are at most."""
    return submissions * attempts_of(course.loaded, options)
