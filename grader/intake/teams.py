"""Read the folders of a Microsoft Teams assignment: `Submitted files/<student>/<assignment>/Version 2/work.ipynb`.

Teams makes a new `Version` folder for each time that a student turns an assignment in.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.intake.candidates import Entries, entries_of

__all__ = ["PLATFORM", "TeamsTree", "TeamsWork", "teams_tree", "version_number"]

PLATFORM = "teams"
_VERSION = re.compile(r"(?:version|versione|versión|versão|versie|wersja) ?(?P<number>\d{1,4})", re.IGNORECASE)
"""Name of a version's folder, in some languages."""
_SUBMITTED = frozenset({"submitted files", "eingereichte dateien", "abgegebene dateien"})
"""Names of the folder with the submissions, without case; next to it is a folder with unfinished work."""


@dataclass(frozen=True, slots=True)
class TeamsWork:
    """One student's folder of an assignment."""

    student: str
    folder: Path
    assignment: str = ""
    """Empty if the folder is the student's."""
    versions: tuple[Path, ...] = ()
    """The folders of the versions, the latest last; empty for a student's folder without versions."""


@dataclass(frozen=True, slots=True)
class TeamsTree:
    """The students' folders, and what else is next to them."""

    works: tuple[TeamsWork, ...]
    root: Path
    """The folder with the students' folders."""


def version_number(name: str) -> int:
    """Return the number in the name of a version's folder; 0 for any other name.

    Args:
        name: Such as `Version 2`.
    """
    match = _VERSION.fullmatch(name)
    return int(match["number"]) if match else 0


def teams_tree(folder: Path) -> TeamsTree | None:
    """Read the students of a download of Teams; None if a folder is none.

    Args:
        folder: The download, its folder with the submissions, or one student's folder of an assignment.
    """
    entries = _entries(folder)
    if versions := _versions(entries):
        return TeamsTree((TeamsWork(folder.name, folder, versions=versions),), folder.parent)
    inside = [path for path in entries.folders if path.name.casefold() in _SUBMITTED]
    for root in (folder, *inside):
        works = tuple(_works(_entries(root)))
        with_versions = {work.student for work in works if work.versions}
        if works and 2 * len(with_versions) >= len({work.student for work in works}):
            return TeamsTree(works, root)
    return None


def _works(entries: Entries) -> Iterator[TeamsWork]:
    """List each student's folders with versions, or the student's folder if it has none."""
    if entries.notebooks or entries.zips:
        return
    for student in entries.folders:
        own = _entries(student)
        if versions := _versions(own):
            yield TeamsWork(student.name, student, versions=versions)
            continue
        assignments = [(path, _versions(_entries(path))) for path in own.folders]
        found = [TeamsWork(student.name, path, path.name, versions) for path, versions in assignments if versions]
        yield from found or (TeamsWork(student.name, student),)


def _versions(entries: Entries) -> tuple[Path, ...]:
    """List the versions in a folder, the latest last; none if the folder has anything else to grade."""
    folders: Sequence[Path] = entries.folders
    if entries.notebooks or entries.zips or not all(version_number(path.name) for path in folders):
        return ()
    return tuple(sorted(folders, key=lambda path: version_number(path.name)))


def _entries(folder: Path) -> Entries:
    """List the content of a folder; an unreadable one counts as empty, and is reported when its files are read."""
    try:
        return entries_of(folder)
    except OSError:
        return Entries((), ())
