"""The check `text`."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field

from grader.checks.registry import check
from grader.checks.support.measures import measure
from grader.checks.support.params import EXPECTED, Params, Whole
from grader.facts.answers import without_placeholders
from grader.facts.case import Case
from grader.facts.work import does_nothing
from grader.schema.base import Assurance, Pointer
from grader.schema.evidence import CellFact
from grader.schema.grade import Finding, MeasureLabel, StudentView
from grader.schema.message import Message, MessageLike, as_message, say, say_count, sentences

__all__ = ["TextParams", "text"]

_TARGET = r"\((?:[^()]|\([^()]*\))*\)"
"""The target of a link."""
_DATA = r"data:[\w.+-]+/[\w.+-]+[;,][^\s)>\"']*"
"""The content of a pasted picture."""
_NOT_PROSE = re.compile(
    r"```.*?(?:```|\Z)"
    r"|^ {0,3}~~~.*?(?:^ {0,3}~~~|\Z)"
    r"|<(?P<unseen>style|script)\b.*?(?:</(?P=unseen)\s*>|\Z)"
    r"|<!--.*?(?:-->|\Z)"
    # Evidence may have cut a cell within a pasted picture.
    rf"|!\[[^\]]*\](?:{_TARGET}|\(\s*{_DATA}|\[[^\]]*\])"
    rf"|\[(?P<link>[^\]]*)\]{_TARGET}"
    # A `<` before a space or a digit is a comparison.
    r"|<(?:[A-Za-z/!?][^<>]*>|img\b[^<>]*\Z)"
    r"|\\[A-Za-z]+"
    rf"|{_DATA}"
    r"|[A-Za-z0-9+/=]{100,}"
    r"|^ {0,3}\[[^\]\n]+\]:[^\n]*"
    r"|https?://\S+",
    re.DOTALL | re.MULTILINE,
)
"""Code, pictures, tags, addresses and commands of formulas. Of a link, the text in the group counts."""
_NO_SPACES = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
"""Kana and Chinese characters. No spaces separate their words, so each character counts as a word."""
_WORD = re.compile(rf"[{_NO_SPACES}]|[^\W\d_{_NO_SPACES}]+(?:['’-][^\W\d_{_NO_SPACES}]+)*")
_ENGLISH = frozenset({"the", "and", "are", "with", "that", "this", "which", "from", "for"})
"""Words that are frequent in English and do not exist in other languages."""
_ENGLISH_PART = 0.03
"""Smallest part of such words in a text that counts as English. English prose has five times as many."""
_COMMENT = re.compile(r"^[ \t]*#+([^\n]*)", re.MULTILINE)
_COMMENTED = 20
"""Words in comments from which on they are an explanation that belongs in a text cell."""
_SHINGLE = 5
"""Consecutive words that are counted as the assignment's if its text has the same sequence."""
_SHOWN = 3
"""Cells that a message names; further cells are counted."""

_EMPTY = say("the code of the notebook loads no data, creates no model and draws no figure")

_Word = Annotated[str, Field(min_length=1)]


class TextParams(Params):
    """Parameters of `text`."""

    min_words: Annotated[Whole, Field(ge=0)] = 0
    """The smallest number of words in the text cells that count."""
    all: Annotated[tuple[_Word, ...], EXPECTED] = ()
    """Words that must all occur; `convolution` also matches `convolutional`."""
    any: Annotated[tuple[_Word, ...], EXPECTED] = ()
    """Words of which `any_at_least` must occur."""
    any_at_least: Annotated[Whole, Field(ge=1)] = 1
    """Number of words of `any` that must occur."""
    topics: Annotated[Mapping[str, Annotated[tuple[_Word, ...], Field(min_length=1)]], EXPECTED] = Field(
        default_factory=dict
    )
    """Subjects, each with words; a subject is covered if one of its words occurs."""
    topics_at_least: Annotated[Whole, Field(ge=1)] = 1
    """Number of `topics` that must be covered."""
    near: Annotated[tuple[_Word, ...], EXPECTED] = ()
    """Count only passages with one of these words; a passage is a run of text cells without code between them."""
    template: str | tuple[str, ...] = ()
    """Text of the assignment that does not count, in addition to the rubric's `template` and `template_text`."""
    not_empty: bool = False
    """Whether the text earns nothing if the notebook's code loads no data, creates no model and draws no figure: a text
    about results that do not exist."""
    language: Literal["en"] | None = None
    """Language of the words above; a text in another language is left to a person."""


