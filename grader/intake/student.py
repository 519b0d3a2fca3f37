"""Read one student's folder or zip, and choose the notebook to execute."""

import re
import zipfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from grader.facts.damaged import DAMAGED_ZIP
from grader.intake.candidates import (
    Candidate,
    Mentions,
    Search,
    entries_of,
    free_name,
    is_notebook_name,
    listing,
    no_notebook,
    person_at,
    safe_id,
    some,
    unexpected,
    unreadable,
    walk,
)
from grader.intake.gather import gather
from grader.intake.notebook import code_size
from grader.intake.platforms import FEEDBACK, Person
from grader.schema.errors import NotebookError, StorageError, UnreadableError
from grader.schema.message import Message, say

__all__ = ["COPY_NAME", "UNTITLED", "pick_notebook", "read_student", "single", "student_zip"]

_NESTED_ZIPS = 3
COPY_NAME = re.compile(
    r"(?:^|[\s_.-])(?:copy|kopie|backup|old|bak|checkpoint|template|autosave|starter|startercode|skeleton)\d*(?:\b|_|$)"
    r"|\(\d+\)\s*$|^(?:copy of|kopie von) ",
    re.IGNORECASE,
)
UNTITLED = re.compile(r"Untitled\d*")
"""Name that Jupyter gives to a new notebook."""


def student_zip(path: Path, search: Search, depth: int = 0) -> Candidate:
    """Unpack one student's zip in a class."""
    try:
        folder = search.unpack(path)
    except (NotebookError, UnreadableError) as error:
        return Candidate(person=person_at(path), place=path, files=(path.name,), error=error, sources=(path,))
    return replace(read_student(folder, person_at(path), search, depth + 1), sources=(path,))


def read_student(folder: Path, person: Person, search: Search, depth: int = 0) -> Candidate:
    """Read one student's folder; reject it if any part is unreadable, since the notebook may need that part."""
    try:
        return replace(_readable_student(folder, person, search, depth), sources=(folder,))
    except OSError as error:
        problem = unreadable(error, Path(error.filename or folder), "file or folder")
    except UnreadableError as error:
        problem = error
    except StorageError:
        raise
    except Exception as error:  # noqa: BLE001 - one student's files must not stop the class
        problem = unexpected(error, folder)
    return Candidate(person=person, place=folder, folder=folder, error=problem, sources=(folder,))


def _readable_student(folder: Path, person: Person, search: Search, depth: int) -> Candidate:
    """Read one student's folder; unpack a zip in it if there is no notebook next to it."""
    every = list(walk(folder))
    notebooks = [p for p in every if is_notebook_name(p.name) and FEEDBACK not in p.relative_to(folder).parts]
    files = listing(folder)
    if not notebooks and depth < _NESTED_ZIPS:
        zips = [path for path in every if path.suffix.lower() == ".zip"]
        for path in zips:
            inner = student_zip(path, search, depth)
            if inner.notebook or isinstance(inner.error, UnreadableError) or len(zips) == 1:
                return _next_to_zip(inner, path, every, folder, person, search)
    if not notebooks:
        return Candidate(person=person, place=folder, folder=folder, files=files, error=no_notebook(files))
    chosen = pick_notebook(notebooks, root=folder, usual=search.usual)
    beside = [path for path in every if path.parent == chosen.parent and path.suffix.lower() == ".zip"]
    for path in beside if depth < _NESTED_ZIPS else ():
        members = _needed_files(path, chosen, every, search)
        if members:
            return _with_files_of(path, members, every, folder, person, search)
    notes = (*_choice_note(notebooks, chosen, folder), *_link_note(folder))
    return Candidate(person=person, place=folder, folder=folder, notebook=chosen, files=files, notes=notes)


def _next_to_zip(  # noqa: PLR0913, PLR0917 - the parts of a student's folder
    inner: Candidate, path: Path, every: Sequence[Path], folder: Path, person: Person, search: Search
) -> Candidate:
    """Join the content of a student's zip with the files next to the zip."""
    rest = {file.relative_to(folder).as_posix(): file for file in every if file != path}
    if not rest or inner.folder is None:
        return replace(inner, person=person)
    members = {file.relative_to(inner.folder).as_posix(): file for file in walk(inner.folder)}
    for name, file in rest.items():
        members[free_name(name, members, "more")] = file
    joined = gather(members, search.unpack_to, safe_id(person.id))
    return read_student(joined, person, search, _NESTED_ZIPS)


