"""The folders of one execution, with their paths on this machine and inside the sandbox."""

import compileall
import functools
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from grader.execution.sandbox.bubblewrap import SYSTEM_FOLDERS
from grader.execution.sandbox.isolation import Binds, Isolation, Mount
from grader.facts.file_modes import sandbox_mode
from grader.facts.refusal import refusal
from grader.schema.errors import SandboxError
from grader.schema.message import say

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
"""Maximum length of a Unix socket's path on Linux."""
_ASK_SECONDS = 30.0
_DEEPEST = 64
"""Maximum depth of a submission's folders."""
_SKIPPED = frozenset({".git", ".ipynb_checkpoints", "__pycache__", ".venv", "node_modules"})
_COMPILED = "__pycache__"
_ENVIRONMENT = "pyvenv.cfg"
"""File of a virtual environment, whose packages the kernel cannot use."""
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
    """Parent of the folders on this machine."""
    moved: bool
    """Whether the folders have other paths inside the sandbox."""
    data: Path | None = None
    """The data sets' folder, read-only."""
    datasets: tuple[str, ...] | None = None
    """Names of the visible data sets; None for all."""
    elsewhere: Mapping[str, Path] = field(default_factory=dict)
    """Data set → its folder, for data sets outside `data`."""
    notebook: PurePosixPath = field(default_factory=PurePosixPath)
    """Folder of the notebook relative to the submission; the kernel's working folder."""
    shares_code: bool = False
    """Whether the sandbox sees the installed `inside/` instead of a copy."""

    @property
    def work(self) -> Path:
        """Copy of the submission."""
        return self.scratch / "work"

    @property
    def folder(self) -> Path:
        """The notebook's folder in the copy of the submission."""
        return self.work / self.notebook

    @property
    def course(self) -> Path:
        """Copies of the course's files, as they are placed next to the notebook; read-only in the sandbox."""
        return self.scratch / "course"

    @property
    def input(self) -> Path:
        """Writable folder for `/kaggle/input`."""
        return self.scratch / "input"

    @property
    def out(self) -> Path:
        """Output folder of the recorder or the predictor."""
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
        """The home folder, if it cannot be kept in memory."""
        return self.scratch / "home"

    @property
    def tmp(self) -> Path:
        """The folder for temporary files, if it cannot be kept in memory."""
        return self.scratch / "tmp"

    @property
    def log(self) -> Path:
        """Standard output and standard error of the sandboxed program."""
        return self.scratch / "kernel.log"

    @property
    def written(self) -> tuple[Path, ...]:
        """Files and folders on this machine's disk that the sandbox can fill."""
        return (self.work, self.input, self.out, self.home, self.tmp, self.log)

    @property
    def cwd(self) -> Path:
        """The kernel's working folder inside the sandbox."""
        return self.inner("work") / self.notebook

    def inner(self, name: str) -> Path:
        """Return the path of `work`, `out`, `code`, `given` or `data` inside the sandbox."""
        if self.moved:
            return _INNER[name]
        if name == "data" and self.data is not None and not self.elsewhere:
            return self.data
        return self.scratch / name

    def environment(self, python: Path, env: dict[str, str]) -> dict[str, str]:
        """Return the complete environment of the sandbox: some standard variables and those in `env`."""
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
        """List the files, folders and devices that the sandbox sees.

        Args:
            python: The Python inside the sandbox.
            extra: Further mounts, after all others.
            devices: Device nodes.
        """
        own = [Mount(self.code, self.inner("code")), Mount(self.out, self.inner("out"), writable=True)]
        if self.shares_code:
            own.append(Mount(_INSIDE, self.inner("code") / "inside"))
        if self.work.exists():
            own.append(Mount(self.work, self.inner("work"), writable=True))
            own += self._platform_mounts()
        own += self._data_mounts()
        mounts = (*python_mounts(python), *own, *extra)
        home = Mount(self.home, _HOME if self.moved else self.home, writable=True)
        tmp = Mount(self.tmp, Path("/tmp") if self.moved else self.tmp, writable=True)  # noqa: S108 — the sandbox's own
        return Binds(mounts, home=home, tmp=tmp, masked=masks(mounts, secret_folders(mounts)), devices=devices)

    def _platform_mounts(self) -> list[Mount]:
        """Mount the folders of Colab and Kaggle. A notebook there runs in `/content` or `/kaggle/working`."""
        if not self.moved:
            return []
        folders = {"/content": self.folder, "/kaggle/working": self.folder, "/kaggle/input": self.input}
        return [Mount(folder, Path(name), writable=True) for name, folder in folders.items()]

    @property
    def notebook_folders(self) -> tuple[Path, ...]:
        """The paths of the notebook's folder inside the sandbox."""
        return (self.cwd, Path("/content"), Path("/kaggle/working")) if self.moved else (self.cwd,)

    def _data_mounts(self) -> list[Mount]:
        """Mount only the named data sets, since the store may also have the data sets of other courses."""
        if self.data is None:
            return []
        if self.datasets is None:
            return [Mount(self.data, self.inner("data"))]
        return [Mount(folder, self.inner("data") / name) for name, folder in self.data_folders()]

    def data_folders(self) -> Iterator[tuple[str, Path]]:
        """Yield the named data sets that exist, each with its folder on this machine."""
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
    notebook: PurePosixPath | None = None,
) -> Layout:
    """Make the folders of one execution, with a place for `inside/`, or a copy of it where nothing can be mounted.

    The sandbox sees `inside/` as the only package in a folder, so that it cannot import any other code of the grader.

    Args:
        scratch: An empty or missing folder.
        isolation: Decides the folders' paths inside the sandbox.
        data: The data sets' folder on this machine.
        datasets: Names of the visible data sets; all by default.
        elsewhere: Data set → its folder, for data sets outside `data`.
        work: Whether to make a folder for a submission.
        notebook: Folder of the notebook relative to the submission; the submission's folder by default.

    Raises:
        SandboxError: The folders cannot be made, or `scratch` is not empty.
    """
    other_folders = {name: folder.resolve() for name, folder in (elsewhere or {}).items()}
    data_folder = data.resolve() if data else None
    inner = notebook or PurePosixPath()
    moved = isolation.moves_paths
    shared = moved and _is_shared(_INSIDE)
    layout = Layout(scratch.resolve(), moved, data_folder, datasets, other_folders, inner, shared)
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        if any(scratch.iterdir()):
            message = "the folder for one execution is not empty"
            raise SandboxError(message, where=str(scratch))
        # Without mounts, collect data sets of several folders by links.
        links = [layout.inner("data")] if other_folders and not layout.moved else []
        for folder in (layout.out, layout.home, layout.tmp, *links):
            folder.mkdir()
        for folder in (layout.work / inner, layout.input) if work else ():
            folder.mkdir(parents=True)
        for folder in (path for path in scratch.rglob("*") if path.is_dir()):
            folder.chmod(sandbox_mode(folder=True))
        for place in links:
            for name, folder in layout.data_folders():
                (place / name).symlink_to(folder)
        if layout.shares_code:
            (layout.code / "inside").mkdir(parents=True)
        else:
            shutil.copytree(_INSIDE, layout.code / "inside", ignore=shutil.ignore_patterns(_COMPILED))
        layout.code.chmod(sandbox_mode(folder=True))
    except OSError as error:
        message = f"the folders of an execution cannot be made: {error}"
        raise SandboxError(message, where=str(scratch)) from error
    return layout


