"""Chooses CPU or GPU for a submission, with the environment variables for TensorFlow."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from grader.execution.sandbox.gpus import Gpu, choose_visible, find_gpus, is_named
from grader.schema.errors import UsageError

__all__ = ["PIPE_VARIABLE", "VISIBLE", "Device", "choose_devices", "named_device"]

VISIBLE = "CUDA_VISIBLE_DEVICES"
PIPE_VARIABLE = "CUDA_MPS_PIPE_DIRECTORY"
"""Variable with the folder of the sockets of NVIDIA's MPS, by which processes share a GPU."""
_CUDA_VARIABLES = ("CUDA_HOME", "LD_LIBRARY_PATH", "XLA_FLAGS")
_MPS_LIMIT = "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"
_MPS_VARIABLES = (PIPE_VARIABLE, "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE", _MPS_LIMIT)


@dataclass(frozen=True, slots=True)
class Device:
    """Device for trainings."""

    kind: Literal["cpu", "gpu"]
    slot: int | None = None
    """Index among the devices that this process may use, from 0."""
    label: str = "cpu"
    """`cpu`, or the GPU's name."""
    gpu: Gpu | None = None
    """The GPU or MIG instance; None if only its index is known."""
    limit_mib: int | None = None
    """Share of the GPU's memory if several jobs use it; None for all. Only MPS enforces it."""
    shared: bool = False
    """Whether several jobs use the GPU, so that its memory may run out because of another job."""

    def environment(self, threads: int, host: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment variables for TensorFlow and NumPy.

        Args:
            threads: Threads for one operation, at least 1; workers on one machine share its cores.
            host: Environment to copy the variables of CUDA and MPS from, for a GPU; by default this process's
                environment.
        """
        count = str(max(1, threads))
        env = {
            "OMP_NUM_THREADS": count,
            "OPENBLAS_NUM_THREADS": count,
            "MKL_NUM_THREADS": count,
            "TF_NUM_INTRAOP_THREADS": count,
            "TF_NUM_INTEROP_THREADS": str(min(2, max(1, threads))),
            "TF_CPP_MIN_LOG_LEVEL": "2",
        }
        if self.kind == "cpu":
            return {**env, VISIBLE: "-1"}
        host = os.environ if host is None else host
        kept = {name: host[name] for name in _CUDA_VARIABLES if name in host}
        return {**env, **kept, **self._sharing(host), **self._visible(), "TF_FORCE_GPU_ALLOW_GROWTH": "true"}

    def _visible(self) -> dict[str, str]:
        """Name the device by its UUID, which means the same everywhere; else by its index.

        CUDA's own order of GPUs is by speed, and a sandbox that sees one device node counts from 0. The runtime for
        containers reads `NVIDIA_VISIBLE_DEVICES`.
        """
        if self.gpu is not None and self.gpu.uuid:
            return {VISIBLE: self.gpu.uuid, "NVIDIA_VISIBLE_DEVICES": self.gpu.uuid}
        index = self.gpu.index if self.gpu is not None else self.slot or 0
        return {VISIBLE: str(index), "NVIDIA_VISIBLE_DEVICES": str(index), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}

    def _sharing(self, host: Mapping[str, str]) -> dict[str, str]:
        """Return the variables of MPS if the host uses it; the host's own limit overrides the device's share."""
        if PIPE_VARIABLE not in host:
            return {}
        limit = {_MPS_LIMIT: f"0={self.limit_mib}M"} if self.limit_mib is not None else {}
        return {**limit, **{name: host[name] for name in _MPS_VARIABLES if name in host}}


def choose_devices(
    wanted: Literal["auto", "cpu", "gpu"],
    *,
    gpus: Callable[[], Sequence[Gpu]] = find_gpus,
    host: Mapping[str, str] | None = None,
) -> tuple[Device, ...]:
    """Choose the devices for notebooks.

    Args:
        wanted: The user's choice; `auto` uses the GPUs if there are any.
        gpus: Lists the machine's GPUs.
        host: Environment whose `CUDA_VISIBLE_DEVICES` limits the choice; by default this process's environment.

    Returns:
        Every GPU and MIG instance that this process may use, or the CPU.

    Raises:
        UsageError: The user chose a GPU and there is none.
    """
    if wanted == "cpu":
        return (Device("cpu"),)
    present = gpus()
    visible = (os.environ if host is None else host).get(VISIBLE)
    chosen = choose_visible(present, visible)
    if not chosen and wanted == "gpu":
        raise _missing(present, visible)
    named = tuple(Device("gpu", slot=slot, label=gpu.name, gpu=gpu) for slot, gpu in enumerate(chosen))
    return named or (Device("cpu"),)


def _missing(present: Sequence[Gpu], visible: str | None) -> UsageError:
    where = "--device gpu"
    if present:
        message = f"`{VISIBLE}` is {visible!r}, which names none of the NVIDIA GPUs of this machine"
        return UsageError(message, where=where, advice=f"unset `{VISIBLE}`, or set it to an index or UUID")
    message = "there is no NVIDIA GPU on this machine"
    return UsageError(message, where=where, advice="remove `--device`, or use `--device cpu`")


def named_device(devices: Sequence[Device], name: str) -> Device | None:
    """Find a GPU by its index or the start of its UUID; None if there is none.

    Args:
        devices: GPUs of a machine.
        name: As an entry of `CUDA_VISIBLE_DEVICES`.
    """
    return next((device for device in devices if device.gpu is not None and is_named(device.gpu, name)), None)
