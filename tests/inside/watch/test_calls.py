"""Direct calls of a model, counted and compared."""

from typing import Any

import pytest

from tests.support.recorded import Record, named, only

pytestmark = pytest.mark.tensorflow


def test_direct_calls_are_counted_by_training_and_compared(record: Record) -> None:
    calls = {event["training"]: event for event in record.of("calls", "monte carlo")}
    assert (calls[True]["count"], calls[True]["outputs_differ"]) == (4, True)
    assert (calls[None]["count"], calls[None]["outputs_differ"]) == (3, False)
    assert calls[True]["x"]["names"] == ["few"]


def test_a_trial_in_a_graph_of_the_students_own_is_recorded_without_a_count(record: Record) -> None:
    trial = only(record.of("calls", "graph trial"))
    assert (trial["traced"], trial["count"], trial["model"]) == (True, 0, "m2")
    passes = only(record.of("calls", "graph passes"))
    assert (passes["traced"], passes["training"], trial["training"]) == (True, True, None)
    assert not record.of("calls", "graph loop")
    assert not record.of("calls", "mapped")


def test_passes_over_one_input_are_counted_also_through_predict(record: Record) -> None:
    calls = {event["training"]: event for event in record.of("calls", "monte carlo")}
    assert (calls[True]["repeats"], calls[None]["repeats"]) == (4, 3)
    made: dict[str, list[Any]] = {}
    for event in record.of("predict", "repeated predictions"):
        made.setdefault(event["model"], []).append((event["pass_number"], event["outputs_differ"]))
    assert made[named(record, "special")["id"]] == [(1, None), (2, True), (3, True)]
    assert made["m1"] == [(1, None), (2, False), (3, False)]


def test_calls_between_which_the_weights_change_are_no_passes(record: Record) -> None:
    calls = only(record.of("calls", "one batch again and again"))
    assert (calls["count"], calls["repeats"], calls["outputs_differ"]) == (4, 1, None)
