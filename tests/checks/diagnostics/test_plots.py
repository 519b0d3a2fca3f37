"""The diagnostics in `plots`, on notebooks with the mistakes and on notebooks that only resemble them."""

import pytest

from grader.facts.case import Case
from grader.schema.evidence import Evidence
from tests.support.diagnosing import Cases, assert_not_noted, assert_noted, each, notes_of
from tests.support.factories import a_figure, an_evidence
from tests.support.says import says

MISTAKES: Cases = {
    "figure-without-labels": (
        an_evidence(figures=(a_figure((1.0, 2.0), xlabel="", ylabel=""),)),
        an_evidence(figures=(a_figure(bars=10, ylabel=""),)),
        # Only the ticks of the y axis were removed.
        an_evidence(figures=(a_figure((1.0, 2.0), xlabel="", ylabel="", hidden=("y",)),)),
    ),
}


LOOKALIKES: Cases = {
    "figure-without-labels": (
        an_evidence(),
        an_evidence(figures=(a_figure(xlabel="", ylabel="", images=25),)),
        an_evidence(figures=()),
        # A line or points on an image mark a place in it.
        an_evidence(figures=(a_figure((3.0, 12.0), xlabel="", ylabel="", images=1, points=2),)),
        # `ax.axis("off")`: a drawing, not a plot.
        an_evidence(figures=(a_figure((0.0, 1.0), xlabel="", ylabel="", points=2, hidden=("x", "y")),)),
        # Bars of classes: the ticks have the classes' names, and the other axis has none.
        an_evidence(figures=(a_figure(bars=10, xlabel="", ylabel="", named=("x",), hidden=("y",)),)),
    ),
}


@pytest.mark.parametrize(("name", "one"), each(MISTAKES))
def test_the_mistake_is_noted(name: str, one: Evidence | Case) -> None:
    assert_noted(name, one)


@pytest.mark.parametrize(("name", "one"), each(LOOKALIKES))
def test_a_look_alike_is_not_noted(name: str, one: Evidence | Case) -> None:
    assert_not_noted(name, one)


def test_the_note_names_the_axes_without_labels() -> None:
    both, one, _ = (notes_of("figure-without-labels", case)[0] for case in MISTAKES["figure-without-labels"])
    assert says(both.message, "A plot in {cell:cell} has no label on its x and y axes.", count=1)
    assert says(one.message, "A plot in {cell:cell} has no label on its {axis:raw} axis.", count=1, axis="y")
