"""Choice of the device; the GPUs are simulated."""

import pytest

from grader.execution.sandbox.device import Device, choose_devices, visible_gpus
from grader.schema.errors import UsageError

LISTING = "GPU 0: NVIDIA A100 (UUID: GPU-1)\nGPU 1: NVIDIA A100 (UUID: GPU-2)\n"


def test_the_drivers_list_names_the_gpus() -> None:
    assert visible_gpus(run=lambda _: LISTING, nodes=list) == ["NVIDIA A100", "NVIDIA A100"]


def test_without_the_drivers_tool_device_nodes_are_counted() -> None:
    assert visible_gpus(run=lambda _: "", nodes=lambda: ["nvidia0", "nvidiactl", "nvidia-uvm", "nvidia1"]) == [
        "GPU 0",
        "GPU 1",
    ]


def test_auto_takes_the_cpu_where_there_is_no_gpu() -> None:
    assert choose_devices("auto", gpus=list) == (Device("cpu"),)


def test_auto_takes_every_gpu_where_there_are_some() -> None:
    assert choose_devices("auto", gpus=lambda: ["a", "b"]) == (Device("gpu", 0, "a"), Device("gpu", 1, "b"))


def test_the_cpu_is_taken_when_asked_for_even_beside_a_gpu() -> None:
    assert choose_devices("cpu", gpus=lambda: ["a"]) == (Device("cpu"),)


def test_asking_for_a_missing_gpu_is_an_error() -> None:
    with pytest.raises(UsageError, match="no NVIDIA GPU"):
        choose_devices("gpu", gpus=list)


def test_on_the_cpu_tensorflow_sees_no_gpu_and_its_threads_are_set() -> None:
    env = Device("cpu").environment(3)
    assert env["CUDA_VISIBLE_DEVICES"] == "-1"
    assert env["OMP_NUM_THREADS"] == env["TF_NUM_INTRAOP_THREADS"] == "3"
    assert "TF_FORCE_GPU_ALLOW_GROWTH" not in env


def test_on_a_gpu_memory_grows_and_only_the_slot_is_seen() -> None:
    env = Device("gpu", slot=1).environment(2, host={"CUDA_HOME": "/usr/local/cuda", "HOME": "/root"})
    assert env["CUDA_VISIBLE_DEVICES"] == "1"
    assert env["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    assert env["CUDA_HOME"] == "/usr/local/cuda"
    assert "HOME" not in env
