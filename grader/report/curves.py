"""Plot the learning curves of a submission and its reference in one picture, with the same figures as a table."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from markupsafe import Markup

from grader.facts.language import Language
from grader.facts.metrics import CURVES, fit_curves
from grader.report.svg import Scale, element, nice_ticks, picture
from grader.report.text import DASH, ENGLISH, figure, percent, unbroken
from grader.schema.evidence import FitFact
from grader.schema.message import Message, say, say_count, sentences

__all__ = ["CurveRow", "Curves", "Measure", "curve_panel", "curve_rows", "learning_curves"]

Measure = Literal["accuracy", "loss"]
Who = Literal["student", "reference"]

_MOST_EPOCHS: Final = 2_000
_MOST_ROWS: Final = 200
_WIDTH, _HEIGHT = 400.0, 260.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 12.0, 42.0, 42.0
_LARGE_LOSS: Final = 1e5
_MOST_DIGITS: Final = 6
"""Most decimals of a tick; there is no room for more."""
_LOG_FROM: Final = 40.0
"""A loss is drawn on a logarithmic scale if its largest value exceeds its smallest by this factor."""

Values = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Curves:
    """Trainings of one model, joined one after the other."""

    epochs: int = 0
    accuracy: Values = ()
    val_accuracy: Values = ()
    loss: Values = ()
    val_loss: Values = ()
    starts: tuple[int, ...] = ()
    """Epochs after which another training started."""
    stops: tuple[int, ...] = ()
    """Epochs after which the grader stopped a training."""

    def of(self, measure: Measure) -> tuple[Values, Values]:
        """Return the training values and the validation values of one measure."""
        return (self.accuracy, self.val_accuracy) if measure == "accuracy" else (self.loss, self.val_loss)

    @property
    def validated(self) -> bool:
        """Whether there is a validation value."""
        return any(number is not None for number in (*self.val_accuracy, *self.val_loss))

    @property
    def drawn(self) -> bool:
        """Whether there is anything to draw."""
        return any(number is not None for values in (*self.of("accuracy"), *self.of("loss")) for number in values)


@dataclass(frozen=True, slots=True)
class CurveRow:
    """One epoch of the table, with formatted figures."""

    epoch: int
    student: tuple[str, ...]
    """Accuracy, validation accuracy, loss, validation loss."""
    reference: tuple[str, ...]

    @property
    def student_cells(self) -> Markup:
        """The table cells of the submission; the template would escape each figure by itself, which takes longer."""
        return _table_cells(self.student)

    @property
    def reference_cells(self) -> Markup:
        """The table cells of the reference."""
        return _table_cells(self.reference)


def _table_cells(figures: Sequence[str]) -> Markup:
    return Markup("<td>{}</td>").format(Markup("</td><td>").join(map(unbroken, figures)))


def learning_curves(fits: Sequence[FitFact]) -> Curves:
    """Join the trainings of one model.

    Args:
        fits: Trainings in chronological order.

    Returns:
        Curves of equal length, at most 2,000 epochs; None for a figure that a training did not report.
    """
    columns: dict[str, list[float | None]] = {name: [] for name in CURVES}
    starts: list[int] = []
    stops: list[int] = []
    total = 0
    for fit in fits:
        epochs = min(max(fit.epochs_done, *(len(v) for v in fit.history.values()), 0), _MOST_EPOCHS - total)
        if epochs <= 0:
            continue
        if total:
            starts.append(total)
        for name, values in fit_curves(fit, epochs).items():
            columns[name].extend(values)
        total += epochs
        if fit.status == "stopped_by_budget":
            stops.append(total)
    frozen = {name: tuple(values) for name, values in columns.items()}
    return Curves(epochs=total, starts=tuple(starts), stops=tuple(stops), **frozen)


def curve_rows(student: Curves, reference: Curves, language: Language = ENGLISH) -> tuple[CurveRow, ...]:
    """Convert the curves to a table of at most 200 rows: every k-th epoch and the last."""
    total = max(student.epochs, reference.epochs)
    step = max(1, math.ceil(total / _MOST_ROWS))
    epochs = sorted({*range(1, total + 1, step), total} - {0})
    return tuple(
        CurveRow(epoch, tuple(_cells(student, epoch, language)), tuple(_cells(reference, epoch, language)))
        for epoch in epochs
    )


def _cells(curves: Curves, epoch: int, language: Language) -> Iterator[str]:
    writers: tuple[tuple[Measure, Callable[[float, Language], str]], ...] = (("accuracy", percent), ("loss", figure))
    for measure, write in writers:
        for values in curves.of(measure):
            number = values[epoch - 1] if epoch <= len(values) else None
            yield DASH if number is None else write(number, language)


def curve_panel(
    measure: Measure, student: Curves, reference: Curves, language: Language = ENGLISH, *, key: str = "curve"
) -> Markup:
    """Draw one measure of both models.

    Training is a solid line, validation a dashed one. The models differ in color and in the shape of their marks, so
    that the picture is readable without color. A labeled vertical line marks where the grader stopped a training.

    Args:
        measure: `accuracy` or `loss`.
        student: The submission's curves.
        reference: The reference's curves; empty if there are none.
        language: The language of the texts.
        key: Makes the ids of the drawing unique on the page.

    Returns:
        An `svg`, or an empty string if no figure was reported.
    """
    numbers = [n for c in (student, reference) for values in c.of(measure) for n in values if n is not None]
    if not numbers:
        return Markup()
    across = Scale(1, max(student.epochs, reference.epochs, 2), _LEFT + 6, _WIDTH - _RIGHT - 6)
    up = _upright(numbers, measure)
    parts: list[Markup] = [*_grid(up, measure, language), *_epoch_axis(across, language)]
    for stop in student.stops:
        parts.extend(_stop(across(stop), language))
    parts.extend(element("line", x1=across(s + 0.5), x2=across(s + 0.5), y1=_TOP, y2=_HEIGHT - _BOTTOM, class_="again")
                 for s in student.starts)  # fmt: skip
    both: tuple[tuple[Who, Curves], ...] = (("reference", reference), ("student", student))
    for who, curves in both:
        for part, values in zip(("train", "val"), curves.of(measure), strict=True):
            parts.extend(_line(values, across, up, f"curve {who} {part}"))
    name = _name(measure, log=up.log)
    heading = element("text", language.text(name), x=_LEFT - 44, y=15, class_="panel-title")
    return picture(
        f"{key}-{measure}",
        language.text(say("{measure} by epoch", measure=name)),
        language.text(_description(measure, student, reference)),
        (_WIDTH, _HEIGHT),
        heading,
        *parts,
        class_="plot",
    )


def _name(measure: Measure, *, log: bool) -> Message:
    if measure == "accuracy":
        return say("Accuracy")
    return say("Loss (logarithmic scale)") if log else say("Loss")


def _upright(numbers: Sequence[float], measure: Measure) -> Scale:
    low, high = min(numbers), max(numbers)
    log = measure == "loss" and low > 0 and high / low > _LOG_FROM
    if log:
        return Scale(low * 0.9, high * 1.1, _HEIGHT - _BOTTOM, _TOP, log=True)
    room = (high - low) * 0.06 or abs(high) * 0.05 or 0.05
    top = min(high + room, max(1.0, high)) if measure == "accuracy" else high + room
    bottom = low - room if measure == "accuracy" else max(low - room, min(low, 0.0))
    return Scale(bottom, top, _HEIGHT - _BOTTOM, _TOP)


def _grid(up: Scale, measure: Measure, language: Language) -> Iterator[Markup]:
    ticks = _decades(up) if up.log else nice_ticks(up.low, up.high, 5)
    digits = _digits(ticks, measure)
    lines = "".join(f"M{_LEFT} {up(tick):.1f}H{_WIDTH - _RIGHT}" for tick in ticks)
    yield element("path", d=lines, class_="grid")
    for tick in ticks:
        label = percent(tick, language, digits) if measure == "accuracy" else _loss(tick, language)
        yield element("text", label, x=_LEFT - 6, y=up(tick) + 4, text_anchor="end")


def _decades(up: Scale) -> Sequence[float]:
    lowest, highest = math.ceil(math.log10(up.low)), math.floor(math.log10(up.high))
    powers = range(lowest, highest + 1, max(1, (highest - lowest) // 5))
    return [10.0**power for power in powers] or [up.low, up.high]


def _digits(ticks: Sequence[float], measure: Measure) -> int:
    """Return the number of decimals that distinguishes adjacent percentage ticks."""
    if measure == "loss" or len(ticks) < 2:  # noqa: PLR2004  one tick has no neighbour
        return 1
    return min(max(0, math.ceil(-math.log10(100 * (ticks[1] - ticks[0])) - 1e-9)), _MOST_DIGITS)


def _loss(tick: float, language: Language) -> str:
    """Write a tick of the loss; a large one in scientific notation, since there is little room."""
    return language.number(tick) if abs(tick) < _LARGE_LOSS else f"{tick:.3g}"


def _epoch_axis(across: Scale, language: Language) -> Iterator[Markup]:
    base = _HEIGHT - _BOTTOM
    yield element("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=base, y2=base, class_="axis")
    ticks = [t for t in nice_ticks(across.low, across.high, 8) if t == int(t)]
    for tick in dict.fromkeys([1.0, *(t for t in ticks if t - 1 >= (across.high - 1) / 14)]):
        yield element("text", str(int(tick)), x=across(tick), y=base + 17, text_anchor="middle")
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    yield element(
        "text", language.text(say("epoch")), x=middle, y=_HEIGHT - 6, text_anchor="middle", class_="axis-title"
    )


def _stop(x: float, language: Language) -> Iterator[Markup]:
    yield element("line", x1=x, x2=x, y1=_TOP, y2=_HEIGHT - _BOTTOM, class_="stop")
    anchor = "end" if x > _WIDTH / 2 else "start"
    label = language.text(say("stopped by the grader"))
    yield element("text", label, x=x, y=_TOP - 7, text_anchor=anchor, class_="stop-label")


def _line(values: Values, across: Scale, up: Scale, classes: str) -> Iterator[Markup]:
    """Draw one line with a gap where a value is missing; a single value becomes a dot."""
    for run in _runs(values):
        if len(run) > 1:
            path = "M" + "L".join(f"{across(epoch):.1f} {up(number):.1f}" for epoch, number in run)
            yield element("path", d=path, class_=classes)
        if len(run) == 1 or len(values) <= 20:  # noqa: PLR2004  with more epochs dots would hide the line
            # A line without length has round ends, so that one element draws all dots.
            dots = "".join(f"M{across(epoch):.1f} {up(number):.1f}h0" for epoch, number in run)
            yield element("path", d=dots, class_=f"{classes} dot")


def _runs(values: Values) -> Iterator[list[tuple[int, float]]]:
    run: list[tuple[int, float]] = []
    for epoch, number in enumerate(values, start=1):
        if number is not None:
            run.append((epoch, number))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _description(measure: Measure, student: Curves, reference: Curves) -> Message:
    """Describe the start and end of each curve in words."""
    names = (
        (student, (say("Submission, training"), say("Submission, validation"))),
        (reference, (say("Reference, training"), say("Reference, validation"))),
    )
    parts = [
        _curve(measure, curve, values, curves.epochs)
        for curves, curve_names in names
        for curve, values in zip(curve_names, curves.of(measure), strict=True)
        if any(number is not None for number in values)
    ]
    if student.stops:
        parts.append(say("The grader stopped the training after epoch {epochs}.", epochs=student.stops))
    return sentences(*parts)


def _curve(measure: Measure, curve: Message, values: Values, epochs: int) -> Message:
    reported = [number for number in values if number is not None]
    duration = say_count("{count} epoch", "{count} epochs", epochs)
    first, last = reported[0], reported[-1]
    if measure == "accuracy":
        return say(
            "{curve}: {first:percent} to {last:percent} in {duration}.",
            curve=curve,
            first=first,
            last=last,
            duration=duration,
        )
    return say(
        "{curve}: {first:number} to {last:number} in {duration}.",
        curve=curve,
        first=first,
        last=last,
        duration=duration,
    )
