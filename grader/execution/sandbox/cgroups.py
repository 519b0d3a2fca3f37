"""Control groups (version 2): Linux limits memory, processes and processor time of each sandbox, and counts them.

This is the only module that writes files of control groups. It needs a folder of control groups that was delegated to
the grader; `docs/trust.md` says how to get one. The grader's own processes move to a group next to those of the
sandboxes, since a group with processes cannot have groups with limits below it.

Every group of a sandbox is locked (`flock`) while its grader lives, so a later grader finds and removes the groups of
graders that were killed. No failure here reaches the caller: without a group, the watchdog alone limits a sandbox.
"""

import fcntl
import os
import re
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

__all__ = ["CONTROLLERS", "Counters", "Delegation", "GroupFiles", "GroupLimits", "SandboxGroup", "find_delegation"]

CONTROLLERS = ("memory", "pids", "cpu")
_OWN_GROUP = "grader"
"""Name of the group of the grader's own processes."""
_PREFIX = "grader-sandbox-"
_ENTER = '{ echo 0 > "$0"; } 2>/dev/null; exec "$@"'
"""Shell code: enter a group, then execute the command; without the group if that fails."""
_UNIT = re.compile(r".*\.(scope|service|slice)")
_TRANSIENT_SCOPE = re.compile(r"run-.*\.scope")
"""Names of the groups of `systemd-run --scope`. Before systemd 251 no mark shows that they are delegated."""
_MARKS = ("user.delegate", "trusted.delegate")
"""Attributes of a folder by which systemd marks a delegated group."""
_ROUNDS = 20
_TRIES = 3
_PERIOD_MICROSECONDS = 100_000
_OWN_WEIGHT = 10_000
"""Weight of the grader itself, which must be able to end a sandbox at any time; a sandbox has 100."""
_WEIGHT = 100
_OWN_PROCESSES = 16
"""Processes of a sandbox besides its program's."""
_SCRATCH_BYTES = (3 * 512 + 64) << 20
"""Memory in a group that does not count against the budget: `/tmp`, the home folder, `/dev/shm`, small buffers."""
_END_SECONDS = 5.0
_WAIT = 0.01
_RECLAIMABLE = ("active_file", "inactive_file", "slab_reclaimable")
"""Memory that Linux takes back when it is needed, such as the cache of files."""


@dataclass(frozen=True, slots=True)
class GroupLimits:
    """Limits of one sandbox that Linux enforces."""

    memory_bytes: int | None
    """The sandbox's budget. The group gets more, since files in memory do not count against the budget."""
    processes: int
    """Processes and threads of the program."""
    cores: int | None = None
    """Processor time that it may use, in cores; None for all."""

    @property
    def settings(self) -> dict[str, str]:
        """File of a group → its content."""
        memory = "max" if self.memory_bytes is None else str(self.memory_bytes + _SCRATCH_BYTES)
        quota = "max" if self.cores is None else str(self.cores * _PERIOD_MICROSECONDS)
        return {
            "memory.max": memory,
            "pids.max": str(self.processes + _OWN_PROCESSES),
            "memory.swap.max": "0",
            "memory.oom.group": "1",
            "cpu.weight": str(_WEIGHT),
            "cpu.max": f"{quota} {_PERIOD_MICROSECONDS}",
        }


_REQUIRED = ("memory.max", "pids.max")
"""Files without which a group is not worth using."""


@dataclass(frozen=True, slots=True)
class Counters:
    """Linux's counters of one sandbox."""

    out_of_memory: bool = False
    """Whether Linux killed it for exceeding its own memory limit."""
    machine_out_of_memory: bool = False
    """Whether Linux killed a process of it for another reason: the machine or a group above it had no memory left."""
    refused_processes: int = 0
    """Number of processes and threads that were not started because of the limit."""
    peak_bytes: int | None = None
    """Largest memory use, with the cache of files; None before Linux 5.19."""
    cpu_seconds: float | None = None


class GroupFiles:
    """The file system of control groups; tests use one that imitates the kernel."""

    def make(self, folder: Path) -> None:
        """Make a group.

        Raises:
            OSError: It cannot be made, or it exists.
        """
        folder.mkdir()

    def remove(self, folder: Path) -> None:
        """Remove a group without processes.

        Raises:
            OSError: It has processes or groups below it.
        """
        folder.rmdir()

    def read(self, path: Path) -> str:
        """Read a file of a group.

        Raises:
            OSError: It cannot be read.
        """
        return path.read_text(encoding="ascii", errors="replace")

    def write(self, path: Path, text: str) -> None:
        """Write a file of a group, which must exist.

        Raises:
            OSError: It does not exist, or Linux refuses the value.
        """
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)

    def lock(self, folder: Path) -> int | None:
        """Open and lock a group; None if it is locked or gone. The lock ends with this process."""
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(folder.stat(), os.fstat(descriptor)):
                    return descriptor
            except OSError:
                os.close(descriptor)
                return None
            os.close(descriptor)
        return None

    def is_writable(self, path: Path) -> bool:
        """Tell whether this process may write a file or folder."""
        return os.access(path, os.W_OK)

    def is_marked(self, folder: Path) -> bool:
        """Tell whether systemd marked a group as delegated."""
        for name in _MARKS:
            with suppress(OSError):
                if os.getxattr(folder, name) == b"1":
                    return True
        return False


