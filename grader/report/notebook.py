"""Render the executed notebook in the report: readable, with link targets, and without active content."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from markupsafe import Markup, escape

from grader.facts.language import Language
from grader.report.fragments import Fragments
from grader.report.highlight import highlighted
from grader.report.images import ImageBudget, Picture, verified_picture
from grader.report.sanitise import Pictures, safe_html, safe_markdown
from grader.report.text import ENGLISH, clean, cut, settled, terminal
from grader.schema.message import Message, say, say_count

__all__ = ["MAX_CELLS", "CellView", "NotebookView", "OutputView", "PageCell", "cell_anchor", "notebook_cells"]

MAX_CELLS: Final = 600
"""Maximum number of cells in the report; further cells remain in `executed.ipynb`."""
_MOST_OUTPUTS: Final = 60
_MOST_TEXT: Final = 20_000
_MOST_RAW_TEXT: Final = 2_000_000
"""Maximum length of text before overwritten lines are removed; progress bars print much that is overwritten."""
_MOST_SOURCE: Final = 40_000
_LINES_AT_ONCE: Final = 24
"""Maximum number of lines to show at once; of longer text, the first lines are shown and the rest opens on click."""
_LINES_FIRST: Final = 12
_LONGEST_PREVIEW: Final = 90


@dataclass(frozen=True, slots=True)
class OutputView:
    """One output of a cell."""

    kind: str
    """`text`, `stderr`, `html`, `image`, `error` or `note`."""
    body: Markup
    more: Markup = field(default_factory=Markup)
    """Content that opens on click."""
    more_label: str = ""


@dataclass(frozen=True, slots=True)
class CellView:
    """One cell in the form that the template shows."""

    index: int
    name: str
    """`cell 12`"""
    heading: str
    """`Cell 12`"""
    anchor: str
    """`cell-12`"""
    kind: str
    """`code`, `markdown` or `raw`."""
    source: Markup
    outputs: tuple[OutputView, ...] = ()
    count: int | None = None
    """`execution_count`."""
    failed: bool = False
    preview: str = ""
    """Its first line, for the folded cell."""

    @property
    def is_code(self) -> bool:
        """Whether it has code."""
        return self.kind == "code"


@dataclass(frozen=True)
class PageCell:
    """One cell of a page; its source and outputs are rendered when they are first used."""

    index: int
    name: str
    heading: str
    anchor: str
    kind: str
    count: int | None
    failed: bool
    preview: str
    notebook: "_Rendered"

    @property
    def source(self) -> Markup:
        """Its source."""
        return self.notebook.cells[self.index].source

    @property
    def outputs(self) -> tuple[OutputView, ...]:
        """Its outputs."""
        return self.notebook.cells[self.index].outputs


class _Rendered:
    """The executed notebook, which is read and rendered when that is first necessary."""

    def __init__(self, read: Callable[[], Mapping[str, Any] | None], language: Language) -> None:
        self._read = read
        self._language = language

    @cached_property
    def cells(self) -> tuple[CellView, ...]:
        return notebook_cells(self.notebook, self._language)

    @cached_property
    def notebook(self) -> Mapping[str, Any] | None:
        return self._read()


class NotebookView:
    """The executed notebook on a page, which is read and rendered as far as it was not kept from an earlier page."""

    def __init__(self, read: Callable[[], Mapping[str, Any] | None], language: Language, fragments: Fragments) -> None:
        """Describe the cells.

        Args:
            read: Reads the notebook; None if there is none.
            language: The language of the grader's own texts.
            fragments: The parts of earlier pages.
        """
        rendered = _Rendered(read, language)
        known = fragments.data(fragments.key("notebook", fragments.notebook), lambda: _outline(rendered))
        self.total: int = known["total"]
        """Number of cells of the notebook; the page may have fewer."""
        self.cells = tuple(
            PageCell(
                index,
                *(language.cell(index), language.upper_cell(index), cell_anchor(index)),
                *(kind, count, failed, preview),
                notebook=rendered,
            )
            for index, (kind, count, failed, preview, _) in enumerate(known["cells"])
        )
        """The cells on the page, in order."""
        self.sources: Mapping[int, str] = {index: cell[-1] for index, cell in enumerate(known["cells"])}
        """The code of code cells, and an empty text for other cells, by index."""


def _outline(rendered: _Rendered) -> dict[str, Any]:
    """Collect what every page needs of each cell, as JSON values."""
    items = _list(rendered.notebook.get("cells")) if rendered.notebook is not None else []
    cells = [
        [cell.kind, cell.count, cell.failed, cell.preview, _text(items[cell.index].get("source")) * cell.is_code]
        for cell in rendered.cells
    ]
    return {"total": len(items), "cells": cells}


def cell_anchor(index: int) -> str:
    """Return the anchor of a cell on the page, counted from 1: index 11 is `cell-12`."""
    return f"cell-{index + 1}"


def notebook_cells(notebook: Mapping[str, Any] | None, language: Language = ENGLISH) -> tuple[CellView, ...]:
    """Convert a notebook's cells to a form that is safe to show.

    Args:
        notebook: An executed notebook of nbformat 4, or None.
        language: The language of the grader's own texts.

    Returns:
        At most `MAX_CELLS` cells, in order.
    """
    view = _View(ImageBudget(), language)
    cells = _list(notebook.get("cells")) if notebook is not None else []
    return tuple(_cell(index, cell, view) for index, cell in enumerate(cells[:MAX_CELLS]))


@dataclass(frozen=True, slots=True)
class _View:
    """The budget for pictures of the page, and its language."""

    budget: ImageBudget
    language: Language

    def pictures(self, cell: int, attachments: Mapping[str, str] | None = None) -> Pictures:
        return Pictures(self.budget, attachments or {}, cell, self.language)

    def note(self, message: Message) -> OutputView:
        return OutputView("note", escape(clean(self.language.text(message))))


def _cell(index: int, cell: Mapping[str, Any], view: _View) -> CellView:
    kind = cell.get("cell_type")
    source = _text(cell.get("source"))
    names = (view.language.cell(index), view.language.upper_cell(index), cell_anchor(index))
    if kind == "markdown":
        pictures = view.pictures(index, _attachments(cell))
        return CellView(index, *names, "markdown", safe_markdown(source, pictures), preview=_preview(source))
    if kind != "code":
        return CellView(index, *names, "raw", escape(clean(cut(source, _MOST_SOURCE))), preview=_preview(source))
    outputs = _merged(_list(cell.get("outputs")))
    count = cell.get("execution_count")
    return CellView(
        index,
        *names,
        "code",
        highlighted(source),
        tuple(_outputs(outputs, index, view)),
        count if isinstance(count, int) else None,
        failed=any(output.get("output_type") == "error" for output in outputs),
        preview=_preview(source),
    )


def _preview(source: str) -> str:
    """Return the first line that is neither empty nor an import, else the first line."""
    lines = [line.strip() for line in source[:_MOST_SOURCE].splitlines() if line.strip()]
    telling = (line for line in lines if not line.startswith(("import ", "from ", "%", "!")))
    return cut(next(telling, lines[0] if lines else ""), _LONGEST_PREVIEW)


def _text(value: object) -> str:
    """Join a string or a list of strings; anything else becomes an empty string."""
    if isinstance(value, list):
        return "".join(piece for piece in value if isinstance(piece, str))
    return value if isinstance(value, str) else ""


def _list(value: object) -> Sequence[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _attachments(cell: Mapping[str, Any]) -> dict[str, str]:
    """Collect PNG and JPEG attachments by name."""
    result: dict[str, str] = {}
    attachments = cell.get("attachments")
    for name, bundle in attachments.items() if isinstance(attachments, Mapping) else ():
        if isinstance(bundle, Mapping):
            encoded = _text(bundle.get("image/png")) or _text(bundle.get("image/jpeg"))
            if encoded:
                result[str(name)] = encoded
    return result


def _merged(outputs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Join adjacent outputs of the same stream, as Jupyter displays them."""
    merged: list[Mapping[str, Any]] = []
    for output in outputs:
        last = merged[-1] if merged else {}
        same = output.get("output_type") == "stream" == last.get("output_type") and output.get("name") == last.get(
            "name"
        )
        if same:
            merged[-1] = {**last, "text": _text(last.get("text")) + _text(output.get("text"))}
        else:
            merged.append(output)
    return merged


