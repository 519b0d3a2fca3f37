"""Tries the recorder before a class is graded: a tiny notebook must leave every kind of fact that the checks read.

One trial serves for as long as nothing changes that could change its result; a failed trial is never remembered.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import platformdirs

from grader.execution import canary
from grader.execution.canary import CANARY_DATASET, canary_notebook, missing_facts
from grader.execution.collect import collect, read_record
from grader.execution.runner import ExecutionRequest, execute
from grader.execution.sandbox.device import Device
from grader.execution.sandbox.isolation import Isolation
from grader.execution.sandbox.layout import python_versions
from grader.execution.sandbox.scratch import scratch_folder
from grader.facts.language import english
from grader.grading.loader import LoadedRubric
from grader.inside.describe.fingerprint import fingerprint
from grader.intake.find import Found, Rejected
from grader.intake.notebook import read_notebook
from grader.intake.recognise import recognise_dialect
from grader.pipeline.code_digest import digest_code, inside_code
from grader.pipeline.setup import Bench
from grader.schema.errors import GraderError, HarnessError, StorageError
from grader.schema.rubric import RunSettings
from grader.store.database import digest_of
from grader.store.files import write_atomically

__all__ = ["DIALECTS", "Dialect", "Place", "check_class", "check_recorder", "dialects_of", "missing_in", "place_of"]

Dialect = Literal["keras3", "keras2"]

DIALECTS: tuple[Dialect, ...] = ("keras3", "keras2")
_KERAS = {"keras3": "keras", "keras2": "tf_keras"}
_PACKAGES = (
    *("tensorflow-cpu", "tensorflow", "keras", "tf-keras", "numpy", "wrapt", "h5py", "matplotlib"),
    *("matplotlib-inline", "ipykernel", "ipython", "pandas", "scikit-learn"),
)
_SECONDS = 600.0
"""Budget of a trial, for a machine that is busy."""
_MEMORY = 4 << 30
_TRAIN, _TEST = 200, 100
_SHOWN = 6
"""Problems that the error names; more are counted."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where notebooks are executed."""

    isolation: Isolation
    device: Device
    python: Path
    threads: int = 1

    def has(self, dialect: Dialect) -> bool:
        """Whether the Keras of a dialect is installed there; without it there is nothing to record."""
        versions = python_versions(self.python, _PACKAGES)
        tensorflow = "tensorflow" in versions or "tensorflow-cpu" in versions
        return tensorflow and _KERAS[dialect].replace("_", "-") in versions


def place_of(bench: Bench) -> Place:
    """Find the place of a bench."""
    device = (bench.devices or (bench.device,))[0]
    return Place(isolation=bench.isolation, device=device, python=bench.python, threads=bench.threads)


def dialects_of(found: Sequence[Found], loaded: LoadedRubric) -> tuple[Dialect, ...]:
    """Find the dialects that the notebooks of a class need.

    Args:
        found: The submissions.
        loaded: The rubric; it may name the dialect.
    """
    if loaded.rubric.run.dialect != "auto":
        return (loaded.rubric.run.dialect,)
    dialects: set[Dialect] = set()
    for one in found:
        if isinstance(one, Rejected) or len(dialects) == len(DIALECTS):
            continue
        # A notebook that cannot be read is judged in its turn.
        with suppress(GraderError):
            dialects.add(recognise_dialect(read_notebook(one.notebook, sha256=one.sha256)).dialect)
    return tuple(sorted(dialects))


def check_class(place: Place, found: Sequence[Found], loaded: LoadedRubric) -> None:
    """Make sure, before a class is graded, that the recorder sees all that the checks read of its notebooks.

    Args:
        place: Where notebooks are executed.
        found: The submissions.
        loaded: The rubric.

    Raises:
        HarnessError: It does not; the message names the hooks.
        SandboxError: The sandbox or the kernel did not start.
    """
    # To find the dialects the notebooks must be read: not where there is nothing to try.
    if not all(_passed(place, dialect) for dialect in DIALECTS if place.has(dialect)):
        check_recorder(place, dialects_of(found, loaded))


