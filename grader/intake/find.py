"""Find submissions in the paths that an instructor names: notebooks, folders, zips, downloads of learning platforms.

A path is read as follows; the first rule that fits applies:

1. A notebook is one submission. A zip is unpacked and read as a folder.
2. An nbgrader tree: `submitted/<student>/<assignment>/x.ipynb`, the folder above it, or `submitted` itself.
3. A folder with exactly one notebook is one submission with the files next to it. It may have no subfolders with
   notebooks, except one with copies, recognized by the folder's name or by the names of the notebooks in it.
4. A folder that contains only one subfolder is read as that subfolder, unless a platform named it after a student.
5. Any other folder is a class. Each notebook in it is a submission, each subfolder belongs to one student, and so
   does each zip. Files of one student in a flat Canvas or Moodle download form one submission.

In a student's folder with several notebooks, the one named `submission.ipynb` is executed. Without it, copies are
excluded by their names. Among the rest, the notebook with the most code is executed, then the one closest to the
root, then the first by name. The others remain listed in `files`.

A student's folder with an unreadable file affects only that student: it is listed with the reason.
Results of an earlier grading among the submissions are skipped.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from grader.facts.refusal import refusal
from grader.intake.notebook import code_size
from grader.intake.unpack import is_ignored, unpack_zip
from grader.schema.errors import HarnessError, NotebookError, SubmissionPathError, UnreadableError
from grader.schema.message import say
from grader.schema.submission import Submission

__all__ = ["Found", "Person", "Rejected", "find_submissions", "person_of", "pick_notebook", "safe_id"]

_LISTED_FILES = 1000
_NAMED_FILES = 5
"""Maximum number of files to name in a message."""
_CHUNK = 1 << 20
_ID_BYTES = 96
_DEEPEST = 12
_DATABASE = "grader.sqlite"
"""File that marks a results folder."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something handed in that cannot be executed: it gets a clear grade, or `not_graded` if it could not be read."""

    id: str
    student: str
    files: tuple[str, ...]
    sha256: str
    """Hash of the file, or of the names and sizes in the folder; empty if they cannot be read."""
    error: NotebookError | HarnessError


Found = Submission | Rejected


@dataclass(frozen=True, slots=True)
class Person:
    """Student that a name in a download belongs to."""

    student: str
    id: str
    """Base of the result folder's name, before it is made unique."""
    rest: str = ""
    """The student's own file name, without the platform's prefix."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A submission before its id is made unique."""

    person: Person
    place: Path
    """The notebook, folder or zip."""
    folder: Path | None = None
    notebook: Path | None = None
    files: tuple[str, ...] = ()
    error: NotebookError | UnreadableError | None = field(default=None, compare=False)


