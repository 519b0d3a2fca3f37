"""Copying a record from an untrusted sandbox."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.execution.collect import CollectCaps, collect, read_record
from grader.schema.errors import StorageError
from grader.schema.message import say
from tests.support.says import ids, says


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A record as an honest recorder writes it."""
    folder = tmp_path / "out"
    (folder / "models" / "m2.saved_model" / "variables").mkdir(parents=True)
    (folder / "arrays").mkdir()
    (folder / "predictions").mkdir()
    (folder / "events.jsonl").write_text('{"n": 1, "kind": "start"}\n')
    (folder / "models" / "m1.keras").write_bytes(b"keras")
    (folder / "models" / "m2.saved_model" / "saved_model.pb").write_bytes(b"pb")
    (folder / "models" / "m2.saved_model" / "variables" / "variables.data-00000-of-00001").write_bytes(b"v")
    (folder / "arrays" / "a1.npz").write_bytes(b"npz")
    (folder / "predictions" / "m1.npy").write_bytes(b"npy")
    return folder


def test_an_honest_record_is_taken_over_whole(out: Path, tmp_path: Path) -> None:
    result = collect(out, tmp_path / "evidence")
    assert result.problems == []
    assert sorted(result.files) == sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    assert (tmp_path / "evidence" / "models" / "m1.keras").read_bytes() == b"keras"
    assert result.total_bytes == sum(path.stat().st_size for path in out.rglob("*") if path.is_file())


def test_a_link_to_a_file_of_the_machine_is_left_out(out: Path, tmp_path: Path) -> None:
    (out / "models" / "stolen.keras").symlink_to("/etc/passwd")
    result = collect(out, tmp_path / "evidence")
    assert result.problems == [say("{path:code} is a link, a pipe or a device", path="models/stolen.keras")]
    assert not (tmp_path / "evidence" / "models" / "stolen.keras").exists()


def test_a_link_in_place_of_a_folder_is_left_out(out: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "a9.npz").write_bytes(b"labels")
    (out / "arrays" / "a1.npz").unlink()
    (out / "arrays").rmdir()
    (out / "arrays").symlink_to(secret)
    result = collect(out, tmp_path / "evidence")
    assert result.problems == [say("{path:code} is a link, a pipe or a device", path="arrays")]
    assert not (tmp_path / "evidence" / "arrays").exists()


def test_a_link_in_place_of_the_whole_record_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("/etc")
    with pytest.raises(StorageError):
        collect(tmp_path / "out", tmp_path / "evidence")


def test_a_pipe_does_not_make_the_grader_wait(out: Path, tmp_path: Path) -> None:
    (out / "events.jsonl").unlink()
    os.mkfifo(out / "events.jsonl")
    result = collect(out, tmp_path / "evidence")
    assert result.problems == [say("{path:code} is a link, a pipe or a device", path="events.jsonl")]


