"""The complete record: every event is numbered, every cell is counted, and no part of the recorder fails."""

from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.recorded import Record, only, run_notebook

pytestmark = pytest.mark.tensorflow


def test_only_the_cells_that_should_fail_fail(record: Record) -> None:
    assert set(record.errors) == {"wrong call", "interrupt"}
    assert record.errors["wrong call"].startswith("ValueError: Data cardinality is ambiguous")


def test_nothing_of_the_recorders_own_work_failed(record: Record) -> None:
    assert record.of("gap") == record.of("unhooked") == record.of("unkept") == []


def test_events_are_numbered_and_in_order(record: Record) -> None:
    assert [event["n"] for event in record.events] == list(range(1, len(record.events) + 1))
    assert all(one["t"] <= other["t"] and one["cell"] <= other["cell"] for one, other in pairwise(record.events))
    assert record.events[0]["kind"] == "start"
    assert record.events[-1]["kind"] == "end"


def test_each_cell_is_counted_once_also_under_a_cell_magic(record: Record) -> None:
    assert len(record.of("cell_start")) == len(record.of("cell_end")) == len(record.cells)
    failed = {title for title, number in record.cells.items() if not record.of("cell_end")[number - 1]["ok"]}
    assert failed == set(record.errors)


IMPORTS = """\
# %% nothing
x = 1
# %% imports
import tensorflow
"""


@pytest.mark.parametrize("dialect", ["keras3", pytest.param("keras2", marks=pytest.mark.slow)])
def test_tensorflow_is_imported_by_the_student_and_not_before(dialect: str, tmp_path: Path, small_mnist: Path) -> None:
    notebook = tmp_path / "cells.py"
    notebook.write_text(IMPORTS, encoding="utf-8")
    record = run_notebook(tmp_path, small_mnist, dialect, notebook, cold=True)
    assert only(record.of("versions"))["cell"] == record.cells["imports"]
    assert record.of("start")[0]["versions"]["keras"].startswith("3.")
