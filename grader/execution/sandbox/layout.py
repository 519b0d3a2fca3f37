"""The folders of one execution: where they are on this machine, and what the sandbox calls them."""

import functools
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grader.execution.sandbox.bubblewrap import SYSTEM_FOLDERS
from grader.execution.sandbox.isolation import Binds, Isolation, Mount
from grader.schema.errors import NotebookError, SandboxError

__all__ = [
    "SOCKET_PATH_BYTES",
    "Layout",
    "copy_submission",
    "digest_files",
    "make_layout",
    "masks",
    "python_mounts",
    "python_versions",
    "secret_folders",
]

SOCKET_PATH_BYTES = 107
"""Longest path of a Unix socket on Linux."""
_ASK_SECONDS = 30.0
_DEEPEST = 64
"""Folders within folders of a submission."""
_SKIPPED = frozenset({".git", ".ipynb_checkpoints", "__pycache__", ".venv", "node_modules"})
_HOME = Path("/home/student")
_INNER = {
    "work": _HOME / "submission",
    "out": Path("/record"),
    "code": Path("/grader"),
    "data": Path("/data"),
    "given": Path("/given"),
}
_INSIDE = Path(__file__).resolve().parents[2] / "inside"
_PREFIXES = "import json, sys; print(json.dumps([sys.prefix, sys.base_prefix, sys.exec_prefix, sys.executable]))"

_VERSIONS = """\
import importlib.metadata, json, platform, sys
found = {"python": platform.python_version()}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        continue
print(json.dumps(found))
"""


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders of one sandbox."""

    scratch: Path
    """Everything below is made here, on this machine."""
    moved: bool
    """Whether the sandbox has names of its own for the folders."""
    data: Path | None = None
    """The data sets, read-only."""
    datasets: tuple[str, ...] | None = None
    """Which of them are seen; None for all."""
    elsewhere: Mapping[str, Path] = field(default_factory=dict)
    """Data sets that lie in another folder, each with its own."""

    @property
    def work(self) -> Path:
        """The submission's own copy; the kernel's working folder."""
        return self.scratch / "work"

    @property
    def out(self) -> Path:
        """Where the recorder (or the predictor) writes."""
        return self.scratch / "out"

    @property
    def code(self) -> Path:
        """`inside/` and the session or request file; read-only in the sandbox."""
        return self.scratch / "code"

    @property
    def given(self) -> Path:
        """Copies of the models and images for the predictor; read-only in the sandbox."""
        return self.scratch / "given"

    @property
    def home(self) -> Path:
        """The home folder where it cannot be kept in memory."""
        return self.scratch / "home"

    @property
    def tmp(self) -> Path:
        """The folder for temporary files where it cannot be kept in memory."""
        return self.scratch / "tmp"

    @property
    def log(self) -> Path:
        """What the sandboxed program writes to its standard streams."""
        return self.scratch / "kernel.log"

    @property
    def written(self) -> tuple[Path, ...]:
        """What the sandbox can fill on this machine's disk."""
        return (self.work, self.out, self.home, self.tmp, self.log)

    def inner(self, name: str) -> Path:
        """Say what the sandbox calls `work`, `out`, `code`, `given` or `data`."""
        if self.moved:
            return _INNER[name]
        if name == "data" and self.data is not None and not self.elsewhere:
            return self.data
        return self.scratch / name

    def environment(self, python: Path, env: dict[str, str]) -> dict[str, str]:
        """Return the whole environment of the sandbox: a short list, to which the given variables are added."""
        home, tmp = (_HOME, Path("/tmp")) if self.moved else (self.home, self.tmp)  # noqa: S108 — the sandbox's own
        return {
            "PATH": f"{python.parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(home),
            "TMPDIR": str(tmp),
            "USER": "student",
            "LOGNAME": "student",
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(self.inner("code")),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONNOUSERSITE": "1",
            **env,
        }

    def binds(self, python: Path, extra: Iterable[Mount] = (), *, devices: tuple[Path, ...] = ()) -> Binds:
        """List what the sandbox sees.

        Args:
            python: The Python that runs inside.
            extra: Further mounts, after all others.
            devices: Device nodes.
        """
        own = [Mount(self.code, self.inner("code")), Mount(self.out, self.inner("out"), writable=True)]
        if self.work.exists():
            own.append(Mount(self.work, self.inner("work"), writable=True))
        own += self._data_mounts()
        mounts = (*python_mounts(python), *own, *extra)
        home = Mount(self.home, _HOME if self.moved else self.home, writable=True)
        tmp = Mount(self.tmp, Path("/tmp") if self.moved else self.tmp, writable=True)  # noqa: S108 — the sandbox's own
        return Binds(mounts, home=home, tmp=tmp, masked=masks(mounts, secret_folders(mounts)), devices=devices)

    def _data_mounts(self) -> list[Mount]:
        """The named data sets and no other: the rest of a store may be another course's."""
        if self.data is None:
            return []
        if self.datasets is None:
            return [Mount(self.data, self.inner("data"))]
        return [Mount(folder, self.inner("data") / name) for name, folder in self.data_folders()]

    def data_folders(self) -> Iterator[tuple[str, Path]]:
        """The named data sets that there are, each with its folder on this machine."""
        for name in self.datasets or ():
            folder = self.elsewhere.get(name, self.data / name if self.data else None)
            if folder is not None and folder.is_dir():
                yield name, folder


