"""The parts of `bench/gpu.py`: each one asks a runner for measurements and returns figures.

None of it has run on a GPU. Every part has a time limit, and all of them together take five minutes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from measure import Figure

__all__ = [
    "PARTS",
    "TOTAL_SECONDS",
    "Held",
    "NotMeasuredError",
    "Outcome",
    "Part",
    "Predicted",
    "Runner",
    "Seen",
    "Took",
    "Work",
    "measure",
    "plan",
]

TOTAL_SECONDS = 300.0
"""Time limit of everything."""
_START_SECONDS = 20.0
"""Part of it for the search for GPUs and for the data set."""
_MODELS = 2
"""Models that are predicted together and one by one."""
_MOST_SLOTS = 3
_MOST_LOOKS = 2
"""Devices that a sandbox is looked into from."""
_LIMIT_MIB = 2048
"""Memory limit of the part `memory`."""

Growth = Literal["growth", "all", "limit"]
"""GPU memory of a TensorFlow process: as needed, everything at once, or everything up to a limit."""


class NotMeasuredError(Exception):
    """A measurement failed or ran out of time; the message says why."""


@dataclass(frozen=True)
class Work:
    """Notebooks for one `grader grade`."""

    kind: Literal["light", "real"]
    """`light`: half a second of training; `real`: a convolutional model on all of MNIST."""
    device: Literal["cpu", "gpu"]
    notebooks: int = 1
    jobs: int = 1
    gpus: int = 1
    """Number of visible GPUs or MIG instances."""


@dataclass(frozen=True)
class Took:
    """Time of a `grader grade`."""

    wall: float
    """Wall seconds of the command."""
    notebook: float
    """Mean seconds of a notebook, from `grade.json`."""


@dataclass(frozen=True)
class Held:
    """GPU memory that a training process holds."""

    mib: int
    total_mib: int


@dataclass(frozen=True)
class Seen:
    """GPUs that a notebook sees in its sandbox."""

    tensorflow: int
    """GPUs in TensorFlow."""
    unset: int
    """GPUs in CUDA if the notebook removes `CUDA_VISIBLE_DEVICES`."""
    nodes: tuple[str, ...]
    """Names of the device nodes."""


@dataclass(frozen=True)
class Predicted:
    """Seconds to predict with several models."""

    together: float
    """In one process on the GPU."""
    apart: float
    """In a process for each, on the GPU."""
    on_cpu: float
    """In one process on the CPU."""


class Runner(Protocol):
    """Takes measurements; called by the parts, with the seconds that are left for each call.

    Every method raises `NotMeasuredError`.
    """

    @property
    def gpus(self) -> int:
        """Number of GPUs and MIG instances."""
        ...

    @property
    def slots(self) -> int:
        """Number of notebooks that the grader lets share the first GPU."""
        ...

    def grade(self, works: Sequence[Work], seconds: float) -> list[Took]:
        """Grade works at the same time, each with a command of its own."""
        ...

    def hold(self, way: Growth, limit_mib: int, seconds: float) -> Held:
        """Train a model and look up the GPU memory that the process holds."""
        ...

    def predict(self, models: int, seconds: float) -> Predicted:
        """Predict with several models."""
        ...

    def look(self, gpu: int, seconds: float) -> Seen:
        """Look at the GPUs from a sandbox that has one of them."""
        ...


Clock = Callable[[], float]
"""Seconds that are left for the part."""


def devices(runner: Runner, left: Clock) -> Iterator[Figure]:
    """One light and one real notebook, on the GPU and on the CPU."""
    for kind in ("light", "real"):
        (gpu,) = runner.grade([Work(kind, "gpu")], left())
        (cpu,) = runner.grade([Work(kind, "cpu")], left())
        yield Figure(f"{kind} notebook on the GPU, whole command", gpu.wall, "s")
        yield Figure(f"{kind} notebook on the CPU, whole command", cpu.wall, "s")
        yield Figure(f"{kind} notebook, CPU ÷ GPU, whole command", cpu.wall / gpu.wall, "times")
        yield Figure(f"{kind} notebook, CPU ÷ GPU, the notebook alone", cpu.notebook / gpu.notebook, "times")


def slots(runner: Runner, left: Clock) -> Iterator[Figure]:
    """Real notebooks that share one GPU: throughput of 2 and 3 at a time; and one on each of two GPUs."""
    (alone,) = runner.grade([Work("real", "gpu")], left())
    yield Figure("1 notebook on a GPU", alone.wall, "s")
    for jobs in range(2, min(_MOST_SLOTS, runner.slots) + 1):
        (shared,) = runner.grade([Work("real", "gpu", jobs, jobs)], left())
        yield Figure(f"throughput of {jobs} notebooks on a GPU ÷ of 1", jobs * alone.wall / shared.wall, "times")
        yield Figure(f"a notebook next to {jobs - 1} on its GPU ÷ alone", shared.notebook / alone.notebook, "times")
    if runner.gpus > 1:
        (apart,) = runner.grade([Work("real", "gpu", 2, 2, gpus=2)], left())
        yield Figure("throughput of 2 GPUs or instances ÷ of 1", 2 * alone.wall / apart.wall, "times")


def memory(runner: Runner, left: Clock) -> Iterator[Figure]:
    """GPU memory of a training: as needed (as the grader sets it), without growth, and with a limit."""
    held = {way: runner.hold(way, _LIMIT_MIB, left()) for way in _WAYS}
    names = {"growth": "as needed", "all": "without growth", "limit": f"with a limit of {_LIMIT_MIB} MiB"}
    for way, one in held.items():
        yield Figure(f"GPU memory {names[way]}", one.mib, "MiB", note=f"of {one.total_mib} MiB")
    yield Figure("without growth ÷ as needed", held["all"].mib / max(1, held["growth"].mib), "times")
    yield Figure("the same, share of the GPU that one notebook takes", held["all"].mib / held["all"].total_mib, "")


_WAYS: tuple[Growth, ...] = ("growth", "all", "limit")


def predictions(runner: Runner, left: Clock) -> Iterator[Figure]:
    """Several kept models of one submission in one process, in a process for each, and on the CPU."""
    took = runner.predict(_MODELS, left())
    yield Figure(f"{_MODELS} models in one process", took.together, "s")
    yield Figure(f"{_MODELS} models in a process for each", took.apart, "s")
    yield Figure("a process for each ÷ one process", took.apart / took.together, "times")
    yield Figure("one process, CPU ÷ GPU", took.on_cpu / took.together, "times")


def mixed(runner: Runner, left: Clock) -> Iterator[Figure]:
    """A real notebook on the GPU, next to light ones on the CPU."""
    training, light = Work("real", "gpu"), Work("light", "cpu", notebooks=2)
    (gpu,) = runner.grade([training], left())
    (cpu,) = runner.grade([light], left())
    both = runner.grade([training, light], left())
    yield Figure("GPU notebook next to CPU notebooks ÷ alone", both[0].wall / gpu.wall, "times")
    yield Figure("CPU notebooks next to a GPU notebook ÷ alone", both[1].wall / cpu.wall, "times")
    longest = max(one.wall for one in both)
    yield Figure("one after the other ÷ at the same time", (gpu.wall + cpu.wall) / longest, "times")


def sandbox(runner: Runner, left: Clock) -> Iterator[Figure]:
    """GPUs that a notebook sees in its sandbox, also if it removes `CUDA_VISIBLE_DEVICES`."""
    for gpu in range(min(_MOST_LOOKS, runner.gpus)):
        seen = runner.look(gpu, left())
        note = "device nodes: " + (", ".join(seen.nodes) or "none")
        yield Figure(f"device {gpu}: GPUs in TensorFlow", seen.tensorflow, "", ">= 1", note)
        yield Figure(f"device {gpu}: GPUs in CUDA without the variable", seen.unset, "", "<= 1")


@dataclass(frozen=True)
class Part:
    """One part of the measurement."""

    run: Callable[[Runner, Clock], Iterator[Figure]]
    seconds: float
    """Its share of the total time; what an earlier part did not need is added."""

    @property
    def about(self) -> str:
        """Description of the part."""
        return (self.run.__doc__ or "").strip()


PARTS = {
    "sandbox": Part(sandbox, 20),
    "devices": Part(devices, 85),
    "slots": Part(slots, 70),
    "memory": Part(memory, 35),
    "predictions": Part(predictions, 40),
    "mixed": Part(mixed, 30),
}


def plan(names: Sequence[str] = tuple(PARTS)) -> list[str]:
    """Describe the parts with their time limits."""
    rows = [("start", _START_SECONDS, "The GPUs in TensorFlow, and the data set.")]
    rows += [(name, PARTS[name].seconds, PARTS[name].about) for name in names]
    rows.append(("together", sum(seconds for _, seconds, _ in rows), f"The limit is {TOTAL_SECONDS:.0f} s."))
    return [f"{name:<12} {seconds:>4.0f} s  {about}" for name, seconds, about in rows]


class _Remembering:
    """A runner that takes each measurement of notebooks only once, since several parts need the same ones."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._took: dict[tuple[Work, ...], list[Took]] = {}

    @property
    def gpus(self) -> int:
        return self._runner.gpus

    @property
    def slots(self) -> int:
        return self._runner.slots

    def grade(self, works: Sequence[Work], seconds: float) -> list[Took]:
        key = tuple(works)
        if key not in self._took:
            self._took[key] = self._runner.grade(works, seconds)
        return self._took[key]

    def hold(self, way: Growth, limit_mib: int, seconds: float) -> Held:
        return self._runner.hold(way, limit_mib, seconds)

    def predict(self, models: int, seconds: float) -> Predicted:
        return self._runner.predict(models, seconds)

    def look(self, gpu: int, seconds: float) -> Seen:
        return self._runner.look(gpu, seconds)


