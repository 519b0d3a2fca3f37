"""Arguments that only later optimizers take."""

from grader.inside.keras2.optimizers import is_later


def test_what_came_with_keras_2_11_asks_for_the_later_optimizer() -> None:
    assert is_later({"weight_decay": 0.1})
    assert not is_later({"lr": 0.1, "decay": 0.1, "clipnorm": 1.0})
