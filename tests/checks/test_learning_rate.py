"""The check `learning_rate`."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.checks.learning_rate import shape_of
from grader.schema.evidence import Evidence
from tests.support.factories import a_fit
from tests.support.judging import fails, fitted, judge, lacks_its_model, passes, waits

RAISED = a_fit(event=9, status="error", epochs_done=0, history={}, learning_rates=(), total_steps=1)


GOOD: tuple[tuple[Evidence, dict[str, Any]], ...] = (
    (fitted(step_rates=(0.1, 0.5, 1.0, 0.6, 0.1, 0.01)), {"shape": "one_cycle", "highest": {"at_least": 0.9}}),
    (fitted(learning_rates=(0.1, 0.1, 0.01)), {"shape": ["decays", "one_cycle"], "first": {"at_least": 0.1}}),
    (fitted(learning_rates=(0.1, 0.1)), {"shape": "constant"}),
)


BAD: tuple[tuple[Evidence, dict[str, Any], str], ...] = (
    (fitted(step_rates=(0.1, 0.1, 0.1)), {"shape": "one_cycle"}, "did not rise and then fall"),
    (fitted(learning_rates=(0.1,)), {"shape": "one_cycle"}, "stayed at 0.1 and did not rise"),
    (fitted(step_rates=(0.1, 0.5, 1.0, 0.4, 0.1)), {"highest": {"at_most": 0.5}}, "highest rate is 1"),
    (fitted(RAISED), {"shape": "one_cycle"}, "raised an error in its first step"),
    (fitted(a_fit(learning_rates=(0.1, 0.1)), RAISED), {"shape": "one_cycle"}, "stayed at 0.1"),
    (
        fitted(step_rates=(0.1, 0.5, 1.0), status="completed"),
        {"shape": "one_cycle"},
        "rose from 0.1 to 1",
    ),
)


UNSEEN: tuple[Evidence, dict[str, Any]] = (
    fitted(step_rates=(0.1, 0.5, 1.0), status="stopped_by_budget", epochs_asked=40),
    {"shape": "one_cycle"},
)


@pytest.mark.parametrize(("evidence", "params"), GOOD)
def test_what_is_as_asked_passes(evidence: Evidence, params: dict[str, Any]) -> None:
    passes(judge("learning_rate", evidence, **params))


@pytest.mark.parametrize(("evidence", "params", "said"), BAD)
def test_what_is_not_as_asked_fails_and_says_why(evidence: Evidence, params: dict[str, Any], said: str) -> None:
    fails(judge("learning_rate", evidence, **params), said)


def test_what_cannot_be_seen_waits_for_a_person() -> None:
    evidence, params = UNSEEN
    waits(judge("learning_rate", evidence, **params))


def test_a_role_that_no_network_fills_is_said() -> None:
    lacks_its_model("learning_rate")


@pytest.mark.parametrize(
    ("shape", "rate"),
    [
        ("constant", lambda _: 0.01),
        ("decays", lambda t: math.exp(-3 * t)),
        ("decays", lambda t: 1.0 if t < 0.5 else 0.1),
        ("rises", lambda t: 0.1 + t),
        ("one_cycle", lambda t: 0.1 + min(t, 1 - t)),
        ("varies", lambda t: 1 + math.sin(40 * t)),
    ],
)
def test_the_shape_of_rates_is_told(shape: str, rate: Callable[[float], float]) -> None:
    assert shape_of([rate(step / 200) for step in range(200)]) == shape


@given(st.lists(st.floats(1e-8, 10), min_size=2, max_size=60), st.floats(0.01, 100))
def test_the_shape_does_not_depend_on_the_unit(rates: list[float], factor: float) -> None:
    assert shape_of(sorted(rates)) in {"constant", "rises", "varies", "one_cycle"}
    assert shape_of([1.0, 1.0]) == shape_of([factor, factor]) == "constant"
