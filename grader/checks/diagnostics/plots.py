"""Figures without axis labels."""

from typing import Literal

from pydantic import Field

from grader.checks.registry import diagnostic
from grader.checks.support.params import Params, Whole
from grader.facts.case import Case
from grader.schema.evidence import AxesFact, FigureFact
from grader.schema.grade import Diagnostic
from grader.schema.message import Message, say, say_count

__all__ = ["FigureWithoutLabelsParams", "unlabelled_axes"]

_Side = Literal["x", "y"]
_SIDES: tuple[_Side, ...] = ("x", "y")


class FigureWithoutLabelsParams(Params):
    """Parameters of `figure-without-labels`."""

    curve_points: Whole = Field(default=2, ge=1)
    """Smallest number of points of a line that counts as a curve."""


@diagnostic("figure-without-labels")
def unlabelled_axes(case: Case, parameters: FigureWithoutLabelsParams) -> tuple[Diagnostic, ...]:
    """A plot has no labels on its axes.

    What it does:
        Looks at axes with curves, points or bars; axes that show an image need no labels, also with a line or points
        drawn on it. Neither do axes that are switched off or have no ticks, nor ticks with names, such as classes. In a
        grid, the labels of the left column and the bottom row often apply to all plots, so one label per direction is
        enough.

    Why it matters:
        Without labels, nobody knows what a curve shows.

    Example:
        `plt.plot(history.history["loss"])` with no `plt.xlabel`.
    """
    notes = []
    for cell in dict.fromkeys(figure.cell for figure in case.evidence.figures):
        figures = [figure for figure in case.evidence.figures if figure.cell == cell]
        unlabelled = [axes for figure in figures if (axes := _unlabelled(figure, parameters.curve_points))]
        if not unlabelled:
            continue
        notes.append(
            Diagnostic(
                id="figure-without-labels",
                title=say("A figure without axis labels"),
                cell=cell,
                message=_missing_labels(cell, len(unlabelled), sorted({axis for axes in unlabelled for axis in axes})),
                advice=say(
                    "Name what each axis shows, for example with `plt.xlabel('epoch')` and `plt.ylabel('accuracy')`. "
                    "Several curves in one plot also need `label=` and `plt.legend()`."
                ),
            )
        )
    return tuple(notes)


def _missing_labels(cell: int | None, plots: int, axes: list[str]) -> Message:
    if len(axes) > 1:
        return say_count(
            "A plot in {cell:cell} has no label on its x and y axes.",
            "{count:number} plots in {cell:cell} lack labels on their x and y axes.",
            plots,
            cell=cell,
        )
    return say_count(
        "A plot in {cell:cell} has no label on its {axis:raw} axis.",
        "{count:number} plots in {cell:cell} have no label on their {axis:raw} axis.",
        plots,
        cell=cell,
        axis=axes[0],
    )


def _unlabelled(figure: FigureFact, curve_points: int) -> tuple[str, ...]:
    drawn = [axes for axes in figure.axes if _needs_labels(axes, curve_points)]
    if not drawn:
        return ()
    return tuple(side for side in _SIDES if not any(_is_clear(axes, side) for axes in drawn))


def _is_clear(axes: AxesFact, side: _Side) -> bool:
    """Whether an axis has a label, or needs none: it is not drawn, or its ticks have names."""
    label = axes.xlabel if side == "x" else axes.ylabel
    return bool(label.strip()) or side in axes.hidden or side in axes.named


def _needs_labels(axes: AxesFact, curve_points: int) -> bool:
    drawn = axes.bars or axes.points or any(len(line.y) >= curve_points for line in axes.lines)
    return bool(drawn) and not axes.images
