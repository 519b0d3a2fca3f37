"""Set up executions: sandbox, devices, threads and warm processes."""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from grader.checks.registry import all_checks
from grader.execution.sandbox.capacity import divide, look_at_machine
from grader.execution.sandbox.choice import choose_isolation
from grader.execution.sandbox.device import Device, choose_devices
from grader.execution.sandbox.isolation import Isolation
from grader.execution.sandbox.warm import WarmPool
from grader.execution.warming import WarmStart
from grader.grading.best_attempt import attempt_seed
from grader.grading.loader import LoadedRubric, measured_datasets
from grader.intake.find import Found, Rejected
from grader.intake.notebook import read_notebook
from grader.intake.recognise import Dialect, recognise_dialect
from grader.schema.errors import GraderError

__all__ = ["Bench", "IsolationChoice", "Options", "attempts_of", "executions_of", "seed_of", "set_up", "warmed"]

IsolationChoice = Literal["auto", "bubblewrap", "container", "user", "none"]

_WARM_PROCESSES = 4
"""Kernels and predictors, each for Keras 3 and Keras 2."""
_KERAS = re.compile(rb"keras|tensorflow")
_MOST_READ = 20
"""Submissions that are read to find one that uses Keras."""


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
    """Whether kernels are forked from a process that has already imported TensorFlow. None: if this is possible, and
    the imports serve several executions or overlap with something else."""
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


def set_up(
    loaded: LoadedRubric,
    options: Options,
    submissions: int | None = None,
    *,
    host: Mapping[str, str] | None = None,
) -> Bench:
    """Choose the sandbox and devices on this machine, and the number of parallel notebooks.

    Args:
        loaded: The rubric.
        options: Options of the command line.
        submissions: Number of submissions, if known.
        host: Environment that limits the choice of GPUs; by default this process's environment.

    Raises:
        IsolationRefusedError: No sandbox works here, and the isolation `none` was not given.
        UsageError: A GPU was requested but there is none.
    """
    isolation = choose_isolation(options.isolation)
    share = divide(
        look_at_machine(choose_devices(options.device, host=host)),
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


def seed_of(loaded: LoadedRubric, options: Options, number: int) -> int:
    """Compute the seed of an attempt, which is a part of its key.

    Args:
        loaded: The rubric, which has a seed.
        options: Options, which may override the seed.
        number: Number of the attempt, from 1.
    """
    return attempt_seed(loaded.rubric.run.seed if options.seed is None else options.seed, number)


def executions_of(submissions: int, loaded: LoadedRubric, options: Options) -> int:
    """Compute the largest possible number of executions."""
    return submissions * attempts_of(loaded, options)


def _forks(bench: Bench, executions: int, *, overlaps: bool) -> bool:
    """Whether warm processes are used: if requested, or if they are possible and save time."""
    if bench.options.warm is not None:
        return bench.options.warm
    if executions > 1 and bench.device.kind == "gpu":
        bench.notices.append("each kernel starts cold, because a process that uses a GPU cannot be forked safely")
    worth = executions > 1 or overlaps
    return worth and bench.isolation.name == "bubblewrap" and bench.device.kind == "cpu"


@contextmanager
def warmed(
    bench: Bench, executions: int, loaded: LoadedRubric | None = None, found: Sequence[Found] = ()
) -> Iterator[Bench]:
    """Add warm processes to a bench while a class is graded, if they are used.

    If the first submissions need Keras, the processes begin to import it at once. Otherwise they start when the first
    kernel is needed. The bench's notices say why one could not be used.

    Args:
        bench: The bench of the class, without warm processes.
        executions: Largest possible number of executions.
        loaded: The rubric, if the submissions are known.
        found: The submissions.
    """
    dialect = None if loaded is None else _first_dialect(found, loaded)
    if not _forks(bench, executions, overlaps=dialect is not None):
        yield bench
        return

    def note(reason: str) -> None:
        bench.notices.append(f"started cold: {reason}")

    with WarmPool(most=_WARM_PROCESSES, on_failure=note) as warm:
        if loaded is not None and dialect is not None:
            _start_of(bench, loaded, dialect).begin(warm)
        yield replace(bench, warm=warm)


def _first_dialect(found: Sequence[Found], loaded: LoadedRubric) -> Dialect | None:
    """Find the dialect of the first submission that uses Keras; None if none of the first ones does."""
    for one in found[:_MOST_READ]:
        # An unreadable notebook is reported when it is graded.
        with suppress(GraderError, OSError):
            if not isinstance(one, Rejected) and _KERAS.search(one.notebook.read_bytes()):
                if loaded.rubric.run.dialect != "auto":
                    return loaded.rubric.run.dialect
                return recognise_dialect(read_notebook(one.notebook, sha256=one.sha256)).dialect
    return None


def _start_of(bench: Bench, loaded: LoadedRubric, dialect: Dialect) -> WarmStart:
    measured = measured_datasets(loaded.rubric, all_checks())
    return WarmStart(
        isolation=bench.isolation,
        python=bench.python,
        dialect=dialect,
        device=bench.device,
        threads=bench.threads,
        seed=seed_of(loaded, bench.options, 1),
        # A quick run predicts nothing.
        predicts=not bench.options.quick and bool(measured or loaded.rubric.tasks),
    )