_sharing = threading.Lock()


def _is_shared(code: Path) -> bool:
    """Whether every user may read the code; if so, compile it once instead of in each sandbox."""
    with _sharing:  # several sandboxes start at the same time
        return _is_shared_now(code)


@functools.cache
def _is_shared_now(code: Path) -> bool:
    sources = [path for path in code.rglob("*") if _COMPILED not in path.parts]
    for path in (code, *sources):
        needed = stat.S_IROTH | stat.S_IXOTH if path.is_dir() else stat.S_IROTH
        if path.stat().st_mode & needed != needed:
            return False
    if not sys.dont_write_bytecode:
        compileall.compile_dir(code, quiet=2)
    return True


def copy_submission(
    source: Path,
    target: Path,
    *,
    only: Sequence[str] | None = None,
    max_bytes: int = 1 << 30,
    max_files: int = 10_000,
) -> tuple[str, ...]:
    """Copy a submission's regular files; links and special files are left out.

    Args:
        source: The submitted folder; it is only read.
        target: An existing, empty folder.
        only: Relative names of the files to copy; all by default.
        max_bytes: Maximum size of all files together.
        max_files: Maximum number of files and folders.

    Returns:
        Relative names of the special files that were left out: sockets, pipes and devices.

    Raises:
        NotebookError: The submission exceeds a limit.
        SandboxError: A file cannot be read or written.
    """
    left_bytes, left_files = max_bytes, max_files
    waiting = [Path()] if only is None else []
    special: list[str] = []
    try:
        for name in only or ():
            if _is_special(source / name):
                special.append(name)
                continue
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            _copy_plain(source / name, target / name, max_bytes)
        while waiting:
            inner = waiting.pop()
            folders, files = _listed(source / inner, left_files)
            place = target / inner
            place.mkdir(parents=True, exist_ok=True)
            for name in files:
                if _is_special(source / inner / name):
                    special.append(str(inner / name))
                    continue
                left_bytes -= _copy_plain(source / inner / name, place / name, left_bytes)
                _refuse_too_much(source, left_bytes, max_bytes, max_files)
            left_files -= len(files) + len(folders)
            if left_files < 0 or len(inner.parts) > _DEEPEST:
                _refuse_too_much(source, -1, max_bytes, max_files)
            waiting += [inner / name for name in reversed(folders)]
    except OSError as error:
        message = f"the submission's files cannot be copied: {error}"
        raise SandboxError(message, where=str(source)) from error
    return tuple(special)


