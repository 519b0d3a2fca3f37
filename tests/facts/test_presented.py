"""Among several models, the one counts that fits the task and that the notebook presents."""

from typing import Any

import pytest

from grader.facts.case import Case
from grader.facts.presented import last_used, uses_of
from grader.facts.roles import resolve_roles
from grader.schema.evidence import (
    CallbackFact,
    EvaluateFact,
    Evidence,
    FigureFact,
    FitFact,
    LabelFact,
    ModelFact,
    PredictFact,
    SaveFact,
)
from grader.schema.grade import RoleMatch
from tests.support.factories import a_figure, a_fit, a_model, a_rubric, an_accuracy, an_array, an_evidence, layer, rows
from tests.support.says import says

GOOD = {"loss": (0.5, 0.2), "accuracy": (0.8, 0.97)}
BAD = {"loss": (0.9, 0.8), "accuracy": (0.5, 0.61)}


def _evidence(**keys: Any) -> Evidence:
    return an_evidence(**({"evaluations": (), "predictions": (), "figures": (), "saves": (), "accuracies": ()} | keys))


def net(number: int, **keys: Any) -> ModelFact:
    return a_model(model_id=f"m{number}", **({"name": "model", "cell": number} | keys))


def trained(number: int, event: int, history: Any = None, **keys: Any) -> FitFact:
    return a_fit(model=f"m{number}", event=event, cell=event // 10, history=history or BAD, **keys)


def evaluated(number: int, event: int) -> EvaluateFact:
    return EvaluateFact(event=event, cell=event // 10, model=f"m{number}")


def plotted(fit: FitFact, event: int) -> FigureFact:
    return a_figure(fit.history["loss"], fit.history["accuracy"]).model_copy(
        update={"event": event, "cell": event // 10}
    )


def match(evidence: Evidence, role: dict[str, Any] | None = None, **rubric: Any) -> RoleMatch:
    settings = {"roles": {"net": {"pick": "last_trained"} if role is None else role}, "dataset": "mnist"} | rubric
    return resolve_roles(a_rubric(**settings), evidence)["net"]


BEST, WORSE = trained(1, 20, GOOD), trained(2, 50)
TWO = (net(1), net(2))


@pytest.mark.parametrize(
    "use",
    [
        {"evaluations": (evaluated(1, 60),)},
        {"predictions": (PredictFact(event=60, cell=6, model="m1"),)},
        {"saves": (SaveFact(event=60, cell=6, action="save", model="m1", path="best.keras"),)},
        {"figures": (plotted(BEST, 60),)},
        # The notebook compares both, and later goes on with one of them.
        {"evaluations": (evaluated(1, 60), evaluated(2, 61)), "figures": (plotted(BEST, 70),)},
        # A cell compares the curves of both, and then evaluates or saves one of them.
        {"figures": (plotted(BEST, 60), plotted(WORSE, 61)), "evaluations": (evaluated(1, 62),)},
        {
            "evaluations": (evaluated(1, 60), evaluated(2, 61)),
            "saves": (SaveFact(event=62, cell=6, action="save", model="m1", path="best.keras"),),
        },
        # Each model of a loop is evaluated, and the best one again.
        {"evaluations": (evaluated(1, 21), evaluated(2, 51), evaluated(1, 60))},
    ],
)
def test_the_model_that_is_used_last_counts_and_not_the_model_trained_last(use: dict[str, Any]) -> None:
    evidence = _evidence(models=TWO, fits=(BEST, WORSE), **use)
    assert match(evidence).model == "m1"
    # The same holds for a criterion without a role.
    assert Case(evidence, a_rubric(), {}).resolve(None).model == "m1"


@pytest.mark.parametrize(
    "use",
    [
        {},
        {"evaluations": (evaluated(1, 21), evaluated(2, 51))},
        # A comparison in one cell does not show which model is meant.
        {"evaluations": (evaluated(2, 60), evaluated(1, 61))},
        {"evaluations": (evaluated(1, 60), evaluated(2, 70))},
    ],
)
def test_otherwise_the_model_trained_last_counts(use: dict[str, Any]) -> None:
    assert match(_evidence(models=TWO, fits=(BEST, WORSE), **use)).model == "m2"


def test_a_worse_model_after_the_presented_one_is_an_experiment() -> None:
    evidence = _evidence(models=TWO, fits=(BEST, WORSE), figures=(plotted(BEST, 30),))
    assert match(evidence).model == "m1"
    tested = (an_accuracy(9_800, model="m1"), an_accuracy(6_000, model="m2"))
    assert match(evidence.model_copy(update={"accuracies": tested})).model == "m1"


@pytest.mark.parametrize(
    "curve",
    [
        pytest.param((0.8, 0.97, 0.98), id="whole"),
        pytest.param((0.97, 0.98), id="without the first epoch"),
        pytest.param((80.0, 97.0, 98.0), id="in percent"),
    ],
)
def test_a_plotted_part_of_a_history_is_a_use(curve: tuple[float, ...]) -> None:
    best = trained(1, 20, {"accuracy": (0.8, 0.97, 0.98)})
    figure = a_figure(curve).model_copy(update={"event": 60, "cell": 6})
    evidence = _evidence(models=TWO, fits=(best, WORSE), figures=(figure,))
    assert match(evidence).model == "m1"


@pytest.mark.parametrize("curve", [(), (0.55,), (0.97, 0.8), (0.8, 0.97, 0.98, 0.99)])
def test_another_line_is_no_use(curve: tuple[float, ...]) -> None:
    best = trained(1, 20, {"accuracy": (0.8, 0.97, 0.98)})
    figure = a_figure(curve).model_copy(update={"event": 60, "cell": 6})
    assert uses_of(_evidence(models=TWO, fits=(best, WORSE), figures=(figure,)), ("m1", "m2")) == ()


def test_a_better_model_after_the_presented_one_is_an_improvement() -> None:
    first, second = trained(1, 20, BAD), trained(2, 50, GOOD)
    evidence = _evidence(models=TWO, fits=(first, second), figures=(plotted(first, 30),))
    assert match(evidence).model == "m2"
    # The accuracies that the grader computed overrule the histories.
    tested = (an_accuracy(9_800, model="m1"), an_accuracy(6_000, model="m2"))
    assert match(evidence.model_copy(update={"accuracies": tested})).model == "m1"


def test_a_person_decides_if_nothing_shows_which_of_two_models_is_better() -> None:
    first, second = trained(1, 20, {"loss": (0.5, 0.2)}), trained(2, 50, {"loss": (0.9, 0.8)})
    found = match(_evidence(models=TWO, fits=(first, second), evaluations=(evaluated(1, 30),)))
    assert (found.model, found.candidates) == (None, ("m1", "m2"))
    unclear = (
        "It is unclear which model is meant: {last:code} ({last_cell:cell}) was trained last, but the notebook uses "
        "only {used:code} ({used_cell:cell})."
    )
    assert says(found.message, unclear, last="model", last_cell=2, used="model", used_cell=1)


def test_a_copy_that_was_loaded_is_used_instead_of_its_original() -> None:
    saved = SaveFact(event=31, cell=3, action="save", model="m1", path="best.keras")
    loaded = SaveFact(event=61, cell=6, action="load", model="m3", path="best.keras")
    evidence = _evidence(
        models=(*TWO, net(3, name="best")), fits=(BEST, WORSE), saves=(saved, loaded), evaluations=(evaluated(3, 62),)
    )
    assert match(evidence).model == "m1"


def test_a_model_that_adds_a_softmax_is_used_instead_of_the_model_inside() -> None:
    layers = (layer("Dense", "low", parameters=9),)
    fits = (
        trained(1, 20, GOOD, digests_before={"low": "1"}, digests_after={"low": "2"}),
        trained(2, 50, digests_before={"other": "1"}, digests_after={"other": "2"}),
    )
    first = a_model(*layers, model_id="m1")
    second = a_model(layer("Dense", "other", parameters=9), model_id="m2")
    inner = layer("Sequential", "sequential", layers=layers)
    probabilities = a_model(inner, layer("Softmax"), model_id="m3", shares_layers_with=("m1",))
    evidence = _evidence(
        models=(first, second, probabilities),
        fits=fits,
        predictions=(PredictFact(event=60, cell=6, model="m3"),),
    )
    assert match(evidence).model == "m1"


def test_a_checkpoint_of_a_training_is_no_use() -> None:
    checkpoint = CallbackFact(cls="ModelCheckpoint", config={"filepath": "worse.keras"})
    worse = WORSE.model_copy(update={"callbacks": (checkpoint,)})
    saves = (SaveFact(event=52, cell=5, action="save", model="m2", path="worse.keras"),)
    evidence = _evidence(models=TWO, fits=(BEST, worse), saves=saves, figures=(plotted(BEST, 30),))
    assert [use.model for use in uses_of(evidence, ("m1", "m2"))] == ["m1"]
    assert match(evidence).model == "m1"


def test_cells_that_use_several_models_do_not_tell_which_is_used_last() -> None:
    evidence = _evidence(models=TWO, evaluations=(evaluated(1, 60), evaluated(2, 61)))
    assert last_used(uses_of(evidence, ("m1", "m2"))) is None


AUTOENCODER = net(2, name="ae", output_shape=(28, 28, 1))
FLAT_AUTOENCODER = net(2, name="ae", output_shape=(784,))
GENERATOR = net(2, name="generator", input_shape=(16,), output_shape=(28, 28, 1))
CRITIC = net(2, name="critic", output_shape=(1,))
OTHER_SET = net(2, name="cifar", input_shape=(32, 32, 3))
NOISE = an_array(500, shape=(500, 16))
COLORS = an_array(500, of=rows(500, dataset="cifar10"), shape=(500, 32, 32, 3))


@pytest.mark.parametrize("pick", ["only", "last_trained", "last", "largest"])
@pytest.mark.parametrize(
    ("other", "x"),
    [
        pytest.param(AUTOENCODER, None, id="autoencoder"),
        pytest.param(FLAT_AUTOENCODER, None, id="flat autoencoder"),
        pytest.param(GENERATOR, NOISE, id="generator"),
        pytest.param(CRITIC, None, id="discriminator"),
        pytest.param(OTHER_SET, COLORS, id="another data set"),
    ],
)
def test_a_model_that_does_not_fit_the_task_is_not_the_classifier(pick: str, other: ModelFact, x: Any) -> None:
    bigger = other.model_copy(update={"parameters": 10**6})
    fits = (trained(1, 20), trained(2, 50, x=x) if x is not None else trained(2, 50))
    evidence = _evidence(models=(net(1), bigger), fits=fits, evaluations=(evaluated(2, 60),))
    assert match(evidence, {"pick": pick}).model == "m1"


IMAGES = LabelFact(shape=(500, 28, 28, 1), dtype="float32", one_hot=False)
DIGITS = LabelFact(shape=(500,), dtype="int64", one_hot=False, classes={"0": 500})


@pytest.mark.parametrize(
    ("y", "predicted", "meant"),
    [
        pytest.param(IMAGES, None, "m1", id="learns images"),
        pytest.param(None, None, "m1", id="learns without labels"),
        pytest.param(DIGITS, (500, 28, 28, 1), "m1", id="predicts images"),
        pytest.param(DIGITS, None, "m2", id="learns labels"),
        pytest.param(DIGITS, (500, 10), "m2", id="predicts classes"),
    ],
)
def test_a_subclassed_model_of_unknown_outputs_is_known_by_its_labels_and_predictions(
    y: LabelFact | None, predicted: tuple[int, ...] | None, meant: str
) -> None:
    other = net(2, output_shape=None)
    fits = (trained(1, 20), trained(2, 50, x=an_array(500, of=rows(500), shape=(500, 28, 28, 1)), y=y))
    predictions = (PredictFact(event=45, cell=4, model="m2", output_shape=predicted),) if predicted else ()
    assert match(_evidence(models=(net(1), other), fits=fits, predictions=predictions)).model == meant


def test_a_model_that_does_not_fit_the_task_is_graded_if_no_other_does() -> None:
    evidence = _evidence(models=(AUTOENCODER,), fits=(trained(2, 50),))
    assert match(evidence).model == "m2"


def test_the_outputs_that_a_criterion_requires_fit_the_task() -> None:
    images = {"id": "c", "points": 1, "check": "output_shape", "with": {"model": "net", "shape": [28, 28, 1]}}
    rubric = a_rubric(images, roles={"net": {"pick": "last_trained"}})
    evidence = _evidence(models=(AUTOENCODER, net(1)), fits=(trained(2, 20), trained(1, 50)))
    assert resolve_roles(rubric, evidence)["net"].model == "m2"


def test_one_output_fits_a_data_set_of_two_classes() -> None:
    pets = rows(400, dataset="pets", classes={"0": 200, "1": 200})
    x = an_array(400, of=pets, shape=(400, 64, 64, 3))
    models = tuple(net(n, input_shape=(64, 64, 3), output_shape=(outputs,)) for n, outputs in ((1, 1), (2, 12)))
    labels = a_fit().y
    assert labels is not None
    two = labels.model_copy(update={"classes": {"0": 200, "1": 200}})
    evidence = _evidence(models=models, fits=(trained(1, 20, x=x, y=two), trained(2, 50, x=x, y=two)))
    assert match(evidence, dataset="pets").model == "m1"


def twice(**keys: Any) -> Evidence:
    first = trained(1, 20, digests_before={"low": "0"}, digests_after={"low": "one"})
    second = trained(2, 30, digests_before={"low": "1"}, digests_after={"low": "two"})
    return _evidence(models=(net(1, name="A"), net(2, name="A")), fits=(first, second), **keys)


def test_two_models_of_one_name_are_unclear_if_nothing_tells_them_apart() -> None:
    found = match(twice(), {})
    assert (found.model, found.candidates) == (None, ("m1", "m2"))


@pytest.mark.parametrize("used", [1, 2])
def test_the_model_that_was_used_last_is_the_only_one(used: int) -> None:
    assert match(twice(evaluations=(evaluated(used, 40),)), {}).model == f"m{used}"


@pytest.mark.parametrize(("digest", "meant"), [("one", "m1"), ("two", "m2")])
def test_the_model_whose_weights_were_reused_is_the_source(digest: str, meant: str) -> None:
    evidence = twice()
    reusing = trained(3, 60, digests_before={"low": digest}, digests_after={"low": "three"})
    evidence = evidence.model_copy(
        update={"models": (*evidence.models, net(3, name="C", output_shape=(2,))), "fits": (*evidence.fits, reusing)}
    )
    roles = {"net": {"outputs": 10}, "transferred": {"outputs": 2, "reuses": "net"}}
    found = resolve_roles(a_rubric(roles=roles), evidence)
    assert (found["net"].model, found["transferred"].model) == (meant, "m3")