@dataclass(frozen=True)
class Outcome:
    """The result of one part."""

    figures: tuple[Figure, ...]
    """Also those before a failure."""
    problem: str = ""
    """Reason why figures are missing; empty if none are."""


def measure(
    runner: Runner,
    names: Sequence[str],
    *,
    now: Clock,
    patience: float = 1.0,
    listener: Callable[[str, Outcome], None] = lambda _name, _outcome: None,
) -> dict[str, Outcome]:
    """Measure parts, each within its time limit.

    Args:
        runner: Takes the measurements.
        names: Names of the parts.
        now: Returns the time in seconds.
        patience: Factor for the time limits.
        listener: Called after each part.

    Returns:
        Part → outcome. A failure of one part does not affect the others.
    """
    outcomes: dict[str, Outcome] = {}
    runner = _Remembering(runner)
    ends = now()
    for name in names:
        ends += patience * PARTS[name].seconds
        outcomes[name] = _measured(PARTS[name], runner, ends, now)
        listener(name, outcomes[name])
    return outcomes


def _measured(part: Part, runner: Runner, ends: float, now: Clock) -> Outcome:
    def left() -> float:
        seconds = ends - now()
        if seconds <= 0:
            message = "out of time"
            raise NotMeasuredError(message)
        return seconds

    figures: list[Figure] = []
    try:
        figures.extend(part.run(runner, left))
    except NotMeasuredError as error:
        return Outcome(tuple(figures), str(error))
    return Outcome(tuple(figures))
