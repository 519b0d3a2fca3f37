"""The check `plots`."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from grader.checks.registry import check
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import Number, Part, Whole, WithModel
from grader.checks.support.smoothing import smoothed
from grader.facts.case import Case
from grader.facts.metrics import canonical_metric, metric_of, series
from grader.facts.weights import trainings_behind
from grader.facts.wording import listed, plural
from grader.schema.base import Assurance, Pointer, spoken_cell
from grader.schema.evidence import AxesFact, Evidence, FigureFact, FitFact
from grader.schema.grade import Finding

__all__ = ["PlotsParams", "plots"]

_FORMS: dict[str, Callable[[float], float]] = {
    "as it is": lambda value: value,
    "in percent": lambda value: 100 * value,
    "as error": lambda value: 1 - value,
    "as error in percent": lambda value: 100 * (1 - value),
}
"""Ways in which a part of 1 is drawn; other metrics are drawn as they are."""
_STEM = 3
"""So many letters name a metric in a figure: `acc`, `Loss`."""


class PlotsParams(WithModel):
    """Parameters of `plots`."""

    metric: str = Field(min_length=1)
    """`loss`, `accuracy` or another metric's name, without `val_`."""
    of: Literal["training", "validation", "either", "both"] = "either"
    """Whose curve is asked for."""
    labels: bool = True
    """Whether the axes need labels."""
    without_labels: Part = 0.5
    """Part of the points for the right curve on axes without labels."""
    points_at_least: Annotated[Whole, Field(ge=1)] = 2
    """Fewest points of a curve."""
    tolerance: Annotated[Number, Field(gt=0, lt=0.1)] = 0.001
    """How far a drawn value may lie from the recorded one, absolutely and relative to it."""


@dataclass(frozen=True, slots=True)
class _Match:
    """A drawn line that is a recorded history."""

    side: str
    fit: FitFact
    figure: FigureFact
    axes: AxesFact
    form: str

    @property
    def missing_labels(self) -> tuple[str, ...]:
        """The axes that have no label."""
        return _missing_labels(self.axes)


@check("plots")
def plots(case: Case, params: PlotsParams) -> Finding:
    """A figure shows how a metric went from epoch to epoch, with its axes labelled.

    What it does:
        Compares the numbers of every plotted line with the recorded history of the network's trainings: a line counts
        when it is that history or an unbroken half of it or more, also several trainings in one line, also in percent
        or as error, also smoothed. Then it looks for labels on both axes. A training loop of the student's own leaves
        no history to compare with: there a curve that is called by the metric's name counts, as stated, and curves
        without a name are left to a person.

    Why it matters:
        A learning curve shows whether to train longer or to regularise more, if one can tell what is drawn.

    Example:
        `{check: plots, with: {model: cnn, metric: accuracy, of: both}}`
    """
    model, _ = case.model(params.model)
    if model is None:
        return missing_model(case, params.model)
    fits = case.evidence.fits_of(model.id)
    metric = canonical_metric(params.metric)
    wanted = _sides(params.of)
    matches = [m for side in wanted for m in _matches(case.evidence, model.id, metric, side, params)]
    found = {side: [m for m in matches if m.side == side] for side in wanted}
    shown = [side for side in wanted if found[side]]
    complete = len(shown) == len(wanted) if params.of == "both" else bool(shown)
    if not complete and _unrecorded(fits, metric):
        return _claimed(case, metric, params)
    if not complete:
        return _absent(case, fits, metric, [s for s in wanted if not found[s]], params)
    chosen = [min(found[side], key=lambda m: len(m.missing_labels)) for side in shown]
    return _drawn(chosen, metric, params)


def _sides(of: str) -> tuple[str, ...]:
    return (of,) if of in {"training", "validation"} else ("training", "validation")


