"""Printed results that contradict the recorded ones."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from grader.checks.registry import diagnostic
from grader.checks.support.no_model import uses_torch
from grader.checks.support.params import Params, Part
from grader.checks.support.typed_numbers import TypedNumbers, typed_texts
from grader.facts.case import Case
from grader.facts.metrics import is_accuracy
from grader.facts.stops import is_cut
from grader.schema.evidence import CellFact, Evidence
from grader.schema.grade import Diagnostic
from grader.schema.message import Message, say

__all__ = ["PrintedAccuracyContradictedParams", "contradicted_accuracy", "printed_accuracies"]

_PRINTED = re.compile(
    r"\bacc(?:uracy)?\b[^\d\n%]{0,30}?(?<![\d.])(?:(?P<percent>\d{1,3}(?:\.\d+)?)\s*%|(?P<part>0?\.\d{2,}|1\.0+))(?![\d.]*\d)",
    re.IGNORECASE,
)
_PROGRESS = re.compile(r"/step|\bETA\b|━|^[ \t]*Epoch\s+\d+|^[ \t]*\d+/\d+\b|\bloss\s*:", re.MULTILINE)
_NOT_THEIRS = re.compile(
    r"\b(?:threshold|target|goal|aim|wanted|required|at least|best possible|baseline|should|could|expect(?:ed)?"
    r"|typical(?:ly)?|human|paper|published|reported|literature|benchmark|leaderboard|state[- ]of[- ]the[- ]art"
    r"|sota|et al|lecun|others?|tutorial|book|lecture|example|chance|random|guess(?:ing)?|forest|k?nn|svm|svc|tree"
    r"|logistic|xgboost|neighbou?rs?|ensemble)\b",
    re.IGNORECASE,
)
"""Words in a line whose number is not the result of a model in the notebook."""
_OTHER_MODELS = re.compile(
    r"^[ \t]*(?:import|from)[ \t]+(?:sklearn\.(?!metrics|model_selection|preprocessing|datasets)|sklearn[ \t]+import"
    r"|xgboost|lightgbm|catboost|jax|flax|mxnet|fastai|theano|autokeras|cuml)|compat[. ]*v1\b|\bSession\(",
    re.MULTILINE,
)
"""Code of a library whose models the grader does not see."""
_ROUNDED = 0.0005
"""Largest difference between a number in the code and its rounded print."""


class PrintedAccuracyContradictedParams(Params):
    """Parameters of `printed-accuracy-contradicted`."""

    margin: Part = 0.005
    """Largest accepted difference between a printed accuracy and the highest recorded one. Rounding and another run of
    the same code explain less than half a percentage point."""


@diagnostic("printed-accuracy-contradicted")
def contradicted_accuracy(case: Case, parameters: PrintedAccuracyContradictedParams) -> tuple[Diagnostic, ...]:
    """An accuracy that is typed into the code contradicts the recorded results.

    What it does:
        Reads numbers that code prints as an accuracy and that are typed into it, in a text or as a number. Reports a
        number above all accuracies of the trainings, the evaluations and the grader's own test, and every number if no
        model was trained or evaluated. Ignores figures of others (a paper, a target, another method), progress bars,
        notebooks that use another library for models, and notebooks with a training that failed, that could not be
        recorded, or that the grader cut short. Without a model, it also ignores notebooks with an error.

    Why it matters:
        Readers expect that the code above a printed number computed it.

    Example:
        `print("accuracy: 0.995")` in a notebook without a training.
    """
    evidence = case.evidence
    if uses_torch(evidence) is not None or any(f.kind == "custom_loop" and not f.history for f in evidence.fits):
        return ()
    if any(fit.shortened or fit.status == "error" or is_cut(fit) for fit in evidence.fits):
        return ()  # the author's training was longer, and its accuracy may be higher than the recorded ones
    recorded = list(_recorded(evidence))
    used = evidence.fits or evidence.calls or evidence.predictions or evidence.evaluations
    if not recorded and (used or evidence.run.errors or evidence.run.status != "completed"):
        return ()
    if any(cell.kind == "code" and _OTHER_MODELS.search(cell.source) for cell in evidence.cells):
        return ()
    ceiling = max(recorded, default=None)
    notes = []
    typed: TypedNumbers | None = None
    for cell in evidence.cells:
        above = {v for v in printed_accuracies(cell) if ceiling is None or v > ceiling + parameters.margin}
        if above:
            typed = typed or TypedNumbers(evidence.cells)
            above = _typed(typed, cell, above)
        if not above:
            continue
        notes.append(
            Diagnostic(
                id="printed-accuracy-contradicted",
                title=say("A printed accuracy contradicts the recorded results"),
                cell=cell.index,
                message=_contradiction(cell.index, max(above), ceiling),
                advice=say(
                    "Print the value that your code computes, for example the result of `model.evaluate`. The grade "
                    "depends on the model itself, which the grader tests outside the notebook."
                ),
            )
        )
    return tuple(notes)


def _contradiction(cell: int, printed: float, highest: float | None) -> Message:
    if highest is None:
        return say(
            "{cell:Cell} prints an accuracy of {printed:percent} that is typed into the code, but this notebook "
            "trained and evaluated no model.",
            cell=cell,
            printed=printed,
        )
    return say(
        "{cell:Cell} prints an accuracy of {printed:percent} that is typed into the code. The highest recorded "
        "accuracy of a training, an evaluation or the grader's test is {highest:percent}.",
        cell=cell,
        printed=printed,
        highest=highest,
    )


def printed_accuracies(cell: CellFact) -> tuple[float, ...]:
    """Find the numbers that a cell printed as an accuracy, as parts of 1.

    Args:
        cell: A cell; only the output of code counts.
    """
    return _accuracies(cell.output) if cell.kind == "code" else ()


def _accuracies(text: str) -> tuple[float, ...]:
    accuracies = []
    for line in text.splitlines():
        if _PROGRESS.search(line) or _NOT_THEIRS.search(line):
            continue
        for match in _PRINTED.finditer(line):
            value = float(match["percent"]) / 100 if match["percent"] else float(match["part"])
            if 0 < value <= 1:
                accuracies.append(value)
    return tuple(accuracies)


def _typed(typed: TypedNumbers, cell: CellFact, values: set[float]) -> set[float]:
    """Select the printed accuracies that the code contains as a number or in a text."""
    literals = values & {value for text in typed_texts(cell) for value in _accuracies(text)}
    groups = typed.printed(cell) if literals != values else ()
    return literals | {
        v for v in values - literals if any(_contains(group, v) or _contains(group, v, 100) for group in groups)
    }


def _contains(numbers: Sequence[float], value: float, scale: int = 1) -> bool:
    """Whether a value, or a multiple of it, is among numbers in ascending order."""
    # Only the nearest number on each side can be close enough.
    place = bisect_left(numbers, value * scale)
    return any(abs(number / scale - value) <= _ROUNDED for number in numbers[max(place - 1, 0) : place + 1])


def _recorded(evidence: Evidence) -> Iterator[float]:
    for fit in evidence.fits:
        for name, values in fit.history.items():
            if is_accuracy(name):
                yield from (value for value in values if value == value)  # noqa: PLR0124 - leaves out not-a-number
    for evaluation in evidence.evaluations:
        yield from (value for name, value in evaluation.results.items() if name != "loss" and 0 <= value <= 1)
    yield from (fact.value for fact in evidence.accuracies)