def find_submissions(paths: Sequence[Path], *, unpack_to: Path) -> tuple[Found, ...]:
    """Find every submission at the given paths.

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
    candidates: list[_Candidate] = []
    for path in paths:
        try:
            path_candidates = list(_at(path, unpack_to))
        except OSError as error:
            raise _unreadable(error, path, "folder") from error
        if not path_candidates:
            msg = "there is no notebook here"
            raise SubmissionPathError(msg, where=str(path))
        candidates += path_candidates
    unique = list({(c.notebook or c.place).resolve(): c for c in candidates}.values())
    return tuple(_finish(candidate, name) for candidate, name in zip(unique, _unique_ids(unique), strict=True))


# --- names ---------------------------------------------------------------------------------------------------

_MOODLE = re.compile(r"(?P<name>[^_]+(?:_[^_]+)*?)_(?P<number>\d+)_assignsubmission_(?:file|onlinetext)_?(?P<rest>.*)")
_CANVAS_ANONYMOUS = re.compile(r"anon_(?P<number>[0-9A-Za-z]+)_(?:\d+_)?(?P<rest>.+)")
_CANVAS = re.compile(r"(?P<name>[^_]+)(?:_(?i:late))?_(?P<number>\d{2,})_(?P<attachment>\d{3,})_(?P<rest>.+)")
_GRADESCOPE = re.compile(r"submission_(?P<number>\d+)")
_COPY = re.compile(
    r"(?:^|[\s_.-])(?:copy|kopie|backup|old|bak|checkpoint|template|autosave)\d*(?:\b|_|$)"
    r"|\(\d+\)\s*$|^(?:copy of|kopie von) ",
    re.IGNORECASE,
)


def person_of(name: str) -> Person | None:
    """Read the student from a file or folder name that Moodle or Canvas made.

    Args:
        name: Name of a file or folder: `Ann Lee_4711_assignsubmission_file_`, `leeann_LATE_12_345_work.ipynb`,
            `anon_12_345_work.ipynb`.

    Returns:
        The person, or None for any other name. The id contains the platform's own number to keep namesakes apart.
    """
    if match := _MOODLE.fullmatch(name):
        student = match["name"].replace("_", " ").strip()
        return Person(student=student, id=f"{student}-{match['number']}", rest=match["rest"])
    if match := _CANVAS_ANONYMOUS.fullmatch(name):
        return Person(student=f"anonymous {match['number']}", id=f"anon-{match['number']}", rest=match["rest"])
    if match := _CANVAS.fullmatch(name):
        return Person(student=match["name"], id=f"{match['name']}-{match['number']}", rest=match["rest"])
    return None


def _person(path: Path) -> Person:
    """Return the student of a path: by a platform's name, else by the plain name."""
    name = path.name if path.is_dir() else path.stem
    return person_of(path.name) or Person(student=name, id=name, rest=path.name)


def safe_id(name: str) -> str:
    """Make a name safe for a folder: letters (of any script), digits, `_` and `-`, at most 96 bytes.

    Args:
        name: Any text.
    """
    plain = unicodedata.normalize("NFKD", name)
    plain = unicodedata.normalize("NFC", "".join(c for c in plain if not unicodedata.combining(c)))
    slug = re.sub(r"[^\w-]+", "-", plain).strip("-_")
    return slug.encode()[:_ID_BYTES].decode(errors="ignore").strip("-_") or "submission"


def _unique_ids(candidates: Sequence[_Candidate]) -> Iterator[str]:
    """Yield an id for each candidate; a repeated name gets a suffix computed from the candidate's path."""
    used_ids: set[str] = set()
    for candidate in candidates:
        name = safe_id(candidate.person.id)
        tail = "/".join((candidate.notebook or candidate.place).parts[-3:])
        unique_name, turn = name, 0
        # Compare ids without case: some file systems treat the folders `Ann` and `ann` as the same one.
        while unique_name.casefold() in used_ids:
            unique_name = f"{name}-{hashlib.sha256(f'{tail}/{turn}'.encode()).hexdigest()[:6]}"
            turn += 1
        used_ids.add(unique_name.casefold())
        yield unique_name


# --- places --------------------------------------------------------------------------------------------------


def _at(path: Path, unpack_to: Path) -> Iterator[_Candidate]:
    """Yield the candidates at one path from the command line."""
    if not path.exists():
        msg = "there is no such file or folder"
        raise SubmissionPathError(msg, where=str(path))
    if path.is_dir():
        yield from _in_folder(path.resolve(), unpack_to, person=None)
    elif path.suffix.lower() == ".zip":
        yield from _in_zip(path, unpack_to)
    elif _is_notebook_name(path.name):
        yield _single(path)
    else:
        if path.suffix:
            reason = say("a file with the suffix {suffix:code} is not a notebook", suffix=path.suffix)
        else:
            reason = say("a file without a suffix is not a notebook")
        yield _Candidate(person=_person(path), place=path, files=(path.name,), error=refusal(reason, where=path.name))


