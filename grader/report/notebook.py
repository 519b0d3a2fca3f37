"""The executed notebook as the report shows it: readable, linked to, and unable to do anything."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from markupsafe import Markup, escape

from grader.report.highlight import highlighted
from grader.report.images import ImageBudget, verified_picture
from grader.report.sanitise import Pictures, safe_html, safe_markdown
from grader.report.text import clean, cut, settled, terminal
from grader.schema.base import spoken_cell

__all__ = ["MAX_CELLS", "CellView", "OutputView", "cell_anchor", "notebook_cells"]

MAX_CELLS: Final = 600
"""Further cells are left out of the report; they stay in `executed.ipynb`."""
_MOST_OUTPUTS: Final = 60
_MOST_TEXT: Final = 20_000
_MOST_RAW_TEXT: Final = 2_000_000
"""Progress bars print far more than they leave on the screen."""
_MOST_SOURCE: Final = 40_000
_LINES_AT_ONCE: Final = 24
"""Longer printed text shows its first lines; the rest opens on demand."""
_LINES_FIRST: Final = 12


@dataclass(frozen=True, slots=True)
class OutputView:
    """One output of a cell."""

    kind: str
    """`text`, `stderr`, `html`, `image`, `error` or `note`."""
    body: Markup
    more: Markup = field(default_factory=Markup)
    """What opens on demand."""
    more_label: str = ""


@dataclass(frozen=True, slots=True)
class CellView:
    """One cell as the template shows it."""

    index: int
    name: str
    """`cell 12`"""
    anchor: str
    """`cell-12`"""
    kind: str
    """`code`, `markdown` or `raw`."""
    source: Markup
    outputs: tuple[OutputView, ...] = ()
    count: int | None = None
    """`execution_count`."""
    failed: bool = False


def cell_anchor(index: int) -> str:
    """Name the place of a cell on the page, counted as people count: index 11 is `cell-12`."""
    return f"cell-{index + 1}"


def notebook_cells(notebook: Mapping[str, Any] | None) -> tuple[CellView, ...]:
    """Make a notebook's cells fit to be shown.

    Args:
        notebook: A notebook of nbformat 4 after its execution; None where there is none.

    Returns:
        At most `MAX_CELLS` cells, in order.
    """
    budget = ImageBudget()
    cells = _list(notebook.get("cells")) if notebook is not None else []
    return tuple(_cell(index, cell, budget) for index, cell in enumerate(cells[:MAX_CELLS]))


def _cell(index: int, cell: Mapping[str, Any], budget: ImageBudget) -> CellView:
    kind = cell.get("cell_type")
    source = _text(cell.get("source"))
    name, anchor = spoken_cell(index), cell_anchor(index)
    if kind == "markdown":
        pictures = Pictures(budget, _attachments(cell), name)
        return CellView(index, name, anchor, "markdown", safe_markdown(source, pictures))
    if kind != "code":
        return CellView(index, name, anchor, "raw", escape(clean(cut(source, _MOST_SOURCE))))
    outputs = _merged(_list(cell.get("outputs")))
    count = cell.get("execution_count")
    return CellView(
        index,
        name,
        anchor,
        "code",
        highlighted(source),
        tuple(_outputs(outputs, name, budget)),
        count if isinstance(count, int) else None,
        failed=any(output.get("output_type") == "error" for output in outputs),
    )


def _text(given: object) -> str:
    """Join what nbformat may keep as a list of lines; anything but text is nothing."""
    if isinstance(given, list):
        return "".join(piece for piece in given if isinstance(piece, str))
    return given if isinstance(given, str) else ""


def _list(given: object) -> Sequence[Mapping[str, Any]]:
    return [item for item in given if isinstance(item, Mapping)] if isinstance(given, list) else []


def _attachments(cell: Mapping[str, Any]) -> dict[str, str]:
    """Collect PNG and JPEG attachments by name."""
    found: dict[str, str] = {}
    given = cell.get("attachments")
    for name, bundle in given.items() if isinstance(given, Mapping) else ():
        if isinstance(bundle, Mapping):
            encoded = _text(bundle.get("image/png")) or _text(bundle.get("image/jpeg"))
            if encoded:
                found[str(name)] = encoded
    return found


def _merged(outputs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Join neighbouring pieces of the same stream, as a person saw them."""
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


def _outputs(outputs: Sequence[Mapping[str, Any]], place: str, budget: ImageBudget) -> Iterator[OutputView]:
    for output in outputs[:_MOST_OUTPUTS]:
        kind = output.get("output_type")
        if kind == "stream":
            yield _printed(_text(output.get("text")), "stderr" if output.get("name") == "stderr" else "text")
        elif kind == "error":
            yield _error(output)
        else:
            data = output.get("data")
            yield from _shown(data if isinstance(data, Mapping) else {}, place, budget)
    if len(outputs) > _MOST_OUTPUTS:
        yield OutputView("note", escape(f"{len(outputs) - _MOST_OUTPUTS} further outputs are in executed.ipynb."))


def _printed(text: str, kind: str) -> OutputView:
    """Show printed text: short text whole, long text by its first lines with the rest on demand."""
    text = settled(text[:_MOST_RAW_TEXT])
    over = len(text) > _MOST_TEXT
    lines = text[:_MOST_TEXT].rstrip("\n").split("\n")
    if len(lines) <= _LINES_AT_ONCE:
        body, more, label = lines, [], ""
    else:
        body, more = lines[:_LINES_FIRST], lines[_LINES_FIRST:]
        label = f"{len(more)} more lines"
    if over:
        (more or body).append("… cut here; the whole text is in executed.ipynb")
    return OutputView(kind, terminal("\n".join(body)), terminal("\n".join(more)), label)


def _error(output: Mapping[str, Any]) -> OutputView:
    name, message = _text(output.get("ename")) or "Error", _text(output.get("evalue"))
    trace = output.get("traceback")
    lines = [line for line in trace if isinstance(line, str)] if isinstance(trace, list) else []
    head = Markup("<bdi><strong>{}</strong>{}</bdi>").format(
        clean(cut(name, 200)), clean(cut(f": {message}" if message else "", 1_000))
    )
    return OutputView(
        "error", head, terminal(settled("\n".join(lines)[:_MOST_TEXT])), "the whole traceback" if lines else ""
    )


def _shown(data: Mapping[str, Any], place: str, budget: ImageBudget) -> Iterator[OutputView]:
    """Show the richest form of a display that can be shown safely."""
    text = _text(data.get("text/plain"))
    refused = ""
    for kind in ("image/png", "image/jpeg"):
        if encoded := _text(data.get(kind)):
            picture = verified_picture(encoded, budget)
            if not isinstance(picture, str):
                alt = f"Picture that {place} drew" + (f": {cut(text, 120)}" if text else "")
                tag = Markup('<img src="{}" alt="{}" width="{}" height="{}">')
                yield OutputView("image", tag.format(picture.uri, clean(alt), picture.width, picture.height))
                return
            refused = picture
    if refused:
        yield OutputView("note", escape(f"A picture is not shown: {refused}."))
    for kind, render in (("text/html", safe_html), ("text/markdown", safe_markdown)):
        if source := _text(data.get(kind)):
            html = render(source, Pictures(budget, place=place))
            if html.striptags().strip() or "<img" in html:
                yield OutputView("html", html)
                return
    if text:
        yield _printed(text, "text")
    elif data and not refused:
        kinds = ", ".join(sorted(map(str, data)))
        yield OutputView(
            "note", escape(clean(f"An output of the kind {cut(kinds, 100)} is not shown; see executed.ipynb."))
        )
