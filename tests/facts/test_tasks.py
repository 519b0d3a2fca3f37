"""Networks for a part of the classes are judged on that part, whatever labels they were taught."""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from grader.evidence.accuracies import apply_predictions
from grader.evidence.artefacts import ArtefactFolder
from grader.evidence.build import build_evidence
from grader.evidence.prediction_plans import PredictionPlan, PredictionResult, plan_inputs, plan_predictions
from grader.evidence.provenance import DatasetIndex, make_index
from grader.facts.language import english
from grader.facts.roles import resolve_roles
from grader.facts.tasks import label_classes, missing_classes, of_task, tasks_of
from grader.inside.describe.fingerprint import fingerprint
from grader.schema.base import Assurance
from grader.schema.evidence import (
    AccuracyFact,
    ArrayFact,
    CompileFact,
    Evidence,
    FitFact,
    LabelFact,
    LossFact,
    SaveFact,
    TransformFact,
)
from grader.schema.rubric import Rubric
from grader.schema.submission import Run
from tests.support import transfer_cases as transfer
from tests.support.factories import a_model, a_rubric, a_run, an_array, dense, rows
from tests.support.says import says

Events = Callable[..., list[dict[str, Any]]]
TASKS = {"a": {"classes": [0, 1, 2, 3, 4, 7, 8, 9]}, "b": {"classes": [5, 6], "binary": True}}
DIVIDED = TransformFact(kind="affine", scale=1 / 255, shift=0.0)


def rubric(**keys: Any) -> Rubric:
    return a_rubric(**({"dataset": "mnist", "tasks": TASKS} | keys))


def taught(run: Run, meaning: Mapping[str, Mapping[str, int]], outputs: int, **more: Any) -> Evidence:
    """One network whose labels stood for classes."""
    classes: dict[str, int] = {}
    for truth in meaning.values():
        for name, count in truth.items():
            classes[name] = classes.get(name, 0) + count
    count = sum(classes.values())
    x: ArrayFact = an_array(count, of=rows(count, classes=classes), transform=DIVIDED, shape=(count, 28, 28))
    y = LabelFact(shape=(count,), dtype="int32", one_hot=False, meaning=meaning)
    fit = FitFact(event=6, cell=1, model="m1", status="completed", x=x, y=y)
    model = a_model(output_shape=(outputs,), input_shape=(28, 28), **more)
    return Evidence(run=run, models=(model,), fits=(fit,))


def task_plans(evidence: Evidence, indexes: Mapping[str, DatasetIndex]) -> dict[str, PredictionPlan]:
    plans = plan_predictions(evidence, "mnist", ("test",), indexes, rubric=rubric())
    return {f"{plan.part.name if plan.part else 'whole'}{plan.moment}": plan for plan in plans}


def judged(evidence: Evidence, plan: PredictionPlan, outputs: NDArray[Any], indexes: Any) -> AccuracyFact:
    done = apply_predictions(evidence, [PredictionResult(plan, outputs)], indexes)
    (fact,) = done.accuracies
    return fact


BINARY = {"0": {"5": 98}, "1": {"6": 102}}


@pytest.mark.parametrize("how", ["fit", "custom_loop"])
def test_what_labels_stand_for_is_read_from_the_rows(  # noqa: PLR0913, PLR0917 - fixtures
    how: str, run: Run, events: Events, record: Any, indexes: Mapping[str, DatasetIndex], mnist: SimpleNamespace
) -> None:
    chosen = np.flatnonzero(np.isin(mnist.y_train, (5, 6)))[:200]
    x, y = mnist.x_train[chosen] / 255, (mnist.y_train[chosen] == 6).astype(np.float32)
    given = {"x": record.array(x), "y": record.labels(y)}
    begun = {"kind": "fit_start", "fit": 1, "model": "m1", "epochs": 1}
    if how == "fit":
        told = events(begun | given)
    else:
        # What a loop's batches were taken from is known only at its end.
        told = events(begun | {"type": how}, {"kind": "fit_end", "fit": 1, "status": "completed"} | given)
    evidence = build_evidence(
        run=run,
        notebook={"cells": []},
        submitted=None,
        events=told,
        arrays=ArtefactFolder(record.root),
        indexes=indexes,
    )
    (fit,) = evidence.fits
    fives, sixes = int((mnist.y_train[chosen] == 5).sum()), int((mnist.y_train[chosen] == 6).sum())
    assert fit.y is not None
    assert fit.x is not None
    assert fit.x.rows is not None
    assert fit.y.meaning == {"0": {"5": fives}, "1": {"6": sixes}}
    assert fit.x.rows.classes == {"5": fives, "6": sixes}
    assert of_task(fit.x.rows, rubric(), "b") is True
    assert of_task(fit.x.rows, rubric(), "a") is False


