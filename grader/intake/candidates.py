"""Candidates for submissions, listings of folders, and names for messages, which all parts of a search share."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from grader.facts.refusal import refusal
from grader.intake.platforms import (
    Person,
    person_of,
)
from grader.intake.unpack import is_ignored, unpack_zip
from grader.schema.errors import NotebookError, UnreadableError
from grader.schema.message import Message, say
from grader.schema.submission import SubmittedFrom

__all__ = [
    "DEEPEST",
    "LISTED_FILES",
    "Candidate",
    "Entries",
    "Mentions",
    "Search",
    "content_of",
    "entries_of",
    "free_name",
    "is_notebook_name",
    "is_work",
    "listing",
    "no_notebook",
    "notebooks_in",
    "person_at",
    "printable",
    "safe_id",
    "some",
    "unexpected",
    "unreadable",
    "walk",
    "why_ignored",
]

LISTED_FILES = 1000
_NAMED_FILES = 5
"""Maximum number of files to name in a message."""
DEEPEST = 12
"""Levels of folders in a submission; files below them are not read."""
_SEARCHED_BYTES = 8 << 20
"""Maximum size of a notebook that is searched for the names of folders."""
_DATABASE = "grader.sqlite"
"""File that marks a results folder."""
_ID_BYTES = 96


@dataclass(frozen=True, slots=True)
class Candidate:
    """A submission before its id is made unique."""

    person: Person
    place: Path
    """The notebook, folder or zip."""
    folder: Path | None = None
    notebook: Path | None = None
    files: tuple[str, ...] = ()
    error: NotebookError | UnreadableError | None = field(default=None, compare=False)
    notes: tuple[Message, ...] = ()
    origin: Path | None = None
    """The path in the download, for files that were collected elsewhere."""
    submitted: datetime | None = None
    """When it was handed in; None if unknown."""
    submitted_from: SubmittedFrom = ""
    attempt: str = ""
    """The attempt that is graded, as the platform names it; empty if the platform has none."""
    late: bool = False
    """Whether the platform marks it as late."""
    others: tuple[str, ...] = ()
    """The other attempts, as the platform names them."""
    sources: tuple[Path, ...] = ()
    """The files and folders that it was read from; empty for `place` alone."""

    def __post_init__(self) -> None:
        """Forget where the error was raised: the frames would keep alive what they used, such as all names of a zip."""
        if self.error is not None:
            self.error.__traceback__ = self.error.__cause__ = self.error.__context__ = None


@dataclass(frozen=True, slots=True)
class Search:
    """Settings and notices that all parts of one search share."""

    unpack_to: Path
    alone: bool
    """Whether a zip may be a class: only one path was given."""
    named: frozenset[Path] = frozenset()
    """The given paths, resolved."""
    notices: list[Message] = field(default_factory=list)
    usual: Collection[str] = ()
    """Names of notebooks that most students of the class use, without case."""
    zone: tzinfo = UTC
    """Time zone of times in names without a zone."""
    unpacked: dict[Path, Path] = field(default_factory=dict)
    """Folder with the content of a zip → the zip."""

    def unpack(self, path: Path) -> Path:
        """Unpack a zip, and remember where.

        Args:
            path: The zip.

        Returns:
            The folder, resolved.

        Raises:
            NotebookError: It is no zip, or it is unsafe.
            UnreadableError: It cannot be read now.
            StorageError: It cannot be unpacked.
        """
        folder = unpack_zip(path, self.unpack_to).resolve()
        self.unpacked.setdefault(folder, path.absolute())
        return folder

    def name_of(self, folder: Path) -> str:
        """Return the name of a folder for messages; for the content of a zip, the name of the zip.

        Args:
            folder: The folder.
        """
        return printable(self.unpacked.get(folder, folder).name)


@dataclass(frozen=True, slots=True)
class Entries:
    """The content of a folder, sorted, without hidden, linked and result files."""

    files: Sequence[Path]
    folders: Sequence[Path]
    links: Sequence[Path] = ()

    @property
    def notebooks(self) -> list[Path]:
        """Return the notebooks directly in the folder."""
        return [path for path in self.files if is_notebook_name(path.name)]

    @property
    def zips(self) -> list[Path]:
        """Return the zips directly in the folder."""
        return [path for path in self.files if path.suffix.lower() == ".zip"]


def entries_of(folder: Path) -> Entries:
    """List the content of a folder."""
    visible = sorted(p for p in folder.iterdir() if not is_ignored(p.name))
    links = [p for p in visible if p.is_symlink()]
    plain = [p for p in visible if not p.is_symlink()]
    folders = [p for p in plain if p.is_dir() and not _is_results(p) and not _is_environment(p)]
    return Entries([p for p in plain if p.is_file()], folders, links)


def why_ignored(path: Path) -> Message | None:
    """Return the reason for which a file or folder is never a part of a submission; None if it may be one.

    Args:
        path: A file or folder; its parents are not considered.
    """
    if is_ignored(path.name):
        return say("a hidden or temporary file, or one of the system")
    if path.is_symlink():
        return say("a link, which is not followed")
    if path.is_dir():
        if _is_results(path):
            return say("results of the grader")
        return say("installed packages") if _is_environment(path) else None
    return None if path.is_file() else say("neither a file nor a folder")


def walk(folder: Path, depth: int = 0) -> Iterator[Path]:
    """Yield every file below a folder, sorted; skip hidden files, links, installed packages and grading results."""
    if depth > DEEPEST:
        return
    for path in sorted(folder.iterdir()):
        if is_ignored(path.name) or path.is_symlink():
            continue
        if path.is_dir():
            if not _is_results(path) and not _is_environment(path):
                yield from walk(path, depth + 1)
        elif path.is_file():
            yield path


def _is_results(folder: Path) -> bool:
    """Detect a results folder.

    A student's folder that was graded in place also holds the database, but it has a notebook or zip next to it.
    """
    try:
        if not (folder / _DATABASE).is_file():
            return False
        return not any(is_work(path) for path in folder.iterdir())
    except OSError:
        return False  # treat it as a student's until it can be read


def _is_environment(folder: Path) -> bool:
    """Detect installed packages: a folder that an installer fills, or a virtual environment.

    A student's folder may also be the virtual environment, but then it has a notebook or zip directly in it.
    """
    try:
        if folder.name in {"node_modules", "site-packages"}:
            return True
        return (folder / "pyvenv.cfg").is_file() and not any(is_work(path) for path in folder.iterdir())
    except OSError:
        return False


def is_notebook_name(name: str) -> bool:
    """Return whether a file's name is that of a notebook."""
    return name.lower().endswith((".ipynb", ".ipynb.json", ".ipynb.txt"))


