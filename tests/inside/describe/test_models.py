"""The description of a model: layers, shapes, branches, and classes of the student's own."""

import pytest

from grader.evidence.structure import read_layers
from tests.support.recorded import Record, named, only

pytestmark = pytest.mark.tensorflow


def test_a_sequential_model_is_described(record: Record) -> None:
    model = named(record, "model")
    assert model["cls"] == "Sequential"
    assert (model["input_shape"], model["output_shape"]) == ([28, 28, 1], [10])
    assert model["parameters"] == 40 + 6 * 6 * 4 * 10 + 10
    layers = {layer["name"]: layer for layer in model["layers"]}
    assert layers["conv"]["cls"] == "Conv2D"
    assert layers["conv"]["config"]["filters"] == 4
    assert layers["conv"]["output_shape"] == [26, 26, 4]
    assert layers["conv"]["trainable"] is False
    assert layers["out"]["inbound"] == [model["layers"][-2]["name"]]
    assert layers["out"]["custom"] is None


def test_a_model_that_is_never_compiled_is_described_at_its_cells_end(record: Record) -> None:
    first = [e for e in record.of("model", "build") if e["model"]["name"] == "never_compiled"]
    assert only(first)["model"]["parameters"] == 18


def test_an_unbuilt_model_has_layers_and_no_parameters(record: Record) -> None:
    described = next(e["model"] for e in record.events if e["kind"] == "model" and e["model"]["id"] == "m2")
    assert [layer["cls"] for layer in described["layers"]] == ["Flatten", "Dense"]
    assert named(record, "other")["parameters"] == 7850
    if described["parameters"] is not None:
        assert described["parameters"] == 7850


def test_branches_are_described_with_what_they_take_in(record: Record) -> None:
    model = named(record, "branched")
    inbound = {layer["name"]: layer["inbound"] for layer in model["layers"]}
    assert inbound == {
        "pixels": [],
        "left": ["pixels"],
        "right": ["pixels"],
        "both": ["left", "right"],
        "flat": ["both"],
        "logits": ["flat"],
    }


def test_operations_of_a_functional_model_stand_between_its_layers(record: Record) -> None:
    model = named(record, "worked")
    parts = [
        (layer.operation, layer.config.get("operands"), layer.parameters) for layer in read_layers(model["layers"])[1:]
    ]
    divided = "truedivide" if model["dialect"] == "keras3" else "truediv"
    assert parts == [
        (divided, [None, 255.0], 0),
        ("subtract", [1.0, None], 0),
        (None, None, 0),
        (None, None, 7850),
        ("softmax", None, 0),
    ]
    names = [layer["name"] for layer in model["layers"]]
    assert [layer["inbound"] for layer in model["layers"][1:]] == [[name] for name in names[:-1]]
    start, _ = only(record.fits("operations"))
    assert set(start["digests"]) == {"plain"}


def test_a_students_own_layers_have_their_keras_ancestor(record: Record) -> None:
    layers = {layer["name"]: layer for layer in named(record, "special")["layers"]}
    assert (layers["mc"]["cls"], layers["mc"]["custom"], layers["mc"]["config"]["rate"]) == (
        "Dropout",
        "MCDropout",
        0.5,
    )
    assert (layers["scaled"]["cls"], layers["scaled"]["custom"]) == ("Layer", "Scaled")
    assert only(layers["scaled"]["layers"])["cls"] == "Dense"


def test_a_subclassed_model_has_its_own_class_and_layers(record: Record) -> None:
    model = named(record, "sub")
    assert (model["cls"], model["parameters"]) == ("Net", 7850)
    assert [layer["cls"] for layer in model["layers"]] == ["Flatten", "Dense"]
    assert model["input_shape"] == [28, 28, 1]
