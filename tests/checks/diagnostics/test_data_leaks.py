"""The diagnostics in `data_leaks`, on notebooks that make the mistake and on notebooks that only look like it."""

import pytest

from grader.facts.case import Case
from grader.schema.evidence import Evidence
from tests.support.diagnosing import Cases, each, left_alone, recognised
from tests.support.factories import a_fit, an_array, an_evidence, rows

MISTAKES: Cases = {
    "validation-on-test-set": (an_evidence(fits=(a_fit(val_x=an_array(10_000, of=rows(test=10_000))),)),),
    "test-images-in-training-data": (an_evidence(fits=(a_fit(x=an_array(of=rows(train=60_000, test=10_000))),)),),
}


LOOKALIKES: Cases = {
    "validation-on-test-set": (
        an_evidence(),
        an_evidence(fits=(a_fit(val_x=an_array(6_000, of=rows(6_000, 5, method="neighbour"))),)),
    ),
    "test-images-in-training-data": (
        an_evidence(),
        an_evidence(fits=(a_fit(val_x=an_array(10_000, of=rows(test=10_000))),)),
    ),
}


@pytest.mark.parametrize(("name", "one"), each(MISTAKES))
def test_the_mistake_is_recognised(name: str, one: Evidence | Case) -> None:
    recognised(name, one)


@pytest.mark.parametrize(("name", "one"), each(LOOKALIKES))
def test_what_only_looks_like_the_mistake_is_left_alone(name: str, one: Evidence | Case) -> None:
    left_alone(name, one)
