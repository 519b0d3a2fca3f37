"""Find the words of a page that did not go through the catalog: render it in a language that marks every message."""

import gettext
import re
from html.parser import HTMLParser

from grader.facts.language import Language

__all__ = ["MARKED", "unmarked"]

_START, _END = "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}", "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"
_ATTRIBUTES = {"aria-label", "aria-description", "title", "alt", "placeholder"}
_WITHOUT_WORDS = {"style", "script", "code", "pre"}
_BLOCKS = {"p", "li", "td", "th", "h1", "h2", "h3", "h4", "section", "div", "dt", "dd", "figcaption", "caption", "text"}
_VOID = {"meta", "link", "br", "img", "input", "hr", "path", "circle", "rect", "line", "polyline", "source", "wbr"}
_WORD = re.compile(r"[^\W\d_]{2,}")


class _Marking(gettext.NullTranslations):
    """Puts every message between marks."""

    def gettext(self, message: str) -> str:
        return _START + message + _END

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return _START + (msgid1 if n == 1 else msgid2) + _END

    def pgettext(self, context: str, message: str) -> str:  # noqa: ARG002 - the signature of the base class
        return self.gettext(message)

    def npgettext(self, context: str, msgid1: str, msgid2: str, n: int) -> str:  # noqa: ARG002 - as above
        return self.ngettext(msgid1, msgid2, n)


MARKED = Language("en", _Marking())
"""English, with every message between marks."""


def unmarked(page: str) -> set[str]:
    """List the words that a reader sees outside of messages; code does not count.

    Args:
        page: An HTML page that was rendered in the language `MARKED`.
    """
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader.words


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: set[str] = set()
        self._depth = 0
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS:
            self._depth = 0
        if tag not in _VOID:
            self._open.append(tag)
        for name, value in attrs:
            if name in _ATTRIBUTES:
                self._collect(value or "", 0)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass
        if tag in _BLOCKS:
            self._depth = 0

    def handle_data(self, data: str) -> None:
        if not _WITHOUT_WORDS & set(self._open):
            self._depth = self._collect(data, self._depth)

    def _collect(self, text: str, depth: int) -> int:
        """Collect the words outside of marks, and return the depth of marks at the end."""
        outside = []
        for letter in text:
            depth = depth + (letter == _START) - (letter == _END)
            outside.append(letter if depth <= 0 else " ")
        self.words.update(_WORD.findall("".join(outside)))
        return max(depth, 0)
