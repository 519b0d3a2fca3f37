"""A role means one model, or its message explains why not."""

from typing import Any

import pytest

from grader.facts.language import english
from grader.facts.roles import resolve_roles
from grader.schema.base import Assurance
from grader.schema.evidence import (
    AccuracyFact,
    ArrayFact,
    CallFact,
    Evidence,
    FitFact,
    LayerFact,
    ModelFact,
    RowsFact,
    SaveFact,
)
from grader.schema.grade import RoleMatch
from grader.schema.message import Message, say, say_count
from grader.schema.rubric import Rubric
from grader.schema.submission import Run
from tests.support.factories import dense, operation
from tests.support.says import ids, parts, says, values


def model(number: int, *classes: str, **more: Any) -> ModelFact:
    layers = tuple(LayerFact(name=f"l{i}", cls=cls, parameters=1, trainable=True) for i, cls in enumerate(classes))
    given: dict[str, Any] = {
        "id": f"m{number}",
        "name": f"net{number}",
        "cls": "Sequential",
        "cell": number,
        "dialect": "keras3",
        "layers": layers,
        "input_shape": (28, 28, 1),
        "output_shape": (10,),
        "parameters": 100 * number,
    }
    return ModelFact(**given | more)


def fit(number: int, event: int, rows: RowsFact | None = None) -> FitFact:
    x = ArrayFact(shape=(10, 28, 28), dtype="float32", rows=rows)
    return FitFact(event=event, cell=event, model=f"m{number}", status="completed", x=x)


def accuracy(number: int, value: float, assurance: Assurance = Assurance.VERIFIED) -> AccuracyFact:
    return AccuracyFact(
        model=f"m{number}",
        dataset="mnist",
        split="test",
        correct=int(value * 100),
        total=100,
        value=value,
        low=0,
        high=1,
        assurance=assurance,
        how="keras",
        preprocessing="x / 255",
    )


DENSE, CNN, DEEP = (
    model(1, "Flatten", "Dense", input_shape=(784,)),
    model(2, "Conv2D", "Dense"),
    model(3, "Conv2D", "Dropout"),
)


def resolve(run: Run, role: dict[str, Any], *models: ModelFact, **more: Any) -> RoleMatch:
    criterion = {"id": "c", "points": 1, "manual": {"guide": "look"}}
    rubric = Rubric.model_validate(
        {"version": 1, "id": "r", "title": "R", "dataset": "mnist", "roles": {"cnn": role}, "criteria": [criterion]}
    )
    return resolve_roles(rubric, Evidence(run=run, models=models, **more))["cnn"]


ONE_OF_SEVERAL = "{count:number} model matches the role {role:code}: {models}."
NO_MATCH = "No model matches the role {role:code}. Required: {conditions}. {models:clauses}."
LACKING = "{model:code} ({cell:cell}) {faults}"


def named(match: RoleMatch) -> list[tuple[str, int]]:
    """List the models that a message names, with the indexes of their cells."""
    return [
        (part.values["model"], part.values["cell"])
        for part in parts(match.message)
        if part.id == "{model:code} ({cell:cell})"
    ]


def test_the_only_matching_model_is_meant(run: Run) -> None:
    match = resolve(run, {"has_layer": "Conv2D", "outputs": 10}, DENSE, CNN)
    assert (match.model, match.candidates, match.message) == ("m2", ("m2",), "")


def test_several_matches_are_an_ambiguity_that_names_them(run: Run) -> None:
    match = resolve(run, {"has_layer": "Conv2D"}, DENSE, CNN, DEEP)
    assert (match.model, match.candidates) == (None, ("m2", "m3"))
    assert says(match.message, ONE_OF_SEVERAL, count=2, role="cnn")
    assert named(match) == [("net2", 2), ("net3", 3)]


def test_no_match_says_what_each_model_lacks(run: Run) -> None:
    match = resolve(run, {"has_layer": ["Conv2D", "Dropout"], "inputs": [28, 28, 1]}, DENSE, CNN)
    assert (match.model, match.candidates) == (None, ())
    assert values(match.message, "{conditions:list}")["conditions"] == [
        say("a {layer:code} layer", layer="Conv2D"),
        say("a {layer:code} layer", layer="Dropout"),
        say("inputs of shape {shape:shape}", shape=[28, 28, 1]),
    ]
    lacks = "has no {layer:code} layer"
    shape = say("takes inputs of shape {shape:shape}, not {required:shape}", shape=[784], required=[28, 28, 1])
    assert values(match.message, NO_MATCH)["models"] == [
        say(LACKING, model="net1", cell=1, faults=[say(lacks, layer="Conv2D"), say(lacks, layer="Dropout"), shape]),
        say(LACKING, model="net2", cell=2, faults=[say(lacks, layer="Dropout")]),
    ]
    assert english(match.message) == (
        "No model matches the role `cnn`. "
        "Required: a `Conv2D` layer, a `Dropout` layer, inputs of shape 28 \N{MULTIPLICATION SIGN} 28 "
        "\N{MULTIPLICATION SIGN} 1. "
        "`net1` (cell 2) has no `Conv2D` layer, has no `Dropout` layer, and takes inputs of shape 784, not 28 "
        "\N{MULTIPLICATION SIGN} 28 \N{MULTIPLICATION SIGN} 1; "
        "`net2` (cell 3) has no `Dropout` layer."
    )


