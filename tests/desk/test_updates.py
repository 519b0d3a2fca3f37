"""Pages are made again after a pause, when asked, and at the end; a failure is shown and tried again."""

from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from grader.desk.guard import Visitor
from grader.desk.state import Desk, Draft
from grader.desk.updates import Rejudger, Updates, UpdateState
from grader.schema.errors import UsageError
from tests.support.waiting import DEADLOCK_SECONDS

LONG = DEADLOCK_SECONDS


class Runs:
    """Remembers the submissions of each call."""

    def __init__(self, fails: int = 0) -> None:
        self.calls: list[frozenset[str]] = []
        self.called = Event()
        self.fails = fails

    def __call__(self, submissions: frozenset[str]) -> None:
        self.calls.append(submissions)
        self.called.set()
        if len(self.calls) <= self.fails:
            msg = "another grader works here"
            raise UsageError(msg)


def test_the_pages_are_made_after_a_pause() -> None:
    runs = Runs()
    updates = Updates(runs, quiet=0.01)
    updates.start()
    updates.note(["ada", "ben"])
    assert runs.called.wait(LONG)
    assert updates.finish().waiting == 0
    assert frozenset().union(*runs.calls) == {"ada", "ben"}


def test_before_the_pause_is_over_they_are_made_when_asked() -> None:
    runs = Runs()
    updates = Updates(runs, quiet=1e6)
    updates.start()
    updates.note(["ada"])
    assert updates.state().waiting == 1
    updates.ask()
    assert runs.called.wait(LONG)
    updates.finish()
    assert runs.calls == [frozenset({"ada"})]


def test_all_pages_are_made_before_it_goes_on() -> None:
    runs = Runs(fails=1)
    updates = Updates(runs, quiet=1e6)
    updates.start()
    assert updates.settle(LONG).waiting == 0
    updates.note(["ada"])
    failed = updates.settle(LONG)
    assert (failed.waiting, failed.problem) == (1, "another grader works here")
    assert updates.settle(LONG) == UpdateState(waiting=0, running=False)
    assert [sorted(call) for call in runs.calls] == [["ada"], ["ada"]]
    updates.finish()


def test_the_wait_for_pages_ends() -> None:
    go_on = Event()

    def wait(_submissions: frozenset[str]) -> None:
        go_on.wait(LONG)

    updates = Updates(wait, quiet=1e6)
    updates.start()
    updates.note(["ada"])
    state = updates.settle(0.05)
    go_on.set()
    assert state.waiting or state.running
    assert updates.settle(LONG) == UpdateState(waiting=0, running=False)
    updates.finish()


def test_the_rest_is_made_at_the_end() -> None:
    runs, closed = Runs(), Event()
    updates = Updates(runs, quiet=1e6, close=closed.set)
    updates.start()
    updates.note(["ada"])
    assert updates.finish().waiting == 0
    assert runs.calls == [frozenset({"ada"})]
    assert closed.is_set()


def test_nothing_is_made_if_nothing_waits() -> None:
    runs = Runs()
    updates = Updates(runs, quiet=0.01)
    updates.start()
    updates.ask()
    assert updates.finish().waiting == 0
    assert runs.calls == []


def test_a_failure_is_shown_and_the_pages_wait() -> None:
    runs = Runs(fails=1)
    updates = Updates(runs, quiet=0.01)
    updates.note(["ada"])
    updates._update()
    state = updates.state()
    assert (state.waiting, state.running) == (1, False)
    assert "another grader" in state.problem
    assert updates.finish().problem == ""
    assert runs.calls == [frozenset({"ada"})] * 2


@pytest.mark.slow
def test_another_process_makes_grades_and_pages(desk: Desk, mara: Visitor) -> None:
    rejudger = Rejudger(desk.out, lambda: desk.course)
    try:
        for points in (3.0, 5.0):
            (one,) = desk.record(mara, [Draft("ada", "points", "critique", points=points)])
            assert desk.outdated() == ("ada",)
            rejudger(frozenset({one.submission}))
            assert desk.outdated() == ()
            stored = desk.out.read_grade("ada")
            assert stored is not None
            assert stored.score == 4 + points
            assert "Mara judged this" in desk.out.report_path("ada").read_text(encoding="utf-8")
    finally:
        rejudger.close()


@pytest.mark.slow
def test_a_changed_rubric_is_never_applied_on_the_way(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "essays.yaml"
    path.write_bytes(desk.course.loaded.path.read_bytes() + b"# changed\n")
    changed = replace(desk.course, loaded=replace(desk.course.loaded, path=path))
    rejudger = Rejudger(desk.out, lambda: changed)
    try:
        with pytest.raises(UsageError, match="rubric has changed"):
            rejudger(frozenset({"ada"}))
    finally:
        rejudger.close()
