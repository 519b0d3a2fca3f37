"""The results folder: `DIR/<submission>/{grade.json, report.html, executed.ipynb, evidence/}` and the class's pages.

A file appears whole or not at all: it is written beside its place, flushed to the disk, and renamed. What a grader that
was killed meanwhile left beside it is known by its name and removed by the next one (`at_work`).
"""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_json

from grader.schema.base import Document
from grader.schema.errors import ArtefactError, UsageError
from grader.schema.evidence import EVIDENCE_VERSION, Evidence
from grader.schema.grade import GRADE_VERSION, Grade
from grader.store.files import (
    WRITING,
    Batch,
    encoded,
    held,
    lock,
    sha256_or_empty,
    sync_all,
    sync_folder,
    write_atomically,
    writing,
)

__all__ = ["STAGING", "ResultsFolder", "grade_bytes", "grade_data", "parse_grade"]

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
FILLING = ".evidence-"
STAGING = ".attempts-"
"""Beginnings of the names of what is not yet in its place: files, and folders of evidence and of attempts."""
_ATTEMPTS = "attempts"


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
        with writing(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        held.add(handle)
        try:
            if lock(handle, self.root):
                self._sweep()
            trial = self.root / ".writable"
            write_atomically(trial, b"x" * 4096)
            trial.unlink(missing_ok=True)
            yield
        finally:
            if handle in held:  # or this is a child, and it was closed
                held.remove(handle)
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
        return {name: sha256_or_empty(path) for name, path in places.items()}

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
        with writing(self.root):
            sync_all(self.root)

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
        data = encoded(content)
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
        write_atomically(path, encoded(content))
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
        with writing(own):
            own.mkdir(parents=True, exist_ok=True)
            for left_over in own.glob(f"{FILLING}*"):
                shutil.rmtree(left_over, ignore_errors=True)
            return Path(tempfile.mkdtemp(dir=own, prefix=FILLING))

    def forget_evidence(self, submission: str) -> None:
        """Remove a submission's evidence and executed notebook, of all attempts, where there are any.

        Raises:
            StorageError: They cannot be removed.
        """
        with writing(self.folder(submission)):
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
        with writing(target):
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
            sync_folder(target.parent)
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