@pytest.mark.parametrize("probability", [0.51, 1.0])
def test_one_output_is_judged_on_the_two_classes(
    run: Run, indexes: Mapping[str, DatasetIndex], mnist: SimpleNamespace, probability: float
) -> None:
    evidence = taught(run, BINARY, 1)
    plans = task_plans(evidence, indexes)
    assert set(plans) == {"btrained"}
    truth = mnist.y_test[np.isin(mnist.y_test, (5, 6))]
    assert plan_inputs(plans["btrained"], indexes).shape == (len(truth), 28, 28)
    outputs = np.where(truth == 6, probability, 0.2)[:, None].astype(np.float32)
    outputs[:7] = 1 - outputs[:7]
    fact = judged(evidence, plans["btrained"], outputs, indexes)
    assert (fact.total - fact.correct, fact.wrong) == (7, tuple(range(7)))
    assert (fact.key, fact.assurance) == ("mnist/test/b", Assurance.VERIFIED)
    assert set(fact.predicted) == {5, 6}


def test_labels_the_other_way_round_are_read_the_other_way_round(
    run: Run, indexes: Mapping[str, DatasetIndex], mnist: SimpleNamespace
) -> None:
    evidence = taught(run, {"1": {"5": 98}, "0": {"6": 102}}, 2)
    truth = mnist.y_test[np.isin(mnist.y_test, (5, 6))]
    outputs = np.stack([truth == 6, truth == 5], axis=1).astype(np.float32)
    assert judged(evidence, task_plans(evidence, indexes)["btrained"], outputs, indexes).value == 1


@settings(max_examples=20, deadline=None)
@given(order=st.permutations([0, 1, 2, 3, 4, 7, 8, 9]), spare=st.integers(0, 2))
def test_any_relabelling_is_followed(
    indexes: Mapping[str, DatasetIndex], mnist: SimpleNamespace, order: list[int], spare: int
) -> None:
    run = Run(status="completed", seconds=1, cells_run=1, cells_total=1, isolation="none", seed=0, dialect="keras3")
    evidence = taught(run, {str(label): {str(c): 500} for label, c in enumerate(order)}, 8 + spare)
    truth = mnist.y_test[np.isin(mnist.y_test, order)]
    place = {c: label for label, c in enumerate(order)}
    outputs = np.eye(8 + spare, dtype=np.float32)[[place[int(c)] for c in truth]]
    fact = judged(evidence, task_plans(evidence, indexes)["atrained"], outputs, indexes)
    assert fact.correct == fact.total == len(truth)


@pytest.mark.parametrize(
    "meaning",
    [
        pytest.param({"0": {"5": 98, "6": 102}}, id="one label for both"),
        pytest.param({"0": {"5": 50, "6": 50}, "1": {"5": 50, "6": 50}}, id="labels at random"),
        pytest.param({"0": {"5": 98}}, id="a class that was never shown"),
        pytest.param({}, id="labels not known"),
    ],
)
def test_labels_that_name_no_class_give_no_accuracy(
    run: Run, indexes: Mapping[str, DatasetIndex], meaning: dict[str, dict[str, int]]
) -> None:
    evidence = taught(run, meaning, 1)
    assert label_classes(evidence, "m1", (5, 6)) is None
    assert task_plans(evidence, indexes) == {}


