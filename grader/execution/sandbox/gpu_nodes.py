"""Decides which device nodes and folders of the NVIDIA driver a sandbox sees.

A sandbox with one of several GPUs gets only that GPU's node, since a notebook can change `CUDA_VISIBLE_DEVICES`. Not
tested on a machine with a GPU.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from grader.execution.sandbox.device import PIPE_VARIABLE, Device
from grader.execution.sandbox.gpus import Gpu
from grader.execution.sandbox.isolation import Mount

__all__ = ["gpu_binds"]

_DEV = Path("/dev")
_SHARED = frozenset({"nvidiactl", "nvidia-uvm", "nvidia-uvm-tools"})
"""Nodes that every CUDA program needs."""
_CAPABILITIES = _DEV / "nvidia-caps"
"""Folder of the nodes that give access to MIG instances, and to the administration of MIG."""
_STATE = (Path("/proc/driver/nvidia"), Path("/sys/bus/pci"), Path("/sys/devices"))


def gpu_binds(
    device: Device,
    present: Sequence[Path] | None = None,
    *,
    read: Callable[[Path], str] | None = None,
    host: Mapping[str, str] | None = None,
) -> tuple[tuple[Path, ...], tuple[Mount, ...]]:
    """List the device nodes and mounts that a sandbox needs for its device.

    Args:
        device: Device of the sandbox; a CPU needs none.
        present: Existing paths; by default all that are on this machine.
        read: Reads a file of the driver, empty if it cannot be read; by default on this machine.
        host: Environment with the folder of MPS; by default this process's environment.

    Returns:
        Device nodes, and read-only mounts: the driver's state, the devices' folders in /sys, and the sockets of MPS if
        `CUDA_MPS_PIPE_DIRECTORY` is set.
    """
    if device.kind == "cpu":
        return (), ()
    pipes = (os.environ if host is None else host).get(PIPE_VARIABLE)
    if present is None:
        present = _existing(pipes)
    nodes = [path for path in present if path.is_relative_to(_DEV)]
    state = [path for path in present if path in _STATE or str(path) == pipes]
    devices = _nodes_of(device.gpu, nodes, read or _content)
    return devices, tuple(Mount(path, path) for path in state)


def _nodes_of(gpu: Gpu | None, nodes: Sequence[Path], read: Callable[[Path], str]) -> tuple[Path, ...]:
    own = _DEV / f"nvidia{gpu.minor}" if gpu is not None and gpu.minor is not None else None
    if gpu is None or own not in nodes:
        # The numbers are unknown, or differ inside a container.
        return tuple(node for node in nodes if _CAPABILITIES not in node.parents)
    chosen = [node for node in nodes if node == own or node.name in _SHARED]
    if not gpu.uuid.startswith("MIG-"):
        return tuple(chosen)
    gates = _gates(gpu, read)
    if gates and set(gates) <= set(nodes):
        return (*chosen, *gates)
    return (*chosen, *(node for node in nodes if node == _CAPABILITIES))


def _gates(gpu: Gpu, read: Callable[[Path], str]) -> tuple[Path, ...]:
    """Find the nodes that give access to a MIG instance: that of its GPU instance and of its compute instance."""
    if gpu.instance is None:
        return ()
    outer = Path(f"/proc/driver/nvidia/capabilities/gpu{gpu.minor}/mig/gi{gpu.instance[0]}")
    gates = []
    for path in (outer / "access", outer / f"ci{gpu.instance[1]}" / "access"):
        match = re.search(r"^DeviceFileMinor: (\d+)$", read(path), re.MULTILINE)
        if match is None:
            return ()
        gates.append(_CAPABILITIES / f"nvidia-cap{match[1]}")
    return tuple(gates)


def _existing(pipes: str | None) -> list[Path]:
    candidates = [*sorted(_DEV.glob("nvidia*")), *sorted(_CAPABILITIES.glob("nvidia-cap*")), *_STATE]
    if pipes:
        candidates.append(Path(pipes))
    return [path for path in candidates if os.access(path, os.F_OK)]


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""
