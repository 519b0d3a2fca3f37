"""The check `plots`."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field

from grader.checks.registry import check
from grader.checks.support.drawn import drawn_as
from grader.checks.support.measures import measure
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import Number, Part, Whole, WithModel
from grader.facts.case import Case
from grader.facts.gaps import for_comparison
from grader.facts.keras_names import MetricName, bare_name
from grader.facts.metrics import canonical_metric, metric_in, metric_of, metrics_of, series
from grader.facts.stops import cut_trainings, describe_cut, follows_from_a_stop
from grader.facts.weights import trainings_behind
from grader.schema.base import Assurance, Json, Pointer
from grader.schema.evidence import AxesFact, CellFact, Evidence, FigureFact, FitFact
from grader.schema.grade import Finding, MeasureLabel
from grader.schema.message import Message, say, say_count, sentences

__all__ = ["PlotsParams", "plots"]

_OTHER_METRICS = frozenset(
    {
        *("loss", "lr", "learning_rate", "precision", "recall", "auc", "mse", "mae", "f1_score", "cosine_similarity"),
        *("mean_squared_error", "mean_absolute_error", "root_mean_squared_error", "kl_divergence"),
        *("top_k_categorical_accuracy", "sparse_top_k_categorical_accuracy"),
        *("categorical_crossentropy", "sparse_categorical_crossentropy", "binary_crossentropy"),
    }
)
"""Metrics of Keras that are no accuracy, and other figures in a history."""
_STEM = 3
"""Letters that are enough to name a metric in a figure: `acc`, `Los`."""


class PlotsParams(WithModel):
    """Parameters of `plots`."""

    metric: Annotated[MetricName, Field(min_length=1)]
    """`loss`, `accuracy` or the name of another metric, without `val_`. A name that is almost that of a Keras metric is
    an error, unless it is written as `custom:name`."""
    of: Literal["training", "validation", "either", "both"] = "either"
    """The required curves."""
    labels: bool = True
    """Whether the axes must have labels."""
    without_labels: Part = 0.5
    """Part of the points for the right curve on axes without labels."""
    points_at_least: Annotated[Whole, Field(ge=1)] = 2
    """The smallest number of points of a curve."""
    tolerance: Annotated[Number, Field(gt=0, lt=0.1)] = 0.001
    """Allowed difference between a drawn and a recorded value, absolute and relative."""


@dataclass(frozen=True, slots=True)
class _Match:
    """A drawn line that shows a recorded history."""

    side: str
    fit: FitFact
    figure: FigureFact
    axes: AxesFact
    form: str
    points: int

    @property
    def missing_labels(self) -> tuple[str, ...]:
        """The axes without a label."""
        return _missing_labels(self.axes)

    @property
    def is_smoothed(self) -> bool:
        """Whether the line is a smoothed version of the history."""
        return self.form.endswith("smoothed")


_MEASURES: Final[Mapping[str, MeasureLabel]] = {
    "metric": measure(say("Metric"), "code"),
    "figures": measure(say("Figures in the notebook"), "number"),
    "lines": measure(say("Lines in these figures"), "number"),
    "labels_missing": measure(say("Axes without a label"), "list"),
}
"""Labels and units of the measured values; values without a label repeat the message."""


@check("plots", measures=_MEASURES)
def plots(case: Case, params: PlotsParams) -> Finding:
    """A figure shows a metric over the epochs, with labels on both axes.

    What it does:
        Compares the numbers of every plotted line and scatter plot with the recorded history of the model's trainings.
        A line counts if it shows that history, at least a continuous half of it, or every second or third epoch. It may
        join several trainings, average the folds of a cross-validation, start with one more value, be smoothed, or show
        percentages, errors or logarithms. Then the check looks for labels on both axes. A custom training loop may
        leave no history. Then a curve with the metric's name counts, and curves without a name are left to a person. So
        is a missing curve of a training that the grader stopped, if it had too few epochs or the plot raised an error.
        Figures of matplotlib (with pandas and seaborn) and Plotly are read; charts of other libraries, and bars that
        may show an epoch each, are left to a person if no figure shows the curve.

    Why it matters:
        A learning curve shows whether to train longer or to regularize more, if its axes say what it shows.

    Example:
        `{check: plots, with: {model: cnn, metric: accuracy, of: both}}`
    """
    case = for_comparison(case)
    model, _ = case.model(params.model)
    if model is None:
        return missing_model(case, params.model)
    fits = case.evidence.fits_of(model.id)
    metric = canonical_metric(bare_name(params.metric))
    wanted = _sides(params.of)
    matches = [m for side in wanted for m in _matches(case.evidence, model.id, metric, side, params)]
    short = [m for m in matches if m.points < params.points_at_least]
    by_side = {side: [m for m in matches if m.side == side and m not in short] for side in wanted}
    shown = [side for side in wanted if by_side[side]]
    complete = len(shown) == len(wanted) if params.of == "both" else bool(shown)
    if not complete and _unrecorded(fits, metric):
        return _claimed(case, metric, params)
    if not complete:
        missing = [s for s in wanted if not by_side[s]]
        return (
            _stopped(case, fits, metric, params)
            or _unclear(case.evidence, fits, metric, params)
            or _too_short(short, metric)
            or _absent(case, fits, metric, missing, params)
        )
    chosen = [min(by_side[side], key=lambda m: (len(m.missing_labels), m.is_smoothed)) for side in shown]
    return _drawn(chosen, metric, params)


def _sides(of: str) -> tuple[str, ...]:
    return (of,) if of in {"training", "validation"} else ("training", "validation")


def _matches(evidence: Evidence, model: str, metric: str, side: str, params: PlotsParams) -> Iterator[_Match]:
    key = f"val_{metric}" if side == "validation" else metric
    histories = list(_recorded(evidence, model, key))
    for figure in evidence.figures:
        for axes in figure.axes:
            for line in (*axes.lines, *axes.scatters):
                found = _shown_history(line.y, histories, metric, params)
                if found is not None:
                    yield _Match(side, found[0], figure, axes, found[1], len(line.y))


def _shown_history(
    drawn: tuple[float, ...], histories: Sequence[tuple[FitFact, tuple[float, ...]]], metric: str, params: PlotsParams
) -> tuple[FitFact, str] | None:
    for fit, recorded in histories:
        # A line of one point shows one epoch, but is too short for a curve.
        fewest = min(params.points_at_least, len(recorded))
        form = drawn_as(drawn, recorded, metric, params.tolerance, fewest)
        if form is not None:
            return fit, form
    return None


def _recorded(evidence: Evidence, model: str, key: str) -> Iterator[tuple[FitFact, tuple[float, ...]]]:
    """Find the series that a curve may show.

    These are each training, all trainings, all with the model's earlier stages, the mean over the trainings of a
    cross-validation, and the evaluations between the trainings.
    """
    fits = [fit for fit in evidence.fits_of(model) if metrics_of(fit, key)]
    for fit in fits:
        for values in metrics_of(fit, key):
            yield fit, values
    if len(fits) > 1:
        yield fits[-1], series(fits, key)
    behind = [fit for fit in trainings_behind(evidence, model) if metric_of(fit, key)]
    if fits and len(behind) > len(fits):
        yield fits[-1], series(behind, key)
    if evidence.fits_of(model):
        for folds in _folds(evidence, model):
            for values in _means(folds, key):
                yield folds[-1], values
    yield from _evaluations(evidence, model, key)


def _evaluations(evidence: Evidence, model: str, key: str) -> Iterator[tuple[FitFact, tuple[float, ...]]]:
    """Read the results of evaluations between trainings as a validation curve."""
    fits = evidence.fits_of(model)
    if not fits or not key.startswith("val_"):
        return
    results = [metric_in(e.results, key.removeprefix("val_")) for e in evidence.evaluations if e.model == model]
    if len(results) > 1:
        yield fits[-1], tuple(math.nan if value is None else value for value in results)


def _folds(evidence: Evidence, model: str) -> list[list[FitFact]]:
    """List the trainings of each cell that belong together: models with as many weights as the model.

    After a cross-validation, the model itself is often trained on all images in a later cell.
    """
    fact = evidence.model(model)
    size = None if fact is None else fact.parameters
    alike = [fit for fit in evidence.fits if _size(evidence, fit) == size]
    cells = dict.fromkeys(fit.cell for fit in alike)
    return [[fit for fit in alike if fit.cell == cell] for cell in cells]


def _size(evidence: Evidence, fit: FitFact) -> int | None:
    model = evidence.model(fit.model)
    return None if model is None else model.parameters


def _means(fits: Sequence[FitFact], key: str) -> Iterator[tuple[float, ...]]:
    """Average a metric over several trainings: over all epochs of the shortest, and over all that reach an epoch."""
    histories = [metric_of(fit, key) for fit in fits if metric_of(fit, key)]
    if len(histories) > 1:
        yield tuple(sum(values) / len(values) for values in zip(*histories, strict=False))
        longest = max(map(len, histories))
        reached = [[values[place] for values in histories if place < len(values)] for place in range(longest)]
        yield tuple(sum(values) / len(values) for values in reached)


def _drawn(chosen: list[_Match], metric: str, params: PlotsParams) -> Finding:
    missing = sorted({axis for m in chosen for axis in m.missing_labels})
    measured = {
        "metric": metric,
        "curves": [m.side for m in chosen],
        "forms": sorted({m.form for m in chosen}),
        "labels_missing": missing,
    }
    message = sentences(
        _shown(chosen, metric),
        say("The curve is smoothed.") if any(m.is_smoothed for m in chosen) else None,
        _labels(missing) if params.labels else None,
    )
    without_labels = params.labels and bool(missing)
    return Finding.scored(
        message,
        params.without_labels if without_labels else 1.0,
        advice=_name_axes() if without_labels else "",
        assurance=Assurance.RECORDED,
        measured=measured,
        evidence=tuple(Pointer(cell=m.figure.cell, event=m.figure.event) for m in chosen),
    )


def _shown(chosen: list[_Match], metric: str) -> Message:
    cells = list(dict.fromkeys(m.figure.cell for m in chosen))
    return say_count(
        "The figure in {cells:cell} shows the recorded {curves}.",
        "The figures in {cells:cell} show the recorded {curves}.",
        len(cells),
        cells=cells,
        curves=[_curve(m.side, metric) for m in chosen],
    )


def _curve(side: str, metric: str) -> Message:
    if side == "validation":
        return say("validation {metric:raw}", metric=metric)
    return say("training {metric:raw}", metric=metric)


def _labels(missing: Sequence[str]) -> Message:
    if not missing:
        return say("Both axes have labels.")
    return say_count("The {axes} axis has no label.", "The {axes} axes have no label.", len(missing), axes=missing)


def _name_axes() -> Message:
    return say("Label both axes with `plt.xlabel` and `plt.ylabel`.")


def _unrecorded(fits: tuple[FitFact, ...], metric: str) -> bool:
    """Whether the model was only trained in custom loops without a known history."""
    return bool(fits) and all(
        fit.kind == "custom_loop" and not metric_of(fit, metric) and not metric_of(fit, f"val_{metric}") for fit in fits
    )


def _too_short(matches: Sequence[_Match], metric: str) -> Finding | None:
    """Judge figures that show the history of too few epochs; None if there are none."""
    if not matches:
        return None
    points = max(m.points for m in matches)
    short = say_count(
        "It has only {count:number} point, which is too few for a curve.",
        "It has only {count:number} points, which are too few for a curve.",
        points,
    )
    sides = {m.side: m for m in matches}
    return Finding.failed(
        sentences(_shown(list(sides.values()), metric), short),
        advice=say("Train for more epochs."),
        assurance=Assurance.RECORDED,
        measured={"metric": metric, "curves": [], "points": points},
        evidence=tuple(Pointer(cell=m.figure.cell, event=m.figure.event) for m in sides.values()),
    )


def _unclear(evidence: Evidence, fits: Sequence[FitFact], metric: str, params: PlotsParams) -> Finding | None:
    """Leave a curve of the student's own metric to a person: it can be an accuracy under any name."""
    if metric != "accuracy" or any(metrics_of(fit, key) for fit in fits for key in (metric, f"val_{metric}")):
        return None
    for fit in fits:
        for name, values in fit.history.items():
            if canonical_metric(name).removeprefix("val_") in _OTHER_METRICS or name.endswith("loss"):
                continue
            for figure in evidence.figures:
                lines = [line for axes in figure.axes for line in (*axes.lines, *axes.scatters)]
                if any(drawn_as(line.y, values, metric, params.tolerance, params.points_at_least) for line in lines):
                    return Finding.pending(
                        say(
                            "The figure in {cell:cell} shows the recorded {name:code}. The grader does not know "
                            "whether this is the {metric:raw}, so a person must judge it.",
                            cell=figure.cell,
                            name=name,
                            metric=metric,
                        ),
                        assurance=Assurance.RECORDED,
                        measured={"metric": metric, "curves": [], "shown": name},
                        evidence=(Pointer(cell=figure.cell, event=figure.event),),
                    )
    return None


