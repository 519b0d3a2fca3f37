"""The diagnostics in `architecture`, on notebooks with the mistakes and on notebooks that only resemble them."""

import pytest

from grader.facts.case import Case
from grader.schema.evidence import Evidence, LossFact, ModelFact
from tests.support.diagnosing import Cases, assert_not_noted, assert_noted, built, each, net
from tests.support.factories import a_compile, a_fit, a_model, activation, an_evidence, dense, dropout, layer, operation


def gated() -> ModelFact:
    """Attention: softmax whose output multiplies something."""
    layers = (
        layer("InputLayer", "in"),
        dense(8, "softmax", name="gate").model_copy(update={"inbound": ("in",)}),
        layer("Multiply", "mix", inbound=("in", "gate")),
        dense(10, "softmax", name="out").model_copy(update={"inbound": ("mix",)}),
    )
    return a_model(*layers, cls="Functional")


MISTAKES: Cases = {
    "softmax-in-hidden-layer": (
        built(dense(512, "softmax"), dense(10, "softmax")),
        built(dense(512), activation("softmax"), dropout(), dense(10)),
        built(dense(512), layer("Softmax"), dense(10)),
        built(dense(512), operation("Softmax"), dense(10)),
    ),
    "sigmoid-on-one-of-many": (
        built(dense(10, "sigmoid")),
        built(dense(10), activation("sigmoid", units=10), dropout()),
        net(dense(10, "sigmoid"), compiled="binary_crossentropy"),
        an_evidence(
            models=(a_model(dense(10, "sigmoid")),),
            compiles=(),
            fits=(a_fit(kind="custom_loop", y=None, loss=LossFact(name="categorical_crossentropy")),),
        ),
    ),
    "dropout-after-output": (
        built(dense(10, "softmax"), dropout(0.5)),
        built(dense(10), dropout(0.5), activation("softmax", units=10)),
    ),
}


LOOKALIKES: Cases = {
    "softmax-in-hidden-layer": (
        an_evidence(),
        built(dense(10), activation("softmax"), dropout()),
        an_evidence(models=(gated(),)),
        built(dense(8, "softmax"), operation("Matmul"), dense(10)),
    ),
    "sigmoid-on-one-of-many": (
        an_evidence(),
        built(dense(1, "sigmoid")),
        built(dense(784, "sigmoid")),
        an_evidence(models=(a_model(dense(10, "sigmoid")),), compiles=(a_compile("binary_crossentropy"),), fits=()),
        an_evidence(
            models=(a_model(dense(10, "sigmoid")),),
            fits=(a_fit(y=a_fit().y.model_copy(update={"classes": {}})),),  # type: ignore[union-attr]  # the factory's training has labels
        ),
        # A loop of the student's own, with labels that the record does not have.
        an_evidence(
            models=(a_model(dense(10, "sigmoid")),), compiles=(), fits=(a_fit(kind="custom_loop", y=None, history={}),)
        ),
        an_evidence(
            models=(a_model(dense(10, "sigmoid")),),
            compiles=(),
            fits=(a_fit(kind="custom_loop", y=None, loss=LossFact(name="binary_crossentropy")),),
        ),
    ),
    "dropout-after-output": (
        an_evidence(),
        built(dropout(), dense(10)),
        built(dense(9), dropout(), activation("relu"), dense(10)),
        # A loop trains two models, one after the other; the loss receives the output of the second.
        an_evidence(
            models=(a_model(dense(9), dropout()), a_model(dense(10), model_id="m2", name="head")),
            compiles=(),
            fits=(a_fit(kind="custom_loop", loss_of=("m2",)),),
        ),
        an_evidence(
            models=(
                a_model(dense(9), dropout(), model_id="m0", name="features", shares_layers_with=("m1",)),
                a_model(dense(9), dropout(), dense(10)),
            )
        ),
    ),
}


@pytest.mark.parametrize(("name", "one"), each(MISTAKES))
def test_the_mistake_is_noted(name: str, one: Evidence | Case) -> None:
    assert_noted(name, one)


@pytest.mark.parametrize(("name", "one"), each(LOOKALIKES))
def test_a_look_alike_is_not_noted(name: str, one: Evidence | Case) -> None:
    assert_not_noted(name, one)
