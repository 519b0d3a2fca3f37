"""A sandbox stays on its share of the machine; whatever is not possible on a machine is left out."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from grader.execution.sandbox.cgroups import Delegation, find_delegation
from grader.execution.sandbox.confinement import Confinement, confine, reserve_cores
from grader.execution.sandbox.isolation import ProcessLimits
from grader.execution.sandbox.processes import end_tree, start
from grader.execution.sandbox.unprotected import NoIsolation
from grader.execution.sandbox.watchdog import Budget, Watchdog
from tests.support.cgroupfs import FakeGroups
from tests.support.says import says
from tests.support.waiting import until

_CORES = len(os.sched_getaffinity(0))
_LIMITS = ProcessLimits(memory_bytes=64 << 20, cores=1)
_several_cores = pytest.mark.skipif(_CORES < 2, reason="one core cannot be shared out")


@pytest.fixture
def groups(tmp_path: Path) -> FakeGroups:
    return FakeGroups(tmp_path / "groups")


def confined(groups: FakeGroups) -> Confinement:
    return confine(_LIMITS, "bubblewrap", lambda: find_delegation(groups, mounts=groups.mounts, own=groups.named))


def test_without_control_groups_the_limits_are_polled() -> None:
    confinement = confine(ProcessLimits(), "bubblewrap", lambda: "this machine has none")
    assert confinement.enforcement == "polled"
    assert confinement.command(["true"]) == ["true"]
    assert confinement.cores is None
    confinement.kill()
    confinement.release()


def test_a_container_keeps_the_limits_of_its_engine(groups: FakeGroups) -> None:
    found = find_delegation(groups, mounts=groups.mounts, own=groups.named)
    confinement = confine(_LIMITS, "container", lambda: found)
    assert (confinement.group, confinement.cores) == (None, None)


def test_a_group_counts_as_used_only_with_a_process_in_it(groups: FakeGroups) -> None:
    confinement = confined(groups)
    assert confinement.group is not None
    folder = confinement.group.folder
    before = confinement.enforcement
    confinement.adopt(4_000_000)
    assert (before, confinement.enforcement) == ("polled", "cgroup")
    confinement.release()
    assert not folder.exists()
    assert isinstance(found := find_delegation(groups, mounts=groups.mounts, own=groups.named), Delegation)
    assert found.sweep() == 0


@_several_cores
def test_two_sandboxes_get_different_cores_and_a_third_shares_one(monkeypatch: pytest.MonkeyPatch) -> None:
    # Other graders of this user may reserve and release cores at any moment.
    monkeypatch.setattr("os.geteuid", lambda: (1 << 32) + os.getpid())
    taken = [reserve_cores(1) for _ in range(_CORES + 1)]
    try:
        cores = [one for one, _ in taken if one is not None]
        assert [len(one) for one in cores] == [1] * (_CORES + 1)
        own = [held for _, held in taken if held]
        assert len(own) == _CORES
        assert frozenset().union(*cores[:_CORES]) == os.sched_getaffinity(0)
        assert taken[-1][1] == []
    finally:
        for _, held in taken:
            for one in held:
                one.close()


def test_all_cores_need_no_reservation() -> None:
    assert reserve_cores(None) == (None, [])
    assert reserve_cores(_CORES) == (None, [])


@_several_cores
def test_a_started_program_and_an_adopted_one_run_on_the_sandboxs_cores(tmp_path: Path) -> None:
    confinement = confine(_LIMITS, "bubblewrap", lambda: "none")
    assert confinement.cores is not None
    before = os.sched_getaffinity(0)
    code = "import os; print(*os.sched_getaffinity(0))"
    process = start([sys.executable, "-c", code], tmp_path / "log", str(tmp_path), confinement)
    process.wait()
    assert (tmp_path / "log").read_text().split() == [str(one) for one in confinement.cores]
    assert os.sched_getaffinity(0) == before
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as adopted:
        confinement.adopt(adopted.pid)
        assert os.sched_getaffinity(adopted.pid) == confinement.cores
    confinement.release()


@_several_cores
def test_a_program_that_leaves_its_cores_is_moved_back() -> None:
    confinement = confine(_LIMITS, "bubblewrap", lambda: "none")
    code = """
