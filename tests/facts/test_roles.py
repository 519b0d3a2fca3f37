"""A role means one model, or says to the student why not."""

from typing import Any

import pytest

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
from grader.schema.rubric import Rubric
from grader.schema.submission import Run
from tests.support.factories import dense, operation


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


def test_the_only_matching_model_is_meant(run: Run) -> None:
    match = resolve(run, {"has_layer": "Conv2D", "outputs": 10}, DENSE, CNN)
    assert (match.model, match.candidates, match.message) == ("m2", ("m2",), "")


def test_several_matches_are_an_ambiguity_that_names_them(run: Run) -> None:
    match = resolve(run, {"has_layer": "Conv2D"}, DENSE, CNN, DEEP)
    assert (match.model, match.candidates) == (None, ("m2", "m3"))
    assert match.message == "2 networks could be the `cnn` that is meant: `net2` (cell 3), `net3` (cell 4)"


def test_no_match_says_what_each_model_lacks(run: Run) -> None:
    match = resolve(run, {"has_layer": ["Conv2D", "Dropout"], "inputs": [28, 28, 1]}, DENSE, CNN)
    assert (match.model, match.candidates) == (None, ())
    assert match.message == (
        "no network is the `cnn` that is meant (with a Conv2D layer, with a Dropout layer, taking inputs of shape "
        "(28, 28, 1)): "
        "`net1` (cell 2) has no Conv2D layer and has no Dropout layer and takes inputs of shape (784,) instead of "
        "inputs of shape (28, 28, 1); `net2` (cell 3) has no Dropout layer"
    )


def test_a_notebook_without_networks_says_so(run: Run) -> None:
    assert resolve(run, {}).message == "no Keras network was made in this notebook"


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
    ("pick", "said"),
    [
        ("best", "no network that could be the `cnn` has an accuracy to compare: `net1` (cell 2), `net2` (cell 3)"),
        ("largest", "no network that could be the `cnn` has its weights yet: `net1` (cell 2), `net2` (cell 3)"),
    ],
)
def test_a_pick_that_has_nothing_to_go_by_says_so(run: Run, pick: str, said: str) -> None:
    unbuilt = (DENSE.model_copy(update={"parameters": None}), CNN.model_copy(update={"parameters": None}))
    match = resolve(run, {"pick": pick}, *unbuilt)
    assert (match.model, match.message) == (None, said)


def test_of_many_models_only_some_are_named(run: Run) -> None:
    match = resolve(run, {"has_layer": "Conv2D"}, *(model(n, "Dense") for n in range(1, 10)))
    assert match.message.endswith("and 3 more")
    assert match.message.count("has no Conv2D layer") == 6


def test_training_on_unknown_data_is_said(run: Run) -> None:
    match = resolve(run, {"data": "mnist"}, CNN, DEEP, fits=(fit(2, 5),))
    assert "`net2` (cell 3) was trained on data that was not recognised, not on mnist" in match.message
    assert "`net3` (cell 4) was not trained on mnist" in match.message


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
        pytest.param(CLONE, (fit(2, 5),), id="made alike"),
        pytest.param(SHARING, (), id="neither trained"),
        pytest.param(SHARING, (fit(2, 5), fit(4, 6)), id="both trained"),
    ],
)
def test_two_models_that_are_no_copy_of_each_other_stay_an_ambiguity(
    run: Run, other: ModelFact, fits: tuple[FitFact, ...]
) -> None:
    assert resolve(run, {"has_layer": "Conv2D"}, CNN, other, fits=fits).model is None


def test_an_object_that_lost_layers_and_was_trained_again_is_what_it_became(run: Run) -> None:
    became = CNN.model_copy(update={"id": "m4", "formerly": "m2", "shares_layers_with": ("m2",)})
    role = {"has_layer": "Conv2D"}
    assert resolve(run, role, CNN, became, fits=(fit(2, 5), fit(4, 6))).model == "m4"
    assert resolve(run, role, CNN, became, fits=(fit(2, 5),)).model == "m2"
