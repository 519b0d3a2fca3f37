"""Each fact about a training that a teacher may ask for: said in YAML, fulfilled by one notebook and missed by another.

The criterion is read as a rubric's file is, the networks are found by its roles, and the whole grade is made.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from grader.checks import all_checks, all_diagnostics
from grader.facts.case import Case
from grader.facts.roles import resolve_roles
from grader.grading import grade
from grader.grading.loader import read_rubric
from grader.schema.evidence import Evidence, LabelFact, LayerFact, OptimizerFact
from grader.schema.grade import CriterionGrade
from tests.support import transfer_cases as transfer
from tests.support.factories import (
    a_compile,
    a_fit,
    a_model,
    a_stamp,
    a_submission,
    activation,
    an_accuracy,
    an_array,
    an_evidence,
    callback,
    conv,
    dense,
    dropout,
    layer,
    rows,
    some_passes,
)
from tests.support.says import says

ROLES = """
roles:
  net: {outputs: 10, pick: last_trained}
"""
TASKS = """
dataset: fashion_mnist
tasks:
  a: {classes: [0, 1, 2, 3, 4, 7, 8, 9]}
  b: {classes: [5, 6], binary: true}
roles:
  transferred: {task: b, reuses: first}
  first: {task: a}
  scratch: {task: b, from_scratch: true}
"""
RIVALS = """
roles:
  cnn: {has_layer: Conv2D}
  mlp: {lacks_layer: Conv2D}
"""


class Item(NamedTuple):
    """A criterion's `check` and `with` in YAML, and two notebooks."""

    asked: str
    fulfilled: Evidence
    missed: Evidence
    head: str = ROLES


def fitted(**keys: Any) -> Evidence:
    return an_evidence(fits=(a_fit(**keys),))


def built(*layers: LayerFact) -> Evidence:
    return an_evidence(models=(a_model(*layers, dense(10, "softmax", name="out")),))


def compiled(cls: str, rate: float | None = 1e-3, **config: Any) -> Evidence:
    return an_evidence(compiles=(a_compile(optimizer=OptimizerFact(cls=cls, learning_rate=rate, config=config)),))


def with_callback(cls: str, **config: Any) -> Evidence:
    return fitted(callbacks=(callback(cls, **config),))


def hidden(**config: Any) -> LayerFact:
    return dense(100, "elu", name="hidden", **config)


def labelled(*shape: int, one_hot: bool = False) -> Evidence:
    return fitted(y=LabelFact(shape=shape, dtype="uint8", one_hot=one_hot, classes={str(c): 5_000 for c in range(10)}))


def called(*, times: int = 10, differ: bool = True, average: str | None = "mean") -> Evidence:
    return an_evidence(repeated_passes=(some_passes(passes=times, differ=differ, average=average, averaged=times),))


def subclassed(*, custom: str | None = "MCDropout", differ: bool = True) -> Evidence:
    own = dropout().model_copy(update={"custom": custom})
    return an_evidence(
        models=(a_model(conv(), own, dense(10, "softmax", name="out")),),
        repeated_passes=(some_passes(way="predict", training=None, passes=10, averaged=10, differ=differ),),
    )


def rivals(ours: tuple[float, ...], theirs: tuple[float, ...]) -> Evidence:
    return an_evidence(
        models=(a_model(), a_model(dense(10, "softmax"), model_id="m2", name="mlp")),
        fits=tuple(
            a_fit(event=20 + place, model=model, total_steps=400 * len(history), history={"val_accuracy": history})
            for place, (model, history) in enumerate((("m1", ours), ("m2", theirs)))
        ),
        accuracies=(),
    )


SCHEDULE = {"class_name": "ExponentialDecay", "config": {"initial_learning_rate": 0.1}}
SELU = dense(100, "selu", name="hidden", kernel_initializer={"class_name": "LecunNormal", "config": {}})
ALPHA = layer("AlphaDropout", config={"rate": 0.1})
NORM = layer("BatchNormalization", parameters=400)
LOOP: Mapping[str, Any] = {"kind": "custom_loop", "batch_size": None, "total_steps": 400, "compiled": None}
L2 = {"class_name": "L2", "config": {"l2": 0.01}}
UP_AND_DOWN = (0.005, 0.03, 0.05, 0.03, 0.005, 0.0001)
PARTLY_TEST = an_array(60_000, of=rows(50_000, 10_000))

