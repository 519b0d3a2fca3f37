"""Plans repeat the training's preparation; accuracies come from predictions and labels."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from grader.evidence.artefacts import ArtefactFolder
from grader.evidence.prediction_plans import (
    PredictionPlan,
    PredictionResult,
    apply_predictions,
    plan_inputs,
    plan_predictions,
    recorded_results,
)
from grader.evidence.provenance import DatasetIndex
from grader.evidence.statistics import wilson
from grader.schema.base import Assurance
from grader.schema.errors import DatasetMissingError
from grader.schema.evidence import (
    ArrayFact,
    CallFact,
    EvaluateFact,
    Evidence,
    FitFact,
    LayerFact,
    ModelFact,
    RowsFact,
    TransformFact,
)
from grader.schema.submission import Run

Indexes = Mapping[str, DatasetIndex]
DIVIDED = TransformFact(kind="affine", scale=1 / 255, shift=0.0)


def array(transform: TransformFact | None = DIVIDED, dataset: str = "mnist", **more: Any) -> ArrayFact:
    rows = RowsFact(dataset=dataset, counts={"train": 100, "test": 0}, matched=1.0, method="fingerprint")
    given: dict[str, Any] = {"shape": (100, 28, 28), "dtype": "float32", "rows": rows, "transform": transform} | more
    return ArrayFact(**given)


def evidence_of(run: Run, x: ArrayFact | None = None, *, evaluated: ArrayFact | None = None, **more: Any) -> Evidence:
    """One trained and kept model."""
    model: dict[str, Any] = {
        "id": "m1",
        "name": "cnn",
        "cls": "Sequential",
        "dialect": "keras3",
        "input_shape": (28, 28, 1),
        "output_shape": (10,),
        "parameters": 5,
        "artefact": "models/m1.keras",
        "artefact_format": "keras",
    }
    fit = FitFact(event=3, cell=1, model="m1", status="completed", x=x)
    seen = () if evaluated is None else (EvaluateFact(event=4, cell=2, model="m1", x=evaluated),)
    return Evidence(run=run, models=(ModelFact(**model | more),), fits=(fit,), evaluations=seen)


def only_plan(evidence: Evidence, indexes: Indexes, **more: Any) -> PredictionPlan:
    plans = plan_predictions(evidence, "mnist", ("test",), indexes, **more)
    assert len(plans) == 1
    return plans[0]


def one_hot(classes: NDArray[Any], count: int = 10) -> NDArray[Any]:
    rows: NDArray[Any] = np.eye(count, dtype=np.float32)[classes]
    return rows


def test_a_plan_repeats_the_last_trainings_preparation(run: Run, indexes: Indexes, mnist: SimpleNamespace) -> None:
    plan = only_plan(evidence_of(run, array(TransformFact(kind="affine", scale=1 / 255, shift=-0.5))), indexes)
    assert (plan.id, plan.artefact, plan.format, plan.dialect) == (
        "m1-mnist-test-keras-0",
        "models/m1.keras",
        "keras",
        "keras3",
    )
    assert (plan.preprocessing, plan.note) == ("x / 255 - 0.5", "")
    inputs = plan_inputs(plan, indexes)
    assert inputs.shape == (10_000, 28, 28, 1)
    np.testing.assert_allclose(inputs[7, ..., 0], mnist.x_test[7] / 255 - 0.5, atol=1e-6)


def test_a_standardisation_of_each_pixel_is_read_from_beside_the_evidence(
    run: Run, indexes: Indexes, mnist: SimpleNamespace, tmp_path: Path
) -> None:
    folder = ArtefactFolder(tmp_path)
    scale, shift = np.full((28, 28), 0.5), np.arange(784.0).reshape(28, 28)
    folder.keep("derived/t.npz", {"scale": scale, "shift": shift})
    x = array(TransformFact(kind="per_pixel", file="derived/t.npz"))
    plan = only_plan(evidence_of(run, x, input_shape=(784,)), indexes, arrays=folder)
    np.testing.assert_allclose(plan_inputs(plan, indexes)[3], (mnist.x_test[3] * scale + shift).ravel(), rtol=1e-6)
    assert len(plan_predictions(evidence_of(run, x), "mnist", ("test",), indexes)) > 1


def test_an_evaluation_speaks_for_a_training_on_unknown_images(run: Run, indexes: Indexes) -> None:
    plan = only_plan(evidence_of(run, None, evaluated=array()), indexes)
    assert (plan.preprocessing, plan.guessed) == ("x / 255", False)
    assert "evaluate" in plan.note


def test_an_unknown_preparation_is_tried_in_several_ways(run: Run, indexes: Indexes) -> None:
    plans = plan_predictions(evidence_of(run, None), "mnist", ("test",), indexes)
    words = [plan.preprocessing for plan in plans]
    assert words[:3] == ["x / 255", "raw pixels (0 to 255)", "x / 255 - 0.5"]
    assert len({plan.id for plan in plans}) == len(plans) == 6
    assert all(plan.guessed and "the best of 6" in plan.note for plan in plans)


def test_the_range_of_unknown_images_narrows_the_ways(run: Run, indexes: Indexes) -> None:
    x = array(None, low=-0.5, high=0.5, mean=-0.37)
    plan = only_plan(evidence_of(run, x), indexes)
    assert plan.preprocessing == "x / 255 - 0.5"
    assert "judged by their range" in plan.note


def test_a_generators_own_array_is_only_one_of_the_ways(run: Run, indexes: Indexes) -> None:
    x = array(TransformFact(kind="affine", scale=1.0, shift=0.0), mapped=True, source="generator")
    plans = plan_predictions(evidence_of(run, x), "mnist", ("test",), indexes)
    assert [plan.preprocessing for plan in plans[:2]] == ["raw pixels (0 to 255)", "x / 255"]
    assert len(plans) == 6


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"artefact": None}, id="not kept"),
        pytest.param({"output_shape": (8,)}, id="eight classes"),
        pytest.param({"output_shape": (1,)}, id="one output"),
        pytest.param({"output_shape": (28, 10)}, id="a sequence"),
        pytest.param({"input_shape": (32, 20, 3)}, id="other images"),
        pytest.param({"input_shape": (10,)}, id="no images"),
    ],
)
def test_a_model_that_cannot_classify_the_data_set_is_not_planned(
    run: Run, indexes: Indexes, more: dict[str, Any]
) -> None:
    assert plan_predictions(evidence_of(run, array(), **more), "mnist", ("test",), indexes) == ()


def test_a_model_trained_on_another_data_set_is_not_planned(run: Run, indexes: Indexes) -> None:
    assert plan_predictions(evidence_of(run, array(dataset="fashion_mnist")), "mnist", ("test",), indexes) == ()


def test_a_model_that_was_never_trained_is_not_planned(run: Run, indexes: Indexes) -> None:
    untrained = evidence_of(run, array()).model_copy(update={"fits": ()})
    assert plan_predictions(untrained, "mnist", ("test",), indexes) == ()


def test_a_missing_data_set_or_split_is_the_graders_failure(run: Run, indexes: Indexes) -> None:
    evidence = evidence_of(run, array())
    with pytest.raises(DatasetMissingError):
        plan_predictions(evidence, "cifar10", ("test",), indexes)
    with pytest.raises(DatasetMissingError, match="no split 'dev'"):
        plan_predictions(evidence, "mnist", ("dev",), indexes)


def test_an_unbuilt_models_input_is_the_shape_it_was_trained_with(run: Run, indexes: Indexes) -> None:
    plan = only_plan(evidence_of(run, array(), input_shape=None, output_shape=None), indexes)
    assert plan_inputs(plan, indexes).shape == (10_000, 28, 28)


def test_accuracy_is_computed_from_predictions_with_its_interval(
    run: Run, indexes: Indexes, mnist: SimpleNamespace
) -> None:
    evidence = evidence_of(run, array())
    predicted = mnist.y_test.astype(int).copy()
    predicted[:93] = (predicted[:93] + 1) % 10
    result = PredictionResult(only_plan(evidence, indexes), one_hot(predicted))
    fact = apply_predictions(evidence, [result], indexes).accuracy("m1", "mnist", "test")
    assert fact is not None
    assert (fact.correct, fact.total, fact.value) == (9907, 10_000, 0.9907)
    assert (fact.low, fact.high) == wilson(9907, 10_000)
    assert (fact.assurance, fact.how, fact.preprocessing, fact.note) == (Assurance.VERIFIED, "keras", "x / 255", "")
    assert fact.predicted == tuple(predicted.tolist())


def test_the_best_of_several_ways_counts_and_says_so(run: Run, indexes: Indexes, mnist: SimpleNamespace) -> None:
    evidence = evidence_of(run, None)
    plans = plan_predictions(evidence, "mnist", ("test",), indexes)
    truth = mnist.y_test.astype(int)
    outputs = [one_hot((truth + (number != 2)) % 10) for number in range(len(plans))]
    results = [PredictionResult(plan, out) for plan, out in zip(plans, outputs, strict=True)]
    results[0] = PredictionResult(plans[0], None, "crashed")
    fact = apply_predictions(evidence, results, indexes).accuracy("m1", "mnist", "test")
    assert fact is not None
    assert (fact.value, fact.preprocessing) == (1.0, plans[2].preprocessing)
    assert "the best of 6 preparations counts" in fact.note


def test_predictions_made_in_the_kernel_are_only_recorded(
    run: Run, indexes: Indexes, mnist: SimpleNamespace, tmp_path: Path
) -> None:
    np.save(tmp_path / "m1.npy", one_hot(mnist.y_test.astype(int)))
    evidence = evidence_of(
        run, array(), artefact="m1.npy", artefact_format="predictions", unkept_reason="it has a layer of its own"
    )
    plan = only_plan(evidence, indexes)
    with pytest.raises(ValueError, match="no inputs"):
        plan_inputs(plan, indexes)
    results = recorded_results([plan], ArtefactFolder(tmp_path))
    fact = apply_predictions(evidence, results, indexes).accuracy("m1", "mnist", "test")
    assert fact is not None
    assert (fact.value, fact.assurance, fact.how) == (1.0, Assurance.RECORDED, "predictions")
    assert "it has a layer of its own" in fact.note


@pytest.mark.parametrize(
    ("outputs", "why"),
    [
        (np.zeros((10_000, 1)), "one output an image"),
        (np.zeros((10_000, 8)), "8 outputs an image"),
        (np.zeros((9_999, 10)), "no row of numbers for each of 10000 images"),
        (np.zeros(10_000), "no row of numbers"),
        (np.zeros((10_000, 10), dtype=bool), "no row of numbers"),
        (None, "there are no outputs"),
    ],
)
def test_outputs_that_name_no_class_give_no_accuracy_and_a_reason(
    run: Run, indexes: Indexes, outputs: NDArray[Any] | None, why: str
) -> None:
    evidence = evidence_of(run, array())
    after = apply_predictions(evidence, [PredictionResult(only_plan(evidence, indexes), outputs)], indexes)
    assert after.accuracies == ()
    assert why in (after.models[0].unkept_reason or "")
    assert why in after.problems[0]


def test_outputs_that_are_no_numbers_count_as_wrong(run: Run, indexes: Indexes, mnist: SimpleNamespace) -> None:
    evidence = evidence_of(run, array())
    outputs = np.where(one_hot(mnist.y_test.astype(int)) > 0, 0.0, -np.inf)
    outputs[:10] = np.nan
    outputs[10:15, 3:5] = np.inf
    fact = apply_predictions(evidence, [PredictionResult(only_plan(evidence, indexes), outputs)], indexes).accuracies[0]
    assert fact.correct == 9_985
    assert fact.predicted[:15] == (-1,) * 15
    assert "15 of 10000 images" in fact.note


DESCRIPTION: dict[str, Any] = {
    "id": "whatever",
    "name": "sequential_7",
    "cls": "Sequential",
    "input_shape": [28, 28, 1],
    "output_shape": [10],
    "parameters": 320,
    "trainable_parameters": 320,
    "layers": [{"name": "conv", "cls": "Conv2D", "parameters": 320, "trainable": True, "config": {"filters": 32}}],
}


def test_the_predictors_description_takes_the_place_of_the_recorded_one(
    run: Run, indexes: Indexes, mnist: SimpleNamespace
) -> None:
    evidence = evidence_of(run, array(), cell=3)
    result = PredictionResult(only_plan(evidence, indexes), one_hot(mnist.y_test.astype(int)), description=DESCRIPTION)
    after = apply_predictions(evidence, [result], indexes)
    model = after.models[0]
    assert (model.id, model.name, model.cell, model.artefact) == ("m1", "cnn", 3, "models/m1.keras")
    assert (model.parameters, model.assurance, model.layers[0].cls) == (320, Assurance.VERIFIED, "Conv2D")
    assert after.problems == ("the kept model cnn has 320 parameters where the record says 5; the kept one counts",)


@pytest.mark.parametrize(
    "description", [None, {}, {"layers": "x"}, DESCRIPTION | {"layers": []}, DESCRIPTION | {"parameters": None}]
)
def test_half_a_description_leaves_the_recorded_one(
    run: Run, indexes: Indexes, mnist: SimpleNamespace, description: dict[str, Any] | None
) -> None:
    layer = LayerFact(name="d", cls="Dense", parameters=5, trainable=True)
    evidence = evidence_of(run, array(), layers=(layer,))
    result = PredictionResult(only_plan(evidence, indexes), one_hot(mnist.y_test.astype(int)), description=description)
    model = apply_predictions(evidence, [result], indexes).models[0]
    assert (model.layers, model.assurance) == ((layer,), Assurance.RECORDED)


def test_a_form_that_does_not_load_is_replaced_by_the_next(
    run: Run, indexes: Indexes, mnist: SimpleNamespace, tmp_path: Path
) -> None:
    evidence = evidence_of(
        run,
        array(),
        artefact="models/m1.saved_model",
        artefact_format="saved_model",
        fallbacks={"keras": "models/m1.keras", "predictions": "predictions.npy"},
    )
    plans = plan_predictions(evidence, "mnist", ("test",), indexes)
    assert [plan.format for plan in plans] == ["keras", "saved_model", "predictions"]
    assert len({plan.id for plan in plans}) == 3
    truth = mnist.y_test.astype(int)
    np.save(tmp_path / "predictions.npy", one_hot(truth))
    own = recorded_results(plans, ArtefactFolder(tmp_path))
    lost = PredictionResult(plans[0], None, "unknown layer MyDropout")
    worse = PredictionResult(plans[1], one_hot(np.where(np.arange(10_000) < 100, (truth + 1) % 10, truth)))
    fact = apply_predictions(evidence, [lost, worse, *own], indexes).accuracies[0]
    assert (fact.how, fact.value, fact.assurance) == ("saved_model", 0.99, Assurance.VERIFIED)
    after = apply_predictions(evidence, [lost, *own], indexes)
    assert (after.accuracies[0].how, after.accuracies[0].assurance) == ("predictions", Assurance.RECORDED)
    assert "unknown layer MyDropout" in after.accuracies[0].note


def test_unreadable_recorded_outputs_give_no_accuracy(run: Run, indexes: Indexes, tmp_path: Path) -> None:
    evidence = evidence_of(run, array(), artefact="none.npy", artefact_format="predictions")
    results = recorded_results([only_plan(evidence, indexes)], ArtefactFolder(tmp_path))
    after = apply_predictions(evidence, results, indexes)
    assert after.accuracies == ()
    assert "could not be read" in (after.models[0].unkept_reason or "")


def test_direct_calls_speak_for_a_custom_loop(run: Run, indexes: Indexes) -> None:
    call = CallFact(event=5, cell=2, model="m1", training=True, count=9, x=array())
    evidence = evidence_of(run, None).model_copy(update={"calls": (call,)})
    plan = only_plan(evidence, indexes)
    assert (plan.preprocessing, plan.guessed) == ("x / 255", False)


def test_a_padded_input_is_said(run: Run, indexes: Indexes) -> None:
    plan = only_plan(evidence_of(run, array(), input_shape=(32, 32, 1)), indexes)
    assert plan.preprocessing == "x / 255, in a black frame of 32 by 32 pixels"
    assert plan_inputs(plan, indexes).shape == (10_000, 32, 32, 1)


def test_predictions_made_again_replace_the_old_accuracy(run: Run, indexes: Indexes, mnist: SimpleNamespace) -> None:
    evidence = evidence_of(run, array())
    plan = only_plan(evidence, indexes)
    truth = mnist.y_test.astype(int)
    first = apply_predictions(evidence, [PredictionResult(plan, one_hot((truth + 1) % 10))], indexes)
    second = apply_predictions(first, [PredictionResult(plan, one_hot(truth))], indexes)
    assert [fact.value for fact in second.accuracies] == [1.0]


def test_an_output_shape_that_was_not_recorded_is_that_of_the_rows(
    run: Run, indexes: Indexes, mnist: SimpleNamespace
) -> None:
    evidence = evidence_of(run, array(), output_shape=None)
    result = PredictionResult(only_plan(evidence, indexes), one_hot(mnist.y_test.astype(int)))
    (model,) = apply_predictions(evidence, [result], indexes).models
    assert model.output_shape == (10,)
