"""Records every matplotlib figure when it is drawn, with the labels of its axes and the values of its lines."""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable
from functools import partial
from types import ModuleType
from typing import Any, Literal

import numpy as np
import wrapt

from ..hooking.imports import after_import
from ..record.events import MAX_LINES, MAX_POINTS, AxesDescription, Figure, FigureDescription, LineDescription
from ..record.log import plain
from ..record.recorder import Recorder

__all__ = ["Drawn", "clip", "describe_figure", "install", "numbers"]

COLOUR_BAR = "<colorbar>"
"""matplotlib's label for the axes of a color bar, which need no labels."""
MAX_TEXT = 500
_SIDES: tuple[Literal["x", "y"], ...] = ("x", "y")
_NUMBER = re.compile(r"[-+−]?[\d.,]+(?:[eE][-+−]?\d+)?%?")
INLINE = "module://matplotlib_inline.backend_inline"


def describe_figure(figure: Any) -> FigureDescription:
    """Describe a figure for its event.

    Args:
        figure: A `matplotlib.figure.Figure`.
    """
    shared = [_text(text) for legend in figure.legends for text in legend.get_texts()]
    return FigureDescription(
        title=clip(figure.get_suptitle()),
        axes=[_describe_axes(axes, figure, shared) for axes in figure.axes if axes.get_label() != COLOUR_BAR],
    )


def _describe_axes(axes: Any, figure: Any, shared: list[str]) -> AxesDescription:
    titles = (axes.get_title(loc=place) for place in ("left", "center", "right"))
    legend = axes.get_legend()
    described = AxesDescription(
        title=clip(" ".join(filter(None, titles))),
        xlabel=clip(_shared_label(axes, "x") or figure.get_supxlabel()),
        ylabel=clip(_shared_label(axes, "y") or figure.get_supylabel()),
        legend=[_text(text) for text in legend.get_texts()] if legend else shared,
        lines=[_describe_line(line) for line in list(axes.get_lines())[:MAX_LINES]],
        scatters=[_describe_scatter(held) for held in _of_class(axes.collections, "PathCollection")[:MAX_LINES]],
        images=len(axes.images) + _count(axes.collections, "QuadMesh", lambda _: 1),
        bars=sum(len(held) for held in axes.containers if type(held).__name__ == "BarContainer"),
        points=_count(axes.collections, "PathCollection", lambda held: len(held.get_offsets())),
    )
    if hidden := [side for side in _SIDES if _is_hidden(axes, side)]:
        described["hidden"] = hidden
    if named := [side for side in _SIDES if side not in hidden and _is_named(axes, side)]:
        described["named"] = named
    return described


def _is_hidden(axes: Any, side: Literal["x", "y"]) -> bool:
    """Whether an axis is not drawn, or has no ticks."""
    axis = getattr(axes, f"{side}axis")
    if not (axes.axison and axes.get_visible() and axis.get_visible() and len(axis.get_majorticklocs())):
        return True
    texts = _tick_texts(axis)
    return texts is not None and not any(texts)


def _is_named(axes: Any, side: Literal["x", "y"]) -> bool:
    """Whether the ticks of an axis have names: labels of ticks, or categories that are plotted."""
    axis = getattr(axes, f"{side}axis")
    if axis.get_units() is not None and type(axis.get_converter()).__name__ == "StrCategoryConverter":
        return True
    return any(text and not _NUMBER.fullmatch(text) for text in _tick_texts(axis) or ())


def _tick_texts(axis: Any) -> list[str] | None:
    """Return the fixed labels of an axis's ticks; None if they are the ticks' values."""
    formatter = axis.get_major_formatter()
    # matplotlib makes a partial function of labels; a function of the student is not called once more.
    fixed = isinstance(getattr(formatter, "func", None), partial) or type(formatter).__name__ == "FixedFormatter"
    return [text.get_text().strip() for text in axis.get_ticklabels()] if fixed else None


def _shared_label(axes: Any, side: str) -> str:
    """Return the label of an axis or of a tied one (`twinx`, `sharex`), since tied axes share one label."""
    tied = axes.get_shared_x_axes() if side == "x" else axes.get_shared_y_axes()
    labels = (getattr(each, f"get_{side}label")() for each in (axes, *tied.get_siblings(axes)))
    return next((label for label in labels if label), "")


def _describe_line(line: Any) -> LineDescription:
    label = str(line.get_label())
    return LineDescription(label="" if label.startswith("_") else clip(label), y=numbers(line.get_ydata(orig=False)))


def _describe_scatter(points: Any) -> LineDescription:
    label = str(points.get_label())
    offsets = np.ma.asarray(points.get_offsets())
    y = numbers(offsets[:, 1]) if offsets.ndim > 1 else []
    return LineDescription(label="" if label.startswith("_") else clip(label), y=y)


def numbers(values: Any) -> list[float | None]:
    """Return the values of a line, thinned if they are many, with None for a value that is not a number."""
    try:
        found: np.ndarray = np.ma.filled(np.ma.asarray(values, dtype=float), np.nan).ravel()
    except (TypeError, ValueError):
        return []
    if len(found) > MAX_POINTS:
        found = found[np.linspace(0, len(found) - 1, MAX_POINTS).round().astype(int)]
    return [float(number) if np.isfinite(number) else None for number in found]


def _of_class(held: Iterable[Any], cls: str) -> list[Any]:
    return [item for item in held if any(base.__name__ == cls for base in type(item).__mro__)]


def _count(held: Iterable[Any], cls: str, weigh: Callable[[Any], int]) -> int:
    return sum(weigh(item) for item in _of_class(held, cls))


def _text(item: Any) -> str:
    return clip(item.get_text())


def clip(text: Any) -> str:
    """Cut a text of a figure."""
    return str(text or "")[:MAX_TEXT]


class Drawn:
    """Writes one event per cell for each figure, even if the unchanged figure is drawn again."""

    def __init__(self, recorder: Recorder) -> None:
        """Start without figures.

        Args:
            recorder: Receives the `figure` events.
        """
        self._recorder = recorder
        self._cell = -1
        self._seen: set[str] = set()

    def see(self, figure: FigureDescription) -> None:
        """Write the event of a figure, unless it is empty or was written in this cell."""
        described: FigureDescription = plain(figure)
        if not described["axes"]:
            # `savefig` after `show` writes an empty page, which does not count as a figure.
            return
        digest = hashlib.sha256(json.dumps(described).encode()).hexdigest()
        if self._cell != self._recorder.log.cell:
            self._cell = self._recorder.log.cell
            self._seen.clear()
        if digest not in self._seen:
            self._seen.add(digest)
            self._recorder.log.write(Figure(kind="figure", figure=described))


def install(recorder: Recorder) -> None:
    """Watch figures after the import of matplotlib, and show them under their cells by default.

    Both the display under a cell and `savefig` end in `FigureCanvasBase.print_figure`, and so do pandas and seaborn.

    Args:
        recorder: Receives the `figure` events.
    """
    os.environ.setdefault("MPLBACKEND", INLINE)
    name = "FigureCanvasBase.print_figure"
    drawn = Drawn(recorder)

    def print_figure(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        # Draw the student's figure even if it cannot be described.
        try:
            drawn.see(describe_figure(instance.figure))
        except Exception as problem:
            recorder.gap(name, problem)
        return wrapped(*args, **kwargs)

    def hook(module: ModuleType) -> None:
        try:
            wrapt.wrap_function_wrapper(module, name, print_figure)
        except Exception as problem:
            recorder.gap(name, problem)

    after_import("matplotlib.backend_bases", hook)
