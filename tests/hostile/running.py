"""Grade the whole corpus as one class, with the real command, and collect what came of it."""

import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.hostile.corpus import Written
from tests.hostile.course import Course, make_course
from tests.hostile.expected import Combination
from tests.hostile.other_user import USER_ID, as_ordinary_user, give_to
from tests.support.waiting import until

__all__ = ["ClassRun", "as_user", "graded_class"]

_LIMIT_SECONDS = 1500


@dataclass(frozen=True)
class ClassRun:
    """A class that was graded.

    Attributes:
        names: The samples.
        combination: How kernels started, and who graded.
        out: The results folder.
        said: What the command printed, both streams.
        code: Its exit code.
        harm: What was reached or changed on the machine.
        seconds: How long the command took.
    """

    course: Course
    names: tuple[str, ...]
    combination: Combination
    out: Path
    said: str
    code: int
    harm: tuple[str, ...]
    seconds: float


@contextmanager
def graded_class(
    samples: Iterable[Written], folder: Path, combination: Combination, *, jobs: int = 2, isolation: str = "bubblewrap"
) -> Iterator[ClassRun]:
    """Write the samples as the submissions of a class, and grade it.

    Args:
        samples: The samples.
        folder: An empty folder; an ordinary user must be able to enter it.
        combination: Whether kernels are forked, and who grades.
        jobs: Submissions at a time.
        isolation: The sandbox.

    Raises:
        OSError: This process cannot become that user.
    """
    start, user = combination.split("-")
    members = tuple(samples)
    with make_course(folder / "course") as course, as_user(user) as prefix:
        submissions = folder / "class"
        for written in members:
            own = submissions / written.sample.name
            own.mkdir(parents=True)
            written.write(own, course.traps)
        give_to(folder, prefix)
        out = folder / "results"
        options = ("--rubric", str(course.rubric), "--out", str(out), "--jobs", str(jobs), "--isolation", isolation)
        words = ("grade", str(submissions), *options, "--device", "cpu", f"--{'' if start == 'warm' else 'no-'}warm")
        began = time.monotonic()
        done = subprocess.run(
            [*prefix, sys.executable, "-m", "grader", *words],
            cwd=folder,
            env=course.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_LIMIT_SECONDS,
            check=False,
        )
        seconds = time.monotonic() - began
        left = _lasting(course.traps["token"])
        harm = (*course.harm(), *([f"processes are left: {left}"] if left else []))
        names = tuple(written.sample.name for written in members)
        yield ClassRun(
            course,
            names,
            combination,
            out,
            done.stdout.decode(errors="surrogateescape"),
            done.returncode,
            harm,
            seconds,
        )


@contextmanager
def as_user(user: str) -> Iterator[tuple[str, ...]]:
    """Find the words that run a command as root or as an ordinary user."""
    if user == "user":
        with as_ordinary_user() as prefix:
            yield prefix
    else:
        yield ()


def _lasting(token: str) -> list[int]:
    """List the processes that are left a while after the end; some are still ending when the command has ended."""
    with suppress(TimeoutError):
        until(lambda: not list(_left(token)), every=0.2)
    return sorted(_left(token))


def _left(token: str) -> Iterator[int]:
    """List processes of the class: its token is in their command lines, or they are the ordinary user's.

    A process that has ended and that nobody has waited for yet is none.
    """
    for process in psutil.process_iter(["uids", "cmdline", "status"]):
        uids, words = process.info["uids"], process.info["cmdline"] or []
        if process.info["status"] == psutil.STATUS_ZOMBIE:
            continue
        if any(token in word for word in words) or (uids is not None and uids.real == USER_ID):
            yield process.pid
