"""Find the placeholders of an assignment that a cell still contains."""

import re

from grader.schema.evidence import CellFact

__all__ = ["marked_line", "readable_line"]

_MARK = r"(?:YOUR[ _]+CODE(?:[ _]+HERE)?|YOUR[ _]+ANSWER|FILL[ _]+(?:THIS|ME|HERE)|TODO\b)"
_IN_CODE = re.compile(
    rf"^[^#'\"\n]*(?:=|\breturn|\bin)[ \t]*#+[^\n]*{_MARK}"  # `y = ### YOUR CODE HERE`
    rf"|^[ \t]*(?:pass|\.\.\.)[ \t]*#[^\n]*(?:{_MARK}|your code)",  # `pass  # your code`
    re.MULTILINE | re.IGNORECASE,
)
_MARKED = re.compile(rf"#[^\n]*{_MARK}", re.IGNORECASE)
_UNFINISHED_ERRORS = frozenset(
    {"SyntaxError", "IndentationError", "NameError", "NotImplementedError", "TypeError", "AttributeError"}
)
_LONGEST_LINE = 80


def marked_line(cell: CellFact) -> str:
    """Find the line of a cell with a marked placeholder; empty if there is none.

    A mark in a comment counts if it is in place of code, if the cell raised an error, or if the cell has nothing else.

    Args:
        cell: A code cell.
    """
    marked = _MARKED.search(cell.source)
    if marked and (cell.error in _UNFINISHED_ERRORS or _only_comments(cell.source)):
        return readable_line(cell.source, marked.start())
    match = _IN_CODE.search(cell.source)
    return readable_line(cell.source, match.start()) if match else ""


def _only_comments(source: str) -> bool:
    return all(not line.strip() or line.lstrip().startswith("#") for line in source.splitlines())


def readable_line(source: str, position: int) -> str:
    """Return the line at a position, without backticks, cut to a readable length.

    Args:
        source: The text of a cell.
        position: The position of a character; a line end counts to the next line.
    """
    start = source.rfind("\n", 0, position) + 1
    if source[position : position + 1] == "\n":
        start = position + 1
    line = source[start:].split("\n", 1)[0].strip().replace("`", "'")
    return line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 1] + "…"