def _outputs(outputs: Sequence[Mapping[str, Any]], cell: int, view: _View) -> Iterator[OutputView]:
    for output in outputs[:_MOST_OUTPUTS]:
        kind = output.get("output_type")
        if kind == "stream":
            yield _printed(_text(output.get("text")), "stderr" if output.get("name") == "stderr" else "text", view)
        elif kind == "error":
            yield _error(output, view)
        else:
            data = output.get("data")
            yield from _display(data if isinstance(data, Mapping) else {}, cell, view)
    if len(outputs) > _MOST_OUTPUTS:
        yield view.note(
            say_count(
                "{count} more output is in executed.ipynb.",
                "{count} more outputs are in executed.ipynb.",
                len(outputs) - _MOST_OUTPUTS,
            )
        )


def _printed(text: str, kind: str, view: _View) -> OutputView:
    """Render printed text: short text completely, long text by its first lines with the rest on click."""
    text = settled(text[:_MOST_RAW_TEXT])
    over = len(text) > _MOST_TEXT
    lines = text[:_MOST_TEXT].rstrip("\n").split("\n")
    if len(lines) <= _LINES_AT_ONCE:
        body, more, label = lines, [], ""
    else:
        body, more = lines[:_LINES_FIRST], lines[_LINES_FIRST:]
        label = view.language.text(say_count("{count} more line", "{count} more lines", len(more)))
    if over:
        (more or body).append(view.language.text(say("… cut here; the whole text is in executed.ipynb")))
    return OutputView(kind, terminal("\n".join(body)), terminal("\n".join(more)), label)


