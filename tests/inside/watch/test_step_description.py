"""The description of a training's steps lists a few arrays, and counts the numbers of all others once."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from grader.inside.record.events import MAX_STEP_ARRAYS, ArrayDescription, LabelDescription
from grader.inside.watch.graph_reader import HeldData
from grader.inside.watch.seen_images import SeenImages
from grader.inside.watch.step_description import describe_step


class Search:
    """Describes images, unless there are too many files."""

    smallest = 784

    def __init__(self, *, room: bool = True) -> None:
        self.room = room

    def describe(self, seen: SeenImages) -> Any:
        return sorted(seen.seen) if self.room and seen.seen else None


@pytest.fixture
def search() -> Any:
    return Search()


def held(**data: Any) -> HeldData:
    graph: Any = lambda: None  # noqa: E731 - a dead reference
    return HeldData(graph, **data)


def images(rows: int) -> ArrayDescription:
    return ArrayDescription(array=f"a{rows}", shape=[rows, 28, 28], dtype="float32", source="array")


def test_nothing_but_the_given_data_is_described_as_nothing(search: Any) -> None:
    assert describe_step([], SeenImages(), search) is None
    assert describe_step([held()], SeenImages(graphs=[SimpleNamespace()]), search) is None


def test_data_in_several_graphs_count_once(search: Any) -> None:
    first = held(images={("x",): images(5)}, numbers={"n": 30})
    second = held(images={("x",): images(5)}, numbers={"n": 30, "x": 3920, "m": 4})
    described = describe_step([first, second], SeenImages(), search)
    assert described is not None
    assert (described["arrays"], described["numbers"]) == ([images(5)], 34)


def test_arrays_above_the_limit_count_as_numbers(search: Any) -> None:
    labels = LabelDescription(shape=[200], dtype="int32", one_hot=False, classes={"0": 200})
    parts = held(
        images={(n,): images(n) for n in range(1, MAX_STEP_ARRAYS + 2)},
        labels={f"y{n}": labels for n in range(MAX_STEP_ARRAYS + 1)},
    )
    described = describe_step([parts], SeenImages(), search)
    assert described is not None
    assert len(described["arrays"]) == len(described["labels"]) == MAX_STEP_ARRAYS
    assert described["numbers"] == (MAX_STEP_ARRAYS + 1) * 784 + 200


def test_images_of_eager_steps_count_as_numbers_if_they_are_not_described() -> None:
    seen = SeenImages(seen={3, 1}, strangers=[np.zeros((28, 28))], passed=6)
    few: Any = Search()
    full: Any = Search(room=False)
    described: Any = describe_step([], seen, few)
    counted: Any = describe_step([], seen, full)
    assert (described["rows"], described["numbers"]) == ([1, 3], 0)
    assert (counted["rows"], counted["numbers"]) == (None, 8 * 784)


def test_other_sources_are_listed(search: Any) -> None:
    described = describe_step([], SeenImages(sources={"PyFunc", "IteratorResource"}), search)
    assert described is not None
    assert described["operations"] == ["IteratorResource", "PyFunc"]
