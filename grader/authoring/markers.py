"""Remove what markers enclose from the text of a cell.

The markers of nbgrader enclose regions: `### BEGIN SOLUTION`, `### BEGIN HIDDEN TESTS` and `=== BEGIN MARK SCHEME ===`,
each with its `END`. Otter has markers for single lines (`# SOLUTION`, `# SOLUTION NO PROMPT`) and for prompts.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from grader.schema.release import Removed

__all__ = ["CODE_STUB", "TEXT_STUB", "Cleared", "LineProblem", "clear_text", "without_markers"]

CODE_STUB = "# YOUR CODE HERE\nraise NotImplementedError()"
"""Replaces a solution in a code cell, as in nbgrader."""
TEXT_STUB = "YOUR ANSWER HERE"
"""Replaces a solution in a text cell, as in nbgrader; `grader.facts.answers` knows that it is no answer."""
_LINE_STUB = "..."

_Kind = Literal["SOLUTION", "HIDDEN TESTS", "MARK SCHEME"]
_REMOVED: dict[str, Removed] = {
    "SOLUTION": "solution",
    "HIDDEN TESTS": "hidden tests",
    "MARK SCHEME": "mark scheme",
}
_WORDS = re.compile(r"\b(?P<end>BEGIN|END) (?P<kind>SOLUTION|HIDDEN TESTS|MARK SCHEME)\b(?P<bare> NO PROMPT\b)?")
_DECORATION = re.compile(r"[\s#=<>!*/%-]*")
_LOOSE = re.compile(
    r"[\s#=<>!*/%-]*(?:begin|start|end|stop)[\s_-]*(?:(?:the|of)\s+)?"
    r"(?:solutions?|hidden[\s_-]*tests?|mark(?:ing)?[\s_-]*schemes?)[\s#=<>!*/%:-]*",
    re.IGNORECASE,
)
"""A line that was probably meant as a marker."""
_PROMPT = re.compile(r"""\s*(?:'''|\""");?\s*#\s*(?P<end>BEGIN|END) PROMPT\s*""")
_PROMPT_WORDS = re.compile(r"#\s*(?:BEGIN|END) PROMPT\b")
_LINE = re.compile(r"(?P<code>.*?)#\s*SOLUTION(?P<bare> NO PROMPT)?\s*")
_LOOSE_LINE = re.compile(r".*?#\s*solutions?(?:[\s_-]+no[\s_-]+prompt)?\s*", re.IGNORECASE)
_INDENT = re.compile(r"[ \t]*")


@dataclass(frozen=True, slots=True)
class LineProblem:
    """A wrong marker."""

    line: int
    """Line of the cell, from 1."""
    message: str


@dataclass(frozen=True, slots=True)
class Cleared:
    """The text of a cell for students."""

    text: str
    removed: tuple[tuple[int, Removed, str], ...]
    """Line of the marker from 1, kind of the removed text, and the removed text."""
    problems: tuple[LineProblem, ...]


@dataclass(slots=True)
class _Region:
    """A region whose end was not found yet."""

    kind: _Kind
    line: int
    lines: list[str] = field(default_factory=list)


class _Clearing:
    """Reads a cell line by line."""

    def __init__(self, *, code: bool) -> None:
        self.code = code
        self.kept: list[str] = []
        self.removed: list[tuple[int, Removed, str]] = []
        self.problems: list[LineProblem] = []
        self.region: _Region | None = None
        self.prompt = 0
        """Line of the start of an open prompt; 0 if none is open."""

    def read(self, number: int, line: str) -> None:
        """Read the next line."""
        words = _WORDS.search(line)
        if words is not None:
            self._marker(number, line, words)
        elif self.region is not None:
            self.region.lines.append(line)
        elif _LOOSE.fullmatch(line):
            self._wrong(
                number, f"`{line.strip()}` is not a marker; write it in capital letters, as `### BEGIN SOLUTION`"
            )
        elif self.code and _PROMPT_WORDS.search(line):
            self._prompt_marker(number, line)
        elif self.code and _LOOSE_LINE.fullmatch(line):
            self._line_marker(number, line)
        else:
            self.kept.append(line)

    def end(self) -> None:
        """Report what is still open."""
        if self.region is not None:
            self._wrong(self.region.line, f"`BEGIN {self.region.kind}` has no `END {self.region.kind}` in this cell")
        if self.prompt:
            self._wrong(self.prompt, "`BEGIN PROMPT` has no `END PROMPT` in this cell")

    def _wrong(self, number: int, message: str) -> None:
        self.problems.append(LineProblem(number, message))

    def _marker(self, number: int, line: str, words: re.Match[str]) -> None:
        """Begin or end a region."""
        name = f"`{words['end']} {words['kind']}`"
        if not _is_marker(line, code=self.code):
            self._wrong(number, f"{name} must be the only thing in its line")
        elif words["end"] == "BEGIN":
            self._begin(number, line, words, name)
        elif self.region is None:
            self._wrong(number, f"{name} has no `BEGIN {words['kind']}` before it")
        elif self.region.kind != words["kind"]:
            inner = f"the region `BEGIN {self.region.kind}` of line {self.region.line}"
            self._wrong(number, f"{name} is inside {inner}")
        else:
            self.removed.append((self.region.line, _REMOVED[self.region.kind], "\n".join(self.region.lines)))
            self.region = None

    def _begin(self, number: int, line: str, words: re.Match[str], name: str) -> None:
        if self.region is not None:
            self._wrong(number, f"{name} is inside the region `BEGIN {self.region.kind}` of line {self.region.line}")
            return
        if self.prompt:
            self._wrong(number, f"{name} is inside the prompt of line {self.prompt}")
            return
        kind: _Kind = words["kind"]  # type: ignore[assignment]  # one of the words of the expression
        self.region = _Region(kind, number)
        if kind == "SOLUTION" and not words["bare"]:
            self.kept += self._stub(line)

    def _stub(self, line: str) -> list[str]:
        indent = _indent(line)
        return [indent + part for part in (CODE_STUB if self.code else TEXT_STUB).split("\n")]

    def _prompt_marker(self, number: int, line: str) -> None:
        """Drop the lines around a prompt; its text is for students."""
        match = _PROMPT.fullmatch(line)
        if match is None:
            self._wrong(number, 'a line of a prompt must be `""" # BEGIN PROMPT` or `""" # END PROMPT`')
        elif match["end"] == "BEGIN":
            if self.prompt:
                self._wrong(number, f"`BEGIN PROMPT` is inside the prompt of line {self.prompt}")
            self.prompt = self.prompt or number
        elif not self.prompt:
            self._wrong(number, "`END PROMPT` has no `BEGIN PROMPT` before it")
        else:
            self.prompt = 0

    def _line_marker(self, number: int, line: str) -> None:
        """Replace a single line, or the value that it assigns."""
        match = _LINE.fullmatch(line)
        if match is None:
            self._wrong(number, "write `# SOLUTION` in capital letters, or change the comment")
        elif not match["code"].strip(" \t#"):
            self._wrong(number, "`# SOLUTION` must follow code; use `### BEGIN SOLUTION` and `### END SOLUTION`")
        else:
            if not match["bare"]:
                self.kept.append(_without_value(match["code"]))
            self.removed.append((number, "solution", match["code"]))


def clear_text(text: str, *, code: bool) -> Cleared:
    """Remove solutions, hidden tests and mark schemes from the text of a cell.

    Lines outside of markers do not change. A solution is replaced by a stub at the indentation of its marker.

    Args:
        text: The text of the cell.
        code: Whether it is a code cell.
    """
    clearing = _Clearing(code=code)
    for number, line in enumerate(text.split("\n"), start=1):
        clearing.read(number, line)
    clearing.end()
    return Cleared("\n".join(clearing.kept), tuple(clearing.removed), tuple(clearing.problems))


def without_markers(text: str, *, code: bool) -> str:
    """Remove the markers themselves, and keep what they enclose: two such texts are equal if only markers differ.

    Args:
        text: The text of a cell.
        code: Whether it is a code cell.
    """
    lines = (line for line in text.split("\n") if not _is_marker(line, code=code))
    return "\n".join(_unmarked(line) if code else line for line in lines)


def _is_marker(line: str, *, code: bool) -> bool:
    """Whether a line is a marker of a region and nothing else that would be lost."""
    words = _WORDS.search(line)
    if words is None:
        return False
    before, after = line[: words.start()], line[words.end() :]
    # A comment of code may go on after the marker.
    comment = code and before.lstrip().startswith("#")
    return bool(_DECORATION.fullmatch(before) and (comment or _DECORATION.fullmatch(after)))


def _unmarked(line: str) -> str:
    match = _LINE.fullmatch(line)
    return match["code"].rstrip() if match and match["code"].strip(" \t#") else line


def _indent(line: str) -> str:
    match = _INDENT.match(line)
    return match.group() if match else ""


def _without_value(code: str) -> str:
    """Replace the assigned value of a line by `...`; replace the whole line if it assigns nothing."""
    indent, statement = _indent(code), code.strip()
    for value in _assigned(statement):
        # Columns count bytes.
        start = statement.encode()[: value.col_offset].decode().rstrip().rstrip("(").rstrip()
        return f"{indent}{start} {_LINE_STUB}"
    return indent + _LINE_STUB


def _assigned(statement: str) -> Iterator[ast.expr]:
    """Yield the assigned value of a statement, if it has one."""
    try:
        body = ast.parse(statement).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    if len(body) == 1 and isinstance(body[0], ast.Assign | ast.AnnAssign | ast.AugAssign) and body[0].value is not None:
        yield body[0].value
