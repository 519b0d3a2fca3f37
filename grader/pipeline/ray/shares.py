"""Choose the resources and the order of a run on many machines, without side effects."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from grader.grading.loader import LoadedRubric
from grader.pipeline.canary import Dialect
from grader.pipeline.course_folder import Assignment
from grader.pipeline.setup import Options
from grader.schema.errors import UsageError
from grader.schema.evidence import Evidence
from grader.schema.judgement import Judgement

__all__ = ["COPIES", "SIGN", "Machine", "Order", "Share", "share_of"]

SIGN, COPIES = ".ray-", ".handed-in-"
"""Prefixes of temporary files in the results folder; the run's name follows."""
_FRACTION = 10_000
"""Ray's resolution of fractional GPUs."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine of the cluster."""

    id: str
    name: str
    cpus: float
    gpus: float
    memory: float = 0
    """Bytes that Ray can assign; 0 if unknown."""


@dataclass(frozen=True, slots=True)
class Share:
    """The resources of one submission."""

    cpus: int
    """Number of CPUs, and of threads for trainings."""
    gpus: float
    """0 on the CPU; a fraction if several submissions share a GPU."""
    memory: int = 0
    """Bytes; Ray assigns only as many submissions to a machine as its memory allows."""


def share_of(
    machines: Sequence[Machine], jobs: int | None, device: Literal["auto", "cpu", "gpu"], memory: int = 0
) -> Share:
    """Divide the smallest usable machine by the number of submissions at the same time.

    Larger machines then run more of them, and every submission fits on every machine.

    Args:
        machines: The machines of the cluster.
        jobs: Submissions at the same time on one machine; None gives each two CPUs, or a GPU.
        device: Device for trainings; `auto` uses only machines with GPUs, if there are any.
        memory: Bytes that one submission may use.

    Raises:
        UsageError: No machine has enough resources.
    """
    with_gpu = [machine for machine in machines if machine.cpus >= 1 and machine.gpus >= 1]
    if device == "gpu" and not with_gpu:
        msg = "no machine of the cluster has a GPU that Ray can see"
        raise UsageError(msg, where="--device gpu", advice="start Ray with `--num-gpus`, or give `--device cpu`")
    use_gpu = bool(with_gpu) and device != "cpu"
    usable = with_gpu if use_gpu else [machine for machine in machines if machine.cpus >= 1]
    if not usable:
        msg = "no machine of the cluster has a free CPU"
        raise UsageError(msg, where="--engine ray", advice="start at least one worker: `ray start --address=…`")
    # A machine with less memory than one submission may use still runs one, because most use less.
    memory = int(min([memory, *(machine.memory for machine in usable)]))
    most_cpus = int(min(machine.cpus for machine in usable))
    if not use_gpu:
        cpus = min(most_cpus, 2) if jobs is None else most_cpus // max(1, jobs)
        return Share(cpus=max(1, cpus), gpus=0, memory=memory)
    most_gpus = int(min(machine.gpus for machine in usable))
    jobs = most_gpus if jobs is None else max(1, jobs)
    # Several submissions must fit on each GPU: of 4 submissions on 3 GPUs, one GPU runs 2.
    part = math.floor(_FRACTION / math.ceil(jobs / most_gpus)) / _FRACTION
    return Share(cpus=max(1, most_cpus // jobs), gpus=part, memory=memory)


@dataclass(frozen=True, slots=True)
class Order:
    """The job that every worker of a run gets. It has no arrays: each worker loads the course's data sets itself."""

    name: str
    """Name of the run, and of the file by which a worker recognizes the results folder."""
    out: Path
    """Absolute path of the results folder."""
    loaded: LoadedRubric
    reference: Evidence | None
    data: Mapping[str, str]
    """Data set → SHA-256 of its arrays."""
    options: Options
    """Options with the chosen device."""
    share: Share
    executions: int
    """Largest possible number of executions of the run."""
    code: str
    """Digest of the grader's code."""
    dialects: tuple[Dialect, ...] = ()
    """Dialects for which each machine tests the recorder before anything is graded."""
    judgements: Mapping[str, tuple[Judgement, ...]] = field(default_factory=dict)
    """Judgements of people, by submission."""
    assignment: Assignment | None = None
    """The assignment of the course folder, with its roster and times."""

    @property
    def sign(self) -> Path:
        """The file in the results folder that identifies this run."""
        return self.out / f"{SIGN}{self.name}"

    @property
    def copies(self) -> Path:
        """The shared folder with copies of the submissions."""
        return self.out / f"{COPIES}{self.name}"
