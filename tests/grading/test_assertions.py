"""Checks are proposed only for assertions that ask for nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.checks.registry import all_checks
from grader.grading.assertions import proposed_checks


@pytest.mark.parametrize(
    ("source", "check", "parameters", "variable"),
    [
        ('"""Good?"""\nassert accuracy > 0.99, "too low"', "accuracy", {"split": "test", "at_least": 0.99}, None),
        ("assert 0.9 <= test_acc", "accuracy", {"split": "test", "at_least": 0.9}, None),
        (
            "loss, x = cnn.evaluate(x_test, y_test, verbose=0)\nprint(x)\nassert x >= 0.5",
            *("accuracy", {"split": "test", "at_least": 0.5}, "cnn"),
        ),
        ("assert m.evaluate(x_test, y_test)[1] > .5", "accuracy", {"split": "test", "at_least": 0.5}, "m"),
        ("assert m.input_shape == (None, 28, 28, 1)", "input_shape", {"shape": [28, 28, 1]}, "m"),
        ("assert m.output_shape[1:] == (10,)", "output_shape", {"shape": [10]}, "m"),
        ("assert m.count_params() < 100_000", "parameters", {"at_most": 99_999}, "m"),
        ("assert 5 < m.count_params()", "parameters", {"at_least": 6}, "m"),
        ("assert any(isinstance(l, keras.layers.Dropout) for l in m.layers)", "has_layer", {"layer": "Dropout"}, "m"),
        (
            "assert len([l for l in m.layers if isinstance(l, Conv2D)]) == 2",
            *("has_layer", {"layer": "Conv2D", "at_least": 2, "at_most": 2}, "m"),
        ),
    ],
)
def test_an_obvious_assertion_has_a_valid_check(
    source: str, check: str, parameters: dict[str, object], variable: str | None
) -> None:
    (proposal,) = proposed_checks(source)
    assert (proposal.check, proposal.parameters, proposal.variable) == (check, parameters, variable)
    all_checks()[check].parameters.model_validate({"model": variable, **parameters})


def test_several_assertions_are_several_checks() -> None:
    both = proposed_checks("assert m.input_shape == (None, 8) and m.output_shape == (None, 10)\nassert test_acc > 0.9")
    assert [one.check for one in both] == ["input_shape", "output_shape", "accuracy"]


@pytest.mark.parametrize(
    "source",
    [
        "",
        "assert squares(1) == [1]",
        "assert val_acc > 0.9",
        "assert train_accuracy > 0.9",
        "assert accuracy > 97",
        "assert accuracy < 0.5",
        "assert accuracy > limit",
        "assert accuracy > 0.9 or bonus",
        "assert m.evaluate(x_train, y_train)[1] > 0.5",
        "assert m.evaluate(x_test, y_test)[0] > 0.5",
        "assert m.input_shape == (28, 28, 1)",
        "assert m.count_params() == 1.5",
        "assert 0.5 < accuracy < 0.9",
        "assert len([l for l in m.layers if isinstance(l, Conv2D)]) < 2",
        "assert len([l for l in m.layers if isinstance(l, Conv2D) if l.filters > 3]) > 2",
        "x = 1\nassert accuracy > 0.9",
        "assert accuracy > 0.9\nassert squares(1) == [1]",
        "assert accuracy > 1e999",
        "def f(:",
        "%time assert accuracy > 0.9",
    ],
)
def test_anything_else_has_none(source: str) -> None:
    assert proposed_checks(source) == ()


@given(st.text() | st.text(alphabet="assert model.layers_acc()[]<>=,0.9:'\n "))
def test_every_text_is_read_without_an_error(source: str) -> None:
    proposed_checks(source)