@dataclass(slots=True)
class SandboxGroup:
    """The group of one sandbox."""

    folder: Path
    files: GroupFiles
    _lock: int | None

    def command(self, command: Sequence[str]) -> list[str]:
        """Make the command line that enters the group and then executes a command."""
        return ["/bin/sh", "-c", _ENTER, str(self.folder / "cgroup.procs"), *command]

    def add(self, pid: int) -> bool:
        """Move a process into the group; return whether that worked."""
        with suppress(OSError):
            self.files.write(self.folder / "cgroup.procs", str(pid))
            return True
        return False

    @property
    def in_use(self) -> bool:
        """Whether a process is in the group."""
        return self._table("cgroup.events").get("populated") == 1

    def processes(self) -> int:
        """Count the processes in the group."""
        return len(_pids(self.files, self.folder))

    def memory_bytes(self) -> int | None:
        """Measure the memory that belongs to the group and cannot be taken back, files in memory included."""
        current = self._number("memory.current")
        if current is None:
            return None
        table = self._table("memory.stat")
        return max(0, current - sum(table.get(name, 0) for name in _RECLAIMABLE))

    def counters(self) -> Counters:
        """Read what Linux counted so far."""
        memory = self._table("memory.events")
        own = self._table("memory.events.local") or memory
        killed = memory.get("oom_kill", 0) > 0
        limited = own.get("oom", 0) > 0
        microseconds = self._table("cpu.stat").get("usage_usec")
        return Counters(
            out_of_memory=killed and limited,
            machine_out_of_memory=killed and not limited,
            refused_processes=self._table("pids.events").get("max", 0),
            peak_bytes=self._number("memory.peak"),
            cpu_seconds=None if microseconds is None else microseconds / 1e6,
        )

    def kill(self) -> None:
        """Kill every process of the group at once."""
        try:
            self.files.write(self.folder / "cgroup.kill", "1")
        except OSError:  # before Linux 5.14
            for pid in _pids(self.files, self.folder):
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)

    def remove(self) -> bool:
        """Kill what is left, and remove the group; return whether it is gone."""
        ends = time.monotonic() + _END_SECONDS
        gone = False
        while not gone and time.monotonic() < ends:
            self.kill()
            gone = _remove_tree(self.files, self.folder)
            if not gone:
                time.sleep(_WAIT)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        return gone

    def _number(self, name: str) -> int | None:
        with suppress(OSError, ValueError):
            return int(self.files.read(self.folder / name))
        return None

    def _table(self, name: str) -> dict[str, int]:
        table = {}
        with suppress(OSError):
            for line in self.files.read(self.folder / name).splitlines():
                key, _, value = line.partition(" ")
                if value.isdigit():
                    table[key] = int(value)
        return table


@dataclass(slots=True)
class Delegation:
    """A folder of control groups that the grader may use."""

    folder: Path
    files: GroupFiles = field(default_factory=GroupFiles)

    def new_group(self, limits: GroupLimits) -> SandboxGroup | None:
        """Make a locked group with limits for one sandbox; None if that is not possible."""
        for _ in range(_TRIES):
            folder = self.folder / f"{_PREFIX}{os.urandom(6).hex()}"
            try:
                self.files.make(folder)
            except OSError:
                return None
            # Before it was locked, another grader may have removed it.
            if (lock := self.files.lock(folder)) is not None:
                group = SandboxGroup(folder, self.files, lock)
                if self._limit(group, limits):
                    return group
                group.remove()
                return None
        return None

    def sweep(self) -> int:
        """Remove the groups of graders that were killed, with their processes; return their number."""
        removed = 0
        for folder in _groups(self.folder):
            if folder.name.startswith(_PREFIX) and (lock := self.files.lock(folder)) is not None:
                removed += SandboxGroup(folder, self.files, lock).remove()
        return removed

    def _limit(self, group: SandboxGroup, limits: GroupLimits) -> bool:
        for name, value in limits.settings.items():
            try:
                self.files.write(group.folder / name, value)
            except OSError:
                if name in _REQUIRED:
                    return False
        return True


_taking = threading.Lock()


