"""The check `learning_rate`."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.checks.learning_rate import shape_of
from grader.facts.language import english
from grader.schema.evidence import Evidence
from grader.schema.message import Message, say
from tests.support.factories import a_fit, callback
from tests.support.judging import fails, fitted, judge, lacks_its_model, passes, waits
from tests.support.says import says

RAISED = a_fit(event=9, status="error", epochs_done=0, history={}, learning_rates=(), total_steps=1)


GOOD: tuple[tuple[Evidence, dict[str, Any]], ...] = (
    (fitted(step_rates=(0.1, 0.5, 1.0, 0.6, 0.1, 0.01)), {"shape": "one_cycle", "highest": {"at_least": 0.9}}),
    (fitted(learning_rates=(0.1, 0.1, 0.01)), {"shape": ["decays", "one_cycle"], "first": {"at_least": 0.1}}),
    (fitted(learning_rates=(0.1, 0.1)), {"shape": "constant"}),
)


STARTED = "The training in {cell:cell} started"
STAYED = "The learning rate of the training in {cell:cell} stayed at {rate:number}"
ROSE = "The learning rate of the training in {cell:cell} rose from {first:number} to {last:number}"
ROSE_AND_FELL = (
    "The learning rate of the training in {cell:cell} rose from {first:number} to {highest:number} "
    "and fell to {last:number}"
)
CYCLE = say("it must rise and then fall")


BAD: tuple[tuple[Evidence, dict[str, Any], Message, Message], ...] = (
    (fitted(step_rates=(0.1, 0.1, 0.1)), {"shape": "one_cycle"}, say(STAYED, cell=4, rate=0.1), CYCLE),
    (fitted(learning_rates=(0.1,)), {"shape": "one_cycle"}, say(STAYED, cell=4, rate=0.1), CYCLE),
    (
        fitted(step_rates=(0.1, 0.5, 1.0, 0.4, 0.1)),
        {"highest": {"at_most": 0.5}},
        say(ROSE_AND_FELL, cell=4, first=0.1, highest=1.0, last=0.1),
        say(
            "its highest value is {rate:number}, not {range}",
            rate=1.0,
            range=say("{high:number} or less", high=0.5),
        ),
    ),
    (fitted(RAISED), {"shape": "one_cycle"}, say(STARTED, cell=4), say("it raised an error in its first step")),
    (fitted(a_fit(learning_rates=(0.1, 0.1)), RAISED), {"shape": "one_cycle"}, say(STAYED, cell=4, rate=0.1), CYCLE),
    (
        fitted(step_rates=(0.1, 0.5, 1.0), status="completed"),
        {"shape": "one_cycle"},
        say(ROSE, cell=4, first=0.1, last=1.0),
        CYCLE,
    ),
)


UNSEEN: tuple[Evidence, dict[str, Any]] = (
    fitted(step_rates=(0.1, 0.5, 1.0), status="stopped_by_budget", epochs_asked=40),
    {"shape": "one_cycle"},
)


@pytest.mark.parametrize(("evidence", "params"), GOOD)
def test_the_required_course_passes(evidence: Evidence, params: dict[str, Any]) -> None:
    passes(judge("learning_rate", evidence, **params))


@pytest.mark.parametrize(("evidence", "params", "course", "fault"), BAD)
def test_another_course_fails_with_the_course_and_the_fault(
    evidence: Evidence, params: dict[str, Any], course: Message, fault: Message
) -> None:
    finding = judge("learning_rate", evidence, **params)
    fails(finding, course.id, **course.values)
    fails(finding, fault.id, **fault.values)
    assert finding.measured["faults"] == [english(fault)]


def test_the_rate_may_be_set_between_trainings_after_one_compile() -> None:
    def status(*rates: tuple[float, ...], apart: bool = False, **params: Any) -> str:
        fits = [a_fit(event=6 + n, compiled=n if apart else 5, learning_rates=r) for n, r in enumerate(rates)]
        return judge("learning_rate", fitted(*fits), **({"shape": "decays"} | params)).status

    assert status((0.1,), (0.05,), (0.02,)) == "passed"
    assert status((0.1, 0.1), (0.01, 0.01)) == "passed"
    assert status((0.1,), (0.05,), (0.02,), apart=True) == "failed"
    assert status((0.1,), (0.05,), (0.02,), trainings="all") == "failed"
    # A search for the rate and a training are no cycle.
    assert status((0.001, 0.1, 1.0), (0.01, 0.01), shape="one_cycle") == "failed"


def test_of_two_trainings_the_message_names_the_closest() -> None:
    finding = judge("learning_rate", fitted(a_fit(learning_rates=(0.1, 0.1)), RAISED), shape="one_cycle")
    assert says(finding.message, "This is the closest of {candidates:number}.", candidates=2)


def test_a_training_that_the_budget_cut_off_waits_for_a_person() -> None:
    evidence, params = UNSEEN
    finding = judge("learning_rate", evidence, **params)
    waits(finding)
    assert says(
        finding.message,
        "{course}, until the grader's time budget ended the training after {count:number} epoch",
        count=4,
    )


SCHEDULED = (callback("LearningRateScheduler"),)
CUT: dict[str, Any] = {"status": "stopped_by_budget", "epochs_asked": 30, "epochs_done": 3}


@pytest.mark.parametrize(
    ("rates", "params"),
    [
        ((0.1, 0.1, 0.1), {"shape": "decays"}),
        ((0.1, 0.1, 0.1), {"shape": "constant"}),
        ((0.1, 1.0, 0.8), {"shape": "one_cycle"}),
        ((0.1, 0.09, 0.08), {"shape": "decays", "lowest": {"at_most": 0.01}}),
        ((0.1, 0.2, 0.3), {"highest": {"at_least": 0.9}}),
    ],
)
def test_a_course_that_the_budget_cut_off_before_it_could_change_waits_for_a_person(
    rates: tuple[float, ...], params: dict[str, Any]
) -> None:
    waits(judge("learning_rate", fitted(learning_rates=rates, callbacks=SCHEDULED, **CUT), **params))
    uncut = judge("learning_rate", fitted(learning_rates=rates, callbacks=SCHEDULED), **params)
    assert uncut.status == ("passed" if params == {"shape": "constant"} else "failed")


@pytest.mark.parametrize(
    ("rates", "params"),
    [
        ((0.1, 0.05, 0.01), {"shape": "rises"}),
        ((0.1, 0.2, 0.3), {"highest": {"at_most": 0.2}}),
        ((0.1, 0.01, 0.001), {"lowest": {"at_least": 0.01}}),
        ((0.1, 0.1, 0.1), {"shape": "decays", "first": {"at_most": 0.01}}),
    ],
)
def test_a_fault_that_more_epochs_could_not_undo_fails_in_a_training_that_the_budget_cut_off(
    rates: tuple[float, ...], params: dict[str, Any]
) -> None:
    evidence = fitted(learning_rates=rates, callbacks=SCHEDULED, **CUT)
    assert judge("learning_rate", evidence, **params).status == "failed"


def test_a_rate_that_nothing_can_change_is_judged_although_the_budget_cut_the_training_off() -> None:
    evidence = fitted(learning_rates=(0.1, 0.1, 0.1), callbacks=(callback("EarlyStopping"),), **CUT)
    assert judge("learning_rate", evidence, shape="decays").status == "failed"
    assert judge("learning_rate", evidence, shape="constant").status == "passed"


def test_a_missing_model_fails() -> None:
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
def test_the_shape_of_rates_is_recognized(shape: str, rate: Callable[[float], float]) -> None:
    assert shape_of([rate(step / 200) for step in range(200)]) == shape


@given(st.lists(st.floats(1e-8, 10), min_size=2, max_size=60), st.floats(0.01, 100))
def test_the_shape_does_not_depend_on_the_unit(rates: list[float], factor: float) -> None:
    assert shape_of(sorted(rates)) in {"constant", "rises", "varies", "one_cycle"}
    assert shape_of([1.0, 1.0]) == shape_of([factor, factor]) == "constant"
