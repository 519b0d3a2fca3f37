"""Control groups: which groups are used, and what is written and read; and real ones, where this machine has them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from grader.execution.sandbox.cgroups import (
    Counters,
    Delegation,
    GroupFiles,
    GroupLimits,
    SandboxGroup,
    find_delegation,
)
from tests.support.cgroupfs import FakeGroups

_MIB = 1 << 20
_LIMITS = GroupLimits(memory_bytes=256 * _MIB, processes=500, cores=1)


def found(groups: FakeGroups, *, take: bool = True) -> Delegation | str:
    return find_delegation(groups, mounts=groups.mounts, own=groups.named, take=take)


def delegated(groups: FakeGroups) -> Delegation:
    delegation = found(groups)
    assert isinstance(delegation, Delegation)
    return delegation


def made(groups: FakeGroups) -> SandboxGroup:
    group = delegated(groups).new_group(_LIMITS)
    assert group is not None
    return group


def pids(folder: Path) -> list[str]:
    return (folder / "cgroup.procs").read_text().split()


@pytest.fixture
def groups(tmp_path: Path) -> FakeGroups:
    return FakeGroups(tmp_path / "groups")


# --- which groups are used -------------------------------------------------------------------------------------


def test_the_grader_moves_into_a_group_of_its_own_and_turns_the_controllers_on(groups: FakeGroups) -> None:
    assert delegated(groups).folder == groups.top
    assert pids(groups.top) == []
    assert pids(groups.top / "grader") == [str(os.getpid())]
    assert set((groups.top / "cgroup.subtree_control").read_text().split()) == {"cpu", "memory", "pids"}


def test_a_later_grader_starts_in_the_group_of_the_first_and_uses_the_one_above(groups: FakeGroups) -> None:
    delegated(groups)
    groups.named.write_text("0::/grader\n")
    assert delegated(groups).folder == groups.top


def test_the_machines_own_group_may_keep_its_processes(groups: FakeGroups) -> None:
    (groups.top / "cgroup.type").unlink()
    (groups.top / "cgroup.procs").write_text("")  # the imitation is stricter than the kernel here
    assert delegated(groups).folder == groups.top
    assert not (groups.top / "grader").exists()


def test_looking_changes_nothing(groups: FakeGroups) -> None:
    assert isinstance(found(groups, take=False), Delegation)
    assert pids(groups.top) == [str(os.getpid())]
    assert (groups.top / "cgroup.subtree_control").read_text() == ""


@pytest.mark.parametrize("name", ["/user.slice/run-r12.scope", "/course"])
def test_a_group_that_has_only_this_grader_is_used(name: str, tmp_path: Path) -> None:
    groups = FakeGroups(tmp_path / "groups", own=name)
    assert delegated(groups).folder == groups.folder


def test_a_group_that_systemd_marked_as_delegated_is_used_with_all_its_processes(tmp_path: Path) -> None:
    groups = FakeGroups(tmp_path / "groups", own="/cluster.service", marked=frozenset({"/cluster.service"}))
    (groups.folder / "cgroup.procs").write_text(f"1\n{os.getpid()}\n")
    delegated(groups)
    assert sorted(pids(groups.folder / "grader")) == sorted(["1", str(os.getpid())])


@pytest.mark.parametrize(
    ("name", "reason"),
    [("/session-4.scope", "is not delegated"), ("/course", "other programs are in the control group")],
)
def test_groups_of_others_are_left_alone(name: str, reason: str, tmp_path: Path) -> None:
    groups = FakeGroups(tmp_path / "groups", own=name)
    # A living child would be no stranger.
    with subprocess.Popen([sys.executable, "-c", "pass"]) as stranger:
        stranger.wait()
    (groups.folder / "cgroup.procs").write_text(f"{stranger.pid}\n")
    answer = found(groups)
    assert isinstance(answer, str)
    assert reason in answer
    assert not (groups.folder / "grader").exists()


def test_a_read_only_group_and_missing_controllers_are_reasons(tmp_path: Path) -> None:
    closed = FakeGroups(tmp_path / "groups", own="/box", closed=frozenset({"/box"}))
    assert str(found(closed)).endswith("is read-only")
    (closed.folder / "cgroup.controllers").write_text("hugetlb memory\n")
    assert str(found(closed)).endswith("has no controller pids, cpu")
    with closed.mounts.open("a") as mounts:
        mounts.write("33 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n")
    assert str(found(closed)).endswith("has no controller pids, cpu, as version 1 has it")


@pytest.mark.parametrize(
    ("mounts", "own", "reason"),
    [
        ("", "0::/\n", "no control groups of version 2"),
        ("33 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n", "1:cpu:/\n", "it has only version 1"),
        ("41 31 0:38 /box /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "0::/other\n", "not visible here"),
    ],
)
def test_a_machine_without_usable_groups_is_a_reason(mounts: str, own: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "mounts").write_text(mounts)
    (tmp_path / "own").write_text(own)
    assert reason in str(find_delegation(mounts=tmp_path / "mounts", own=tmp_path / "own"))


def test_missing_files_are_a_reason(tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    assert find_delegation(mounts=absent, own=absent) == "the control groups of this process cannot be read"
    (tmp_path / "mounts").write_text(f"41 31 0:38 / {absent} rw,relatime - cgroup2 cgroup2 rw\n")
    (tmp_path / "own").write_text("0::/box\n")
    reason = find_delegation(mounts=tmp_path / "mounts", own=tmp_path / "own")
    assert reason == f"the control group {absent}/box cannot be used (No such file or directory)"


def test_a_group_below_another_mount_is_found(tmp_path: Path) -> None:
    groups = FakeGroups(tmp_path / "groups")
    groups.mounts.write_text(f"41 31 0:38 /docker/abc {groups.top} rw - cgroup2 cgroup2 rw\n")
    groups.named.write_text("0::/docker/abc\n")
    assert delegated(groups).folder == groups.top


# --- the group of a sandbox ------------------------------------------------------------------------------------


def test_a_sandbox_gets_a_group_with_limits(groups: FakeGroups) -> None:
    group = made(groups)
    values = {name: (group.folder / name).read_text().strip() for name in ("pids.max", "cpu.weight", "cpu.max")}
    assert values == {"pids.max": "516", "cpu.weight": "100", "cpu.max": "100000 100000"}
    # The folders in memory do not count against the budget.
    assert int((group.folder / "memory.max").read_text()) == (256 + 3 * 512 + 64) * _MIB
    assert (group.folder / "memory.oom.group").read_text() == "1\n"
    assert not group.in_use


def test_without_limits_of_memory_and_processes_there_is_no_group(tmp_path: Path) -> None:
    groups = FakeGroups(tmp_path / "groups", missing=frozenset({"memory.max"}))
    delegation = delegated(groups)
    assert delegation.new_group(_LIMITS) is None
    assert [one.name for one in groups.top.iterdir() if one.is_dir()] == ["grader"]


def test_files_that_an_older_linux_lacks_do_not_matter(tmp_path: Path) -> None:
    missing = frozenset({"memory.oom.group", "cgroup.kill", "memory.peak", "memory.events.local", "cpu.max"})
    group = made(FakeGroups(tmp_path / "groups", missing=missing))
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert group.add(process.pid)
        assert group.in_use
        assert group.counters() == Counters(cpu_seconds=0.0)
        group.kill()
        assert process.wait() == -9


def test_the_memory_of_a_group_leaves_out_what_linux_takes_back(groups: FakeGroups) -> None:
    group = made(groups)
    (group.folder / "memory.current").write_text("1000\n")
    (group.folder / "memory.stat").write_text("anon 500\nactive_file 100\ninactive_file 200\nslab_reclaimable 50\n")
    assert group.memory_bytes() == 650


@pytest.mark.parametrize(
    ("own", "all_below", "counters"),
    [
        ("oom 0\noom_kill 0\n", "oom 0\noom_kill 0\n", Counters(cpu_seconds=2.5)),
        ("oom 3\noom_kill 1\n", "oom 3\noom_kill 1\n", Counters(out_of_memory=True, cpu_seconds=2.5)),
        ("oom 0\noom_kill 1\n", "oom 0\noom_kill 1\n", Counters(machine_out_of_memory=True, cpu_seconds=2.5)),
        ("oom 3\noom_kill 0\n", "oom 3\noom_kill 0\n", Counters(cpu_seconds=2.5)),
    ],
)
def test_the_counters_tell_whose_memory_ran_out(own: str, all_below: str, counters: Counters, tmp_path: Path) -> None:
    group = made(FakeGroups(tmp_path / "groups", missing=frozenset({"memory.peak"})))
    (group.folder / "memory.events.local").write_text(own)
    (group.folder / "memory.events").write_text(all_below)
    (group.folder / "cpu.stat").write_text("usage_usec 2500000\nuser_usec 1\n")
    assert group.counters() == counters


def test_a_group_is_removed_with_its_processes_and_the_groups_below_it(groups: FakeGroups) -> None:
    group = made(groups)
    group.add(4_000_000)
    groups.make(group.folder / "inner")
    assert group.remove()
    assert groups.killed == [group.folder]
    assert not group.folder.exists()
    assert group.remove()  # once more does no harm
    assert group.memory_bytes() is None
    assert group.counters() == Counters()


def test_groups_of_killed_graders_are_removed_and_those_of_living_ones_stay(groups: FakeGroups) -> None:
    living = made(groups)
    left = groups.top / "grader-sandbox-0123456789ab"
    groups.make(left)
    groups.write(left / "cgroup.procs", "4000000")
    assert delegated(groups).sweep() == 1
    assert not left.exists()
    assert living.folder.exists()
    assert living.remove()


def test_a_command_runs_even_if_its_group_is_gone(groups: FakeGroups) -> None:
    group = made(groups)
    group.remove()
    done = subprocess.run(group.command(["/bin/echo", "$0 'kept'"]), capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("$0 'kept'\n", "")


# --- real groups -----------------------------------------------------------------------------------------------


@pytest.fixture
def real() -> Iterator[Callable[[GroupLimits], SandboxGroup]]:
    """Make groups of this machine."""
    delegation = find_delegation()
    if isinstance(delegation, str):
        pytest.skip(delegation)
    groups: list[SandboxGroup] = []

    def make(limits: GroupLimits) -> SandboxGroup:
        group = delegation.new_group(limits)
        assert group is not None
        groups.append(group)
        return group

    yield make
    assert all(group.remove() for group in groups)


def run_in(group: SandboxGroup, code: str) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(group.command([sys.executable, "-c", code]), stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


@pytest.mark.slow
def test_linux_counts_and_ends_a_program(real: Callable[[GroupLimits], SandboxGroup]) -> None:
    group = real(_LIMITS)
    with run_in(group, "held = bytearray(64 << 20); print(flush=True); input()") as process:
        assert group.in_use
        size = group.memory_bytes()
        assert size is not None
        assert 64 * _MIB < size < 128 * _MIB
        assert (group.counters().cpu_seconds or 0) > 0
        group.kill()
        assert process.wait() == -9
    assert group.remove()
    assert not group.folder.exists()


@pytest.mark.slow
def test_linux_ends_a_program_over_its_memory_and_says_so(real: Callable[[GroupLimits], SandboxGroup]) -> None:
    group = real(GroupLimits(memory_bytes=16 * _MIB, processes=50))
    GroupFiles().write(group.folder / "memory.max", str(64 * _MIB))
    with run_in(group, "held = bytearray(256 << 20); print(flush=True)") as process:
        assert process.wait() == -9
    assert group.counters().out_of_memory
    assert not group.counters().machine_out_of_memory


@pytest.mark.slow
def test_linux_refuses_processes_over_the_limit(real: Callable[[GroupLimits], SandboxGroup]) -> None:
    group = real(GroupLimits(memory_bytes=None, processes=4))
    code = """