def find_delegation(
    files: GroupFiles | None = None,
    *,
    mounts: Path = Path("/proc/self/mountinfo"),
    own: Path = Path("/proc/self/cgroup"),
    take: bool = True,
) -> Delegation | str:
    """Find the groups that were delegated to the grader, and make groups with limits possible there.

    Args:
        files: The file system.
        mounts: File with the mounts that this process sees.
        own: File that names the group of this process.
        take: Whether to move processes and to turn on controllers; otherwise only look.

    Returns:
        The delegation, or the reason why there is none.
    """
    files = files or GroupFiles()
    try:
        mounted = mounts.read_text(encoding="utf-8")
        folder, name = _own_folder(mounted, own.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return str(error) if isinstance(error, ValueError) else "the control groups of this process cannot be read"
    if folder.name == _OWN_GROUP:
        folder, name = folder.parent, str(Path(name).parent)
    try:
        if reason := _refusal(files, folder, name):
            return f"{reason}, as version 1 has it" if "no controller" in reason and " - cgroup " in mounted else reason
        if take:
            with _taking:
                _take(files, folder)
    except OSError as error:
        return f"the control group {folder} cannot be used ({error.strerror or error})"
    return Delegation(folder, files)


def _own_folder(mounts: str, own: str) -> tuple[Path, str]:
    """Find the folder of this process's group, and the group's name.

    Raises:
        ValueError: There is none.
    """
    kinds: dict[str, tuple[str, str]] = {}
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith(("cgroup2 ", "cgroup ")):
            fields = before.split()
            kinds.setdefault(after.split()[0], (fields[3], fields[4]))
    name = next((line[3:] for line in own.splitlines() if line.startswith("0::/")), None)
    if "cgroup2" not in kinds or name is None:
        version_1 = "; it has only version 1" if "cgroup" in kinds else ""
        message = f"this machine has no control groups of version 2{version_1}"
        raise ValueError(message)
    root, place = kinds["cgroup2"]
    inner = Path(name)
    if not inner.is_relative_to(root):
        message = "the control group of this process is not visible here"
        raise ValueError(message)
    return Path(place) / inner.relative_to(root), name


def _refusal(files: GroupFiles, folder: Path, name: str) -> str:
    """Return the reason why the grader must not or cannot use a group; empty if it can."""
    available = files.read(folder / "cgroup.controllers").split()
    missing = [controller for controller in CONTROLLERS if controller not in available]
    if missing:
        return f"the control group {folder} has no controller {', '.join(missing)}"
    paths = (folder, folder / "cgroup.procs", folder / "cgroup.subtree_control")
    if not all(map(files.is_writable, paths)):
        return f"the control group {folder} is read-only"
    if name == "/" or files.is_marked(folder):
        return ""
    if _UNIT.fullmatch(folder.name) and not _TRANSIENT_SCOPE.fullmatch(folder.name):
        return f"the control group {folder} is not delegated"
    strangers = set(_pids(files, folder)) - _kin()
    return f"other programs are in the control group {folder}" if strangers else ""


def _kin() -> set[int]:
    """List this process with its ancestors and descendants."""
    own = psutil.Process()
    with suppress(psutil.Error):
        return {own.pid, *(one.pid for one in (*own.parents(), *own.children(recursive=True)))}
    return {own.pid}


def _take(files: GroupFiles, folder: Path) -> None:
    """Move all processes of a group one level down, and turn on its controllers.

    Raises:
        OSError: Linux refuses it.
    """
    wanted = set(CONTROLLERS) - set(files.read(folder / "cgroup.subtree_control").split())
    if not wanted:
        return
    if (folder / "cgroup.type").exists():  # not the machine's root, which may have processes
        leaf = folder / _OWN_GROUP
        with suppress(FileExistsError):
            files.make(leaf)
        for _ in range(_ROUNDS):
            pids = _pids(files, folder)
            for pid in pids:
                with suppress(ProcessLookupError):
                    files.write(leaf / "cgroup.procs", str(pid))
            if not pids:
                break
    files.write(folder / "cgroup.subtree_control", " ".join(f"+{name}" for name in sorted(wanted)))
    with suppress(OSError):
        files.write(folder / _OWN_GROUP / "cpu.weight", str(_OWN_WEIGHT))


def _pids(files: GroupFiles, folder: Path) -> list[int]:
    """List the processes of a group; a process outside of this pid namespace is 0."""
    with suppress(OSError):
        return [int(word) for word in files.read(folder / "cgroup.procs").split() if word.isdigit()]
    return []


def _groups(folder: Path) -> Iterator[Path]:
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield Path(entry.path)


def _remove_tree(files: GroupFiles, folder: Path) -> bool:
    """Remove a group and those below it; return whether it is gone."""
    for below in _groups(folder):
        _remove_tree(files, below)
    try:
        files.remove(folder)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
