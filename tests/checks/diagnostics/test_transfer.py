"""The diagnostics in `transfer`, on notebooks with the mistakes and on notebooks that only resemble them."""

import pytest

from grader.facts.case import Case
from grader.schema.evidence import EvaluateFact, Evidence
from tests.support import transfer_cases as transfer
from tests.support.diagnosing import Cases, assert_not_noted, assert_noted, each
from tests.support.factories import a_fit, a_model, an_evidence, dense


def in_turns(*, shared: bool) -> Evidence:
    """Make loops of one cell that train a critic and a model with the critic, which is frozen there."""
    frozen = {"kind": "custom_loop", "trainable": {"a": False}, "digests_before": {"a": "1"}, "cell": 3}
    fits = tuple(
        a_fit(event=event, model=model, **frozen, digests_after={"a": "2"}) for event, model in ((5, "m1"), (6, "m2"))
    )
    sharers = ("m1",) if shared else ()
    models = (a_model(dense(1, name="a")), a_model(dense(1, name="a"), model_id="m2", shares_layers_with=sharers))
    return an_evidence(models=models, fits=fits)


def pretrained(*, used: bool) -> Evidence:
    """Make a classifier on the encoder of an autoencoder, which the classifier's training changes."""
    auto = a_model(dense(8, name="a"), input_shape=(28, 28, 1), output_shape=(28, 28, 1))
    classifier = a_model(dense(8, name="a"), dense(10, name="b"), model_id="m2", shares_layers_with=("m1",))
    fits = (
        a_fit(event=5, digests_before={"a": "1"}, digests_after={"a": "2"}),
        a_fit(event=6, model="m2", digests_before={"a": "2", "b": "1"}, digests_after={"a": "3", "b": "2"}),
    )
    evaluations = (EvaluateFact(event=9, cell=4, model="m1", results={"loss": 0.1}),) if used else ()
    return an_evidence(models=(auto, classifier), fits=fits, evaluations=evaluations)


def made_again(*, units: int = 2, used: bool = False) -> Evidence:
    """Make a trained model whose layers a second `Model(inputs, outputs)` has, which is trained further."""
    first = a_model(dense(8, name="a"), dense(units, name="b"))
    second = a_model(dense(8, name="a"), dense(2, name="b"), model_id="m2", shares_layers_with=("m1",))
    fits = (
        a_fit(event=5, digests_before={"a": "1"}, digests_after={"a": "2"}),
        a_fit(event=6, model="m2", digests_before={"a": "2", "b": "1"}, digests_after={"a": "3", "b": "2"}),
    )
    evaluations = (EvaluateFact(event=9, cell=4, model="m1", results={"loss": 0.1}),) if used else ()
    return an_evidence(models=(first, second), fits=fits, evaluations=evaluations)


MISTAKES: Cases = {
    "frozen-layers-changed": (
        transfer.changed(head={"digests_after": transfer.ALL_MOVED}),
        # Two models without shared layers.
        in_turns(shared=False),
    ),
    "unfrozen-layers-unchanged": (transfer.changed(tail={"digests_after": transfer.HEAD_ONLY}),),
    "shared-layers-changed": (
        transfer.evidence(saves=()),
        transfer.evidence(evaluations=(transfer.evaluated(transfer.FIRST, 60, 6),)),
        # An autoencoder that is tested after its encoder was changed.
        pretrained(used=True),
        # A layer of another size in the place of the last one, and a form of the same model that is used again.
        made_again(units=3),
        made_again(used=True),
    ),
}


LOOKALIKES: Cases = {
    "frozen-layers-changed": (
        transfer.evidence(),
        transfer.changed(tail={"trainable": {}}),
        # A GAN: the critic is trained alone, and frozen inside of the other model.
        in_turns(shared=True),
    ),
    "unfrozen-layers-unchanged": (
        transfer.evidence(),
        transfer.adapted(),
        transfer.changed(tail={"epochs_done": 0, "digests_after": transfer.HEAD_ONLY}),
        transfer.changed(head={"trainable": {}}, tail={"digests_after": transfer.HEAD_ONLY}),
    ),
    "shared-layers-changed": (
        transfer.evidence(),
        transfer.evidence(models=transfer.unshared(), saves=()),
        transfer.evidence(fits=transfer.evidence().fits[1:], saves=()),
        transfer.evidence(evaluations=(transfer.evaluated(transfer.FIRST, 45, 0),)),
        transfer.evidence(models=transfer.popped(), saves=()),
        pretrained(used=False),
        # Two forms of one model: a training with frozen layers, then one of `Model(inputs, outputs)`.
        made_again(),
    ),
}


@pytest.mark.parametrize(("name", "one"), each(MISTAKES))
def test_the_mistake_is_noted(name: str, one: Evidence | Case) -> None:
    assert_noted(name, one)


@pytest.mark.parametrize(("name", "one"), each(LOOKALIKES))
def test_a_look_alike_is_not_noted(name: str, one: Evidence | Case) -> None:
    assert_not_noted(name, one)
