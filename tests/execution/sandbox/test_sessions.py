"""The sessions of one sandbox share the processors as one session would."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from grader.execution.sandbox.sessions import priority_of, share_out
from grader.execution.sandbox.watchdog import tree

_WEIGHTS = {0: 1024, 5: 335, 10: 110, 15: 36, 19: 15}
"""Linux's weights of priorities (`sched_prio_to_weight`)."""


@pytest.mark.parametrize(("sessions", "priority"), [(0, 0), (1, 0), (3, 5), (9, 10), (28, 15), (70, 19), (5000, 19)])
def test_all_sessions_together_weigh_about_as_much_as_one(sessions: int, priority: int) -> None:
    assert priority_of(sessions) == priority
    if 0 < sessions <= 70:
        assert 0.8 < sessions * _WEIGHTS[priority] / _WEIGHTS[0] < 1.2


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this machine has no groups for sessions")
def test_a_program_with_many_sessions_gets_a_low_priority_for_each() -> None:
    code = """
import os, time
reading, writing = os.pipe()
for _ in range(8):
    if os.fork() == 0:
        os.setsid(); os.write(writing, b"x"); break
else:
    for _ in range(8): os.read(reading, 1)
    print(flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        members = tree(process)
        grouped = bool(Path(f"/proc/{process.pid}/autogroup").read_text())
        share_out(members)
        groups = {Path(f"/proc/{one.pid}/autogroup").read_text().strip().partition(" nice ") for one in members}
        for one in members:
            one.kill()
    if not grouped:
        pytest.skip("new sessions get no group on this machine")
    assert len(groups) == 9
    assert {priority for _, _, priority in groups} == {str(priority_of(7))}


@pytest.mark.parametrize(
    ("before", "after"), [("", ""), ("/autogroup-7 nice 5\n", "0"), ("/autogroup-7 nice 0\n", "/autogroup-7 nice 0\n")]
)
def test_a_session_without_a_group_is_left_alone(before: str, after: str, tmp_path: Path) -> None:
    group = tmp_path / str(os.getpid()) / "autogroup"
    group.parent.mkdir()
    group.write_text(before)
    share_out([psutil.Process()], proc=tmp_path)
    assert group.read_text() == after