def test_a_network_is_not_judged_on_a_task_it_was_not_trained_on(run: Run, indexes: Mapping[str, DatasetIndex]) -> None:
    everything = {str(c): {str(c): 100} for c in range(10)}
    assert set(task_plans(taught(run, everything, 10), indexes)) == {"wholetrained"}


def test_a_reloaded_network_is_judged_like_the_one_that_was_saved_and_once_more_when_it_was_changed(
    run: Run, indexes: Mapping[str, DatasetIndex]
) -> None:
    evidence = taught(run, BINARY, 1)
    again = a_model(model_id="m2", output_shape=(1,), input_shape=(28, 28), later_artefact="models/m2.later.keras")
    saves = (
        SaveFact(event=7, cell=1, action="save", model="m1", path="a.h5"),
        SaveFact(event=8, cell=1, action="load", model="m2", path="a.h5"),
    )
    evidence = evidence.model_copy(update={"models": (*evidence.models, again), "saves": saves})
    plans = plan_predictions(evidence, "mnist", ("test",), indexes, rubric=rubric())
    assert [(p.model, p.moment, p.artefact) for p in plans] == [
        ("m1", "trained", "models/m1.keras"),
        ("m2", "trained", "models/m2.keras"),
        ("m2", "later", "models/m2.later.keras"),
    ]
    outputs = np.zeros((len(plan_inputs(plans[2], indexes)), 1), dtype=np.float32)
    done = apply_predictions(evidence, [PredictionResult(plan, outputs) for plan in plans], indexes)
    assert [fact.key for fact in done.accuracies] == ["mnist/test/b", "mnist/test/b", "mnist/test/b@later"]


def test_roles_are_told_apart_by_task_and_by_where_the_weights_came_from() -> None:
    found = resolve_roles(transfer.rubric(), transfer.evidence())
    assert {name: match.model for name, match in found.items()} == {
        "transferred": transfer.TRANSFERRED,
        "first": transfer.FIRST,
        "scratch": transfer.SCRATCH,
    }


def test_a_source_that_was_taught_something_else_does_not_hide_what_reuses_it() -> None:
    whole = transfer.evidence()
    ten = {str(c): 500 for c in range(10)}
    other = whole.fits[0].model_copy(
        update={"x": an_array(50_000, of=rows(50_000, dataset="fashion_mnist", classes=ten))}
    )
    found = resolve_roles(transfer.rubric(), whole.model_copy(update={"fits": (other, *whole.fits[1:])}))
    assert found["first"].model is None
    assert found["transferred"].model == transfer.TRANSFERRED
    assert found["scratch"].model == transfer.SCRATCH


def test_two_matching_models_are_an_ambiguity_that_names_them() -> None:
    found = resolve_roles(transfer.rubric(roles={"any": {"task": "b"}}), transfer.evidence())["any"]
    assert found.model is None
    assert english(found.message).endswith("`model_b` (cell 2) and `model_b_on_a` (cell 2).")


def test_a_role_reports_the_missed_conditions_of_each_model() -> None:
    roles = {"first": {"task": "a"}, "second": {"task": "a", "reuses": "first"}}
    message = resolve_roles(transfer.rubric(roles=roles), transfer.evidence())["second"].message
    assert "`model_a` (cell 2) has no weights that the model `first` learned" in english(message)
    assert "`model_b` (cell 2) was last trained on `b`, not on the task `a`" in english(message)


def test_roles_that_reuse_each_other_in_a_circle_mean_nothing() -> None:
    roles = {"one": {"reuses": "two"}, "two": {"reuses": "one"}}
    found = resolve_roles(transfer.rubric(roles=roles), transfer.evidence())
    circle = "The roles {roles:code} reuse each other in a circle."
    assert all(match.model is None and says(match.message, circle) for match in found.values())