def is_work(path: Path) -> bool:
    """Return whether a file may contain the work itself: a notebook or a zip."""
    return is_notebook_name(path.name) or path.suffix.lower() == ".zip"


def notebooks_in(folder: Path) -> list[Path] | None:
    """List the notebooks below a folder; None if a part of it cannot be read."""
    try:
        return [path for path in walk(folder) if is_notebook_name(path.name)]
    except OSError:
        return None


def listing(folder: Path) -> tuple[str, ...]:
    """List the relative names of the files below a folder, sorted."""
    names = sorted(path.relative_to(folder).as_posix() for path in walk(folder))
    return tuple(names[:LISTED_FILES])


def some(names: Iterable[str]) -> list[str]:
    """Shorten a list of names for a message."""
    listed = [printable(name) for name in names]
    return listed if len(listed) <= _NAMED_FILES else [*listed[: _NAMED_FILES - 1], "…"]


def printable(text: str) -> str:
    """Replace lone surrogates and control characters, which cannot be written or would garble a terminal."""
    valid_text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "�" for c in valid_text).strip()


def unreadable(error: OSError, place: Path, kind: str = "file") -> UnreadableError:
    """Make the error for a file or folder that cannot be read now."""
    return UnreadableError(f"the {kind} cannot be read ({error.strerror or error})", where=place.name)


def unexpected(error: Exception, place: Path) -> UnreadableError:
    """Make the error for files that the grader fails to read for a reason of its own, which costs nobody points."""
    return UnreadableError(f"the grader failed to read it ({type(error).__name__}: {error})", where=place.name)


def no_notebook(files: Sequence[str]) -> NotebookError:
    """Make the error for a student who submitted other files and no notebook."""
    if not files:
        return refusal(say("no file was submitted: the folder is empty"))
    advice = say("submit the .ipynb file itself")
    if len(files) > _NAMED_FILES:
        return refusal(say("no notebook was submitted, only {files:list} …", files=files[:_NAMED_FILES]), advice=advice)
    return refusal(say("no notebook was submitted, only {files:list}", files=files), advice=advice)


def person_at(path: Path) -> Person:
    """Return the student of a path: by a platform's name, else by the plain name."""
    name = path.name if path.is_dir() else path.stem
    return person_of(path.name) or Person(student=name, id=name, rest=path.name)


def content_of(path: Path) -> bytes:
    """Return the start of a file; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_SEARCHED_BYTES)
    except OSError:
        return b""


class Mentions:
    """Searches notebooks for the names of folders that they use; reads them when first asked."""

    def __init__(self, notebooks: Sequence[Path], share: float = 0.5) -> None:
        """Remember the notebooks.

        Args:
            notebooks: Files to search, when first asked.
            share: Smallest share of them that must use a name; with 0, one is enough.
        """
        self._share = share
        self._notebooks = notebooks[:LISTED_FILES]
        self._texts: list[bytes] | None = None

    def __call__(self, name: str) -> bool:
        """Return whether enough of the notebooks use a file or folder in a path or an import."""
        if self._texts is None:
            self._texts = [content_of(path) for path in self._notebooks]
        word = re.escape(name.encode("utf-8", "surrogateescape"))
        used = re.compile(rb"""(?:['"/(\s]|\./)%s(?:['"/]|\\")|(?:from|import) +%s\b""" % (word, word))
        count = sum(used.search(text) is not None for text in self._texts)
        return count > 0 and count >= self._share * len(self._texts)


def safe_id(name: str) -> str:
    """Make a name safe for a folder: letters (of any script), digits, `_` and `-`, at most 96 bytes.

    Args:
        name: Any text.
    """
    plain = unicodedata.normalize("NFKD", name)
    plain = unicodedata.normalize("NFC", "".join(c for c in plain if not unicodedata.combining(c)))
    slug = re.sub(r"[^\w-]+", "-", plain).strip("-_")
    return slug.encode()[:_ID_BYTES].decode(errors="ignore").strip("-_") or "submission"


def free_name(name: str, members: Mapping[str, Path], kind: str) -> str:
    """Return a name that is not used yet: texts of the platform go into a folder if a file has their name."""
    while name in members:
        name = f"{kind}/{name}"
    return name
