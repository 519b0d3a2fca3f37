"""Compute fingerprints of code and of texts that stay the same when names, numbers, comments or the order change."""

import builtins
import functools
import keyword
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grader.schema.evidence import CellFact

__all__ = ["CODE", "TEXT", "Prints", "Scheme", "Words", "code_prints", "text_prints"]

_LEXER = re.compile(
    r"""(?P<comment>\#[^\n]*)
    |(?P<string>\b[rbfuRBFU]{0,2}(?:\"{3}.*?(?:\"{3}|\Z)|'{3}.*?(?:'{3}|\Z)
        |"(?:\\.|[^"\\\n])*(?:"|$)|'(?:\\.|[^'\\\n])*(?:'|$))
        |(?:\"{3}.*?(?:\"{3}|\Z)|'{3}.*?(?:'{3}|\Z)|"(?:\\.|[^"\\\n])*(?:"|$)|'(?:\\.|[^'\\\n])*(?:'|$)))
    |(?P<number>(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][-+]?\d+)?[jJ]?)
    |(?P<name>[^\W\d]\w*(?:[ ]*\.[ ]*[^\W\d]\w*)*)
    |(?P<line>\n)
    |(?P<sign>\*\*=?|//=?|->|[-+*/%@&|^<>=!:]=|[^\s\w])""",
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
_IGNORED = re.compile(
    r"^[ \t]*(?:[%!][^\n]*|import\b[^\n]*|from[ \t]+[\w.]+[ \t]+import\b[ \t]*(?:\([^)]*\)|[^\n]*))", re.MULTILINE
)
"""Magics, shell commands and imports: they are the same in most notebooks."""
_CLASS = re.compile(r"^[ \t]*class[ \t]+(\w+)", re.MULTILINE)
_WORD = re.compile(r"\w+")
_KEPT = frozenset({*keyword.kwlist, *dir(builtins)})
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_NAME, _NUMBER, _STRING = "name", "0", "''"
"""Tokens that replace own names and literals."""
_BASE = 0x9E3779B97F4A7C15
_MIX = 0xBF58476D1CE4E5B9
_BITS = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Scheme:
    """The size of fingerprints, by the method "winnowing".

    Source: S. Schleimer, D. Wilkerson, A. Aiken, "Winnowing: local algorithms for document fingerprinting",
    SIGMOD 2003. Any common run of `size + window - 1` tokens has at least one common fingerprint.
    """

    size: int
    """Number of tokens of a fingerprint."""
    window: int
    """Number of neighboring fingerprints of which one is kept."""


CODE = Scheme(size=10, window=3)
TEXT = Scheme(size=5, window=3)


@dataclass(frozen=True, slots=True)
class Words:
    """Tokens in order, with their places."""

    tokens: tuple[str, ...]
    """Normalized tokens."""
    raw: tuple[str, ...]
    """The same tokens as they are written."""
    cells: tuple[int, ...]
    """Cell of each token, from 0."""
    lines: tuple[int, ...]
    """Line of each token in its cell, from 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Prints:
    """The fingerprints of one notebook."""

    words: Words
    hashes: NDArray[np.uint64]
    """Hash of the run of tokens that starts at each position."""
    kept: NDArray[np.intp]
    """Positions of the fingerprints that represent the notebook."""

    @property
    def marks(self) -> NDArray[np.uint64]:
        """The fingerprints, sorted and without repetitions."""
        return np.unique(self.hashes[self.kept])


def code_prints(cells: Iterable[CellFact]) -> Prints:
    """Compute the fingerprints of code cells.

    Own names, literals, comments, line breaks, imports and magics do not change them, nor does the prefix of a name
    such as `tf.keras.layers.Dense`.

    Args:
        cells: All cells of a notebook.
    """
    code = [cell for cell in cells if cell.kind == "code"]
    own = frozenset(name for cell in code for name in _CLASS.findall(cell.source))
    return _prints(_collected((cell.index, _code_tokens(cell.source, own)) for cell in code), CODE)


def text_prints(cells: Iterable[CellFact]) -> Prints:
    """Compute the fingerprints of text cells and of comments in code.

    Args:
        cells: All cells of a notebook.
    """
    return _prints(
        _collected((cell.index, _text_tokens(cell.source, code=cell.kind == "code")) for cell in cells), TEXT
    )


_Token = tuple[str, str, int]
"""Normalized token, token as written, and line from 1."""


def _collected(cells: Iterable[tuple[int, Sequence[_Token]]]) -> Words:
    tokens: list[_Token] = []
    places: list[int] = []
    for index, found in cells:
        tokens += found
        places += [index] * len(found)
    if not tokens:
        return Words((), (), (), ())
    normalized, raw, lines = zip(*tokens, strict=True)
    return Words(normalized, raw, tuple(places), lines)


@functools.lru_cache(maxsize=4096)
def _code_tokens(source: str, own: frozenset[str]) -> tuple[_Token, ...]:
    """List the tokens of one cell without its imports, commands, comments and final commas."""
    source = _IGNORED.sub(lambda ignored: "\n" * ignored[0].count("\n"), source)
    found = [(match.lastgroup or "", match[0]) for match in _LEXER.finditer(source)]
    found.append(("line", "\n"))
    tokens: list[_Token] = []
    line, depth, attribute = 1, 0, False
    for place, (kind, text) in enumerate(found):
        if kind == "name":
            argument = depth > 0 and found[place + 1][1] == "="
            tokens.append((text if attribute or argument else _name_token(text, own), text, line))
        elif kind == "number":
            tokens.append((_NUMBER, text, line))
        elif kind == "string":
            tokens.append((_STRING, text, line))
            line += text.count("\n")
        elif kind == "line":
            line += 1
            continue
        elif text == ".":
            attribute = True
            continue
        elif kind == "sign" and text != ";":
            depth += (text in _OPENING) - (text in _CLOSING)
            if text in _CLOSING and tokens and tokens[-1][0] == ",":
                tokens.pop()
            tokens.append((text, text, line))
        attribute = False
    return tuple(tokens)


def _name_token(text: str, own: frozenset[str]) -> str:
    first, _, last = text.replace(" ", "").rpartition(".")
    if first == "self" or last in own:
        return _NAME
    return last if first or last in _KEPT or last[0].isupper() else _NAME


@functools.lru_cache(maxsize=4096)
def _text_tokens(text: str, *, code: bool) -> tuple[_Token, ...]:
    """List the words of a text cell, or of the comments of a code cell."""
    return tuple(
        (word.lower(), word, number)
        for number, line in enumerate(text.split("\n"), start=1)
        for word in _WORD.findall(_comment(line) if code else line)
    )


def _comment(line: str) -> str:
    """Return the comment in a line of code."""
    if "#" not in line:
        return ""
    return next((match[0] for match in _LEXER.finditer(line) if match.lastgroup == "comment"), "")


def _prints(words: Words, scheme: Scheme) -> Prints:
    hashes = _rolling(words.tokens, scheme.size)
    return Prints(words, hashes, _winnowed(hashes, scheme.window))


def _rolling(tokens: Sequence[str], size: int) -> NDArray[np.uint64]:
    """Hash each run of tokens."""
    if len(tokens) < size:
        return np.empty(0, np.uint64)
    known = {token: zlib.crc32(token.encode("utf-8", "replace")) for token in set(tokens)}
    numbers = np.fromiter((known[token] for token in tokens), np.uint64, len(tokens))
    total = np.zeros(len(tokens) - size + 1, np.uint64)
    factor = 1
    for at in range(size):
        factor = factor * _BASE & _BITS
        total += numbers[at : at + len(total)] * np.uint64(factor)
    total ^= total >> np.uint64(31)
    total *= np.uint64(_MIX)
    return total ^ (total >> np.uint64(29))


def _winnowed(hashes: NDArray[np.uint64], window: int) -> NDArray[np.intp]:
    """Choose the smallest hash of each window."""
    if not len(hashes):
        return np.empty(0, np.intp)
    window = min(window, len(hashes))
    views = np.lib.stride_tricks.sliding_window_view(hashes, window)
    return np.unique(np.arange(len(views)) + views.argmin(axis=1))
