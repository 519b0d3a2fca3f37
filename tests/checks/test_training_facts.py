"""The checks of how networks were trained: optimizer, loss, callbacks, rates, batches, labels, ranges, splits."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.checks import all_checks
from grader.checks.learning_rate import shape_of
from grader.schema.evidence import Evidence, FitFact, LabelFact, LayerFact, LossFact, OptimizerFact
from grader.schema.grade import Finding, RoleMatch
from tests.support.factories import (
    HISTORY,
    a_case,
    a_compile,
    a_fit,
    a_model,
    a_named_array,
    an_accuracy,
    an_array,
    an_evidence,
    callback,
    dense,
    layer,
    operation,
    rows,
)

ONE_HOT = LabelFact(shape=(54_000, 10), dtype="float32", one_hot=True, classes={str(k): 5_400 for k in range(10)})
COLUMN = LabelFact(shape=(50_000, 1), dtype="uint8", one_hot=False, classes={str(k): 5_000 for k in range(10)})
LOOP = a_fit(kind="custom_loop", epochs_done=0, batch_size=None, total_steps=400, compiled=None, x=None)

RAISED = a_fit(event=9, status="error", epochs_done=0, history={}, learning_rates=(), total_steps=1)


def judge(check: str, evidence: Evidence | None = None, roles: dict[str, RoleMatch] | None = None, **w: Any) -> Finding:
    spec = all_checks()[check]
    return spec.run(a_case(evidence, None, **(roles or {})), spec.parameters.model_validate(w))


def compiled(cls: str = "Nadam", rate: float | None = 1e-4, **config: Any) -> Evidence:
    return an_evidence(compiles=(a_compile(optimizer=OptimizerFact(cls=cls, learning_rate=rate, config=config)),))


def fitted(*fits: FitFact, **keys: Any) -> Evidence:
    return an_evidence(fits=fits or (a_fit(**keys),))


def raw(*first: LayerFact) -> Evidence:
    """A network that was given raw pixels, with these layers before its first weights."""
    return an_evidence(
        models=(a_model(*first, dense(10), cls="Functional"),),
        fits=(a_fit(x=an_array(high=255.0, mean=33.3, std=78.6)),),
    )


GOOD: dict[str, tuple[tuple[Evidence, dict[str, Any]], ...]] = {
    "optimizer": (
        (compiled(), {"cls": "nadam", "learning_rate": {"at_most": 0.001}}),
        (compiled("RMSprop"), {"cls": ["SGD", "adaptive"]}),
        (compiled("SGD", momentum=0.9, nesterov=True), {"momentum": {"at_least": 0.5}, "nesterov": True}),
        (compiled("SGD", clipvalue=0.5), {"clipping": True, "clipvalue": {"at_most": 1.0}}),
        (compiled("Adam", global_clipnorm=1.0), {"clipnorm": {"at_most": 1.0}}),
        (
            compiled("SGD", None, learning_rate={"class_name": "S", "config": {"initial_learning_rate": 0.01}}),
            {"learning_rate": {"at_least": 0.01, "at_most": 0.01}},
        ),
    ),
    "loss": (
        (an_evidence(), {"name": "sparse_categorical_crossentropy"}),
        (
            an_evidence(models=(a_model(dense(10)),), compiles=(a_compile(from_logits=True),)),
            {"from_logits": True},
        ),
    ),
    "callback": (
        (
            fitted(callbacks=(callback("EarlyStopping", monitor="val_loss", patience=5, restore_best_weights=True),)),
            {"cls": "EarlyStopping", "patience": {"at_least": 3}, "restore_best_weights": True, "monitor": "val_loss"},
        ),
        (
            fitted(callbacks=(callback("EarlyStopping", monitor="val_acc"),)),
            {"cls": "EarlyStopping", "monitor": ["val_accuracy", "val_loss"]},
        ),
        (fitted(callbacks=(callback("ModelCheckpoint", save_best_only=True),)), {"cls": ["ModelCheckpoint", "X"]}),
    ),
    "learning_rate": (
        (fitted(step_rates=(0.1, 0.5, 1.0, 0.6, 0.1, 0.01)), {"shape": "one_cycle", "highest": {"at_least": 0.9}}),
        (fitted(learning_rates=(0.1, 0.1, 0.01)), {"shape": ["decays", "one_cycle"], "first": {"at_least": 0.1}}),
        (fitted(learning_rates=(0.1, 0.1)), {"shape": "constant"}),
    ),
    "training": (
        (an_evidence(), {"kind": "fit", "epochs": {"at_least": 4}, "batch_size": {"at_most": 128}}),
        (fitted(LOOP), {"kind": "custom_loop", "steps": {"at_least": 300}}),
        (fitted(status="stopped_by_budget", epochs_asked=50), {"epochs": {"at_least": 50}}),
    ),
    "labels": (
        (fitted(y=ONE_HOT), {"one_hot": True, "classes": 10}),
        (an_evidence(), {"flat": True, "one_hot": False}),
    ),
    "normalised": (
        (an_evidence(), {"to": "unit"}),
        (fitted(x=an_array(low=-0.5, high=0.5)), {"to": "centred"}),
        (fitted(x=an_array(low=-2.0, high=2.1, mean=0.01, std=0.98)), {"to": "standardised"}),
        (
            an_evidence(models=(a_model(layer("Rescaling"), dense(10)),), fits=(a_fit(x=an_array(high=255.0)),)),
            {"to": "unit"},
        ),
        (raw(operation("TrueDivide", None, 255.0)), {"to": "unit"}),
        (raw(operation("math.truediv", None, 255.0, cls="TFOpLambda")), {"to": "unit"}),
        (raw(operation("Multiply", 1 / 255, None), operation("Subtract", 1.0, None)), {"to": "unit"}),
        (raw(operation("Subtract", None, 127.5), operation("Divide", None, 127.5)), {"to": "symmetric"}),
        (raw(operation("Subtract", None, 33.3), operation("TrueDivide", None, 78.6)), {"to": "standardised"}),
        (an_evidence(models=(a_model(operation("Exp"), dense(10)),)), {"to": "unit"}),
        (an_evidence(arrays=(a_named_array("x", "cifar10/train", low=-0.5, high=0.5),)), {"variables": "cifar10"}),
    ),
    "split": (
        (an_evidence(), {"train": 0.9, "not_test": True}),
        (fitted(validation="split", validation_split=0.3, val_x=None), {"train": 0.7}),
        (
            an_evidence(
                arrays=(
                    a_named_array("x_tr", "cifar10/train", shape=(35_000, 32, 32, 3)),
                    a_named_array("x_va", "cifar10/train", shape=(15_000, 32, 32, 3)),
                )
            ),
            {"train": 0.7, "variables": "cifar10"},
        ),
    ),
}

BAD: dict[str, tuple[tuple[Evidence, dict[str, Any], str], ...]] = {
    "optimizer": (
        (compiled("SGD"), {"cls": "Nadam"}, "and not Nadam"),
        (compiled(rate=0.1), {"learning_rate": {"at_most": 0.01}}, "whose rate is 0.1 and not 0.01 or less"),
        (compiled("SGD"), {"nesterov": True}, "without Nesterov"),
        (compiled("SGD"), {"clipping": True}, "clips no gradients"),
        (compiled("SGD", clipvalue=5.0), {"clipvalue": {"at_most": 1.0}}, "whose clip value is 5"),
        (compiled("SGD", clipvalue=5.0), {"clipnorm": {"at_most": 1.0}}, "does not clip gradients by norm"),
    ),
    "loss": (
        (an_evidence(compiles=(a_compile("mse"),)), {"name": "categorical_crossentropy"}, "mse"),
        (an_evidence(models=(a_model(dense(10)),)), {}, "so gives logits"),
        (an_evidence(compiles=(a_compile(from_logits=True),)), {}, "ends in softmax"),
        (an_evidence(compiles=()), {}, "never compiled"),
    ),
    "callback": (
        (an_evidence(), {"cls": "EarlyStopping"}, "no EarlyStopping among its callbacks (none at all)"),
        (
            fitted(callbacks=(callback("EarlyStopping", restore_best_weights=False),)),
            {"cls": "EarlyStopping", "restore_best_weights": True},
            "whose restore_best_weights is False",
        ),
        (
            fitted(a_fit(), a_fit(event=9, callbacks=(callback("EarlyStopping", patience=1),))),
            {"cls": "EarlyStopping", "patience": {"at_least": 3}},
            "whose patience is not 3 or more",
        ),
    ),
    "learning_rate": (
        (fitted(step_rates=(0.1, 0.1, 0.1)), {"shape": "one_cycle"}, "did not rise and then fall"),
        (fitted(learning_rates=(0.1,)), {"shape": "one_cycle"}, "stayed at 0.1 and did not rise"),
        (fitted(step_rates=(0.1, 0.5, 1.0, 0.4, 0.1)), {"highest": {"at_most": 0.5}}, "highest rate is 1"),
        (fitted(RAISED), {"shape": "one_cycle"}, "raised an error in its first step"),
        (fitted(a_fit(learning_rates=(0.1, 0.1)), RAISED), {"shape": "one_cycle"}, "stayed at 0.1 (of 2, the nearest)"),
        (
            fitted(step_rates=(0.1, 0.5, 1.0), status="completed"),
            {"shape": "one_cycle"},
            "rose from 0.1 to 1",
        ),
    ),
    "training": (
        (an_evidence(), {"kind": "custom_loop"}, "and not a loop of its own"),
        (an_evidence(), {"epochs": {"at_least": 20}}, "with 4 epochs instead of 20 or more"),
        (an_evidence(), {"batch_size": {"at_most": 64}}, "with 128 a batch"),
    ),
    "labels": (
        (an_evidence(), {"one_hot": True}, "not one-hot"),
        (fitted(y=COLUMN), {"flat": True}, "not flat"),
        (fitted(y=ONE_HOT), {"classes": 8}, "instead of 8"),
    ),
    "normalised": (
        (fitted(x=an_array(low=0.0, high=255.0)), {"to": "unit"}, "and not 0 to 1"),
        (an_evidence(), {"to": "standardised"}, "and not mean 0 and deviation 1"),
        (an_evidence(), {"variables": "cifar10"}, "No variable"),
        (raw(operation("TrueDivide", None, 2.0)), {"to": "unit"}, "brings to 0 to 127.5 and not 0 to 1"),
        (
            an_evidence(models=(a_model(operation("TrueDivide", None, 255.0), dense(10)),)),
            {},
            "brings to 0 to 0.003922",
        ),
        (raw(operation("TrueDivide", None, 255.0)), {"by_layer": False}, "from 0 to 255, mean 33.3"),
        (raw(operation("Reshape")), {}, "from 0 to 255, mean 33.3"),
    ),
    "split": (
        (an_evidence(), {"train": 0.7}, "and not 70 %"),
        (fitted(overlap=12), {"train": 0.9}, "12 images in both parts"),
        (fitted(val_x=an_array(6_000, of=rows(test=6_000))), {"train": 0.9, "not_test": True}, "6,000 test images"),
        (fitted(validation="none", val_x=None), {"train": 0.9}, "no validation data"),
    ),
}

UNSEEN: dict[str, tuple[Evidence, dict[str, Any]]] = {
    "optimizer": (fitted(LOOP), {"cls": "Adam"}),
    "loss": (
        an_evidence(compiles=(a_compile(LossFact(name="mine", from_logits=False, custom=True)),)),
        {"name": "mine"},
    ),
    "learning_rate": (
        fitted(step_rates=(0.1, 0.5, 1.0), status="stopped_by_budget", epochs_asked=40),
        {"shape": "one_cycle"},
    ),
    "training": (fitted(LOOP), {"batch_size": {"at_most": 128}}),
    "labels": (fitted(y=None), {"one_hot": True}),
    "normalised": (fitted(x=an_array(low=None, high=None, mapped=True)), {"to": "unit"}),
    "split": (fitted(overlap=None), {"train": 0.9}),
}


@pytest.mark.parametrize(("check", "evidence", "params"), [(c, e, p) for c, s in GOOD.items() for e, p in s])
def test_what_is_as_asked_passes(check: str, evidence: Evidence, params: dict[str, Any]) -> None:
    finding = judge(check, evidence, **params)
    assert (finding.status, finding.fraction) == ("passed", 1.0), finding.message
    assert finding.evidence


@pytest.mark.parametrize(
    ("check", "evidence", "params", "said"), [(c, e, p, t) for c, s in BAD.items() for e, p, t in s]
)
def test_what_is_not_as_asked_fails_and_says_why(
    check: str, evidence: Evidence, params: dict[str, Any], said: str
) -> None:
    finding = judge(check, evidence, **params)
    assert (finding.status, finding.fraction) == ("failed", 0.0)
    assert said in finding.message


@pytest.mark.parametrize(("check", "evidence", "params"), [(c, e, p) for c, (e, p) in UNSEEN.items()])
def test_what_cannot_be_seen_waits_for_a_person(check: str, evidence: Evidence, params: dict[str, Any]) -> None:
    finding = judge(check, evidence, **params)
    assert finding.status == "pending"
    assert "could not be seen" in finding.message


@pytest.mark.parametrize(
    "first",
    [
        operation("TrueDivide"),
        operation("TrueDivide", None, 0.0),
        operation("Add", cls="TFOpLambda"),
        operation("Relu"),
        layer("Lambda"),
        layer("Layer", custom="Scaled"),
    ],
)
def test_images_that_something_unknown_may_bring_into_range_wait_for_a_person(first: LayerFact) -> None:
    finding = judge("normalised", raw(first, operation("Subtract", None, 1.0)))
    assert finding.status == "pending"
    assert f"what `{first.name}` of `model` makes of them could not be seen" in finding.message
    assert judge("normalised", raw(first), by_layer=False).status == "failed"


def test_a_loss_behind_an_unknown_operation_waits_for_a_person() -> None:
    compiles = (a_compile(),)
    unknown = an_evidence(models=(a_model(dense(10), operation("Add"), cls="Functional"),), compiles=compiles)
    assert judge("loss", unknown).status == "pending"
    known = an_evidence(models=(a_model(dense(10), operation("Softmax"), cls="Functional"),), compiles=compiles)
    assert judge("loss", known).status == "passed"


@pytest.mark.parametrize("check", sorted(GOOD))
def test_a_role_that_no_network_fills_is_said(check: str) -> None:
    asked: dict[str, dict[str, Any]] = {"split": {"train": 0.9}, "callback": {"cls": "EarlyStopping"}}
    needed = asked.get(check, {})
    finding = judge(check, None, {"cnn": RoleMatch(role="cnn", message="no such network")}, model="cnn", **needed)
    assert finding.status == "failed"
    assert finding.message == "No such network."


def test_each_training_has_to_be_as_asked_where_all_are_meant() -> None:
    evidence = fitted(a_fit(batch_size=32), a_fit(event=9, batch_size=512))
    assert judge("training", evidence, batch_size={"at_most": 64}).status == "passed"
    assert judge("training", evidence, batch_size={"at_most": 64}, trainings="all").status == "failed"
    assert judge("training", evidence, batch_size={"at_most": 64}, trainings="last").status == "failed"


@pytest.mark.parametrize(
    ("shape", "rate"),
    [
        ("constant", lambda _: 0.01),
        ("decays", lambda t: math.exp(-3 * t)),
        ("decays", lambda t: 1.0 if t < 0.5 else 0.1),
        ("rises", lambda t: 0.1 + t),
        ("one_cycle", lambda t: 0.1 + min(t, 1 - t)),
        ("varies", lambda t: 1 + math.sin(40 * t)),
    ],
)
def test_the_shape_of_rates_is_told(shape: str, rate: Callable[[float], float]) -> None:
    assert shape_of([rate(step / 200) for step in range(200)]) == shape


@given(st.lists(st.floats(1e-8, 10), min_size=2, max_size=60), st.floats(0.01, 100))
def test_the_shape_does_not_depend_on_the_unit(rates: list[float], factor: float) -> None:
    assert shape_of(sorted(rates)) in {"constant", "rises", "varies", "one_cycle"}
    assert shape_of([1.0, 1.0]) == shape_of([factor, factor]) == "constant"


MODELS = (a_model(name="cnn"), a_model(dense(10, "softmax"), name="mlp", model_id="m2"))
BOTH = {
    "cnn": RoleMatch(role="cnn", model="m1"),
    "mlp": RoleMatch(role="mlp", model="m2"),
}
WORSE = {"accuracy": (0.8, 0.85, 0.9, 0.92), "val_accuracy": (0.85, 0.88, 0.91, 0.92)}


def rivals(ours: dict[str, Any], theirs: dict[str, Any], **keys: Any) -> Evidence:
    fits = (a_fit(total_steps=1688, **ours), a_fit(event=9, model="m2", total_steps=1688, history=WORSE, **theirs))
    values: dict[str, Any] = {"models": MODELS, "fits": fits, "accuracies": ()}
    return an_evidence(**(values | keys))


def test_the_better_network_beats_the_other_after_as_many_steps() -> None:
    finding = judge("beats", rivals({}, {}), BOTH, model="cnn", than="mlp", within_steps=500)
    assert finding.status == "passed"
    assert "96.8 % after 422 steps and 85 % after 422 steps, on their validation images" in finding.message


def test_the_worse_network_does_not() -> None:
    finding = judge("beats", rivals({}, {}), BOTH, model="mlp", than="cnn", within_steps=500)
    assert finding.status == "failed"
    assert judge("beats", rivals({}, {}), BOTH, model="cnn", than="mlp", by=0.2).status == "failed"


def test_verified_accuracies_count_first_where_the_whole_training_was_short_enough() -> None:
    verified = (an_accuracy(9_000), an_accuracy(9_500, model="m2"))
    evidence = rivals({}, {}, accuracies=verified)
    assert judge("beats", evidence, BOTH, model="cnn", than="mlp").status == "failed"
    assert judge("beats", evidence, BOTH, model="cnn", than="mlp", within_epochs=4).assurance == "verified"
    assert judge("beats", evidence, BOTH, model="cnn", than="mlp", within_steps=500).assurance == "recorded"


def test_steps_that_nothing_was_recorded_at_wait_for_a_person() -> None:
    finding = judge("beats", rivals({}, {}), BOTH, model="cnn", than="mlp", within_steps=100)
    assert finding.status == "pending"
    assert "`cnn` and `mlp`" in finding.message


def test_a_network_that_was_never_trained_cannot_be_compared() -> None:
    evidence = an_evidence(models=MODELS, accuracies=(), fits=(a_fit(history=HISTORY),))
    assert judge("beats", evidence, BOTH, model="cnn", than="mlp").status == "pending"
