"""The check `text`."""

import re
from collections.abc import Iterable, Iterator
from typing import Annotated

from pydantic import Field

from grader.checks.params import Params, Whole
from grader.checks.registry import check
from grader.checks.words import listed, plural
from grader.schema.base import Assurance, Pointer, spoken_cell
from grader.schema.evidence import CellFact
from grader.schema.grade import Case, Finding

__all__ = ["TextParams", "count_own_words", "text"]

_NOT_PROSE = re.compile(r"```.*?(?:```|\Z)|<[^<>]*>|!?\[([^\]]*)\]\([^)]*\)|https?://\S+", re.DOTALL)
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_SHINGLE = 5
"""So many words in a row that also stand in the assignment's text are the assignment's."""

_Word = Annotated[str, Field(min_length=1)]


class TextParams(Params):
    """Parameters of `text`."""

    min_words: Annotated[Whole, Field(ge=0)] = 0
    """Fewest words in the text cells that count."""
    all: tuple[_Word, ...] = ()
    """Words that must all occur; `convolution` also finds `convolutional`."""
    any: tuple[_Word, ...] = ()
    """Words of which some must occur."""
    any_at_least: Annotated[Whole, Field(ge=1)] = 1
    """How many of `any`."""
    near: tuple[_Word, ...] = ()
    """Only passages that mention one of these count: a run of text cells with no code between them."""
    template: str | tuple[str, ...] = ()
    """The assignment's own text, which does not count."""


@check("text")
def text(case: Case, params: TextParams) -> Finding:
    """The notebook explains itself in text cells.

    What it does:
        Counts the words of the Markdown cells and looks for keywords. Code, links and the assignment's own text do not
        count. Whether the explanation is any good is for a person to say: pair this check with a manual criterion.

    Why it matters:
        Whoever reads a report wants to know what was done and why, without reading the code.

    Parameters:
        min_words: fewest words.
        all: words that must all occur.
        any, any_at_least: words of which so many must occur.
        near: count only passages that mention one of these words.
        template: text handed out with the assignment.

    Example:
        `{check: text, with: {min_words: 60, any: [convolution, pooling, dropout], any_at_least: 2}}`
    """
    passages = [p for p in _passages(case.evidence.cells) if _mentions_any(p, params.near)]
    shingles = _shingles((params.template,) if isinstance(params.template, str) else params.template)
    cells = [cell for passage in passages for cell in passage]
    own = [(cell, _own_words(_prose(cell.source), shingles)) for cell in cells]
    words = sum(len(found) for _, found in own)
    prose = " ".join(word for _, found in own for word in found).lower()
    all_found = [word for word in params.all if _mentions(prose, word)]
    any_found = [word for word in params.any if _mentions(prose, word)]
    faults = list(_faults(params, words, all_found, any_found))
    where = tuple(cell for cell, found in own if found)
    return Finding(
        status="failed" if faults else "passed",
        fraction=0.0 if faults else 1.0,
        message=_message(faults, words, where, (*all_found, *any_found), params),
        assurance=Assurance.STATED,
        measured={"words": words, "found": [*all_found, *any_found], "cells": len(where)},
        evidence=tuple(Pointer(cell=cell.index) for cell in where),
    )


def count_own_words(source: str, template: Iterable[str] = ()) -> int:
    """Count the words of a Markdown text that are prose and not the assignment's.

    Args:
        source: Markdown.
        template: Texts of the assignment; five words in a row that stand in one of them do not count.
    """
    return len(_own_words(_prose(source), _shingles(template)))


def _passages(cells: tuple[CellFact, ...]) -> Iterator[list[CellFact]]:
    passage: list[CellFact] = []
    for cell in cells:
        if cell.kind == "markdown":
            passage.append(cell)
        elif passage and cell.source.strip():
            yield passage
            passage = []
    if passage:
        yield passage


def _prose(source: str) -> list[str]:
    return _WORD.findall(_NOT_PROSE.sub(lambda match: f" {match[1] or ''} ", source))


def _shingles(template: Iterable[str]) -> frozenset[tuple[str, ...]]:
    found = set()
    for part in template:
        words = [word.lower() for word in _prose(part)]
        size = min(_SHINGLE, len(words))
        if size:
            found |= {tuple(words[i : i + size]) for i in range(len(words) - size + 1)}
    return frozenset(found)


def _own_words(words: list[str], shingles: frozenset[tuple[str, ...]]) -> list[str]:
    lowered = [word.lower() for word in words]
    given: set[int] = set()
    for size in {len(shingle) for shingle in shingles}:
        for start in range(len(words) - size + 1):
            if tuple(lowered[start : start + size]) in shingles:
                given |= set(range(start, start + size))
    return [word for place, word in enumerate(words) if place not in given]


def _mentions(prose: str, word: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word.lower())}", prose) is not None


def _mentions_any(passage: list[CellFact], words: tuple[str, ...]) -> bool:
    prose = " ".join(cell.source for cell in passage).lower()
    return not words or any(_mentions(prose, word) for word in words)


def _faults(params: TextParams, words: int, all_found: list[str], any_found: list[str]) -> Iterator[str]:
    if words < params.min_words:
        yield f"at least {params.min_words} words were asked for"
    lacking = [word for word in params.all if word not in all_found]
    if lacking:
        yield f"nothing is said about {listed(lacking, 'or')}"
    if params.any and len(any_found) < min(params.any_at_least, len(params.any)):
        named = f"only {listed(any_found)}" if any_found else "none"
        yield f"of {listed(params.any)}, {named} is mentioned ({params.any_at_least} wanted)"


def _message(
    faults: list[str], words: int, where: tuple[CellFact, ...], found: tuple[str, ...], params: TextParams
) -> str:
    about = f" about {listed(params.near, 'or')}" if params.near else ""
    if not where:
        said = f"There is no text of your own{about}"
    else:
        places = listed(spoken_cell(cell.index) for cell in where[:3]) + (" …" if len(where) > 3 else "")  # noqa: PLR2004 - a few places are enough to find the text
        said = f"{plural(words, 'word')} of text{about} ({places})"
    if faults:
        return f"{said}; {'; '.join(faults)}."
    return f"{said}{', on ' + listed(found) if found else ''}."
