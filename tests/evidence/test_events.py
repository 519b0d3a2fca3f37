"""Records of any version and with anything in their fields are read."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grader.evidence.artefacts import ArtefactFolder
from grader.evidence.build import build_evidence
from grader.inside.record.events import KINDS, RECORD_VERSION
from grader.schema.evidence import Evidence
from grader.schema.submission import Run
from tests.support.declared import values_of
from tests.support.record_uses import uses_in
from tests.support.says import says

NOTEBOOK: dict[str, Any] = {"cells": []}
NOISE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=8)
    | st.sampled_from([10**400, "\ud800", "\x00"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def build(run: Run, *events: Any) -> Evidence:
    return build_evidence(
        run=run,
        notebook=NOTEBOOK,
        submitted=None,
        events=events,
        arrays=ArtefactFolder(Path("/nonexistent")),
        indexes={},
    )


def start(**keys: Any) -> dict[str, Any]:
    return {"n": 1, "cell": 0, "kind": "start", "versions": {"keras": "3.15.1"}, **keys}


END = {"n": 2, "cell": 1, "kind": "end"}


@pytest.mark.parametrize("keys", [{"version": RECORD_VERSION}, {}, {"version": None}, {"version": "new"}])
def test_a_record_of_this_version_or_without_one_is_read(run: Run, keys: dict[str, Any]) -> None:
    evidence = build(run, start(**keys), END)
    assert (evidence.versions, evidence.problems) == ({"keras": "3.15.1"}, ())


def test_a_record_of_a_newer_version_is_read_and_reported(run: Run) -> None:
    evidence = build(run, start(version=RECORD_VERSION + 1, mood="good"), {**END, "kind": "nap"}, END)
    assert evidence.versions == {"keras": "3.15.1"}
    (problem,) = evidence.problems
    assert says(
        problem,
        "the record has version {version:number}, but this grader reads version {supported:number}; "
        "facts that only the newer version has are missing",
        version=RECORD_VERSION + 1,
        supported=RECORD_VERSION,
    )


@pytest.mark.parametrize("kind", sorted(KINDS))
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_anything_in_any_field_is_read_or_counted(run: Run, kind: str, data: st.DataObject) -> None:
    fits = [
        {"n": 1, "cell": 1, "kind": "fit_start", "fit": 1, "model": "m1", "type": "fit"},
        {"n": 2, "cell": 1, "kind": "fit_start", "fit": 2, "model": "m1", "type": "custom_loop"},
    ]
    drawn = data.draw(st.lists(values_of(KINDS[kind], NOISE), min_size=1, max_size=3))
    numbered = [
        {"n": n, "cell": 1, "kind": kind, **event} if isinstance(event, dict) else event
        for n, event in enumerate(drawn, start=3)
    ]
    events = json.loads(json.dumps([*fits, *numbered]))
    evidence = build(run, *events)
    assert Evidence.model_validate_json(evidence.model_dump_json()).run == run
    assert len(evidence.fits) + len(evidence.failed_fits) >= 2


def test_what_is_read_of_a_record_goes_through_a_function_that_takes_any_value() -> None:
    assert uses_in("evidence").loose == []