def _claimed(case: Case, metric: str, params: PlotsParams) -> Finding:
    """Judge curves by their names if there are no recorded values to compare them with."""
    curves = [
        (figure, axes)
        for figure in case.evidence.figures
        for axes in figure.axes
        if any(len(line.y) >= params.points_at_least for line in (*axes.lines, *axes.scatters))
    ]
    named = [(figure, axes) for figure, axes in curves if _calls(figure, axes, metric)]
    measured = {"metric": metric, "curves": [], "figures": len(case.evidence.figures), "named": len(named)}
    pointers = tuple(Pointer(cell=f.cell, event=f.event) for f in dict.fromkeys(f for f, _ in named or curves))
    cells = list(dict.fromkeys(pointer.cell for pointer in pointers))
    if not curves and (charts := _unread(case)):
        return Finding.pending(
            say(
                "The grader cannot read the charts in {cells:cell}. A person must look at them.",
                cells=[cell.index for cell in charts],
            ),
            measured=measured,
            evidence=tuple(Pointer(cell=cell.index) for cell in charts),
        )
    if not curves:
        return Finding.failed(
            say("No curve was drawn, so the {metric:raw} is not shown.", metric=metric),
            advice=say("Collect the values of each epoch in a list and plot it."),
            assurance=Assurance.RECORDED,
            measured=measured,
        )
    unrecorded = say("The training was a custom loop, so there are no recorded values to compare it with.")
    if not named:
        unnamed = say("No curve in {cells:cell or} has the name {metric:code}.", cells=cells, metric=metric)
        return Finding.pending(
            sentences(unnamed, unrecorded, say("A person must judge it.")),
            assurance=Assurance.STATED,
            measured=measured,
            evidence=pointers,
        )
    missing = min((_missing_labels(axes) for _, axes in named), key=len)
    fraction = params.without_labels if params.labels and missing else 1.0
    return Finding.scored(
        sentences(
            say("A curve with the name {metric:code} is drawn in {cells:cell}.", metric=metric, cells=cells),
            unrecorded,
            _labels(missing) if fraction < 1 else None,
        ),
        fraction,
        advice=_name_axes() if fraction < 1 else "",
        assurance=Assurance.STATED,
        measured=measured | {"labels_missing": list(missing)},
        evidence=pointers,
    )


