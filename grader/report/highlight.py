"""Colours in Python source: one pass of one regular expression, since a class has hundreds of thousands of lines."""

import builtins
import keyword
import re
from typing import Final

from markupsafe import Markup, escape

from grader.report.text import clean, cut

__all__ = ["highlighted"]

_MOST_SOURCE: Final = 40_000
_BUILTINS: Final = frozenset(name for name in dir(builtins) if not name.startswith("_")) | {"self", "cls"}
_KEYWORDS: Final = frozenset(keyword.kwlist)

_TOKEN: Final = re.compile(
    r"""
    (?P<c> \#[^\n]* )
  | (?P<s> \b[rRbBuUfFtT]{1,2}(?=['"]) | (?=['"]) )
    (?: \'{3} (?: [^\\'] | \\. | '(?!'') )* (?:\'{3}|\\?\Z)
      | "{3} (?: [^\\"] | \\. | "(?!"") )* (?:"{3}|\\?\Z)
      | ' (?: [^\\'\n] | \\. )* (?:'|\\?$)
      | " (?: [^\\"\n] | \\. )* (?:"|\\?$) )
  | (?P<f> ^[ \t]*@(?=[^\W\d]) [\w.]+ )
  | (?P<d> \b(?:def|class)\b ) (?P<gap> [ \t]+ ) (?P<name> [^\W\d]\w* )
  | (?P<m> (?<![\w.]) (?: 0[xX][\da-fA-F_]+ | 0[bB][01_]+ | 0[oO][0-7_]+
        | (?: \d[\d_]*\.?[\d_]* | \.\d[\d_]* ) (?: [eE][+-]?\d[\d_]* )? [jJ]? ) )
  | (?P<w> (?P<dot> \.\s* )? [^\W\d]\w* )
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)


def highlighted(source: str) -> Markup:
    """Colour Python source by classes: keyword `k`, string `s`, comment `c`, number `m`, made name `f`, builtin `b`.

    What is no Python (a magic, an unfinished line) is coloured as far as it looks like it, and never lost.

    Args:
        source: Code of one cell; only its first 40,000 characters are shown.

    Returns:
        Escaped markup whose only tag is `span`.
    """
    shown = clean(cut(source, _MOST_SOURCE))
    out: list[str] = []
    end = 0
    for match in _TOKEN.finditer(shown):
        coloured = _coloured(match)
        if coloured:
            out += (escape(shown[end : match.start()]), coloured)
            end = match.end()
    out.append(escape(shown[end:]))
    return Markup("".join(out))  # noqa: S704  every piece was escaped


def _coloured(match: re.Match[str]) -> str:
    """One token in its colour; empty for a word that has none."""
    kind = match.lastgroup
    text = match[0]
    if kind == "w":
        if match["dot"]:
            return ""
        name = "k" if text in _KEYWORDS else "b" if text in _BUILTINS else ""
        return f'<span class="{name}">{text}</span>' if name else ""
    if kind == "name":
        return f'<span class="k">{match["d"]}</span>{match["gap"]}<span class="f">{match["name"]}</span>'
    return f'<span class="{kind}">{escape(text)}</span>'
