"""What is kept of a notebook's outputs, decided as they arrive: nothing may grow without bound."""

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

from nbformat.v4 import new_output

from grader.execution.terminal import Screen
from grader.schema.rubric import OutputSettings

__all__ = ["OutputKeeper", "clean_text", "displayed"]

_IMAGE_PREFIX = "image/"
_TRACEBACK_HALF = 30
_MOST_FORMS = 20
"""Forms (MIME types) of one display."""
_MIME_LENGTH = 100
_DEPTH = 16
"""Of JSON in a display or its metadata; nothing that people make is deeper."""
_METADATA_BYTES = 10_000
_START_UP = re.compile(
    r"^(?:WARNING: All log messages before absl::InitializeLog\(\) [^\n]*|I\d{4} \d\d:\d\d:\d+\.\d+ [^\n]*)\n",
    re.MULTILINE,
)
"""What TensorFlow's libraries say of themselves while they are loaded: nothing that the student wrote or can mend."""
_NOTE = "[Some outputs of this cell were left out by the grader: {reasons}.]\n"


def clean_text(text: str) -> str:
    """Replace halves of characters (lone surrogates), which no file can hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def displayed(kind: str, content: Mapping[str, Any]) -> Any:
    """Make an output of a message, whatever the kernel put into it.

    Args:
        kind: `display_data` or `execute_result`.
        content: The message's content: a claim.

    Returns:
        An output of which nothing is but what the notebook format allows.

    Raises:
        AttributeError: Its data is no mapping.
    """
    parts = {"data": _forms(content["data"]), "metadata": _metadata(content.get("metadata"))}
    if kind == "display_data":
        return new_output(kind, **parts)
    count = content.get("execution_count")
    whole = isinstance(count, int) and not isinstance(count, bool) and 0 <= count < 1 << 31
    return new_output(kind, **parts, execution_count=count if whole else None)


def _forms(data: Mapping[str, Any]) -> dict[str, Any]:
    """The forms of a display: texts, and JSON where the form is JSON."""
    found: dict[str, Any] = {}
    for form, value in list(data.items())[:_MOST_FORMS]:
        name = clean_text(str(form))
        if len(name) > _MIME_LENGTH:
            continue
        if isinstance(value, list) and all(isinstance(line, str) for line in value):
            value = "".join(value)  # noqa: PLW2901 — lines of text
        if isinstance(value, str):
            found[name] = clean_text(value)
        elif name == "application/json" or name.endswith("+json"):
            found[name] = _shallow(value)
    return found


def _metadata(value: Any) -> dict[str, Any]:
    kept = _shallow(value)
    return kept if isinstance(kept, dict) and len(json.dumps(kept)) <= _METADATA_BYTES else {}


def _shallow(value: Any, depth: int = _DEPTH) -> Any:
    """Copy JSON; what lies deeper becomes nothing."""
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
        """Position of a display → its size."""
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
    """Applies the caps to one notebook's outputs. Its caller is the notebook client, message by message."""

    def __init__(self, caps: OutputSettings | None = None) -> None:
        """Begin a notebook."""
        self.caps = caps or OutputSettings()
        self._cell: _Cell | None = None
        self._text = 0
        self._rich = 0
        self._images = 0
        self._displays: dict[str, list[tuple[list[Any], int, int]]] = {}
        """Display id → (the cell's outputs, position, cell)."""

    def begin(self, index: int, outs: list[Any]) -> None:
        """A cell starts to run.

        Args:
            index: The cell's place in the notebook.
            outs: The cell's own list of outputs, which is filled in place.
        """
        self.finish()
        self._cell = _Cell(index, outs)

    def stream(self, name: Literal["stdout", "stderr"], text: str) -> None:
        """Text was printed."""
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
        """A display or a result arrived.

        Args:
            output: A `display_data` or `execute_result` output.
            display_id: Its name for later updates, if it has one.
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
        """A display that was shown before changes; one that is not known is passed over."""
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
        """The cell raised."""
        cell = self._ready()
        if len(cell.outs) > self.caps.cell_outputs:
            return
        ends = traceback[:_TRACEBACK_HALF] + traceback[max(_TRACEBACK_HALF, len(traceback) - _TRACEBACK_HALF) :]
        kept = [clean_text(line[:20_000]) for line in ends]
        said = {"ename": clean_text(name[:200]), "evalue": clean_text(message[:4_000])}
        cell.outs.append(new_output("error", **said, traceback=kept))

    def clear(self, *, wait: bool) -> None:
        """The notebook asked for an empty output area, at once or when the next output comes."""
        cell = self._ready(clears=False)
        if wait:
            cell.clear_next = True
            return
        self._forget(cell)

    def finish(self) -> None:
        """The cell ended: put the collected text into its outputs, with one note where something is missing."""
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
        for known in self._displays.values():
            known[:] = [entry for entry in known if entry[2] != cell.index]
        cell.forget()

    def _stream_place(self, cell: _Cell, name: str) -> int | None:
        """Find the output that takes more text, or begin one; None where the cell has too many."""
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
        """Leave out what goes over a cap; where everything else goes, plain text is tried by itself."""
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
            return "one is too large"
        if in_cell > caps.cell_displays or self._rich + in_cell > caps.total_displays:
            return "together they are too large"
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
