"""Find the files next to a notebook that was named by its path; the notebook gets them as in a submitted folder.

1. A notebook that is the only one in its folder gets the files and subfolders next to it.
2. A folder with several notebooks may be a class, so each of them is alone: no file in it is known to be theirs. A
   notebook that its author checks (`grader check`) still gets the files next to it.
3. A notebook in a folder such as `notebooks/` whose code mentions `..` also gets what is next to this folder, if there
   is no other notebook. For its author, other notebooks are only left out.

Never brought along: other notebooks, subfolders and zips with notebooks (they may be other students'), hidden files,
environments, caches, and earlier results of the grader. Of the rest, files closer to the notebook come first, up to a
limit of size and number; a message names the files beyond it.
"""

import os
import re
import zipfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from grader.intake.candidates import is_notebook_name
from grader.intake.parts import is_material_name, is_work_name
from grader.intake.unpack import is_ignored
from grader.schema.message import Message, say_count
from grader.schema.submission import Submission

__all__ = ["CompanionLimits", "companions_of", "with_companions"]

T = TypeVar("T")

_COPY = re.compile(r"(?:^|[\s_.-])(?:copy|kopie|backup|checkpoint|autosave)\d*(?:\b|_|$)|\(\d+\)\s*$", re.IGNORECASE)
_ENVIRONMENTS = frozenset({"venv", "env", "node_modules", "site-packages", "wandb", "mlruns"})
_UPWARD = re.compile(r"""(?<![\w.])\.\./|['"]\.\.['"]""")
_DATABASE = "grader.sqlite"
_SECRETS = (".evidence.json",)
_MOST_NAMES = 200
_NAMED = 5
_MOST_ENTRIES = 20_000


@dataclass(frozen=True, slots=True)
class CompanionLimits:
    """Limits on the files next to a notebook."""

    total_bytes: int = 512 << 20
    files: int = 2_000
    depth: int = 8
    """Levels of subfolders."""


def with_companions(
    found: Sequence[T],
    paths: Sequence[Path],
    *,
    own: bool = False,
    without: Collection[Path] = (),
    limits: CompanionLimits | None = None,
) -> tuple[T, ...]:
    """Bring along the files next to notebooks that were named by their paths.

    Args:
        found: Submissions and rejected ones.
        paths: The named paths.
        own: Whether the only submission is checked by its author.
        without: Further files and folders to leave out: the rubric, the folder of results.
        limits: Limits on size and number.
    """
    named = {path.resolve() for path in paths if path.is_file() and not path.is_symlink()}
    excluded = frozenset(path.resolve() for path in without)
    several = {folder for folder in (path.parent for path in named) if sum(p.parent == folder for p in named) > 1}

    def one(submission: T) -> T:
        if not isinstance(submission, Submission) or submission.folder is not None:
            return submission
        folder = submission.notebook.parent
        if submission.notebook not in named or folder in several:
            return submission.model_copy(update={"withheld": _names_in(folder)})
        return companions_of(submission, own=own, excluded=excluded, limits=limits)  # type: ignore[return-value]

    return tuple(one(submission) for submission in found)


def companions_of(
    submission: Submission,
    *,
    own: bool = False,
    excluded: Collection[Path] = (),
    limits: CompanionLimits | None = None,
) -> Submission:
    """Bring along the files next to one notebook.

    Args:
        submission: A bare notebook.
        own: Whether its author checks it.
        excluded: Real paths of files and folders to leave out.
        limits: Limits on size and number.
    """
    notebook, limits = submission.notebook, limits or CompanionLimits()
    folder = notebook.parent
    try:
        if not own and _others_in(folder, notebook):
            return submission.model_copy(update={"withheld": _names_in(folder)})
        top = _top_of(notebook, own=own)
        search = _Search(notebook, excluded, limits, own=own)
        search.walk(top)
    except OSError:
        # The notebook itself was readable; without the folder it runs alone.
        return submission
    names = tuple(sorted(path.relative_to(top).as_posix() for path in (*search.files, notebook)))
    return submission.model_copy(
        update={
            "folder": top,
            "only": names,
            "files": tuple(sorted({*submission.files, *names[:_MOST_NAMES]})),
            "left_out": search.message(),
        }
    )