def _matches(evidence: Evidence, model: str, metric: str, side: str, params: PlotsParams) -> Iterator[_Match]:
    key = f"val_{metric}" if side == "validation" else metric
    for fit, recorded in _recorded(evidence, model, key):
        for figure in evidence.figures:
            for axes in figure.axes:
                for line in axes.lines:
                    form = _form(line.y, recorded, metric, params)
                    if form is not None:
                        yield _Match(side, fit, figure, axes, form)


def _recorded(evidence: Evidence, model: str, key: str) -> Iterator[tuple[FitFact, tuple[float, ...]]]:
    """The series a curve may show: each training's, all of them in one, and that with the network's past before it."""
    fits = [fit for fit in evidence.fits_of(model) if metric_of(fit, key)]
    for fit in fits:
        yield fit, metric_of(fit, key)
    if len(fits) > 1:
        yield fits[-1], series(fits, key)
    behind = [fit for fit in trainings_behind(evidence, model) if metric_of(fit, key)]
    if fits and len(behind) > len(fits):
        yield fits[-1], series(behind, key)


def _form(drawn: tuple[float, ...], recorded: tuple[float, ...], metric: str, params: PlotsParams) -> str | None:
    if len(drawn) < max(params.points_at_least, math.ceil(len(recorded) / 2)) or len(drawn) > len(recorded):
        return None
    forms = _FORMS if metric == "accuracy" else {"as it is": _FORMS["as it is"]}
    for name, form in forms.items():
        tolerance = params.tolerance * (100 if "percent" in name else 1)
        values = [form(value) for value in recorded]
        for start in range(len(values) - len(drawn) + 1):
            pairs = zip(drawn, values[start : start + len(drawn)], strict=True)
            if all(_close(a, b, tolerance, params.tolerance) for a, b in pairs):
                return name
        if smoothed(drawn, values, tolerance):
            return f"{name}, smoothed"
    return None


def _close(drawn: float, recorded: float, absolute: float, relative: float) -> bool:
    if math.isnan(drawn) or math.isnan(recorded):
        return math.isnan(drawn) and math.isnan(recorded)
    return math.isclose(drawn, recorded, abs_tol=absolute, rel_tol=relative)


def _drawn(chosen: list[_Match], metric: str, params: PlotsParams) -> Finding:
    cells = listed(dict.fromkeys(spoken_cell(m.figure.cell) for m in chosen))
    missing = sorted({axis for m in chosen for axis in m.missing_labels})
    kind = ", smoothed" if any(m.form.endswith("smoothed") for m in chosen) else ""
    text = f"The {listed(m.side for m in chosen)} {metric} drawn in {cells} is the one that was recorded{kind}"
    measured = {
        "metric": metric,
        "curves": [m.side for m in chosen],
        "forms": sorted({m.form for m in chosen}),
        "labels_missing": missing,
    }
    pointers = tuple(Pointer(cell=m.figure.cell, event=m.figure.event) for m in chosen)
    if params.labels and missing:
        fraction = params.without_labels
        return Finding.scored(
            f"{text}, but the {listed(missing)} {'axis has' if len(missing) == 1 else 'axes have'} no label.",
            fraction,
            advice="Name both axes with `plt.xlabel` and `plt.ylabel`.",
            assurance=Assurance.RECORDED,
            measured=measured,
            evidence=pointers,
        )
    return Finding.passed(
        f"{text}{', and both axes are labelled' if params.labels else ''}.",
        assurance=Assurance.RECORDED,
        measured=measured,
        evidence=pointers,
    )


def _unrecorded(fits: tuple[FitFact, ...], metric: str) -> bool:
    """Whether the network was trained in loops of the student's own, of which no history is known."""
    return bool(fits) and all(
        fit.kind == "custom_loop" and not metric_of(fit, metric) and not metric_of(fit, f"val_{metric}") for fit in fits
    )


