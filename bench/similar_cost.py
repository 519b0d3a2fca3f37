"""Measure the comparison of a class, as a ratio to reading its evidence."""

import random
import statistics
import time
from pathlib import Path

from grader.pipeline.similarity import compare_results
from grader.store.results import ResultsFolder

__all__ = ["add_own_code", "measure_similar"]

_CELLS, _LINES = 10, 14
_WORDS = ("Conv2D", "Dense", "fit", "plot", "predict", "range", "reshape", "scatter", "sum", "title", "zip")


def add_own_code(folder: Path) -> float:
    """Add random code to each submission, so that the copies in a large class differ like the work of many people.

    Args:
        folder: A results folder.

    Returns:
        Mean size of a submission's code, in kB.
    """
    out, sizes = ResultsFolder(folder), []
    for name in out.submissions():
        evidence = out.read_evidence(name)
        if evidence is None:
            continue
        chance = random.Random(name)  # noqa: S311 - no secret
        new = {
            cell.index: cell.model_copy(update={"source": f"{cell.source}\n{_code(chance)}"})
            for cell in evidence.cells[:_CELLS]
            if cell.kind == "code"
        }
        cells = tuple(new.get(cell.index, cell) for cell in evidence.cells)
        out.write_evidence(name, evidence.model_copy(update={"cells": cells}))
        sizes.append(sum(len(cell.source) for cell in cells if cell.kind == "code") / 1000)
    return statistics.mean(sizes)


def _code(chance: random.Random) -> str:
    return "\n".join(
        f"v{chance.randrange(9)} = {chance.choice(_WORDS)}({chance.choice(_WORDS)}, {chance.randrange(99)}, "
        f"key{chance.randrange(5)}=v{chance.randrange(9)}[{chance.randrange(9)}:]) {chance.choice('+-*/')} 2"
        for _ in range(_LINES)
    )


def measure_similar(folder: Path) -> tuple[float, float]:
    """Compare the submissions of a class once, since a second comparison would find tokens in caches.

    Args:
        folder: A results folder.

    Returns:
        The processor seconds of the comparison with reading, and those of reading alone.
    """
    out = ResultsFolder(folder)
    start = time.process_time()
    for name in out.submissions():
        out.read_evidence(name)
    middle = time.process_time()
    compare_results(out)
    return time.process_time() - middle, middle - start
