"""Declarations of the record: every declared key is written, and every written key is read or listed as unread."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from grader.evidence.arraybook import ArrayBook
from grader.evidence.artefacts import ArtefactFolder
from grader.evidence.build import _Builder
from grader.inside.kernel import start_recorder
from grader.inside.record.events import EVENTS, KINDS, RECORD_VERSION, CellEnd, Header, kind_of
from grader.inside.record.log import EventLog
from grader.schema.submission import Run
from tests.support.declared import mismatches
from tests.support.record_uses import DECLARED, own_fields, relatives, uses_in

ROOT = Path(__file__).parents[3]
UNREAD = {
    "cell_start": "every event has the number of its cell",
    "cell_end": "the host sees by itself how each cell ended and how long it took",
    "stopped": "the `fit_end` of the training has the status `stopped_by_budget`",
}
"""Kind → why the reader does not need it."""
UNREAD_FIELDS = {
    "Header": {"t": "for people who read the record"},
    "Start": {
        "dialect": "the host chose it",
        "seed": "the host chose it",
        "device": "each `fit_start` has it as well, when it is known",
        "pid": "for people who read the record",
    },
    "ArrayDescription": {"array": "the file's name tells arrays apart"},
    "NamedArray": {"array": "the file's name tells arrays apart"},
}
"""Type → field → why the reader does not need it."""
FIELDS = own_fields()
# All of them look through the same modules.
ONE_PROCESS = pytest.mark.xdist_group("events of the record")
"""For tests that parse all modules; a test of a real record is in the group of that record."""


def builder() -> _Builder:
    run = Run(status="completed", seconds=1.0, cells_run=1, cells_total=1, isolation="none", seed=7, dialect="keras3")
    return _Builder(run, ArrayBook(ArtefactFolder(Path("/nonexistent")), {}), {})


def test_each_kind_is_the_name_of_its_type_and_stands_once() -> None:
    assert len(KINDS) == len(EVENTS)
    assert [re.sub(r"(?<=[a-z])(?=[A-Z])", "_", event.__name__).lower() for event in EVENTS] == list(KINDS)


def test_every_kind_that_is_declared_is_written() -> None:
    assert {kind_of(DECLARED[name]) for name in uses_in("inside").built if DECLARED[name] in EVENTS} == set(KINDS)


def test_every_kind_that_is_declared_is_read_or_listed_as_unread() -> None:
    read = set(builder()._readers)
    assert read | UNREAD.keys() == set(KINDS)
    assert read & UNREAD.keys() == set()
    assert all(UNREAD.values())


@ONE_PROCESS
@pytest.mark.parametrize("name", sorted(FIELDS))
def test_every_field_that_is_declared_is_written(name: str) -> None:
    written = set().union(*(uses_in("inside").written[relative] for relative in relatives()[name]))
    assert FIELDS[name] - written == set()


@ONE_PROCESS
@pytest.mark.parametrize("name", sorted(FIELDS.keys() - {KINDS[kind].__name__ for kind in UNREAD}))
def test_every_field_that_is_declared_is_read_or_listed_as_unread(name: str) -> None:
    read = set().union(*(uses_in("evidence").read[relative] for relative in relatives()[name]))
    unread = UNREAD_FIELDS.get(name, {})
    assert FIELDS[name] - read == unread.keys()
    assert all(unread.values())


def test_no_list_of_unread_fields_is_of_a_type_that_is_gone() -> None:
    assert UNREAD_FIELDS.keys() <= FIELDS.keys()


def test_the_log_adds_the_header_and_writes_what_json_can_hold(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    log.cell = 3
    assert log.write(CellEnd(kind="cell_end", ok=True, seconds=float("nan"))) == 1
    log.close()
    line = json.loads((tmp_path / "events.jsonl").read_text(encoding="utf-8"))
    assert line.pop("t") >= 0
    assert line == {"n": 1, "cell": 3, "kind": "cell_end", "ok": True, "seconds": None}


def test_the_first_event_has_the_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernel_tools: Any) -> None:
    session = kernel_tools.write_session(tmp_path, tmp_path / "data", "keras3")
    monkeypatch.setenv("GRADER_SESSION", str(session))
    recorder = start_recorder()
    recorder.log.close()
    (start,) = kernel_tools.read_events(tmp_path / "out")
    assert (start["kind"], start["version"]) == ("start", RECORD_VERSION)
    assert list(event_mismatches(start)) == []


def event_mismatches(event: dict[str, Any]) -> list[str]:
    """List the differences between a line of a record and its declaration."""
    header = {key: event[key] for key in event if key in Header.__annotations__}
    rest = {key: value for key, value in event.items() if key == "kind" or key not in header}
    return [*mismatches(header, Header, "header"), *mismatches(rest, KINDS[event["kind"]], event["kind"])]


@pytest.mark.tensorflow
def test_every_line_of_a_real_record_is_as_declared(record: Any) -> None:
    assert [text for event in record.events for text in event_mismatches(event)] == []


def test_a_line_that_is_not_as_declared_is_noticed() -> None:
    event = {"n": 1, "t": 0.1, "cell": 2, "kind": "epoch", "fit": True, "epoch": 1, "logs": {"loss": "x"}, "speed": 2}
    assert sorted(event_mismatches(event)) == [
        "epoch.fit: bool is no int",
        "epoch.logs.loss: str is no NoneType",
        "epoch.logs.loss: str is no float",
        "epoch.rate is missing",
        "epoch.seconds is missing",
        "epoch.speed is not declared",
    ]


@pytest.mark.slow
def test_mypy_finds_a_renamed_field_at_the_hook_and_at_the_reader(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "grader", tmp_path / "grader", ignore=shutil.ignore_patterns("__pycache__", "files"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    declarations = tmp_path / "grader/inside/record/events.py"
    text = declarations.read_text(encoding="utf-8")
    renamed = text.replace("    rate: float | None\n", "    pace: float | None\n").replace("    one_hot:", "    hot:")
    assert renamed.count("    pace:") == renamed.count("    hot:") == 1
    declarations.write_text(renamed, encoding="utf-8")
    hooks = {"grader/inside/watch/fits.py", "grader/inside/describe/arrays.py"}
    readers = {"grader/evidence/trainings.py", "grader/evidence/arraybook.py"}
    command = [sys.executable, "-m", "mypy", *sorted(hooks | readers)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert {line.partition(":")[0] for line in done.stdout.splitlines() if ": error: " in line} == hooks | readers
