"""Behavior common to all isolations."""

from pathlib import Path

from grader.execution.sandbox.isolation import ProcessLimits, gpu_binds


def test_limits_say_core_files_open_files_and_processes() -> None:
    limits = ProcessLimits(file_bytes=10, open_files=20, processes=30)
    assert limits.command(own_user=True) == ["prlimit", "--core=0", "--fsize=10", "--nofile=20", "--nproc=30", "--"]
    assert "--nproc=30" not in limits.command(own_user=False)


def test_gpu_nodes_are_devices_and_driver_state_is_read_only() -> None:
    devices, mounts = gpu_binds([Path("/dev/nvidia0"), Path("/dev/nvidiactl"), Path("/proc/driver/nvidia")])
    assert devices == (Path("/dev/nvidia0"), Path("/dev/nvidiactl"))
    assert [(mount.target, mount.writable) for mount in mounts] == [(Path("/proc/driver/nvidia"), False)]
