"""The results folder: `DIR/<submission>/{grade.json, report.html, executed.ipynb, evidence/}` and the class's pages.

A file appears whole or not at all: it is written beside its place, flushed to the disk, and renamed. What a grader that
was killed meanwhile left beside it is known by its name and removed by the next one (`at_work`).
"""

import ctypes
import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO, TypeVar

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_json

from grader.schema.base import Document
from grader.schema.errors import ArtefactError, StorageError, UsageError
from grader.schema.evidence import EVIDENCE_VERSION, Evidence
from grader.schema.grade import GRADE_VERSION, Grade

__all__ = [
    "STAGING",
    "WRITING",
    "Batch",
    "ResultsFolder",
    "grade_bytes",
    "grade_data",
    "parse_grade",
    "write_atomically",
]

_Kind = TypeVar("_Kind", bound=Document)

_LARGEST_DOCUMENT = 256 << 20
"""Bytes of a kept document that are read back."""
_GRADE = "grade.json"
_REPORT = "report.html"
_EXECUTED = "executed.ipynb"
_EVIDENCE = "evidence"
_EVIDENCE_FILE = "evidence.json"
_HEAD = 8192
_RUBRIC_ID = re.compile(rb'\n "rubric": \{\n  "id": ("[^"\n]*"),')
"""Where `grade.json` names its rubric. What a student chose stands before it in strings, where a line break is
escaped."""
WRITING = ".writing-"
FILLING = ".evidence-"
STAGING = ".attempts-"
"""Beginnings of the names of what is not yet in its place: files, and folders of evidence and of attempts."""
_ATTEMPTS = "attempts"


@contextmanager
def _writing(place: Path) -> Iterator[None]:
    """Turn what goes wrong with the disk into the grader's own error."""
    try:
        yield
    except OSError as error:
        reason = "the disk is full" if error.errno in {errno.ENOSPC, errno.EDQUOT} else (error.strerror or str(error))
        msg = f"cannot write: {reason}"
        raise StorageError(msg, where=str(place)) from error


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that there is the old one or the whole new one, whatever happens.

    Args:
        path: Where it goes; folders above it are made.
        content: All of it.

    Raises:
        StorageError: The disk is full or may not be written; nothing half-written stays behind.
    """
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=WRITING)
        staging = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            staging.chmod(0o644)
            staging.replace(path)
        finally:
            staging.unlink(missing_ok=True)
        _sync_folder(path.parent)


class Batch:
    """Many files written at once: each appears whole or not at all, and the disk is waited for once, not for each.

    A file is written beside its place under one name for all attempts, so that a killed batch leaves nothing that the
    next one does not write over. `commit` flushes them all together and then renames them in the order they were
    added: of two files of which the second tells that the first is done, the first is there.
    """

    def __init__(self, root: Path) -> None:
        """Begin one.

        Args:
            root: Any folder of the file system that the files are on.
        """
        self._root = root
        self._files: dict[Path, Path] = {}

    def add(self, path: Path, content: bytes | str) -> None:
        """Write a file beside its place.

        Raises:
            StorageError: The disk is full or may not be written.
        """
        staging = path.with_name(f"{WRITING}{path.name}")
        with _writing(path):
            staging.write_bytes(_encoded(content))
        self._files[path] = staging

    @contextmanager
    def opened(self, path: Path) -> Iterator[TextIO]:
        """Open a text file beside its place, for what is too long to be in memory; line ends stay as they are.

        Raises:
            StorageError: The disk is full or may not be written.
        """
        staging = path.with_name(f"{WRITING}{path.name}")
        with _writing(path), staging.open("w", encoding="utf-8", errors="replace", newline="") as file:
            yield file
        self._files[path] = staging

    def commit(self) -> None:
        """Put every file in its place.

        Raises:
            StorageError: A file cannot be put there; those before it are.
        """
        if not self._files:
            return
        with _writing(self._root):
            _sync_all(self._root)
            for path, staging in self._files.items():
                staging.replace(path)
        self._files.clear()


def _encoded(content: bytes | str) -> bytes:
    # A student's text may hold half characters; a report with a replacement sign is better than none.
    return content.encode("utf-8", "replace") if isinstance(content, str) else content


def _sync_all(folder: Path) -> None:
    """Flush the file system that a folder is on; where the C library has no word for one, all of them."""
    syncfs = getattr(ctypes.CDLL(None), "syncfs", None)
    if syncfs is None:
        os.sync()
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        if syncfs(handle):
            os.sync()
    finally:
        os.close(handle)


def _sync_folder(folder: Path) -> None:
    """Make the renaming itself last through a power cut; some file systems cannot."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(handle)


