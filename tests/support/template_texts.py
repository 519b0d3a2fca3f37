"""Find the texts of a template that no translator sees: text outside of `_()`, `ngettext()` and `{% trans %}`."""

import html
from collections.abc import Iterator
from html.parser import HTMLParser

from jinja2 import Environment, nodes

__all__ = ["unwrapped"]

_TRANSLATING = {"_", "gettext", "ngettext", "pgettext", "npgettext"}
_FOR_READERS = {"aria-label", "aria-description", "title", "alt", "placeholder", "label", "summary"}
"""Attributes that people see or hear."""
_UNSEEN = {"style", "script"}


def unwrapped(source: str, *, markup: bool = True) -> list[str]:
    """List the visible texts of a template that are not translated.

    Args:
        source: The template.
        markup: Whether it is HTML; otherwise all its text is visible.
    """
    tree = Environment(extensions=["jinja2.ext.i18n"], autoescape=True).parse(source)
    page = "".join(_pieces(tree.body))
    if not markup:
        return _words(page)
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader.texts


class _Reader(HTMLParser):
    """Collects the texts that a reader of the page sees or hears."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.texts: list[str] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = [tag]
        self.texts += [word for name, value in attrs if name in _FOR_READERS for word in _words(value or "")]

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - the signature of the base class
        self._inside = []

    def handle_data(self, data: str) -> None:
        if not _UNSEEN & set(self._inside):
            self.texts += _words(data)


def _words(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if any(map(str.isalpha, line))]


def _pieces(body: list[nodes.Node]) -> Iterator[str]:
    """Walk through the statements in the order of the template; of a condition both branches count."""
    for node in body:
        if isinstance(node, nodes.Output):
            for part in node.nodes:
                yield part.data if isinstance(part, nodes.TemplateData) else _shown(part)
        else:
            for field in ("body", "elif_", "else_"):
                inner = getattr(node, field, None)
                yield from _pieces(inner) if isinstance(inner, list) else ()
            if isinstance(node, nodes.Assign):
                yield "\n"


def _shown(expression: nodes.Expr) -> str:
    """Return the literal texts of an expression, which a reader sees as they are."""
    return html.escape(" ".join(_literals(expression)))


def _literals(expression: nodes.Node) -> Iterator[str]:
    match expression:
        case nodes.Const(value=str(text)):
            yield text
        case nodes.TemplateData(data=text):
            yield text
        case nodes.Call(node=nodes.Name(name=name)) if name in _TRANSLATING:
            return
        case nodes.CondExpr(expr1=first, expr2=second):
            yield from _literals(first)
            yield from _literals(second) if second is not None else ()
        case nodes.Filter(node=inner) | nodes.MarkSafeIfAutoescape(expr=inner) | nodes.MarkSafe(expr=inner):
            yield from _literals(inner) if inner is not None else ()
        case nodes.Concat(nodes=parts):
            for part in parts:
                yield from _literals(part)
        case nodes.Or(left=left, right=right) | nodes.And(left=left, right=right) | nodes.Add(left=left, right=right):
            yield from _literals(left)
            yield from _literals(right)
        case nodes.Mod(left=left):  # a text in the older style of gettext, with its values
            yield from _literals(left)