def _in_zip(path: Path, unpack_to: Path) -> Iterator[_Candidate]:
    """Yield the candidates in a zip from the command line: a class, or one student's work."""
    try:
        folder = unpack_zip(path, unpack_to)
    except (NotebookError, UnreadableError) as error:
        yield _Candidate(person=_person(path), place=path, files=(path.name,), error=error)
        return
    yield from _in_folder(folder.resolve(), unpack_to, person=_person(path))


def _is_notebook_name(name: str) -> bool:
    return name.lower().endswith((".ipynb", ".ipynb.json", ".ipynb.txt"))


def _children(folder: Path) -> tuple[list[Path], list[Path], list[Path]]:
    """List notebooks, zips and subfolders directly in a folder, sorted; skip hidden, linked and result files."""
    visible = sorted(p for p in folder.iterdir() if not is_ignored(p.name) and not p.is_symlink())
    files = [p for p in visible if p.is_file()]
    notebooks = [p for p in files if _is_notebook_name(p.name)]
    zips = [p for p in files if p.suffix.lower() == ".zip"]
    return notebooks, zips, [p for p in visible if p.is_dir() and not _is_results(p)]


def _is_results(folder: Path) -> bool:
    """Detect a results folder.

    A student's folder that was graded in place also holds the database, but it has a notebook or zip next to it.
    """
    try:
        if not (folder / _DATABASE).is_file():
            return False
        return not any(_is_notebook_name(path.name) or path.suffix.lower() == ".zip" for path in folder.iterdir())
    except OSError:
        return False  # treat it as a student's until it can be read


def _walk(folder: Path, depth: int = 0) -> Iterator[Path]:
    """Yield every file below a folder, sorted; skip hidden files, links and grading results."""
    if depth > _DEEPEST:
        return
    for path in sorted(folder.iterdir()):
        if is_ignored(path.name) or path.is_symlink():
            continue
        if path.is_dir():
            if not _is_results(path):
                yield from _walk(path, depth + 1)
        elif path.is_file():
            yield path


def _has_notebook(folder: Path) -> bool:
    """Return whether a folder contains a notebook; an unreadable folder counts as containing one."""
    try:
        return any(_is_notebook_name(path.name) for path in _walk(folder))
    except OSError:
        return True


def _in_folder(folder: Path, unpack_to: Path, person: Person | None) -> Iterator[_Candidate]:
    """Yield the candidates in a folder from the command line, or in an unpacked zip of `person`."""
    notebooks, zips, subfolders = _children(folder)
    tree = _nbgrader_tree(folder)
    if tree is not None:
        yield from _in_nbgrader(tree)
        return
    with_notebooks = [sub for sub in subfolders if _has_notebook(sub)]
    alone = len(notebooks) == 1 and not zips and not person_of(notebooks[0].name)
    if alone and (not with_notebooks or (len(with_notebooks) == 1 and _is_backup(with_notebooks[0], notebooks[0]))):
        yield _student(folder, person or _person(folder), unpack_to)
        return
    lone = len(subfolders) == 1 and not notebooks and not zips
    if lone and not person_of(subfolders[0].name) and _is_wrapper(subfolders[0]):
        yield from _in_folder(subfolders[0], unpack_to, person=None)
        return
    names = _gradescope_names(folder)
    yield from _flat(notebooks)
    for sub in subfolders:
        # Next to loose notebooks, a folder without notebooks is their data, not a student's work.
        if sub in with_notebooks or not notebooks:
            yield _student(sub, names.get(sub.name) or _person(sub), unpack_to)
    for path in zips:
        yield _student_zip(path, unpack_to)
    if not (notebooks or zips or subfolders):
        yield from _without_notebook(folder, person)


def _is_backup(folder: Path, notebook: Path) -> bool:
    """Return whether a subfolder holds copies of the notebook next to it rather than another student's work.

    An unreadable subfolder counts as a backup, since it may hold files that the notebook needs.
    """
    if _COPY.search(folder.name):
        return True
    try:
        inner_notebooks = [path for path in _walk(folder) if _is_notebook_name(path.name)]
    except OSError:
        return True
    return all(path.name == notebook.name or _COPY.search(path.stem) for path in inner_notebooks)


