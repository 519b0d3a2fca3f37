"""Frozen and tuned layers are told by their digests."""

from typing import Any

from grader.facts.weights import (
    Reuse,
    changed_since_compile,
    frozen_but_changed,
    frozen_layers,
    learning_layers,
    never_adapted,
    reused_layers,
    trainings_behind,
    trainings_of,
    unfrozen_but_unchanged,
)
from grader.schema.evidence import CompileFact, Evidence, FitFact, ModelFact, SaveFact
from tests.support.factories import a_model, a_run, layer


def training(**more: Any) -> FitFact:
    given: dict[str, Any] = {
        "event": 2,
        "cell": 1,
        "model": "m1",
        "status": "completed",
        "epochs_done": 2,
        "trainable": {"a": False, "b": False, "c": True, "d": True},
        "digests_before": {"a": "1", "b": "1", "c": "1", "d": "1"},
        "digests_after": {"a": "1", "b": "2", "c": "2", "d": "1"},
    }
    return FitFact(**given | more)


def test_a_frozen_layer_that_changed_is_not_frozen() -> None:
    assert frozen_layers(training()) == ("a", "b")
    assert frozen_but_changed(training()) == ("b",)


def test_a_normalization_layer_with_its_first_weights_was_never_adapted() -> None:
    first = {3: "a20089e0816fdf56c2572135e4740ce6", 7: "04d82eb70c138c5230cbc52a2c85a94e"}
    for parameters, digest in first.items():
        fit = training(digests_before={"norm": digest})
        assert never_adapted(fit, layer("Normalization", "norm", parameters=parameters))
        assert not never_adapted(fit, layer("BatchNormalization", "norm", parameters=parameters))
        assert not never_adapted(fit, layer("Normalization", "other", parameters=parameters))
        assert not never_adapted(fit, layer("Normalization", "norm", parameters=parameters + 2))
    # Statistics that were given to the layer are no weights.
    assert not never_adapted(training(), layer("Normalization", "norm", parameters=0))


def test_a_layer_that_no_training_changes_is_not_expected_to_learn() -> None:
    model = a_model(layer("Normalization", "d", parameters=3), layer("Dense", "a", parameters=9))
    assert learning_layers(model, ("a", "d", "elsewhere")) == ("a", "elsewhere")
    assert learning_layers(None, ("a", "d")) == ("a", "d")
    assert unfrozen_but_unchanged(training(), model) == ()


def test_a_name_that_another_kind_of_layer_has_too_is_expected_to_learn() -> None:
    inner = layer("Sequential", "base", layers=(layer("Dense", "d", parameters=9),))
    assert learning_layers(a_model(layer("Normalization", "d", parameters=3), inner), ("d",)) == ("d",)


def test_an_unfrozen_layer_that_never_changed_was_not_tuned() -> None:
    assert unfrozen_but_unchanged(training()) == ("d",)


def test_a_training_without_steps_or_without_digests_says_nothing() -> None:
    assert unfrozen_but_unchanged(training(epochs_done=0)) == ()
    assert unfrozen_but_unchanged(training(status="unfinished", digests_after={})) == ()
    assert frozen_but_changed(training(digests_after={})) == ()


def test_a_layer_without_weights_is_neither_frozen_nor_tuned() -> None:
    without = training(digests_before={}, digests_after={})
    assert (frozen_layers(without), unfrozen_but_unchanged(without)) == ((), ())


def test_trainable_set_after_the_compile_is_seen() -> None:
    compiled = CompileFact(
        event=1, cell=1, model="m1", optimizer=None, loss=None, trainable={"a": True, "b": False, "gone": True}
    )
    assert changed_since_compile(training(), compiled) == ("a",)


def chain(*fits: FitFact, saves: tuple[SaveFact, ...] = ()) -> list[tuple[str, int]]:
    evidence = Evidence(run=a_run(), models=(a_model(model_id="m1"), a_model(model_id="m2")), fits=fits, saves=saves)
    return [(fit.model, fit.event) for fit in trainings_behind(evidence, "m2")]


FIRST = training(digests_before={"a": "0"}, digests_after={"a": "1"})


def test_the_trainings_behind_a_network_are_those_whose_weights_it_began_with() -> None:
    second = training(event=8, model="m2", digests_before={"a": "1"}, digests_after={"a": "2"})
    later = training(event=9, digests_before={"a": "1"}, digests_after={"a": "3"})
    assert chain(FIRST, second, later) == [("m1", 2), ("m2", 8)]


def test_a_network_that_began_afresh_has_only_its_own_trainings() -> None:
    assert chain(FIRST, training(event=8, model="m2", digests_before={"a": "7"}, digests_after={"a": "8"})) == [
        ("m2", 8)
    ]


