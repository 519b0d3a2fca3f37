"""The diagnostics in `loss`, on notebooks that make the mistake and on notebooks that only look like it."""

import pytest

from grader.facts.case import Case
from grader.schema.evidence import Evidence, LayerFact, LossFact
from tests.support.diagnosing import Cases, each, found, left_alone, net, recognised
from tests.support.factories import a_fit, a_model, activation, an_evidence, dense, layer, operation


def looped(*layers: LayerFact, logits: bool) -> Evidence:
    """A network that two loops of the student's own trained."""
    loss = LossFact(name="sparse_categorical_crossentropy", from_logits=logits)
    fits = tuple(a_fit(kind="custom_loop", event=event, loss=loss, compiled=None) for event in (5, 9))
    return an_evidence(models=(a_model(*layers),), compiles=(), fits=fits)


MISTAKES: Cases = {
    "softmax-with-from-logits": (
        net(dense(10, "softmax"), logits=True),
        net(dense(10), activation("softmax"), logits=True),
        net(dense(1, "sigmoid"), compiled="binary_crossentropy", logits=True),
        looped(dense(10, "softmax"), logits=True),
    ),
    "logits-with-probability-loss": (
        net(dense(10)),
        net(dense(10, None), compiled="categorical_crossentropy"),
        net(dense(1), compiled="binary_crossentropy"),
        looped(dense(10), logits=False),
    ),
    "softmax-on-one-unit": (net(dense(1, "softmax"), compiled="binary_crossentropy"),),
}


LOOKALIKES: Cases = {
    "softmax-with-from-logits": (
        net(dense(10, "softmax")),
        net(dense(10), logits=True),
        net(dense(10, "softmax"), compiled=LossFact(name="mine", from_logits=True, custom=True)),
        looped(dense(10, "softmax"), logits=False),
        looped(dense(10), logits=True),
    ),
    "logits-with-probability-loss": (
        net(dense(10), logits=True),
        net(dense(10, "softmax")),
        net(dense(10), compiled="mean_squared_error"),
        net(dense(10), layer("Lambda")),
        looped(dense(10), logits=True),
        net(dense(10), operation("Softmax")),
        net(dense(10), operation("Add")),
    ),
    "softmax-on-one-unit": (net(dense(1, "sigmoid")), net(dense(2, "softmax"))),
}


@pytest.mark.parametrize(("name", "one"), each(MISTAKES))
def test_the_mistake_is_recognised(name: str, one: Evidence | Case) -> None:
    recognised(name, one)


@pytest.mark.parametrize(("name", "one"), each(LOOKALIKES))
def test_what_only_looks_like_the_mistake_is_left_alone(name: str, one: Evidence | Case) -> None:
    left_alone(name, one)


def test_a_loss_of_several_loops_is_one_note() -> None:
    assert len(found("softmax-with-from-logits", looped(dense(10, "softmax"), logits=True))) == 1
