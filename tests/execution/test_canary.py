"""Facts that the record of the canary must contain; the canary is not executed here."""

from collections.abc import Mapping
from typing import Any, Literal

import pytest

from grader.execution.canary import EXPECTED, NOT_EXPECTED, canary_notebook, missing_facts
from grader.facts.gaps import PARTS

Dialect = Literal["keras3", "keras2"]


def test_each_kind_of_event_is_expected_or_left_out_with_a_reason() -> None:
    expected = {one.kind for one in EXPECTED}
    assert expected.isdisjoint(NOT_EXPECTED)
    assert expected | set(NOT_EXPECTED) == set(PARTS)
    assert all(NOT_EXPECTED.values())


def test_each_expectation_names_a_hook_and_is_said_once() -> None:
    kinds = [(one.kind, one.hook, one.what) for one in EXPECTED]
    assert all(hook and what for _, hook, what in kinds)
    assert len(set(kinds)) == len(kinds)


@pytest.mark.parametrize("dialect", ["keras3", "keras2"])
def test_the_notebook_is_code_alone(dialect: Dialect) -> None:
    for cell in canary_notebook(dialect).cells:
        compile(cell.source, cell.id, "exec")


def test_an_empty_record_lacks_everything() -> None:
    text = "\n".join(missing_facts([], "keras3"))
    assert all(f"`{one.hook}` recorded no `{one.kind}` event" in text for one in EXPECTED)


@pytest.mark.parametrize(
    ("event", "kinds"),
    [
        (
            {"kind": "gap", "hook": "FitWatch._begin", "what": "KeyError: x"},
            "`FitWatch._begin` failed: KeyError: x",
        ),
        ({"kind": "unhooked", "package": "keras", "reason": "no module"}, "`keras` is not hooked: no module"),
        ({"kind": "unkept", "model": "m1", "reason": "full"}, "`Keeper` saved no model: full"),
    ],
)
def test_a_failure_that_the_recorder_reports_comes_first(event: Mapping[str, Any], kinds: str) -> None:
    assert missing_facts([event], "keras3")[0].startswith(("the hook", "`keras`"))
    assert kinds in missing_facts([event], "keras3")[0]


@pytest.mark.parametrize(
    "results", [{}, None, [], "nothing"], ids=["empty", "null", "an empty list", "another type that is not empty"]
)
def test_an_event_without_what_the_checks_read_is_not_the_fact(results: object) -> None:
    event = {"kind": "evaluate", "model": "m1", "x": {"shape": [1]}, "results": results}
    lacks = any("`Model.evaluate`" in text for text in missing_facts([event], "keras3"))
    assert lacks == (results != "nothing")


def test_events_of_any_form_are_read() -> None:
    for value in (None, 3, "x", [], [None], {"a": 1}):
        events = [
            {"kind": one.kind, **dict.fromkeys(("model", "figure", "history", "arrays"), value)} for one in EXPECTED
        ]
        assert missing_facts(events, "keras2")