def _is_wrapper(folder: Path) -> bool:
    """Return whether to search the only subfolder in place of its parent; False if it is empty or unreadable."""
    try:
        return any(_children(folder))
    except OSError:
        return False


def _without_notebook(folder: Path, person: Person | None) -> Iterator[_Candidate]:
    """Yield a rejection for a zip without a notebook; for a folder from the command line yield nothing."""
    files = _listing(folder)
    if person is not None:
        yield _Candidate(person=person, place=folder, folder=folder, files=files, error=_no_notebook(files))


def _no_notebook(files: Sequence[str]) -> NotebookError:
    if not files:
        return refusal(say("no file was submitted: the folder is empty"))
    advice = say("submit the .ipynb file itself")
    if len(files) > _NAMED_FILES:
        return refusal(say("no notebook was submitted, only {files:list} …", files=files[:_NAMED_FILES]), advice=advice)
    return refusal(say("no notebook was submitted, only {files:list}", files=files), advice=advice)


def _nbgrader_tree(folder: Path) -> Path | None:
    """Find the `submitted` folder of an nbgrader course."""
    for tree in (folder, folder / "submitted"):
        if tree.name == "submitted" and tree.is_dir() and _assignments(tree)[0]:
            return tree
    return None


def _assignments(tree: Path) -> tuple[list[Path], list[Path]]:
    """List the `<student>/<assignment>` folders of an nbgrader tree, and the student folders that cannot be read."""
    readable, locked = list[Path](), list[Path]()
    for student in _children(tree)[2]:
        try:
            notebooks, _, assignments = _children(student)
        except OSError:
            locked.append(student)
        else:
            readable += [] if notebooks else assignments
    return readable, locked


def _in_nbgrader(tree: Path) -> Iterator[_Candidate]:
    folders, locked = _assignments(tree)
    several = len({folder.name for folder in folders}) > 1
    for folder in folders:
        student = folder.parent.name
        name = f"{student}-{folder.name}" if several else student
        yield _student(folder, Person(student=student, id=name), None)
    for folder in locked:
        yield _student(folder, _person(folder), None)


def _gradescope_names(folder: Path) -> dict[str, Person]:
    """Map `submission_<id>` folders to students, using Gradescope's `submission_metadata.yml`."""
    metadata = folder / "submission_metadata.yml"
    if not metadata.is_file():
        return {}
    try:
        parsed = yaml.safe_load(metadata.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError):
        return {}
    people = {}
    for key, entry in (parsed if isinstance(parsed, dict) else {}).items():
        number = _GRADESCOPE.fullmatch(str(key))
        submitters = entry.get(":submitters") if isinstance(entry, dict) else None
        if number and isinstance(submitters, list):
            names = [str(s[":name"]) for s in submitters if isinstance(s, dict) and s.get(":name")]
            if names:
                people[str(key)] = Person(student=", ".join(names), id=f"{names[0]}-{number['number']}")
    return people


def _flat(notebooks: Sequence[Path]) -> Iterator[_Candidate]:
    """Yield loose notebooks, each as one submission; group several of one student by the platform's file names."""
    groups: dict[str, list[Path]] = {}
    for path in notebooks:
        person = person_of(path.name)
        groups.setdefault(f"person {person.id}" if person else f"file {path.name}", []).append(path)
    for paths in groups.values():
        files = tuple(sorted(path.name for path in paths))
        try:
            yield replace(_single(pick_notebook(paths)), files=files)
        except UnreadableError as error:
            yield replace(_single(paths[0]), files=files, error=error)


def _single(path: Path) -> _Candidate:
    person = _person(path)
    if _is_notebook_name(path.name) and person.rest == path.name:
        stem = re.sub(r"\.ipynb(?:\.json|\.txt)?$", "", path.name, flags=re.IGNORECASE)
        person = Person(student=stem, id=stem)
    return _Candidate(person=person, place=path, notebook=path, files=(path.name,))


