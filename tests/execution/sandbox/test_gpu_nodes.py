"""Device nodes and folders of a sandbox with a GPU; those of the machine are imitated."""

from pathlib import Path

from grader.execution.sandbox.device import Device
from grader.execution.sandbox.gpu_nodes import gpu_binds
from grader.execution.sandbox.gpus import Gpu

CAPS = Path("/dev/nvidia-caps")
SHARED = tuple(map(Path, ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools")))
NODES = (
    *map(Path, ("/dev/nvidia0", "/dev/nvidia1", "/dev/nvidia-modeset", "/dev/nvidia-caps-imex-channels")),
    *SHARED,
    CAPS,
    *(CAPS / f"nvidia-cap{number}" for number in (1, 2, 21, 22, 30)),
)
STATE = Path("/proc/driver/nvidia")
ACCESS = {
    "/proc/driver/nvidia/capabilities/gpu1/mig/gi2/access": "DeviceFileMinor: 21\nDeviceFileMode: 292\n",
    "/proc/driver/nvidia/capabilities/gpu1/mig/gi2/ci0/access": "DeviceFileMinor: 22\nDeviceFileMode: 292\n",
}


def gpu(minor: int | None = 1, uuid: str = "GPU-1", instance: tuple[int, int] | None = None) -> Device:
    return Device("gpu", 0, "A100", Gpu(0, "A100", uuid, minor, instance=instance))


def nodes(device: Device, present: tuple[Path, ...] = NODES) -> set[Path]:
    return set(gpu_binds(device, present, read=lambda path: ACCESS.get(str(path), ""), host={})[0])


def test_a_cpu_needs_no_nodes() -> None:
    assert gpu_binds(Device("cpu"), NODES) == ((), ())


def test_a_sandbox_sees_the_node_of_its_own_gpu_only() -> None:
    assert nodes(gpu()) == {Path("/dev/nvidia1"), *SHARED}


def test_where_the_number_is_unknown_all_nodes_are_visible() -> None:
    expected = {node for node in NODES if node.parent != CAPS}
    assert nodes(gpu(minor=None)) == nodes(Device("gpu", 0)) == nodes(gpu(minor=5)) == expected


def test_a_mig_instance_gets_the_nodes_of_its_two_capabilities() -> None:
    device = gpu(uuid="MIG-1", instance=(2, 0))
    assert nodes(device) == {Path("/dev/nvidia1"), *SHARED, CAPS / "nvidia-cap21", CAPS / "nvidia-cap22"}


def test_a_mig_instance_with_unknown_capabilities_gets_all_of_them() -> None:
    everything = {Path("/dev/nvidia1"), *SHARED, CAPS}
    assert nodes(gpu(uuid="MIG-1", instance=(3, 0))) == nodes(gpu(uuid="MIG-1")) == everything


def test_driver_state_and_the_sockets_of_mps_are_read_only() -> None:
    pipes = Path("/run/mps")
    present = (*NODES, STATE, pipes)
    _, mounts = gpu_binds(gpu(), present, host={"CUDA_MPS_PIPE_DIRECTORY": str(pipes)})
    assert [(mount.source, mount.target, mount.writable) for mount in mounts] == [
        (STATE, STATE, False),
        (pipes, pipes, False),
    ]
    assert [mount.target for mount in gpu_binds(gpu(), present, host={})[1]] == [STATE]


def test_on_this_machine_every_listed_path_exists(tmp_path: Path) -> None:
    missing = {"CUDA_MPS_PIPE_DIRECTORY": str(tmp_path / "none")}
    devices, mounts = gpu_binds(gpu(), host=missing)
    assert all(path.exists() for path in (*devices, *(mount.source for mount in mounts)))
    _, mounts = gpu_binds(gpu(), host={"CUDA_MPS_PIPE_DIRECTORY": str(tmp_path)})
    assert tmp_path in [mount.source for mount in mounts]
