"""What a notebook prints, beside what it did."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from grader.checks.registry import diagnostic
from grader.checks.support.no_model import uses_torch
from grader.checks.support.params import Params, Part
from grader.checks.support.typed_numbers import TypedNumbers, typed_texts
from grader.facts.case import Case
from grader.facts.metrics import is_accuracy
from grader.facts.wording import percent
from grader.schema.base import spoken_cell
from grader.schema.evidence import CellFact, Evidence
from grader.schema.grade import Diagnostic

__all__ = ["PrintedAccuracyContradictedParams", "contradicted_accuracy", "printed_accuracies"]

_PRINTED = re.compile(
    r"\bacc(?:uracy)?\b[^\d\n%]{0,30}?(?<![\d.])(?:(?P<percent>\d{1,3}(?:\.\d+)?)\s*%|(?P<part>0?\.\d{2,}|1\.0+))(?![\d.]*\d)",
    re.IGNORECASE,
)
_PROGRESS = re.compile(r"/step|\bETA\b|━|^\s*Epoch\s+\d+|^\s*\d+/\d+\b|\bloss\s*:", re.MULTILINE)
_LIMITED = re.compile(
    r"\b(?:threshold|target|goal|aim|wanted|required|at least|baseline|best possible)\b", re.IGNORECASE
)
_ROUNDED = 0.0005
"""A typed number may be rounded when it is printed."""


class PrintedAccuracyContradictedParams(Params):
    """Parameters of `printed-accuracy-contradicted`."""

    margin: Part = 0.005
    """How far a printed accuracy may exceed the highest recorded one. Rounding and another run of the same code explain
    less than half a percentage point."""


@diagnostic("printed-accuracy-contradicted")
def contradicted_accuracy(case: Case, parameters: PrintedAccuracyContradictedParams) -> tuple[Diagnostic, ...]:
    """The notebook prints an accuracy that the record does not bear out.

    What it does:
        Reads numbers that are printed as an accuracy. Where nothing was trained and nothing evaluated, every such
        number is without ground; otherwise one that lies above everything the trainings, evaluations and the grader's
        own test came to. Once a network was asked for predictions, code may have computed any accuracy from them (on a
        few images, of one class, of an average): then a number only counts if it was typed into the code that prints
        it. Progress bars are left out, and so are notebooks whose trainings could not be recorded.

    Why it matters:
        A printed number is a claim. Readers rely on it being what the code beside it computed.

    Example:
        `print("accuracy: 0.995")` in a notebook without a training.
    """
    evidence = case.evidence
    if uses_torch(evidence) is not None or any(f.kind == "custom_loop" and not f.history for f in evidence.fits):
        return ()
    known = list(_known(evidence))
    if not known and (evidence.fits or evidence.calls or evidence.predictions or evidence.evaluations):
        return ()
    ceiling = max(known, default=None)
    notes = []
    typed: TypedNumbers | None = None
    asked = _first_asked(evidence)
    for cell in evidence.cells:
        above = {v for v in printed_accuracies(cell) if ceiling is None or v > ceiling + parameters.margin}
        if above and asked is not None and asked <= cell.index:
            typed = typed or TypedNumbers(evidence.cells)
            above = _typed(typed, cell, above)
        if not above:
            continue
        value = max(above)
        if ceiling is None:
            against = "but no network was trained or evaluated in this notebook"
        else:
            against = f"but the highest accuracy that any training, evaluation or test came to is {percent(ceiling)}"
        notes.append(
            Diagnostic(
                id="printed-accuracy-contradicted",
                title="A printed accuracy contradicts the record",
                cell=cell.index,
                message=f"{spoken_cell(cell.index).capitalize()} prints an accuracy of {percent(value)}, {against}.",
                advice=(
                    "Print what the code computed, for instance the result of `model.evaluate`. The grade rests on the "
                    "network itself, which is tested outside the notebook."
                ),
            )
        )
    return tuple(notes)


def printed_accuracies(cell: CellFact) -> tuple[float, ...]:
    """Numbers that a cell printed as an accuracy, as parts of 1.

    Args:
        cell: A cell; only the output of code counts.
    """
    return _accuracies(cell.output) if cell.kind == "code" else ()


def _accuracies(text: str) -> tuple[float, ...]:
    found = []
    for line in text.splitlines():
        if _PROGRESS.search(line) or _LIMITED.search(line):
            continue
        for match in _PRINTED.finditer(line):
            value = float(match["percent"]) / 100 if match["percent"] else float(match["part"])
            if 0 < value <= 1:
                found.append(value)
    return tuple(found)


def _first_asked(evidence: Evidence) -> int | None:
    """From which cell on code could have computed an accuracy that the record does not hold, from a network's outputs.

    Returns:
        The cell; -1 where it is not known, and None where there is none.
    """
    # What a callback of the student's own does while Keras trains is not recorded.
    watched = [fit.cell for fit in evidence.fits if any(callback.custom for callback in fit.callbacks)]
    asked = [*(p.cell for p in evidence.predictions), *(c.cell for c in evidence.calls), *watched]
    return min((-1 if place is None else place for place in asked), default=None)


def _typed(typed: TypedNumbers, cell: CellFact, values: set[float]) -> set[float]:
    """Those of some printed accuracies that stand in the code as a number or within a text."""
    found = values & {value for text in typed_texts(cell) for value in _accuracies(text)}
    groups = typed.printed(cell) if found != values else ()
    return found | {v for v in values - found if any(_stands(group, v) or _stands(group, v, 100) for group in groups)}


def _stands(numbers: Sequence[float], value: float, scale: int = 1) -> bool:
    """Whether a value, or a multiple of it, is among numbers in ascending order."""
    # Of numbers on both sides the nearest ones say it for all.
    place = bisect_left(numbers, value * scale)
    return any(abs(number / scale - value) <= _ROUNDED for number in numbers[max(place - 1, 0) : place + 1])


def _known(evidence: Evidence) -> Iterator[float]:
    for fit in evidence.fits:
        for name, values in fit.history.items():
            if is_accuracy(name):
                yield from (value for value in values if value == value)  # noqa: PLR0124 - not-a-number is left out
    for evaluation in evidence.evaluations:
        yield from (value for name, value in evaluation.results.items() if name != "loss" and 0 <= value <= 1)
    yield from (fact.value for fact in evidence.accuracies)
