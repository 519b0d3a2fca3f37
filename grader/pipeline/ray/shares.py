"""What is decided before a run on many machines, apart from what is done."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from grader.grading.loader import LoadedRubric
from grader.pipeline.canary import Dialect
from grader.pipeline.setup import Options
from grader.schema.errors import UsageError
from grader.schema.evidence import Evidence

__all__ = ["COPIES", "SIGN", "Machine", "Order", "Share", "share_of"]

SIGN, COPIES = ".ray-", ".handed-in-"
"""What only a run itself needs in the results folder; the run's name follows."""
_FRACTION = 10_000
"""Ray counts GPUs in parts of this size."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine of the cluster."""

    id: str
    name: str
    cpus: float
    gpus: float
    memory: float = 0
    """Bytes that Ray gives out; 0 where it does not say."""


@dataclass(frozen=True, slots=True)
class Share:
    """The part of a machine that one submission is given."""

    cpus: int
    """Also the threads it trains with."""
    gpus: float
    """0 on the CPU; a fraction where several submissions share one GPU."""
    memory: int = 0
    """Bytes; Ray puts no more submissions onto a machine than its memory allows."""


def share_of(
    machines: Sequence[Machine], jobs: int | None, device: Literal["auto", "cpu", "gpu"], memory: int = 0
) -> Share:
    """Divide the smallest machine that can be used by the submissions that it shall do at the same time.

    Larger machines then do more of them, and none waits for a machine that is not there.

    Args:
        machines: Of the cluster.
        jobs: Submissions at the same time on one machine; None gives each two CPUs, or a GPU.
        device: Where notebooks train; `auto` takes GPUs where any machine has one, and then only such machines.
        memory: Bytes that one submission may use.

    Raises:
        UsageError: No machine has what is needed.
    """
    with_gpu = [machine for machine in machines if machine.cpus >= 1 and machine.gpus >= 1]
    if device == "gpu" and not with_gpu:
        msg = "no machine of the cluster has a GPU that Ray knows of"
        raise UsageError(msg, where="--device gpu", advice="start its Ray with `--num-gpus`, or say `--device cpu`")
    use_gpu = bool(with_gpu) and device != "cpu"
    usable = with_gpu if use_gpu else [machine for machine in machines if machine.cpus >= 1]
    if not usable:
        msg = "no machine of the cluster has a CPU to give"
        raise UsageError(msg, where="--engine ray", advice="start at least one worker: `ray start --address=…`")
    # A machine too small for one submission by this count still does one: most use less than they may.
    memory = int(min([memory, *(machine.memory for machine in usable)]))
    most_cpus = int(min(machine.cpus for machine in usable))
    if not use_gpu:
        cpus = min(most_cpus, 2) if jobs is None else most_cpus // max(1, jobs)
        return Share(cpus=max(1, cpus), gpus=0, memory=memory)
    most_gpus = int(min(machine.gpus for machine in usable))
    jobs = most_gpus if jobs is None else max(1, jobs)
    # Several must fit onto each GPU: 4 submissions on 3 GPUs are 2 on one of them.
    part = math.floor(_FRACTION / math.ceil(jobs / most_gpus)) / _FRACTION
    return Share(cpus=max(1, most_cpus // jobs), gpus=part, memory=memory)


@dataclass(frozen=True, slots=True)
class Order:
    """All that a worker must know to grade as any other would; the course's arrays it loads itself."""

    name: str
    """Names this run of the grader, and the file in the results folder by which a worker knows that it sees it."""
    out: Path
    """The results folder, by its absolute path."""
    loaded: LoadedRubric
    reference: Evidence | None
    data: Mapping[str, str]
    """Data set → SHA-256 of its arrays."""
    options: Options
    """With the device decided."""
    share: Share
    executions: int
    """How many there are in all, at most."""
    code: str
    """Digest of the grader's own code."""
    dialects: tuple[Dialect, ...] = ()
    """The dialects for which each machine tries the recorder before anything is graded."""

    @property
    def sign(self) -> Path:
        """The file in the results folder that this run is known by."""
        return self.out / f"{SIGN}{self.name}"

    @property
    def copies(self) -> Path:
        """Where the submissions are for every machine to see."""
        return self.out / f"{COPIES}{self.name}"