import os, time
for _ in range(40):
    try:
        if os.fork() == 0: os.setsid(); time.sleep(60)
    except OSError: break
print(flush=True); time.sleep(60)
"""
    with run_in(group, code) as process:
        assert group.counters().refused_processes > 0
        group.kill()
        assert process.wait() == -9


@pytest.mark.slow
def test_groups_share_the_processors_whatever_the_number_of_sessions(
    real: Callable[[GroupLimits], SandboxGroup],
) -> None:
    spinning = "import os\nfor _ in range({0}):\n  if os.fork() == 0:\n    os.setsid()\n    break\nprint(flush=True)\n"
    many, one = real(GroupLimits(None, 100)), real(GroupLimits(None, 100))
    core = min(os.sched_getaffinity(0))
    with ExitStack() as running:
        for group, forks in ((many, 40), (one, 0)):
            code = f"import os; os.sched_setaffinity(0, [{core}])\n{spinning.format(forks)}\nwhile True: pass"
            running.enter_context(run_in(group, code))
            running.callback(group.kill)
        before = [group.counters().cpu_seconds or 0.0 for group in (many, one)]
        time.sleep(3)
        used = [(group.counters().cpu_seconds or 0.0) - start for group, start in zip((many, one), before, strict=True)]
    assert used[1] / sum(used) > 0.4
