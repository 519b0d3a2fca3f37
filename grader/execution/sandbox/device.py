"""Chooses CPU or GPU for a submission, with the environment variables for TensorFlow."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from grader.schema.errors import UsageError

__all__ = ["Device", "choose_devices", "visible_gpus"]

_ASK_SECONDS = 10.0
_CUDA_VARIABLES = ("CUDA_HOME", "LD_LIBRARY_PATH", "XLA_FLAGS")


@dataclass(frozen=True, slots=True)
class Device:
    """Device for trainings."""

    kind: Literal["cpu", "gpu"]
    slot: int | None = None
    """Index of the GPU, from 0."""
    label: str = "cpu"
    """`cpu`, or the GPU's name."""

    def environment(self, threads: int, host: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment variables for TensorFlow and NumPy.

        Args:
            threads: Threads for one operation, at least 1; workers on one machine share its cores.
            host: Environment to copy CUDA's variables from, for a GPU; by default this process's environment.
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
            return {**env, "CUDA_VISIBLE_DEVICES": "-1"}
        host = os.environ if host is None else host
        kept = {name: host[name] for name in _CUDA_VARIABLES if name in host}
        return {**env, **kept, "CUDA_VISIBLE_DEVICES": str(self.slot or 0), "TF_FORCE_GPU_ALLOW_GROWTH": "true"}


def visible_gpus(
    *,
    run: Callable[[list[str]], str] | None = None,
    nodes: Callable[[], list[str]] | None = None,
) -> list[str]:
    """List this machine's NVIDIA GPUs by name.

    Args:
        run: Runs a command and returns its output, empty if it fails; by default runs `nvidia-smi` itself.
        nodes: Lists device nodes; by default in /dev.

    Returns:
        Names in the driver's order; `GPU 0` … if only the device nodes exist.
    """
    listing = (run or _printed)(["nvidia-smi", "--list-gpus"])
    names = re.findall(r"^GPU \d+: (.+?)(?: \(UUID: .*\))?$", listing, re.MULTILINE)
    if names:
        return names
    devices = (nodes or _device_nodes)()
    return [f"GPU {number}" for number in range(sum(bool(re.fullmatch(r"nvidia\d+", name)) for name in devices))]


def choose_devices(
    wanted: Literal["auto", "cpu", "gpu"], *, gpus: Callable[[], list[str]] = visible_gpus
) -> tuple[Device, ...]:
    """Choose the devices for notebooks.

    Args:
        wanted: The user's choice; `auto` uses the GPUs if there are any.
        gpus: Lists the machine's GPUs.

    Returns:
        Every GPU, or the CPU.

    Raises:
        UsageError: The user chose a GPU and there is none.
    """
    names = [] if wanted == "cpu" else gpus()
    if not names and wanted == "gpu":
        message = "there is no NVIDIA GPU on this machine"
        raise UsageError(message, where="--device gpu", advice="remove `--device`, or use `--device cpu`")
    return tuple(Device("gpu", slot=slot, label=name) for slot, name in enumerate(names)) or (Device("cpu"),)


def _printed(command: list[str]) -> str:
    if shutil.which(command[0]) is None:
        return ""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_ASK_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _device_nodes() -> list[str]:
    return [path.name for path in Path("/dev").glob("nvidia*")]
