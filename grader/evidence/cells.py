"""Read the cells of an executed notebook as text."""

import html
import re
from collections.abc import Mapping
from typing import Any

from grader.evidence.claims import as_int, as_list, as_map, as_text
from grader.schema.evidence import CellFact
from grader.schema.submission import STORED_ERROR, Run

__all__ = ["LONGEST_SOURCE", "cell_facts", "plain_text"]

LONGEST_SOURCE = 20_000
"""Most characters of a cell that evidence keeps."""
_MAX_OUTPUT = 4_000
_MAX_RAW = 200_000
_MAX_CELLS = 5_000
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_UNSEEN = re.compile(r"<(script|style)\b.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_PICTURE = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,[A-Za-z0-9+/=_%-]*")
_CHARTS = ("application/vnd.vega", "application/vnd.bokehjs", "application/vnd.holoviews")
"""Beginnings of the types of charts whose curves are not recorded (Altair, Bokeh, HoloViews)."""
_CHART_SCRIPT = re.compile(r"<script\b.*?(?:vega|bokeh|plotly|echarts|highcharts)", re.IGNORECASE | re.DOTALL)
"""A page that draws such a chart."""
_TAG = re.compile(r"<[^<>]*>")


def plain_text(value: object) -> str:
    """Read a notebook's text field (a string or a list of lines) without terminal colors; empty for anything else."""
    if isinstance(value, list):
        value = "".join(part for part in value[:_MAX_RAW] if isinstance(part, str))
    return as_text(_ANSI.sub("", value[:_MAX_RAW]), _MAX_RAW) if isinstance(value, str) else ""


def cell_facts(notebook: Mapping[str, Any], submitted: Mapping[str, Any] | None, run: Run) -> tuple[CellFact, ...]:
    """Describe every cell of the executed notebook.

    Args:
        notebook: The executed notebook (format 4), with the outputs of this execution.
        submitted: The submitted notebook, for its `execution_count`s.
        run: The execution, for the executed cells and those that raised.
    """
    executed = set(run.cell_map)
    errors = {error.cell: error.name for error in run.errors if error.cell is not None}
    cells = as_list(notebook.get("cells"), _MAX_CELLS)
    before = as_list(submitted.get("cells"), _MAX_CELLS) if submitted is not None else []
    if len(before) != len(cells):
        before = [None] * len(cells)
    return tuple(
        _cell(index, as_map(cell), index in executed, errors.get(index), as_map(before[index]))
        for index, cell in enumerate(cells)
    )


def _cell(index: int, cell: dict[str, Any], executed: bool, error: str | None, before: Mapping[str, Any]) -> CellFact:  # noqa: FBT001 - a column of the row
    kind = cell.get("cell_type")
    outputs = [as_map(output) for output in as_list(cell.get("outputs"))] if kind == "code" else []
    raised = next((as_text(o.get("ename")) for o in outputs if o.get("output_type") == "error"), None)
    return CellFact(
        index=index,
        kind="code" if kind == "code" else "markdown" if kind == "markdown" else "raw",
        source=_source(cell.get("source")),
        output="\n".join(text for text in map(_output_text, outputs) if text)[:_MAX_OUTPUT],
        images=sum(_has_image(output) for output in outputs),
        charts=sum(_has_chart(output) for output in outputs),
        error=error or raised or None,
        executed=executed,
        submitted_count=as_int(before.get("execution_count")),
        submitted_error=as_text(as_map(before.get("metadata")).get(STORED_ERROR)) or None,
    )


def _source(value: object) -> str:
    """Read a cell's source, cut to a length. Pasted pictures are removed before, since one has more than that."""
    parts = value if isinstance(value, list) else [value]
    text = "".join(part for part in parts[:_MAX_RAW] if isinstance(part, str))
    return plain_text(_PICTURE.sub("data:", text))[:LONGEST_SOURCE]


def _has_image(output: dict[str, Any]) -> bool:
    return any(kind.startswith("image/") for kind in as_map(output.get("data")))


def _has_chart(output: dict[str, Any]) -> bool:
    data = as_map(output.get("data"))
    drawn = _CHART_SCRIPT.search(plain_text(data.get("text/html"))) is not None
    return drawn or any(kind.startswith(_CHARTS) for kind in data)


def _output_text(output: dict[str, Any]) -> str:
    kind = output.get("output_type")
    if kind == "stream":
        return plain_text(output.get("text")).rstrip("\n")
    if kind == "error":
        return f"{plain_text(output.get('ename'))}: {plain_text(output.get('evalue'))}"
    data = as_map(output.get("data"))
    if "text/plain" in data:
        return plain_text(data["text/plain"])
    return _without_tags(plain_text(data.get("text/html") or data.get("text/markdown")))


def _without_tags(text: str) -> str:
    return html.unescape(_TAG.sub("", _UNSEEN.sub("", text))).strip()
