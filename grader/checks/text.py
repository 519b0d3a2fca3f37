"""The check `text`."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from grader.checks.registry import check
from grader.checks.support.params import Params, Whole
from grader.facts.case import Case
from grader.facts.wording import listed, plural
from grader.schema.base import Assurance, Pointer, spoken_cell
from grader.schema.evidence import CellFact
from grader.schema.grade import Finding

__all__ = ["TextParams", "text"]

_NOT_PROSE = re.compile(r"```.*?(?:```|\Z)|<[^<>]*>|!?\[([^\]]*)\]\([^)]*\)|https?://\S+", re.DOTALL)
_NO_SPACES = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
"""Kana and Chinese characters: their words are not set apart by spaces, so each character counts as one."""
_WORD = re.compile(rf"[{_NO_SPACES}]|[^\W\d_{_NO_SPACES}]+(?:['’-][^\W\d_{_NO_SPACES}]+)*")
_ENGLISH = frozenset({"the", "and", "are", "with", "that", "this", "which", "from", "for"})
"""Words without which hardly an English sentence is written, and which other languages do not have."""
_ENGLISH_PART = 0.03
"""English prose has five times as many of them."""
_COMMENT = re.compile(r"^\s*#+([^\n]*)", re.MULTILINE)
_COMMENTED = 20
"""So many words in comments are an explanation that stands in the wrong place."""
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
    topics: Mapping[str, Annotated[tuple[_Word, ...], Field(min_length=1)]] = Field(default_factory=dict)
    """Subjects of which some must be addressed, each by words of which one occurs. Students are told how many they have
    addressed and which, not which are missing."""
    topics_at_least: Annotated[Whole, Field(ge=1)] = 1
    """How many of `topics`."""
    near: tuple[_Word, ...] = ()
    """Only passages that mention one of these count: a run of text cells with no code between them."""
    template: str | tuple[str, ...] = ()
    """The assignment's own text, which does not count."""
    language: Literal["en"] | None = None
    """The keywords' language: what is written in another one is left to a person to judge."""


@check("text")
def text(case: Case, params: TextParams) -> Finding:
    """The notebook explains itself in text cells.

    What it does:
        Counts the words of the Markdown cells and looks for keywords. Code, links and the assignment's own text do not
        count. Whether the explanation is any good is for a person to say: pair this check with a manual criterion.
        Where the keywords' language is given and a long enough text is in another one, the points wait for a person.

    Why it matters:
        Whoever reads a report wants to know what was done and why, without reading the code.

    Example:
        `{check: text, with: {min_words: 60, any: [convolution, pooling, dropout], any_at_least: 2}}`
    """
    everything = list(_passages(case.evidence.cells))
    passages = [p for p in everything if _mentions_any(p, params.near)]
    shingles = _shingles((params.template,) if isinstance(params.template, str) else params.template)
    own = _own(passages, shingles)
    words = sum(len(found) for _, found in own)
    prose = " ".join(word for _, found in own for word in found).lower()
    all_found = [word for word in params.all if _mentions(prose, word)]
    any_found = [word for word in params.any if _mentions(prose, word)]
    topics = [name for name, named in params.topics.items() if any(_mentions(prose, word) for word in named)]
    faults = [*_faults(params, words, all_found, any_found), *_topic_faults(params, topics)]
    where = tuple(cell for cell, found in own if found)
    foreign = _other_language(_own(everything, shingles), params) if faults else None
    if foreign is not None:
        return foreign
    return Finding.scored(
        _message(faults, words, where, (*all_found, *any_found, *topics), params),
        0.0 if faults else 1.0,
        advice=_advice(case.evidence.cells) if faults else "",
        assurance=Assurance.STATED,
        measured={"words": words, "found": [*all_found, *any_found, *topics], "cells": len(where)},
        evidence=tuple(Pointer(cell=cell.index) for cell in where),
    )


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


def _own(passages: Iterable[list[CellFact]], shingles: frozenset[tuple[str, ...]]) -> list[tuple[CellFact, list[str]]]:
    """Each cell with the words in it that are not the assignment's."""
    return [(cell, _own_words(_prose(cell.source), shingles)) for passage in passages for cell in passage]


def _other_language(own: list[tuple[CellFact, list[str]]], params: TextParams) -> Finding | None:
    """Leave a text to a person where it is long enough and not in the language of the keywords."""
    words = [word.lower() for _, found in own for word in found]
    if params.language is None or len(words) < max(params.min_words, 1):
        return None
    if sum(word in _ENGLISH for word in words) >= _ENGLISH_PART * len(words):
        return None
    where = tuple(cell for cell, found in own if found)
    looked_for = listed(dict.fromkeys((*params.all, *params.any, *params.near)), "or")
    return Finding.pending(
        (
            f"Waits for a person to judge: {_counted(len(words), where)}, which do not seem to be English, while the "
            f"words looked for are ({looked_for})."
        ),
        assurance=Assurance.STATED,
        measured={"words": len(words), "found": [], "cells": len(where)},
        evidence=tuple(Pointer(cell=cell.index) for cell in where),
    )


def _advice(cells: tuple[CellFact, ...]) -> str:
    comments = (text for cell in cells if cell.kind == "code" for text in _COMMENT.findall(cell.source))
    if sum(len(_prose(text)) for text in comments) < _COMMENTED:
        return ""
    return "Comments in code do not count: what they explain to the reader belongs into a text cell."


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
        verb = "are" if len(any_found) > 1 else "is"
        yield f"of {listed(params.any)}, {named} {verb} mentioned ({params.any_at_least} wanted)"


def _topic_faults(params: TextParams, found: list[str]) -> Iterator[str]:
    wanted = min(params.topics_at_least, len(params.topics))
    if len(found) < wanted:
        named = f" ({listed(found)})" if found else ""
        yield f"{plural(len(found), 'subject')} of {len(params.topics)} addressed{named}, {wanted} wanted"


def _message(
    faults: list[str], words: int, where: tuple[CellFact, ...], found: tuple[str, ...], params: TextParams
) -> str:
    about = f" about {listed(params.near, 'or')}" if params.near else ""
    said = _counted(words, where, about) if where else f"There is no text of your own{about}"
    if faults:
        return f"{said}; {'; '.join(faults)}."
    return f"{said}{', on ' + listed(found) if found else ''}."


def _counted(words: int, where: tuple[CellFact, ...], about: str = "") -> str:
    places = listed(spoken_cell(cell.index) for cell in where[:3]) + (" …" if len(where) > 3 else "")  # noqa: PLR2004 - a few places are enough to find the text
    return f"{plural(words, 'word')} of text{about} ({places})"