_MEASURES: Final[Mapping[str, MeasureLabel]] = {
    "words": measure(say("Words"), "number"),
    "mentioned": measure(say("Expected words and subjects in the text"), "number"),
    "found": measure(say("Words and subjects found"), "list"),
    "cells": measure(say("Text cells"), "number"),
}
"""Labels and units of the measured values; values without a label repeat the message."""


@check("text", measures=_MEASURES)
def text(case: Case, params: TextParams) -> Finding:
    """The notebook explains its work in text cells.

    What it does:
        Counts the words of the Markdown cells and looks for keywords. Code, links, the text of the assignment and
        placeholders (`YOUR ANSWER HERE`) do not count. Only a person can judge whether an explanation is good, so
        combine this check with a manual criterion. If `language` is set and a long enough text is in another language,
        a person must judge it. Students see how many of the words their text mentions, but not the words.

    Why it matters:
        Readers of a report want to know the steps and their reasons without reading the code.

    Example:
        `{check: text, with: {min_words: 60, any: [convolution, pooling, dropout], any_at_least: 2}}`
    """
    everything = list(_passages(case.evidence.cells))
    passages = [p for p in everything if _mentions_any(p, params.near)]
    shingles = _shingles((*_parts(case.rubric.template_text), *_parts(params.template)))
    own = _own(passages, shingles)
    words = sum(len(cell_words) for _, cell_words in own)
    prose = " ".join(word for _, cell_words in own for word in cell_words).lower()
    all_found = [word for word in params.all if _mentions(prose, word)]
    any_found = [word for word in params.any if _mentions(prose, word)]
    topics = [name for name, named in params.topics.items() if any(_mentions(prose, word) for word in named)]
    faults = [*_faults(params, words, all_found, any_found), *_topic_faults(params, topics)]
    where = tuple(cell for cell, cell_words in own if cell_words)
    foreign = _other_language(_own(everything, shingles), params) if faults else None
    if foreign is not None:
        return foreign
    mentioned = _Mentioned(all_found, any_found, topics)
    student = _student_view(words, where, mentioned, params)
    # Other facts decide only about a text that is long enough.
    if params.not_empty and not faults and does_nothing(case.evidence):
        faults = [_EMPTY]
        student = _student_view(words, where, mentioned, params, _EMPTY)
    advice = _advice(case.evidence.cells) if faults else ""
    return Finding.scored(
        _message(faults, words, where, mentioned.names, params),
        0.0 if faults else 1.0,
        advice=advice,
        assurance=Assurance.STATED,
        measured={"words": words, "found": list(mentioned.names), "cells": len(where)},
        evidence=tuple(Pointer(cell=cell.index) for cell in where),
        student=_with_advice(student, advice),
    )


@dataclass(frozen=True, slots=True)
class _Mentioned:
    """The expected words and subjects that a text mentions."""

    all: Sequence[str]
    any: Sequence[str]
    topics: Sequence[str]

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.all, *self.any, *self.topics)


def _has_keywords(params: TextParams) -> bool:
    return bool(params.all or params.any or params.topics or params.near)


def _student_view(
    words: int, where: tuple[CellFact, ...], mentioned: _Mentioned, params: TextParams, *more: Message
) -> StudentView | None:
    """Count the expected words instead of naming them; None if no words are expected.

    Args:
        words: Number of the text's words.
        where: Its cells.
        mentioned: The expected words that it mentions.
        params: The parameters.
        more: Further faults.
    """
    if not _has_keywords(params):
        return None
    faults = [*_too_short(params, words), *_faults_for_students(params, mentioned), *more]
    observation = _counted_for_students(words, where, params.near)
    if faults:
        message = say("{observation}, but {faults}.", observation=observation, faults=faults)
    elif mentioned.names:
        message = say("{observation} and mentions enough of the expected terms.", observation=observation)
    else:
        message = say("{observation}.", observation=observation)
    return StudentView(says=message, measured={"words": words, "mentioned": len(mentioned.names), "cells": len(where)})


