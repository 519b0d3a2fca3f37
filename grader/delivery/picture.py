"""Draw the learning curves as a PNG, since mail programs show neither SVG nor embedded images."""

import io
import itertools
import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from grader.delivery.letter import Curves
from grader.facts.language import Language
from grader.facts.metrics import is_computable
from grader.schema.message import Message, say

__all__ = ["HEIGHT", "WIDTH", "curves_png", "curves_say"]

WIDTH, HEIGHT = 536, 220
"""Size in which the picture is shown; it is drawn at twice the size, for screens with many pixels."""
_SCALE = 2
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 34, 34
_INK, _GREY, _GRID, _PAPER = "#1c2733", "#51606f", "#dde3ea", "#ffffff"
_TRAINING, _VALIDATION = "#1d5fa8", "#b4480f"
_DASH, _GAP = 7.0, 4.0
_FEWEST = 2
"""Fewest epochs that make a curve."""
_TICKS = 4
_NARROW = 0.05
"""Range of an accuracy below which its ticks need a decimal."""


def curves_say(curves: Curves) -> Message:
    """Say what the picture shows, for readers who do not see it; empty if there is nothing to draw."""
    training, validation = _measure(curves)[1:]
    if not _drawn(training, validation):
        return Message(id="")
    last = [_last(values) for values in (training, validation)]
    epochs = max(len(training), len(validation))
    if _measure(curves)[0] == "accuracy":
        if last[1] is None:
            return say(
                "Accuracy over {epochs:number} epochs: training ends at {training:percent}.",
                epochs=epochs,
                training=last[0],
            )
        return say(
            "Accuracy over {epochs:number} epochs: training ends at {training:percent}, validation at "
            "{validation:percent}.",
            epochs=epochs,
            training=last[0],
            validation=last[1],
        )
    if last[1] is None:
        return say(
            "Loss over {epochs:number} epochs: training ends at {training:number}.", epochs=epochs, training=last[0]
        )
    return say(
        "Loss over {epochs:number} epochs: training ends at {training:number}, validation at {validation:number}.",
        epochs=epochs,
        training=last[0],
        validation=last[1],
    )


def curves_png(curves: Curves, language: Language) -> bytes | None:
    """Draw the accuracy over the epochs, or the loss if no accuracy is known.

    Args:
        curves: The learning curves.
        language: The language of the labels.

    Returns:
        A PNG with its own background; None if there is nothing to draw.
    """
    measure, training, validation = _measure(curves)
    if not _drawn(training, validation):
        return None
    image = Image.new("RGB", (WIDTH * _SCALE, HEIGHT * _SCALE), _PAPER)
    plot = _Plot(ImageDraw.Draw(image), max(len(training), len(validation)), [*training, *validation])
    title = language.text(say("Accuracy") if measure == "accuracy" else say("Loss"))
    plot.axes(title, language.text(say("epoch")), language, percent=measure == "accuracy")
    plot.curve(training, _TRAINING, dashed=False)
    plot.curve(validation, _VALIDATION, dashed=True)
    plot.legend(
        [
            (language.text(say("training")), _TRAINING, False),
            *([(language.text(say("validation")), _VALIDATION, True)] if _last(validation) is not None else []),
        ]
    )
    buffer = io.BytesIO()
    image.convert("P", palette=Image.Palette.ADAPTIVE, colors=32).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


_Values = Sequence[float | None]


def _measure(curves: Curves) -> tuple[str, _Values, _Values]:
    for name in ("accuracy", "loss"):
        training, validation = (curves.values.get(key, ()) for key in (name, f"val_{name}"))
        if _drawn(training, validation):
            return name, training, validation
    return "accuracy", (), ()


def _drawn(training: _Values, validation: _Values) -> bool:
    del validation
    return sum(_finite(value) for value in training) >= _FEWEST


def _finite(value: float | None) -> bool:
    return value is not None and is_computable(value)


