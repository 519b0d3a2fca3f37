"""Find the line of code that a message is about."""

import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Final

__all__ = ["code_line"]

_QUOTED: Final = re.compile(r"`([^`]+)`")
_NAME: Final = re.compile(r"[A-Za-z_]\w+")
_NUMBER: Final = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])")
_STRING: Final = re.compile(r"""['"](\w+)['"]""")
_WORD: Final = re.compile(r"[a-z]{4,}")
_AUTOMATIC: Final = re.compile(r"_\d+$")
_TRAINING: Final = re.compile(r"\.(?:fit|fit_generator|train_on_batch)\(")
_COMPILE: Final = re.compile(r"\.compile\(")
_HINTS: Final = ((re.compile(r"\btrain(?:ed|ing)\b|\bepochs?\b"), _TRAINING), (re.compile(r"\bcompile"), _COMPILE))
"""Words of a message, and the call that it is about if it names no code of the cell."""
_LONGEST: Final = 110
_NOT_CODE: Final = re.compile(r"^\s*(?:#|import\b|from\b|$)")
_HINT_WEIGHT: Final = 0.4
_NUMBER_WEIGHT: Final = 0.3


def code_line(message: str, cells: Iterable[int], sources: Mapping[int, str], models: Collection[str] = ()) -> str:
    """Find the line that a message is about: the line with most of the names that the message quotes.

    A name counts the less, the more lines contain it. `conv2d_3` also means lines with `Conv2D`. Numbers and strings
    decide between lines that are alike.

    Args:
        message: The English message, with names in backticks.
        cells: Indexes of the cells that it is about.
        sources: The code by index of the cell.
        models: Names of models, which almost every message quotes.

    Returns:
        The line, cut to a readable length; empty if no line fits.
    """
    names = {name for quoted in _QUOTED.findall(message) for name in _NAME.findall(quoted)} - set(models)
    layers = {_AUTOMATIC.sub("", name) for name in names}
    calls = [call for words, call in _HINTS if words.search(message)]
    wanted = names | {name.replace("_", "") for name in layers} | {f"'{w}'" for w in _WORD.findall(message.lower())}
    figures = set(_NUMBER.findall(message))
    lines = [line for cell in dict.fromkeys(cells) for line in sources.get(cell, "").splitlines()]
    code = [line.strip() for line in lines if not _NOT_CODE.match(line)]
    tokens = [_tokens(line) for line in code]
    best, rank = "", 0.0
    for line, own in zip(code, tokens, strict=True):
        here = sum(1 / sum(name in other for other in tokens) for name in own & wanted)
        here += _HINT_WEIGHT * any(call.search(line) for call in calls)
        # Figures alone show nothing.
        here += _NUMBER_WEIGHT * len(figures.intersection(_NUMBER.findall(line))) if here else 0.0
        if here > rank:
            best, rank = line, here
    return best if len(best) <= _LONGEST else best[: _LONGEST - 1] + "…"


@lru_cache(maxsize=4096)
def _tokens(line: str) -> frozenset[str]:
    """Collect the names of a line, also in lower case, and its short strings, also with quotes."""
    names = set(_NAME.findall(_STRING.sub(" ", line)))
    strings = _STRING.findall(line)
    return frozenset({*names, *(name.lower() for name in names), *strings, *(f"'{string}'" for string in strings)})