def _needed_files(path: Path, notebook: Path, every: Sequence[Path], search: Search) -> dict[str, Path]:
    """Unpack a zip next to a notebook that uses files in it, but does not unpack it; return these files.

    Platforms that take no folders make students pack their data or modules.
    """
    mentions = Mentions([notebook])
    names = {file.name for file in every}
    try:
        with zipfile.ZipFile(path) as archive:
            packed = [Path(name) for name in archive.namelist() if not name.endswith("/")]
        used = any(one.name not in names and _is_used(one, mentions) for one in packed)
        if not used or mentions(path.name):
            return {}
        folder = search.unpack(path)
    except (*DAMAGED_ZIP, NotebookError):
        return {}
    files = [file for file in walk(folder) if not is_notebook_name(file.name)]
    return {file.relative_to(folder).as_posix(): file for file in files}


def _is_used(packed: Path, mentions: Mentions) -> bool:
    return mentions(packed.name) or (packed.suffix == ".py" and mentions(packed.stem))


def _with_files_of(  # noqa: PLR0913, PLR0917 - the parts of a student's folder
    path: Path, packed: Mapping[str, Path], every: Sequence[Path], folder: Path, person: Person, search: Search
) -> Candidate:
    """Put the files of a zip next to it, as if the student had submitted them."""
    members = {file.relative_to(folder).as_posix(): file for file in every}
    place = path.parent.relative_to(folder)
    for name, file in packed.items():
        members.setdefault((place / name).as_posix(), file)
    found = read_student(gather(members, search.unpack_to, safe_id(person.id)), person, search, _NESTED_ZIPS)
    note = say("the files of {zip} were put next to the notebook", zip=path.name)
    return replace(found, notes=(*found.notes, note))


def _choice_note(notebooks: Sequence[Path], chosen: Path, folder: Path) -> tuple[Message, ...]:
    """Note which of several notebooks counts."""
    if len(notebooks) == 1:
        return ()
    names = {path: path.relative_to(folder).as_posix() for path in notebooks}
    note = say(
        "{chosen} counts; the submission also has {others:list}",
        chosen=names[chosen],
        others=some(name for path, name in names.items() if path != chosen),
    )
    return (note,)


def _link_note(folder: Path) -> tuple[Message, ...]:
    """Note links in the submission, which are not followed."""
    folders = {folder, *(path.parent for path in walk(folder))}
    links = sorted(path.name for one in folders for path in entries_of(one).links)
    if not links:
        return ()
    return (say("links were not followed: {names:list}", names=some(links)),)


def pick_notebook(notebooks: Sequence[Path], *, root: Path | None = None, usual: Collection[str] = ()) -> Path:
    """Choose the notebook to execute among one student's.

    Args:
        notebooks: At least one path.
        root: The student's folder; folders below it may have the name of a copy.
        usual: Names of notebooks that most students of the class use, without case.

    Returns:
        The notebook named `submission.ipynb`; else the only one whose name is not that of a copy; else the one with
        a usual name; else the one with the most code.

    Raises:
        UnreadableError: The choice depends on a notebook that cannot be read now.
    """
    with_standard_name = [path for path in notebooks if path.name.lower() == "submission.ipynb"]
    eligible = with_standard_name or [path for path in notebooks if not _is_copy(path, root)] or list(notebooks)
    eligible = [path for path in eligible if path.name.casefold() in usual] or eligible
    if len(eligible) == 1:
        return eligible[0]
    return min(eligible, key=lambda path: (-code_size(path), len(path.parts), str(path)))


def _is_copy(path: Path, root: Path | None) -> bool:
    folders = path.relative_to(root).parts[:-1] if root is not None else ()
    return any(COPY_NAME.search(name) for name in (path.stem, *folders)) or UNTITLED.fullmatch(path.stem) is not None


def single(path: Path, person: Person | None = None) -> Candidate:
    """Make a candidate of one notebook without other files."""
    person = person or person_at(path)
    if is_notebook_name(path.name) and person.rest == path.name and not person.platform:
        stem = re.sub(r"\.ipynb(?:\.json|\.txt)?$", "", path.name, flags=re.IGNORECASE)
        person = Person(student=stem, id=stem)
    return Candidate(person=person, place=path, notebook=path, files=(person.rest or path.name,))
