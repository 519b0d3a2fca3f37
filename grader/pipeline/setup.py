"""What execution needs beside the course: a sandbox, devices, threads, warm processes."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from grader.execution.sandbox.capacity import divide, look_at_machine
from grader.execution.sandbox.choice import choose_isolation
from grader.execution.sandbox.device import Device, choose_devices
from grader.execution.sandbox.isolation import Isolation
from grader.execution.sandbox.warm import WarmPool
from grader.grading.loader import LoadedRubric

__all__ = ["Bench", "IsolationChoice", "Options", "attempts_of", "set_up", "warmed"]

IsolationChoice = Literal["auto", "bubblewrap", "container", "none"]

_WARM_PROCESSES = 4
"""Kernels and predictors, of notebooks for Keras 3 and for Keras 2."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line decides, beside paths."""

    isolation: IsolationChoice = "auto"
    device: Literal["auto", "cpu", "gpu"] = "auto"
    jobs: int | None = 1
    """Submissions at the same time; None decides by the machine."""
    seed: int | None = None
    """Instead of the rubric's."""
    attempts: int | None = None
    """Executions of each notebook, instead of the rubric's number."""
    resume: bool = True
    """Whether kept evidence of the same notebook, settings, versions and data is used again."""
    warm: bool | None = None
    """Whether a class's kernels are forked from a process that has imported TensorFlow already; None: where that is
    possible and there are several submissions."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What execution needs beside the course: a sandbox, devices, threads."""

    isolation: Isolation
    device: Device
    threads: int
    """For one notebook."""
    options: Options
    python: Path
    devices: tuple[Device, ...] = ()
    """One for each notebook that runs at the same time; where there are none, one runs on `device`."""
    warm: WarmPool | None = None
    """Where kernels and predictors are forked from; without it each is started cold."""
    notices: list[str] = field(default_factory=list)
    """What went otherwise than asked for without harm to a grade, in words; added to while a class is graded."""


def attempts_of(loaded: LoadedRubric, options: Options) -> int:
    """How many executions of each notebook are asked for: by the command line, else by the rubric."""
    return options.attempts or loaded.rubric.run.attempts


def set_up(loaded: LoadedRubric, options: Options, submissions: int | None = None) -> Bench:
    """Decide how notebooks are executed on this machine, and how many at the same time.

    Args:
        loaded: The rubric.
        options: Of the command line.
        submissions: How many there are to grade, where that is known.

    Raises:
        IsolationRefusedError: No sandbox works here and none was not asked for.
        UsageError: A GPU was asked for and there is none.
    """
    isolation = choose_isolation(options.isolation)
    share = divide(
        look_at_machine(choose_devices(options.device)),
        options.jobs,
        memory_each=loaded.rubric.run.memory,
        submissions=submissions,
        warm=options.warm is not False and (submissions != 1 or attempts_of(loaded, options) > 1),
    )
    return Bench(
        isolation=isolation,
        device=share.devices[0],
        threads=share.threads,
        options=options,
        python=Path(loaded.rubric.run.kernel or sys.executable),
        devices=share.devices,
        notices=list(share.notices),
    )


def _forks(bench: Bench, executions: int) -> bool:
    """Whether warm processes are used: where asked for, else where they are possible and their start pays."""
    if bench.options.warm is not None:
        return bench.options.warm
    if executions > 1 and bench.device.kind == "gpu":
        bench.notices.append("each kernel starts cold: a process that uses a GPU cannot be forked safely")
    return executions > 1 and bench.isolation.name == "bubblewrap" and bench.device.kind == "cpu"


@contextmanager
def warmed(bench: Bench, executions: int) -> Iterator[Bench]:
    """Give a bench its warm processes for as long as a class is graded, if they are used.

    They start when the first kernel is needed. Why one could not be used is added to the bench's notices.

    Args:
        bench: Where the class is graded.
        executions: How many there are at most.
    """
    if not _forks(bench, executions):
        yield bench
        return
    with WarmPool(most=_WARM_PROCESSES) as warm:
        try:
            yield replace(bench, warm=warm)
        finally:
            bench.notices.extend(f"started cold: {reason}" for reason in warm.failures)