def _lock(handle: int, folder: Path) -> bool:
    """Lock an open folder; False where its file system has no locks.

    Raises:
        UsageError: Another process holds it.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        msg = "another grader is at work in this folder"
        raise UsageError(msg, where=str(folder), advice="wait until it has ended, or name another folder") from error
    except OSError:
        return False
    return True


_held: set[int] = set()
"""Open folders that this process has locked."""


def _let_go() -> None:
    """Close what was locked before a fork: a child that outlived its parent would keep everybody out."""
    while _held:
        os.close(_held.pop())


os.register_at_fork(after_in_child=_let_go)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""
    except OSError as error:
        msg = f"the file cannot be read ({error.strerror or error})"
        raise ArtefactError(msg, where=str(path)) from error


class ResultsFolder:
    """One `--out` folder. Methods may be called from several threads, for different submissions."""

    def __init__(self, root: Path, *, database: Path | None = None) -> None:
        """Name the folder; it is made by the first write.

        Args:
            root: `DIR` of `grader grade … --out DIR`.
            database: Another place for `grader.sqlite`: of several machines that share the folder, only one may
                write to the file in it.
        """
        self.root = root
        self._database = database

    # --- places

    @property
    def database_path(self) -> Path:
        """Where `grader.sqlite` lies."""
        return self._database or self.root / "grader.sqlite"

    def folder(self, submission: str) -> Path:
        """A submission's own folder (it may not exist yet).

        Raises:
            ValueError: The id is no plain name; ids come from intake, which makes them safe.
        """
        if submission in {"", ".", ".."} or "/" in submission or "\x00" in submission:
            msg = f"{submission!r} cannot name a folder"
            raise ValueError(msg)
        return self.root / submission

    def grade_path(self, submission: str) -> Path:
        """Where a submission's `grade.json` lies."""
        return self.folder(submission) / _GRADE

    def report_path(self, submission: str) -> Path:
        """Where a submission's `report.html` lies."""
        return self.folder(submission) / _REPORT

    def executed_path(self, submission: str) -> Path:
        """Where a submission's `executed.ipynb` lies."""
        return self.folder(submission) / _EXECUTED

    def evidence_folder(self, submission: str) -> Path:
        """Where a submission's events, models, arrays and predictions lie."""
        return self.folder(submission) / _EVIDENCE

    def attempts_folder(self, submission: str) -> Path:
        """Where a submission's attempts lie, where there were several; see `store/attempts.py`."""
        return self.folder(submission) / _ATTEMPTS

    def submissions(self) -> tuple[str, ...]:
        """Ids of the submissions that have evidence or a grade here, sorted."""
        if not self.root.is_dir():
            return ()
        folders = (p for p in self.root.iterdir() if p.is_dir() and not p.name.startswith("."))
        return tuple(sorted(p.name for p in folders if _holds_results(p)))

    # --- one grader at a time

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Keep other graders away for as long as a `with` lasts, and remove what one that was killed left half-done.

        The lock goes with the process, however it ends.

        Raises:
            UsageError: Another grader works here, or this is no folder.
            StorageError: The folder cannot be made or written to.
        """
        if self.root.exists() and not self.root.is_dir():
            msg = "is no folder"
            raise UsageError(msg, where=f"--out {self.root}", advice="name a folder for the results")
        with _writing(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        _held.add(handle)
        try:
            if _lock(handle, self.root):
                self._sweep()
            trial = self.root / ".writable"
            write_atomically(trial, b"x" * 4096)
            trial.unlink(missing_ok=True)
            yield
        finally:
            if handle in _held:  # or this is a child, and it was closed
                _held.remove(handle)
                os.close(handle)

    def _sweep(self) -> None:
        (self.root / ".writable").unlink(missing_ok=True)
        for left_over in self.root.glob(f"{WRITING}*"):
            left_over.unlink(missing_ok=True)
        for own in (path for path in self.root.iterdir() if path.is_dir() and not path.is_symlink()):
            with suppress(PermissionError):  # not the grader's
                _sweep_submission(own)

    def standing(self, submission: str) -> dict[str, str]:
        """Tell by their SHA-256 which files a submission's grade was made from and became; empty for what is missing.

        Raises:
            ArtefactError: One cannot be read.
        """
        places = {
            _EVIDENCE_FILE: self.evidence_folder(submission) / _EVIDENCE_FILE,
            _EXECUTED: self.executed_path(submission),
            _GRADE: self.grade_path(submission),
            _REPORT: self.report_path(submission),
        }
        return {name: _sha256(path) for name, path in places.items()}

    def rubric_id(self, submission: str) -> str | None:
        """Id of the rubric a submission's grade is of, from the head of its file; None where there is no grade."""
        try:
            with self.grade_path(submission).open("rb") as file:
                found = _RUBRIC_ID.search(file.read(_HEAD))
            return json.loads(found[1]) if found else _rubric_of(self.read_grade(submission))
        except (OSError, ValueError, ArtefactError):
            return None

    def sync(self) -> None:
        """Wait until everything that was written here is on the disk.

        Raises:
            StorageError: It cannot be flushed.
        """
        with _writing(self.root):
            _sync_all(self.root)

    # --- pages

    def write_page(self, name: str, content: bytes | str, batch: Batch | None = None) -> Path:
        """Write a page of the whole class, such as `index.html` or `grades.csv`; one that says the same is left alone.

        Args:
            name: The file's name.
            content: All of it.
            batch: Writes it together with other files; without one it is in its place at once.

        Raises:
            StorageError: It cannot be written.
        """
        path = self.root / name
        data = _encoded(content)
        if _holds(path, data):
            return path
        if batch is None:
            return self._write(path, data)
        batch.add(path, data)
        return path

    def write_report(self, submission: str, content: bytes | str) -> Path:
        """Write a submission's report.

        Raises:
            StorageError: It cannot be written.
        """
        return self._write(self.report_path(submission), content)

    def write_executed(self, submission: str, content: bytes | str) -> Path:
        """Write the executed notebook, as JSON.

        Raises:
            StorageError: It cannot be written.
        """
        return self._write(self.executed_path(submission), content)

    def _write(self, path: Path, content: bytes | str) -> Path:
        write_atomically(path, _encoded(content))
        return path

    # --- documents

    def write_grade(self, grade: Grade) -> Path:
        """Write `grade.json`: strict JSON, numbers that are none as `null`.

        Raises:
            StorageError: It cannot be written.
        """
        return self._write(self.grade_path(grade.submission.id), grade_bytes(grade_data(grade)))

    def read_grade(self, submission: str) -> Grade | None:
        """Read a grade back; None where there is none yet.

        Raises:
            ArtefactError: It is damaged or of another version.
        """
        path = self.grade_path(submission)
        content = _read_document(path, GRADE_VERSION)
        return None if content is None else _parse(Grade, content, path)

    def write_evidence(self, submission: str, evidence: Evidence, *, filled: Path | None = None) -> Path:
        """Write `evidence/evidence.json`, from which a grade can be made again without execution.

        A loss that became not-a-number stays one: the file has Python's `NaN`, which only this grader reads.

        Args:
            submission: Whose.
            evidence: What was seen.
            filled: A folder from `new_evidence_folder` that is not in its place yet.

        Raises:
            StorageError: It cannot be written.
        """
        text = json.dumps(_plain(evidence), ensure_ascii=False, separators=(",", ":"))
        return self._write((filled or self.evidence_folder(submission)) / _EVIDENCE_FILE, text)

    def read_evidence(self, submission: str) -> Evidence | None:
        """Read evidence back; None where there is none yet.

        Raises:
            ArtefactError: It is damaged, too large, or of another version.
        """
        path = self.evidence_folder(submission) / _EVIDENCE_FILE
        content = _read_document(path, EVIDENCE_VERSION)
        return None if content is None else _parse(Evidence, content, path)

    def grade_data(self, submission: str) -> Any:
        """A submission's `grade.json` as JSON values, not looked at further; None where there is none or no JSON."""
        try:
            return _read_document(self.grade_path(submission), GRADE_VERSION)
        except ArtefactError:
            return None

    def says(self, submission: str, content: bytes) -> bool:
        """Whether a submission's `grade.json` holds these very bytes."""
        return _holds(self.grade_path(submission), content)

    def has_report(self, submission: str) -> bool:
        """Whether a submission has a report with anything in it."""
        try:
            return self.report_path(submission).stat().st_size > 0
        except OSError:
            return False

    # --- folders

    def new_evidence_folder(self, submission: str) -> Path:
        """Make an empty folder beside the evidence for an execution to fill; `adopt_evidence` puts it in place.

        Raises:
            StorageError: It cannot be made.
        """
        own = self.folder(submission)
        with _writing(own):
            own.mkdir(parents=True, exist_ok=True)
            for left_over in own.glob(f"{FILLING}*"):
                shutil.rmtree(left_over, ignore_errors=True)
            return Path(tempfile.mkdtemp(dir=own, prefix=FILLING))

    def forget_evidence(self, submission: str) -> None:
        """Remove a submission's evidence and executed notebook, of all attempts, where there are any.

        Raises:
            StorageError: They cannot be removed.
        """
        with _writing(self.folder(submission)):
            self.executed_path(submission).unlink(missing_ok=True)
            for kept in (self.evidence_folder(submission), self.attempts_folder(submission)):
                if kept.exists():
                    shutil.rmtree(kept)

    def adopt_evidence(self, submission: str, filled: Path) -> Path:
        """Put a filled folder in the place of a submission's evidence; the old evidence is gone.

        Args:
            submission: Whose.
            filled: A folder from `new_evidence_folder`.

        Raises:
            StorageError: It cannot be moved; the old evidence is still there then.
        """
        target = self.evidence_folder(submission)
        with _writing(target):
            filled.chmod(0o755)
            if target.exists():
                old = Path(tempfile.mkdtemp(dir=target.parent, prefix=f"{FILLING}old-"))
                target.rename(old / _EVIDENCE)
                try:
                    filled.rename(target)
                except OSError:
                    (old / _EVIDENCE).rename(target)
                    raise
                shutil.rmtree(old, ignore_errors=True)
            else:
                filled.rename(target)
            _sync_folder(target.parent)
        return target


