"""The description of a compiled model: optimizer, loss and metrics."""

import functools
from collections.abc import Callable
from typing import Any

import pytest

from grader.inside.describe.compiled import describe_loss
from tests.support.recorded import Record, only

pytestmark = pytest.mark.tensorflow


def test_compile_says_optimizer_loss_and_metrics(record: Record) -> None:
    strings = only(record.of("compile", "build"))
    assert (strings["optimizer"]["cls"], strings["optimizer"]["learning_rate"]) == ("Adam", 0.001)
    assert strings["loss"] == {
        "name": "sparse_categorical_crossentropy",
        "from_logits": False,
        "custom": False,
        "config": {},
    }
    assert strings["metrics"] == ["accuracy"]
    objects = only(record.of("compile", "freeze"))
    assert (objects["optimizer"]["cls"], objects["optimizer"]["learning_rate"]) == ("SGD", 0.01)
    assert (objects["loss"]["name"], objects["loss"]["from_logits"]) == ("sparse_categorical_crossentropy", False)
    assert objects["trainable"]["conv"] is False
    logits = record.of("compile", "functions")[0]
    assert logits["loss"]["from_logits"] is True


def test_an_optimizer_keeps_its_id_whatever_model_it_is_given_to(record: Record) -> None:
    one, other = (event["optimizer"]["id"] for event in record.of("compile", "one cycle"))
    assert one == other
    assert len({event["optimizer"]["id"] for event in record.of("compile")}) == len(record.of("compile")) - 1


def test_a_loss_in_several_wrappers_says_whether_it_takes_logits() -> None:
    def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return wrapper

    def loss(true: Any, predicted: Any, from_logits: bool = False) -> Any:  # noqa: FBT001, FBT002 - as in Keras
        return true, predicted, from_logits

    for function in (loss, wrapped(loss), wrapped(wrapped(loss))):
        described = describe_loss(function, "keras2")
        assert described is not None
        assert described["from_logits"] is False
        logits = describe_loss(functools.partial(function, from_logits=True), "keras2")
        assert logits is not None
        assert logits["from_logits"] is True