class _Search:
    """Collects the files below a folder, level by level."""

    def __init__(self, notebook: Path, excluded: Collection[Path], limits: CompanionLimits, *, own: bool) -> None:
        self.files: list[Path] = []
        self._notebook = notebook
        self._excluded = excluded
        self._limits = limits
        self._own = own
        self._bytes = 0
        self._over: list[str] = []
        self._cut = 0

    def walk(self, top: Path) -> None:
        """Collect the files; a home folder's subfolders are not searched."""
        level, depth = [top], 0
        # The notebook's own folder comes first, also if it is a part of a project.
        if self._notebook.parent != top:
            level.insert(0, self._notebook.parent)
        seen: set[Path] = set()
        deepest = 0 if top in {Path.home(), Path(top.anchor)} else self._limits.depth
        while level and depth <= deepest:
            following: list[Path] = []
            for folder in level:
                if folder not in seen:
                    seen.add(folder)
                    following += self._take(folder)
            level, depth = following, depth + 1

    def message(self) -> tuple[Message, ...]:
        """Name the files beyond the limits."""
        if not self._cut:
            return ()
        return (
            say_count(
                "{count:number} file next to the notebook was not brought along, because only {limit:size} and "
                "{files:number} files are: {names:list}",
                "{count:number} files next to the notebook were not brought along, because only {limit:size} and "
                "{files:number} files are: {names:list}",
                self._cut,
                limit=self._limits.total_bytes,
                files=self._limits.files,
                names=self._over,
            ),
        )

    def _take(self, folder: Path) -> list[Path]:
        """Take the files of one folder, and return its subfolders."""
        folders = []
        for path in _listed(folder):
            if path in self._excluded or path == self._notebook:
                continue
            if path.is_dir():
                if path.name not in _ENVIRONMENTS and not _is_foreign(path, own=self._own):
                    folders.append(path)
            elif path.is_file() and not self._is_withheld(path):
                self._add(path)
        return folders

    def _is_withheld(self, path: Path) -> bool:
        if is_notebook_name(path.name) or path.name.endswith(_SECRETS) or _is_own_output(path):
            return True
        if not os.access(path, os.R_OK):
            return True
        return path.suffix.lower() == ".zip" and _has_notebook_inside(path)

    def _add(self, path: Path) -> None:
        size = path.stat().st_size
        if self._bytes + size > self._limits.total_bytes or len(self.files) >= self._limits.files:
            self._cut += 1
            if len(self._over) < _NAMED:
                self._over.append(path.name)
            return
        self._bytes += size
        self.files.append(path)


def _is_own_output(path: Path) -> bool:
    """Whether the output of this program goes to a file, as with `grader check hw.ipynb > log.txt`."""
    facts = path.stat()
    for descriptor in (1, 2):
        with suppress(OSError):
            if os.path.samestat(facts, os.fstat(descriptor)):
                return True
    return False


def _listed(folder: Path) -> list[Path]:
    """List the visible entries of a folder, sorted; skip links and an unreadable folder."""
    try:
        return sorted(p for p in folder.iterdir() if not is_ignored(p.name) and not p.is_symlink())
    except OSError:
        return []


def _others_in(folder: Path, notebook: Path) -> bool:
    """Whether a folder has other notebooks, except copies of the notebook by name."""
    others = [
        path for path in folder.iterdir() if is_notebook_name(path.name) and path != notebook and not path.is_dir()
    ]
    visible = (path for path in others if not is_ignored(path.name))
    return any(not (_COPY.search(path.stem) and path.stem.startswith(notebook.stem[:4])) for path in visible)


def _is_foreign(folder: Path, *, own: bool) -> bool:
    """Whether a folder is an environment, the results of an earlier grading, or may be another student's."""
    if (folder / "pyvenv.cfg").is_file() or (folder / _DATABASE).is_file():
        return True
    return not own and _has_notebook(folder)


def _has_notebook(folder: Path, but: Path | None = None) -> bool:
    """Whether a folder or a subfolder has a notebook; a folder that is too large to search counts as having one."""
    for count, path in enumerate(_walked(folder)):
        if count > _MOST_ENTRIES or (is_notebook_name(path.name) and path != but):
            return True
    return False


def _walked(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not is_ignored(name) and name not in _ENVIRONMENTS]
        for name in names:
            yield Path(root) / name


def _has_notebook_inside(path: Path) -> bool:
    """Whether a zip contains a notebook; an unreadable zip counts as containing one."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(is_notebook_name(name) for name in archive.namelist())
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return True


def _top_of(notebook: Path, *, own: bool) -> Path:
    """Return the folder to search: above a folder such as `notebooks/` if the code mentions it."""
    folder = notebook.parent
    above = folder.parent
    # No student's name is that of a part; only an author has folders such as `hw1` in a project.
    part = is_material_name(folder.name) or (own and is_work_name(folder.name))
    if not part or above in {Path.home(), Path(above.anchor)}:
        return folder
    text = notebook.read_text(encoding="utf-8", errors="replace")
    if not _UPWARD.search(text.replace('\\"', '"')) or (not own and _has_notebook(above, but=notebook)):
        return folder
    return above


def _names_in(folder: Path) -> tuple[str, ...]:
    """List the names of files and folders in a folder, except notebooks and zips."""
    names = [p.name for p in _listed(folder) if not is_notebook_name(p.name) and p.suffix.lower() != ".zip"]
    return tuple(names[:_MOST_NAMES])
