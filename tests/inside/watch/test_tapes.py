"""Images that layers get count for the tapes that record at that time."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from grader.inside.watch.seen_images import SeenImages
from grader.inside.watch.tapes import OpenTapes


class Tape:
    """Stands for a `GradientTape`."""


class Tensor:
    """An eager tensor of images."""

    def __init__(self, *images: int) -> None:
        self._numpy = lambda: images


class Search:
    """Finds all images of a tensor."""

    def __init__(self) -> None:
        self.looks = 0

    def in_argument(self, x: Any, most: int | None) -> Iterator[tuple[int, ...]]:
        assert most is None
        self.looks += 1
        yield x._numpy()

    def add(self, images: tuple[int, ...], users: list[SeenImages]) -> None:
        for user in users:
            user.add(images, np.empty(0), np.random.default_rng(0))


class Ration:
    """Allows looks, or not."""

    rows = None

    def __init__(self) -> None:
        self.allowed = True

    def allows(self) -> bool:
        return self.allowed


@pytest.fixture
def search() -> Search:
    return Search()


@pytest.fixture
def ration() -> Ration:
    return Ration()


@pytest.fixture
def tapes(search: Any, ration: Any) -> OpenTapes:
    return OpenTapes(search, ration)


@contextmanager
def recording(tapes: OpenTapes) -> Iterator[Tape]:
    tape = Tape()
    tapes.opened(tape)
    yield tape
    tapes.closed(tape)


def used(tapes: OpenTapes, tape: Tape) -> set[int]:
    seen = tapes.used_under(tape)
    return set() if seen is None else seen.seen


def test_images_count_for_each_tape_that_records(tapes: OpenTapes) -> None:
    with recording(tapes) as outer:
        tapes.see(Tensor(1))
        with recording(tapes) as inner:
            tapes.see(Tensor(2))
        tapes.see(Tensor(3))
    assert (used(tapes, outer), used(tapes, inner)) == ({1, 2, 3}, {2})
    assert not tapes.recording


def test_a_tape_without_images_used_nothing(tapes: OpenTapes) -> None:
    with recording(tapes) as tape:
        assert tapes.recording
    assert tapes.used_under(tape) is None


def test_a_tensor_is_looked_at_once_under_a_tape(tapes: OpenTapes, search: Search) -> None:
    tensor = Tensor(1)
    with recording(tapes):
        tapes.see(tensor)
        tapes.see(tensor)
    assert search.looks == 1


def test_once_a_tape_is_looked_at_it_is_until_it_is_closed(tapes: OpenTapes, ration: Ration) -> None:
    with recording(tapes):
        ration.allowed = False
        assert tapes.may_look()
    with recording(tapes):
        assert not tapes.may_look()
        ration.allowed = True
        assert tapes.may_look()
