"""An imitation of Linux's file system of control groups, in an ordinary folder."""

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path

from grader.execution.sandbox.cgroups import GroupFiles

__all__ = ["FakeGroups"]

_MADE = {
    "cgroup.controllers": "",
    "cgroup.events": "populated 0\nfrozen 0\n",
    "cgroup.kill": "",
    "cgroup.procs": "",
    "cgroup.subtree_control": "",
    "cgroup.type": "domain\n",
    "cpu.stat": "usage_usec 0\n",
}
_OF_CONTROLLER = {
    "memory": {
        "memory.current": "0\n",
        "memory.events": "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n",
        "memory.events.local": "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n",
        "memory.max": "max\n",
        "memory.oom.group": "0\n",
        "memory.peak": "0\n",
        "memory.stat": "anon 0\nactive_file 0\ninactive_file 0\nslab_reclaimable 0\n",
    },
    "pids": {"pids.max": "max\n", "pids.events": "max 0\n"},
    "cpu": {"cpu.weight": "100\n", "cpu.max": "max 100000\n"},
}


@dataclass
class FakeGroups(GroupFiles):
    """Groups below a folder, with the kernel's rules about processes and controllers.

    It does not limit anything; tests write what the kernel would have counted.
    """

    top: Path
    """Folder where the groups are "mounted"."""
    own: str = "/"
    """Name of the group of this process."""
    marked: frozenset[str] = frozenset()
    """Names of delegated groups."""
    closed: frozenset[str] = frozenset()
    """Names of groups that may not be written."""
    missing: frozenset[str] = frozenset()
    """Files that this version of Linux does not have."""
    killed: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make the top group and this process's group."""
        self.top.mkdir()
        self._fill(self.top, ("memory", "pids", "cpu"))
        folder = self.top
        for part in Path(self.own).parts[1:]:
            (folder / "cgroup.subtree_control").write_text("memory pids cpu\n")
            folder /= part
            self.make(folder)
        (folder / "cgroup.procs").write_text(f"{os.getpid()}\n")
        self.mounts = self.top.parent / "mountinfo"
        self.mounts.write_text(f"41 31 0:38 / {self.top} rw,relatime - cgroup2 cgroup2 rw\n")
        self.named = self.top.parent / "own"
        self.named.write_text(f"1:name=systemd:/\n0::{self.own}\n")

    @property
    def folder(self) -> Path:
        """The group of this process at the start."""
        return self.top / self.own.strip("/")

    def make(self, folder: Path) -> None:
        """Make a group with the kernel's files."""
        folder.mkdir()
        self._fill(folder, (folder.parent / "cgroup.subtree_control").read_text().split())

    def remove(self, folder: Path) -> None:
        """Remove a group; refuse it while it has processes or groups below it."""
        if (folder / "cgroup.procs").read_text().split() or any(one.is_dir() for one in folder.iterdir()):
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()

    def write(self, path: Path, text: str) -> None:
        """Write a file, with the kernel's effects."""
        folder = path.parent
        if path.name in self.missing or not path.exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        if path.name == "cgroup.procs":
            self._move(text, folder)
        elif path.name == "cgroup.subtree_control":
            self._turn_on(folder, text.split())
        elif path.name == "cgroup.kill":
            self.killed.append(folder)
            self._set(folder, [])
        else:
            path.write_text(f"{text}\n")

    def read(self, path: Path) -> str:
        """Read a file."""
        if path.name in self.missing:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return super().read(path)

    def is_writable(self, path: Path) -> bool:
        """Tell whether a test closed the group."""
        folder = path if path.is_dir() else path.parent
        return f"/{folder.relative_to(self.top)}" not in self.closed

    def is_marked(self, folder: Path) -> bool:
        """Tell whether a test marked the group."""
        return f"/{folder.relative_to(self.top)}" in self.marked

    def _fill(self, folder: Path, controllers: "list[str] | tuple[str, ...]") -> None:
        for name, content in _MADE.items():
            (folder / name).write_text(content)
        (folder / "cgroup.controllers").write_text(" ".join(controllers) + "\n")
        for controller in controllers:
            for name, content in _OF_CONTROLLER[controller].items():
                (folder / name).write_text(content)

    def _move(self, pid: str, folder: Path) -> None:
        if (folder / "cgroup.subtree_control").read_text().split():
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        for procs in self.top.rglob("cgroup.procs"):
            self._set(procs.parent, [one for one in procs.read_text().split() if one != pid])
        self._set(folder, [*(folder / "cgroup.procs").read_text().split(), pid])

    def _set(self, folder: Path, pids: list[str]) -> None:
        (folder / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in pids))
        (folder / "cgroup.events").write_text(f"populated {int(bool(pids))}\nfrozen 0\n")

    def _turn_on(self, folder: Path, words: list[str]) -> None:
        if (folder / "cgroup.procs").read_text().split():
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        wanted = [word.removeprefix("+") for word in words]
        if set(wanted) - set((folder / "cgroup.controllers").read_text().split()):
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        (folder / "cgroup.subtree_control").write_text(" ".join(wanted) + "\n")
