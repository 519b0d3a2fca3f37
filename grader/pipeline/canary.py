"""Test the recorder before a class is graded: a small notebook must produce all kinds of facts that the checks read.

A passed trial is valid until something changes that could change its result. A failed trial is repeated.
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
from grader.facts.file_modes import sandbox_mode
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
"""Budget of a trial on a busy machine."""
_MEMORY = 4 << 30
_TRAIN, _TEST = 200, 100
_SHOWN = 6
"""Most problems in the error; others are counted."""


@dataclass(frozen=True, slots=True)
class Place:
    """The place of executions."""

    isolation: Isolation
    device: Device
    python: Path
    threads: int = 1

    def has(self, dialect: Dialect) -> bool:
        """Whether the Keras of a dialect is installed; without it there is nothing to record."""
        versions = python_versions(self.python, _PACKAGES)
        tensorflow = "tensorflow" in versions or "tensorflow-cpu" in versions
        return tensorflow and _KERAS[dialect].replace("_", "-") in versions


def place_of(bench: Bench) -> Place:
    """Return the place of a bench."""
    device = (bench.devices or (bench.device,))[0]
    return Place(isolation=bench.isolation, device=device, python=bench.python, threads=bench.threads)


def dialects_of(found: Sequence[Found], loaded: LoadedRubric) -> tuple[Dialect, ...]:
    """Find the dialects that the notebooks of a class need.

    Args:
        found: The submissions.
        loaded: The rubric, which may set the dialect.
    """
    if loaded.rubric.run.dialect != "auto":
        return (loaded.rubric.run.dialect,)
    dialects: set[Dialect] = set()
    for one in found:
        if isinstance(one, Rejected) or len(dialects) == len(DIALECTS):
            continue
        # An unreadable notebook is reported when it is graded.
        with suppress(GraderError):
            dialects.add(recognise_dialect(read_notebook(one.notebook, sha256=one.sha256)).dialect)
    return tuple(sorted(dialects))


def check_class(place: Place, found: Sequence[Found], loaded: LoadedRubric) -> None:
    """Check, before a class is graded, that the recorder finds all facts that the checks read.

    Args:
        place: The place of executions.
        found: The submissions.
        loaded: The rubric.

    Raises:
        HarnessError: Facts are missing; the message names the hooks.
        SandboxError: The sandbox or the kernel did not start.
    """
    # Finding the dialects means reading all notebooks; skip it if all trials have passed.
    if not all(_passed(place, dialect) for dialect in DIALECTS if place.has(dialect)):
        check_recorder(place, dialects_of(found, loaded))


def check_recorder(place: Place, dialects: Sequence[Dialect]) -> None:
    """Check that the recorder finds all facts that the checks read.

    Args:
        place: The place of executions.
        dialects: The dialects of the class.

    Raises:
        HarnessError: Facts are missing; the message names the hooks.
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
            # Without a cache folder the trial runs each time.
            with suppress(StorageError):
                write_atomically(_folder() / _key(place, dialect), b"")


def missing_in(place: Place, dialect: Dialect) -> tuple[str, ...]:
    """Execute the trial notebook, and find the facts that are missing from its record.

    Args:
        place: The place of executions.
        dialect: The Keras to try.

    Returns:
        Descriptions with the hooks; empty if nothing is missing.

    Raises:
        HarnessError: The trial did not complete.
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
            msg = f"the trial notebook of the recorder did not complete: {english(run.reason) or run.status}"
            raise HarnessError(msg, advice="the same command tries again; `grader doctor` runs only the trial")
        collect(outcome.out, scratch / "record")
        record = read_record(scratch / "record" / "events.jsonl")
    errors = tuple(f"the trial notebook raised {error.name}: {error.message}"[:400] for error in run.errors)
    return (*errors, *map(english, (*outcome.problems, *record.problems)), *missing_facts(record.events, dialect))


def _incomplete(problems: Sequence[str], dialect: Dialect) -> HarnessError:
    more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    msg = (
        f"nothing was graded, because the recorder misses facts of {_KERAS[dialect]} that the checks read: "
        f"{'; '.join(problems[:_SHOWN])}{more}"
    )
    advice = "install the tested versions that `grader doctor` names"
    return HarnessError(msg, advice=advice)


def _made_up_data(folder: Path) -> Path:
    """Write a small data set of random images in the sandbox's layout."""
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
    for path in (folder, *folder.rglob("*")):
        path.chmod(sandbox_mode(folder=path.is_dir()))
    return folder


def _passed(place: Place, dialect: Dialect) -> bool:
    """Whether an identical trial has passed."""
    return (_folder() / _key(place, dialect)).is_file()


def _key(place: Place, dialect: Dialect) -> str:
    """Digest everything that could change a trial's result."""
    own = digest_code((Path(__file__), Path(canary.__file__)))
    versions = python_versions(place.python, _PACKAGES)
    python = str(place.python.resolve())
    return digest_of(own, inside_code(), versions, python, place.isolation.name, place.device.label, dialect)


def _folder() -> Path:
    return platformdirs.user_cache_path("cnn-grader") / "canary-1"


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Let the workers of a machine wait for the first trial; without a lock file each runs its own."""
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
