"""Read `submission_metadata.yml` of Gradescope's bulk export: the students and times of `submission_<id>` folders.

The file is plain YAML with keys as Ruby writes them, such as `:submitters`. It also contains the output of every test,
so it can be large. It is read as a stream of events, up to limits, and never as objects: tags, aliases and dates have
no meaning here. Entries before an error are used, and the rest keep the names of their folders.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import yaml

from grader.intake.platforms import Person

__all__ = ["METADATA", "PLATFORM", "Export", "read_export"]

PLATFORM = "gradescope"
METADATA = "submission_metadata.yml"
_FOLDER = re.compile(r"submission_(?P<number>\d+)")
_LARGEST = 64 << 20
"""Maximum size of the file in bytes; more is not read."""
_DEEPEST = 100
"""Maximum nesting; Gradescope's own files have less than 10 levels."""
_MOST = 20_000
"""Maximum number of submissions."""
_LONGEST = 300
"""Maximum length of a text that is kept."""
_ITEM_FIELD = 4
"""Level of the fields of an item of a list of a submission; deeper texts are of no interest."""


@dataclass(frozen=True, slots=True)
class Export:
    """The students of an export."""

    people: Mapping[str, Person] = field(default_factory=dict)
    """Name of a folder → its student or group."""
    history: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Name of a folder → times of the attempts that Gradescope did not export."""
    damaged: str = ""
    """Why the file was not read to its end; empty if it was."""

    def of_folders(self, folders: Iterable[str]) -> dict[str, Person]:
        """Return the student of each folder of the export; one without an entry has the name of its folder.

        Args:
            folders: Names of the folders that exist.
        """
        names = [name for name in folders if _FOLDER.fullmatch(name)]
        return {name: self.people.get(name) or Person(name, name, platform=PLATFORM) for name in names}


@dataclass(slots=True)
class _Entry:
    """The fields of one submission."""

    names: list[str] = field(default_factory=list)
    created: str = ""
    history: list[str] = field(default_factory=list)


def read_export(folder: Path) -> Export | None:
    """Read the metadata of an export; None if a folder is none.

    Args:
        folder: The folder with the `submission_<id>` folders.
    """
    path = folder / METADATA
    if path.is_symlink() or not path.is_file():
        return None
    entries: dict[str, _Entry] = {}
    damaged = ""
    try:
        if path.stat().st_size > _LARGEST:
            return Export(damaged=f"it has more than {_LARGEST >> 20} MiB")
        with path.open("rb") as file:
            for place, text in _texts(file):
                _take(entries, place, text)
    except (yaml.YAMLError, ValueError, OSError, RecursionError) as error:
        damaged = str(error).partition("\n")[0] or type(error).__name__
    read = {name: entry for name, entry in entries.items() if _FOLDER.fullmatch(name)}
    people = {name: person for name, entry in read.items() if (person := _person(name, entry)) is not None}
    history = {name: tuple(sorted(entry.history)) for name, entry in read.items() if entry.history}
    return Export(people, history, damaged)


def _person(name: str, entry: _Entry) -> Person | None:
    names = [one for one in entry.names if one.strip()]
    number = _FOLDER.fullmatch(name)
    if not names or number is None:
        return None
    known_id = f"{names[0]}-{number['number']}"
    return Person(", ".join(names), known_id, attempt=entry.created, platform=PLATFORM)


def _take(entries: dict[str, _Entry], place: tuple[str, ...], text: str) -> None:
    """Keep a text if its place is one of interest: a submitter's name, or a time."""
    if not place or (place[0] not in entries and len(entries) >= _MOST):
        return
    entry = entries.setdefault(place[0], _Entry())
    match place[1:]:
        case (":submitters", _, ":name"):
            entry.names.append(text[:_LONGEST])
        case (":created_at",):
            entry.created = text[:_LONGEST]
        case (":history", _, ":created_at"):
            entry.history.append(text[:_LONGEST])


@dataclass(slots=True)
class _Level:
    """An open mapping or list."""

    mapping: bool
    key: str | None = None
    """Key whose value comes next; None if a key comes next. Lists have none."""
    is_key: bool = False
    """Whether it is itself a key of the mapping around it."""

    @property
    def wants_key(self) -> bool:
        """Whether a key comes next."""
        return self.mapping and self.key is None


def _texts(file: IO[bytes]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield each text of a YAML file with the keys that lead to it; items of lists have the key `-`.

    Raises:
        ValueError: The file is nested too deeply.
        yaml.YAMLError: The file is no YAML.
    """
    levels: list[_Level] = []
    # The loader of C is fast, and nothing here is recursive.
    for event in yaml.parse(file, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader)):
        if isinstance(event, yaml.CollectionStartEvent):
            if len(levels) >= _DEEPEST:
                msg = f"it has more than {_DEEPEST} levels"
                raise ValueError(msg)
            is_key = bool(levels) and levels[-1].wants_key
            levels.append(_Level(isinstance(event, yaml.MappingStartEvent), is_key=is_key))
        elif isinstance(event, yaml.CollectionEndEvent):
            if levels.pop().is_key:
                levels[-1].key = ""
            else:
                _close(levels)
        elif isinstance(event, yaml.ScalarEvent | yaml.AliasEvent):
            text = event.value if isinstance(event, yaml.ScalarEvent) else ""
            if levels and levels[-1].wants_key:
                levels[-1].key = text
                continue
            if len(levels) <= _ITEM_FIELD:
                yield tuple(("-" if not level.mapping else level.key or "") for level in levels), text
            _close(levels)


def _close(levels: list[_Level]) -> None:
    """Note that the value of the innermost key is complete."""
    if levels and levels[-1].mapping:
        levels[-1].key = None