ITEMS: Mapping[str, Item] = {
    "optimizer and its configuration": Item(
        "{check: optimizer, with: {model: net, cls: SGD, momentum: {at_least: 0.9}, nesterov: true}}",
        compiled("SGD", momentum=0.9, nesterov=True),
        compiled("SGD", momentum=0.9, nesterov=False),
    ),
    "loss against output": Item(
        "{check: loss, with: {model: net}}", an_evidence(), an_evidence(compiles=(a_compile(from_logits=True),))
    ),
    "early stopping with best weights": Item(
        "{check: callback, with: {model: net, cls: EarlyStopping, restore_best_weights: true}}",
        with_callback("EarlyStopping", restore_best_weights=True),
        with_callback("EarlyStopping", restore_best_weights=False),
    ),
    "plateau": Item(
        "{check: callback, with: {model: net, cls: ReduceLROnPlateau, factor: {at_most: 0.5}, monitor: val_loss}}",
        with_callback("ReduceLROnPlateau", factor=0.5, monitor="val_loss"),
        with_callback("ReduceLROnPlateau", factor=0.5, monitor="loss"),
    ),
    "checkpoints": Item(
        "{check: callback, with: {model: net, cls: ModelCheckpoint, save_best_only: true}}",
        with_callback("ModelCheckpoint", save_best_only=True),
        with_callback("ModelCheckpoint", save_best_only=False),
    ),
    "a schedule given to the optimizer": Item(
        "{check: learning_rate, with: {model: net, shape: decays, first: {at_least: 0.05}}}",
        fitted(step_rates=(0.1, 0.07, 0.05, 0.02)),
        fitted(step_rates=(0.1, 0.1, 0.1, 0.1)),
    ),
    "a schedule's own initial rate": Item(
        "{check: optimizer, with: {model: net, learning_rate: {at_least: 0.05}}}",
        compiled("SGD", None, learning_rate=SCHEDULE),
        compiled("SGD", 0.01),
    ),
    "1cycle in the rate used step by step, not in the one written": Item(
        "{check: learning_rate, with: {model: net, shape: one_cycle, highest: {at_least: 0.05}}}",
        fitted(step_rates=UP_AND_DOWN, callbacks=(callback("Callback"),)),
        fitted(step_rates=(0.05,) * 6, callbacks=(callback("Callback"),)),
    ),
    "initialisers": Item(
        "{check: has_layer, with: {model: net, layer: Dense, units: {at_least: 100}, initialiser: he_normal}}",
        built(hidden(kernel_initializer={"class_name": "HeNormal", "config": {}})),
        built(hidden()),
    ),
    "activations": Item(
        "{check: has_layer, with: {model: net, layer: Dense, units: {at_least: 100}, activation: elu}}",
        built(hidden()),
        built(dense(100, "relu")),
    ),
    "regularisers": Item(
        "{check: has_layer, with: {model: net, layer: Dense, regulariser: l2}}",
        built(hidden(kernel_regularizer=L2)),
        built(hidden(kernel_regularizer=None)),
    ),
    "batch normalisation before the activation": Item(
        "{check: batch_norm, with: {model: net, place: before_activation}}",
        built(dense(100), NORM, activation("elu")),
        built(hidden(), NORM),
    ),
    "batch normalisation after the activation": Item(
        "{check: batch_norm, with: {model: net, place: after_activation}}",
        built(hidden(), NORM),
        built(dense(100), NORM, activation("elu")),
    ),
    "gradient clipping": Item(
        "{check: optimizer, with: {model: net, clipping: true, clipvalue: {at_most: 1.0}}}",
        compiled("SGD", clipvalue=1.0),
        compiled("SGD", clipvalue=None, clipnorm=None),
    ),
    "a training loop of their own": Item(
        "{check: training, with: {model: net, kind: custom_loop, steps: {at_least: 300}}}", fitted(**LOOP), fitted()
    ),
    "epochs": Item(
        "{check: training, with: {model: net, epochs: {at_least: 20}}}",
        fitted(epochs_done=20),
        fitted(epochs_done=3, epochs_asked=3),
    ),
    "batch size": Item(
        "{check: training, with: {model: net, batch_size: {at_least: 500, at_most: 500}}}",
        fitted(batch_size=500),
        fitted(batch_size=32),
    ),
    "sizes of a split": Item(
        "{check: split, with: {model: net, train: 0.7}}",
        fitted(validation="split", validation_split=0.3, val_x=None),
        fitted(validation="split", validation_split=0.1, val_x=None),
    ),
    "disjointness of a split": Item(
        "{check: split, with: {model: net, train: 0.9, disjoint: true}}", fitted(overlap=0), fitted(overlap=400)
    ),
    "training images alone": Item(
        "{check: trained, with: {model: net, dataset: mnist, only_split: train}}", an_evidence(), fitted(x=PARTLY_TEST)
    ),
    "range of the normalised pixels": Item(
        "{check: normalised, with: {model: net, to: centred}}",
        fitted(x=an_array(low=-0.5, high=0.5)),
        fitted(x=an_array(low=0.0, high=1.0)),
    ),
    "one-hot labels": Item(
        "{check: labels, with: {model: net, one_hot: true}}", labelled(50_000, 10, one_hot=True), labelled(50_000)
    ),
    "CIFAR's labels flattened": Item(
        "{check: labels, with: {model: net, flat: true}}", labelled(50_000), labelled(50_000, 1)
    ),
    "beats the MLP within so many steps": Item(
        "{check: beats, with: {model: cnn, than: mlp, within_steps: 500}}",
        rivals((0.95, 0.96), (0.90, 0.97)),
        rivals((0.85, 0.98), (0.90, 0.91)),
        RIVALS,
    ),
    "dropout layers, their rate and place": Item(
        "{check: dropout, with: {model: net, at_least: 1, rate: {at_least: 0.2, at_most: 0.5}}}",
        built(conv(), dropout(0.3)),
        an_evidence(models=(a_model(conv(), dense(10, "softmax"), dropout(0.3)),)),
    ),
    "dropout before the first dense layer": Item(
        "{check: has_layer, with: {model: net, layer: Dropout, before: Dense, after: Conv2D}}",
        built(conv(), dropout(0.3)),
        built(dropout(0.3), conv()),
    ),
    "alpha dropout with SELU": Item(
        "{check: dropout, with: {model: net, kind: alpha}}", built(SELU, ALPHA), built(hidden(), ALPHA)
    ),
    "Monte-Carlo dropout by calls in training mode, and the number of passes": Item(
        "{check: mc_dropout, with: {model: net, passes_at_least: 10}}", called(times=10), called(times=9)
    ),
    "Monte-Carlo dropout whose passes really differ": Item(
        "{check: mc_dropout, with: {model: net}}", called(), called(differ=False)
    ),
    "Monte-Carlo dropout by a class that keeps it on": Item(
        "{check: mc_dropout, with: {model: net}}", subclassed(), subclassed(custom=None, differ=False)
    ),
    "frozen, compiled, trained; unfrozen, compiled, trained": Item(
        "{check: steps, with: {model: transferred, partial: false, "
        "steps: [freeze: all_but_last, compile, fit, unfreeze: any, compile, fit]}}",
        transfer.evidence(),
        transfer.changed(head={"digests_after": transfer.ALL_MOVED}),
        TASKS,
    ),
    "a compile after each change of `trainable`": Item(
        "{check: steps, with: {model: transferred, partial: false, "
        "steps: [freeze: all_but_last, compile, fit, unfreeze: any, compile, fit]}}",
        transfer.evidence(),
        transfer.changed(tail={"compiled": 38}),
        TASKS,
    ),
    "unfrozen layers that changed": Item(
        "{check: steps, with: {model: transferred, partial: false, "
        "steps: [freeze: all_but_last, compile, fit, unfreeze: any, compile, fit]}}",
        transfer.evidence(),
        transfer.changed(tail={"digests_after": transfer.HEAD_ONLY}),
        TASKS,
    ),
    "rows of a training are those of the task": Item(
        "{check: rows, with: {model: transferred, task: b, exactly: 200, apart_from: first}}",
        transfer.evidence(),
        transfer.changed(tail={"x": an_array(400, of=rows(400, dataset="fashion_mnist", classes={"5": 400}))}),
        TASKS,
    ),
    "a gain that is more than chance": Item(
        "{check: gain, with: {model: transferred, over: scratch, task: b, require_significant: true}}",
        transfer.evidence(),
        transfer.evidence(
            accuracies=transfer.accuracies((transfer.SCRATCH, range(60)), (transfer.TRANSFERRED, range(58)))
        ),
        TASKS,
    ),
}