def _is_special(path: Path) -> bool:
    """Whether a path is a socket, a pipe or a device; a socket cannot even be opened."""
    mode = path.lstat().st_mode
    return not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode))


def digest_files(
    folder: Path, *, only: Sequence[str] | None = None, max_bytes: int = 1 << 30, max_files: int = 10_000
) -> str:
    """Compute a digest of the names and contents that `copy_submission` would copy.

    Args:
        folder: The submitted folder.
        only: As for `copy_submission`.
        max_bytes: As for `copy_submission`; files beyond the limit do not change the digest.
        max_files: As for `copy_submission`; files beyond the limit do not change the digest.

    Raises:
        SandboxError: A file cannot be read.
    """
    digest = hashlib.sha256()
    waiting, left_bytes, left_files = [Path()] if only is None else [], max_bytes, max_files
    try:
        for name in sorted(only or ()):
            digest.update(repr((name, _digest_plain(folder / name))).encode())
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
    """Compute the digest of one regular file; empty for a link, a pipe or a device, which are not copied."""
    if not stat.S_ISREG(path.lstat().st_mode):
        return b""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _listed(folder: Path, most: int) -> tuple[list[str], list[str]]:
    """List the names of folders and files to copy.

    The list ends with one name more than `most`, so that the caller sees that there are too many.
    """
    folders: list[str] = []
    files: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink() or entry.name in _SKIPPED:
                continue
            if entry.is_dir() and (Path(entry.path) / _ENVIRONMENT).is_file():
                continue
            (folders if entry.is_dir() else files).append(entry.name)
            if len(folders) + len(files) > most:
                break
    return sorted(folders), sorted(files)


