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


def adversarial(owner: str, *, at: str = "m2", last: str = "linear") -> Evidence:
    """Make a GAN: each of two loops trains one model, with a loss of the output of the model `owner`."""
    loss = LossFact(name="binary_crossentropy", from_logits=True)
    judge, maker = a_model(dense(1, last)), a_model(dense(784, "sigmoid"), model_id="m2", name="generator")
    fits = tuple(
        a_fit(kind="custom_loop", event=event, model=model, loss=loss, loss_of=(owner,), compiled=None)
        for event, model in ((5, "m1"), (9, at))
    )
    return an_evidence(models=(judge, maker), compiles=(), fits=fits)


def wrapped(*receivers: str) -> Evidence:
    """Make a loop whose loss received the output of these models."""
    (fit, _), (model,) = looped(dense(10), logits=False).fits, looped(dense(10), logits=False).models
    return an_evidence(models=(model,), compiles=(), fits=(fit.model_copy(update={"loss_of": receivers}),))


MISTAKES: Cases = {
    "softmax-with-from-logits": (
        net(dense(10, "softmax"), logits=True),
        net(dense(10), activation("softmax"), logits=True),
        net(dense(1, "sigmoid"), compiled="binary_crossentropy", logits=True),
        looped(dense(10, "softmax"), logits=True),
        # A discriminator with sigmoid; both losses receive its output.
        adversarial("m1", last="sigmoid"),
    ),
    "logits-with-probability-loss": (
        net(dense(10)),
        net(dense(10, None), compiled="categorical_crossentropy"),
        net(dense(1), compiled="binary_crossentropy"),
        looped(dense(10), logits=False),
        wrapped("m1"),
        wrapped("m0", "m1"),
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
        # The generator ends in sigmoid; the loss receives the discriminator's logits.
        adversarial("m1"),
        # An old record: the loss of two loops may belong to either model.
        adversarial("m1").model_copy(
            update={"fits": tuple(f.model_copy(update={"loss_of": None}) for f in adversarial("m1").fits)}
        ),
    ),
    "logits-with-probability-loss": (
        net(dense(10), logits=True),
        net(dense(10, "softmax")),
        net(dense(10), compiled="mean_squared_error"),
        net(dense(10), layer("Lambda")),
        looped(dense(10), logits=True),
        net(dense(10), operation("Softmax")),
        net(dense(10), operation("Add")),
        # `loss(y, tf.nn.softmax(model(x)))`: the loss received another tensor.
        wrapped(),
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


def test_the_note_about_a_loss_names_the_model_whose_output_it_received() -> None:
    (note,) = notes_of("softmax-with-from-logits", adversarial("m1", last="sigmoid"))
    assert note.model == "m1"


def test_the_notes_name_the_activation_the_loss_and_the_cell() -> None:
    (note,) = notes_of("softmax-with-from-logits", MISTAKES["softmax-with-from-logits"][2])
    assert as_message(note.title).id == "Sigmoid output with from_logits=True"
    values = as_message(note.message).values
    assert (values["activation"], values["loss"], values["cell"]) == ("sigmoid", "binary_crossentropy", note.cell)
    (note,) = notes_of("logits-with-probability-loss", MISTAKES["logits-with-probability-loss"][2])
    assert as_message(note.advice).values == {"function": "sigmoid"}
    (note,) = notes_of("logits-with-probability-loss", MISTAKES["logits-with-probability-loss"][0])
    assert as_message(note.advice).values == {"function": "softmax"}
