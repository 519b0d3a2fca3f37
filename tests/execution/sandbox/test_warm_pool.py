"""The pool of warm processes: when they start, how often they fail, and how they end; the processes are imitated."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from grader.execution.sandbox import warm
from grader.execution.sandbox.bubblewrap import Bubblewrap
from grader.execution.sandbox.device import Device
from grader.execution.sandbox.unprotected import NoIsolation
from grader.execution.sandbox.warm import Program, WarmPool, WarmRefusedError
from grader.execution.warming import WarmStart
from tests.support.waiting import DEADLOCK_SECONDS


class Imitated:
    """A warm process whose start waits until a test allows it."""

    def __init__(self, program: Program, seconds: float, beginning: Any) -> None:
        del seconds, beginning
        self.program, self.alive, self.busy = program, True, False
        MADE.append(self)
        BEGUN.release()
        assert MAY_START.wait(DEADLOCK_SECONDS)
        if FAILING:
            raise OSError(FAILING[0])

    def start(self, program: Program) -> Any:
        return program.module

    def close(self) -> None:
        self.alive = False


MADE: list[Imitated] = []
FAILING: list[str] = []
BEGUN = threading.Semaphore(0)
MAY_START = threading.Event()


@pytest.fixture(autouse=True)
def imitated(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(warm, "_Parent", Imitated)
    MAY_START.set()
    yield
    MADE.clear()
    FAILING.clear()
    while BEGUN.acquire(blocking=False):
        pass


def start_of(seed: int = 7, *, predicts: bool = True) -> WarmStart:
    return WarmStart(Bubblewrap(), Path("/usr/bin/python3"), "keras3", Device("cpu"), 1, seed, predicts)


def programs(*starts: WarmStart) -> list[Program]:
    """The programs that some starts prepare."""
    gathered: list[Program] = []

    class Pool(WarmPool):
        def prepare(self, program: Program) -> None:
            gathered.append(program)

        def prepare_next(self, program: Program) -> None:
            gathered.append(program)

    with Pool() as pool:
        for one in starts:
            one.begin(pool)
    return gathered


def test_the_kernel_imports_at_once_and_the_predictor_when_the_first_process_is_needed() -> None:
    MAY_START.clear()
    kernel, predictor = programs(start_of())
    with WarmPool() as pool, ThreadPoolExecutor() as threads:
        start_of().begin(pool)
        assert BEGUN.acquire(timeout=DEADLOCK_SECONDS)
        assert [one.program.module for one in MADE] == ["inside.kernel"]
        needed = threads.submit(pool.start, kernel)
        # It does not wait for the kernel.
        assert BEGUN.acquire(timeout=DEADLOCK_SECONDS)
        assert [one.program.module for one in MADE] == ["inside.kernel", "inside.predictor"]
        assert not needed.done()
        MAY_START.set()
        started: list[Any] = [needed.result(), pool.start(predictor), pool.start(kernel)]
        assert started == ["inside.kernel", "inside.predictor", "inside.kernel"]
    assert len(MADE) == 2
    assert not any(one.alive for one in MADE)


def test_a_predictor_that_is_needed_first_starts_once() -> None:
    _, predictor = programs(start_of())
    with WarmPool() as pool:
        pool.prepare_next(predictor)
        pool.ready(predictor)
    assert len(MADE) == 1


def test_without_predictions_no_predictor_starts() -> None:
    assert [one.module for one in programs(start_of(predicts=False))] == ["inside.kernel"]


def test_a_start_that_failed_is_told_when_it_is_needed_and_tried_three_times() -> None:
    FAILING.append("no room")
    told: list[str] = []
    (kernel,) = programs(start_of(predicts=False))
    with WarmPool(on_failure=told.append) as pool:
        pool.prepare(kernel)
        assert told == []
        for _ in range(4):
            with pytest.raises(WarmRefusedError):
                pool.ready(kernel)
        assert told == ["the warm process did not start: no room", "the warm process failed 3 times"]
    assert len(MADE) == 3


def test_a_warm_process_that_ended_is_replaced() -> None:
    (kernel,) = programs(start_of(predicts=False))
    with WarmPool() as pool:
        pool.ready(kernel)
        MADE[0].alive = False
        pool.ready(kernel)
    assert len(MADE) == 2


def test_the_one_idle_for_longest_makes_room() -> None:
    first, second, third = programs(*(start_of(seed, predicts=False) for seed in (1, 2, 3)))
    with WarmPool(most=2) as pool:
        for program in (first, second, first, third):
            pool.ready(program)
        assert [one.alive for one in MADE] == [True, False, True]
        MADE[0].busy = MADE[2].busy = True
        with pytest.raises(WarmRefusedError, match="all 2 warm processes are in use"):
            pool.ready(second)


@pytest.mark.parametrize("ask", [WarmPool.ready, WarmPool.start])
def test_an_isolation_without_forks_is_refused_and_preparing_for_it_does_nothing(
    ask: Callable[[WarmPool, Program], Any],
) -> None:
    cold = WarmStart(NoIsolation(), Path("/usr/bin/python3"), "keras3", Device("cpu"), 1, 7, predicts=True)
    kernel, _ = programs(cold)
    with WarmPool() as pool:
        cold.begin(pool)
        with pytest.raises(WarmRefusedError, match="no warm start"):
            ask(pool, kernel)
    assert MADE == []


def test_a_closed_pool_starts_nothing() -> None:
    (kernel,) = programs(start_of(predicts=False))
    with WarmPool() as pool:
        pass
    with pytest.raises(WarmRefusedError, match="were ended"):
        pool.ready(kernel)
    assert MADE == []
