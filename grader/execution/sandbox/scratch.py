"""Folders for what is thrown away, which a later run removes where this one was killed.

Each is held by a lock (`flock`) for as long as it is used. The operating system lets go of the lock when the grader
ends, however it ends, so a folder that can be locked belongs to nobody any more: what a grader that was killed left
behind is known without a list of processes, and also where several containers share one `/tmp`.
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

__all__ = ["HeldFolder", "held_folder", "hold_folder", "remove_tree", "runtime_folder", "scratch_folder", "sweep"]

_PREFIX = "grader-held-"
"""Nobody else's folders are called so."""
_OURS = re.compile(rf"{_PREFIX}[a-z0-9_]{{8}}")
_SOCKETS = "/tmp"  # noqa: S108 — not $TMPDIR, which may be too long for a socket
_BUBBLEWRAP = "bwrap"
_TRIES = 100
_REMOVE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class HeldFolder:
    """A private folder, held until it is let go."""

    path: Path
    descriptor: int

    def let_go(self) -> None:
        """Remove the folder with all that is in it."""
        remove_tree(self.path)
        with suppress(OSError):
            os.close(self.descriptor)


def hold_folder(parent: str | None = None) -> HeldFolder:
    """Make a private folder and hold it.

    Args:
        parent: Where it goes; by default the machine's folder for temporary files.

    Raises:
        OSError: It cannot be made.
    """
    for _ in range(_TRIES):
        path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        descriptor = _locked(path, must=False)
        # Between its making and its locking another grader may have taken it for one left behind.
        if descriptor is not None and _is_still(path, descriptor):
            return HeldFolder(path, descriptor)
        if descriptor is not None:
            os.close(descriptor)
    message = "no folder could be held"
    raise OSError(message)


@contextmanager
def held_folder() -> Iterator[Path]:
    """Make a private folder for as long as a `with` lasts.

    Raises:
        OSError: It cannot be made.
    """
    held = hold_folder()
    try:
        yield held.path
    finally:
        held.let_go()


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make a private folder for one submission's executions, and remove it with all that was left in it.

    Raises:
        SandboxError: It cannot be made.
    """
    try:
        held = hold_folder()
    except OSError as error:
        message = f"a folder for temporary files cannot be made: {error.strerror or error}"
        advice = "make room there, or name another folder in the variable TMPDIR"
        raise SandboxError(message, where=tempfile.gettempdir(), advice=advice) from error
    try:
        yield held.path
    finally:
        held.let_go()


def runtime_folder() -> HeldFolder:
    """Make the folder for a kernel's sockets: short, private, and the same path on both sides.

    Raises:
        SandboxError: It cannot be made.
    """
    try:
        return hold_folder(_SOCKETS)
    except OSError as error:
        message = f"a folder for the kernel's sockets cannot be made in {_SOCKETS}: {error.strerror or error}"
        raise SandboxError(message) from error


def remove_tree(folder: Path) -> None:
    """Remove what a sandbox wrote, also folders nested deeper than Python's own way can follow, or closed ones.

    What cannot be removed stays; it is below the machine's folder for temporary files.
    """
    if not folder.is_symlink() and folder.is_dir():
        for command in (["rm", "-rf", "--"], ["chmod", "-R", "u+rwX", "--"], ["rm", "-rf", "--"]):
            if folder.exists():
                with suppress(OSError, subprocess.TimeoutExpired):
                    subprocess.run([*command, str(folder)], capture_output=True, timeout=_REMOVE_SECONDS, check=False)


def sweep() -> int:
    """Remove what graders of this user left behind when they were killed, with the programs that still use it.

    Returns:
        How many folders were removed.
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
                # Root gives the folder of a kernel's sockets to the sandbox's own user.
                own = os.geteuid() in {0, entry.stat(follow_symlinks=False).st_uid}
                if own and entry.is_dir(follow_symlinks=False) and _OURS.fullmatch(entry.name):
                    yield Path(entry.path)


def _locked(path: Path, *, must: bool) -> int | None:
    """Open a folder and lock it; None where somebody holds it, it is gone, or it must be locked and cannot be."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except PermissionError:
        # Another user's: root without all of its rights, as in many containers, may not open it.
        if must:
            return None
        raise
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        # A file system without locks: a folder there is used all the same, and nobody sweeps it.
        if must:
            os.close(descriptor)
            return None
    return descriptor


def _is_still(path: Path, descriptor: int) -> bool:
    with suppress(OSError):
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    return False


def _end_users_of(folder: Path) -> None:
    """Kill what was started for a folder, known by its environment.

    Inside a sandbox's own walls all is gone by now, unless the grader was killed in the milliseconds in which
    bubblewrap is not tied to it yet: that is known by its command line, which names the folders of the sandbox.
    """
    needle = os.fsencode(folder) + b"/"
    for process in psutil.process_iter():
        with suppress(OSError, psutil.Error):
            told = "cmdline" if process.name() == _BUBBLEWRAP else "environ"
            if process.pid != os.getpid() and needle in Path(f"/proc/{process.pid}/{told}").read_bytes():
                process.kill()