def _claimed(case: Case, metric: str, params: PlotsParams) -> Finding:
    """Judge curves by what they are called, where there are no numbers to compare them with."""
    curves = [
        (figure, axes)
        for figure in case.evidence.figures
        for axes in figure.axes
        if any(len(line.y) >= params.points_at_least for line in axes.lines)
    ]
    named = [(figure, axes) for figure, axes in curves if _calls(figure, axes, metric)]
    reason = "the training was a loop of your own, of which no history is known to compare it with"
    measured = {"metric": metric, "curves": [], "figures": len(case.evidence.figures), "named": len(named)}
    pointers = tuple(Pointer(cell=f.cell, event=f.event) for f in dict.fromkeys(f for f, _ in named or curves))
    cells = listed(dict.fromkeys(spoken_cell(pointer.cell) for pointer in pointers))
    if not curves:
        message = f"No curve was drawn, so the {metric} is not shown."
        advice = "Collect the values of each epoch in a list and plot it."
        return Finding.failed(message, advice=advice, assurance=Assurance.RECORDED, measured=measured)
    if not named:
        return Finding.pending(
            f"Waits for a person to judge: none of the curves in {cells} is called {metric}, and {reason}.",
            assurance=Assurance.STATED,
            measured=measured,
            evidence=pointers,
        )
    missing = min((_missing_labels(axes) for _, axes in named), key=len)
    text = f"A curve that is called {metric} is drawn in {cells}; {reason}"
    fraction = params.without_labels if params.labels and missing else 1.0
    return Finding.scored(
        f"{text}. {_lacking(missing)}" if fraction < 1 else f"{text}.",
        fraction,
        advice="Name both axes with `plt.xlabel` and `plt.ylabel`." if fraction < 1 else "",
        assurance=Assurance.STATED,
        measured=measured | {"labels_missing": list(missing)},
        evidence=pointers,
    )


def _lacking(missing: tuple[str, ...]) -> str:
    return f"The {listed(missing)} {'axis has' if len(missing) == 1 else 'axes have'} no label."


def _calls(figure: FigureFact, axes: AxesFact, metric: str) -> bool:
    """Whether a title, a label or a legend speaks of the metric; `acc` stands for accuracy."""
    said = (figure.title, axes.title, axes.ylabel, *axes.legend, *(line.label for line in axes.lines))
    return any(metric[:_STEM] in text.lower() for text in said)


def _missing_labels(axes: AxesFact) -> tuple[str, ...]:
    return tuple(name for name, label in (("x", axes.xlabel), ("y", axes.ylabel)) if not label.strip())


def _absent(case: Case, fits: tuple[FitFact, ...], metric: str, sides: list[str], params: PlotsParams) -> Finding:
    evidence = case.evidence
    lines = sum(len(axes.lines) for figure in evidence.figures for axes in figure.axes)
    keys = [f"val_{metric}" if side == "validation" else metric for side in sides]
    curve = f"the {listed(sides, 'or' if params.of == 'either' else 'and')} {metric}"
    longest = max((len(metric_of(f, key)) for f in fits for key in keys), default=0)
    advice = "Keep what `fit` returns and plot its `history` over the epochs."
    if not fits:
        message = f"No training was seen, so no figure can show {curve}."
        advice = "Train the network in this notebook and plot the `history` of what `fit` returns."
    elif longest == 0:
        message = f"No training recorded {curve}, so no figure can show it."
        advice = "Give `metrics` to `compile` and `validation_data` or `validation_split` to `fit`."
    elif sum(len(metric_of(f, key)) for f in fits for key in keys) < params.points_at_least:
        message = f"{plural(longest, 'epoch')} of training is too few for a curve of {curve}."
        advice = "Train for more epochs."
    elif not evidence.figures:
        message = f"No figure was drawn, so {curve} is not shown."
    else:
        drawn = f"{plural(len(evidence.figures), 'figure')} with {plural(lines, 'line')}"
        message = f"{drawn} were drawn, but none of the lines is {curve} as it was recorded."
    return Finding.failed(
        message,
        advice=advice,
        assurance=Assurance.RECORDED,
        measured={"metric": metric, "curves": [], "figures": len(evidence.figures), "lines": lines},
        evidence=tuple(Pointer(cell=f.cell, event=f.event) for f in evidence.figures),
    )
