"""Run a reader on one document, and find everything that it must not do.

A reader returns or raises an error that its callers expect. It takes a bounded time and memory, and it changes and
reads nothing outside its own folder.
"""

import os
import resource
import shutil
import signal
import sys
import sysconfig
import tempfile
import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from grader.schema.errors import GraderError
from tests.fuzz.target import SHARED_FOLDERS, Target

__all__ = ["CPU_SECONDS", "MEMORY", "Finding", "examine"]

CPU_SECONDS = 2.0
"""Processor time that a reader may take for one document."""
MEMORY = 200 << 20
"""Bytes by which the process may grow for one document."""

_ROOT = Path(__file__).resolve().parents[2]
_READABLE = tuple(
    f"{os.path.realpath(path)}{os.sep}"
    for path in {
        str(_ROOT),
        sys.prefix,
        sys.base_prefix,
        *sysconfig.get_paths().values(),
        *filter(os.path.isdir, sys.path),
        "/usr",
        "/proc",
        "/sys",
        "/dev",
        "/etc",
    }
)
"""Folders with code and settings of this machine, which any program reads."""
_CHANGES = {
    "os.remove": 1,
    "os.rmdir": 1,
    "os.mkdir": 1,
    "os.rename": 2,
    "os.link": 2,
    "os.symlink": 2,
    "os.truncate": 1,
    "os.chmod": 1,
    "os.chown": 1,
}
"""Audit event → number of its arguments that are changed paths."""
_FORBIDDEN = {"os.system", "os.exec", "os.posix_spawn", "pickle.find_class", "marshal.loads", "socket.connect"}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@dataclass(frozen=True)
class Finding:
    """A thing that a reader must not do."""

    kind: str
    """`exception`, `time`, `memory`, `effect` (outside of its folder, or an open file) or `warning`."""
    detail: str
    """The exception and its place, or what was touched; equal findings have equal details."""
    trace: str = ""


class _TooSlowError(BaseException):
    """The reader took too long; no reader catches it."""


class _Watch:
    """The accesses of a running reader. The audit hook cannot be removed, so there is one for all runs."""

    def __init__(self) -> None:
        self.folder: str | None = None
        """The reader's own folder; None while none runs."""
        self.commands: frozenset[str] = frozenset()
        self.thread = 0
        self.touched: list[str] = []
        self._hooked = False

    def hook(self) -> None:
        if not self._hooked:
            self._hooked = True
            sys.addaudithook(self._heard)

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.folder is None or (event != "open" and not event.startswith(("os.", "socket.", "subprocess", "pick"))):
            return
        folder, self.folder = self.folder, None  # the checks below touch files, too
        try:
            self._judge(event, arguments, folder)
        finally:
            self.folder = folder

    def _judge(self, event: str, arguments: tuple[Any, ...], folder: str) -> None:
        if event == "open":
            path, mode, flags = arguments
            writes = bool(flags & _WRITES) if isinstance(flags, int) else bool({*str(mode)} & {*"wax+"})
            self._path(path, folder, "writes" if writes else "reads")
        elif event in _CHANGES:
            for path in arguments[: _CHANGES[event]]:
                self._path(path, folder, event)
        elif event == "subprocess.Popen":
            if os.path.basename(os.fsdecode(arguments[0])) not in self.commands:  # noqa: PTH119 - only a name
                self.touched.append(f"runs {arguments[0]!r}")
        elif event in _FORBIDDEN:
            self.touched.append(f"{event} {str(arguments)[:100]}")

    def _path(self, path: object, folder: str, what: str) -> None:
        if not isinstance(path, str | bytes | os.PathLike):
            return
        text = os.fsdecode(path)
        if not text.startswith(os.sep):  # relative to an open folder of the reader's own, or to its working folder
            return
        real = f"{os.path.realpath(text)}{os.sep}"
        if real.startswith(folder) or text == os.devnull or "__pycache__" in text:
            return
        if what == "reads" and real.startswith((*_READABLE, *SHARED_FOLDERS)) and "/etc/passwd" not in real:
            return
        self.touched.append(f"{what} {text[:200]}")


_WATCH = _Watch()


def examine(target: Target, document: bytes, folder: Path, *, slower: float = 1.0) -> Finding | None:
    """Give a document to a reader, and find what it must not do.

    Args:
        target: The reader.
        document: The document.
        folder: An empty folder for the reader; it is empty again afterwards.
        slower: Factor for the time, such as for code that also counts what it covers.

    Returns:
        The first finding; None if the reader behaves.
    """
    own = folder / "own"
    own.mkdir()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        with _watched(target, own, CPU_SECONDS * slower) as fired:
            finding = _run(target, document, own)
    except _TooSlowError:
        finding, fired = None, [True]
    finally:
        shutil.rmtree(own, ignore_errors=True)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
    if any(fired):
        return Finding("time", f"more than {CPU_SECONDS:g} s of processor time")
    if finding is None and grown > MEMORY:
        return Finding("memory", f"more than {MEMORY >> 20} MiB")
    if finding is None and _WATCH.touched:
        return Finding("effect", _WATCH.touched[0])
    return finding


def _run(target: Target, document: bytes, own: Path) -> Finding | None:
    expected: tuple[type[BaseException], ...] = (GraderError, *target.raises)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            target.run(document, own)
        except expected:
            return None
        except Exception as error:  # noqa: BLE001 - exactly these are the findings
            return _finding(error)
    return None


def _finding(error: Exception) -> Finding:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if f"{os.sep}grader{os.sep}" in frame.filename] or frames
    place = f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else ""
    kind = "warning" if isinstance(error, Warning) else "exception"
    # A trace of a thousand frames helps nobody.
    text = "".join(traceback.format_exception(error, limit=-30))
    return Finding(kind, f"{type(error).__name__} at {place}", text[-6000:])


@contextmanager
def _watched(target: Target, own: Path, seconds: float) -> Iterator[list[bool]]:
    """Watch files, and the processor time of this process; yield a list that is not empty if it took too long."""
    fired: list[bool] = []

    def too_slow(_number: int, _frame: FrameType | None) -> None:
        fired.append(True)
        raise _TooSlowError

    def left_behind(what: "sys.UnraisableHookArgs") -> None:
        _WATCH.touched.append(f"leaves {what.exc_value!r}"[:100])

    main = threading.current_thread() is threading.main_thread()
    temporary, tempfile.tempdir = tempfile.tempdir, str(own)
    here = Path.cwd()
    os.chdir(own)
    _WATCH.hook()
    earlier_hook, sys.unraisablehook = sys.unraisablehook, left_behind
    _WATCH.touched = []
    _WATCH.commands = target.commands
    earlier = signal.signal(signal.SIGPROF, too_slow) if main else None
    if main:
        signal.setitimer(signal.ITIMER_PROF, seconds)
    _WATCH.folder = f"{os.path.realpath(own)}{os.sep}"
    try:
        yield fired
    finally:
        _WATCH.folder = None
        sys.unraisablehook = earlier_hook
        if main:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, earlier)
        os.chdir(here)
        tempfile.tempdir = temporary