def test_a_file_with_two_names_is_left_out(out: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.npy"
    other.write_bytes(b"x")
    os.link(other, out / "predictions" / "m7.npy")
    assert collect(out, tmp_path / "evidence").problems == [
        say("{path:code} has more than one name", path="predictions/m7.npy")
    ]


@pytest.mark.parametrize(
    "name", ["grade.json", "models/x.pkl", "models/.keras", "arrays/a b.npz", "arrays/deep/a.npz", "models/é.keras"]
)
def test_a_file_that_is_not_part_of_a_record_is_left_out(name: str, out: Path, tmp_path: Path) -> None:
    (out / name).parent.mkdir(exist_ok=True)
    (out / name).write_bytes(b"x")
    result = collect(out, tmp_path / "evidence")
    assert ids(result.problems[0])[0].endswith("{path:code} is not part of a record")
    assert not (tmp_path / "evidence" / name).exists()


def test_files_over_a_cap_are_left_out(out: Path, tmp_path: Path) -> None:
    (out / "models" / "big.keras").write_bytes(bytes(2000))
    result = collect(out, tmp_path / "evidence", CollectCaps(file_bytes=1000))
    assert says(result.problems[0], "{path:code} is too large ({size:size})", path="models/big.keras", size=2000)
    assert "models/m1.keras" in result.files
    assert result.left_out == {"models/big.keras": result.problems[0]}


def test_the_total_has_a_cap(out: Path, tmp_path: Path) -> None:
    result = collect(out, tmp_path / "evidence", CollectCaps(total_bytes=30))
    assert result.total_bytes <= 30
    left_out = "{path:code} was left out, because the record is too large"
    assert any(says(problem, left_out) for problem in result.problems)


def test_thousands_of_strange_files_make_a_short_list(out: Path, tmp_path: Path) -> None:
    for number in range(500):
        (out / f"junk{number}").touch()
    problems = collect(out, tmp_path / "evidence").problems
    assert len(problems) == 51
    assert says(problems[-1], "{count:number} more file of the record was left out", count=450)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_torn_last_line_is_dropped_and_named(tmp_path: Path) -> None:
    record = read_record(write(tmp_path / "e", b'{"n": 1, "kind": "start"}\n{"n": 2, "ki'))
    assert [event["n"] for event in record.events] == [1]
    assert record.problems == [
        say("the last line of events.jsonl is incomplete, since the kernel ended while writing it")
    ]


def test_garbage_between_events_is_counted(tmp_path: Path) -> None:
    lines = [
        b'{"n": 1, "kind": "start"}',
        b"\xff\xfe",
        b"[]",
        b'{"kind": 5}',
        b"[" * 100_000,
        b"",
        b'{"n": 2, "kind": "end"}',
    ]
    record = read_record(write(tmp_path / "e", b"\n".join(lines) + b"\n"))
    assert [event["n"] for event in record.events] == [1, 2]
    (problem,) = record.problems
    assert says(problem, "{count:number} line of events.jsonl is not an event", count=4)


def test_an_overlong_line_is_one_line_of_garbage(tmp_path: Path) -> None:
    content = b'{"n": 1, "kind": "' + b"x" * 5000 + b'"}\n{"n": 2, "kind": "end"}\n'
    record = read_record(write(tmp_path / "e", content), CollectCaps(event_bytes=1000))
    assert [event["n"] for event in record.events] == [2]
    (problem,) = record.problems
    assert says(problem, "{count:number} line of events.jsonl is not an event", count=1)


def test_not_a_number_is_read_as_nothing(tmp_path: Path) -> None:
    assert read_record(write(tmp_path / "e", b'{"n": 1, "kind": "epoch", "rate": NaN}\n')).events == [
        {"n": 1, "kind": "epoch", "rate": None}
    ]


def test_an_endless_record_is_cut(tmp_path: Path) -> None:
    content = b'{"n": 1, "kind": "epoch"}\n' * 1000
    record = read_record(write(tmp_path / "e", content), CollectCaps(events=10))
    assert len(record.events) == 10
    assert record.problems == [say("events.jsonl is too long, so the grader did not read its end")]


def test_a_missing_record_is_empty_and_named(tmp_path: Path) -> None:
    record = read_record(tmp_path / "e")
    assert record.events == []
    assert says(record.problems[0], "events.jsonl cannot be read ({error})", error="No such file or directory")


@given(st.lists(st.one_of(st.binary(max_size=40), st.just(b'{"n": 3, "kind": "fit_start"}')), max_size=10))
def test_no_bytes_make_the_reader_fail(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    content = b"\n".join(lines) + b"\n"
    record = read_record(write(tmp_path_factory.mktemp("events") / "e", content))
    whole = [line for line in content.split(b"\n") if line == b'{"n": 3, "kind": "fit_start"}']
    assert [json.dumps(event).encode() for event in record.events].count(whole[0] if whole else b"") == len(whole)