def check_recorder(place: Place, dialects: Sequence[Dialect]) -> None:
    """Make sure that the recorder sees all that the checks read, before anything is graded.

    Args:
        place: Where notebooks are executed.
        dialects: That the class needs.

    Raises:
        HarnessError: It does not; the message names the hooks.
        SandboxError: The sandbox or the kernel did not start.
    """
    for dialect in dialects:
        if not place.has(dialect):
            continue
        with _one_at_a_time():
            if _passed(place, dialect):
                continue
            problems = missing_in(place, dialect)
            if problems:
                raise _incomplete(problems, dialect)
            # Without a cache the trial runs each time.
            with suppress(StorageError):
                write_atomically(_folder() / _key(place, dialect), b"")


def missing_in(place: Place, dialect: Dialect) -> tuple[str, ...]:
    """Execute the trial notebook, and find what its record lacks.

    Args:
        place: Where notebooks are executed.
        dialect: Which Keras to try.

    Returns:
        In words, with the hooks concerned; nothing where the recorder sees everything.

    Raises:
        HarnessError: The trial did not come to an end.
        SandboxError: The sandbox or the kernel did not start.
    """
    with scratch_folder() as scratch:
        data = _made_up_data(scratch / "data")
        request = ExecutionRequest(
            notebook=canary_notebook(dialect),
            scratch=scratch / "run",
            isolation=place.isolation,
            settings=RunSettings(time=_SECONDS, fit_time=_SECONDS, memory=_MEMORY, kernel=str(place.python)),
            device=place.device,
            dialect=dialect,
            threads=place.threads,
            data=data,
            datasets=(CANARY_DATASET,),
            graded_dataset=CANARY_DATASET,
        )
        outcome = execute(request)
        run = outcome.run
        if run.status not in {"completed", "cell_error"}:
            msg = f"the recorder's trial notebook did not come to an end: {english(run.reason) or run.status}"
            raise HarnessError(msg, advice="the same command tries again; `grader doctor` tries it alone")
        collect(outcome.out, scratch / "record")
        record = read_record(scratch / "record" / "events.jsonl")
    errors = tuple(f"the trial notebook raised {error.name}: {error.message}"[:400] for error in run.errors)
    return (*errors, *map(english, (*outcome.problems, *record.problems)), *missing_facts(record.events, dialect))


def _incomplete(problems: Sequence[str], dialect: Dialect) -> HarnessError:
    more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    msg = (
        f"nothing was graded: the recorder does not see everything that the checks read of {_KERAS[dialect]}: "
        f"{'; '.join(problems[:_SHOWN])}{more}"
    )
    advice = "`grader doctor` names the versions that the grader is tested with: install them"
    return HarnessError(msg, advice=advice)


def _made_up_data(folder: Path) -> Path:
    """Write a small data set of random images in the layout that the sandbox serves."""
    place = folder / CANARY_DATASET
    place.mkdir(parents=True)
    rng = np.random.default_rng(0)
    prints = []
    for split, rows in (("train", _TRAIN), ("test", _TEST)):
        images = rng.integers(0, 256, (rows, 28, 28), dtype=np.uint8)
        np.save(place / f"x_{split}.npy", images, allow_pickle=False)
        np.save(place / f"y_{split}.npy", (np.arange(rows) % 10).astype(np.uint8), allow_pickle=False)
        prints.append(fingerprint(images))
    np.save(place / "fingerprints.npy", np.concatenate(prints), allow_pickle=False)
    return folder


def _passed(place: Place, dialect: Dialect) -> bool:
    """Whether a trial of the very same kind has passed."""
    return (_folder() / _key(place, dialect)).is_file()


def _key(place: Place, dialect: Dialect) -> str:
    """Digest all that could change a trial's result."""
    own = digest_code((Path(__file__), Path(canary.__file__)))
    versions = python_versions(place.python, _PACKAGES)
    python = str(place.python.resolve())
    return digest_of(own, inside_code(), versions, python, place.isolation.name, place.device.label, dialect)


def _folder() -> Path:
    return platformdirs.user_cache_path("cnn-grader") / "canary-1"


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Let workers of one machine wait for the first one's trial; where no file can be locked, each makes its own."""
    handle = None
    with suppress(OSError):
        _folder().mkdir(parents=True, exist_ok=True)
        handle = os.open(_folder() / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)