def test_a_checkpoint_from_the_middle_of_a_training_is_its_network_s() -> None:
    saves = (
        SaveFact(event=3, cell=1, action="save", model="m1", path="best.keras"),
        SaveFact(event=6, cell=2, action="load", model="m2", path="best.keras", digests={"a": "0.5"}),
    )
    second = training(event=8, model="m2", digests_before={"a": "0.5"}, digests_after={"a": "2"})
    assert chain(FIRST, second, saves=saves) == [("m1", 2), ("m2", 8)]


def reused(saves: tuple[SaveFact, ...]) -> tuple[Reuse, ...]:
    third = training(event=9, model="m3", digests_before={"a": "0.5", "b": "7"}, digests_after={"a": "0.5", "b": "8"})
    models = tuple(a_model(model_id=name) for name in ("m1", "m2", "m3"))
    return reused_layers(Evidence(run=a_run(), models=models, fits=(FIRST, third), saves=saves), "m3")


def test_layers_of_a_reloaded_checkpoint_are_a_copy_of_the_trained_network() -> None:
    written = SaveFact(event=1, cell=1, action="save", model="m1", path="best.keras")
    loaded = SaveFact(event=6, cell=2, action="load", model="m2", path="best.keras", digests={"low": "0.5", "b": "7"})
    again = loaded.model_copy(update={"action": "load_weights", "model": "m1"})
    for load in (loaded, again):
        assert reused((written, load))[0] == Reuse("a", 9, "m1", "low", "copied")


def test_layers_that_were_saved_before_they_learned_anything_are_nobody_s() -> None:
    written = SaveFact(event=1, cell=1, action="save", model="m1", path="new.keras")
    loaded = SaveFact(event=6, cell=2, action="load", model="m2", path="new.keras", digests={"low": "0"})
    assert reused((written, loaded)) == ()
    untrained = loaded.model_copy(update={"digests": {"low": "0.5"}})
    assert reused((written.model_copy(update={"model": "m2"}), untrained)) == ()


def test_two_networks_that_were_copied_to_and_fro_are_no_endless_chain() -> None:
    second = training(event=8, model="m2", digests_before={"a": "1"}, digests_after={"a": "2"})
    back = training(event=9, digests_before={"a": "2"}, digests_after={"a": "3"})
    again = training(event=12, model="m2", digests_before={"a": "3"}, digests_after={"a": "4"})
    assert chain(FIRST, second, back, again) == [("m1", 2), ("m2", 8), ("m1", 9), ("m2", 12)]


DECODER = a_model(layer("Dense", "up", parameters=9), layer("Reshape", "reshape"), model_id="m1", name="decoder")
ENCODER = a_model(layer("Dense", "down", parameters=9), model_id="m2", name="encoder")
PARTS = (layer("Sequential", "e", layers=ENCODER.layers), layer("Sequential", "d", layers=DECODER.layers))
WHOLE = a_model(*PARTS, model_id="m3", name="autoencoder", shares_layers_with=("m1", "m2"))
WHOLE_FIT = training(
    model="m3", trainable={}, digests_before={"down": "1", "up": "1"}, digests_after={"down": "1", "up": "2"}
)


def inside(*fits: FitFact, whole: ModelFact = WHOLE) -> Evidence:
    return Evidence(run=a_run(), models=(DECODER, ENCODER, whole), fits=fits)


def test_a_part_is_trained_inside_the_model_that_contains_it() -> None:
    assert trainings_of(inside(WHOLE_FIT), "m1") == (WHOLE_FIT,)
    # The weights of the encoder were frozen.
    assert trainings_of(inside(WHOLE_FIT), "m2") == ()


def test_a_layer_whose_name_occurs_twice_is_found_with_the_name_of_its_model() -> None:
    fit = WHOLE_FIT.model_copy(update={"digests_before": {"d/up": "1"}, "digests_after": {"d/up": "2"}})
    assert trainings_of(inside(fit), "m1") == (fit,)


def test_the_own_trainings_of_a_part_come_first() -> None:
    own = training(event=1, model="m1")
    assert trainings_of(inside(own, WHOLE_FIT), "m1") == (own,)


def test_a_model_that_shares_only_some_layers_is_not_trained_with_them() -> None:
    longer = a_model(*DECODER.layers, layer("Dense", "head", parameters=9), model_id="m1")
    evidence = inside(WHOLE_FIT).model_copy(update={"models": (longer, WHOLE)})
    assert trainings_of(evidence, "m1") == ()


def test_a_model_with_layers_of_the_same_names_is_not_contained() -> None:
    alike = WHOLE.model_copy(update={"shares_layers_with": ()})
    assert trainings_of(inside(WHOLE_FIT, whole=alike), "m1") == ()
