"""Choice of the device; the GPUs are simulated."""

import pytest

from grader.execution.sandbox.device import Device, choose_devices, named_device
from grader.execution.sandbox.gpus import Gpu
from grader.schema.errors import UsageError

FIRST, SECOND = Gpu(0, "a", "GPU-11"), Gpu(1, "b", "GPU-22")
INSTANCE = Gpu(0, "a MIG 1g.5gb", "MIG-33", 0, 4864, (7, 0), "GPU-11")


def test_auto_takes_the_cpu_where_there_is_no_gpu() -> None:
    assert choose_devices("auto", gpus=list, host={}) == (Device("cpu"),)


def test_auto_takes_every_gpu_where_there_are_some() -> None:
    chosen = choose_devices("auto", gpus=lambda: [FIRST, SECOND], host={})
    assert chosen == (Device("gpu", 0, "a", FIRST), Device("gpu", 1, "b", SECOND))


def test_the_cpu_is_taken_when_asked_for_even_beside_a_gpu() -> None:
    assert choose_devices("cpu", gpus=lambda: [FIRST], host={}) == (Device("cpu"),)


def test_asking_for_a_missing_gpu_is_an_error() -> None:
    with pytest.raises(UsageError, match="no NVIDIA GPU"):
        choose_devices("gpu", gpus=list, host={})


def test_the_users_choice_of_gpus_is_kept() -> None:
    chosen = choose_devices("auto", gpus=lambda: [FIRST, SECOND], host={"CUDA_VISIBLE_DEVICES": "1"})
    assert chosen == (Device("gpu", 0, "b", SECOND),)
    assert choose_devices("auto", gpus=lambda: [FIRST], host={"CUDA_VISIBLE_DEVICES": "-1"}) == (Device("cpu"),)


def test_a_choice_that_names_no_gpu_is_an_error_with_its_value() -> None:
    with pytest.raises(UsageError, match="'7', which names none"):
        choose_devices("gpu", gpus=lambda: [FIRST], host={"CUDA_VISIBLE_DEVICES": "7"})


def test_a_device_is_found_by_its_index_or_uuid() -> None:
    devices = choose_devices("gpu", gpus=lambda: [FIRST, SECOND], host={})
    assert named_device(devices, "1") == named_device(devices, "GPU-22") == devices[1]
    assert named_device(devices, "2") is None
    assert named_device([Device("cpu")], "0") is None


def test_on_the_cpu_tensorflow_sees_no_gpu_and_its_threads_are_set() -> None:
    env = Device("cpu").environment(3, host={"CUDA_MPS_PIPE_DIRECTORY": "/run/mps"})
    assert env["CUDA_VISIBLE_DEVICES"] == "-1"
    assert env["OMP_NUM_THREADS"] == env["TF_NUM_INTRAOP_THREADS"] == "3"
    assert not {"TF_FORCE_GPU_ALLOW_GROWTH", "CUDA_MPS_PIPE_DIRECTORY"} & set(env)


def test_on_a_gpu_memory_grows_and_only_the_slot_is_seen() -> None:
    env = Device("gpu", slot=1).environment(2, host={"CUDA_HOME": "/usr/local/cuda", "HOME": "/root"})
    assert env["CUDA_VISIBLE_DEVICES"] == env["NVIDIA_VISIBLE_DEVICES"] == "1"
    assert env["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert env["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    assert env["CUDA_HOME"] == "/usr/local/cuda"
    assert "HOME" not in env


@pytest.mark.parametrize("gpu", [SECOND, INSTANCE])
def test_a_gpu_or_instance_is_named_by_its_uuid_and_not_by_its_place(gpu: Gpu) -> None:
    env = Device("gpu", slot=0, gpu=gpu).environment(2, host={})
    assert env["CUDA_VISIBLE_DEVICES"] == env["NVIDIA_VISIBLE_DEVICES"] == gpu.uuid
    assert "CUDA_DEVICE_ORDER" not in env


def test_with_mps_each_of_several_jobs_gets_a_limit_of_its_memory() -> None:
    device = Device("gpu", slot=0, gpu=FIRST, limit_mib=5120)
    assert "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT" not in device.environment(1, host={})
    host = {"CUDA_MPS_PIPE_DIRECTORY": "/run/mps", "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE": "50"}
    env = device.environment(1, host=host)
    assert host.items() <= env.items()
    assert env["CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"] == "0=5120M"
    own = device.environment(1, host={**host, "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT": "0=1G"})
    assert own["CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"] == "0=1G"
