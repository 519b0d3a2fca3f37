"""Division of a machine among notebooks; the machines and their GPUs are simulated."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.execution.sandbox.capacity import (
    DeviceSlots,
    Machine,
    divide,
    free_memory,
    gpu_slots,
    look_at_machine,
    time_factor,
)
from grader.execution.sandbox.device import Device
from grader.execution.sandbox.gpus import Gpu
from tests.support.waiting import DEADLOCK_SECONDS

GIB = 1 << 30
CPU = Device("cpu")
TWO_GPUS = (Device("gpu", 0, "A100"), Device("gpu", 1, "A100"))


def test_by_itself_a_machine_uses_every_core_for_a_notebook_of_its_own() -> None:
    share = divide(Machine(16, 128 * GIB), None, memory_each=6 * GIB)
    assert (share.jobs, share.threads, share.devices, share.notices) == (16, 1, (CPU,) * 16, ())
    assert divide(Machine(1, 64 * GIB), None, memory_each=6 * GIB).jobs == 1


def test_as_many_as_were_asked_for_share_the_cores() -> None:
    share = divide(Machine(16, 64 * GIB), 5, memory_each=6 * GIB)
    assert (share.jobs, share.threads, share.notices) == (5, 3, ())


@pytest.mark.parametrize(
    ("kind", "threads", "cores", "factor"),
    [("cpu", 1, 2, 2), ("cpu", 1, 16, 2), ("cpu", 2, 2, 1), ("cpu", 16, 16, 1), ("cpu", 1, 1, 1), ("gpu", 1, 2, 1)],
)
def test_a_notebook_that_gets_one_core_of_several_gets_twice_the_time(
    kind: Any, threads: int, cores: int, factor: float
) -> None:
    assert time_factor(Device(kind), threads, cores) == factor


def test_one_submission_gets_the_whole_machine() -> None:
    share = divide(Machine(16, 64 * GIB), 8, memory_each=6 * GIB, submissions=1)
    assert (share.jobs, share.threads, share.notices) == (1, 16, ())


def test_more_than_the_memory_holds_is_reduced_and_said() -> None:
    share = divide(Machine(16, 20 * GIB), 8, memory_each=6 * GIB)
    assert (share.jobs, share.threads) == (3, 5)
    (notice,) = share.notices
    assert notice.startswith("3 at the same time instead of 8: each notebook may use 6.0 GiB of memory (`run.memory`)")
    assert divide(Machine(16, 20 * GIB), None, memory_each=6 * GIB).notices == ()
    assert divide(Machine(16, int(18.6 * GIB)), 3, memory_each=6 * GIB, warm=True).jobs == 2


def test_a_machine_too_small_for_one_notebook_says_so_and_tries() -> None:
    share = divide(Machine(2, 4 * GIB), None, memory_each=6 * GIB)
    assert share.jobs == 1
    assert "may be killed by the machine, and is then not graded" in share.notices[0]


def test_each_gpu_takes_one_notebook_unless_more_are_asked_for() -> None:
    machine = Machine(16, 64 * GIB, TWO_GPUS)
    alone = divide(machine, None, memory_each=6 * GIB)
    assert (alone.jobs, alone.devices, alone.threads, alone.notices) == (2, TWO_GPUS, 8, ())
    shared = divide(machine, 3, memory_each=6 * GIB)
    first = replace(TWO_GPUS[0], shared=True)
    assert shared.devices == (first, TWO_GPUS[1], first)
    assert shared.notices[0].startswith("3 notebooks share 2 GPUs")


def a_gpu(slot: int, memory: int | None) -> Device:
    """Return a GPU with a memory in GiB."""
    return Device("gpu", slot, "T4", Gpu(slot, "T4", f"GPU-{slot}", slot, memory and memory * 1024))


def test_a_gpu_takes_a_notebook_for_each_four_gigabytes_of_its_memory() -> None:
    assert [gpu_slots(a_gpu(0, memory)) for memory in (None, 2, 4, 15, 80)] == [None, 1, 1, 3, 20]
    assert gpu_slots(CPU) is None


def test_jobs_that_would_not_fit_into_the_gpus_are_reduced_and_said() -> None:
    machine = Machine(16, 640 * GIB, (a_gpu(0, 15), a_gpu(1, 5)))
    share = divide(machine, 8, memory_each=6 * GIB)
    assert [device.slot for device in share.devices] == [0, 1, 0, 0]
    assert share.jobs == 4
    assert share.notices[0].startswith("4 at the same time instead of 8: 4 GiB of GPU memory are reserved")
    assert share.notices[1].startswith("4 notebooks share 2 GPUs")


def test_jobs_that_share_a_gpu_get_equal_parts_of_its_memory() -> None:
    share = divide(Machine(16, 640 * GIB, (a_gpu(0, 15), a_gpu(1, 5))), 3, memory_each=6 * GIB)
    assert [(device.limit_mib, device.shared) for device in share.devices] == [
        (7680, True),
        (None, False),
        (7680, True),
    ]


@given(memories=st.lists(st.none() | st.integers(1, 96), min_size=1, max_size=6), wanted=st.none() | st.integers(1, 99))
def test_no_gpu_takes_more_notebooks_than_its_memory_holds(memories: list[int | None], wanted: int | None) -> None:
    devices = tuple(a_gpu(slot, memory) for slot, memory in enumerate(memories))
    share = divide(Machine(64, 9999 * GIB, devices), wanted, memory_each=GIB)
    assert len(share.devices) == share.jobs >= 1
    for device in devices:
        slots = gpu_slots(device)
        jobs = sum(one.slot == device.slot for one in share.devices)
        assert slots is None or jobs <= slots


@given(
    cores=st.integers(1, 256),
    memory=st.integers(0, 2048),
    gpus=st.integers(0, 8),
    wanted=st.none() | st.integers(1, 500),
    each=st.integers(1, 64),
    submissions=st.none() | st.integers(0, 500),
)
def test_whatever_the_machine_somebody_works_and_nobody_takes_more_than_there_is(  # noqa: PLR0913, PLR0917 — drawn
    cores: int, memory: int, gpus: int, wanted: int | None, each: int, submissions: int | None
) -> None:
    devices = tuple(Device("gpu", slot) for slot in range(gpus)) or (CPU,)
    share = divide(Machine(cores, memory * GIB, devices), wanted, memory_each=each * GIB, submissions=submissions)
    assert share.jobs >= 1
    assert share.jobs == 1 or share.jobs * each < memory
    assert share.jobs <= (wanted or max(cores, gpus))
    assert share.threads >= 1
    assert share.threads == 1 or share.threads * share.jobs <= cores
    assert len(share.devices) == share.jobs
    slots = [device.slot for device in share.devices]
    uses = [slots.count(device.slot) for device in set(devices)]
    assert max(uses) - min(uses) <= 1


def test_a_device_is_lent_to_one_at_a_time_and_comes_back_after_a_failure() -> None:
    slots = DeviceSlots(TWO_GPUS)
    with slots.lend() as first, slots.lend() as second:
        assert {first, second} == set(TWO_GPUS)
        got: list[Device] = []

        def wait() -> None:
            with slots.lend() as device:
                got.append(device)

        waiting = threading.Thread(target=wait)
        waiting.start()
        waiting.join(0.1)
        assert got == []
    waiting.join(DEADLOCK_SECONDS)
    assert len(got) == 1
    with pytest.raises(RuntimeError), slots.lend():
        raise RuntimeError
    with slots.lend() as first, slots.lend() as second:
        assert {first, second} == set(TWO_GPUS)


def test_the_limit_of_a_control_group_counts_and_files_that_can_be_dropped_do_not(tmp_path: Path) -> None:
    own = tmp_path / "cgroup"
    own.write_text("0::/outer/inner\n")
    inner = tmp_path / "groups" / "outer" / "inner"
    inner.mkdir(parents=True)
    assert free_memory(available=lambda: 9 * GIB, groups=tmp_path / "groups", own=own) == 9 * GIB
    for folder, limit, used, cache in ((inner, "max", 1, 0), (inner.parent, str(8 * GIB), 5 * GIB, 2 * GIB)):
        (folder / "memory.max").write_text(f"{limit}\n")
        (folder / "memory.current").write_text(f"{used}\n")
        (folder / "memory.stat").write_text(f"anon 7\ninactive_file {cache}\n")
    assert free_memory(available=lambda: 9 * GIB, groups=tmp_path / "groups", own=own) == 5 * GIB
    assert free_memory(available=lambda: 2 * GIB, groups=tmp_path / "groups", own=own) == 2 * GIB
    assert free_memory(available=lambda: 9 * GIB, groups=tmp_path / "groups", own=tmp_path / "none") == 9 * GIB


def test_this_machine_has_cores_and_memory() -> None:
    machine = look_at_machine((CPU,))
    assert machine.cores >= 1
    assert machine.memory_bytes > 0