def _stopped(case: Case, fits: tuple[FitFact, ...], metric: str, params: PlotsParams) -> Finding | None:
    """Leave a missing curve to a person if the grader stopped the training before there was one; else None."""
    cut, run = cut_trainings(fits), case.evidence.run
    epochs = max((len(metric_of(fit, name)) for fit in fits for name in (metric, f"val_{metric}")), default=0)
    raised = any(follows_from_a_stop(case.evidence, error) for error in run.errors)
    never_measured = not epochs and any(fit.history for fit in fits)
    if not cut or never_measured or (epochs >= max(2, params.points_at_least) and not raised):
        return None
    if not case.evidence.figures and not raised and not run.cut_short:
        return None
    return Finding.pending(
        sentences(
            describe_cut(cut[-1]),
            say("So the grader cannot see whether the notebook shows the {metric:raw}.", metric=metric),
            say("A person must judge it."),
        ),
        assurance=Assurance.RECORDED,
        measured={"metric": metric, "curves": [], "figures": len(case.evidence.figures)},
        evidence=tuple(Pointer(cell=fit.cell, event=fit.event) for fit in cut),
    )


def _calls(figure: FigureFact, axes: AxesFact, metric: str) -> bool:
    """Whether a title, a label or a legend names the metric; `acc` is enough for accuracy."""
    texts = (
        figure.title,
        axes.title,
        axes.ylabel,
        *axes.legend,
        *(line.label for line in (*axes.lines, *axes.scatters)),
    )
    return any(metric[:_STEM] in text.lower() for text in texts)