def _holds_results(folder: Path) -> bool:
    try:
        return (folder / _GRADE).is_file() or (folder / _EVIDENCE).is_dir() or (folder / _ATTEMPTS).is_dir()
    except PermissionError:
        return False  # not the grader's, such as `lost+found` on a disk of its own


def _sweep_submission(own: Path) -> None:
    """Remove what was left half-done, and the folder where there was nothing else; an empty one is somebody else's."""
    before = any(own.iterdir())
    for folder in (own, *(path for path in own.glob(f"{_ATTEMPTS}/*") if path.is_dir())):
        _sweep_folder(folder)
    if before and not any(own.iterdir()):
        own.rmdir()


def _sweep_folder(own: Path) -> None:
    """Remove what was being written when the grader was killed."""
    for left_over in (*own.glob(f"{WRITING}*"), *own.glob(f"{_EVIDENCE}/{WRITING}*")):
        left_over.unlink(missing_ok=True)
    for pattern in (FILLING, STAGING):
        for left_over in own.glob(f"{pattern}*"):
            shutil.rmtree(left_over, ignore_errors=True)


# --- documents as text ---------------------------------------------------------------------------------------


def grade_data(grade: Grade) -> dict[str, Any]:
    """A grade as JSON values, as `grade.json` reads back: numbers that are none are None, tuples are lists."""
    data: dict[str, Any] = _finite(_plain(grade))
    return data