@pytest.mark.parametrize(
    "wrong",
    [
        {"tasks": {"b": {"classes": [5, 5]}}},
        {"tasks": {"b": {"classes": [1, 2, 3], "binary": True}}},
        {"tasks": {"b": {"classes": [1, 2], "dataset": "cifar10"}}},
        {"roles": {"x": {"task": "missing"}}},
        {"roles": {"x": {"reuses": "missing"}}},
    ],
)
def test_tasks_and_roles_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"task|class|role"):
        rubric(**wrong)


EIGHT = dict.fromkeys(map(str, (0, 1, 2, 3, 4, 7, 8, 9)), 100)
OTHER_EIGHT = dict.fromkeys(map(str, (1, 3, 4, 5, 6, 7, 8, 9)), 100)


@pytest.mark.parametrize(
    ("classes", "tasks", "missing"),
    [
        pytest.param(EIGHT, ("a",), (), id="all classes of a"),
        pytest.param({"5": 98, "6": 102}, ("b",), (), id="all classes of b"),
        pytest.param({"0": 98, "2": 102}, (), (1, 3, 4, 7, 8, 9), id="two classes of a"),
        pytest.param({"0": 500}, (), (1, 2, 3, 4, 7, 8, 9), id="one class of a"),
        pytest.param({"5": 200}, (), (6,), id="one class of b"),
        pytest.param(EIGHT | {"9": 0}, ("a",), (9,), id="one class of a forgotten"),
        pytest.param(OTHER_EIGHT, (), (0, 2), id="eight other classes"),
        # A duplicate image in the data set is no class.
        pytest.param({"0": 5000, "2": 5000, "4": 3}, (), (1, 3, 4, 7, 8, 9), id="a stray image"),
        # Too few rows to tell that a class is missing.
        pytest.param({"0": 3, "1": 2, "2": 1}, ("a",), (), id="a handful"),
    ],
)
def test_a_few_classes_of_a_task_are_another_task(
    classes: dict[str, int], tasks: tuple[str, ...], missing: tuple[int, ...]
) -> None:
    count = sum(classes.values())
    found = rows(count, classes=classes)
    fit = FitFact(event=6, cell=1, model="m1", status="completed", x=an_array(count, of=found))
    assert tasks_of(fit, rubric()) == tasks
    nearest = "b" if set(classes) <= {"5", "6"} else "a"
    assert missing_classes(found, rubric(), nearest) == missing
    assert of_task(found, rubric(), nearest) is (bool(tasks) and not missing)


def test_another_edition_of_the_book_is_named_by_its_classes() -> None:
    whole = transfer.evidence()
    count = {"0": 100, "2": 100}
    other = an_array(200, of=rows(200, dataset="fashion_mnist", classes=count))
    first = an_array(800, of=rows(800, dataset="fashion_mnist", classes=OTHER_EIGHT))
    fits = tuple(f.model_copy(update={"x": first if f.model == transfer.FIRST else other}) for f in whole.fits)
    evidence = whole.model_copy(update={"fits": fits})
    found = resolve_roles(transfer.rubric(), evidence)
    assert all(match.model is None for match in found.values())
    message = (
        "No model matches the role {role:code}. The images of the task {task:code} are classes {classes:number}; "
        "{models:clauses}."
    )
    assert says(found["scratch"].message, message, role="scratch", task="b", classes=[5, 6])
    trained = "{model:code} ({cell:cell}) was last trained on {classes:number}"
    assert says(found["scratch"].message, trained, model="model_b", classes=[0, 2])
    assert says(found["first"].message, trained, model="model_a", classes=[1, 3, 4, 5, 6, 7, 8, 9])


def two_classes(y: LabelFact | None, **fit: Any) -> tuple[Evidence, dict[str, DatasetIndex]]:
    """A model with one output for a data set of two classes; of 40 images 10 are test images."""
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (40, 8, 8), dtype=np.uint8)
    classes = np.arange(40) % 2
    index = make_index("pets", images[:30], classes[:30], images[30:], classes[30:], fingerprint(images))
    x = an_array(30, of=rows(30, dataset="pets", classes={"0": 15, "1": 15}), transform=DIVIDED, shape=(30, 8, 8))
    training = FitFact(event=6, cell=1, model="m1", status="completed", x=x, y=y, compiled=5, **fit)
    loss = LossFact(name="binary_crossentropy", from_logits=False)
    compiled = CompileFact(event=5, cell=1, model="m1", optimizer=None, loss=loss)
    model = a_model(dense(1, "sigmoid", inputs=64), output_shape=(1,), input_shape=(8, 8))
    return Evidence(run=a_run(), models=(model,), compiles=(compiled,), fits=(training,)), {"pets": index}