import os, threading, time
os.sched_setaffinity(0, range(os.cpu_count()))
threading.Thread(target=time.sleep, args=(600,)).start()
print(flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        confinement.hold([process.pid, 4_000_000])
        threads = [int(one.name) for one in Path(f"/proc/{process.pid}/task").iterdir()]
        assert len(threads) == 2
        assert {frozenset(os.sched_getaffinity(one)) for one in threads} == {confinement.cores}
        process.kill()
    confinement.release()


@pytest.mark.parametrize(
    ("events", "template"),
    [("oom 1\noom_kill 1\n", "it used more than {limit:size} of memory"), ("oom 0\noom_kill 1\n", "")],
)
def test_linux_decides_whose_fault_the_end_of_a_program_was(
    events: str, template: str, groups: FakeGroups, tmp_path: Path
) -> None:
    confinement = confined(groups)
    assert confinement.group is not None
    process = start([sys.executable, "-c", "pass"], tmp_path / "log", str(tmp_path), confinement)
    watchdog = Watchdog(process, Budget(memory_bytes=64 << 20), lambda: None)
    process.wait()
    for name in ("memory.events", "memory.events.local"):
        (confinement.group.folder / name).write_text(events)
    (confinement.group.folder / "memory.peak").write_text(f"{200 << 20}\n")
    verdict = watchdog.conclude()
    if template:
        assert verdict is not None
        assert says(verdict, template, limit=64 << 20)
        assert watchdog.peak_mib == 200
    else:
        assert verdict is None
        assert "this machine ran out of memory" in watchdog.fault
    confinement.release()


def test_a_program_that_linux_refused_processes_is_over_budget(groups: FakeGroups, tmp_path: Path) -> None:
    confinement = confined(groups)
    assert confinement.group is not None
    (confinement.group.folder / "pids.events").write_text("max 7\n")
    process = start(
        [sys.executable, "-c", "import time; time.sleep(600)"], tmp_path / "log", str(tmp_path), confinement
    )
    watchdog = Watchdog(process, Budget(memory_bytes=1 << 40), process.kill)
    watchdog.start()
    process.wait()
    watchdog.stop()
    assert watchdog.verdict is not None
    assert says(watchdog.verdict, "it started too many processes and threads")
    confinement.release()


def test_the_processes_of_a_group_count_even_outside_of_the_process_tree(groups: FakeGroups, tmp_path: Path) -> None:
    confinement = confined(groups)
    assert confinement.group is not None
    code = "import time; print('begun', flush=True); time.sleep(600)"
    process = start([sys.executable, "-c", code], tmp_path / "log", str(tmp_path), confinement)
    watchdog = Watchdog(process, Budget(memory_bytes=1 << 40, processes=3), process.kill)
    # Its shell empties the imitated `cgroup.procs` when it enters the group; Linux keeps the other processes.
    assert until(lambda: "begun" in (tmp_path / "log").read_text())
    for pid in range(4_000_000, 4_000_004):
        confinement.adopt(pid)
    watchdog.start()
    process.wait()
    watchdog.stop()
    assert watchdog.verdict is not None
    assert says(watchdog.verdict, "it started more than {limit:number} processes", limit=3)
    confinement.release()


def test_ending_a_sandbox_kills_its_whole_group(groups: FakeGroups, tmp_path: Path) -> None:
    confinement = confined(groups)
    assert confinement.group is not None
    process = start(
        [sys.executable, "-c", "import time; time.sleep(600)"], tmp_path / "log", str(tmp_path), confinement
    )
    end_tree(process, NoIsolation(), str(tmp_path))
    assert groups.killed[0] == confinement.group.folder
    confinement.release()
