"""Find the cells of a notebook that answer a question for a person, and normalize their text to group equal answers."""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from grader.schema.evidence import CellFact

__all__ = ["Answer", "answer_to", "normalized", "own_text", "starter_lines"]

_MARKUP_AT_START: Final = re.compile(r"^(?:\s*(?:#{1,6}\s|>|[-*+]\s|\d{1,2}[.)]\s))+\s*")
_EMPHASIS: Final = re.compile(r"(?<!\w)([*_`~]{1,3})(?=\S)(.+?)(?<=\S)\1(?!\w)")
_RULE: Final = re.compile(r"^[\s=_*-]*$")
_HEADING: Final = re.compile(r"^\s{0,3}#{1,6}\s", re.MULTILINE)
_WORD: Final = re.compile(r"[^\W\d_]{4,}")
_STEM: Final = 6
"""Letters of a word that are compared, so that `filters` and `filter` are the same."""
_ENOUGH: Final = 0.5
"""A section belongs to the answer from this fraction of the best section's score."""
_TITLE: Final = 2.0
"""Weight of a word of the title; words of the guide have 1."""
_PLACEHOLDER: Final = re.compile(
    r"(?:your|write|type|enter|insert|put|double[- ]click|todo|answer)\b"
    r"[^.!?]{0,60}\b(?:here|answer|edit|todo)\b.{0,20}"
    r"|(?:todo|answer|your answer|\.{3}|…)\W*",
    re.DOTALL,
)
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
    """Return a text cell's normalized text without the assignment's own lines; empty for a placeholder.

    Args:
        source: Source of the cell.
        starter: Result of `starter_lines`.
    """
    text = " ".join(line for line in normalized(source).split("\n") if line and line not in starter)
    return "" if _PLACEHOLDER.fullmatch(text) else text


def answer_to(title: str, guide: str, cells: Sequence[CellFact], starter: Collection[str] = ()) -> Answer:
    """Find the cells that answer a question.

    A notebook is divided at its headings. The sections that share most words with the question belong to the answer:
    the student's own text in them, and code cells with figures. Without any such section, all of the student's text
    does.

    Args:
        title: Title of the criterion.
        guide: Instructions for the person who judges.
        cells: Cells of the notebook.
        starter: Result of `starter_lines`.
    """
    own = {cell.index: own_text(cell.source, starter) for cell in cells if cell.kind == "markdown"}
    sections = _sections(cells)
    chosen = _best(sections, own, _stems(title), _stems(guide))
    answer = [cell for section in chosen for cell in section]
    if not any(_is_answer(cell, own) for cell in answer):
        answer = list(cells) if any(map(own.get, own)) and not chosen else answer
    texts = [cell for cell in answer if _is_answer(cell, own)]
    figures = [cell for cell in answer if cell.kind == "code" and cell.images]
    text = "\n".join(filter(None, (own[cell.index] for cell in texts)))
    indexes = tuple(sorted(cell.index for cell in (*texts, *figures)))
    return Answer(indexes, text, any(_PICTURE.search(cell.source) for cell in texts) or (not text and bool(figures)))


def _is_answer(cell: CellFact, own: dict[int, str]) -> bool:
    return bool(own.get(cell.index)) and (not _only_headings(cell.source) or bool(_PICTURE.search(cell.source)))


def _only_headings(source: str) -> bool:
    lines = [line for line in source.splitlines() if line.strip()]
    return all(_HEADING.match(line) for line in lines)


def _sections(cells: Sequence[CellFact]) -> list[list[CellFact]]:
    """Divide a notebook at the text cells that begin with a heading."""
    sections: list[list[CellFact]] = [[]]
    for cell in cells:
        if cell.kind == "markdown" and _HEADING.match(cell.source.lstrip("\n")):
            sections.append([])
        sections[-1].append(cell)
    return [section for section in sections if section]


def _stems(text: str) -> set[str]:
    return {word[:_STEM] for word in _WORD.findall(text.casefold())}


def _best(
    sections: Sequence[Sequence[CellFact]], own: dict[int, str], title: set[str], guide: set[str]
) -> list[Sequence[CellFact]]:
    """Choose the sections with the most words of the question; a word that many sections have counts less."""
    words = [_stems(" ".join(cell.source for cell in section if cell.kind == "markdown")) for section in sections]
    having = Counter(word for some in words for word in some)
    scores = [
        sum((_TITLE if word in title else 1.0) / having[word] for word in some & (title | guide)) for some in words
    ]
    # A section without own text and figures cannot be the answer, however well its question matches.
    filled = [any(_is_answer(cell, own) or (cell.kind == "code" and cell.images) for cell in one) for one in sections]
    best = max((score for score, full in zip(scores, filled, strict=True) if full), default=0.0)
    if best <= 0:
        return []
    rated = zip(sections, scores, filled, strict=True)
    return [section for section, score, full in rated if full and score >= _ENOUGH * best]
