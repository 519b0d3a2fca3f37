"""Read a student's request from the text of a mail reply."""

import re
from collections.abc import Iterator
from typing import Final

from grader.schema.grade import Grade
from grader.schema.judgement import WHOLE

__all__ = ["named_criterion", "unquoted"]

_LONGEST: Final = 20_000
_QUOTED: Final = re.compile(r"\s*>")
_REST: Final = re.compile(
    r"\s*(?:-{2,}\s*(?:original message|ursprüngliche nachricht|forwarded message)\s*-{2,}|_{10,}|-- ?)\s*$",
    re.IGNORECASE,
)
"""A line after which a mail has nothing of its own: an earlier mail, or a signature."""
_INTRODUCTION: Final = re.compile(
    r"\s*(?:on|am)\s.{5,200}\s(?:wrote|schrieb)[^:]{0,80}:\s*$", re.IGNORECASE | re.DOTALL
)
_HEADER: Final = re.compile(r"(?:from|to|cc|date|sent|subject|von|an|datum|gesendet|betreff):\s", re.IGNORECASE)


def unquoted(mail: str) -> str:
    """Return the own text of a mail: without headers, quoted lines and signature.

    Args:
        mail: The text of a mail, as it was copied from a mail program.
    """
    lines = list(_own_lines(mail[:_LONGEST].replace("\r\n", "\n").split("\n")))
    text = "\n".join(lines).strip()
    return re.sub(r"\n{3,}", "\n\n", text)


def _own_lines(lines: list[str]) -> Iterator[str]:
    start = 0
    while start < len(lines) and (_HEADER.match(lines[start]) or not lines[start].strip()):
        start += 1
    index = start
    while index < len(lines):
        line = lines[index]
        if _REST.match(line):
            return
        introduction = _introduction(lines, index)
        if introduction:
            index += introduction
            continue
        if not _QUOTED.match(line):
            yield line.rstrip()
        index += 1


def _introduction(lines: list[str], index: int) -> int:
    """Return the number of lines of "On Monday, Mara wrote:" here, if a quotation follows; else 0."""
    for length in (1, 2):
        after = next((line for line in lines[index + length :] if line.strip()), "")
        if _QUOTED.match(after) and _INTRODUCTION.fullmatch(" ".join(lines[index : index + length])):
            return length
    return 0


def named_criterion(text: str, grade: Grade) -> str:
    """Find the one criterion that a text names by its title or id; `*` if it names none, or several.

    Args:
        text: The student's own text.
        grade: The grade with the criteria.
    """
    words = " ".join(text.casefold().split())
    titles = {line.id for line in grade.criteria if line.title and " ".join(line.title.casefold().split()) in words}
    if not titles:
        found = (
            line.id for line in grade.criteria if re.search(rf"(?<!\w){re.escape(line.id.casefold())}(?!\w)", words)
        )
        titles = set(found)
    return titles.pop() if len(titles) == 1 else WHOLE
