"""The diagnostics in `reuse`, on notebooks that make the mistake and on notebooks that only look like it."""

import pytest

from grader.facts.case import Case
from grader.schema.evidence import Evidence, OptimizerFact
from tests.support.diagnosing import Cases, each, left_alone, recognised
from tests.support.factories import a_compile, a_model, an_evidence


def optimised(*ids: tuple[str, str]) -> Evidence:
    """Compiles of (model, optimizer)."""
    models = tuple(a_model(model_id=model, name=model) for model in dict.fromkeys(model for model, _ in ids))
    compiles = tuple(
        a_compile(event=place, model=model, optimizer=OptimizerFact(cls="Nadam", id=optimizer))
        for place, (model, optimizer) in enumerate(ids, start=5)
    )
    return an_evidence(models=models, compiles=compiles)


MISTAKES: Cases = {
    "optimizer-reused": (optimised(("m1", "o1"), ("m2", "o1")), optimised(("m1", "o1"), ("m1", "o1"), ("m2", "o1"))),
}


LOOKALIKES: Cases = {
    "optimizer-reused": (
        optimised(("m1", "o1"), ("m2", "o2")),
        optimised(("m1", "o1"), ("m1", "o1")),
        optimised(("m1", ""), ("m2", "")),
    ),
}


@pytest.mark.parametrize(("name", "one"), each(MISTAKES))
def test_the_mistake_is_recognised(name: str, one: Evidence | Case) -> None:
    recognised(name, one)


@pytest.mark.parametrize(("name", "one"), each(LOOKALIKES))
def test_what_only_looks_like_the_mistake_is_left_alone(name: str, one: Evidence | Case) -> None:
    left_alone(name, one)
