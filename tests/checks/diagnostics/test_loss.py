"""The diagnostics in `loss`, on notebooks with the mistakes and on notebooks that only resemble them."""

import pytest

from grader.facts.case import Case
from grader.schema.evidence import Evidence, LayerFact, LossFact
from grader.schema.message import as_message
from tests.support.diagnosing import Cases, assert_not_noted, assert_noted, each, net, notes_of
from tests.support.factories import a_fit, a_model, activation, an_evidence, dense, layer, operation


def looped(*layers: LayerFact, logits: bool) -> Evidence:
    """Make a model that two custom loops trained."""
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
def test_the_mistake_is_noted(name: str, one: Evidence | Case) -> None:
    assert_noted(name, one)


@pytest.mark.parametrize(("name", "one"), each(LOOKALIKES))
def test_a_look_alike_is_not_noted(name: str, one: Evidence | Case) -> None:
    assert_not_noted(name, one)


def test_a_loss_of_several_loops_is_one_note() -> None:
    assert len(notes_of("softmax-with-from-logits", looped(dense(10, "softmax"), logits=True))) == 1


def test_the_notes_name_the_activation_the_loss_and_the_cell() -> None:
    (note,) = notes_of("softmax-with-from-logits", MISTAKES["softmax-with-from-logits"][2])
    assert as_message(note.title).id == "Sigmoid output with from_logits=True"
    values = as_message(note.message).values
    assert (values["activation"], values["loss"], values["cell"]) == ("sigmoid", "binary_crossentropy", note.cell)
    (note,) = notes_of("logits-with-probability-loss", MISTAKES["logits-with-probability-loss"][2])
    assert as_message(note.advice).values == {"function": "sigmoid"}
    (note,) = notes_of("logits-with-probability-loss", MISTAKES["logits-with-probability-loss"][0])
    assert as_message(note.advice).values == {"function": "softmax"}
