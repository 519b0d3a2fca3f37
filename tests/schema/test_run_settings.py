"""Settings of an execution: what they may be, and which of them an execution is known by."""

from typing import Any

import pytest
from pydantic import ValidationError

from grader.execution.collect import CollectCaps
from grader.execution.predict import PredictionLimits
from grader.execution.runner import _threads
from grader.schema.rubric import RunSettings
from grader.store.database import digest_of

FIRST = {"dialect": "auto", "seed": 7, "time": 1200.0, "fit_time": 600.0, "memory": 6 << 30, "kernel": None}
"""What executions of a rubric with this seed and time were known by before there were further settings."""
LATER = {
    "disk": 1 << 30,
    "processes": 100,
    "kept_models": 1 << 30,
    "predictor_time": 60.0,
    "predictor_memory": 2 << 30,
    "output": {"cell_text": 1000},
    "allow_system_calls": ["io_uring_setup"],
}


def test_without_further_settings_an_execution_is_known_by_what_it_was_known_by() -> None:
    run = RunSettings(seed=7, time=1200)
    assert run.known_by() == FIRST
    assert digest_of({"run": run.known_by()}) == digest_of({"run": FIRST})


def test_defaults_written_out_are_no_other_settings() -> None:
    given = RunSettings().model_dump(mode="json")
    assert RunSettings.model_validate(given).known_by() == RunSettings().known_by()


def test_every_further_setting_is_tried() -> None:
    assert {*FIRST, *LATER, "attempts", "take"} == set(RunSettings.model_fields)


@pytest.mark.parametrize("name", sorted(LATER))
def test_another_setting_makes_another_execution(name: str) -> None:
    run = RunSettings.model_validate({"seed": 7, "time": 1200, name: LATER[name]})
    assert run.known_by() == {**FIRST, name: LATER[name]}


def test_how_many_attempts_there_are_changes_none_of_them() -> None:
    assert RunSettings(attempts=3, take="median").known_by() == RunSettings().known_by()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"disk": "512 MiB"}, 512 << 20),
        ({"kept_models": "1 GiB"}, 1 << 30),
        ({"predictor_time": "5 min"}, 300.0),
        ({"predictor_memory": "1.5 GiB"}, 3 << 29),
        ({"processes": 512}, 512),
    ],
)
def test_sizes_and_times_have_units(given: dict[str, Any], expected: float) -> None:
    run = RunSettings.model_validate(given)
    assert [getattr(run, name) for name in given] == [expected]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"disk": "4 TB"}, "is not an amount of memory"),
        ({"disk": 0}, "greater than 0"),
        ({"processes": 4}, "greater than or equal to 16"),
        ({"predictor_time": "soon"}, "is not a duration"),
        ({"kept_models": "5 GiB"}, "`kept_models` is larger than `disk`"),
        ({"output": {"cell_txt": 1}}, "Extra inputs"),
        ({"output": {"cell_images": -1}}, "greater than or equal to 0"),
    ],
)
def test_wrong_settings_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        RunSettings.model_validate(given)


def test_a_small_disk_alone_is_no_contradiction() -> None:
    assert RunSettings(disk=100 << 20).kept_models == 512 << 20


def test_by_default_the_limits_are_those_from_before_they_could_be_set() -> None:
    run = RunSettings()
    assert (run.disk, run.processes, run.kept_models) == (4 << 30, 400, 512 << 20)
    assert PredictionLimits.of(run) == PredictionLimits()
    assert (PredictionLimits().memory_bytes, PredictionLimits().total_seconds) == (4 << 30, 1800)
    assert CollectCaps.for_models(run.kept_models) == CollectCaps()
    assert list(run.output.model_dump().values()) == [200_000, 2_000_000, 12 << 20, 40 << 20, 6 << 20, 100, 400, 400]


def test_the_predictor_has_the_time_and_memory_of_the_rubric() -> None:
    limits = PredictionLimits.of(RunSettings(predictor_time=60, predictor_memory=1 << 30))
    assert (limits.process_seconds, limits.total_seconds, limits.memory_bytes) == (60, 360, 1 << 30)


def test_more_kept_models_are_also_collected() -> None:
    caps = CollectCaps.for_models(3 << 30)
    more = (3 << 30) - RunSettings().kept_models
    assert (caps.file_bytes, caps.total_bytes) == (CollectCaps().file_bytes + more, CollectCaps().total_bytes + more)
    assert CollectCaps.for_models(1) == CollectCaps()


def test_more_processes_leave_room_for_their_threads() -> None:
    assert _threads(RunSettings(processes=1000)) - _threads(RunSettings()) == 600
    assert _threads(RunSettings(processes=144)) == _threads(RunSettings(processes=16)) < _threads(RunSettings())
