"""Temporary folders, which a later run removes if the grader was killed.

Each folder is locked (`flock`) as long as it is in use. The operating system releases the lock when the grader ends,
however it ends. So an unlocked folder was left by a killed grader. This needs no list of processes, and it works even
if several containers share one `/tmp`.
"""

import fcntl
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from grader.schema.errors import SandboxError

__all__ = [
    "HeldFolder",
    "held_folder",
    "hold_folder",
    "is_held",
    "remove_tree",
    "runtime_folder",
    "scratch_folder",
    "sweep",
]

_PREFIX = "grader-held-"
"""Start of the names of the grader's temporary folders."""
_OURS = re.compile(rf"{_PREFIX}[a-z0-9_]{{8}}")
_SOCKETS = "/tmp"  # noqa: S108 — $TMPDIR may be too long for a socket
_BUBBLEWRAP = "bwrap"
_TRIES = 100
_REMOVE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class HeldFolder:
    """A private folder, locked until `let_go`."""

    path: Path
    descriptor: int

    def let_go(self) -> None:
        """Remove the folder with its content, and release the lock."""
        remove_tree(self.path)
        with suppress(OSError):
            os.close(self.descriptor)


def hold_folder(parent: str | None = None) -> HeldFolder:
    """Make a private folder and lock it.

    Args:
        parent: Parent folder; by default the machine's folder for temporary files.

    Raises:
        OSError: The folder cannot be made.
    """
    for _ in range(_TRIES):
        path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        descriptor = _locked(path, must=False)
        # Before it was locked, another grader may have removed it as a leftover.
        if descriptor is not None and _is_still(path, descriptor):
            return HeldFolder(path, descriptor)
        if descriptor is not None:
            os.close(descriptor)
    message = "no temporary folder could be locked"
    raise OSError(message)


def is_held(path: Path) -> bool:
    """Tell whether a folder is one of the grader's temporary folders, by its name."""
    return _OURS.fullmatch(path.name) is not None


@contextmanager
def held_folder() -> Iterator[Path]:
    """Make a private folder that exists during a `with` block.

    Raises:
        OSError: The folder cannot be made.
    """
    held = hold_folder()
    try:
        yield held.path
    finally:
        held.let_go()


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make a private folder for one submission's executions, and remove it with its content at the end.

    Raises:
        SandboxError: The folder cannot be made.
    """
    try:
        held = hold_folder()
    except OSError as error:
        message = f"a folder for temporary files cannot be made: {error.strerror or error}"
        advice = "free space there, or set the variable TMPDIR to another folder"
        raise SandboxError(message, where=tempfile.gettempdir(), advice=advice) from error
    try:
        yield held.path
    finally:
        held.let_go()


def runtime_folder() -> HeldFolder:
    """Make a private folder for a kernel's sockets, with a short path that is the same inside the sandbox.

    Raises:
        SandboxError: The folder cannot be made.
    """
    try:
        return hold_folder(_SOCKETS)
    except OSError as error:
        message = f"a folder for the kernel's sockets cannot be made in {_SOCKETS}: {error.strerror or error}"
        raise SandboxError(message) from error


def remove_tree(folder: Path) -> None:
    """Remove files that a sandbox wrote, also in folders that are closed or nested too deeply for Python.

    Files that cannot be removed stay in the machine's folder for temporary files.
    """
    if not folder.is_symlink() and folder.is_dir():
        for command in (["rm", "-rf", "--"], ["chmod", "-R", "u+rwX", "--"], ["rm", "-rf", "--"]):
            if folder.exists():
                with suppress(OSError, subprocess.TimeoutExpired):
                    subprocess.run([*command, str(folder)], capture_output=True, timeout=_REMOVE_SECONDS, check=False)


def sweep() -> int:
    """Remove the folders that killed graders of this user left, and kill the programs that still use them.

    Returns:
        The number of removed folders.
    """
    removed = 0
    for parent in {Path(tempfile.gettempdir()), Path(_SOCKETS)}:
        for path in _left_behind(parent):
            descriptor = _locked(path, must=True)
            if descriptor is None:
                continue
            _end_users_of(path)
            HeldFolder(path, descriptor).let_go()
            removed += 1
    return removed


def _left_behind(parent: Path) -> Iterator[Path]:
    with suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            with suppress(OSError):
                # As root the grader makes the sandbox's user the owner of the sockets' folder.
                own = os.geteuid() in {0, entry.stat(follow_symlinks=False).st_uid}
                if own and entry.is_dir(follow_symlinks=False) and _OURS.fullmatch(entry.name):
                    yield Path(entry.path)


def _locked(path: Path, *, must: bool) -> int | None:
    """Open and lock a folder; None if it is in use or gone, or if it must be locked and cannot be."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except PermissionError:
        # It is another user's: root without all capabilities, as in many containers, may not open it.
        if must:
            return None
        raise
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        # The file system has no locks: use the folder anyway; `sweep` will not remove it.
        if must:
            os.close(descriptor)
            return None
    return descriptor


def _is_still(path: Path, descriptor: int) -> bool:
    with suppress(OSError):
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    return False


def _end_users_of(folder: Path) -> None:
    """Kill the processes that were started for a folder, found by their environment.

    The processes in a sandbox died with the grader. Only if the grader was killed in the milliseconds before bubblewrap
    was tied to it, bubblewrap is left; its command line contains the sandbox's folders.
    """
    needle = os.fsencode(folder) + b"/"
    for process in psutil.process_iter():
        with suppress(OSError, psutil.Error):
            source = "cmdline" if process.name() == _BUBBLEWRAP else "environ"
            if process.pid != os.getpid() and needle in Path(f"/proc/{process.pid}/{source}").read_bytes():
                process.kill()
