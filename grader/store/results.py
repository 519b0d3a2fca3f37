"""Store results: `DIR/<submission>/{grade.json, report.html, instructor.html, executed.ipynb, evidence/}`, class pages.

Each file is written atomically: next to its path, flushed to the disk, and renamed. Temporary files of a killed grader
are recognized by their names and removed by the next one (`at_work`).
"""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json

from grader.schema.base import Document
from grader.schema.errors import ArtefactError, EditedGradeError, UsageError
from grader.schema.evidence import EVIDENCE_VERSION, Evidence
from grader.schema.grade import (
    GRADE_VERSION,
    AttemptsGrade,
    Audience,
    CriterionGrade,
    DiagnosticGrade,
    ExecutionGrade,
    Grade,
    ModelGrade,
    ReferenceGrade,
)
from grader.schema.lazy import lazily
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
from grader.store.seal import SEAL, is_edited, seal_of

__all__ = [
    "LARGE_LISTS",
    "LARGE_PARTS",
    "STAGING",
    "ResultsFolder",
    "as_stored",
    "grade_bytes",
    "grade_data",
    "large_parts",
    "lazy_grade",
    "stored_form",
    "unsealed_data",
]

_Kind = TypeVar("_Kind", bound=Document)

_LARGEST_DOCUMENT = 256 << 20
"""Maximum size in bytes of a stored document."""
_GRADE = "grade.json"
_REPORTS: Mapping[Audience, str] = {"student": "report.html", "instructor": "instructor.html"}
_EXECUTED = "executed.ipynb"
_EVIDENCE = "evidence"
_EVIDENCE_FILE = "evidence.json"
_FRAGMENTS_FILE = "rendered.parts"
_RECORD_FILE = "graded.parts"
_LISTED: Mapping[str, type[Document]] = {
    "criteria": CriterionGrade,
    "models": ModelGrade,
    "diagnostics": DiagnosticGrade,
}
_SINGLE: Mapping[str, type[Document]] = {
    "execution": ExecutionGrade,
    "reference": ReferenceGrade,
    "attempts": AttemptsGrade,
}
LARGE_LISTS = tuple(_LISTED)
LARGE_PARTS = tuple(_SINGLE)
"""The parts of a grade that are converted one by one; the others are small."""
_WITHOUT_LARGE_PARTS: Mapping[str, Any] = {**dict.fromkeys(LARGE_LISTS, ()), **dict.fromkeys(LARGE_PARTS)}
_HEAD = 8192
_PIECE = 1 << 18
_START_OF_PAGE = 512
_LANGUAGE = re.compile(rb'<html lang="([A-Za-z-]+)"(?: data-zone="([A-Za-z0-9_+/-]+)")?>')
_RUBRIC_ID = re.compile(rb'\n "rubric": \{\n  "id": ("[^"\n]*"),')
"""Pattern of the rubric's id in `grade.json`. Strings from a student cannot match, since line breaks in strings are
escaped."""
_RUBRIC = b'\n "rubric": {'
"""Its start."""
FILLING = ".evidence-"
STAGING = ".attempts-"
"""Name prefixes of temporary folders, for evidence and for attempts."""
_ATTEMPTS = "attempts"