def _missing_labels(axes: AxesFact) -> tuple[str, ...]:
    return tuple(name for name, label in (("x", axes.xlabel), ("y", axes.ylabel)) if not label.strip())


def _absent(case: Case, fits: tuple[FitFact, ...], metric: str, sides: list[str], params: PlotsParams) -> Finding:
    figures = case.evidence.figures
    lines = sum(len(axes.lines) for figure in figures for axes in figure.axes)
    measured: dict[str, Json] = {"metric": metric, "curves": [], "figures": len(figures), "lines": lines}
    curves = [_curve(side, metric) for side in sides]
    curve = say("{curves:or}", curves=curves) if params.of == "either" else say("{curves}", curves=curves)
    epochs = [
        len(metric_of(fit, f"val_{metric}" if side == "validation" else metric)) for fit in fits for side in sides
    ]
    if max(epochs, default=0) == 0 and any(fit.epochs_done and not fit.history for fit in fits):
        unseen = say(
            "The grader could not see the history of a training, so it cannot recognize the {curve}. A person must "
            "look at the figures.",
            curve=curve,
        )
        return Finding.pending(unseen, measured=measured)
    if fits and max(epochs, default=0) > 0 and (charts := _unread(case)):
        return Finding.pending(
            say(
                "The grader cannot read the charts in {cells:cell}, so it does not know whether they show the {curve}. "
                "A person must look at them.",
                cells=[cell.index for cell in charts],
                curve=curve,
            ),
            measured=measured,
            evidence=tuple(Pointer(cell=cell.index) for cell in charts),
        )
    if barred := _bar_charts(case, metric, epochs):
        return Finding.pending(
            say(
                "The grader cannot read the bars in {cells:cell}, so it does not know whether they show the {curve}. "
                "A person must look at them.",
                cells=[figure.cell for figure in barred],
                curve=curve,
            ),
            measured=measured,
            evidence=tuple(Pointer(cell=figure.cell, event=figure.event) for figure in barred),
        )
    message, advice = _reason(case, fits, curve, epochs, params)
    return Finding.failed(
        message,
        advice=advice,
        assurance=Assurance.RECORDED,
        measured=measured,
        evidence=tuple(Pointer(cell=f.cell, event=f.event) for f in figures),
        lacks=None if fits else "training",
    )


