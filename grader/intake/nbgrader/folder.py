"""Find the parts of an nbgrader course folder: source notebooks, released notebooks and submitted work."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from grader.facts.nearest import near_path
from grader.intake.nbgrader.cells import read_graded_notebook
from grader.intake.nbgrader.config import NbgraderConfig, parse_config, parse_json_config
from grader.intake.nbgrader.gradebook import read_gradebook
from grader.schema.errors import NotebookError, UnreadableError, UsageError
from grader.schema.nbgrader import Gradebook, GradedNotebook

__all__ = ["STEPS", "NbgraderCourse", "SourceAssignment", "SubmittedWork", "files_of", "read_nbgrader_course"]

_CONFIGS: Mapping[str, Callable[[str], NbgraderConfig]] = {
    "nbgrader_config.py": parse_config,
    "nbgrader_config.json": parse_json_config,
}
STEPS = ("source", "release", "submitted")
"""Steps of nbgrader whose folders are read; `<step>_directory` renames one."""
_GRADEBOOK = "gradebook.db"
_SQLITE = "sqlite:///"
_USUAL = "{nbgrader_step}/{student_id}/{assignment_id}"
_STEP, _STUDENT, _ASSIGNMENT = "{nbgrader_step}", "{student_id}", "{assignment_id}"
_NO_STUDENT = "."
"""Name of the student in the paths of source notebooks."""
_SKIPPED = re.compile(r"\..*|__pycache__|.*\.pyc")
_LARGEST_CONFIG = 4 << 20
_ADVICE = "give the folder that contains `source` and `nbgrader_config.py`"


@dataclass(frozen=True, slots=True)
class SourceAssignment:
    """An assignment in the source folder."""

    name: str
    folder: Path
    notebooks: tuple[GradedNotebook, ...]
    files: tuple[str, ...]
    """Paths of all other files, relative to the folder."""
    released: Mapping[str, Path] = field(default_factory=dict)
    """The notebooks that students got, by name."""


@dataclass(frozen=True, slots=True)
class SubmittedWork:
    """The folder of one student's submission."""

    student: str
    assignment: str
    folder: Path
    files: tuple[str, ...]
    """Paths of its files, relative to the folder."""


@dataclass(frozen=True, slots=True)
class NbgraderCourse:
    """A course of nbgrader."""

    folder: Path
    config: NbgraderConfig
    assignments: tuple[SourceAssignment, ...]
    submitted: tuple[SubmittedWork, ...]
    gradebook: Gradebook | None
    problems: tuple[str, ...] = ()
    """Descriptions of parts that could not be read."""


def read_nbgrader_course(folder: Path) -> NbgraderCourse:
    """Read a course of nbgrader. Nothing is executed, and no file is changed.

    Args:
        folder: The folder with `source` and `nbgrader_config.py`.

    Raises:
        UsageError: It is not a course of nbgrader, or its gradebook cannot be read.
    """
    problems: list[str] = []
    config = _config(folder, problems)
    layout = _layout(config, problems)
    root = folder / config.text("root", ".")
    if not root.is_dir():
        problems.append(f"the folder `CourseDirectory.root` does not exist here: {root}")
        root = folder
    places = {step: config.text(f"{step}_directory", step) for step in STEPS}
    try:
        released = {name: path for _, name, path in _works(root, layout, places["release"], _NO_STUDENT)}
        sources = _works(root, layout, places["source"], _NO_STUDENT)
        works = _works(root, layout, places["submitted"], None)
    except OSError as error:
        msg = f"a folder of the course cannot be read: {error.strerror or error}"
        raise UsageError(msg, where=str(error.filename or folder)) from error
    assignments = tuple(_assignment(name, path, released.get(name), problems) for _, name, path in sources)
    if not assignments:
        msg = f"there is no assignment in {root / places['source']}{near_path(folder)}"
        raise UsageError(msg, where=str(folder), advice=_ADVICE)
    submitted = tuple(SubmittedWork(student, name, path, files_of(path, problems)) for student, name, path in works)
    gradebook = _gradebook(root, config, problems)
    return NbgraderCourse(folder, config, assignments, submitted, gradebook, tuple(problems))


def files_of(folder: Path, problems: list[str]) -> tuple[str, ...]:
    """List the files in a folder and below it, without hidden ones, caches and links.

    Args:
        folder: The folder.
        problems: Gets a line for each link and unreadable folder.
    """
    return tuple(sorted(_walk(folder, folder, problems)))


