"""The limit of one cell's printed text."""

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.inside.notebook.output_limit import Meter, limit
from grader.inside.record.recorder import Recorder
from grader.inside.record.session import Session


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    """A recorder on an empty folder."""
    values = {
        "version": 1, "out": str(tmp_path), "data": str(tmp_path), "datasets": [], "dialect": "keras3", "seed": 0,
        "fit_time": 60, "deadline": time.time() + 60, "reserve": 5, "max_models_mib": 1, "max_output_kib": 1,
        "graded_dataset": "mnist",
    }  # fmt: skip
    (tmp_path / "session.json").write_text(json.dumps(values), encoding="utf-8")
    made = Recorder(Session.load(tmp_path / "session.json"))
    yield made
    made.log._file.close()


def test_a_cell_prints_up_to_the_cap_and_then_one_line_that_says_so(recorder: Recorder) -> None:
    stream = io.StringIO()
    limit(stream, Meter(1024), recorder)
    recorder.cell_started()
    for number in range(1000):
        print(number, file=stream)
    text = stream.getvalue()
    assert text.startswith("0\n1\n2\n")
    assert text.count("This cell printed more than 1 KiB") == 1
    assert len(text) < 1200


def test_the_next_cell_has_its_own_cap(recorder: Recorder) -> None:
    stream = io.StringIO()
    limit(stream, Meter(1024), recorder)
    recorder.cell_started()
    stream.write("x" * 5000)
    recorder.cell_started()
    stream.write("second")
    assert stream.getvalue().endswith("second")
    assert "xxxx" not in stream.getvalue()


def test_two_streams_share_one_cap(recorder: Recorder) -> None:
    out, err, meter = io.StringIO(), io.StringIO(), Meter(100)
    limit(out, meter, recorder)
    limit(err, meter, recorder)
    recorder.cell_started()
    out.write("a" * 90)
    err.write("b" * 90)
    assert out.getvalue() == "a" * 90
    assert "bbb" not in err.getvalue()


@pytest.mark.parametrize("redraw", ["\r{:60d}", "{:60d}" + "\b" * 60])
def test_a_progress_bar_counts_as_the_line_a_person_sees(redraw: str) -> None:
    meter = Meter(1024)
    assert all(meter.takes(redraw.format(number), 1) for number in range(100))


def test_a_bar_that_is_redrawn_for_ever_is_cut_too() -> None:
    meter = Meter(1024)
    assert not all(meter.takes(f"\r{number:60d}", 1) for number in range(10_000))


def test_writing_reports_the_length_of_the_text(recorder: Recorder) -> None:
    stream = io.StringIO()
    limit(stream, Meter(10), recorder)
    assert stream.write("abc") == 3
    assert stream.write("d" * 100) == 100
