"""Records every Plotly figure when it is shown, in the form of a matplotlib figure."""

import base64
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
import wrapt

from ..hooking.imports import after_import
from ..record.events import MAX_LINES, AxesDescription, FigureDescription, LineDescription
from ..record.recorder import Recorder
from .figures import Drawn, clip, numbers

__all__ = ["describe_plotly", "install"]

_LINES = frozenset({"scatter", "scattergl"})
_BARS = frozenset({"bar", "histogram"})
_IMAGES = frozenset({"heatmap", "image", "contour"})
_SIDES = ("x", "y")


def describe_plotly(figure: Mapping[str, Any]) -> FigureDescription:
    """Describe a figure for its event.

    Args:
        figure: A Plotly figure as a dictionary with `data` and `layout`.
    """
    layout = _dict(figure.get("layout"))
    axes: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for trace in map(_dict, list(figure.get("data") or ())[:MAX_LINES]):
        if trace.get("type", "scatter") in _LINES | _BARS | _IMAGES:
            place = str(trace.get("xaxis") or "x"), str(trace.get("yaxis") or "y")
            axes.setdefault(place, []).append(trace)
    return FigureDescription(
        title=_title(layout), axes=[_describe_axes(place, traces, layout) for place, traces in axes.items()]
    )


def _describe_axes(place: tuple[str, str], traces: list[dict[str, Any]], layout: Mapping[str, Any]) -> AxesDescription:
    # A trace on `x2` belongs to the layout's `xaxis2`.
    x, y = (_dict(layout.get(f"{axis[:1]}axis{axis[1:]}")) for axis in place)
    drawn = [trace for trace in traces if trace.get("type", "scatter") in _LINES]
    points = [trace for trace in drawn if trace.get("mode") == "markers"]
    described = AxesDescription(
        title="",
        xlabel=_title(x),
        ylabel=_title(y),
        legend=[
            clip(trace.get("name")) for trace in traces if trace.get("name") and trace.get("showlegend") is not False
        ],
        lines=[_describe_trace(trace) for trace in drawn if trace not in points],
        scatters=[_describe_trace(trace) for trace in points],
        images=sum(trace.get("type") in _IMAGES for trace in traces),
        bars=sum(len(_values(trace, "y")) for trace in traces if trace.get("type") in _BARS),
        points=sum(len(_values(trace, "y")) for trace in points),
    )
    if hidden := [side for side, axis in zip(_SIDES, (x, y), strict=True) if _is_hidden(axis)]:
        described["hidden"] = hidden  # type: ignore[typeddict-item]  # one of two literals
    return described


def _is_hidden(axis: Mapping[str, Any]) -> bool:
    return axis.get("visible") is False or axis.get("showticklabels") is False


def _title(part: Mapping[str, Any]) -> str:
    title = part.get("title")
    return clip(title.get("text") if isinstance(title, Mapping) else title)


def _describe_trace(trace: Mapping[str, Any]) -> LineDescription:
    return LineDescription(label=clip(trace.get("name")), y=numbers(_values(trace, "y")))


def _values(trace: Mapping[str, Any], key: str) -> Any:
    """Return the values of a trace; Plotly 6 packs arrays of numbers as base64."""
    values = trace.get(key)
    if isinstance(values, Mapping):
        return np.frombuffer(base64.b64decode(values["bdata"]), np.dtype(str(values["dtype"])))
    return [] if values is None else values


def _dict(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def install(recorder: Recorder) -> None:
    """Watch figures after the import of Plotly.

    `show`, the display under a cell, `plotly.offline` and pandas all end in one function, which gets the figure as a
    dictionary.

    Args:
        recorder: Receives the `figure` events.
    """
    name = "RenderersConfig._build_mime_bundle"
    method = name.rpartition(".")[2]
    drawn = Drawn(recorder)

    def build(wrapped: Any, _: Any, args: Any, kwargs: Any) -> Any:
        # Show the student's figure even if it cannot be described.
        try:
            drawn.see(describe_plotly(args[0] if args else kwargs["fig_dict"]))
        except Exception as problem:
            recorder.gap(name, problem)
        return wrapped(*args, **kwargs)

    def hook(module: ModuleType) -> None:
        try:
            # Plotly deletes the name of the class after it made the only instance.
            wrapt.wrap_function_wrapper(type(module.renderers), method, build)
        except Exception as problem:
            recorder.gap(name, problem)

    after_import("plotly.io._renderers", hook)
