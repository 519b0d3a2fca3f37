"""Change single cells of a CSV file, and leave every other byte as it is."""

import codecs
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from grader.schema.errors import UsageError

__all__ = ["Cell", "Sheet", "filled", "read_sheet"]

_SEPARATORS = ",;\t"
_ADVICE = "download the file again, and do not open it in a spreadsheet program in between"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell, and its place in the text."""

    value: str
    start: int
    end: int
    quoted: bool


@dataclass(frozen=True, slots=True)
class Sheet:
    """A CSV file with the places of its cells."""

    text: str
    """The text after the byte order mark."""
    mark: bytes
    """The byte order mark; empty without one."""
    encoding: str
    separator: str
    rows: tuple[tuple[Cell, ...], ...]
    lines: tuple[int, ...]
    """Line at which each row starts, from 1."""

    def value(self, row: int, column: int | None) -> str:
        """Return the text of a cell without surrounding spaces; empty if the row has no such cell.

        Args:
            row: Index of the row.
            column: Index of the column; None for a column that the file does not have.
        """
        cells = self.rows[row]
        return cells[column].value.strip() if column is not None and column < len(cells) else ""


def read_sheet(content: bytes, *, name: str) -> Sheet:
    """Read a CSV file. The separator is a comma, a semicolon or a tab.

    Args:
        content: Bytes of the file: UTF-8, UTF-16 with a byte order mark, or else a Western European code page.
        name: Name of the file in errors.

    Raises:
        UsageError: It is not a CSV file.
    """
    text, mark, encoding = _decoded(content, name)
    heading = _heading(text)
    separator = max(_SEPARATORS, key=heading.count)
    rows: list[tuple[Cell, ...]] = []
    lines: list[int] = []
    line = 1
    for start, end, cells in _records(text, separator, name):
        rows.append(cells)
        lines.append(line)
        record = text[start:end]
        line += record.count("\n") + record.count("\r") - record.count("\r\n")
    if not rows:
        msg = "the file is empty"
        raise UsageError(msg, where=name, advice=_ADVICE)
    return Sheet(text, mark, encoding, separator, tuple(rows), tuple(lines))


def filled(sheet: Sheet, values: Mapping[tuple[int, int], str]) -> bytes:
    """Write the file with other values in some cells.

    Args:
        sheet: The file.
        values: New values by the indexes of row and column, at most one in a row that is too short; such a row gets the
            missing cells. The row must not be empty.
    """
    pieces: list[str] = []
    position = 0
    for (row, column), value in sorted(values.items()):
        cells = sheet.rows[row]
        cell = cells[column] if column < len(cells) else None
        start = cell.start if cell is not None else cells[-1].end
        gap = "" if cell is not None else sheet.separator * (column - len(cells) + 1)
        pieces += [sheet.text[position:start], gap, _written(value, sheet.separator, cell)]
        position = cell.end if cell is not None else start
    text = "".join([*pieces, sheet.text[position:]])
    return sheet.mark + text.encode(sheet.encoding)


def _written(value: str, separator: str, cell: Cell | None) -> str:
    needed = any(char in value for char in (separator, '"', "\n", "\r"))
    if not needed and (cell is None or not cell.quoted):
        return value
    return '"' + value.replace('"', '""') + '"'


def _decoded(content: bytes, name: str) -> tuple[str, bytes, str]:
    """Return the text, the byte order mark and the encoding, such that encoding gives the same bytes."""
    marks = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
    for mark, encoding in marks:
        if content.startswith(mark):
            try:
                return content[len(mark) :].decode(encoding), mark, encoding
            except UnicodeDecodeError as error:
                msg = f"the file is not valid {encoding.upper()}"
                raise UsageError(msg, where=name, advice=_ADVICE) from error
    for encoding in ("utf-8", "cp1252"):
        try:
            return content.decode(encoding), b"", encoding
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1"), b"", "latin-1"


def _heading(text: str) -> str:
    """Return the first record without the contents of quoted cells."""
    parts = text.split('"')
    kept: list[str] = []
    for part in parts[::2]:
        line, *rest = part.replace("\r", "\n").split("\n", 1)
        kept.append(line)
        if rest:
            break
    return "".join(kept)


def _records(text: str, separator: str, name: str) -> Iterator[tuple[int, int, tuple[Cell, ...]]]:
    """Yield the start, the end (with the line end) and the cells of each record, as the module `csv` reads them."""
    position = 0
    while position < len(text):
        start, cells = position, []
        while True:
            cell = _cell(text, position, separator, name)
            cells.append(cell)
            position = cell.end
            if position >= len(text) or text[position] != separator:
                break
            position += 1
        if text.startswith("\r\n", position):
            position += 2
        elif position < len(text):
            position += 1
        empty = len(cells) == 1 and cells[0].start == cells[0].end
        yield start, position, () if empty else tuple(cells)


def _cell(text: str, start: int, separator: str, name: str) -> Cell:
    if not text.startswith('"', start):
        end = start
        while end < len(text) and text[end] not in (separator, "\r", "\n"):
            end += 1
        return Cell(text[start:end], start, end, quoted=False)
    end = start + 1
    while True:
        close = text.find('"', end)
        if close < 0:
            msg = f"line {_line(text, start)}: a quoted cell does not end"
            raise UsageError(msg, where=name, advice=_ADVICE)
        if not text.startswith('""', close):
            break
        end = close + 2
    after = close + 1
    if after < len(text) and text[after] not in (separator, "\r", "\n"):
        msg = f"line {_line(text, after)}: there is text after a quoted cell"
        raise UsageError(msg, where=name, advice=_ADVICE)
    return Cell(text[start + 1 : close].replace('""', '"'), start, after, quoted=True)


def _line(text: str, position: int) -> int:
    before = text[:position]
    return 1 + before.count("\n") + before.count("\r") - before.count("\r\n")