def test_a_notebook_without_models_fills_no_role(run: Run) -> None:
    assert says(resolve(run, {}).message, "No Keras model was created in this notebook.")


def test_a_layer_in_a_nested_model_counts(run: Run) -> None:
    inner = LayerFact(name="c", cls="Conv2D", parameters=1, trainable=True)
    outer = LayerFact(name="base", cls="Sequential", parameters=1, trainable=True, layers=(inner,))
    assert resolve(run, {"has_layer": "Conv2D"}, model(1, layers=(outer,))).model == "m1"


def test_an_operation_is_no_layer_of_a_role_and_its_activation_counts(run: Run) -> None:
    parts = (dense(9), operation("Selu"), operation("ReLU", name="more"), dense(10), operation("Softmax"))
    assert resolve(run, {"activation": "selu"}, model(1, layers=parts)).model == "m1"
    assert resolve(run, {"activation": "softmax"}, model(1, layers=parts)).model is None
    for cls in ("Operation", "ReLU"):
        assert resolve(run, {"lacks_layer": cls}, model(1, layers=parts)).model == "m1"
        assert resolve(run, {"has_layer": cls}, model(1, layers=parts)).model is None


MNIST_TRAIN = RowsFact(dataset="mnist", counts={"train": 10, "test": 0}, matched=1.0, method="fingerprint")


@pytest.mark.parametrize(
    ("role", "meant"),
    [
        ({"lacks_layer": "Conv2D"}, "m1"),
        ({"name": "net2"}, "m2"),
        ({"outputs": 10, "inputs": [784]}, "m1"),
        ({"data": "mnist"}, "m2"),
        ({"data": "mnist/train"}, "m2"),
        ({"data": "mnist/test"}, None),
        ({"data": "cifar10"}, None),
        ({"trained": False}, "m1"),
        ({"trained": True, "has_layer": "Dropout"}, "m3"),
        ({"outputs": 1}, None),
    ],
)
def test_each_condition_tells_models_apart(run: Run, role: dict[str, Any], meant: str | None) -> None:
    match = resolve(run, role, DENSE, CNN, DEEP, fits=(fit(2, 5, MNIST_TRAIN), fit(3, 6)))
    assert match.model == meant
    assert bool(match.message) is (meant is None)


@pytest.mark.parametrize(
    ("pick", "meant"),
    [
        ("first", "m1"),
        ("last", "m3"),
        ("first_trained", "m3"),
        ("last_trained", "m2"),
        ("smallest", "m1"),
        ("largest", "m3"),
        ("best", "m2"),
    ],
)
def test_each_way_of_picking_picks_its_own(run: Run, pick: str, meant: str) -> None:
    match = resolve(
        run,
        {"pick": pick},
        *(DENSE, CNN, DEEP),
        fits=(fit(3, 5), fit(2, 9), fit(3, 7)),
        accuracies=(accuracy(3, 0.97), accuracy(2, 0.99), accuracy(1, 1.0, Assurance.RECORDED)),
    )
    assert (match.model, match.message) == (meant, "")
    assert match.candidates == ("m1", "m2", "m3")


@pytest.mark.parametrize(
    ("pick", "message"),
    [
        ("best", "No model that matches the role {role:code} has a known test accuracy: {models}."),
        ("largest", "No model that matches the role {role:code} has weights yet: {models}."),
    ],
)
def test_a_pick_without_figures_to_compare_names_the_models(run: Run, pick: str, message: str) -> None:
    unbuilt = (DENSE.model_copy(update={"parameters": None}), CNN.model_copy(update={"parameters": None}))
    match = resolve(run, {"pick": pick}, *unbuilt)
    assert match.model is None
    assert says(match.message, message, role="cnn")
    assert named(match) == [("net1", 1), ("net2", 2)]


def test_of_many_models_only_some_are_named(run: Run) -> None:
    match = resolve(run, {"has_layer": "Conv2D"}, *(model(n, "Dense") for n in range(1, 10)))
    assert says(match.message, "{count:number} more model does not match", count=3)
    assert ids(match.message).count("has no {layer:code} layer") == 6


def test_of_many_ambiguous_models_only_some_are_named(run: Run) -> None:
    match = resolve(run, {}, *(model(n, "Dense") for n in range(1, 10)))
    assert len(named(match)) == 6
    assert says(match.message, "{count:number} more", count=3)