def _unread(case: Case) -> list[CellFact]:
    """List the cells that show charts of a library whose curves are not recorded."""
    return [cell for cell in case.evidence.cells if cell.charts]


def _bar_charts(case: Case, metric: str, epochs: Collection[int]) -> list[FigureFact]:
    """List the figures whose bars have the metric's name and whose number suits the epochs of a training."""
    lengths = {count for count in epochs if count > 1}
    return [
        figure
        for figure in case.evidence.figures
        if any(
            axes.bars and any(axes.bars % count == 0 for count in lengths) and _calls(figure, axes, metric)
            for axes in figure.axes
        )
    ]


def _reason(
    case: Case, fits: tuple[FitFact, ...], curve: Message, epochs: list[int], params: PlotsParams
) -> tuple[Message, Message]:
    """Explain why no figure shows a curve, with advice."""
    if not fits:
        return (
            say("The model was never trained, so no figure can show its {curve}.", curve=curve),
            say("Train the model in this notebook and plot the `history` of the result of `fit`."),
        )
    if max(epochs, default=0) == 0:
        return (
            say("No training recorded the {curve}, so no figure can show it.", curve=curve),
            say("Pass `metrics` to `compile`, and `validation_data` or `validation_split` to `fit`."),
        )
    if max(epochs) < params.points_at_least and len(fits) == 1:
        short = say_count(
            "{count:number} epoch of training is too few for a curve of the {curve}.",
            "{count:number} epochs of training are too few for a curve of the {curve}.",
            max(epochs),
            curve=curve,
        )
        return short, say("Train for more epochs.")
    advice = say("Keep the result of `fit` and plot its `history` over the epochs.")
    figures = case.evidence.figures
    if not figures:
        return say("No figure was drawn, so none shows the {curve}.", curve=curve), advice
    lines = sum(len(axes.lines) for figure in figures for axes in figure.axes)
    other = say(
        "The notebook drew {figures} with {lines}, but no line shows the recorded {curve}.",
        figures=say_count("{count:number} figure", "{count:number} figures", len(figures)),
        lines=say_count("{count:number} line", "{count:number} lines", lines),
        curve=curve,
    )
    return other, advice