def make_layout(  # noqa: PLR0913 - the folders of one execution, each by its name
    scratch: Path,
    isolation: Isolation,
    *,
    data: Path | None = None,
    datasets: tuple[str, ...] | None = None,
    elsewhere: Mapping[str, Path] | None = None,
    work: bool = True,
) -> Layout:
    """Make the folders of one execution and copy `inside/` to where the sandbox will import it from.

    It is copied, not mounted in place, so that nothing else of the grader comes within reach of an import.

    Args:
        scratch: An empty or missing folder.
        isolation: Decides what the sandbox calls the folders.
        data: The data sets' folder on this machine.
        datasets: Which of them the sandbox sees; all by default.
        elsewhere: Those of them that lie in another folder, each with its own.
        work: Whether there is a folder for a submission.

    Raises:
        SandboxError: The folders cannot be made, or there is something in them.
    """
    apart = {name: folder.resolve() for name, folder in (elsewhere or {}).items()}
    layout = Layout(scratch.resolve(), isolation.moves_paths, data.resolve() if data else None, datasets, apart)
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        if any(scratch.iterdir()):
            message = "the folder for one execution is not empty"
            raise SandboxError(message, where=str(scratch))
        for folder in (layout.out, layout.home, layout.tmp, *([layout.work] if work else [])):
            folder.mkdir()
        if apart and not layout.moved:
            # Without mounts, links bring the data sets together.
            layout.inner("data").mkdir()
            for name, folder in layout.data_folders():
                (layout.inner("data") / name).symlink_to(folder)
        shutil.copytree(_INSIDE, layout.code / "inside", ignore=shutil.ignore_patterns("__pycache__"))
        layout.code.chmod(0o755)
    except OSError as error:
        message = f"the folders of an execution cannot be made: {error}"
        raise SandboxError(message, where=str(scratch)) from error
    return layout


def copy_submission(source: Path, target: Path, *, max_bytes: int = 1 << 30, max_files: int = 10_000) -> None:
    """Copy a submission's files; links and everything that is not a plain file are left out.

    Args:
        source: The folder as it was handed in; it is only read.
        target: An existing, empty folder.
        max_bytes: Together.
        max_files: Together.

    Raises:
        NotebookError: There is more than that.
        SandboxError: It cannot be read or written.
    """
    left_bytes, left_files = max_bytes, max_files
    waiting = [Path()]
    try:
        while waiting:
            inner = waiting.pop()
            folders, files = _listed(source / inner, left_files)
            place = target / inner
            place.mkdir(parents=True, exist_ok=True)
            for name in files:
                left_bytes -= _copy_plain(source / inner / name, place / name, left_bytes)
                _refuse_too_much(source, left_bytes, max_bytes, max_files)
            left_files -= len(files) + len(folders)
            if left_files < 0 or len(inner.parts) > _DEEPEST:
                _refuse_too_much(source, -1, max_bytes, max_files)
            waiting += [inner / name for name in reversed(folders)]
    except OSError as error:
        message = f"the submission's files cannot be copied: {error}"
        raise SandboxError(message, where=str(source)) from error


def digest_files(folder: Path, *, max_bytes: int = 1 << 30, max_files: int = 10_000) -> str:
    """Digest what `copy_submission` would copy: names and contents.

    Args:
        folder: The folder as it was handed in.
        max_bytes: As for `copy_submission`; beyond it only what was found by then is told from another.
        max_files: The same.

    Raises:
        SandboxError: It cannot be read.
    """
    digest = hashlib.sha256()
    waiting, left_bytes, left_files = [Path()], max_bytes, max_files
    try:
        while waiting and left_bytes >= 0 and left_files >= 0:
            inner = waiting.pop()
            folders, files = _listed(folder / inner, left_files)
            for name in files:
                path = folder / inner / name
                left_bytes -= path.lstat().st_size
                content = _digest_plain(path) if left_bytes >= 0 else b""
                digest.update(repr((str(inner / name), content)).encode())
            left_files -= len(files) + len(folders)
            waiting += [inner / name for name in reversed(folders)]
    except OSError as error:
        message = f"the submission's files cannot be read: {error}"
        raise SandboxError(message, where=str(folder)) from error
    return digest.hexdigest()


def _digest_plain(path: Path) -> bytes:
    """Digest one plain file; a link, a pipe or a device, which is not copied either, has none."""
    if not stat.S_ISREG(path.lstat().st_mode):
        return b""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _listed(folder: Path, most: int) -> tuple[list[str], list[str]]:
    """Names of the folders and files that count, one more than allowed at most."""
    folders: list[str] = []
    files: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink() or entry.name in _SKIPPED:
                continue
            (folders if entry.is_dir() else files).append(entry.name)
            if len(folders) + len(files) > most:
                break
    return sorted(folders), sorted(files)