def labels_of(one: str, other: str) -> LabelFact:
    return LabelFact(
        shape=(30,),
        dtype="float32",
        one_hot=False,
        classes={one: 15, other: 15},
        meaning={one: {"0": 15}, other: {"1": 15}},
    )


def outputs_for(index: DatasetIndex, zero: float, one: float) -> NDArray[Any]:
    return np.where(index.labels["test"] == 1, one, zero)[:, None].astype(np.float32)


@pytest.mark.parametrize(
    ("labels", "activation", "loss", "zero", "one"),
    [
        pytest.param(("0", "1"), "sigmoid", ("binary_crossentropy", False), 0.49, 0.51, id="probability"),
        pytest.param(("1", "0"), "sigmoid", ("binary_crossentropy", False), 0.51, 0.49, id="the other way round"),
        pytest.param(("0", "1"), "linear", ("binary_crossentropy", True), -0.1, 0.1, id="logit"),
        pytest.param(("0", "1"), "sigmoid", ("binary_crossentropy", True), 0.1, 0.9, id="probability as logit"),
        pytest.param(("0", "1"), "linear", ("mean_squared_error", None), 0.3, 0.7, id="regression"),
        pytest.param(("-1", "1"), "tanh", ("hinge", None), -0.1, 0.1, id="hinge"),
        pytest.param(("1", "-1"), "linear", ("mean_squared_error", None), 0.1, -0.1, id="regression to signs"),
        pytest.param(("0", "1"), "tanh", ("squared_hinge", None), -0.1, 0.1, id="hinge of 0 and 1"),
    ],
)
def test_one_output_for_a_data_set_of_two_classes_is_read_by_its_labels(
    labels: tuple[str, str], activation: str, loss: tuple[str, bool | None], zero: float, one: float
) -> None:
    evidence, indexes = two_classes(labels_of(*labels))
    compiled = evidence.compiles[0].model_copy(update={"loss": LossFact(name=loss[0], from_logits=loss[1])})
    model = evidence.models[0].model_copy(update={"layers": (dense(1, activation, inputs=64),)})
    evidence = evidence.model_copy(update={"compiles": (compiled,), "models": (model,)})
    (plan,) = plan_predictions(evidence, "pets", ("test",), indexes)
    fact = judged(evidence, plan, outputs_for(indexes["pets"], zero, one), indexes)
    assert (fact.correct, fact.total) == (10, 10)


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param(None, id="unseen"),
        pytest.param(LabelFact(shape=(30,), dtype="float32", one_hot=False), id="of unknown meaning"),
        pytest.param(labels_of("3", "7"), id="other numbers"),
        pytest.param(
            labels_of("0", "1").model_copy(update={"meaning": {"0": {"0": 8, "1": 7}, "1": {"0": 7, "1": 8}}}),
            id="mixed up",
        ),
    ],
)
def test_one_output_is_not_judged_if_its_labels_do_not_show_its_classes(labels: LabelFact | None) -> None:
    evidence, indexes = two_classes(labels)
    assert plan_predictions(evidence, "pets", ("test",), indexes) == ()


def test_relabelled_classes_of_a_whole_data_set_are_followed(run: Run, indexes: Mapping[str, DatasetIndex]) -> None:
    meaning = {str(9 - digit): {str(digit): 50} for digit in range(10)}
    evidence = taught(run, meaning, 10)
    plans = task_plans(evidence, indexes)
    truth = indexes["mnist"].labels["test"]
    outputs = np.eye(10, dtype=np.float32)[9 - truth]
    assert judged(evidence, plans["wholetrained"], outputs, indexes).value == 1.0
