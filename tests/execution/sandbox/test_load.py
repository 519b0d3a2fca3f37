"""The CPU time that a sandbox got, and whether other programs took too much of it."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from grader.execution.sandbox.load import CpuMeter, Load, pressure_total


def load(own: float, waited: float, others: float, *, seconds: float = 100.0, cores: int = 2) -> Load:
    return Load(seconds, cores, cpu_seconds=own, waited_seconds=waited, others_seconds=others)


STARVED = {
    "two busy threads next to two busy programs": load(100, 100, 100),
    "one busy thread that shares each core with two others": load(34, 66, 166),
    "one core, and another program on it": load(50, 50, 50, cores=1),
}
NOT_STARVED = {
    "it sleeps on an idle machine": load(0.5, 0, 1),
    "it sleeps on a busy machine": load(0.5, 0.5, 195),
    "one busy thread, and another program on the other core": load(99, 1, 100),
    "many busy threads on an idle machine wait for themselves": load(195, 600, 3),
    "two busy threads, and a program with little work": load(185, 15, 14),
    "it used all the cores that it was promised": load(100, 100, 100, cores=1),
    "nothing is known": Load(100.0, 2),
    "its processes cannot be seen": Load(100.0, 2, pressure=0.9),
}


@pytest.mark.parametrize("case", STARVED)
def test_a_sandbox_is_starved(case: str) -> None:
    assert STARVED[case].starved
    assert STARVED[case].fair_seconds == pytest.approx(100 * (STARVED[case].share or 0))


@pytest.mark.parametrize("case", NOT_STARVED)
def test_a_sandbox_is_not_starved(case: str) -> None:
    assert not NOT_STARVED[case].starved
    assert NOT_STARVED[case].fair_seconds == 100


def test_the_meter_counts_a_process_and_its_ended_children() -> None:
    work = "x = 0\nfor i in range(10**7): x += i\n"
    child = (
        f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {work!r}])\nprint('ready', flush=True)\ninput()"
    )
    meter = CpuMeter(2)
    with subprocess.Popen([sys.executable, "-c", child], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        member = psutil.Process(process.pid)
        meter.sample([member])
        times = member.cpu_times()
        process.communicate(b"\n")
    found = meter.load()
    assert found.cpu_seconds == pytest.approx(times.children_user + times.children_system, abs=1.0)
    assert found.cpu_seconds
    assert found.share is not None
    meter.restart()
    assert meter.load().cpu_seconds == 0


def test_a_meter_that_sees_nothing_knows_nothing() -> None:
    found = CpuMeter(2, visible=False).load()
    assert (found.cpu_seconds, found.share, found.starved) == (None, None, False)


def test_the_pressure_is_read_in_seconds(tmp_path: Path) -> None:
    file = tmp_path / "cpu"
    assert pressure_total(file) is None
    file.write_text("some avg10=9.43 avg60=37.33 avg300=18.26 total=5765727\nfull avg10=0.00 total=0\n")
    assert pressure_total(file) == pytest.approx(5.765727)
    file.write_text("none\n")
    assert pressure_total(file) is None
