"""Find submissions in the paths that an instructor names: notebooks, folders, zips, downloads of learning platforms.

A path is read as follows; the first rule that fits applies:

1. A notebook is one submission. A zip is unpacked and read as a folder if it is the only path. One of several paths is
   one student's zip, whatever names it contains: a student could have written them.
2. An nbgrader tree: `submitted/<student>/<assignment>/x.ipynb`, the folder above it, or `submitted` itself.
3. A download of a learning platform: all files and folders with one student's name are one submission, under the
   student's own file names. Of several attempts, the last one with a notebook counts. Microsoft Teams has a folder for
   each attempt: `Submitted files/<student>/<assignment>/Version 2`. In a folder of clones, the student is the end of
   the repository's name.
4. A folder with exactly one notebook is one submission with the files next to it. It may have no subfolders with
   notebooks, except those with copies, recognized by the folder's name or by the names of the notebooks in it.
5. A folder that contains only one subfolder is read as that subfolder, unless the subfolder's name is that of a part
   of a submission.
6. Subfolders such as `notebooks`, `data` and `src` are parts of one submission: `grader.intake.parts` decides.
7. Any other folder is a class. Each notebook in it is a submission, each subfolder belongs to one student, and so
   does each zip.

In a student's folder with several notebooks, the one named `submission.ipynb` is executed. Without it, copies are
excluded by their names. Among the rest, the notebook whose name most other students use is executed, then the one with
the most code, then the one closest to the root, then the first by name. The others remain listed in `files`, and a note
names them.

A student's folder with an unreadable file affects only that student: it is listed with the reason.
Results of an earlier grading among the submissions are skipped. A notice names any other file or folder of a class that
belongs to no submission; `grader.intake.accounting` lists every file with its place. A notice also names submissions
that claim the same student.
"""

import hashlib
import re
import unicodedata
import zipfile
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from grader.facts.nearest import near_path
from grader.facts.refusal import refusal
from grader.facts.times import moment_of
from grader.intake import gradescope, repositories
from grader.intake.candidates import (
    Candidate,
    Entries,
    Mentions,
    Search,
    entries_of,
    is_notebook_name,
    is_work,
    listing,
    no_notebook,
    notebooks_in,
    person_at,
    printable,
    safe_id,
    some,
    unreadable,
    walk,
)
from grader.intake.download import Piece, read_pieces
from grader.intake.parts import (
    Reading,
    Subfolder,
    is_material_name,
    is_part_name,
    is_series,
    is_work_name,
    read_subfolders,
)
from grader.intake.platforms import (
    Person,
    canvas_version,
    people_of,
    person_of,
)
from grader.intake.student import COPY_NAME, UNTITLED, pick_notebook, read_student, single, student_zip
from grader.intake.teams import PLATFORM, TeamsTree, teams_tree
from grader.intake.unpack import is_ignored
from grader.schema.errors import HarnessError, NotebookError, SubmissionPathError, UnreadableError
from grader.schema.message import Message, say, say_count
from grader.schema.submission import Submission, SubmittedFrom

__all__ = [
    "CLASS_FILES",
    "Findings",
    "Found",
    "Origin",
    "Person",
    "Rejected",
    "find_all",
    "find_submissions",
    "person_of",
    "pick_notebook",
    "safe_id",
]

