"""Accuracies come from predictions and labels."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from grader.evidence.accuracies import apply_predictions, recorded_results
from grader.evidence.artefacts import ArtefactFolder
from grader.evidence.hdf5 import StoredArray
from grader.evidence.keras_file import KerasFile
from grader.evidence.prediction_plans import PredictionResult, plan_inputs, plan_predictions
from grader.evidence.saved_model import Graph
from grader.facts.language import english
from grader.facts.layers import final_activation
from grader.facts.statistics import wilson
from grader.schema.base import Assurance
from grader.schema.evidence import LayerFact, OutputFact, OutputPart
from grader.schema.message import say
from grader.schema.submission import Run
from tests.support.kept_models import Indexes, array, evidence_of, only_plan
from tests.support.says import says, values


def one_hot(classes: NDArray[Any], count: int = 10) -> NDArray[Any]:
    rows: NDArray[Any] = np.eye(count, dtype=np.float32)[classes]
    return rows


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
    assert (fact.assurance, fact.how, english(fact.preprocessing)) == (Assurance.VERIFIED, "keras", "x / 255")
    assert not fact.note
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
    assert says(
        fact.note,
        "the preprocessing of its training images was not recognized; the best of {tried:number} common ways counts",
        tried=6,
    )


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
    assert says(
        fact.note,
        "predicted in the notebook's own process, because the saved model could not be used outside it: {reason}",
        reason="it has a layer of its own",
    )


UNITS = "its output has {count:number} unit, but there are {classes:number} classes"
ROWS = "its outputs have the shape {shape:shape}, instead of a row of numbers for each of {images:number} images"


@pytest.mark.parametrize(
    ("outputs", "reason", "figures"),
    [
        (np.zeros((10_000, 1)), UNITS, {"count": 1, "classes": 10}),
        (np.zeros((10_000, 8)), UNITS, {"count": 8, "classes": 10}),
        (np.zeros((9_999, 10)), ROWS, {"shape": [9_999, 10], "images": 10_000}),
        (np.zeros(10_000), ROWS, {"shape": [10_000], "images": 10_000}),
        (np.zeros((10_000, 10), dtype=bool), ROWS, {"shape": [10_000, 10], "images": 10_000}),
        (None, "it gave no outputs", {}),
    ],
)
def test_outputs_that_name_no_class_give_no_accuracy_and_a_reason(
    run: Run, indexes: Indexes, outputs: NDArray[Any] | None, reason: str, figures: dict[str, Any]
) -> None:
    evidence = evidence_of(run, array())
    after = apply_predictions(evidence, [PredictionResult(only_plan(evidence, indexes), outputs)], indexes)
    assert after.accuracies == ()
    assert says(after.models[0].unkept_reason or "", reason, **figures)
    assert says(after.problems[0], "no accuracy of the model {model:code}: {reason}", model="cnn")
    assert values(after.problems[0], reason) == figures


def test_outputs_that_are_no_numbers_count_as_wrong(run: Run, indexes: Indexes, mnist: SimpleNamespace) -> None:
    evidence = evidence_of(run, array())
    outputs = np.where(one_hot(mnist.y_test.astype(int)) > 0, 0.0, -np.inf)
    outputs[:10] = np.nan
    outputs[10:15, 3:5] = np.inf
    fact = apply_predictions(evidence, [PredictionResult(only_plan(evidence, indexes), outputs)], indexes).accuracies[0]
    assert fact.correct == 9_985
    assert fact.predicted[:15] == (-1,) * 15
    broken = "{count:number} of {images:number} images has an output that is not a number, and counts as wrong"
    assert says(fact.note, broken, count=15, images=10_000)


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


def content(config: dict[str, Any], parameters: int = 320) -> KerasFile:
    """The file of a model whose layers are written in its configuration."""
    return KerasFile(config, {"layers/conv/vars/0": StoredArray((parameters,), 0, 0)}, frozenset({"abc"}))


def written(*layers: dict[str, Any]) -> dict[str, Any]:
    return {"class_name": "Sequential", "config": {"layers": list(layers)}}


CONVOLUTION: dict[str, Any] = {"class_name": "Conv2D", "config": {"name": "conv", "filters": 32, "strides": [1, 1]}}


def test_the_predictors_description_takes_the_place_of_the_recorded_one(
    run: Run, indexes: Indexes, mnist: SimpleNamespace
) -> None:
    evidence = evidence_of(run, array(), cell=3)
    truth = one_hot(mnist.y_test.astype(int))
    file = content(written(CONVOLUTION))
    result = PredictionResult(only_plan(evidence, indexes), truth, description=DESCRIPTION, file=file)
    after = apply_predictions(evidence, [result], indexes)
    model = after.models[0]
    assert (model.id, model.name, model.cell, model.artefact) == ("m1", "cnn", 3, "models/m1.keras")
    assert (model.parameters, model.assurance, model.layers[0].cls) == (320, Assurance.VERIFIED, "Conv2D")
    different = "the kept model has {saved:number} parameters, but the record says {recorded:number}"
    assert model.doubt is not None
    assert says(model.doubt, different, saved=320, recorded=5)
    (problem,) = after.problems
    assert says(problem, "{model:code}: {doubt}", model="cnn")


@pytest.mark.parametrize(
    ("layers", "parameters"),
    [
        ((CONVOLUTION,), 321),
        (({**CONVOLUTION, "class_name": "Dense"},), 320),
        (({**CONVOLUTION, "config": {"name": "conv", "filters": 8}},), 320),
        (({**CONVOLUTION, "config": {"name": "other", "filters": 32}},), 320),
        ((CONVOLUTION, {"class_name": "Dropout", "config": {"name": "dropout"}}), 320),
        ((), 320),
    ],
)
def test_a_description_that_the_models_file_does_not_confirm_is_not_believed(
    run: Run, indexes: Indexes, mnist: SimpleNamespace, layers: tuple[dict[str, Any], ...], parameters: int
) -> None:
    evidence = evidence_of(run, array())
    truth, file = one_hot(mnist.y_test.astype(int)), content(written(*layers), parameters)
    for known in (file, None):
        result = PredictionResult(only_plan(evidence, indexes), truth, description=DESCRIPTION, file=known)
        after = apply_predictions(evidence, [result], indexes)
        assert (after.models[0].parameters, after.models[0].assurance) == (5, Assurance.RECORDED)
        unlike = (
            "the structure of the model {model:code} is only recorded, because the grader could not read it in the "
            "model's file"
        )
        assert says(after.problems[0], unlike, model="cnn")


@pytest.mark.parametrize(("digests", "doubted"), [(("abc", "more"), False), (("other",), True), ((), False)])
def test_weights_that_the_recorder_did_not_save_are_left_to_a_person(
    run: Run,
    indexes: Indexes,
    mnist: SimpleNamespace,
    digests: tuple[str, ...],
    doubted: bool,  # noqa: FBT001
) -> None:
    evidence = evidence_of(run, array(), parameters=320, kept_digests=digests)
    truth, file = one_hot(mnist.y_test.astype(int)), content(written(CONVOLUTION))
    result = PredictionResult(only_plan(evidence, indexes), truth, description=DESCRIPTION, file=file)
    after = apply_predictions(evidence, [result], indexes)
    assert (after.models[0].assurance, after.models[0].doubt is not None) == (Assurance.VERIFIED, doubted)
    assert len(after.problems) == doubted


@pytest.mark.parametrize(("numbers", "doubted"), [(0, False), (200, False), (784, True)])
def test_a_table_in_the_settings_of_a_model_is_left_to_a_person(
    run: Run,
    indexes: Indexes,
    mnist: SimpleNamespace,
    numbers: int,
    doubted: bool,  # noqa: FBT001
) -> None:
    table = [[0.5] * 28] * (numbers // 28)
    layer = {**CONVOLUTION, "config": {**CONVOLUTION["config"], "table": [{"value": table}]}}
    evidence = evidence_of(run, array(), parameters=320)
    truth, file = one_hot(mnist.y_test.astype(int)), content(written(layer))
    result = PredictionResult(only_plan(evidence, indexes), truth, description=DESCRIPTION, file=file)
    (model,) = apply_predictions(evidence, [result], indexes).models
    assert (model.doubt is not None) is doubted


@pytest.mark.parametrize(("numbers", "doubted"), [(5, False), (205, False), (10_000, True)])
def test_a_graph_that_holds_more_than_its_parameters_is_left_to_a_person(
    run: Run,
    indexes: Indexes,
    mnist: SimpleNamespace,
    numbers: int,
    doubted: bool,  # noqa: FBT001
) -> None:
    evidence = evidence_of(run, array(), artefact="models/m1.saved_model", artefact_format="saved_model")
    truth = one_hot(mnist.y_test.astype(int))
    result = PredictionResult(only_plan(evidence, indexes), truth, graph=Graph(None, numbers))
    (model,) = apply_predictions(evidence, [result], indexes).models
    assert (model.doubt is not None) is doubted


def test_a_graph_says_nothing_about_its_own_structure(run: Run, indexes: Indexes, mnist: SimpleNamespace) -> None:
    evidence = evidence_of(run, array(), artefact="models/m1.saved_model", artefact_format="saved_model")
    truth = one_hot(mnist.y_test.astype(int))
    result = PredictionResult(only_plan(evidence, indexes), truth, description=DESCRIPTION)
    after = apply_predictions(evidence, [result], indexes)
    assert (after.models[0].assurance, after.accuracies[0].assurance) == (Assurance.RECORDED, Assurance.VERIFIED)


def test_two_answers_to_one_image_leave_the_accuracy_to_a_person(
    run: Run, indexes: Indexes, mnist: SimpleNamespace
) -> None:
    evidence = evidence_of(run, array())
    truth = one_hot(mnist.y_test.astype(int))
    plan = only_plan(evidence, indexes)
    random = content({"inbound_nodes": [{"kwargs": {"training": True}}]})
    stateful = content({"inbound_nodes": [{"kwargs": {"training": True}}], "config": {"stateful": True}})
    for unequal, file, doubted in ((0, None, False), (9, None, True), (9, random, False), (9, stateful, True)):
        result = PredictionResult(plan, truth, file=file, unequal=unequal)
        (fact,) = apply_predictions(evidence, [result], indexes).accuracies
        assert (fact.doubt is not None) is doubted
    for draws in (False, True):
        result = PredictionResult(plan, truth, unequal=9, graph=Graph(None, 5, random=draws))
        (fact,) = apply_predictions(evidence, [result], indexes).accuracies
        assert (fact.doubt is None) is draws


def test_plain_layers_count_before_a_graph_even_if_the_graph_is_better(
    run: Run, indexes: Indexes, mnist: SimpleNamespace
) -> None:
    evidence = evidence_of(run, array(), fallbacks={"saved_model": "models/m1.saved_model"})
    plans = plan_predictions(evidence, "mnist", ("test",), indexes)
    truth = mnist.y_test.astype(int)
    results = [PredictionResult(plans[0], one_hot((truth + 1) % 10)), PredictionResult(plans[1], one_hot(truth))]
    (fact,) = apply_predictions(evidence, results, indexes).accuracies
    assert (fact.how, fact.correct) == ("keras", 0)


def test_layers_from_keras_applications_are_marked_in_the_predictors_description_too(
    run: Run, indexes: Indexes, mnist: SimpleNamespace
) -> None:
    own = LayerFact(name="out", cls="Dense", parameters=5, trainable=True)
    base = LayerFact(name="conv", cls="Conv2D", parameters=320, trainable=True, ready_made=True)
    nested = LayerFact(name="base", cls="Functional", parameters=320, trainable=True, layers=(base,))
    evidence = evidence_of(run, array(), layers=(nested, own))
    outer = DESCRIPTION | {"layers": [{**DESCRIPTION["layers"][0], "name": "out", "cls": "Dense"}]}
    outer["layers"].append({"name": "base", "cls": "Functional", "parameters": 320, "layers": DESCRIPTION["layers"]})
    inner = {"class_name": "Functional", "config": {"name": "base", "layers": [CONVOLUTION]}}
    file = content(written({**CONVOLUTION, "class_name": "Dense", "config": {"name": "out", "filters": 32}}, inner))
    truth = one_hot(mnist.y_test.astype(int))
    result = PredictionResult(only_plan(evidence, indexes), truth, description=outer, file=file)
    layers = apply_predictions(evidence, [result], indexes).models[0].flat_layers()
    assert {layer.name: layer.ready_made for layer in layers} == {"out": False, "conv": True}


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
    assert "unknown layer MyDropout" in english(after.accuracies[0].note)


def test_unreadable_recorded_outputs_give_no_accuracy(run: Run, indexes: Indexes, tmp_path: Path) -> None:
    evidence = evidence_of(run, array(), artefact="none.npy", artefact_format="predictions")
    results = recorded_results([only_plan(evidence, indexes)], ArtefactFolder(tmp_path))
    after = apply_predictions(evidence, results, indexes)
    assert after.accuracies == ()
    assert says(after.models[0].unkept_reason or "", "its recorded outputs could not be read: {reason}")


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


def part(name: str, start: int | None, *shape: int) -> OutputPart:
    return OutputPart(name=name, shape=shape, start=start)


SEVERAL = (OutputFact(name="odd", shape=(1,)), OutputFact(name="digit", shape=(10,)))


def test_the_only_output_that_fits_the_classes_counts(run: Run, indexes: Indexes, mnist: SimpleNamespace) -> None:
    evidence = evidence_of(run, array(), output_shape=None, outputs=SEVERAL)
    truth = mnist.y_test.astype(int)
    rows = np.concatenate([truth[:, None] % 2, one_hot(truth)], axis=1)
    parts = (part("odd", 0, 1), part("digit", 1, 10), part("image", None, 64, 64))
    result = PredictionResult(only_plan(evidence, indexes), rows, parts=parts)
    fact = apply_predictions(evidence, [result], indexes).accuracy("m1", "mnist", "test")
    assert fact is not None
    assert fact.value == 1.0
    which = "of its {count:number} outputs, {output} counts"
    assert says(fact.note, which, count=3, output=say("{name:code}", name="digit"))


@pytest.mark.parametrize("first", ["digits", "others"])
def test_of_several_outputs_that_fit_the_one_that_agrees_with_the_labels_counts(
    run: Run, indexes: Indexes, mnist: SimpleNamespace, first: str
) -> None:
    evidence = evidence_of(run, array(), output_shape=None)
    truth = mnist.y_test.astype(int)
    columns = [one_hot(truth), one_hot(9 - truth)]
    rows = np.concatenate(columns if first == "digits" else columns[::-1], axis=1)
    parts = (part("0", 0, 10), part("1", 10, 10))
    result = PredictionResult(only_plan(evidence, indexes), rows, parts=parts)
    after = apply_predictions(evidence, [result], indexes)
    fact = after.accuracy("m1", "mnist", "test")
    assert fact is not None
    assert fact.value == 1.0
    assert says(fact.note, "output {number:number}", number=1 if first == "digits" else 2)
    assert [output.shape for output in after.models[0].outputs] == [(10,), (10,)]


def test_a_subclassed_model_that_gives_images_is_no_classifier(run: Run, indexes: Indexes) -> None:
    evidence = evidence_of(run, array(), output_shape=None)
    result = PredictionResult(only_plan(evidence, indexes), np.zeros((10_000, 784)), parts=(part("0", 0, 28, 28, 1),))
    after = apply_predictions(evidence, [result], indexes)
    assert after.accuracies == ()
    assert (after.models[0].output_shape, after.models[0].unkept_reason) == ((28, 28, 1), None)


def test_a_form_that_does_not_load_is_no_problem_of_a_model_that_is_no_classifier(run: Run, indexes: Indexes) -> None:
    more: dict[str, Any] = {"output_shape": None, "fallbacks": {"saved_model": "models/m1.saved_model"}}
    evidence = evidence_of(run, array(), **more)
    keras, exported = plan_predictions(evidence, "mnist", ("test",), indexes)
    images = PredictionResult(exported, np.zeros((10_000, 784)), parts=(part("0", 0, 28, 28, 1),))
    after = apply_predictions(evidence, [PredictionResult(keras, None, "TypeError: no class"), images], indexes)
    assert (after.problems, after.models[0].unkept_reason) == ((), None)


def test_ten_values_in_the_shape_of_an_image_are_no_classes(run: Run, indexes: Indexes) -> None:
    evidence = evidence_of(run, array(), output_shape=None)
    result = PredictionResult(only_plan(evidence, indexes), np.zeros((10_000, 10)), parts=(part("0", 0, 5, 2),))
    assert apply_predictions(evidence, [result], indexes).accuracies == ()


@pytest.mark.parametrize(
    ("outputs", "activation"),
    [
        (lambda p: p, "softmax"),
        (lambda p: p.astype(np.float16), "softmax"),
        (np.log, "linear"),
        (lambda p: 8 * p - 2, "linear"),
        (lambda p: np.minimum(1, 3 * p), "sigmoid"),
        (lambda p: np.where(p > 2, p, np.nan), None),
    ],
)
def test_predicted_values_show_the_last_activation_of_a_subclassed_model(
    outputs: Any, activation: str | None, run: Run, indexes: Indexes, mnist: SimpleNamespace
) -> None:
    evidence = evidence_of(run, array(), cls="Net")
    rows = np.random.default_rng(7).dirichlet(np.ones(10), len(mnist.y_test))
    result = PredictionResult(only_plan(evidence, indexes), outputs(rows))
    (model,) = apply_predictions(evidence, [result], indexes).models
    assert model.predicted_activation == activation
    unknown = model.model_copy(update={"layers": ()})
    assert final_activation(unknown) == activation