def grade_bytes(data: Mapping[str, Any]) -> bytes:
    """Write a grade as `grade.json` holds it: strict JSON in UTF-8.

    Args:
        data: What `grade_data` gave.
    """
    try:
        return to_json(data, indent=1) + b"\n"
    except PydanticSerializationError:  # half characters
        return (json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode("utf-8", "replace")


def parse_grade(content: bytes) -> Grade:
    """Read a grade back from what `grade_bytes` wrote."""
    return Grade.model_validate(json.loads(content))


def _rubric_of(grade: Grade | None) -> str | None:
    return grade.rubric.id if grade else None


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.stat().st_size == len(content) and path.read_bytes() == content
    except OSError:
        return False


# --- reading -------------------------------------------------------------------------------------------------


def _plain(document: Document) -> Mapping[str, Any]:
    """A document as JSON values, with the names the contract gives its fields."""
    return document.model_dump(mode="python", by_alias=True)


def _finite(value: Any) -> Any:
    """Replace numbers that JSON does not have by None, and tuples by lists."""
    kind = type(value)
    if kind is str or kind is int or value is None:
        return value
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if kind is dict or isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _read_document(path: Path, version: int) -> Any:
    """Read a kept JSON document and look at its version first; None where there is no file."""
    try:
        if not path.is_file():
            return None
        size = path.stat().st_size
        if size > _LARGEST_DOCUMENT:
            msg = f"the file has {size / 2**20:,.0f} MiB, more than is read"
            raise ArtefactError(msg, where=str(path))
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        msg = f"the file is damaged ({str(error)[:200]})"
        raise ArtefactError(msg, where=str(path)) from error
    except OSError as error:
        msg = f"the file cannot be read ({error.strerror or error})"
        raise ArtefactError(msg, where=str(path)) from error
    found = content.get("version") if isinstance(content, dict) else None
    if found != version:
        msg = f"the file is of version {found!r}; this grader reads version {version}"
        raise ArtefactError(msg, where=str(path))
    return content


def _parse(kind: type[_Kind], content: Any, path: Path) -> _Kind:
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        msg = f"the file does not fit its version: {place}: {first['msg']}"
        raise ArtefactError(msg, where=str(path)) from error
