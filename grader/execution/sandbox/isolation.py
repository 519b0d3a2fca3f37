"""How a process is kept apart from this machine: bubblewrap, a container engine, or not at all.

An isolation only makes a command line. Which folders are seen is decided by the caller (`Binds`), so that all
implementations can be held to the same contract by the same tests.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

__all__ = [
    "PROBE_SECONDS",
    "TRANSIENT_IDS",
    "Binds",
    "Isolation",
    "IsolationName",
    "Mount",
    "ProcessLimits",
    "chown_tree",
    "gpu_binds",
]

IsolationName = Literal["bubblewrap", "container", "none"]

TRANSIENT_IDS = range(61184, 65520)
"""Ids that belong to nobody for long (systemd's range for transient users): root steps down to one of them."""
PROBE_SECONDS = 20.0
"""Time limit for a program that is asked whether it works."""


@dataclass(frozen=True, slots=True)
class Mount:
    """One file or folder that a sandbox sees."""

    source: Path
    """Where it is on this machine."""
    target: Path
    """Where the sandbox sees it."""
    writable: bool = False


@dataclass(frozen=True, slots=True)
class Binds:
    """Everything of this machine that a sandbox sees, beside the system's programs and libraries."""

    mounts: tuple[Mount, ...]
    """In order: a later one lies over an earlier one."""
    home: Mount
    """Home folder: memory of limited size where the isolation can, else this folder on disk."""
    tmp: Mount
    """`/tmp`, in the same way."""
    tmp_bytes: int = 512 << 20
    """Size of the home folder, of `/tmp` and of `/dev/shm`, each, where they are kept in memory."""
    masked: tuple[Path, ...] = ()
    """Folders inside a mount (as the sandbox names them) that must look empty."""
    devices: tuple[Path, ...] = ()
    """Device nodes, such as `/dev/nvidia0`."""


@dataclass(frozen=True, slots=True)
class ProcessLimits:
    """Limits the kernel of the operating system enforces on each process (`setrlimit`)."""

    file_bytes: int = 1 << 30
    """Largest file."""
    open_files: int = 4096
    processes: int = 512
    """Processes and threads of the sandbox's user, where that user is the sandbox's alone."""
    memory_bytes: int | None = None
    """For container engines only: everywhere else the watchdog counts memory."""

    def command(self, *, own_user: bool) -> list[str]:
        """Make the `prlimit` call that goes before a command.

        Args:
            own_user: Whether nothing else runs under the sandbox's user id, so that processes can be counted.
        """
        parts = ["prlimit", "--core=0", f"--fsize={self.file_bytes}", f"--nofile={self.open_files}"]
        if own_user:
            parts.append(f"--nproc={self.processes}")
        return [*parts, "--"]


class Isolation(Protocol):
    """A way to keep a process apart. Called by the provisioner and by `processes.run_to_end`."""

    @property
    def name(self) -> IsolationName:
        """What a `Run` records."""
        ...

    @property
    def moves_paths(self) -> bool:
        """Whether a mount's target may differ from its source."""
        ...

    @property
    def kernel_depth(self) -> int:
        """Generations between the started process and the command: where an interrupt must go."""
        ...

    def for_run(self) -> "Isolation":
        """Return an isolation for one sandbox, with a user id or name of its own where that exists."""
        ...

    def own(self, path: Path) -> None:
        """Let the sandbox's user write a folder (or read a file) of this machine, with all that is in it."""
        ...

    def wrap(
        self,
        command: Sequence[str],
        *,
        binds: Binds,
        env: Mapping[str, str],
        cwd: Path,
        limits: ProcessLimits,
    ) -> list[str]:
        """Make the command line that runs `command` in the sandbox.

        Args:
            command: The program and its arguments, as the sandbox names them.
            binds: What the sandbox sees.
            env: The whole environment inside.
            cwd: Working folder, as the sandbox names it.
            limits: Limits of each process.
        """
        ...

    def end_command(self) -> list[str] | None:
        """Return the command that ends a sandbox whose processes are not children of ours; None otherwise."""
        ...


def gpu_binds(present: Sequence[Path] | None = None) -> tuple[tuple[Path, ...], tuple[Mount, ...]]:
    """List what a sandbox needs for an NVIDIA GPU. Decided from names; it was not run on a machine that has one.

    Args:
        present: Candidate paths; by default those of this machine.

    Returns:
        Device nodes, and read-only mounts (driver state and the devices' folders in /sys).
    """
    if present is None:
        present = [*sorted(Path("/dev").glob("nvidia*")), Path("/proc/driver/nvidia"), Path("/sys/bus/pci")]
        present = [path for path in [*present, Path("/sys/devices")] if path.exists()]
    devices = tuple(path for path in present if path.is_relative_to("/dev"))
    return devices, tuple(Mount(path, path) for path in present if not path.is_relative_to("/dev"))


def chown_tree(path: Path, owner: int) -> None:
    """Give a folder, with all that is in it, to a user."""
    os.chown(path, owner, owner, follow_symlinks=False)
    if path.is_dir() and not path.is_symlink():
        for folder, folders, files in os.walk(path):
            for name in (*folders, *files):
                os.chown(Path(folder) / name, owner, owner, follow_symlinks=False)
