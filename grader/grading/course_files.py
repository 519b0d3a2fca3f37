"""Find the course files that a rubric lists in `files`."""

import hashlib
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from grader.facts.nearest import suggestion
from grader.grading.yamlnodes import LocatedYaml, Place, Problem
from grader.schema.course_file import CourseFile
from grader.schema.rubric import Rubric

__all__ = ["course_files", "file_problems", "more_files"]

_GLOB = re.compile(r"[*?\[]")
_SKIPPED = frozenset({"__pycache__", "node_modules"})
_MOST_FILES = 2_000
_MOST_BYTES = 1 << 30
_MOST_NAMES = 500
"""Maximum number of names to search for the nearest one."""


class _EntryError(ValueError):
    """An entry of `files` is wrong, for the reason in the message."""


def course_files(rubric: Rubric, path: Path) -> tuple[CourseFile, ...]:
    """Find the course files of a rubric, and compute their digests.

    Args:
        rubric: A rubric whose `files` have no problems.
        path: The rubric's file.

    Raises:
        OSError: A file cannot be read.
    """
    secrets = _secrets(path, rubric.reference_file)
    files: dict[str, CourseFile] = {}
    for entry in rubric.files:
        source, target = (entry, None) if isinstance(entry, str) else (entry.from_, entry.to)
        for file, place in _listed(source, target, path.parent, secrets):
            files[place] = CourseFile(source=file.resolve(), target=place, sha256=_digest(file))
    return tuple(files[place] for place in sorted(files))


def more_files(entries: Sequence[str], folder: Path, secrets: Collection[Path]) -> tuple[CourseFile, ...]:
    """Find files that a course gives to notebooks in addition to those of the rubric, and compute their digests.

    Args:
        entries: Paths of files, folders, or patterns.
        folder: The course folder.
        secrets: Files that no notebook may get; a pattern leaves them out.

    Raises:
        OSError: A file cannot be read.
        ValueError: An entry names no file, or a secret one.
    """
    hidden = frozenset(path.resolve() for path in secrets)
    files: dict[str, CourseFile] = {}
    for entry in entries:
        for file, place in _listed(entry, None, folder, hidden, where="in the course folder"):
            files[place] = CourseFile(source=file.resolve(), target=place, sha256=_digest(file))
    return tuple(files[place] for place in sorted(files))


def file_problems(read: LocatedYaml, path: Path) -> Iterator[Problem]:
    """Find missing course files, wrong targets and duplicates, each with its line.

    Args:
        read: The rubric.
        path: The rubric's file.
    """
    entries = read.data.get("files")
    reference = read.data.get("reference")
    reference = reference.get("file") if isinstance(reference, Mapping) else reference
    secrets = _secrets(path, reference if isinstance(reference, str) else None)
    sources: dict[str, Path] = {}
    size = 0
    for position, entry in enumerate(entries if isinstance(entries, list) else []):
        source, target, place = _parts(entry, position)
        if source is None:
            continue  # reported by the schema
        try:
            listed = list(_listed(source, target, path.parent, secrets))
            size += sum(file.stat().st_size for file, _ in listed)
        except _EntryError as error:
            yield Problem(read.value(place), str(error))
            continue
        except OSError as error:
            yield Problem(read.value(place), f"{source!r} cannot be read: {error.strerror or error}")
            continue
        for file, name in listed:
            if sources.setdefault(name, file) != file:
                yield Problem(read.value(place), f"two files of the course have the name {name!r} next to the notebook")
    if len(sources) > _MOST_FILES or size > _MOST_BYTES:
        message = f"`files` lists {len(sources)} files with {size >> 20} MiB; at most {_MOST_FILES} and 1024 MiB work"
        yield Problem(read.value(("files",)), message)


def _parts(entry: Any, position: int) -> tuple[str | None, str | None, Place]:
    """Return the source, the target and the place of an entry; no source if the entry has another form."""
    place: Place = ("files", position)
    if isinstance(entry, str):
        return entry, None, place
    if isinstance(entry, Mapping) and isinstance(entry.get("from"), str):
        target = entry.get("to")
        if target is None or isinstance(target, str):
            return entry["from"], target, (*place, "from")
    return None, None, place


def _secrets(path: Path, reference: str | None) -> frozenset[Path]:
    """Return the files that no notebook may get: the rubric, and the reference with its evidence."""
    files = {path}
    if reference is not None:
        solution = path.parent / reference
        files |= {solution, solution.with_suffix(".evidence.json")}
    return frozenset(file.resolve() for file in files)


def _listed(
    source: str, target: str | None, folder: Path, secrets: frozenset[Path], where: str = "next to the rubric"
) -> Iterator[tuple[Path, str]]:
    """Yield the files of an entry, each with its path relative to the notebook's folder.

    Raises:
        _EntryError: There is no such file, or the target is wrong.
    """
    if not source.strip("/."):
        message = f"{source!r} names the whole folder; list the files and folders in it"
        raise _EntryError(message)
    several = bool(_GLOB.search(source))
    matches = [*_matches(source, folder)] if several else [folder / source]
    files = 0
    for match in matches:
        top = _top(match, target, folder, inside=several)
        for file, inner in _files_of(match):
            if file.resolve() in secrets:
                if match.is_file() and not several:
                    message = f"{source!r} is the rubric or its reference solution, which no notebook may get"
                    raise _EntryError(message)
                continue
            files += 1
            yield file, str(top / inner)
    if not files:
        kind = "no file matches" if several else "there is no file or folder"
        message = f"{kind} {source!r} {where}{_hint(source, folder)}"
        raise _EntryError(message)


def _matches(pattern: str, folder: Path) -> list[Path]:
    base = Path(pattern).anchor or str(folder)
    return sorted(path for path in Path(base).glob(str(Path(pattern).relative_to(Path(pattern).anchor))))


def _top(match: Path, target: str | None, folder: Path, *, inside: bool) -> PurePosixPath:
    """Return the path of a file or folder relative to the notebook's folder.

    Raises:
        _EntryError: The target leads out of the notebook's folder.
    """
    if target is None:
        # A file outside of the rubric's folder is placed directly next to the notebook.
        plain = Path(os.path.normpath(match))
        base = Path(os.path.normpath(folder))
        return PurePosixPath(plain.relative_to(base) if plain.is_relative_to(base) else plain.name)
    place = PurePosixPath(target)
    if place.is_absolute() or ".." in place.parts or "\\" in target:
        message = f"`to` is {target!r}, but must be a path below the notebook's folder"
        raise _EntryError(message)
    into = inside or target.endswith("/") or not place.parts
    return place / match.name if into else place


def _files_of(match: Path) -> Iterator[tuple[Path, PurePosixPath]]:
    """Yield the files of a file or folder with their relative paths; skip hidden files."""
    if match.is_file():
        yield match, PurePosixPath()
        return
    for root, folders, names in os.walk(match):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _SKIPPED)
        for name in sorted(names):
            file = Path(root) / name
            if not name.startswith(".") and file.is_file():
                yield file, PurePosixPath(file.relative_to(match))


def _hint(source: str, folder: Path) -> str:
    """Suggest the nearest name in the same folder."""
    parent = (folder / source).parent
    if _GLOB.search(str(parent)) or not parent.is_dir():
        parent = folder
    try:
        names = sorted(path for path in parent.iterdir() if not path.name.startswith("."))[:_MOST_NAMES]
    except OSError:
        return ""
    relative = [os.path.relpath(path, folder) for path in names]
    return suggestion(os.path.normpath(source), relative)


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
