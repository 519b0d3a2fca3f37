"""Propose criteria about the notebook as a whole: its execution, its figures and its text."""

import re
from collections.abc import Iterator

from grader.grading.drafting.base import Proposal, Solution, Subject, Way, name_cell, one
from grader.grading.drafting.numbers import below
from grader.schema.evidence import CellFact

__all__ = ["propose_execution", "propose_figures", "propose_text"]

_TOPICS = (
    *("accuracy", "activation", "augment", "batch", "converge", "conv", "curve", "dense", "depth", "dropout", "epoch"),
    *("filter", "flatten", "frozen", "gradient", "initial", "kernel", "learning rate", "loss", "momentum", "noise"),
    *("normal", "optimizer", "overfit", "parameter", "pooling", "regular", "relu", "seed", "selu", "softmax"),
    *("stride", "transfer", "validation", "weights"),
)
"""Starts of words that a text about a convolutional model may have."""
_WORD = re.compile(r"[^\W\d_]{2,}")
_FEW_WORDS = 25
"""Fewest words of a text that is taken as an explanation."""
_MANY_WORDS = 50
"""Most words that a draft requires."""
_ENOUGH_TOPICS = 3
"""Most topics that a draft requires."""
_MOST_QUOTED = 6
_QUOTED = 160
_LEAST_TOPICS = 4


def propose_execution(solution: Solution) -> Iterator[Proposal]:
    """Propose that the notebook runs."""
    run = solution.evidence.run
    yield Proposal(
        id="runs",
        title="The notebook runs from top to bottom",
        weight=5,
        ways=(one("runs", not_empty=True), one("runs")),
        advice="Before you submit, restart the kernel and run all cells. Fix every cell that raises an error.",
        seen=f"{run.cells_run} code cells ran in {run.seconds:.0f} s",
    )


def propose_figures(solution: Solution) -> Iterator[Proposal]:
    """Propose the learning curves that the notebook plots."""
    main = solution.main
    if main is None or not solution.evidence.figures:
        return
    cells = ", ".join(dict.fromkeys(name_cell(figure.cell) for figure in solution.evidence.figures))
    for metric in ("loss", "accuracy"):
        ways = [
            one("plots", model=main.role, metric=metric),
            one("plots", model=main.role, metric=metric, labels=False),
        ]
        yield Proposal(
            id=f"{metric}-curve",
            title=f"A plot of the {metric} over the epochs, with labeled axes",
            weight=4,
            ways=tuple(ways),
            advice=_plotted(metric, main),
            seen=f"figures in {cells}",
            stricter="`of: both` requires the validation curve too",
            optional=True,
        )


def _plotted(metric: str, subject: Subject) -> str:
    """Advise what to plot; only `fit` returns a history."""
    if any(fit.kind == "custom_loop" for fit in subject.fits):
        return f"Collect the {metric} in the training loop, plot it, and label both axes."
    return f"Plot `history.history['{metric}']` and `history.history['val_{metric}']`, and label both axes."


def propose_text(solution: Solution) -> Iterator[Proposal]:
    """Propose an explanation in text, and the part of it that only a person can judge."""
    passages = [cell for cell in solution.evidence.cells if cell.kind == "markdown" and _words(cell) >= _FEW_WORDS]
    words = sum(map(_words, passages))
    topics = _topics(passages)
    where = ", ".join(name_cell(cell.index) for cell in passages) or "no text cell"
    if passages:
        yield Proposal(
            id="explanation-text",
            title="The text explains the work",
            weight=3,
            ways=_text_ways(words, topics),
            advice="Describe in text cells what you did, what you saw, and why.",
            seen=f"{where}: {words} words",
            stricter="`min_words`, `any_at_least`, or `near` for one passage; name the `template`, whose text does not "
            "count",
            optional=True,
        )
    yield Proposal(
        id="explanation",
        title="The explanation is correct and in the student's own words",
        weight=10,
        ways=({"manual": {"guide": _guide(passages)}},),
        advice="",
        seen=f"{where}: only a person can judge this",
    )


def _text_ways(words: int, topics: list[str]) -> tuple[Way, ...]:
    least = min(below(words, 0.25), _MANY_WORDS)
    named = (
        {"any": topics, "any_at_least": min(below(len(topics), 0.4), _ENOUGH_TOPICS)}
        if len(topics) >= _LEAST_TOPICS
        else {}
    )
    return (
        one("text", not_empty=True, min_words=least, **named),
        one("text", min_words=least, **named),
        one("text", min_words=least),
        one("text", min_words=1),
    )


def _words(cell: CellFact) -> int:
    return len(_WORD.findall(_without_code(cell.source)))


def _without_code(source: str) -> str:
    return re.sub(r"```.*?(?:```|\Z)|`[^`\n]*`", " ", source, flags=re.DOTALL)


def _topics(passages: list[CellFact]) -> list[str]:
    text = " ".join(_without_code(cell.source) for cell in passages).lower()
    return [topic for topic in _TOPICS if re.search(rf"\b{re.escape(topic)}", text)]


def _guide(passages: list[CellFact]) -> str:
    """Quote the start of each passage of the solution, for the person who judges."""
    quotes = "; ".join(f"{name_cell(cell.index)}: {_start(cell)}" for cell in passages[:_MOST_QUOTED])
    base = "A good answer explains this model and these results, not models in general."
    return f"{base} The solution writes in {quotes}" if quotes else base


def _start(cell: CellFact) -> str:
    text = " ".join(re.sub(r"[#*_>|]+|-{3,}", " ", cell.source).split())
    text = "".join(letter for letter in text if letter.isprintable())
    return f"“{text[:_QUOTED].rstrip()}…”" if len(text) > _QUOTED else f"“{text}”"
