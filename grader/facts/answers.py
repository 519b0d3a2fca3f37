"""Find the cells of a notebook that answer a question for a person, and normalize their text to group equal answers."""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from grader.schema.evidence import CellFact

__all__ = ["Answer", "answer_to", "normalized", "own_text", "starter_lines", "without_placeholders"]

_MARKUP_AT_START: Final = re.compile(r"^(?:\s*(?:#{1,6}\s|>|[-*+]\s|\d{1,2}[.)]\s))+\s*")
_EMPHASIS: Final = re.compile(r"(?<!\w)([*_`~]{1,3})(?=\S)(.+?)(?<=\S)\1(?!\w)")
_RULE: Final = re.compile(r"^[\s=_*-]*$")
_HEADING: Final = re.compile(r"^\s{0,3}#{1,6}\s", re.MULTILINE)
_WORD: Final = re.compile(r"[^\W\d_]{4,}")
_STEM: Final = 6
"""Letters of a word that are compared, so that `filters` and `filter` are the same."""
_ENOUGH: Final = 0.5
"""A section belongs to the answer from this fraction of the best section's score."""
_MOST_WORDS_OF_A_HEADING: Final = 9
_TITLE: Final = 2.0
"""Weight of a word of the title; words of the guide have 1."""
_PLACEHOLDER: Final = re.compile(
    r"(?:your|write|type|enter|insert|put|double[- ]click|todo|answer)\b"
    r"[^.!?]{0,60}\b(?:here|answer|edit|todo)\b.{0,20}"
    r"|(?:todo|answer|your answer|\.{3}|…)\W*",
    re.DOTALL,
)
_STUB: Final = re.compile(
    r"\W*(?:(?:type|write|enter|put|insert) )?your answer(?: goes)? here\W*(?:replacing this text\W*)?"
)
"""A line that can only be a placeholder; `_PLACEHOLDER` also fits some sentences."""
_PICTURE: Final = re.compile(r"!\[|<img\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """The part of a notebook that answers one question."""

    cells: tuple[int, ...]
    """Indexes of its cells, in order; empty if there is no answer."""
    text: str
    """The student's own text in them, normalized; empty if there is none."""
    pictures: bool
    """Whether pictures belong to the answer, so that equal text alone does not make two answers equal."""


def starter_lines(texts: Iterable[str]) -> frozenset[str]:
    """Collect the normalized lines of the assignment's own text.

    Args:
        texts: Text cells of the assignment.
    """
    return frozenset(line for text in texts for line in normalized(text).split("\n") if line)


def normalized(text: str) -> str:
    """Remove differences without meaning: case, white space, Markdown markup, empty lines and forms of characters.

    Args:
        text: Markdown.
    """
    lines = unicodedata.normalize("NFKC", text).casefold().replace("\\\n", "\n").splitlines()
    return "\n".join(line for line in map(_plain, lines) if line)


def _plain(line: str) -> str:
    if _RULE.match(line):
        return ""
    line = _MARKUP_AT_START.sub("", line)
    previous = ""
    while previous != line:
        previous, line = line, _EMPHASIS.sub(r"\2", line)
    return " ".join(line.split())


def own_text(source: str, starter: Collection[str]) -> str:
    """Return a text cell's normalized text without the assignment's own lines, short headings and placeholders.

    Args:
        source: Source of the cell.
        starter: Result of `starter_lines`.
    """
    lines = (normalized(line) for line in source.splitlines() if not _is_short_heading(line))
    own = [line for line in lines if line and line not in starter and not _PLACEHOLDER.fullmatch(line)]
    text = " ".join(own)
    return "" if _PLACEHOLDER.fullmatch(text) else text


def without_placeholders(source: str) -> str:
    """Remove the lines of a text that can only ask for an answer, such as `YOUR ANSWER HERE`.

    Args:
        source: Source of a text cell.
    """
    return "\n".join(line for line in source.splitlines() if not _STUB.fullmatch(normalized(line)))


def _is_short_heading(line: str) -> bool:
    """Return whether a line is a heading; a sentence in a heading is text."""
    return bool(_HEADING.match(line)) and len(line.split()) <= _MOST_WORDS_OF_A_HEADING


def answer_to(title: str, guide: str, cells: Sequence[CellFact], starter: Collection[str] = ()) -> Answer:
    """Find the cells that answer a question.

    A notebook is divided at its headings; if it has headings of the assignment, only at those. The sections that share
    most words with the question belong to the answer: the student's own text in them, and code cells with figures. If
    no section shares any word, all of the student's text does. If the section of the question is empty, so is the
    answer.

    Args:
        title: Title of the criterion.
        guide: Instructions for the person who judges.
        cells: Cells of the notebook.
        starter: Result of `starter_lines`.
    """
    own = {cell.index: own_text(cell.source, starter) for cell in cells if cell.kind == "markdown"}
    chosen = _best(_sections(cells, starter), own, _stems(title), _stems(guide))
    answer = list(cells) if chosen is None else [cell for section in chosen for cell in section]
    texts = [cell for cell in answer if _is_answer(cell, own)]
    figures = [cell for cell in answer if cell.kind == "code" and cell.images]
    text = "\n".join(filter(None, (own[cell.index] for cell in texts)))
    indexes = tuple(sorted(cell.index for cell in (*texts, *figures)))
    return Answer(indexes, text, any(_PICTURE.search(cell.source) for cell in texts) or (not text and bool(figures)))


def _is_answer(cell: CellFact, own: dict[int, str]) -> bool:
    return bool(own.get(cell.index)) or (cell.kind == "markdown" and bool(_PICTURE.search(cell.source)))


def _sections(cells: Sequence[CellFact], starter: Collection[str]) -> list[list[CellFact]]:
    """Divide a notebook at the text cells that begin with a heading."""
    starts = {cell.index: normalized(heading) for cell in cells if (heading := _first_heading(cell))}
    given = {index for index, heading in starts.items() if heading in starter}
    sections: list[list[CellFact]] = [[]]
    for cell in cells:
        if cell.index in (given or starts):
            sections.append([])
        sections[-1].append(cell)
    return [section for section in sections if section]


def _first_heading(cell: CellFact) -> str:
    """Return the heading that a text cell begins with; empty if there is none."""
    first = next((line for line in cell.source.splitlines() if line.strip()), "")
    return first if cell.kind == "markdown" and _HEADING.match(first) else ""


def _stems(text: str) -> set[str]:
    return {word[:_STEM] for word in _WORD.findall(text.casefold())}


def _best(
    sections: Sequence[Sequence[CellFact]], own: dict[int, str], title: set[str], guide: set[str]
) -> list[Sequence[CellFact]] | None:
    """Choose the sections with the most words of the question; a word that many sections have counts less.

    Returns:
        The sections with something of the student; None if no section has any word of the question.
    """
    words = [_stems(" ".join(cell.source for cell in section if cell.kind == "markdown")) for section in sections]
    having = Counter(word for some in words for word in some)
    scores = [
        sum((_TITLE if word in title else 1.0) / having[word] for word in some & (title | guide)) for some in words
    ]
    best = max(scores, default=0.0)
    if best <= 0:
        return None
    rated = zip(sections, scores, strict=True)
    return [section for section, score in rated if score >= _ENOUGH * best and _is_filled(section, own)]


def _is_filled(section: Sequence[CellFact], own: dict[int, str]) -> bool:
    return any(_is_answer(cell, own) or (cell.kind == "code" and cell.images) for cell in section)