class ResultsFolder:
    """An `--out` folder. Methods may be called from several threads for different submissions."""

    def __init__(self, root: Path, *, database: Path | None = None) -> None:
        """Set the folder; the first write creates it.

        Args:
            root: `DIR` of `grader grade … --out DIR`.
            database: Another path for `grader.sqlite`, since of several machines that share the folder only one may
                write the file in it.
        """
        self.root = root
        self._root_text = str(root)
        self._database = database

    def nested(self, root: Path) -> "ResultsFolder":
        """Return a results folder inside of this one, which is read in the same way.

        Args:
            root: Its path.
        """
        return ResultsFolder(root)

    # --- paths

    @property
    def database_path(self) -> Path:
        """Path of `grader.sqlite`."""
        return self._database or self.root / "grader.sqlite"

    def folder(self, submission: str) -> Path:
        """Return a submission's folder, which may not exist yet.

        Raises:
            ValueError: The id is not a plain name. (Ids come from intake, which makes them safe.)
        """
        return self.root / _plain_name(submission)

    def grade_path(self, submission: str) -> Path:
        """Return the path of a submission's `grade.json`."""
        return self.folder(submission) / _GRADE

    def report_path(self, submission: str, audience: Audience = "student") -> Path:
        """Return the path of a submission's `report.html` for students, or of its `instructor.html`."""
        return self.folder(submission) / _REPORTS[audience]

    def executed_path(self, submission: str) -> Path:
        """Return the path of a submission's `executed.ipynb`."""
        return self.folder(submission) / _EXECUTED

    def evidence_folder(self, submission: str) -> Path:
        """Return the folder of a submission's events, models, arrays and predictions."""
        return self.folder(submission) / _EVIDENCE

    def evidence_path(self, submission: str) -> Path:
        """Return the path of a submission's `evidence/evidence.json`."""
        return self.evidence_folder(submission) / _EVIDENCE_FILE

    def fragments_path(self, submission: str) -> Path:
        """Return the path of the rendered parts of a submission's pages; see `grader.store.fragments`."""
        return self.evidence_folder(submission) / _FRAGMENTS_FILE

    def record_path(self, submission: str) -> Path:
        """Return the path of the record of the inputs of a grade's parts; see `grader.pipeline.kept_work`."""
        return self.evidence_folder(submission) / _RECORD_FILE

    def attempts_folder(self, submission: str) -> Path:
        """Return the folder of a submission's attempts, which exists if there were several; see `store/attempts.py`."""
        return self.folder(submission) / _ATTEMPTS

    def submissions(self) -> tuple[str, ...]:
        """List the ids of the submissions with evidence or a grade in this folder, sorted."""
        if not self.root.is_dir():
            return ()
        with os.scandir(self.root) as entries:
            folders = [entry for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
        return tuple(sorted(folder.name for folder in folders if _holds_results(folder.path)))

    # --- one grader at a time

    @contextmanager
    def at_work(self, *, wait: float = 0.0, small: bool = False) -> Iterator[None]:
        """Lock the folder for the duration of a `with` block, and remove the leftovers of a killed grader.

        The lock ends with the process, even if it is killed.

        Args:
            wait: Seconds to wait for another grader.
            small: Whether only few files are written, so that it is not worth the time to look for leftovers.

        Raises:
            UsageError: Another grader works here, or this is not a folder.
            StorageError: The folder cannot be created or written.
        """
        if self.root.exists() and not self.root.is_dir():
            msg = "not a folder"
            raise UsageError(msg, where=f"--out {self.root}", advice="use a folder for the results")
        with writing(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        held.add(handle)
        try:
            if lock(handle, self.root, wait=wait) and not small:
                self._sweep()
            if not small:
                trial = self.root / ".writable"
                write_atomically(trial, b"x" * 4096)
                trial.unlink(missing_ok=True)
            yield
        finally:
            if handle in held:  # or this is a child, and it was closed
                held.remove(handle)
                os.close(handle)

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Lock the folder for the duration of a `with` block without writing anything.

        Raises:
            UsageError: Another grader works here.
            StorageError: The folder cannot be opened.
        """
        with writing(self.root):
            handle = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        held.add(handle)
        try:
            lock(handle, self.root)
            yield
        finally:
            if handle in held:
                held.remove(handle)
                os.close(handle)

    def _sweep(self) -> None:
        (self.root / ".writable").unlink(missing_ok=True)
        for leftover in self.root.glob(f"{WRITING}*"):
            leftover.unlink(missing_ok=True)
        with os.scandir(self.root) as entries:
            folders = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        for own in folders:
            with suppress(PermissionError):  # not the grader's
                _sweep_submission(own)

    def standing(self, submission: str) -> dict[str, str]:
        """Return the SHA-256 of each input and output file of a submission's grade; empty for a missing file.

        Raises:
            ArtefactError: A file cannot be read.
        """
        return {name: sha256_or_empty(path) for name, path in self.inputs_and_outputs(submission).items()}

    def texts_of_paths(self, submission: str) -> tuple[str, tuple[str, ...]]:
        """Return the path of the attempts, and those of `inputs_and_outputs`, as texts, which are made faster."""
        folder = f"{self._root_text}/{_plain_name(submission)}"
        names = (f"{_EVIDENCE}/{_EVIDENCE_FILE}", _EXECUTED, _GRADE, *_REPORTS.values())
        return f"{folder}/{_ATTEMPTS}", tuple([f"{folder}/{name}" for name in names])

    def inputs_and_outputs(self, submission: str) -> Mapping[str, Path]:
        """Return the paths of the input and output files of a submission's grade, which may not exist."""
        folder = self.folder(submission)
        return {
            _EVIDENCE_FILE: folder / _EVIDENCE / _EVIDENCE_FILE,
            _EXECUTED: folder / _EXECUTED,
            _GRADE: folder / _GRADE,
            **{name: folder / name for name in _REPORTS.values()},
        }

    def rubric_id(self, submission: str) -> str | None:
        """Return the rubric's id from the head of a submission's `grade.json`; None if there is no grade."""
        try:
            head = _head(f"{self._root_text}/{_plain_name(submission)}/{_GRADE}")
            # A search for the pattern is slow; no other place of the text can match.
            match = _RUBRIC_ID.match(head, max(head.find(_RUBRIC), 0))
            return json.loads(match[1]) if match else _rubric_of(self.read_grade(submission))
        except (OSError, ValueError, ArtefactError):
            return None

    def sync(self) -> None:
        """Wait until everything written here is on the disk.

        Raises:
            StorageError: The file system cannot be flushed.
        """
        with writing(self.root):
            sync_all(self.root)

    # --- pages

    def pages(self) -> tuple[Path, ...]:
        """Return the paths of the pages of the whole class."""
        return tuple(self.root / name for name in ("index.html", "grades.csv"))

    def write_page(self, name: str, content: bytes | str, batch: Batch | None = None) -> Path:
        """Write a page of the whole class, such as `index.html` or `grades.csv`, unless it is unchanged.

        Args:
            name: The file's name.
            content: The file's content.
            batch: Batch to write it with; without one, it is written immediately.

        Raises:
            StorageError: The page cannot be written.
        """
        path = self.root / name
        data = encoded(content)
        if _holds(path, data):
            return path
        if batch is None:
            return self._write(path, data)
        batch.add(path, data)
        return path

    def write_report(self, submission: str, content: bytes | str, audience: Audience = "student") -> Path:
        """Write one edition of a submission's report.

        Raises:
            StorageError: The report cannot be written.
        """
        return self._write(self.report_path(submission, audience), content)

    def write_executed(self, submission: str, content: bytes | str) -> Path:
        """Write the executed notebook, as JSON.

        Raises:
            StorageError: The notebook cannot be written.
        """
        return self._write(self.executed_path(submission), content)

    def _write(self, path: Path, content: bytes | str) -> Path:
        write_atomically(path, encoded(content))
        return path

    # --- documents

    def write_grade(self, grade: Grade) -> Path:
        """Write `grade.json` as strict JSON, with `null` for NaN and infinity.

        Raises:
            StorageError: The grade cannot be written.
        """
        return self._write(self.grade_path(grade.submission.id), grade_bytes(grade_data(grade)))

    def read_grade(self, submission: str, *, edited: bool = False) -> Grade | None:
        """Read a grade; return None if there is none yet.

        Args:
            submission: Id of the submission.
            edited: Whether to return a grade that somebody edited by hand, too.

        Raises:
            EditedGradeError: Somebody edited the file by hand.
            ArtefactError: The file is damaged or of another version.
        """
        path = self.grade_path(submission)
        content = _read_document(path, GRADE_VERSION)
        if content is not None and not edited and is_edited(content):
            msg = "somebody edited this grade by hand"
            raise EditedGradeError(msg, where=str(path))
        return None if content is None else _parse(Grade, content, path)

    def write_evidence(self, submission: str, evidence: Evidence, *, filled: Path | None = None) -> Path:
        """Write `evidence/evidence.json`, which a regrade uses instead of an execution.

        A NaN loss is written as Python's `NaN`, which is not strict JSON; only the grader reads this file.

        Args:
            submission: Id of the submission.
            evidence: The evidence.
            filled: A folder from `new_evidence_folder` that is not in place yet.

        Raises:
            StorageError: The evidence cannot be written.
        """
        text = json.dumps(_plain(evidence), ensure_ascii=False, separators=(",", ":"))
        return self._write((filled or self.evidence_folder(submission)) / _EVIDENCE_FILE, text)

    def read_evidence(self, submission: str) -> Evidence | None:
        """Read evidence; return None if there is none yet.

        Raises:
            ArtefactError: The file is damaged, too large, or of another version.
        """
        path = self.evidence_folder(submission) / _EVIDENCE_FILE
        content = _read_document(path, EVIDENCE_VERSION)
        return None if content is None else _parse(Evidence, content, path)

    def evidence_content(self, submission: str) -> bytes | None:
        """Return the content of a submission's evidence; None if it is missing or cannot be read."""
        try:
            return _read(self.evidence_path(submission))
        except ArtefactError:
            return None

    def evidence_of(self, content: bytes) -> Evidence:
        """Return evidence whose fields are validated when they are read.

        Args:
            content: The content of its file, which was validated before.

        Raises:
            ArtefactError: The content is damaged, or of another version.
        """
        return lazily(Evidence, _values_of(content, EVIDENCE_VERSION, self.root))

    def grade_data(self, submission: str) -> Any:
        """Return a submission's `grade.json` as unvalidated JSON values; None if it is missing or unreadable."""
        content = self.grade_content(submission)
        return None if content is None else self.grade_values(content)

    def grade_content(self, submission: str) -> bytes | None:
        """Return the content of a submission's `grade.json`; None if it is missing or cannot be read."""
        try:
            return _read(self.grade_path(submission))
        except ArtefactError:
            return None

    def grade_values(self, content: bytes) -> Any:
        """Return the content of a `grade.json` as unvalidated JSON values; None if it is damaged."""
        try:
            return _values_of(content, GRADE_VERSION, self.root)
        except ArtefactError:
            return None

    def has_reports(self, submission: str) -> bool:
        """Return whether a submission has both editions of its report, and neither is empty."""
        try:
            return all((self.folder(submission) / name).stat().st_size > 0 for name in _REPORTS.values())
        except OSError:
            return False

    # --- folders

    def report_language(self, submission: str) -> str | None:
        """Read the language of a submission's report; None if there is no report."""
        found = self._start_of_report(submission)
        return found[1].decode("ascii").replace("-", "_") if found else None

    def report_zone(self, submission: str) -> str | None:
        """Read the time zone of a submission's report, `UTC` if it names none; None if there is no report."""
        found = self._start_of_report(submission)
        return (found[2] or b"UTC").decode("ascii") if found else None

    def _start_of_report(self, submission: str) -> re.Match[bytes] | None:
        try:
            with self.report_path(submission).open("rb") as file:
                return _LANGUAGE.search(file.read(_START_OF_PAGE))
        except OSError:
            return None

    def new_evidence_folder(self, submission: str) -> Path:
        """Create an empty folder for an execution's evidence; `adopt_evidence` moves it in place.

        Raises:
            StorageError: The folder cannot be created.
        """
        own = self.folder(submission)
        with writing(own):
            own.mkdir(parents=True, exist_ok=True)
            for left_over in own.glob(f"{FILLING}*"):
                shutil.rmtree(left_over, ignore_errors=True)
            return Path(tempfile.mkdtemp(dir=own, prefix=FILLING))

    def forget_evidence(self, submission: str) -> None:
        """Remove a submission's evidence and executed notebook, of all attempts.

        Raises:
            StorageError: They cannot be removed.
        """
        with writing(self.folder(submission)):
            self.executed_path(submission).unlink(missing_ok=True)
            for folder in (self.evidence_folder(submission), self.attempts_folder(submission)):
                if folder.exists():
                    shutil.rmtree(folder)

    def remove(self, submission: str) -> None:
        """Remove a submission's folder with everything in it, if there is one.

        Raises:
            StorageError: It cannot be removed.
        """
        folder = self.folder(submission)
        with writing(folder):
            if folder.exists():
                shutil.rmtree(folder)

    def adopt_evidence(self, submission: str, filled: Path) -> Path:
        """Replace a submission's evidence by a filled folder.

        Args:
            submission: Id of the submission.
            filled: A folder from `new_evidence_folder`.

        Raises:
            StorageError: The folder cannot be moved; the old evidence remains.
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


def _head(path: str) -> bytes:
    """Read the beginning of a file, without the time that a buffer needs."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(handle, _HEAD)
    finally:
        os.close(handle)


def _plain_name(submission: str) -> str:
    """Return an id that is a plain name; see `ResultsFolder.folder`."""
    if submission in {"", ".", ".."} or "/" in submission or "\x00" in submission:
        msg = f"{submission!r} is not a valid folder name"
        raise ValueError(msg)
    return submission


def _holds_results(folder: str) -> bool:
    # A folder that is not the grader's, such as `lost+found` on a separate disk, has none.
    return os.path.isfile(f"{folder}/{_GRADE}") or any(os.path.isdir(f"{folder}/{n}") for n in (_EVIDENCE, _ATTEMPTS))  # noqa: PTH112, PTH113 - paths of thousands of folders


def _sweep_submission(submission_folder: str) -> None:
    """Remove unfinished files, and the folder if nothing remains; a folder that was empty before is left alone."""
    names = _names(submission_folder)
    swept = _sweep_folder(submission_folder, names)
    if _ATTEMPTS in names:
        attempts = f"{submission_folder}/{_ATTEMPTS}"
        for attempt in _names(attempts):
            _sweep_folder(f"{attempts}/{attempt}", _names(f"{attempts}/{attempt}"))
    if swept and not _names(submission_folder):
        Path(submission_folder).rmdir()


def _names(folder: str) -> list[str]:
    """List the names in a folder; none if it is no folder."""
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _sweep_folder(folder: str, names: Sequence[str]) -> bool:
    """Remove the files that a killed grader was writing, and return whether there were any in the folder itself.

    Args:
        folder: A folder of a submission, or of one of its attempts.
        names: The names in it.
    """
    leftovers = [name for name in names if name.startswith((WRITING, FILLING, STAGING))]
    for name in leftovers:
        if name.startswith(WRITING):
            Path(folder, name).unlink(missing_ok=True)
        else:
            shutil.rmtree(Path(folder, name), ignore_errors=True)
    if _EVIDENCE in names:
        for name in _names(f"{folder}/{_EVIDENCE}"):
            if name.startswith(WRITING):
                Path(folder, _EVIDENCE, name).unlink(missing_ok=True)
    return bool(leftovers)


# --- documents as text ---------------------------------------------------------------------------------------


def grade_data(grade: Grade) -> dict[str, Any]:
    """Convert a grade to JSON values as `grade.json` stores them, with its seal.

    NaN and infinity become None, tuples become lists.
    """
    data = unsealed_data(grade)
    return {**data, SEAL: seal_of(data)}


def unsealed_data(grade: Grade, known: Mapping[int, Any] = MappingProxyType({})) -> dict[str, Any]:
    """Convert a grade to JSON values as `grade.json` stores them, without its seal; see `grade_data`.

    Args:
        grade: The grade.
        known: The JSON values of some of its large parts, by the identity of the part; see `large_parts`.
    """
    rest = grade.model_copy(update=_WITHOUT_LARGE_PARTS)
    data = _json_values(_plain(rest))
    for name in LARGE_LISTS:
        data[name] = [_part_data(part, known) for part in getattr(grade, name)]
    for name in LARGE_PARTS:
        part = getattr(grade, name)
        data[name] = None if part is None else _part_data(part, known)
    return data


def _part_data(part: Document, known: Mapping[int, Any]) -> Any:
    data = known.get(id(part))
    return _json_values(_plain(part)) if data is None else data


def large_parts(grade: Grade, data: Mapping[str, Any]) -> Iterator[tuple[Document, Any]]:
    """List the large parts of a grade with their JSON values.

    Args:
        grade: The grade.
        data: Its JSON values.
    """
    for name in LARGE_LISTS:
        yield from zip(getattr(grade, name), data.get(name, ()), strict=True)
    for name in LARGE_PARTS:
        if (part := getattr(grade, name)) is not None:
            yield part, data[name]


def grade_bytes(data: Mapping[str, Any]) -> bytes:
    """Serialize a grade for `grade.json`: strict JSON in UTF-8.

    Args:
        data: Result of `grade_data`.
    """
    try:
        return to_json(data, indent=1) + b"\n"
    except PydanticSerializationError:  # lone surrogates
        return (json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode("utf-8", "replace")


def stored_form(document: _Kind) -> _Kind:
    """Return a part of a grade as it is read again after it was stored."""
    plain = _plain(document)
    try:
        text = to_json(plain, inf_nan_mode="null")
    except PydanticSerializationError:  # lone surrogates
        text = grade_bytes(_finite(plain))
    return type(document).model_validate(from_json(text))


def as_stored(new: Grade, data: Mapping[str, Any], known: Mapping[int, Any] = MappingProxyType({})) -> Grade:
    """Return a grade as it is read again after it was stored.

    Args:
        new: The grade.
        data: Its JSON values, with or without a seal.
        known: The large parts that were read from a stored grade, by identity; they are already in this form.
    """

    def form(part: Document, values: Any) -> Document:
        return part if id(part) in known else _as_read(type(part), values)

    small = {**data, **dict.fromkeys(LARGE_LISTS, ()), **dict.fromkeys(LARGE_PARTS)}
    lists = {name: tuple(map(form, getattr(new, name), data[name])) for name in LARGE_LISTS}
    parts = {name: form(part, data[name]) for name in LARGE_PARTS if (part := getattr(new, name)) is not None}
    return _as_read(Grade, small).model_copy(update={**lists, **parts})


def _as_read(kind: type[_Kind], values: Any) -> _Kind:
    """Validate JSON values as they are read again after they were stored."""
    try:
        to_json(values)
    except PydanticSerializationError:  # lone surrogates
        values = json.loads(grade_bytes(values))
    return kind.model_validate(values)


def lazy_grade(data: Mapping[str, Any]) -> Grade:
    """Make a grade from its JSON values; its large parts are validated when that is necessary.

    Args:
        data: JSON values that this version of the grader wrote, with or without a seal.

    Raises:
        ValidationError: One of the small parts is not valid.
    """
    rest = Grade.model_validate({**data, **dict.fromkeys(LARGE_LISTS, ()), **dict.fromkeys(LARGE_PARTS)})
    lists = {name: tuple([lazily(kind, one) for one in data[name]]) for name, kind in _LISTED.items()}
    parts = {name: lazily(kind, data[name]) for name, kind in _SINGLE.items() if data[name] is not None}
    return rest.model_copy(update={**lists, **parts})


def _rubric_of(grade: Grade | None) -> str | None:
    return grade.rubric.id if grade else None


def _holds(path: Path, content: bytes) -> bool:
    try:
        if path.stat().st_size != len(content):
            return False
        view, at = memoryview(content), 0
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                if piece != view[at : at + len(piece)]:
                    return False
                at += len(piece)
        return at == len(content)
    except OSError:
        return False


# --- reading -------------------------------------------------------------------------------------------------


def _plain(document: Document) -> Mapping[str, Any]:
    """Convert a document to JSON values, with the field names of the contract."""
    return document.model_dump(mode="python", by_alias=True)


def _json_values(document: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a dumped document to JSON values: NaN and infinity become None, tuples become lists."""
    try:
        values: dict[str, Any] = from_json(to_json(document, inf_nan_mode="null"))
    except (PydanticSerializationError, ValueError):  # lone surrogates
        values = _finite(document)
    return values


def _finite(value: Any) -> Any:
    """Replace NaN and infinity by None, and tuples by lists."""
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
    """Read a stored JSON document and check its version; return None if the file does not exist."""
    text = _read(path)
    return None if text is None else _values_of(text, version, path)


def _read(path: Path) -> bytes | None:
    """Read a stored document; return None if the file does not exist."""
    try:
        if not path.is_file():
            return None
        size = path.stat().st_size
        if size > _LARGEST_DOCUMENT:
            msg = f"the file is too large ({size / 2**20:,.0f} MiB)"
            raise ArtefactError(msg, where=str(path))
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        msg = f"cannot read the file ({reason or error})"
        raise ArtefactError(msg, where=str(path)) from error


def _values_of(text: bytes, version: int, path: Path) -> Any:
    """Parse a stored JSON document and check its version."""
    try:
        content = _parsed(text)
    except (ValueError, RecursionError) as error:
        msg = f"the file is damaged ({str(error)[:200]})"
        raise ArtefactError(msg, where=str(path)) from error
    stored_version = content.get("version") if isinstance(content, dict) else None
    if stored_version != version:
        msg = f"the file has version {stored_version!r}; this grader reads version {version}"
        raise ArtefactError(msg, where=str(path))
    return content


def _parsed(text: bytes) -> Any:
    """Parse JSON; what the fast parser refuses gets the error, or the value, of the standard library."""
    try:
        return from_json(text)
    except ValueError:
        return json.loads(text)


def _parse(kind: type[_Kind], content: Any, path: Path) -> _Kind:
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        msg = f"the file has an invalid value: {place}: {first['msg']}"
        raise ArtefactError(msg, where=str(path)) from error
