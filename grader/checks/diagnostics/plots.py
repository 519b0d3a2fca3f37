"""Figures that do not say what they show."""

from pydantic import Field

from grader.checks.registry import diagnostic
from grader.checks.support.params import Params, Whole
from grader.facts.case import Case
from grader.facts.wording import listed, plural
from grader.schema.base import spoken_cell
from grader.schema.evidence import AxesFact, FigureFact
from grader.schema.grade import Diagnostic

__all__ = ["FigureWithoutLabelsParams", "unlabelled_axes"]


class FigureWithoutLabelsParams(Params):
    """Parameters of `figure-without-labels`."""

    curve_points: Whole = Field(default=2, ge=1)
    """Fewest points that make a line a curve."""


@diagnostic("figure-without-labels")
def unlabelled_axes(case: Case, parameters: FigureWithoutLabelsParams) -> tuple[Diagnostic, ...]:
    """A plot has no labels on its axes.

    What it does:
        Looks at axes with curves, points or bars; axes that only show pictures need no labels. In a grid, the labels
        of the left column and the bottom row are often meant for all, so one labelled pair of axes is enough for a
        direction.

    Why it matters:
        A curve without labels could be anything over anything.

    Example:
        `plt.plot(history.history["loss"])` with no `plt.xlabel`.
    """
    notes = []
    for cell in dict.fromkeys(figure.cell for figure in case.evidence.figures):
        figures = [figure for figure in case.evidence.figures if figure.cell == cell]
        bad = [(f, lacking) for f in figures if (lacking := _lacking(f, parameters.curve_points))]
        if not bad:
            continue
        missing = listed(sorted({axis for _, lacking in bad for axis in lacking}))
        plots = "A plot" if len(bad) == 1 else plural(len(bad), "plot")
        notes.append(
            Diagnostic(
                id="figure-without-labels",
                title="A figure without axis labels",
                cell=cell,
                message=(
                    f"{plots} in {spoken_cell(cell)} {'lacks' if len(bad) == 1 else 'lack'} a label on the {missing} "
                    f"{'axis' if len(missing) == 1 else 'axes'}."
                ),
                advice=(
                    "Say what each axis shows, for instance `plt.xlabel('epoch')` and `plt.ylabel('accuracy')`. "
                    "Several curves in one plot also need `label=` and `plt.legend()`."
                ),
            )
        )
    return tuple(notes)


def _lacking(figure: FigureFact, curve_points: int) -> tuple[str, ...]:
    drawn = [axes for axes in figure.axes if _needs_labels(axes, curve_points)]
    if not drawn:
        return ()
    labels = {"x": [a.xlabel for a in drawn], "y": [a.ylabel for a in drawn]}
    return tuple(axis for axis, texts in labels.items() if not any(text.strip() for text in texts))


def _needs_labels(axes: AxesFact, curve_points: int) -> bool:
    return bool(axes.bars or axes.points or any(len(line.y) >= curve_points for line in axes.lines))