_CHUNK = 1 << 20
_ARCHIVES = frozenset({".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".tbz2", ".zst"})
_TEXT_SUFFIXES = {".md", ".rst", ".yaml", ".yml", ".toml", ".cfg", ".ini", ".log"}
_DATA_SUFFIXES = {".csv", ".tsv", ".json", ".npy", ".npz", ".h5", ".hdf5", ".keras", ".pkl", ".sqlite"}
_IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".gif", ".svg"}
_SIDE_SUFFIXES = frozenset(_TEXT_SUFFIXES | _DATA_SUFFIXES | _IMAGE_SUFFIXES)
"""Suffixes of files that a student does not submit in place of a notebook."""
CLASS_FILES = frozenset(
    {"index.html", "grades.csv", "grades.xls", "grades.xlsx", "submission_metadata.yml", "status.xlsx", "status.csv"}
    | {"scores.csv", "desktop.ini", "Thumbs.db"}
)
"""Files that platforms and systems add to a download."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something handed in that cannot be executed: it gets a clear grade, or `not_graded` if it could not be read."""

    id: str
    student: str
    files: tuple[str, ...]
    sha256: str
    """Hash of the file, or of the names and sizes in the folder; empty if they cannot be read."""
    error: NotebookError | HarnessError
    notes: tuple[Message, ...] = ()
    """How the files were read, where another reading is possible."""
    submitted: datetime | None = None
    """When it was handed in; None if unknown."""
    submitted_from: SubmittedFrom = ""


Found = Submission | Rejected


@dataclass(frozen=True, slots=True)
class Origin:
    """The source of a submission, and the facts in the platform's names."""

    platform: str = ""
    """The platform whose names were recognized; empty for other names."""
    attempt: str = ""
    """The attempt that is graded, as the platform names it; empty if the platform has none."""
    others: tuple[str, ...] = ()
    """The other attempts, as the platform names them."""
    late: bool = False
    """Whether the platform marks it as late."""
    sources: tuple[Path, ...] = ()
    """The files and folders that it was read from."""


@dataclass(frozen=True, slots=True)
class Findings:
    """The submissions at the given paths, and what else was there."""

    found: tuple[Found, ...]
    notices: tuple[Message, ...] = ()
    """Files and folders that belong to no submission, and readings of which another is possible."""
    origins: tuple[Origin, ...] = ()
    """The origin of each submission, in the same order."""
    unpacked: Mapping[Path, Path] = field(default_factory=dict)
    """Folder with the content of a zip → the zip."""


def find_submissions(paths: Sequence[Path], *, unpack_to: Path) -> tuple[Found, ...]:
    """Find every submission at the given paths; `find_all` also returns notices.

    Args:
        paths: Notebooks, folders or zips; the module's description says how each is read.
        unpack_to: Folder for unpacked zips; it must exist as long as the submissions are used.

    Returns:
        Submissions and rejected ones, sorted by path within each given path. The ids are unique, stable and safe names.

    Raises:
        SubmissionPathError: A path does not exist, or it contains no submission.
        UnreadableError: A path from the command line cannot be read at all.
        StorageError: A zip cannot be unpacked because space is short.
    """
    return find_all(paths, unpack_to=unpack_to).found


def find_all(paths: Sequence[Path], *, unpack_to: Path, zone: tzinfo = UTC) -> Findings:
    """Find every submission at the given paths, and note what belongs to none.

    Args:
        paths: As for `find_submissions`.
        unpack_to: As for `find_submissions`.
        zone: Time zone of times of submission without one.

    Raises:
        SubmissionPathError: As for `find_submissions`.
        UnreadableError: As for `find_submissions`.
        StorageError: As for `find_submissions`.
    """
    named = frozenset(path.resolve() for path in paths)
    search = Search(unpack_to, alone=len(named) == 1, named=named, zone=zone)
    candidates: list[Candidate] = []
    for path in paths:
        try:
            path_candidates = list(_at(path, search))
        except OSError as error:
            raise unreadable(error, path, "folder") from error
        if not path_candidates and not search.notices:
            msg = "there is no notebook here"
            raise SubmissionPathError(msg, where=str(path))
        candidates += path_candidates
    # A notebook in a zip is no key: two students' equal zips are unpacked to one folder.
    unique = list({tuple(path.resolve() for path in _sources(c)): c for c in candidates}.values())
    names = tuple(_unique_ids(unique, unpack_to))
    timed = (_timed(candidate, zone) for candidate in unique)
    found = tuple(_finish(candidate, name) for candidate, name in zip(timed, names, strict=True))
    search.notices.extend(_claimed_twice(unique, names))
    origins = tuple(map(_origin, unique))
    return Findings(found, tuple(dict.fromkeys(search.notices)), origins, search.unpacked)


def _sources(candidate: Candidate) -> tuple[Path, ...]:
    return candidate.sources or (candidate.place,)


def _origin(candidate: Candidate) -> Origin:
    return Origin(
        platform=candidate.person.platform,
        attempt=printable(candidate.attempt),
        others=tuple(map(printable, candidate.others)),
        late=candidate.late,
        sources=_sources(candidate),
    )


# --- names ---------------------------------------------------------------------------------------------------


def _unique_ids(candidates: Sequence[Candidate], unpack_to: Path) -> Iterator[str]:
    """Yield an id for each candidate; a repeated name gets a suffix computed from the candidate's path."""
    used_ids: set[str] = set()
    for candidate in candidates:
        name = safe_id(candidate.person.id)
        path = candidate.origin or candidate.notebook or candidate.place
        # The folder for unpacked zips has another name in each run.
        parts = path.relative_to(unpack_to).parts if path.is_relative_to(unpack_to) else path.parts
        tail = "/".join(parts[-3:])
        unique_name, turn = name, 0
        # Compare ids without case: some file systems treat the folders `Ann` and `ann` as the same one.
        while unique_name.casefold() in used_ids:
            unique_name = (
                f"{name}-{hashlib.sha256(f'{tail}/{turn}'.encode('utf-8', 'surrogateescape')).hexdigest()[:6]}"
            )
            turn += 1
        used_ids.add(unique_name.casefold())
        yield unique_name


def _claimed_twice(candidates: Sequence[Candidate], names: Sequence[str]) -> Iterator[Message]:
    """Note submissions that claim the same student: a person must find out whose work each is."""
    groups: dict[str, list[int]] = {}
    for position, candidate in enumerate(candidates):
        groups.setdefault(safe_id(candidate.person.id).casefold(), []).append(position)
    for positions in groups.values():
        if len(positions) > 1:
            yield say(
                "{student:raw} is claimed by {count:number} submissions: {submissions:raw list}; find out whose work "
                "each is",
                student=printable(candidates[positions[0]].person.student),
                count=len(positions),
                submissions=[f"{names[i]} ({printable(_sources(candidates[i])[0].name)})" for i in positions],
            )


# --- places --------------------------------------------------------------------------------------------------


def _at(path: Path, search: Search) -> Iterator[Candidate]:
    """Yield the candidates at one path from the command line."""
    if not path.exists():
        msg = f"there is no such file or folder{near_path(path)}"
        raise SubmissionPathError(msg, where=str(path))
    if person_of(path.name) is not None:
        yield _with_siblings(path.resolve(), search)
    elif path.is_dir():
        yield from _in_folder(path.resolve(), search, person=None)
    elif path.suffix.lower() == ".zip":
        yield from _in_zip(path, search)
    elif is_notebook_name(path.name):
        yield single(path)
    elif search.alone or path.suffix.lower() not in _SIDE_SUFFIXES:
        yield _no_notebook_file(path)
    else:
        search.notices.append(say("{name} is not a notebook and was not graded", name=printable(path.name)))


def _no_notebook_file(path: Path) -> Candidate:
    if path.suffix:
        reason = say("a file with the suffix {suffix:code} is not a notebook", suffix=path.suffix)
    else:
        reason = say("a file without a suffix is not a notebook")
    return Candidate(person=person_at(path), place=path, files=(path.name,), error=refusal(reason, where=path.name))


def _with_siblings(path: Path, search: Search) -> Candidate:
    """Read one file or folder of a platform's download with the student's other files and folders next to it."""
    entries = entries_of(path.parent)
    people = _people_in(path.parent, entries)
    own = people[path.name] if path.name in people else person_at(path)
    siblings = (*entries.files, *entries.folders)
    pieces = [Piece(one, people[one.name]) for one in siblings if _belongs(people.get(one.name), own)]
    if any(_is_asked(piece, search) for piece in pieces):
        # Other notebooks and attempts were not asked for.
        asked = {piece.person.attempt for piece in pieces if _is_asked(piece, search)}
        pieces = [piece for piece in pieces if piece.person.attempt in asked]
        pieces = [piece for piece in pieces if _is_asked(piece, search) or not is_work(piece.path)]
    return read_pieces(pieces or [Piece(path, own)], search)


def _is_asked(piece: Piece, search: Search) -> bool:
    """Return whether a notebook, zip or folder of a download was named on the command line."""
    return piece.path in search.named and (piece.path.is_dir() or is_work(piece.path))


def _belongs(person: Person | None, own: Person) -> bool:
    return person is not None and person.id == own.id


def _in_zip(path: Path, search: Search) -> Iterator[Candidate]:
    """Yield the candidates in a zip from the command line: a class, or one student's work."""
    if not search.alone:
        yield _one_students_zip(path, search)
        return
    try:
        folder = search.unpack(path)
    except (NotebookError, UnreadableError) as error:
        yield Candidate(person=person_at(path), place=path, files=(path.name,), error=error)
        return
    yield from _in_folder(folder, search, person=person_at(path))


def _one_students_zip(path: Path, search: Search) -> Candidate:
    """Read a zip as one student's, and note if it looks like the download of a class."""
    found = student_zip(path, search)
    if found.folder is not None and _is_download(found.folder):
        notice = say(
            "{name} looks like the download of a class, but was read as one student's zip; grade it alone",
            name=printable(path.name),
        )
        search.notices.append(notice)
    return found


def _in_folder(folder: Path, search: Search, person: Person | None) -> Iterator[Candidate]:
    """Yield the candidates in a folder from the command line, or in an unpacked zip of `person`."""
    tree = _nbgrader_tree(folder)
    if tree is not None:
        yield from _in_nbgrader(folder, tree, search)
        return
    entries = entries_of(folder)
    people = _people_in(folder, entries)
    if people:
        yield from _in_download(folder, entries, people, search)
        return
    teams = teams_tree(folder)
    if teams is not None:
        yield from _in_teams(folder, teams, search)
        return
    yield from _in_plain_folder(folder, entries, search, person)


def _is_download(folder: Path) -> bool:
    """Return whether a folder contains the files of several students by a platform's names."""
    try:
        entries = entries_of(folder)
        if len(entries.folders) == 1 and not entries.files:
            folder, entries = entries.folders[0], entries_of(entries.folders[0])
        return len({person.id for person in _people_in(folder, entries).values()}) > 1
    except OSError:
        return False


def _people_in(folder: Path, entries: Entries) -> dict[str, Person]:
    """Read the students from the names that a platform made."""
    people = people_of([p.name for p in entries.files], [p.name for p in entries.folders], folder.name)
    export = gradescope.read_export(folder)
    if export is not None:
        people |= export.of_folders([path.name for path in entries.folders])
    return people or repositories.owners(folder, entries.folders)


def _in_download(folder: Path, entries: Entries, people: Mapping[str, Person], search: Search) -> Iterator[Candidate]:
    """Yield the candidates in a platform's download, including other files and folders there."""
    paths = {path.name: path for path in (*entries.files, *entries.folders)}
    groups: dict[str, list[Piece]] = {}
    for name in sorted(people):
        groups.setdefault(people[name].id, []).append(Piece(paths[name], people[name]))
    search = replace(search, usual=_usual_in_download(groups.values()))
    export = gradescope.read_export(folder) or gradescope.Export()
    if export.damaged:
        notice = say(
            "{name} could not be read to its end ({reason}): some submissions have the names of their folders",
            name=gradescope.METADATA,
            reason=printable(export.damaged),
        )
        search.notices.append(notice)
    for pieces in groups.values():
        candidate = read_pieces(pieces, search)
        others = tuple(f"{when} (not in the export)" for when in export.history.get(pieces[0].path.name, ()))
        yield replace(candidate, others=(*candidate.others, *others))
    rest = Entries(
        [path for path in entries.files if path.name not in people],
        [path for path in entries.folders if path.name not in people],
        entries.links,
    )
    students = {path.name for path in rest.folders if notebooks_in(path) != []}
    yield from _class_members(folder, rest, students, search)


def _usual_in_download(groups: Collection[Sequence[Piece]]) -> frozenset[str]:
    """Find the usual names of notebooks, with Canvas's number only if it is a part of everybody's name."""
    names = [{name.casefold() for piece in pieces for name in _notebook_names(piece)} for pieces in groups]
    plain = [{canvas_version(name)[0] for name in own} for own in names]
    bare = {name for own in names for name in own if not canvas_version(name)[1]}
    numbered = [{name for name in own if canvas_version(name)[0] not in bare} for own in names]
    return _usual(plain) | _usual(numbered)


def _notebook_names(piece: Piece) -> list[str]:
    if piece.path.is_dir():
        return [path.name for path in notebooks_in(piece.path) or ()]
    return [piece.person.rest] if is_notebook_name(piece.path.name) else []


def _usual(names: Sequence[Collection[str]]) -> frozenset[str]:
    """Find the names of notebooks that at least two and at least half of the students use."""
    counts = Counter(name for own in names for name in set(own))
    return frozenset(name for name, count in counts.items() if count > 1 and 2 * count >= len(names))


def _in_plain_folder(folder: Path, entries: Entries, search: Search, person: Person | None) -> Iterator[Candidate]:
    """Yield the candidates in a folder whose names are not a platform's."""
    only = entries.folders[0] if len(entries.folders) == 1 else None
    if only is not None and not entries.notebooks and not entries.zips and _is_wrapper(only):
        if _is_part(only, entries.files):
            yield read_student(folder, person or person_at(folder), search)
        else:
            _note_others(folder, [path.name for path in entries.files if path.name not in CLASS_FILES], search)
            yield from _in_folder(only, search, person)
        return
    if search.alone and len(entries.zips) == 1 and not entries.notebooks and not entries.folders:
        whole = student_zip(entries.zips[0], search)
        if whole.folder is not None and _is_download(whole.folder):
            name = printable(entries.zips[0].name)
            search.notices.append(
                say("{name} was read as the download of a class, not as one student's zip", name=name)
            )
            yield from _in_folder(whole.folder, search, person=None)
            return
    reading = _reading(entries)
    if _is_one(entries, reading):
        notes = (_one_note(entries),) if reading.unsure and entries.folders else ()
        found = read_student(folder, person or person_at(folder), search)
        yield replace(found, notes=(*notes, *found.notes))
        return
    if not (entries.notebooks or entries.zips or entries.folders):
        yield from _without_notebook(folder, person or (None if search.alone else person_at(folder)))
        return
    if reading.unsure:
        each = say(
            "{folder}: each of these folders was read as one student's work: {names:list}",
            folder=search.name_of(folder),
            names=some(reading.students),
        )
        search.notices.append(each)
    yield from _class_members(folder, entries, set(reading.students), search)


def _is_one(entries: Entries, reading: Reading) -> bool:
    """Return whether a folder is one submission."""
    notebooks, zips = entries.notebooks, entries.zips
    if not reading.one or any(_has_notebook_inside(path) for path in zips):
        return False
    if not notebooks:
        return bool(entries.folders)
    return len(_originals(notebooks)) == 1 or _are_steps(entries)


def _are_steps(entries: Entries) -> bool:
    """Return whether loose notebooks are steps of one work: no name is a student's, and code or data is there, too."""
    if len(entries.notebooks) < 2:  # noqa: PLR2004 - several
        return False
    others = {path.suffix.lower() for path in entries.files} & {".py", ".csv", ".npz", ".toml"}
    names = [path.stem for path in entries.notebooks]
    if not (others or entries.folders) or is_series(names):
        return False
    return all(is_work_name(name) and not COPY_NAME.search(name) for name in names)


def _originals(notebooks: Sequence[Path]) -> list[Path]:
    """Leave out Jupyter's copies of another notebook in the list, and untitled ones."""
    stems = {path.stem for path in notebooks}
    copies = {path for path in notebooks if re.sub(r"-Copy\d+$", "", path.stem) in stems - {path.stem}}
    named = [path for path in notebooks if path not in copies and not UNTITLED.fullmatch(path.stem)]
    return named or list(notebooks[:1])


def _has_notebook_inside(path: Path) -> bool:
    """Return whether a zip contains a notebook or another zip; a damaged zip counts as one that does."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(is_work(Path(name)) for name in archive.namelist())
    except Exception:  # noqa: BLE001 - unpacking reports what is wrong with it
        return True


def _reading(entries: Entries) -> Reading:
    """Decide how the subfolders of a folder are read."""
    loose = _originals(entries.notebooks) if entries.notebooks else []
    inner = {folder.name: notebooks_in(folder) for folder in entries.folders}
    facts, alike = [], _alike(inner)
    for folder in entries.folders:
        own = inner[folder.name]
        count = 1 if own is None else len(own)
        if len(loose) == 1 and count and _is_backup(folder, own, loose[0]):
            count = 0
        facts.append(replace(_facts(folder, count), alike=folder.name in alike))
    notebooks = [*loose, *(path for own in inner.values() for path in own or ())]
    count = 1 if _are_steps(entries) else len(loose)
    return read_subfolders(facts, loose=count, mentioned=Mentions(notebooks))


def _alike(inner: Mapping[str, Sequence[Path] | None]) -> set[str]:
    """Return the subfolders with a notebook whose name is used in another one, except folders of copies."""
    names = {
        folder: {path.name.casefold() for path in own or ()}
        for folder, own in inner.items()
        if not COPY_NAME.search(folder)
    }
    counts = Counter(name for own in names.values() for name in own)
    return {folder for folder, own in names.items() if any(counts[name] > 1 for name in own)}


def _facts(folder: Path, notebooks: int) -> Subfolder:
    try:
        children = [path for path in folder.iterdir() if not is_ignored(path.name)]
        parts = any(is_material_name(path.name) and path.is_dir() for path in children)
        repository = (folder / ".git").exists()
    except OSError:
        return Subfolder(folder.name, notebooks)
    return Subfolder(folder.name, notebooks, not children, repository, bool(notebooks) and parts)


def _one_note(entries: Entries) -> Message:
    return say(
        "the folders {folders:list} were read as parts of one submission; if they belong to different students, name "
        "each folder in the command",
        folders=some([path.name for path in entries.folders]),
    )


def _class_members(folder: Path, entries: Entries, students: Collection[str], search: Search) -> Iterator[Candidate]:
    """Yield the candidates in a class, and note what belongs to nobody."""
    yield from _flat(entries.notebooks, search)
    subfolders = [path for path in entries.folders if path.name in students]
    names = [{path.name.casefold() for path in notebooks_in(sub) or ()} for sub in subfolders]
    inner = replace(search, usual=search.usual or _usual(names))
    for sub in subfolders:
        yield read_student(sub, person_at(sub), inner)
    others = list[str]()
    for path in entries.files:
        if path.suffix.lower() == ".zip":
            if is_material_name(path.stem) and not _has_notebook_inside(path):
                others.append(path.name)
            else:
                yield _one_students_zip(path, search)
        elif path.suffix.lower() in _ARCHIVES and not is_material_name(path.name.partition(".")[0]):
            yield _no_notebook_file(path)
        elif not is_notebook_name(path.name) and path.name not in CLASS_FILES:
            others.append(path.name)
    others += [f"{path.name}/" for path in entries.folders if path.name not in students]
    others += [path.name for path in entries.links]
    _note_others(folder, others, search)


def _note_others(folder: Path, names: Sequence[str], search: Search) -> None:
    """Note the files and folders of a class that belong to no submission."""
    if names:
        notice = say_count(
            "{folder}: {names:list} belongs to no submission and was not graded",
            "{folder}: {names:list} belong to no submission and were not graded",
            len(names),
            folder=search.name_of(folder),
            names=some(names),
        )
        search.notices.append(notice)


def _is_backup(folder: Path, inner_notebooks: Sequence[Path] | None, notebook: Path) -> bool:
    """Return whether a subfolder holds copies of the notebook next to it rather than another student's work.

    An unreadable subfolder counts as a backup, since it may hold files that the notebook needs.
    """
    if inner_notebooks is None or COPY_NAME.search(folder.name):
        return True
    return all(path.name == notebook.name or COPY_NAME.search(path.stem) for path in inner_notebooks)


def _is_part(only: Path, files: Sequence[Path]) -> bool:
    """Return whether the only subfolder is a part of a submission: its name says so, or its notebook uses the files."""
    notebooks = notebooks_in(only)
    if notebooks is None or len(notebooks) != 1:
        return False
    mentions = Mentions(notebooks)
    return is_part_name(only.name) or any(mentions(path.name) or mentions(path.stem) for path in files)


def _is_wrapper(folder: Path) -> bool:
    """Return whether to search the only subfolder in place of its parent; False if it is empty or unreadable."""
    try:
        entries = entries_of(folder)
    except OSError:
        return False
    return bool(entries.notebooks or entries.zips or entries.folders)


def _without_notebook(folder: Path, person: Person | None) -> Iterator[Candidate]:
    """Yield a rejection for a zip without a notebook; for a folder from the command line yield nothing."""
    files = listing(folder)
    if person is not None:
        yield Candidate(person=person, place=folder, folder=folder, files=files, error=no_notebook(files))


_NBGRADER = frozenset({"source", "release", "autograded", "feedback", "downloaded", "exchange", "gradebook.db"})
"""Files and folders of an nbgrader course next to `submitted`."""


def _nbgrader_tree(folder: Path) -> Path | None:
    """Find the `submitted` folder of an nbgrader course."""
    for tree in (folder, folder / "submitted"):
        if tree.name == "submitted" and tree.is_dir() and any(own.parent != tree for own in _assignments(tree)[0]):
            return tree
    return None


def _assignments(tree: Path) -> tuple[list[Path], list[Path]]:
    """List the `<student>/<assignment>` folders of an nbgrader tree, and the student folders that cannot be read.

    A student's folder with notebooks or with folders such as `data` is listed instead of its subfolders.
    """
    readable, locked = list[Path](), list[Path]()
    for student in entries_of(tree).folders:
        try:
            entries = entries_of(student)
        except OSError:
            locked.append(student)
        else:
            whole = (
                entries.notebooks or not entries.folders or any(is_material_name(path.name) for path in entries.folders)
            )
            readable += [student] if whole else entries.folders
    return readable, locked


def _in_nbgrader(folder: Path, tree: Path, search: Search) -> Iterator[Candidate]:
    folders, locked = _assignments(tree)
    several = len({_assignment(tree, own) for own in folders} - {""}) > 1
    usual = _usual_by_assignment(tree, folders)
    for own in folders:
        assignment = _assignment(tree, own)
        student = own.parent.name if assignment else own.name
        name = f"{student}-{assignment}" if several and assignment else student
        settings = replace(search, usual=usual[assignment])
        yield read_student(own, Person(student=student, id=name, platform="nbgrader"), settings)
    for own in locked:
        yield read_student(own, replace(person_at(own), platform="nbgrader"), search)
    for place in dict.fromkeys((folder, tree, *(own.parent for own in folders))):
        entries = entries_of(place)
        inner = {path for path in entries.folders if tree in {place, path, place.parent} or path.name in _NBGRADER}
        others = [path for path in (*entries.files, *entries.folders) if path not in inner]
        _note_others(place, [path.name for path in others if path.name not in _NBGRADER], search)


def _assignment(tree: Path, own: Path) -> str:
    """Return the assignment of a student's folder in an nbgrader tree; empty if the tree has no folders for them."""
    return own.name if own.parent != tree else ""


def _usual_by_assignment(tree: Path, folders: Sequence[Path]) -> dict[str, frozenset[str]]:
    """Find the usual names of notebooks of each assignment in an nbgrader tree."""
    names = defaultdict[str, list[set[str]]](list)
    for own in folders:
        names[_assignment(tree, own)].append({path.name.casefold() for path in notebooks_in(own) or ()})
    return {assignment: _usual(every) for assignment, every in names.items()}


def _in_teams(folder: Path, tree: TeamsTree, search: Search) -> Iterator[Candidate]:
    """Yield the candidates in a download of Microsoft Teams, each with its latest version."""
    latest = [notebooks_in(work.versions[-1]) or () for work in tree.works if work.versions]
    search = replace(search, usual=_usual([{path.name.casefold() for path in own} for own in latest]))
    several = len({work.assignment for work in tree.works if work.assignment}) > 1
    for work in tree.works:
        name = f"{work.student}-{work.assignment}" if several and work.assignment else work.student
        person = Person(work.student, name, platform=PLATFORM)
        pieces = [Piece(path, replace(person, attempt=path.name)) for path in work.versions]
        yield read_pieces(pieces, search) if pieces else read_student(work.folder, person, search)
    read = {tree.root, *(work.folder for work in tree.works), *(work.folder.parent for work in tree.works)}
    for place in dict.fromkeys((folder, tree.root)) if folder not in {work.folder for work in tree.works} else ():
        entries = entries_of(place)
        others = [path.name for path in entries.files if path.name not in CLASS_FILES]
        _note_others(place, [*others, *(f"{path.name}/" for path in entries.folders if path not in read)], search)


def _flat(notebooks: Sequence[Path], search: Search) -> Iterator[Candidate]:
    """Yield loose notebooks, each as one submission."""
    for path in notebooks:
        yield single(path)
    originals = _originals(notebooks) if notebooks else []
    copies = [path.name for path in notebooks if path not in originals]
    if copies:
        notice = say("{names:list} was read as another student's notebook, not as a copy", names=some(copies))
        search.notices.append(notice)


# --- finishing -----------------------------------------------------------------------------------------------


_TIMESTAMP = "timestamp.txt"
"""File that nbgrader and Sakai add to a submission. A student could forge it, but gains nothing: a submission without a
known time is not late."""
_LONGEST_TIMESTAMP = 100


def _timed(candidate: Candidate, zone: tzinfo) -> Candidate:
    """Add the time of submission from a file in the folder, unless a better source is known."""
    if candidate.submitted is not None or candidate.folder is None:
        return candidate
    path = candidate.folder / _TIMESTAMP
    if path.is_symlink() or not path.is_file():
        return candidate
    try:
        with path.open("rb") as file:
            moment = moment_of(file.read(_LONGEST_TIMESTAMP).decode("utf-8", "replace"), zone)
    except OSError:
        return candidate
    return candidate if moment is None else replace(candidate, submitted=moment, submitted_from="timestamp")


def _finish(candidate: Candidate, name: str) -> Found:
    student = unicodedata.normalize("NFC", printable(candidate.person.student)) or name
    files = tuple(printable(file) for file in candidate.files)
    if candidate.notebook is None or candidate.error is not None:
        error = candidate.error or no_notebook(files)
        digest = _digest(candidate.place)
        return Rejected(
            id=name,
            student=student,
            files=files,
            sha256=digest,
            error=error,
            notes=candidate.notes,
            submitted=candidate.submitted,
            submitted_from=candidate.submitted_from,
        )
    try:
        sha256 = _file_digest(candidate.notebook)
    except OSError as error:
        problem = unreadable(error, candidate.notebook)
        return Rejected(id=name, student=student, files=files, sha256="", error=problem)
    return Submission(
        id=name,
        student=student,
        notebook=candidate.notebook.resolve(),
        folder=candidate.folder,
        files=files,
        sha256=sha256,
        notes=candidate.notes,
        submitted=candidate.submitted,
        submitted_from=candidate.submitted_from,
    )


def _file_digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _digest(place: Path) -> str:
    """Compute a hash of the current contents of a rejected file or folder."""
    try:
        if place.is_file():
            return _file_digest(place)
        lines = (f"{p.relative_to(place).as_posix()}\0{p.stat().st_size}\n" for p in walk(place))
        return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
    except OSError:
        return ""
