"""Limits a notebook's outputs while they arrive, so that none grows without bound."""

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

from nbformat.v4 import new_output

from grader.execution.causes import cut_middle, without_own_paths
from grader.execution.terminal import Screen
from grader.schema.rubric import OutputSettings

__all__ = ["OutputKeeper", "clean_text", "displayed"]

_IMAGE_PREFIX = "image/"
_TRACEBACK_HALF = 30
_MOST_FORMS = 20
"""Maximum number of MIME types of one display."""
_MIME_LENGTH = 100
_DEPTH = 16
"""Maximum depth of JSON in a display or its metadata; real outputs are less deep."""
_METADATA_BYTES = 10_000
_START_UP = re.compile(
    r"^(?:WARNING: All log messages before absl::InitializeLog\(\) [^\n]*|I\d{4} \d\d:\d\d:\d+\.\d+ [^\n]*)\n",
    re.MULTILINE,
)
"""Log lines that TensorFlow's libraries write when they are loaded; they are not the student's output."""
_NOTE = "[Some outputs of this cell were left out by the grader: {reasons}.]\n"


def clean_text(text: str) -> str:
    """Replace lone surrogates, which cannot be written to a file."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def displayed(kind: str, content: Mapping[str, Any]) -> Any:
    """Make an output from an untrusted message.

    Args:
        kind: `display_data` or `execute_result`.
        content: The message's untrusted content.

    Returns:
        An output that is valid in the notebook format.

    Raises:
        AttributeError: The data is not a mapping.
    """
    parts = {"data": _forms(content["data"]), "metadata": _metadata(content.get("metadata"))}
    if kind == "display_data":
        return new_output(kind, **parts)
    count = content.get("execution_count")
    whole = isinstance(count, int) and not isinstance(count, bool) and 0 <= count < 1 << 31
    return new_output(kind, **parts, execution_count=count if whole else None)


def _forms(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the valid data of a display by MIME type: texts, and JSON for JSON types."""
    forms: dict[str, Any] = {}
    for form, value in list(data.items())[:_MOST_FORMS]:
        name = clean_text(str(form))
        if len(name) > _MIME_LENGTH:
            continue
        if isinstance(value, list) and all(isinstance(line, str) for line in value):
            value = "".join(value)  # noqa: PLW2901 — lines of text
        if isinstance(value, str):
            forms[name] = clean_text(value)
        elif name == "application/json" or name.endswith("+json"):
            forms[name] = _shallow(value)
    return forms


def _metadata(value: Any) -> dict[str, Any]:
    kept = _shallow(value)
    return kept if isinstance(kept, dict) and len(json.dumps(kept)) <= _METADATA_BYTES else {}


def _shallow(value: Any, depth: int = _DEPTH) -> Any:
    """Copy JSON; replace values below the maximum depth by None."""
    if isinstance(value, str):
        return clean_text(value)
    if not isinstance(value, (dict, list)):
        return value
    if depth <= 0:
        return None
    if isinstance(value, list):
        return [_shallow(item, depth - 1) for item in value]
    return {clean_text(str(key)): _shallow(item, depth - 1) for key, item in value.items()}


class _Cell:
    """The outputs of the running cell."""

    def __init__(self, index: int, outs: list[Any]) -> None:
        self.index = index
        self.outs = outs
        self.screens: dict[int, Screen] = {}
        """Position of a stream output → its text so far."""
        self.rich: dict[int, int] = {}
        """Position of a display → its size in characters."""
        self.images: dict[int, int] = {}
        self.reasons: dict[str, None] = {}
        self.clear_next = False

    def forget(self) -> None:
        self.outs.clear()
        self.screens.clear()
        self.rich.clear()
        self.images.clear()
        self.clear_next = False

    def text_size(self) -> int:
        return sum(screen.size() for screen in self.screens.values())


