"""Highlight Python source."""

import re
from functools import lru_cache
from typing import Final

from markupsafe import Markup, escape
from pygments.lexer import Lexer
from pygments.lexers.python import PythonLexer
from pygments.token import Token, _TokenType

from grader.report.text import clean, cut

__all__ = ["highlighted"]

_MOST_SOURCE: Final = 40_000
_MOST_KEPT: Final = 1_000
"""Number of highlighted cells to cache; cells from the assignment's template are thus highlighted once per class."""
_TOKEN_CLASSES: Final[tuple[tuple[_TokenType, str], ...]] = (
    (Token.Comment, "c"),
    (Token.Literal.String, "s"),
    (Token.Literal.Number, "m"),
    (Token.Keyword, "k"),
    (Token.Operator.Word, "k"),
    (Token.Name.Function, "f"),
    (Token.Name.Class, "f"),
    (Token.Name.Decorator, "f"),
    (Token.Name.Builtin, "b"),
)


_BLANK = re.compile(r"\s+")
_MOST_BLANK = 1000
"""Maximum number of white space characters in a row in code that is highlighted."""


@lru_cache(maxsize=_MOST_KEPT)
def highlighted(source: str) -> Markup:
    """Highlight Python source with the CSS classes `k`, `s`, `c`, `m`, `f`, `b`.

    Args:
        source: Code of one cell; only its first 40,000 characters are shown.

    Returns:
        Escaped markup that contains no tag except `span`.
    """
    text = clean(cut(source, _MOST_SOURCE))
    if max(map(len, _BLANK.findall(text)), default=0) > _MOST_BLANK:
        # The lexer's time grows with the square of this length, and a student chooses it.
        return escape(text)
    out: list[str] = []
    for kind, piece in _lexer().get_tokens(text):
        name = _class_of(kind)
        out.append(f'<span class="{name}">{escape(piece)}</span>' if name else escape(piece))
    return Markup("".join(out))  # noqa: S704  every piece was escaped above


@lru_cache
def _class_of(kind: _TokenType) -> str | None:
    return next((name for token, name in _TOKEN_CLASSES if kind[: len(token)] == token), None)


@lru_cache(maxsize=1)
def _lexer() -> Lexer:
    return PythonLexer(stripnl=False, ensurenl=False)
