"""The interface of an isolation, which keeps a process apart from this machine.

An isolation only makes a command line. The caller decides which folders are visible (`Binds`), so that the same tests
apply to all implementations.
"""

import fcntl
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
    "passed_on",
]

IsolationName = Literal["bubblewrap", "container", "user", "none"]

TRANSIENT_IDS = range(61184, 65520)
"""Ids of systemd's range for transient users; a sandbox started by root runs under one of them."""
PROBE_SECONDS = 20.0
"""Time limit for a test whether a program works."""
_FIRST_PASSED = 10
"""The POSIX shell opens descriptors of one digit: bubblewrap's arguments and its filter."""


@dataclass(frozen=True, slots=True)
class Mount:
    """One file or folder that a sandbox sees."""

    source: Path
    """Path on this machine."""
    target: Path
    """Path inside the sandbox."""
    writable: bool = False


@dataclass(frozen=True, slots=True)
class Binds:
    """Files, folders and devices that a sandbox sees, in addition to the system's programs and libraries."""

    mounts: tuple[Mount, ...]
    """Mounts in order: a later one covers an earlier one."""
    home: Mount
    """Home folder: in memory with limited size if the isolation supports that, else this folder on disk."""
    tmp: Mount
    """`/tmp`, handled as the home folder."""
    tmp_bytes: int = 512 << 20
    """Size limit of the home folder, `/tmp` and `/dev/shm`, each, if they are kept in memory."""
    masked: tuple[Path, ...] = ()
    """Folders inside a mount, by their paths in the sandbox, that must look empty."""
    devices: tuple[Path, ...] = ()
    """Device nodes, such as `/dev/nvidia0`."""


@dataclass(frozen=True, slots=True)
class ProcessLimits:
    """Limits that the operating system enforces on each process (`setrlimit`)."""

    file_bytes: int = 1 << 30
    """Maximum size of a file."""
    open_files: int = 4096
    processes: int = 512
    """Maximum number of processes and threads of the sandbox's user, if no other process runs under that user."""
    memory_bytes: int | None = None
    """Memory limit for container engines and control groups; the watchdog limits memory everywhere."""
    cores: int | None = None
    """Cores that the sandbox may use, if other sandboxes run at the same time; None for all."""

    def command(self, *, own_user: bool) -> list[str]:
        """Make the `prlimit` call to put in front of a command.

        Args:
            own_user: Whether no other process runs under the sandbox's user id, so that processes can be counted.
        """
        parts = ["prlimit", "--core=0", f"--fsize={self.file_bytes}", f"--nofile={self.open_files}"]
        if own_user:
            parts.append(f"--nproc={self.processes}")
        return [*parts, "--"]


class Isolation(Protocol):
    """A way to isolate a process; called by the provisioner and by `processes.run_to_end`."""

    @property
    def name(self) -> IsolationName:
        """Name stored in `Run.isolation`."""
        ...

    @property
    def moves_paths(self) -> bool:
        """Whether a mount's target may differ from its source."""
        ...

    @property
    def kernel_depth(self) -> int:
        """Generations between the started process and the command, to find the process to interrupt."""
        ...

    def for_run(self) -> "Isolation":
        """Return an isolation for one sandbox, with a new user id or name if the isolation uses them."""
        ...

    def for_notebook(self, allowed: Sequence[str]) -> "Isolation":
        """Return an isolation for a notebook's kernel, which starts with `inside.calls.hand_over` if it has filters.

        Args:
            allowed: System calls to allow in addition to those that are always allowed.
        """
        ...

    @property
    def call_filters(self) -> tuple[bytes, bytes] | None:
        """Filters of system calls that the kernel installs: `reported`, and `plain` if there can be no listener.

        None if the kernel installs none.
        """
        ...

    def own(self, path: Path) -> None:
        """Let the sandbox's user write a folder with its content, or read a file."""
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
            command: The program and its arguments, with paths inside the sandbox.
            binds: The visible files and folders.
            env: The complete environment of the program.
            cwd: Working folder inside the sandbox.
            limits: Limits for each process.
        """
        ...

    def end_command(self) -> list[str] | None:
        """Return the command that ends a sandbox whose processes are not our children; None if they are."""
        ...


def passed_on(descriptor: int) -> int:
    """Move a descriptor to a number that a sandbox's shell does not use itself, and close the old number.

    A program in the sandbox can get only such a descriptor.

    Args:
        descriptor: A descriptor that nothing else refers to by its number.
    """
    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _FIRST_PASSED)
    finally:
        os.close(descriptor)


def chown_tree(path: Path, owner: int) -> None:
    """Change the owner of a folder and its content."""
    os.chown(path, owner, owner, follow_symlinks=False)
    if path.is_dir() and not path.is_symlink():
        for folder, folders, files in os.walk(path):
            for name in (*folders, *files):
                os.chown(Path(folder) / name, owner, owner, follow_symlinks=False)