def _refuse_too_much(source: Path, left: int, max_bytes: int, max_files: int) -> None:
    if left < 0:
        message = f"the submission has more than {max_bytes >> 20} MiB or {max_files:,} files and folders, "
        message += f"or folders more than {_DEEPEST} deep"
        raise NotebookError(message, where=str(source), advice="hand in only what the notebook needs")


def python_mounts(python: Path) -> tuple[Mount, ...]:
    """List the read-only folders that a Python needs, each under the name it is known by and under its real one.

    Raises:
        SandboxError: It is not a Python that runs.
    """
    found: dict[Path, Mount] = {}
    for folder in _prefixes(str(python)):
        for target in (folder, folder.resolve()):
            if not any(target.is_relative_to(system) for system in map(Path, SYSTEM_FOLDERS)):
                found.setdefault(target, Mount(folder.resolve(), target))
    # A folder before those inside it, or it would lie over them.
    return tuple(mount for _, mount in sorted(found.items()))


def secret_folders(mounts: Iterable[Mount] = ()) -> tuple[Path, ...]:
    """List the grader's own folders, with rubrics and solutions, that no sandbox may see.

    An editable installation leaves its shared files in site-packages while the code stays in the project, and a
    course's own Python may have a grader of its own, so every mounted Python is looked into as well.

    Args:
        mounts: What the sandbox sees; the system's folders are added.
    """
    package = Path(__file__).resolve().parents[2]
    project = package.parent
    found = [package]
    if (project / "pyproject.toml").is_file():
        names = ("rubrics", "reference", "templates", "examples", "tests")
        found += [project / name for name in names if (project / name).is_dir()]
    roots = {mount.source for mount in mounts} | {Path("/usr"), Path("/usr/local")}
    for root in sorted(roots):
        for folder in root.glob("lib*/python3*/*-packages/grader"):
            if (folder / "_share").is_dir() or (folder / "inside").is_dir():
                found.append(folder.resolve())
    return tuple(dict.fromkeys(found))


def masks(mounts: Iterable[Mount], secrets: Iterable[Path]) -> tuple[Path, ...]:
    """Find the secret folders that a mount would show.

    Args:
        mounts: What the sandbox sees; the system's folders are added.
        secrets: Real paths on this machine.

    Returns:
        The folders as the sandbox would name them.
    """
    system = [Mount(folder.resolve(), folder) for folder in map(Path, SYSTEM_FOLDERS) if folder.is_dir()]
    shown = [
        mount.target / secret.relative_to(mount.source.resolve())
        for secret in secrets
        for mount in (*system, *mounts)
        if secret.is_relative_to(mount.source.resolve())
    ]
    return tuple(dict.fromkeys(shown))


@functools.lru_cache(maxsize=16)
def _prefixes(python: str) -> tuple[Path, ...]:
    if python == sys.executable:
        found = [sys.prefix, sys.base_prefix, sys.exec_prefix, sys.executable]
    else:
        found = _ask(python, _PREFIXES)
    *prefixes, executable = (Path(path) for path in found)
    # A chain of links to the executable may leave the prefix.
    real = executable.resolve().parent.parent
    return tuple(dict.fromkeys((*prefixes, real)))


def python_versions(python: Path, names: Iterable[str]) -> dict[str, str]:
    """Tell the version of a Python itself, as `python`, and of those of some packages that are installed for it.

    Args:
        python: The Python that runs notebooks.
        names: Of packages.

    Raises:
        SandboxError: It is not a Python that runs.
    """
    return dict(_versions(str(python), tuple(names)))


@functools.lru_cache(maxsize=16)
def _versions(python: str, names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    found = _ask(python, _VERSIONS, *names)
    return tuple((str(name), str(version)) for name, version in found.items())


def _ask(python: str, code: str, *words: str) -> Any:
    """Ask a Python, outside the sandbox and in isolated mode, for JSON: the instructor named it for the course.

    Raises:
        SandboxError: It is not a Python that runs.
    """
    try:
        asked = subprocess.run(
            [python, "-I", "-c", code, *words], capture_output=True, text=True, timeout=_ASK_SECONDS, check=True
        )
        return json.loads(asked.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        message = f"{python} is not a Python that runs: {error}"
        raise SandboxError(message, where="run.kernel", advice="name a Python that has ipykernel") from error


def _copy_plain(source: Path, target: Path, room: int) -> int:
    """Copy one plain file and return its size; 0 for a link, a pipe or a device, which is left out."""
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        if source.is_symlink():
            return 0
        raise
    with os.fdopen(descriptor, "rb") as reader:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            return 0
        if facts.st_size <= room:
            with target.open("wb") as writer:
                shutil.copyfileobj(reader, writer)
        return facts.st_size
