"""A notebook that learns task A, then task B from scratch, then task B on top of A; each part can be another."""

from collections.abc import Mapping
from typing import Any

from grader.facts.case import Case
from grader.schema.evidence import AccuracyFact, EvaluateFact, Evidence, FitFact, LabelFact, ModelFact, SaveFact
from grader.schema.grade import Finding, RoleMatch
from grader.schema.rubric import Rubric
from tests.support.factories import (
    a_compile,
    a_fit,
    a_model,
    a_rubric,
    an_accuracy,
    an_array,
    an_evidence,
    dense,
    layer,
    rows,
)

__all__ = [
    "ALL_MOVED",
    "FIRST",
    "HEAD_ONLY",
    "LAYERS",
    "ORDER",
    "RELOADED",
    "SCRATCH",
    "TRANSFERRED",
    "WARM",
    "accuracies",
    "adapted",
    "case",
    "changed",
    "evaluated",
    "evidence",
    "held",
    "popped",
    "reloaded",
    "rubric",
    "tuning",
    "unshared",
]

FIRST, SCRATCH, TRANSFERRED, RELOADED = "m1", "m2", "m3", "m4"
LAYERS = ("low", "middle", "high")
TASK_A = {str(c): 500 for c in (0, 1, 2, 3, 4, 7, 8, 9)}
TASK_B = {"5": 98, "6": 102}
RECOGNISED = rows(200, dataset="fashion_mnist", classes=TASK_B)
HEAD_ONLY: Mapping[str, str] = {"low": "a-low", "middle": "a-middle", "high": "b-head"}
ALL_MOVED: Mapping[str, str] = {"low": "x", "middle": "y", "high": "head"}
WARM = {"low": True, "middle": True, "high": True}
"""Layers of which all are trainable."""
ORDER = [{"freeze": "all_but_last"}, "compile", "fit", {"unfreeze": "any"}, "compile", "fit"]
"""The steps of transfer learning, as a rubric names them."""
LABELS_B = LabelFact(
    shape=(200,),
    dtype="float32",
    one_hot=False,
    classes={"0": 98, "1": 102},
    meaning={"0": {"5": 98}, "1": {"6": 102}},
)


def rubric(**keys: Any) -> Rubric:
    """A rubric with the two tasks and three roles."""
    tasks = {"a": {"classes": [0, 1, 2, 3, 4, 7, 8, 9]}, "b": {"classes": [5, 6], "binary": True}}
    roles = {
        "transferred": {"task": "b", "reuses": "first"},
        "first": {"task": "a"},
        "scratch": {"task": "b", "from_scratch": True},
    }
    return a_rubric(**({"dataset": "fashion_mnist", "tasks": tasks, "roles": roles} | keys))


def _model(model_id: str, name: str, outputs: int, **keys: Any) -> ModelFact:
    layers = (
        dense(300, "selu", inputs=784, name="low"),
        dense(100, "selu", inputs=300, name="middle"),
        dense(outputs, "sigmoid" if outputs == 1 else "softmax", inputs=100, name="high" if outputs == 1 else "old"),
    )
    values: dict[str, Any] = {"name": name, "output_shape": (outputs,), "input_shape": (28, 28), "cell": 1} | keys
    return a_model(*layers, model_id=model_id, **values)


def _digests(*values: str) -> dict[str, str]:
    return dict(zip(LAYERS, values, strict=True))


def _b_fit(event: int, **keys: Any) -> FitFact:
    values: dict[str, Any] = {
        "event": event,
        "cell": event // 10,
        "x": an_array(200, of=RECOGNISED),
        "y": LABELS_B,
        "val_x": an_array(986, of=rows(986, dataset="fashion_mnist", classes={"5": 494, "6": 492})),
        "trainable": dict.fromkeys(LAYERS, True),
    }
    return a_fit(**(values | keys))


def tuning(**keys: Any) -> tuple[FitFact, FitFact]:
    """The two trainings of the network on top of A; `head` and `tail` change the first and the second."""
    head: dict[str, Any] = {
        "model": TRANSFERRED,
        "compiled": 38,
        "trainable": {"low": False, "middle": False, "high": True},
        "digests_before": _digests("a-low", "a-middle", "new"),
        "digests_after": _digests("a-low", "a-middle", "head"),
    }
    tail: dict[str, Any] = {
        "model": TRANSFERRED,
        "compiled": 48,
        "digests_before": _digests("a-low", "a-middle", "head"),
        "digests_after": _digests("b-low", "b-middle", "b-head"),
    }
    return _b_fit(40, **(head | keys.get("head", {}))), _b_fit(50, **(tail | keys.get("tail", {})))


def adapted() -> Evidence:
    """The notebook where the networks on A and on top of A begin with a `Normalization` that was adapted before."""
    whole = evidence()
    first = layer("Normalization", "adapted", parameters=3)
    models = tuple(
        model.model_copy(update={"layers": (first, *model.layers)} if model.id != SCRATCH else {})
        for model in whole.models
    )
    fits = tuple(_with_first(fit) if fit.model != SCRATCH else fit for fit in whole.fits)
    compiles = tuple(
        c.model_copy(update={"trainable": {"adapted": c.trainable.get("low", True), **c.trainable}})
        for c in whole.compiles
    )
    return evidence(models=models, fits=fits, compiles=compiles)


