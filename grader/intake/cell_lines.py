"""Find the lines of a notebook file that hold the lines of its cells: a viewer of the file shows nothing else."""

import re
from collections.abc import Iterator, Sequence
from json.decoder import JSONDecodeError, scanstring  # type: ignore[attr-defined]  # public, but not in the types
from pathlib import Path

__all__ = ["CellLines", "cell_lines", "lines_of_file"]

_SPACE = re.compile(r"[ \t\n\r]*")
_LINE_END = re.compile(r"\r\n|\r|\n")
"""Line breaks of Python; `str.splitlines` knows more."""
_WORD = re.compile(r"[^\s,:\[\]{}\"]+")
_SOURCES = ("source", "input")
"""Keys of a cell's text; the second one is of notebook format 3."""
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_LARGEST = 200_000_000
"""Limit of the file in bytes; a larger one has no known lines."""

Keys = tuple[str | int, ...]
"""Keys and places that lead to a value."""


class CellLines:
    """The lines of a notebook's cells in its file."""

    def __init__(self, lines: Sequence[Sequence[int]] = ()) -> None:
        """Keep the lines.

        Args:
            lines: For each cell, the line of the cell itself, then the line of each of its lines, all from 1.
        """
        self._lines = lines

    def line(self, cell: int | None, line: int | None = None) -> int:
        """Return the line of the file that holds a line of a cell.

        Args:
            cell: Index of the cell, from 0; None for the whole notebook.
            line: Line of the cell, from 1; None for its first one.

        Returns:
            The line, from 1: the cell's own line if its text has no such line, and 1 for an unknown cell.
        """
        if cell is None or not 0 <= cell < len(self._lines):
            return 1
        own = self._lines[cell]
        place = 1 if line is None else line
        return own[place] if 0 < place < len(own) else own[0]


def cell_lines(text: str) -> CellLines:
    """Read the places of a notebook's cells.

    Args:
        text: The file. It may have any layout, such as a single line.

    Returns:
        The lines; without any if the file is no JSON of a notebook.
    """
    if len(text) > _LARGEST:
        return CellLines()
    try:
        return CellLines(_found(text))
    except (JSONDecodeError, IndexError, RecursionError):
        return CellLines()


def lines_of_file(path: Path) -> CellLines:
    """Read the places of a notebook's cells from its file; without any if the file cannot be read."""
    try:
        if path.stat().st_size > _LARGEST:
            return CellLines()
        content = path.read_bytes()
    except OSError:
        return CellLines()
    # Neither the line breaks nor the signs of JSON depend on the rest of the encoding.
    return cell_lines(content.decode("utf-16" if content[:2] in _UTF_16 else "utf-8", errors="replace"))


def _found(text: str) -> list[list[int]]:
    count = _LineCounter(text)
    cells: dict[Keys, list[int]] = {}
    continued = False
    for path, start, value in _Reader(text).strings_and_objects():
        cell, rest = _split(path)
        if cell is None:
            continue
        if not rest:
            cells[cell] = [count.at(start)]
        elif rest[0] in _SOURCES and len(rest) <= 2 and cell in cells:  # noqa: PLR2004 - the key, and the place in a list
            number = count.at(start)
            if len(rest) == 1 or rest[1] == 0:
                # A repeated key replaces the earlier text.
                del cells[cell][1:]
                continued = False
            lines = _LINE_END.split(value or "")
            # A text without a line break at its end continues in the next one, and one with it has an empty last line.
            starts = len(lines) - continued - (not lines[-1])
            continued = bool(lines[-1]) or (continued and len(lines) == 1)
            cells[cell] += [number] * starts
    return [cells[cell] for cell in sorted(cells, key=_numbers)]


def _numbers(path: Keys) -> tuple[int, ...]:
    """Return the numbers of a path, which order the cells as in the file."""
    return tuple(part for part in path if isinstance(part, int))


def _split(path: Keys) -> tuple[Keys | None, Keys]:
    """Split the path of a value into that of its cell and the rest; None if it belongs to no cell."""
    if path[:1] == ("cells",) and len(path) > 1:
        return path[:2], path[2:]
    if path[:1] == ("worksheets",) and path[2:3] == ("cells",) and len(path) > 3:  # noqa: PLR2004 - the depth of format 3
        return path[:4], path[4:]
    return None, ()


class _LineCounter:
    """Counts lines up to growing places of a text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._place, self._line = 0, 1

    def at(self, place: int) -> int:
        self._line += self._text.count("\n", self._place, place)
        self._place = place
        return self._line


class _Reader:
    """Reads JSON, and reports where strings and objects start."""

    def __init__(self, text: str) -> None:
        self._text = text

    def strings_and_objects(self) -> Iterator[tuple[Keys, int, str | None]]:
        """Yield the path, the start, and the text of each string; the text is None for an object."""
        # A byte order mark is allowed before the value.
        yield from self._value(1 if self._text.startswith("\ufeff") else 0, ())

    def _value(self, place: int, path: Keys) -> Iterator[tuple[Keys, int, str | None]]:
        """Read a value; the end of the value is left in `self._end`."""
        place = self._skip(place)
        character = self._text[place]
        if character == '"':
            value, self._end = scanstring(self._text, place + 1)
            yield path, place, value
        elif character == "{":
            yield path, place, None
            yield from self._object(place + 1, path)
        elif character == "[":
            yield from self._list(place + 1, path)
        else:
            word = _WORD.match(self._text, place)
            if word is None:
                msg = "expected a value"
                raise JSONDecodeError(msg, self._text, place)
            self._end = word.end()

    def _object(self, place: int, path: Keys) -> Iterator[tuple[Keys, int, str | None]]:
        place = self._skip(place)
        while self._text[place] != "}":
            place = self._skip(place)
            if self._text[place] != '"':
                msg = "expected a key"
                raise JSONDecodeError(msg, self._text, place)
            key, place = scanstring(self._text, place + 1)
            place = self._after(place, ":")
            yield from self._value(place, (*path, key))
            place = self._next(self._end, "}")
        self._end = place + 1

    def _list(self, place: int, path: Keys) -> Iterator[tuple[Keys, int, str | None]]:
        place, number = self._skip(place), 0
        while self._text[place] != "]":
            yield from self._value(place, (*path, number))
            place, number = self._next(self._end, "]"), number + 1
        self._end = place + 1

    def _skip(self, place: int) -> int:
        found = _SPACE.match(self._text, place)
        return place if found is None else found.end()

    def _after(self, place: int, character: str) -> int:
        place = self._skip(place)
        if self._text[place] != character:
            msg = f"expected {character!r}"
            raise JSONDecodeError(msg, self._text, place)
        return self._skip(place + 1)

    def _next(self, place: int, end: str) -> int:
        """Return the place of the next item, or of the end."""
        place = self._skip(place)
        return place if self._text[place] == end else self._after(place, ",")