def _refuse_too_much(source: Path, left: int, max_bytes: int, max_files: int) -> None:
    if left < 0:
        message = say(
            "the submission has more than {limit:size}, more than {files:number} files and folders, or folders more "
            "than {depth:number} levels deep",
            limit=max_bytes,
            files=max_files,
            depth=_DEEPEST,
        )
        raise refusal(message, where=str(source), advice=say("submit only the files that the notebook needs"))


def python_mounts(python: Path) -> tuple[Mount, ...]:
    """List the read-only folders that a Python needs, each by its own path and by its real path.

    Raises:
        SandboxError: The Python does not run.
    """
    mounts: dict[Path, Mount] = {}
    for folder in _prefixes(str(python)):
        for target in (folder, folder.resolve()):
            if not any(target.is_relative_to(system) for system in map(Path, SYSTEM_FOLDERS)):
                mounts.setdefault(target, Mount(folder.resolve(), target))
    # Sort a folder before its subfolders, which it would cover otherwise.
    return tuple(mount for _, mount in sorted(mounts.items()))


def secret_folders(mounts: Iterable[Mount] = ()) -> tuple[Path, ...]:
    """List the grader's folders with rubrics and solutions, which no sandbox may see.

    An editable installation has its shared files in site-packages and its code in the project, and a course's Python
    may contain another grader. So every mounted Python is searched as well.

    Args:
        mounts: The mounts of the sandbox; the system's folders are added.
    """
    package = Path(__file__).resolve().parents[2]
    project = package.parent
    folders = [package]
    if (project / "pyproject.toml").is_file():
        names = ("rubrics", "reference", "templates", "examples", "tests")
        folders += [project / name for name in names if (project / name).is_dir()]
    roots = {mount.source for mount in mounts} | {Path("/usr"), Path("/usr/local")}
    for root in sorted(roots):
        for folder in root.glob("lib*/python3*/*-packages/grader"):
            if (folder / "_share").is_dir() or (folder / "inside").is_dir():
                folders.append(folder.resolve())
    return tuple(dict.fromkeys(folders))


def masks(mounts: Iterable[Mount], secrets: Iterable[Path]) -> tuple[Path, ...]:
    """Find the secret folders that a mount would show.

    Args:
        mounts: The mounts of the sandbox; the system's folders are added.
        secrets: Real paths on this machine.

    Returns:
        The folders' paths inside the sandbox.
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
        paths = [sys.prefix, sys.base_prefix, sys.exec_prefix, sys.executable]
    else:
        paths = _ask(python, _PREFIXES)
    *prefixes, executable = (Path(path) for path in paths)
    # A chain of links to the executable may leave the prefix.
    real = executable.resolve().parent.parent
    return tuple(dict.fromkeys((*prefixes, real)))


def python_versions(python: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the version of a Python, with the key `python`, and the versions of some packages installed for it.

    Args:
        python: The Python that runs notebooks.
        names: Names of packages; packages that are not installed are left out.

    Raises:
        SandboxError: The Python does not run.
    """
    return dict(_versions(str(python), tuple(names)))


@functools.lru_cache(maxsize=16)
def _versions(python: str, names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    versions = _ask(python, _VERSIONS, *names)
    return tuple((str(name), str(version)) for name, version in versions.items())


def _ask(python: str, code: str, *words: str) -> Any:
    """Run code in a Python outside the sandbox, in isolated mode, and parse its JSON output.

    The instructor has chosen this Python, so it is trusted.

    Raises:
        SandboxError: The Python does not run.
    """
    try:
        asked = subprocess.run(
            [python, "-I", "-c", code, *words], capture_output=True, text=True, timeout=_ASK_SECONDS, check=True
        )
        return json.loads(asked.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        message = f"{python} does not run as a Python: {error}"
        raise SandboxError(message, where="run.kernel", advice="choose a Python with ipykernel") from error


def _copy_plain(source: Path, target: Path, room: int) -> int:
    """Copy one regular file and return its size; skip a link, a pipe or a device and return 0."""
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