def test_a_training_on_unrecognized_data_is_reported(run: Run) -> None:
    match = resolve(run, {"data": "mnist"}, CNN, DEEP, fits=(fit(2, 5),))
    assert [english(part) for part in parts(match.message) if part.id == LACKING] == [
        "`net2` (cell 3) was trained on data that the grader does not recognize, not on MNIST",
        "`net3` (cell 4) was not trained on MNIST",
    ]


@pytest.mark.parametrize(
    ("role", "condition", "fault"),
    [
        (
            {"data": "mnist/test"},
            say("{split:split} images of {dataset:dataset}", split="test", dataset="mnist"),
            say(
                "was trained on {datasets:dataset}, not on {required}",
                datasets=["mnist"],
                required=say("{split:split} images of {dataset:dataset}", split="test", dataset="mnist"),
            ),
        ),
        (
            {"outputs": 1},
            say_count("{count:number} output", "{count:number} outputs", 1),
            say_count(
                "has {count:number} output, not {required:number}",
                "has {count:number} outputs, not {required:number}",
                10,
                required=1,
            ),
        ),
        ({"trained": False}, say("no training"), say("was trained in {cell:cell}", cell=5)),
        ({"name": "cnn"}, say("the name {name:code}", name="cnn"), say("is not named {name:code}", name="cnn")),
        (
            {"activation": "elu"},
            say("the activation {activation:code} in a hidden layer", activation="elu"),
            say("has no hidden layer with the activation {activation:code}", activation="elu"),
        ),
    ],
)
def test_the_message_names_the_condition_and_the_fault(
    run: Run, role: dict[str, Any], condition: Message, fault: Message
) -> None:
    message = resolve(run, role, CNN, fits=(fit(2, 5, MNIST_TRAIN),)).message
    assert condition in list(parts(message))
    assert fault in list(parts(message))


def test_batches_of_a_custom_loop_show_what_it_was_trained_on(run: Run) -> None:
    batch = ArrayFact(shape=(32, 28, 28), dtype="float32", rows=MNIST_TRAIN)
    call = CallFact(event=6, cell=5, model="m2", training=True, count=100, x=batch)
    loop = FitFact(event=5, cell=5, model="m2", kind="custom_loop", status="completed")
    assert resolve(run, {"data": "mnist/train"}, CNN, DEEP, fits=(loop,), calls=(call,)).model == "m2"


@pytest.mark.parametrize(("pick", "meant"), [("first_trained", "m1"), ("last_trained", "m2")])
def test_where_nothing_was_trained_a_pick_by_training_goes_by_the_order_of_making(
    run: Run, pick: str, meant: str
) -> None:
    match = resolve(run, {"pick": pick}, DENSE, CNN)
    assert (match.model, match.message) == (meant, "")


SHARING = CNN.model_copy(update={"id": "m4", "name": "mc", "shares_layers_with": ("m2",)})
CLONE = CNN.model_copy(update={"id": "m4", "name": "clone"})
CLONING = SaveFact(event=7, cell=3, action="clone", model="m4", other="m2")


@pytest.mark.parametrize(("other", "saves"), [(SHARING, ()), (CLONE, (CLONING,))])
def test_an_untrained_copy_of_the_trained_model_is_no_ambiguity(
    run: Run, other: ModelFact, saves: tuple[SaveFact, ...]
) -> None:
    role = {"has_layer": "Conv2D", "outputs": 10}
    match = resolve(run, role, CNN, other, fits=(fit(2, 5),), saves=saves)
    assert (match.model, match.candidates) == ("m2", ("m2", "m4"))
    assert resolve(run, role | {"pick": "last_trained"}, CNN, other, fits=(fit(2, 5),), saves=saves).model == "m2"


@pytest.mark.parametrize(
    ("other", "fits"),
    [
        pytest.param(CLONE, (fit(2, 5), fit(4, 6)), id="made alike"),
        pytest.param(SHARING, (), id="neither trained"),
        pytest.param(SHARING, (fit(2, 5), fit(4, 6)), id="both trained"),
    ],
)
def test_two_models_that_are_no_copy_of_each_other_stay_an_ambiguity(
    run: Run, other: ModelFact, fits: tuple[FitFact, ...]
) -> None:
    assert resolve(run, {"has_layer": "Conv2D"}, CNN, other, fits=fits).model is None


def test_the_only_trained_model_is_meant(run: Run) -> None:
    assert resolve(run, {"has_layer": "Conv2D"}, CNN, CLONE, fits=(fit(2, 5),)).model == "m2"


def test_an_object_that_lost_layers_and_was_trained_again_is_what_it_became(run: Run) -> None:
    became = CNN.model_copy(update={"id": "m4", "formerly": "m2", "shares_layers_with": ("m2",)})
    role = {"has_layer": "Conv2D"}
    assert resolve(run, role, CNN, became, fits=(fit(2, 5), fit(4, 6))).model == "m4"
    assert resolve(run, role, CNN, became, fits=(fit(2, 5),)).model == "m2"