def _student_zip(path: Path, unpack_to: Path) -> _Candidate:
    """Unpack one student's zip in a class."""
    try:
        folder = unpack_zip(path, unpack_to)
    except (NotebookError, UnreadableError) as error:
        return _Candidate(person=_person(path), place=path, files=(path.name,), error=error)
    return _student(folder, _person(path), None)


def _student(folder: Path, person: Person, unpack_to: Path | None) -> _Candidate:
    """Read one student's folder; reject it if any part is unreadable, since the notebook may need that part."""
    try:
        return _readable_student(folder, person, unpack_to)
    except OSError as error:
        problem = _unreadable(error, Path(error.filename or folder), "file or folder")
    except UnreadableError as error:
        problem = error
    return _Candidate(person=person, place=folder, folder=folder, error=problem)


def _readable_student(folder: Path, person: Person, unpack_to: Path | None) -> _Candidate:
    """Read one student's folder; unpack a zip in it if there is no notebook next to it."""
    notebooks = [path for path in _walk(folder) if _is_notebook_name(path.name)]
    files = _listing(folder)
    if not notebooks and unpack_to is not None:
        zips = [path for path in _walk(folder) if path.suffix.lower() == ".zip"]
        for path in zips:
            inner = _student_zip(path, unpack_to)
            if inner.notebook or isinstance(inner.error, UnreadableError) or len(zips) == 1:
                return replace(inner, person=person)
    if not notebooks:
        return _Candidate(person=person, place=folder, folder=folder, files=files, error=_no_notebook(files))
    chosen = pick_notebook(notebooks)
    return _Candidate(person=person, place=folder, folder=folder, notebook=chosen, files=files)


def pick_notebook(notebooks: Sequence[Path]) -> Path:
    """Choose the notebook to execute among one student's.

    Args:
        notebooks: At least one path.

    Returns:
        The notebook named `submission.ipynb`; else the only one whose name is not that of a copy; else the one with
        the most code.

    Raises:
        UnreadableError: The choice depends on a notebook that cannot be read now.
    """
    with_standard_name = [path for path in notebooks if path.name.lower() == "submission.ipynb"]
    eligible = with_standard_name or [path for path in notebooks if not _COPY.search(path.stem)] or list(notebooks)
    if len(eligible) == 1:
        return eligible[0]
    return min(eligible, key=lambda path: (-code_size(path), len(path.parts), str(path)))


# --- finishing -----------------------------------------------------------------------------------------------


def _listing(folder: Path) -> tuple[str, ...]:
    names = sorted(path.relative_to(folder).as_posix() for path in _walk(folder))
    return tuple(names[:_LISTED_FILES])


def _finish(candidate: _Candidate, name: str) -> Found:
    student = _printable(candidate.person.student) or name
    files = tuple(_printable(file) for file in candidate.files)
    if candidate.notebook is None or candidate.error is not None:
        error = candidate.error or _no_notebook(files)
        return Rejected(id=name, student=student, files=files, sha256=_digest(candidate.place), error=error)
    try:
        sha256 = _file_digest(candidate.notebook)
    except OSError as error:
        problem = _unreadable(error, candidate.notebook)
        return Rejected(id=name, student=student, files=files, sha256="", error=problem)
    return Submission(
        id=name,
        student=student,
        notebook=candidate.notebook.resolve(),
        folder=candidate.folder,
        files=files,
        sha256=sha256,
    )


def _unreadable(error: OSError, place: Path, kind: str = "file") -> UnreadableError:
    return UnreadableError(f"the {kind} cannot be read ({error.strerror or error})", where=place.name)


def _printable(text: str) -> str:
    """Replace lone surrogates and control characters, which cannot be written or would garble a terminal."""
    valid_text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "�" for c in valid_text).strip()


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
        lines = (f"{p.relative_to(place).as_posix()}\0{p.stat().st_size}\n" for p in _walk(place))
        return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
    except OSError:
        return ""
