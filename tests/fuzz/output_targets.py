"""Readers of messages of a kernel, and of markup and pictures in outputs."""

import base64
import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellExecutionComplete
from PIL import Image

from grader.execution.client import CellClient
from grader.execution.outputs import OutputKeeper
from grader.execution.terminal import collapse
from grader.report.images import ImageBudget, verified_picture
from grader.report.sanitise import Pictures, safe_html, safe_markdown
from grader.report.text import settled, terminal
from grader.schema.rubric import OutputSettings
from tests.fuzz import seeds
from tests.fuzz.target import target

_PLOT = {"image/png": "aGVsbG8=", "text/plain": "<Figure>", "application/vnd.x+json": {"a": [1, None]}}
_MESSAGES: tuple[dict[str, Any], ...] = (
    {"msg_type": "status", "content": {"execution_state": "busy"}},
    {"msg_type": "stream", "content": {"name": "stdout", "text": "Epoch 1/2\r\x1b[2K10/10 \x08\x08done\n"}},
    {"msg_type": "stream", "content": {"name": "stderr", "text": "I0000 00:00:17.1 x.cc:1] log\nwarning\n"}},
    {"msg_type": "display_data", "content": {"data": _PLOT, "metadata": {}, "transient": {"display_id": "d1"}}},
    {"msg_type": "update_display_data", "content": {"data": _PLOT, "metadata": {}, "transient": {"display_id": "d1"}}},
    {
        "msg_type": "execute_result",
        "content": {"data": {"text/html": ["<b>", "x"]}, "metadata": {}, "execution_count": 1},
    },
    {"msg_type": "clear_output", "content": {"wait": True}},
    {"msg_type": "error", "content": {"ename": "E", "evalue": "v", "traceback": ["\x1b[31mT\x1b[0m", "x"]}},
    {"msg_type": "execute_reply", "content": {"status": "ok", "execution_count": 1, "payload": []}},
    {"msg_type": "comm_open", "content": {"comm_id": "x", "target_name": "y", "data": {}}},
    {"msg_type": "status", "content": {"execution_state": "idle"}},
)


@target(
    "messages",
    "messages of the kernel, after ZeroMQ and JSON",
    form="jsonl",
    seeds=lambda: [b"\n".join(json.dumps(message).encode() for message in _MESSAGES)],
    covers=["grader.execution.client", "grader.execution.outputs", "grader.execution.terminal"],
)
def _messages(document: bytes, own: Path) -> None:
    del own
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x"), nbformat.v4.new_code_cell("y")])
    caps = OutputSettings()
    keeper = OutputKeeper(caps)
    client = CellClient(notebook, AsyncKernelManager(), keeper, 1.0)
    for number, line in enumerate(document.split(b"\n")[:500]):
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if not isinstance(message, dict):
            continue
        index = 1 if number > 20 else 0
        try:
            client.process_message(message, notebook.cells[index], index)
        except CellExecutionComplete:
            continue
    keeper.finish()
    nbformat.validate(notebook)
    text = nbformat.writes(notebook)
    assert len(text.encode()) < 8 * (caps.total_text + caps.total_displays)


@target(
    "printed text",
    "text that a cell prints, with the signs of a terminal",
    form="text",
    seeds=lambda: [
        b"10/10 \x1b[1m\xe2\x94\x81\xe2\x94\x81\x1b[0m\r\x1b[2K\x1b[31mred\x1b[0m\x08\x08\n",
        *seeds.sources()[:4],
    ],
    covers=["grader.execution.terminal", "grader.report.text"],
)
def _printed(document: bytes, own: Path) -> None:
    del own
    text = document.decode("utf-8", "replace")
    shown = collapse(text, 10_000)
    assert not {*map(chr, range(32))} - {"\n", "\t"} & {*shown}
    settled(text[:20_000])
    assert "<script" not in terminal(text[:20_000]).lower()


_HTML = (
    b"<h1 id=a>x</h1><table border=1><tr><td style='color:red'>1</td></tr></table><img src='data:image/png;base64,AA'>",
    b"<svg viewBox='0 0 1 1'><path d='M0 0'/></svg><style>*{x:y}</style><script>x</script><a href='javascript:x'>y</a>",
    b"<details><summary>x</summary><p>y</p></details><math><mi>x</mi></math><iframe srcdoc=x></iframe><form action=x>",
)


@target(
    "HTML",
    "HTML in outputs and in texts of cells",
    form="text",
    seeds=lambda: [*_HTML],
    covers=["grader.report.sanitise"],
)
def _html(document: bytes, own: Path) -> None:
    del own
    _harmless(str(safe_html(document.decode("utf-8", "replace"), Pictures(ImageBudget()))))


@target(
    "Markdown",
    "Markdown in texts of cells",
    form="text",
    seeds=lambda: [*seeds.texts_of_files("docs/*.md"), *_HTML],
    covers=["grader.report.sanitise"],
)
def _markdown(document: bytes, own: Path) -> None:
    del own
    _harmless(str(safe_markdown(document.decode("utf-8", "replace"), Pictures(ImageBudget(), {"a.png": "AA"}))))


def _harmless(markup: str) -> None:
    lowered = markup.lower()
    for word in ("<script", "<iframe", "<object", "<embed", "<form", "<style", "<link", "<meta", "<base", " onerror="):
        assert word not in _tags(lowered), word


def _tags(markup: str) -> str:
    """Return the tags of sanitized markup, in which `<` occurs nowhere else."""
    return " ".join(f"<{part.partition('>')[0]}" for part in markup.split("<")[1:])


def _pictures() -> Sequence[bytes]:
    made = []
    for kind in ("PNG", "JPEG"):
        stream = BytesIO()
        Image.new("RGB", (8, 6), (200, 10, 90)).save(stream, format=kind)
        made.append(stream.getvalue())
    return made


@target(
    "pictures",
    "PNG and JPEG pictures in outputs and attachments",
    form="bytes",
    seeds=_pictures,
    covers=["grader.report.images"],
)
def _picture(document: bytes, own: Path) -> None:
    del own
    verified_picture(base64.b64encode(document).decode(), ImageBudget())
