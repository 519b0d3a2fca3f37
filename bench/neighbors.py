"""Measure how much a hostile notebook slows an honest one that runs at the same time.

The hostile notebook starts forty processes that spin, each in a session of its own. Both notebooks have a share of one
core. The honest one runs alone and next to the hostile one, in pairs.
"""

import contextlib
import statistics
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from nbformat.v4 import new_code_cell, new_notebook

from grader.execution.runner import ExecutionOutcome, ExecutionRequest, Progress, execute
from grader.execution.sandbox.choice import choose_isolation
from grader.execution.sandbox.scratch import scratch_folder
from grader.schema.rubric import RunSettings

__all__ = ["Neighbors", "measure_neighbors"]

HONEST = """\
import time
wall, used, count = time.perf_counter(), time.process_time(), 0
while time.process_time() - used < {seconds}:
    count += 1
print("WALL", time.perf_counter() - wall)
"""
HOSTILE = """\
import os, time
for _ in range({processes}):
    if os.fork() == 0:
        os.setsid()
        while True:
            pass
time.sleep(600)
"""
_SPINNERS = 40
_LONGEST = 300.0
"""Time limit of each notebook in seconds."""
_SPREAD_SECONDS = 3.0
"""Time for the spinning processes to start and for the grader to notice them."""


class Neighbors(NamedTuple):
    """What was measured."""

    alone: float
    """Median wall seconds of the honest notebook alone."""
    ratios: tuple[float, ...]
    """Wall time next to the hostile notebook, divided by that alone, for each pair."""
    limits: str
    """`cgroup` or `polled`: how the shares were enforced."""

    @property
    def ratio(self) -> float:
        """The median of the ratios."""
        return statistics.median(self.ratios)


class _StoppedError(Exception):
    """The hostile notebook is no longer needed."""


def measure_neighbors(pairs: int, seconds: float, say: Callable[[str], None]) -> Neighbors:
    """Run an honest notebook alone and next to a hostile one, in changing order.

    Args:
        pairs: Number of pairs.
        seconds: Processor seconds of the honest notebook.
        say: Called with the progress.
    """
    alone: list[float] = []
    ratios: list[float] = []
    limits = ""
    for pair in range(pairs):
        walls: dict[bool, float] = {}
        for hostile in (False, True) if pair % 2 == 0 else (True, False):
            with _spinning() if hostile else contextlib.nullcontext():
                walls[hostile], limits = _honest(seconds)
        alone.append(walls[False])
        ratios.append(walls[True] / walls[False])
        say(f"{pair + 1} of {pairs}: {walls[False]:.2f} s alone, {walls[True]:.2f} s next to {_SPINNERS} processes")
    return Neighbors(statistics.median(alone), tuple(ratios), limits)


def _honest(seconds: float) -> tuple[float, str]:
    outcome = _run(HONEST.format(seconds=seconds))
    output = "".join(one.get("text", "") for cell in outcome.notebook.cells for one in cell.outputs)
    if outcome.run.status != "completed":
        msg = f"not measured: {outcome.run.reason}"
        raise SystemExit(msg)
    return float(output.partition("WALL ")[2]), outcome.run.limits or ""


def _run(code: str, listener: Callable[[Progress], None] = lambda _: None) -> ExecutionOutcome:
    with scratch_folder() as folder:
        return execute(_request(code, folder), listener)


def _request(code: str, folder: Path) -> ExecutionRequest:
    return ExecutionRequest(
        notebook=new_notebook(cells=[new_code_cell(code)]),
        scratch=folder / "run",
        isolation=choose_isolation("auto"),
        settings=RunSettings(time=_LONGEST),
        threads=1,
    )


@contextlib.contextmanager
def _spinning() -> Iterator[None]:
    """Run the hostile notebook within the block."""
    started, stop = threading.Event(), threading.Event()

    def listen(progress: Progress) -> None:
        if progress.kind in {"cell", "running"}:
            started.set()
        if stop.is_set():
            raise _StoppedError

    def run() -> None:
        with contextlib.suppress(_StoppedError):
            _run(HOSTILE.format(processes=_SPINNERS), listen)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        started.wait(_LONGEST)
        stop.wait(_SPREAD_SECONDS)
        yield
    finally:
        stop.set()
        thread.join()
