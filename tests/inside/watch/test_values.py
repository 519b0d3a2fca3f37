"""Averages of repeated passes in a real kernel: each cell of `averaged.py` has a form and its right answer."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.recorded import NOTEBOOK, Record, run_notebook

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

AVERAGED = NOTEBOOK.with_name("averaged.py")
TITLES = re.findall(r"^# %% (.*: .*)$", AVERAGED.read_text(encoding="utf-8"), flags=re.MULTILINE)


@pytest.fixture(scope="module")
def averaged(tmp_path_factory: pytest.TempPathFactory, small_mnist: Path) -> Record:
    record = run_notebook(tmp_path_factory.mktemp("averaged"), small_mnist, "keras3", AVERAGED)
    assert record.errors == {}
    assert record.of("gap") == []
    return record


def last(record: Record, title: str) -> dict[str, Any] | None:
    """The last event of the passes that a cell made."""
    found = [event for event in record.of("repeated_passes") if event["made"] == record.cells[title]]
    return found[-1] if found else None


@pytest.mark.parametrize("title", TITLES)
def test_the_average_of_each_form_is_found(averaged: Record, title: str) -> None:
    event = last(averaged, title)
    assert "absent" if event is None else str(event["average"]) == title.rpartition(": ")[2]


def test_passes_over_batches_and_copies_of_images_are_counted_like_others(averaged: Record) -> None:
    for title in TITLES:
        event = last(averaged, title)
        if title.partition(":")[0] in {
            "batches",
            "passes over batches",
            "copies of all images",
            "copies of each image",
        }:
            assert event is not None
            assert (event["passes"], event["images"], event["differ"]) == (12, 150, True)


def test_an_average_in_a_later_cell_is_found_there(averaged: Record) -> None:
    title = "passes for the next cell: mean"
    made = [event for event in averaged.of("repeated_passes") if event["made"] == averaged.cells[title]]
    assert [(event["cell"] - event["made"], event["average"]) for event in made] == [(0, None), (1, "mean")]


def test_passes_without_the_first_are_counted_as_averaged(averaged: Record) -> None:
    event = last(averaged, "without the first: mean")
    assert event is not None
    assert (event["passes"], event["averaged"]) == (12, 11)


def test_only_passes_without_dropout_are_equal(averaged: Record) -> None:
    off = [title for title in TITLES if title.startswith("dropout off")]
    for title in TITLES:
        event = last(averaged, title)
        assert (event is not None and not event["differ"]) == (title in off)