def _with_first(fit: FitFact) -> FitFact:
    trainable = {"adapted": fit.trainable["low"], **fit.trainable}
    before, after = ({"adapted": "n", **digests} for digests in (fit.digests_before, fit.digests_after))
    return fit.model_copy(update={"trainable": trainable, "digests_before": before, "digests_after": after})


def accuracies(*wrong: tuple[str, range]) -> tuple[AccuracyFact, ...]:
    """Accuracies on the 2,000 test images of task B: network → positions it got wrong."""
    return tuple(
        an_accuracy(2_000 - len(which), 2_000, model=model, dataset="fashion_mnist", task="b", wrong=tuple(which))
        for model, which in wrong
    )


def evidence(**keys: Any) -> Evidence:
    """The whole notebook as it should be."""
    first = a_fit(
        event=20,
        cell=2,
        model=FIRST,
        compiled=18,
        x=an_array(43_986, of=rows(43_986, dataset="fashion_mnist", classes=TASK_A)),
        val_x=an_array(4_014, of=rows(4_014, dataset="fashion_mnist", classes=TASK_A)),
        digests_before={"low": "r1", "middle": "r2", "old": "r3"},
        digests_after={"low": "a-low", "middle": "a-middle", "old": "a-old"},
        trainable={"low": True, "middle": True, "old": True},
    )
    scratch = _b_fit(
        30, model=SCRATCH, compiled=28, digests_before=_digests("s1", "s2", "s3"), digests_after=_digests("t", "u", "v")
    )
    frozen: Mapping[str, bool] = {"low": False, "middle": False, "high": True}
    values: dict[str, Any] = {
        "models": (
            _model(FIRST, "model_a", 8),
            _model(SCRATCH, "model_b", 1),
            _model(TRANSFERRED, "model_b_on_a", 1, shares_layers_with=(FIRST,)),
        ),
        "compiles": (
            a_compile(event=18, cell=1, model=FIRST),
            a_compile("binary_crossentropy", event=28, cell=2, model=SCRATCH),
            a_compile("binary_crossentropy", event=38, cell=3, model=TRANSFERRED, trainable=frozen),
            a_compile(
                "binary_crossentropy", event=48, cell=4, model=TRANSFERRED, trainable=dict.fromkeys(LAYERS, True)
            ),
        ),
        "fits": (first, scratch, *tuning()),
        "saves": (SaveFact(event=22, cell=2, action="save", model=FIRST, path="a.keras"),),
        "accuracies": accuracies((SCRATCH, range(60)), (TRANSFERRED, range(50, 65))),
    }
    return an_evidence(**(values | keys))


def changed(**keys: Any) -> Evidence:
    """The notebook with other trainings on top of A; `head` and `tail` as in `tuning`."""
    whole = evidence()
    return evidence(fits=(*whole.fits[:2], *tuning(**keys)))


def reloaded(**keys: Any) -> Evidence:
    """The notebook in which the network on top of A was saved and loaded between its two trainings."""
    whole = changed(**keys)
    tail = whole.fits[3].model_copy(update={"model": RELOADED})
    warm = whole.compiles[3].model_copy(update={"model": RELOADED})
    again = whole.models[2].model_copy(update={"id": RELOADED, "cell": 4, "shares_layers_with": ()})
    loaded = SaveFact(
        event=44, cell=4, action="load", model=RELOADED, path="b.keras", digests=dict(tail.digests_before)
    )
    saved = SaveFact(event=42, cell=4, action="save", model=TRANSFERRED, path="b.keras")
    return whole.model_copy(
        update={
            "models": (*whole.models, again),
            "compiles": (*whole.compiles[:3], warm),
            "fits": (*whole.fits[:3], tail),
            "saves": (*whole.saves, saved, loaded),
            "accuracies": accuracies((SCRATCH, range(60)), (TRANSFERRED, range(70)), (RELOADED, range(50, 65))),
        }
    )


def unshared() -> tuple[ModelFact, ...]:
    """The networks where the one on top of A holds copies of A's layers."""
    models = evidence().models
    return (*models[:2], models[2].model_copy(update={"shares_layers_with": ()}))


def popped() -> tuple[ModelFact, ...]:
    """The networks where the one on top of A is the very object that A was, its last layer taken off."""
    models = evidence().models
    return (*models[:2], models[2].model_copy(update={"formerly": FIRST}))


def evaluated(model: str, event: int, cell: int) -> EvaluateFact:
    """A network was evaluated."""
    return EvaluateFact(event=event, cell=cell, model=model, results={"accuracy": 0.9})


def case(found: Evidence | None = None, **keys: Any) -> Case:
    """A case in which the three roles mean the three networks."""
    roles = {"transferred": TRANSFERRED, "first": FIRST, "scratch": SCRATCH}
    matches = {name: RoleMatch(role=name, model=model) for name, model in roles.items()}
    return Case(evidence=found or evidence(), rubric=rubric(**keys), roles=matches)


def held(finding: Finding) -> list[bool]:
    """Which steps a finding of the check `steps` says were done."""
    return [step["holds"] for step in finding.measured["steps"]]