class OutputKeeper:
    """Applies the limits to one notebook's outputs; the notebook client calls it for each message."""

    def __init__(self, caps: OutputSettings | None = None) -> None:
        """Start a notebook without outputs."""
        self.caps = caps or OutputSettings()
        self._cell: _Cell | None = None
        self._text = 0
        self._rich = 0
        self._images = 0
        self._displays: dict[str, list[tuple[list[Any], int, int]]] = {}
        """Display id → (the cell's outputs, position, cell)."""

    def begin(self, index: int, outs: list[Any]) -> None:
        """Start a cell.

        Args:
            index: The cell's index in the notebook.
            outs: The cell's list of outputs, which is filled in place.
        """
        self.finish()
        self._cell = _Cell(index, outs)

    def stream(self, name: Literal["stdout", "stderr"], text: str) -> None:
        """Add printed text."""
        text = _START_UP.sub("", text) if name == "stderr" else text
        if not text:
            return
        cell = self._ready()
        place = self._stream_place(cell, name)
        if place is None:
            cell.reasons["too many separate outputs"] = None
            return
        cell.screens[place].feed(text)

    def rich(self, output: Any, display_id: str | None = None) -> None:
        """Add a display or a result.

        Args:
            output: A `display_data` or `execute_result` output.
            display_id: Its id for later updates, if it has one.
        """
        cell = self._ready()
        if len(cell.outs) >= self.caps.cell_outputs:
            cell.reasons["too many separate outputs"] = None
            return
        output["data"] = self._fitting(cell, output["data"])
        if not output["data"]:
            return
        place = len(cell.outs)
        cell.outs.append(output)
        self._count(cell, place, output["data"])
        if display_id:
            self._displays.setdefault(display_id, []).append((cell.outs, place, cell.index))

    def update(self, display_id: str, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        """Change an earlier display; ignore an unknown id."""
        cell = self._ready(clears=False)
        for outs, place, index in self._displays.get(display_id, []):
            if place >= len(outs) or "data" not in outs[place]:
                continue
            if index == cell.index:
                cell.rich.pop(place, None)
                cell.images.pop(place, None)
            kept = self._fitting(cell, _forms(data))
            if kept:
                outs[place]["data"], outs[place]["metadata"] = kept, _metadata(metadata)
            if index == cell.index:
                self._count(cell, place, outs[place]["data"])

    def error(self, name: str, message: str, traceback: list[str]) -> None:
        """Add the error of a cell that raised."""
        cell = self._ready()
        if len(cell.outs) > self.caps.cell_outputs:
            return
        ends = traceback[:_TRACEBACK_HALF] + traceback[max(_TRACEBACK_HALF, len(traceback) - _TRACEBACK_HALF) :]
        kept = [clean_text(without_own_paths(line[:20_000])) for line in ends]
        texts = {
            "ename": clean_text(name[:200]),
            "evalue": clean_text(cut_middle(without_own_paths(message[:200_000]), 4_000)),
        }
        cell.outs.append(new_output("error", **texts, traceback=kept))

    def clear(self, *, wait: bool) -> None:
        """Clear the cell's outputs, at once or before its next output."""
        cell = self._ready(clears=False)
        if wait:
            cell.clear_next = True
            return
        self._forget(cell)

    def finish(self) -> None:
        """End the cell: write the collected text to its outputs, with a note if some were left out."""
        cell, self._cell = self._cell, None
        if cell is None:
            return
        for place, screen in cell.screens.items():
            cell.outs[place]["text"] = screen.render()
        self._text += cell.text_size()
        self._rich += sum(cell.rich.values())
        self._images += sum(cell.images.values())
        if cell.reasons:
            note = _NOTE.format(reasons="; ".join(cell.reasons))
            cell.outs.append(new_output("stream", name="stderr", text=note))

    def _ready(self, *, clears: bool = True) -> _Cell:
        if self._cell is None:
            self._cell = _Cell(-1, [])
        if clears and self._cell.clear_next:
            self._forget(self._cell)
        return self._cell

    def _forget(self, cell: _Cell) -> None:
        for entries in self._displays.values():
            entries[:] = [entry for entry in entries if entry[2] != cell.index]
        cell.forget()

    def _stream_place(self, cell: _Cell, name: str) -> int | None:
        """Find the output for more text, or start one; None if the cell has too many outputs."""
        last = len(cell.outs) - 1
        if last in cell.screens and cell.outs[last]["name"] == name:
            return last
        if len(cell.outs) >= self.caps.cell_outputs:
            return next((place for place in reversed(cell.screens) if cell.outs[place]["name"] == name), None)
        room = min(self.caps.cell_text, max(0, self.caps.total_text - self._text)) - cell.text_size()
        cell.outs.append(new_output("stream", name=name, text=""))
        cell.screens[last + 1] = Screen(max(0, room))
        return last + 1

    def _fitting(self, cell: _Cell, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return the data if it is within the limits, else only its plain text, else nothing."""
        size, images = _size(data), _images(data)
        why = self._over(cell, size, images)
        if not why:
            return dict(data)
        cell.reasons[why] = None
        text = data.get("text/plain")
        if isinstance(text, str) and len(data) > 1 and not self._over(cell, len(text), 0):
            return {"text/plain": text}
        return {}

    def _over(self, cell: _Cell, size: int, images: int) -> str:
        caps = self.caps
        in_cell, cell_images = sum(cell.rich.values()) + size, sum(cell.images.values()) + images
        if size > caps.one_display:
            return "one output is too large"
        if in_cell > caps.cell_displays or self._rich + in_cell > caps.total_displays:
            return "together the outputs are too large"
        if images and (cell_images > caps.cell_images or self._images + cell_images > caps.total_images):
            return "too many images"
        return ""

    def _count(self, cell: _Cell, place: int, data: Mapping[str, Any]) -> None:
        cell.rich[place] = _size(data)
        cell.images[place] = _images(data)


def _size(data: Mapping[str, Any]) -> int:
    return sum(len(value) if isinstance(value, str) else len(json.dumps(value)) for value in data.values())


def _images(data: Mapping[str, Any]) -> int:
    return int(any(kind.startswith(_IMAGE_PREFIX) for kind in data))
