"""The time limit of a sandboxed program on a busy machine."""

import subprocess
from typing import Any, cast

import pytest

from grader.execution.sandbox.load import Load
from grader.execution.sandbox.processes import _ends_in_time


class Clock:
    """A program and its watchdog on a made-up clock: it got a part of the core that it could use."""

    def __init__(self, needs: float, share: float) -> None:
        self.needs = needs
        self.share = share
        self.now = 0.0

    def wait(self, timeout: float) -> int:
        if self.now + timeout >= self.needs:
            self.now = max(self.now, self.needs)
            return 0
        self.now += timeout
        command = "program"
        raise subprocess.TimeoutExpired(command, timeout)

    def measure_load(self) -> Load:
        cpu = self.now * self.share
        return Load(self.now, 1, cpu_seconds=cpu, waited_seconds=self.now - cpu, others_seconds=self.now - cpu)


@pytest.mark.parametrize(
    ("needs", "share", "in_time", "waited"),
    [
        (9.0, 1.0, True, 9.0),
        (11.0, 1.0, False, 10.0),
        (11.0, 0.9, False, 10.0),
        (18.0, 0.5, True, 18.0),
        (30.0, 0.5, False, 19.5),
        (49.0, 0.1, True, 49.0),
        (99.0, 0.1, False, 50.0),
    ],
)
def test_time_that_other_programs_took_does_not_count_up_to_a_limit(
    needs: float, share: float, in_time: object, waited: float
) -> None:
    clock: Any = Clock(needs, share)
    assert _ends_in_time(cast("Any", clock), clock, 10.0) is in_time
    assert clock.now == pytest.approx(waited, abs=0.6)
