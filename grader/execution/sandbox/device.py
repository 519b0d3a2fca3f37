"""CPU or GPU: which one a submission runs on, and the environment variables that say so to TensorFlow."""

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
    """Where a notebook trains."""

    kind: Literal["cpu", "gpu"]
    slot: int | None = None
    """Which GPU, counted from 0."""
    label: str = "cpu"
    """For people: `cpu`, or the GPU's name."""

    def environment(self, threads: int, host: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment variables for TensorFlow and NumPy.

        Args:
            threads: Threads that one operation may use, at least 1; workers on one machine share its cores.
            host: Where CUDA's own variables are taken from, for a GPU; by default this process's environment.
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
        run: Runs a command and returns what it printed, empty when it cannot; by default `nvidia-smi` itself.
        nodes: Lists device nodes; by default those in /dev.

    Returns:
        Names in the driver's order; `GPU 0` … where only the device nodes are there to count.
    """
    listing = (run or _printed)(["nvidia-smi", "--list-gpus"])
    names = re.findall(r"^GPU \d+: (.+?)(?: \(UUID: .*\))?$", listing, re.MULTILINE)
    if names:
        return names
    found = (nodes or _device_nodes)()
    return [f"GPU {number}" for number in range(sum(bool(re.fullmatch(r"nvidia\d+", name)) for name in found))]


def choose_devices(
    wanted: Literal["auto", "cpu", "gpu"], *, gpus: Callable[[], list[str]] = visible_gpus
) -> tuple[Device, ...]:
    """Decide where notebooks run.

    Args:
        wanted: What the user asked for; `auto` takes the GPUs where there are any.
        gpus: Lists the machine's GPUs.

    Returns:
        Every GPU, or the CPU.

    Raises:
        UsageError: A GPU was asked for and there is none.
    """
    names = [] if wanted == "cpu" else gpus()
    if not names and wanted == "gpu":
        message = "there is no NVIDIA GPU on this machine"
        raise UsageError(message, where="--device gpu", advice="leave `--device` out, or say `--device cpu`")
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
