"""Grade many submissions, and check the results folder before."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

from grader.execution.sandbox.capacity import DeviceSlots
from grader.execution.sandbox.scratch import sweep
from grader.facts.language import english
from grader.grading.grade import Outlines, outline
from grader.intake.find import Found
from grader.pipeline.canary import check_class, place_of
from grader.pipeline.course import Course
from grader.pipeline.engines import Engine, LocalEngine
from grader.pipeline.judgements import judged_course
from grader.pipeline.publish import publish_class
from grader.pipeline.setup import Bench
from grader.pipeline.submission import grade_found
from grader.schema.grade import Grade
from grader.schema.message import say_count
from grader.schema.progress import Listener
from grader.store.results import ResultsFolder

__all__ = ["at_work", "grade_class", "kept_of_others", "run_class"]


@contextmanager
def at_work(out: ResultsFolder) -> Iterator[None]:
    """Lock the results folder, and check that it can be written, before anything is executed.

    Also remove the remains of killed graders: incomplete files, temporary folders and processes.

    Raises:
        UsageError: A file has this name, or another grader uses the folder.
        StorageError: The folder cannot be created or written to.
    """
    with out.at_work():
        sweep()
        yield


def kept_of_others(found: Sequence[Found], out: ResultsFolder) -> tuple[str, ...]:
    """Warn about results of other submissions in a results folder, and about results that will be replaced.

    Returns:
        One text per warning.
    """
    names = {one.id for one in found}
    others = [name for name in out.submissions() if name not in names]
    replaced = [one.id for one in found if _replaces(one, out.grade_data(one.id), among_others=bool(others))]
    warnings = []
    if others:
        warnings.append(
            say_count(
                "warning: {folder} also has results of {count:number} other submission: {names}; "
                "it stays on the class page",
                "warning: {folder} also has results of {count:number} other submissions: {names}; "
                "they stay on the class page",
                len(others),
                folder=str(out.root),
                names=_some(others),
            )
        )
    if replaced:
        warnings.append(
            say_count(
                "warning: the results of {count:number} earlier notebook are replaced, because one of these has its "
                "name: {names}; use a separate {option:code} for each section",
                "warning: the results of {count:number} earlier notebooks are replaced, because some of these have "
                "their names: {names}; use a separate {option:code} for each section",
                len(replaced),
                names=_some(replaced),
                option="--out",
            )
        )
    return tuple(map(english, warnings))


def _replaces(found: Found, kept: Any, *, among_others: bool) -> bool:
    """Whether a stored grade with the same name belongs to another student, instead of an earlier notebook.

    For equal file names this is unknown. If the folder also has results of other submissions, they may belong to
    another section.
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
    """Grade many submissions on this machine in parallel, and write the pages of the class; see `run_class`.

    Args:
        found: The submissions.
        course: The course.
        bench: The bench of the class, with warm processes if they are used; see `warmed`.
        out: Folder for the results.
        listener: Receives each step of each submission.

    Raises:
        HarnessError: The recorder misses facts that the checks read; nothing was graded.
        UsageError: The file of judgements is missing or wrong; nothing was graded.
    """
    course = judged_course(course, out)
    check_class(place_of(bench), found, course.loaded)
    devices = bench.devices or (bench.device,)
    slots = DeviceSlots(devices)

    def grade_one(one: Found, listen: Listener) -> Grade:
        with slots.lend() as device:
            return outline(grade_found(one, course, replace(bench, device=device), out, listen))

    return run_class(LocalEngine(grade_one, len(devices)), found, course, out, listener)


def run_class(
    engine: Engine, found: Sequence[Found], course: Course, out: ResultsFolder, listener: Listener
) -> tuple[Grade, ...]:
    """Let an engine grade many submissions, and write the pages of the class.

    Returns:
        Summaries of the grades in the order of `found`; the results folder has the complete grades.

    Raises:
        StorageError: Results cannot be written.
        KeyboardInterrupt: The user stopped the run; running submissions are ended first and not stored.
    """
    with closing(engine.grades(found, listener)) as grading:
        # Keep only grade summaries in memory.
        outlines = Outlines()
        grades = {grade.submission.id: outlines.of(grade) for grade in grading}
    publish_class(course, out)
    return tuple(grades[one.id] for one in found)