def _with_advice(view: StudentView | None, advice: MessageLike) -> StudentView | None:
    return view.model_copy(update={"advice_says": as_message(advice)}) if view is not None and advice else view


def _faults_for_students(params: TextParams, mentioned: _Mentioned) -> Iterator[Message]:
    """Describe missing words and subjects by their numbers alone."""
    if len(mentioned.all) < len(params.all):
        yield say(
            "it mentions {mentioned:number} of {expected:number} required terms",
            mentioned=len(mentioned.all),
            expected=len(params.all),
        )
    required = min(params.any_at_least, len(params.any))
    if len(mentioned.any) < required:
        yield say(
            "it mentions {mentioned:number} of {expected:number} expected terms, and {required:number} are required",
            mentioned=len(mentioned.any),
            expected=len(params.any),
            required=required,
        )
    required = min(params.topics_at_least, len(params.topics))
    if len(mentioned.topics) < required:
        yield say(
            "it covers {covered:number} of {subjects:number} expected subjects, and {required:number} are required",
            covered=len(mentioned.topics),
            subjects=len(params.topics),
            required=required,
        )


def _counted_for_students(words: int, where: tuple[CellFact, ...], near: tuple[str, ...]) -> Message:
    if not near:
        return _counted(words, where, ()) if where else _no_text(())
    if not where:
        return say("The notebook has no text of your own on this subject")
    return say_count(
        "Your text on this subject has {count:number} word ({cells})",
        "Your text on this subject has {count:number} words ({cells})",
        words,
        cells=_named_cells(where),
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
    """Pair each cell with its words that are not the assignment's."""
    cells = (cell for passage in passages for cell in passage)
    return [(cell, _own_words(_prose(without_placeholders(cell.source)), shingles)) for cell in cells]


def _other_language(own: list[tuple[CellFact, list[str]]], params: TextParams) -> Finding | None:
    """Leave a text to a person if it is long enough and not in the language of the keywords."""
    words = [word.lower() for _, cell_words in own for word in cell_words]
    if params.language is None or len(words) < max(params.min_words, 1):
        return None
    if sum(word in _ENGLISH for word in words) >= _ENGLISH_PART * len(words):
        return None
    where = tuple(cell for cell, cell_words in own if cell_words)
    keywords = list(dict.fromkeys((*params.all, *params.any, *params.near)))
    return Finding.pending(
        sentences(
            say("{observation}.", observation=_counted(len(words), where, ())),
            say("It does not seem to be English."),
            say("The required words are English: {words:or}.", words=keywords) if keywords else None,
            say("A person must judge it."),
        ),
        assurance=Assurance.STATED,
        measured={"words": len(words), "found": [], "cells": len(where)},
        evidence=tuple(Pointer(cell=cell.index) for cell in where),
        student=StudentView(
            says=sentences(
                say("{observation}.", observation=_counted(len(words), where, ())),
                say("It does not seem to be English."),
                say("A person must judge it."),
            ),
            measured={"words": len(words), "cells": len(where)},
        ),
    )


def _advice(cells: tuple[CellFact, ...]) -> MessageLike:
    comments = (text for cell in cells if cell.kind == "code" for text in _COMMENT.findall(cell.source))
    if sum(len(_prose(text)) for text in comments) < _COMMENTED:
        return ""
    return say("Comments in code do not count. Write explanations for the reader in a text cell.")


def _prose(source: str) -> list[str]:
    return _WORD.findall(_NOT_PROSE.sub(lambda match: f" {match['link'] or ''} ", source))


def _parts(template: str | tuple[str, ...]) -> tuple[str, ...]:
    return (template,) if isinstance(template, str) else template


def _shingles(template: Iterable[str]) -> frozenset[tuple[str, ...]]:
    shingles = set()
    for part in template:
        words = [word.lower() for word in _prose(part)]
        size = min(_SHINGLE, len(words))
        if size:
            shingles |= {tuple(words[i : i + size]) for i in range(len(words) - size + 1)}
    return frozenset(shingles)


def _own_words(words: list[str], shingles: frozenset[tuple[str, ...]]) -> list[str]:
    lowered = [word.lower() for word in words]
    template: set[int] = set()
    for size in {len(shingle) for shingle in shingles}:
        for start in range(len(words) - size + 1):
            if tuple(lowered[start : start + size]) in shingles:
                template |= set(range(start, start + size))
    return [word for place, word in enumerate(words) if place not in template]


def _mentions(prose: str, word: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word.lower())}", prose) is not None