def _error(output: Mapping[str, Any], view: _View) -> OutputView:
    name, message = _text(output.get("ename")) or "Error", _text(output.get("evalue"))
    trace = output.get("traceback")
    lines = [line for line in trace if isinstance(line, str)] if isinstance(trace, list) else []
    head = Markup("<bdi><strong>{}</strong>{}</bdi>").format(
        clean(cut(name, 200)), clean(cut(f": {message}" if message else "", 1_000))
    )
    label = view.language.text(say("Whole traceback")) if lines else ""
    return OutputView("error", head, terminal(settled("\n".join(lines)[:_MOST_TEXT])), label)


def _display(data: Mapping[str, Any], cell: int, view: _View) -> Iterator[OutputView]:
    """Render the richest representation of a display that is safe to show."""
    text = _text(data.get("text/plain"))
    refused = None
    for kind in ("image/png", "image/jpeg"):
        if encoded := _text(data.get(kind)):
            picture = verified_picture(encoded, view.budget)
            if isinstance(picture, Picture):
                alt = clean(view.language.text(_picture_name(cell, text)))
                tag = Markup('<img src="{}" alt="{}" width="{}" height="{}">')
                yield OutputView("image", tag.format(picture.uri, alt, picture.width, picture.height))
                return
            refused = picture
    if refused:
        yield view.note(say("A picture is not shown: {reason}.", reason=refused))
    for kind, render in (("text/html", safe_html), ("text/markdown", safe_markdown)):
        if source := _text(data.get(kind)):
            html = render(source, view.pictures(cell))
            if html.striptags().strip() or "<img" in html:
                yield OutputView("html", html)
                return
    if text:
        yield _printed(text, "text", view)
    elif data and not refused:
        kinds = cut(", ".join(sorted(map(str, data))), 100)
        yield view.note(say("An output of the type {kinds} is not shown; see executed.ipynb.", kinds=kinds))


def _picture_name(cell: int, text: str) -> Message:
    if text:
        return say("Picture drawn by {cell:cell}: {text}", cell=cell, text=cut(text, 120))
    return say("Picture drawn by {cell:cell}", cell=cell)
