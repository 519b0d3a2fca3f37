"""Place the files of the course next to a notebook, read-only."""

import filecmp
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from grader.execution.sandbox.isolation import Mount
from grader.execution.sandbox.layout import Layout
from grader.facts.file_modes import sandbox_mode
from grader.schema.course_file import CourseFile
from grader.schema.errors import SandboxError

__all__ = ["course_mounts", "place_course_files"]

_MOST_MOUNTS = 40
"""Maximum number of files and folders to mount in each folder; beyond it only their permissions protect them."""


def place_course_files(files: Sequence[CourseFile], layout: Layout) -> tuple[str, ...]:
    """Copy the files of the course into the notebook's folder, where they replace submitted files.

    Args:
        files: The files.
        layout: The folders of an execution, with the copy of the submission.

    Returns:
        The paths of the replaced files that had another content.

    Raises:
        SandboxError: A file is missing or changed since the rubric was read, or it cannot be copied.
    """
    replaced = []
    try:
        for file in files:
            staged = layout.course / file.target
            _copy(file, staged, layout.course)
            place = layout.folder / file.target
            if _differs(place, staged):
                replaced.append(file.target)
            _make_room(place, layout.folder)
            shutil.copyfile(staged, place)
            place.chmod(sandbox_mode(folder=False, read_only=True))
    except OSError as error:
        message = f"the files of the course cannot be copied: {error.strerror or error}"
        raise SandboxError(message, where=str(error.filename or "")) from error
    return tuple(replaced)


def _copy(file: CourseFile, staged: Path, top: Path) -> None:
    staged.parent.mkdir(parents=True, exist_ok=True)
    for folder in (parent for parent in staged.parents if parent.is_relative_to(top)):
        folder.chmod(sandbox_mode(folder=True))
    shutil.copyfile(file.source, staged)
    staged.chmod(sandbox_mode(folder=False, read_only=True))
    with staged.open("rb") as content:
        if hashlib.file_digest(content, "sha256").hexdigest() != file.sha256:
            message = "a file of the course was changed while notebooks were executed"
            raise SandboxError(message, where=str(file.source), advice="the same command tries again")


def _differs(place: Path, staged: Path) -> bool:
    """Whether a submitted file or folder is in the place of a course file, with another content."""
    if not place.exists():
        return any(parent.is_file() for parent in place.parents)
    return not (place.is_file() and filecmp.cmp(place, staged, shallow=False))


def _make_room(place: Path, folder: Path) -> None:
    """Remove a submitted file or folder from the place of a course file, and make the folders above it."""
    for parent in reversed([place, *place.parents]):
        if parent.is_relative_to(folder) and parent != folder and (parent.is_file() or parent == place):
            if parent.is_dir():
                shutil.rmtree(parent)
            else:
                parent.unlink(missing_ok=True)
    place.parent.mkdir(parents=True, exist_ok=True)


def course_mounts(layout: Layout, folders: Sequence[Path]) -> list[Mount]:
    """List read-only mounts that cover the copies of the course files.

    Args:
        layout: The folders of an execution, after `place_course_files`.
        folders: The paths of the notebook's folder inside the sandbox.
    """
    if not layout.course.is_dir():
        return []
    tops = list(_tops(layout.course, layout.folder, PurePosixPath()))
    if len(tops) > _MOST_MOUNTS:
        return []
    return [Mount(layout.course / top, folder / top) for folder in folders for top in tops]


def _tops(course: Path, folder: Path, inner: PurePosixPath) -> Iterator[PurePosixPath]:
    """Yield the largest parts of the course's files without submitted files in them."""
    for name in sorted(os.listdir(course / inner)):  # noqa: PTH208 - names
        part = inner / name
        place, staged = folder / part, course / part
        if staged.is_dir() and set(_below(place)) != set(_below(staged)):
            yield from _tops(course, folder, part)
        else:
            yield part


def _below(folder: Path) -> Iterator[str]:
    for root, folders, names in os.walk(folder):
        for name in (*folders, *names):
            yield os.path.relpath(os.path.join(root, name), folder)  # noqa: PTH118 - a text
