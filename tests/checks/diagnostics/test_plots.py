"""The diagnostics in `plots`, on notebooks that make the mistake and on notebooks that only look like it."""

import pytest

from grader.facts.case import Case
from grader.schema.evidence import Evidence
from tests.support.diagnosing import Cases, each, left_alone, recognised
from tests.support.factories import a_figure, an_evidence

MISTAKES: Cases = {
    "figure-without-labels": (
        an_evidence(figures=(a_figure((1.0, 2.0), xlabel="", ylabel=""),)),
        an_evidence(figures=(a_figure(bars=10, ylabel=""),)),
    ),
}


LOOKALIKES: Cases = {
    "figure-without-labels": (
        an_evidence(),
        an_evidence(figures=(a_figure(xlabel="", ylabel="", images=25),)),
        an_evidence(figures=()),
    ),
}


@pytest.mark.parametrize(("name", "one"), each(MISTAKES))
def test_the_mistake_is_recognised(name: str, one: Evidence | Case) -> None:
    recognised(name, one)


@pytest.mark.parametrize(("name", "one"), each(LOOKALIKES))
def test_what_only_looks_like_the_mistake_is_left_alone(name: str, one: Evidence | Case) -> None:
    left_alone(name, one)