def judged(item: Item, evidence: Evidence) -> CriterionGrade:
    """Grade a notebook by a rubric with this one criterion."""
    dataset = "" if "dataset:" in item.head else "dataset: mnist\n"
    criterion = f"criteria:\n  - {{id: asked, points: 10, {item.asked[1:]}\n"
    text = f"version: 1\nid: one\ntitle: One\n{dataset}{item.head}{criterion}"
    rubric = read_rubric(text.encode(), all_checks())
    whole = grade(
        Case(evidence, rubric, resolve_roles(rubric, evidence)),
        submission=a_submission(),
        stamp=a_stamp(),
        checks=all_checks(),
        diagnostics=all_diagnostics(),
        reference=None,
    )
    (line,) = whole.criteria
    return line


@pytest.mark.parametrize("fact", ITEMS)
def test_a_notebook_that_does_it_passes(fact: str) -> None:
    line = judged(ITEMS[fact], ITEMS[fact].fulfilled)
    assert (line.status, line.points) == ("passed", 10), line.message
    assert line.assurance is not None


@pytest.mark.parametrize("fact", ITEMS)
def test_a_notebook_that_does_not_fails_and_is_told_why(fact: str) -> None:
    line = judged(ITEMS[fact], ITEMS[fact].missed)
    assert (line.status, line.points) == ("failed", 0), line.message
    assert line.message.endswith(".")


