"""Set up executions: sandbox, devices, threads and warm processes."""

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

IsolationChoice = Literal["auto", "bubblewrap", "container", "user", "none"]

_WARM_PROCESSES = 4
"""Kernels and predictors, each for Keras 3 and Keras 2."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the command line, except for paths."""

    isolation: IsolationChoice = "auto"
    device: Literal["auto", "cpu", "gpu"] = "auto"
    jobs: int | None = 1
    """Submissions at the same time; None chooses by the machine."""
    seed: int | None = None
    """Overrides the rubric's seed."""
    attempts: int | None = None
    """Executions of each notebook; overrides the rubric's number."""
    resume: bool = True
    """Whether stored evidence of the same notebook, settings, versions and data is reused."""
    warm: bool | None = None
    """Whether kernels are forked from a process that has already imported TensorFlow. None: if this is possible and
    there are several executions."""
    quick: bool = False
    """Whether the notebook's author gets a first answer within a minute, from a run that cuts trainings short."""


@dataclass(frozen=True, slots=True)
class Bench:
    """The place of executions: sandbox, devices and threads."""

    isolation: Isolation
    device: Device
    threads: int
    """Threads per notebook."""
    options: Options
    python: Path
    devices: tuple[Device, ...] = ()
    """One per notebook that runs at the same time; if empty, one notebook at a time runs on `device`."""
    warm: WarmPool | None = None
    """Warm processes to fork kernels and predictors from; None starts each of them cold."""
    notices: list[str] = field(default_factory=list)
    """Deviations from the options that affect no grade; more are added while a class is graded."""


def attempts_of(loaded: LoadedRubric, options: Options) -> int:
    """Return the requested number of executions of each notebook: by the options, else by the rubric."""
    return options.attempts or loaded.rubric.run.attempts


def set_up(loaded: LoadedRubric, options: Options, submissions: int | None = None) -> Bench:
    """Choose the sandbox and devices on this machine, and the number of parallel notebooks.

    Args:
        loaded: The rubric.
        options: Options of the command line.
        submissions: Number of submissions, if known.

    Raises:
        IsolationRefusedError: No sandbox works here, and the isolation `none` was not given.
        UsageError: A GPU was requested but there is none.
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
    """Whether warm processes are used: if requested, or if they are possible and save time."""
    if bench.options.warm is not None:
        return bench.options.warm
    if executions > 1 and bench.device.kind == "gpu":
        bench.notices.append("each kernel starts cold, because a process that uses a GPU cannot be forked safely")
    return executions > 1 and bench.isolation.name == "bubblewrap" and bench.device.kind == "cpu"


@contextmanager
def warmed(bench: Bench, executions: int) -> Iterator[Bench]:
    """Add warm processes to a bench while a class is graded, if they are used.

    They start when the first kernel is needed. The bench's notices say why one could not be used.

    Args:
        bench: The bench of the class.
        executions: Largest possible number of executions.
    """
    if not _forks(bench, executions):
        yield bench
        return
    with WarmPool(most=_WARM_PROCESSES) as warm:
        try:
            yield replace(bench, warm=warm)
        finally:
            bench.notices.extend(f"started cold: {reason}" for reason in warm.failures)