def _mentions_any(passage: list[CellFact], words: tuple[str, ...]) -> bool:
    prose = " ".join(word for cell in passage for word in _prose(cell.source)).lower()
    return not words or any(_mentions(prose, word) for word in words)


def _faults(params: TextParams, words: int, all_found: list[str], any_found: list[str]) -> Iterator[Message]:
    yield from _too_short(params, words)
    missing = [word for word in params.all if word not in all_found]
    if missing:
        yield say("it does not mention {words:or}", words=missing)
    if params.any and len(any_found) < min(params.any_at_least, len(params.any)):
        yield _too_few_mentioned(params, any_found)


def _too_short(params: TextParams, words: int) -> Iterator[Message]:
    if words < params.min_words:
        yield say_count(
            "at least {count:number} word is required", "at least {count:number} words are required", params.min_words
        )


def _too_few_mentioned(params: TextParams, mentioned: list[str]) -> Message:
    if not mentioned:
        return say(
            "it mentions none of these words, of which {required:number} are required: {words:list}",
            words=params.any,
            required=params.any_at_least,
        )
    return say(
        "it mentions only {mentioned} of these words, of which {required:number} are required: {words:list}",
        words=params.any,
        mentioned=mentioned,
        required=params.any_at_least,
    )


def _topic_faults(params: TextParams, covered: list[str]) -> Iterator[Message]:
    required = min(params.topics_at_least, len(params.topics))
    if len(covered) >= required:
        return
    if covered:
        yield say(
            "it covers {covered:number} of {subjects:number} subjects ({names}), and {required:number} are required",
            covered=len(covered),
            subjects=len(params.topics),
            names=covered,
            required=required,
        )
    else:
        yield say(
            "it covers none of {subjects:number} subjects ({required:number} required)",
            subjects=len(params.topics),
            required=required,
        )


def _message(
    faults: list[Message], words: int, where: tuple[CellFact, ...], mentioned: tuple[str, ...], params: TextParams
) -> Message:
    observation = _counted(words, where, params.near) if where else _no_text(params.near)
    if faults:
        return say("{observation}, but {faults}.", observation=observation, faults=faults)
    if mentioned:
        return say("{observation} and mentions {words}.", observation=observation, words=mentioned)
    return say("{observation}.", observation=observation)


def _no_text(near: tuple[str, ...]) -> Message:
    if near:
        return say("The notebook has no text of your own about {words:or}", words=near)
    return say("The notebook has no text of your own")


def _named_cells(where: tuple[CellFact, ...]) -> list[Message]:
    cells = [say("{cell:cell}", cell=cell.index) for cell in where[:_SHOWN]]
    if len(where) > _SHOWN:
        cells.append(say("{count:number} more", count=len(where) - _SHOWN))
    return cells


def _counted(words: int, where: tuple[CellFact, ...], near: tuple[str, ...]) -> Message:
    cells = _named_cells(where)
    if near:
        return say_count(
            "Your text with a word such as {subjects:code or} has {count:number} word ({cells})",
            "Your text with a word such as {subjects:code or} has {count:number} words ({cells})",
            words,
            subjects=near,
            cells=cells,
        )
    return say_count(
        "Your text has {count:number} word ({cells})",
        "Your text has {count:number} words ({cells})",
        words,
        cells=cells,
    )