def test_monte_carlo_dropout_whose_average_is_not_found_waits_for_a_person() -> None:
    item = Item("{check: mc_dropout, with: {model: net}}", called(), called(average=None))
    assert judged(item, item.fulfilled).status == "passed"
    line = judged(item, item.missed)
    assert (line.status, line.points) == ("pending", 0), line.message


FIVE = an_evidence(
    models=tuple(
        a_model(*layers, dense(10, "softmax", name="out"), model_id=f"m{n}", name="model", cell=n)
        for n, layers in enumerate(
            ((hidden(),), (hidden(), NORM), (SELU,), (SELU, ALPHA), (SELU, ALPHA, dropout())), start=1
        )
    ),
    fits=tuple(
        a_fit(event=20 + n, model=f"m{n}", x=an_array(of=rows(6_000, dataset="cifar10" if n == 2 else "mnist")))
        for n in range(1, 6)
    ),
    accuracies=(an_accuracy(9_000, model="m3"), an_accuracy(9_500, model="m4")),
)


@pytest.mark.parametrize(
    ("role", "meant"),
    [
        ("{activation: elu, lacks_layer: BatchNormalization}", "m1"),
        ("{has_layer: BatchNormalization}", "m2"),
        ("{data: cifar10}", "m2"),
        ("{has_layer: [AlphaDropout, Dropout]}", "m5"),
        ("{activation: selu, pick: first}", "m3"),
        ("{has_layer: AlphaDropout, pick: last_trained}", "m5"),
        ("{pick: best}", "m4"),
        ("{activation: selu}", None),
        ("{has_layer: AlphaDropout}", None),
    ],
)
def test_of_five_networks_of_one_name_a_role_means_one_or_says_that_it_cannot_tell(
    role: str, meant: str | None
) -> None:
    text = f"""
version: 1
id: five
title: Five
dataset: mnist
roles: {{asked: {role}}}
criteria: [{{id: c, points: 1, check: has_layer, with: {{model: asked, layer: Dense}}}}]
"""
    rubric = read_rubric(text.encode(), all_checks())
    match = resolve_roles(rubric, FIVE)["asked"]
    assert match.model == meant
    assert says(match.message, "{count:number} model matches the role {role:code}: {models}.") is (meant is None)