def _last(values: _Values) -> float | None:
    return next((value for value in reversed(values) if _finite(value)), None)


class _Plot:
    """A plot with axes; coordinates are in pixels of the shown size."""

    def __init__(self, draw: ImageDraw.ImageDraw, epochs: int, values: _Values) -> None:
        self._draw = draw
        self._epochs = epochs
        known = [value for value in values if value is not None and is_computable(value)]
        low, high = min(known), max(known)
        margin = (high - low) * 0.06 or abs(high) * 0.05 or 0.01
        self._low, self._high = low - margin, high + margin
        self._font = ImageFont.load_default(12 * _SCALE)

    def _x(self, epoch: float) -> float:
        return _SCALE * (_LEFT + (epoch - 1) * (WIDTH - _LEFT - _RIGHT) / max(self._epochs - 1, 1))

    def _y(self, value: float) -> float:
        part = (value - self._low) / (self._high - self._low)
        return _SCALE * (HEIGHT - _BOTTOM - part * (HEIGHT - _TOP - _BOTTOM))

    def axes(self, title: str, below: str, language: Language, *, percent: bool) -> None:
        """Draw the grid, the ticks and the names of both axes."""
        for step in range(_TICKS):
            value = self._low + (self._high - self._low) * (step + 0.5) / _TICKS
            y = self._y(value)
            self._draw.line([(self._x(1), y), (self._x(self._epochs), y)], fill=_GRID, width=_SCALE)
            span = self._high - self._low
            text = (
                language.percent(value, 1 if span < _NARROW else 0)
                if percent
                else language.number(float(f"{value:.2g}"))
            )
            self._draw.text((self._x(1) - 6 * _SCALE, y), text, fill=_GREY, font=self._font, anchor="rm")
        every = max(1, math.ceil(self._epochs / 10))
        for epoch in range(1, self._epochs + 1, every):
            place = (self._x(epoch), _SCALE * (HEIGHT - _BOTTOM + 4))
            self._draw.text(place, str(epoch), fill=_GREY, font=self._font, anchor="mt")
        self._draw.text((_SCALE * 6, _SCALE * 8), title, fill=_INK, font=self._font, anchor="lt")
        place = (_SCALE * (WIDTH - _RIGHT), _SCALE * (HEIGHT - 4))
        self._draw.text(place, below, fill=_GREY, font=self._font, anchor="rb")

    def curve(self, values: _Values, color: str, *, dashed: bool) -> None:
        """Draw a curve; a missing value interrupts it."""
        points = [
            (self._x(epoch), self._y(value)) if value is not None and is_computable(value) else None
            for epoch, value in enumerate(values, 1)
        ]
        for start, end in itertools.pairwise(points):
            if start is not None and end is not None:
                self._segment(start, end, color, dashed=dashed)

    def legend(self, entries: Sequence[tuple[str, str, bool]]) -> None:
        """Draw the legend at the top right, from right to left."""
        right: float = _SCALE * (WIDTH - _RIGHT)
        for text, color, dashed in reversed(entries):
            y = _SCALE * 15
            self._draw.text((right, y), text, fill=_INK, font=self._font, anchor="rm")
            left = right - self._draw.textlength(text, font=self._font) - 6 * _SCALE
            self._segment((left - 26 * _SCALE, y), (left, y), color, dashed=dashed)
            right = left - 42 * _SCALE

    def _segment(self, start: tuple[float, float], end: tuple[float, float], color: str, *, dashed: bool) -> None:
        if not dashed:
            self._draw.line([start, end], fill=color, width=2 * _SCALE)
            return
        length = math.dist(start, end)
        at: float = 0
        while at < length:
            until = min(at + _DASH * _SCALE, length)
            piece = [
                tuple(a + (b - a) * part / length for a, b in zip(start, end, strict=True)) for part in (at, until)
            ]
            self._draw.line(piece, fill=color, width=2 * _SCALE)
            at = until + _GAP * _SCALE
