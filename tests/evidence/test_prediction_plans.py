"""Plans repeat the training's preparation."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from grader.evidence.artefacts import ArtefactFolder
from grader.evidence.prediction_plans import plan_inputs, plan_predictions
from grader.facts.language import english
from grader.schema.errors import DatasetMissingError
from grader.schema.evidence import (
    CallFact,
    TransformFact,
)
from grader.schema.message import literal
from grader.schema.submission import Run
from tests.support.kept_models import Indexes, array, evidence_of, only_plan
from tests.support.says import says, values


def test_a_plan_repeats_the_last_trainings_preparation(run: Run, indexes: Indexes, mnist: SimpleNamespace) -> None:
    plan = only_plan(evidence_of(run, array(TransformFact(kind="affine", scale=1 / 255, shift=-0.5))), indexes)
    assert (plan.id, plan.artefact, plan.format, plan.dialect) == (
        "m1-mnist-test-keras-0",
        "models/m1.keras",
        "keras",
        "keras3",
    )
    assert (english(plan.preprocessing), plan.note) == ("x / 255 - 0.5", "")
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
    assert (english(plan.preprocessing), plan.guessed) == ("x / 255", False)
    assert says(plan.note, "preprocessed like the images of its {call:code}", call="evaluate")


def test_an_unknown_preparation_is_tried_in_several_ways(run: Run, indexes: Indexes) -> None:
    plans = plan_predictions(evidence_of(run, None), "mnist", ("test",), indexes)
    words = [english(plan.preprocessing) for plan in plans]
    assert words[:3] == ["x / 255", "raw pixels (0 to 255)", "x / 255 - 0.5"]
    assert len({plan.id for plan in plans}) == len(plans) == 6
    note = "the preprocessing of its training images was not recognized; the best of {tried:number} common ways counts"
    assert all(plan.guessed and says(plan.note, note, tried=6) for plan in plans)


def test_the_range_of_unknown_images_narrows_the_ways(run: Run, indexes: Indexes) -> None:
    x = array(None, low=-0.5, high=0.5, mean=-0.37)
    plan = only_plan(evidence_of(run, x), indexes)
    assert english(plan.preprocessing) == "x / 255 - 0.5"
    note = "the preprocessing of its training images was not recognized; it was chosen by their range"
    assert says(plan.note, note)


def test_a_generators_own_array_is_only_one_of_the_ways(run: Run, indexes: Indexes) -> None:
    x = array(TransformFact(kind="affine", scale=1.0, shift=0.0), mapped=True, source="generator")
    plans = plan_predictions(evidence_of(run, x), "mnist", ("test",), indexes)
    assert [english(plan.preprocessing) for plan in plans[:2]] == ["raw pixels (0 to 255)", "x / 255"]
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
    with pytest.raises(DatasetMissingError, match="but not 'dev'"):
        plan_predictions(evidence, "mnist", ("dev",), indexes)


def test_an_unbuilt_models_input_is_the_shape_it_was_trained_with(run: Run, indexes: Indexes) -> None:
    plan = only_plan(evidence_of(run, array(), input_shape=None, output_shape=None), indexes)
    assert plan_inputs(plan, indexes).shape == (10_000, 28, 28)


def test_direct_calls_speak_for_a_custom_loop(run: Run, indexes: Indexes) -> None:
    call = CallFact(event=5, cell=2, model="m1", training=True, count=9, x=array())
    evidence = evidence_of(run, None).model_copy(update={"calls": (call,)})
    plan = only_plan(evidence, indexes)
    assert (english(plan.preprocessing), plan.guessed) == ("x / 255", False)


def test_a_padded_input_is_said(run: Run, indexes: Indexes) -> None:
    plan = only_plan(evidence_of(run, array(), input_shape=(32, 32, 1)), indexes)
    assert values(plan.preprocessing, "{preprocessing}, padded with black pixels to {shape:shape}") == {
        "preprocessing": literal("x / 255"),
        "shape": [32, 32],
    }
    assert plan_inputs(plan, indexes).shape == (10_000, 32, 32, 1)
