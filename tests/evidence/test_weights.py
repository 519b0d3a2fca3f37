"""Frozen and tuned layers are told by their digests."""

from typing import Any

from grader.schema.evidence import CompileFact, FitFact
from grader.schema.weights import (
    changed_since_compile,
    frozen_but_changed,
    frozen_layers,
    tuned_layers,
    unfrozen_but_unchanged,
)


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


def test_an_unfrozen_layer_that_never_changed_was_not_tuned() -> None:
    assert unfrozen_but_unchanged(training()) == ("d",)
    assert tuned_layers(training()) == ("c",)


def test_a_training_without_steps_or_without_digests_says_nothing() -> None:
    assert unfrozen_but_unchanged(training(epochs_done=0)) == ()
    assert unfrozen_but_unchanged(training(status="unfinished", digests_after={})) == ()
    assert frozen_but_changed(training(digests_after={})) == ()


def test_a_layer_without_weights_is_neither_frozen_nor_tuned() -> None:
    without = training(digests_before={}, digests_after={})
    assert (frozen_layers(without), tuned_layers(without), unfrozen_but_unchanged(without)) == ((), (), ())


def test_trainable_set_after_the_compile_is_seen() -> None:
    compiled = CompileFact(
        event=1, cell=1, model="m1", optimizer=None, loss=None, trainable={"a": True, "b": False, "gone": True}
    )
    assert changed_since_compile(training(), compiled) == ("a",)