def _walk(folder: Path, top: Path, problems: list[str]) -> Iterator[str]:
    try:
        entries = sorted(os.scandir(folder), key=lambda one: one.name)
    except OSError as error:
        problems.append(f"{folder} cannot be read: {error.strerror or error}")
        return
    for entry in entries:
        if _SKIPPED.fullmatch(entry.name):
            continue
        if entry.is_symlink():
            problems.append(f"{entry.path} is a link, which was left out")
        elif entry.is_dir():
            yield from _walk(Path(entry.path), top, problems)
        elif entry.is_file():
            yield Path(entry.path).relative_to(top).as_posix()
        else:
            problems.append(f"{entry.path} is no regular file, and was left out")


def _config(folder: Path, problems: list[str]) -> NbgraderConfig:
    values: dict[str, object] = {}
    unread: dict[str, str] = {}
    for name, parse in _CONFIGS.items():
        path = folder / name
        if not path.is_file():
            continue
        try:
            with path.open("rb") as file:
                parsed = parse(file.read(_LARGEST_CONFIG).decode("utf-8-sig", "replace"))
        except OSError as error:
            problems.append(f"{name} cannot be read: {error.strerror or error}")
            continue
        values |= parsed.values
        unread |= {key: f"{name}: {reason}" for key, reason in parsed.unread.items()}
    return NbgraderConfig(values, unread)


def _layout(config: NbgraderConfig, problems: list[str]) -> tuple[str, ...]:
    """Return the parts of the paths of nbgrader's folders, each one of its three keys."""
    text = config.text("directory_structure", _USUAL)
    parts = PurePosixPath(text.replace("\\", "/")).parts
    if sorted(parts) == sorted((_STEP, _STUDENT, _ASSIGNMENT)):
        return parts
    problems.append(f"the `directory_structure` {text!r} is not supported; {_USUAL} was read")
    return PurePosixPath(_USUAL).parts


def _works(root: Path, layout: tuple[str, ...], step: str, student: str | None) -> list[tuple[str, str, Path]]:
    """List student, assignment and path of the folders of one step.

    Args:
        root: Folder of the course.
        layout: Parts of the paths.
        step: Folder of the step.
        student: The only student; None for all.
    """
    found: list[tuple[dict[str, str], Path]] = [({}, root)]
    for part in layout:
        fixed = step if part == _STEP else student if part == _STUDENT else None
        if fixed is not None:
            found = [({**keys, part: fixed}, path / fixed) for keys, path in found if (path / fixed).is_dir()]
        else:
            found = [({**keys, part: own.name}, own) for keys, path in found for own in _folders(path)]
    return [(keys[_STUDENT], keys[_ASSIGNMENT], path) for keys, path in found]


def _folders(path: Path) -> list[Path]:
    return sorted(own for own in path.iterdir() if own.is_dir() and not _SKIPPED.fullmatch(own.name))


def _assignment(name: str, folder: Path, released: Path | None, problems: list[str]) -> SourceAssignment:
    notebooks: list[GradedNotebook] = []
    files = files_of(folder, problems)
    for file in files:
        if not _is_notebook(file):
            continue
        try:
            own = read_graded_notebook(folder / file)
        except (NotebookError, UnreadableError, RecursionError) as error:
            problems.append(f"{name}/{file} cannot be read: {error}")
            continue
        problems += [f"{name}/{file}: {problem}" for problem in own.problems]
        notebooks.append(own)
    paths = {} if released is None else {path.stem: path for path in sorted(released.glob("*.ipynb"))}
    return SourceAssignment(name, folder, tuple(notebooks), tuple(f for f in files if not _is_notebook(f)), paths)


def _is_notebook(file: str) -> bool:
    """Whether nbgrader takes a file as a notebook of the assignment: only those at the top count."""
    return "/" not in file and file.endswith(".ipynb")


def _gradebook(root: Path, config: NbgraderConfig, problems: list[str]) -> Gradebook | None:
    url = config.text("db_url")
    path = root / _GRADEBOOK
    if url.startswith(_SQLITE):
        path = root / url.removeprefix(_SQLITE)
    elif url:
        problems.append("the gradebook is not a file of SQLite (`CourseDirectory.db_url`)")
        return None
    if not path.is_file():
        problems.append(
            f"there is no gradebook {path}: there are no scores, and students and due dates are those of "
            "nbgrader_config.py"
        )
        return None
    book = read_gradebook(path)
    problems += [f"gradebook: {problem}" for problem in dict.fromkeys(book.problems)]
    return book
