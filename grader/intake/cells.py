"""Convert submitted cells to the standard form: readable cells are kept whatever is wrong with the others.

A cell that cannot be read becomes an empty raw cell, so that the numbers of all cells stay the same. Each such cell is
an *oddity*: a mapping with `cell` (its index), `kind` and `detail`, stored in `metadata.grader.oddities`.
"""

import ast
import hashlib
import re
from collections.abc import Mapping
from typing import Any, Literal

from grader.schema.base import Json
from grader.schema.message import Message, say
from grader.schema.submission import STORED_ERROR

__all__ = ["OddityKind", "add_oddity", "as_cells", "joined", "oddity_messages", "standard_cells"]

OddityKind = Literal["type", "cell", "source", "tag"]
_Oddity = dict[str, Json]

_IPYTHON_LINE = re.compile(r"^([ \t]*)[%!].*$", re.MULTILINE)
_CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_KINDS = {
    "code": "code",
    "markdown": "markdown",
    "raw": "raw",
    "heading": "markdown",  # format 3; some tools carry it over into format 4
    "text": "markdown",  # format 1
    "md": "markdown",
}
"""Type of a cell in lower case → its type in the standard form."""
_CODE_KEYS = {"outputs", "execution_count", "input", "prompt_number"}
"""Keys that only code cells have."""
_MOST_ODDITIES = 20
_LONGEST_ERROR = 300


def standard_cells(cells: list[Json]) -> tuple[list[dict[str, Any]], list[_Oddity]]:
    """Convert cells to the standard form.

    Args:
        cells: The cells of a notebook of format 4, possibly damaged.

    Returns:
        The cells, and their oddities.
    """
    used_ids: set[str] = set()
    oddities: list[_Oddity] = []
    normal = [_cell(cell, index, used_ids, oddities) for index, cell in enumerate(cells)]
    return normal, oddities[:_MOST_ODDITIES]


def oddity_messages(notebook: Mapping[str, Any]) -> tuple[Message, ...]:
    """Describe the cells of a notebook that could not be read.

    Args:
        notebook: A notebook in the standard form.
    """
    grader = notebook["metadata"].get("grader", {})
    return tuple(_message(oddity["cell"], oddity["kind"], oddity["detail"]) for oddity in grader.get("oddities", ()))


def add_oddity(notebook: Mapping[str, Any], cell: int, kind: OddityKind, detail: str = "") -> None:
    """Add an oddity to a notebook in the standard form.

    Args:
        notebook: The notebook.
        cell: Index of the cell.
        kind: Kind of oddity.
        detail: The type or the tag.
    """
    oddities = notebook["metadata"].setdefault("grader", {}).setdefault("oddities", [])
    oddities.append({"cell": cell, "kind": kind, "detail": detail})


def _message(cell: int, kind: OddityKind, detail: str) -> Message:
    match kind:
        case "type":
            return say("{cell:cell} has the unknown type {type:raw}, so it was not run", cell=cell, type=detail)
        case "cell":
            return say("the entry at {cell:cell} is not a cell, so it was left out", cell=cell)
        case "source":
            return say("parts of {cell:cell} are not text, so they were left out", cell=cell)
        case "tag":
            return say(
                "the tag {tag:code} of {cell:cell} was ignored, because the assignment does not have it",
                tag=detail,
                cell=cell,
            )


def as_cells(value: Json) -> list[Json]:
    """Return a list, or an empty list for anything else."""
    return value if isinstance(value, list) else []


def joined(value: Json) -> str | None:
    """Join a string or a list of strings to one string; return None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return None


def _cell(cell: Json, index: int, used_ids: set[str], oddities: list[_Oddity]) -> dict[str, Any]:
    """Convert one cell; add its id to `used_ids`, and what is wrong with it to `oddities`."""

    def note(kind: OddityKind, detail: str = "") -> None:
        oddities.append({"cell": index, "kind": kind, "detail": detail})

    if not isinstance(cell, Mapping):
        note("cell")
        cell = {"cell_type": "raw"}
    kind = _kind(cell)
    source, is_text = _source(cell)
    language = _language(cell)
    if kind is None:
        note("type", ascii(cell.get("cell_type"))[:100])
    elif kind == "code" and language and not _is_python(source):
        kind = None
        note("type", ascii(language)[:100])
    if not is_text:
        note("source")
    metadata = cell.get("metadata")
    result: dict[str, Any] = {
        "id": _cell_id(cell, index, used_ids),
        "cell_type": kind or "raw",
        "metadata": _cell_metadata(metadata) if isinstance(metadata, Mapping) else {},
        "source": source,
    }
    if kind == "code":
        count = cell.get("execution_count", cell.get("prompt_number"))
        plain = isinstance(count, int) and not isinstance(count, bool) and count >= 0
        result |= {"outputs": [], "execution_count": count if plain else None}
        stored = _error_text(cell.get("outputs"))
        if stored:
            result["metadata"][STORED_ERROR] = stored
    elif isinstance(cell.get("attachments"), Mapping):
        result["attachments"] = _attachments(cell["attachments"])
    return result


def _kind(cell: Mapping[str, Json]) -> str | None:
    """Return a cell's type in the standard form; None if it is unknown."""
    kind = cell.get("cell_type")
    if kind is None:
        return "code" if _CODE_KEYS & cell.keys() else "markdown"
    return _KINDS.get(kind.strip().lower()) if isinstance(kind, str) else None


def _language(cell: Mapping[str, Json]) -> str:
    """Return the language that VS Code notes for a cell that differs from its notebook; empty for Python."""
    metadata = cell.get("metadata")
    editor = metadata.get("vscode") if isinstance(metadata, Mapping) else None
    language = editor.get("languageId") if isinstance(editor, Mapping) else None
    return language if isinstance(language, str) and language != "python" else ""


def _is_python(source: str) -> bool:
    """Whether code is Python, without the lines that only IPython understands."""
    try:
        ast.parse(_IPYTHON_LINE.sub(r"\1pass", source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _source(cell: Mapping[str, Json]) -> tuple[str, bool]:
    """Return the text of a cell, and whether nothing was left out."""
    source = cell.get("source", cell.get("input"))
    if source is None:
        return "", True
    text = joined(source)
    if text is not None:
        return text, True
    return "".join(line for line in as_cells(source) if isinstance(line, str)), False


def _error_text(outputs: Json) -> str:
    """Return class and message of the first error among a cell's outputs; empty if there is none."""
    for output in as_cells(outputs):
        if isinstance(output, Mapping) and output.get("output_type") in ("error", "pyerr"):  # may not be hashable
            return f"{output.get('ename')}: {output.get('evalue')}"[:_LONGEST_ERROR]
    return ""


def _cell_metadata(metadata: Mapping[str, Json]) -> dict[str, Json]:
    """Return a cell's metadata without standard keys whose value has the wrong type."""
    kinds: dict[str, type | tuple[type, ...]] = {
        "collapsed": bool,
        "scrolled": bool,
        "deletable": bool,
        "editable": bool,
        "name": str,
        "format": str,
        "tags": list,
        "jupyter": dict,
        "execution": dict,
    }
    result = {key: value for key, value in metadata.items() if key not in kinds or isinstance(value, kinds[key])}
    if "tags" in result:
        result["tags"] = list(dict.fromkeys(tag for tag in result["tags"] if isinstance(tag, str) and "," not in tag))
    if result.get("name") == "":
        del result["name"]
    for key in ("jupyter", "execution", STORED_ERROR):
        result.pop(key, None)  # the editor's folding state and timings, and the key that is set here
    return result


def _attachments(attachments: Mapping[str, Json]) -> dict[str, Json]:
    """Return the well-formed pictures pasted into a text cell."""
    return {
        file: {kind: joined(data) for kind, data in bundle.items()}
        for file, bundle in attachments.items()
        if isinstance(bundle, Mapping) and all(joined(data) is not None for data in bundle.values())
    }


def _cell_id(cell: Mapping[str, Json], index: int, used_ids: set[str]) -> str:
    """Return a cell's id if it is valid and unique; else make one that is the same on every reading."""
    cell_id = cell.get("id")
    if not (isinstance(cell_id, str) and _CELL_ID.fullmatch(cell_id)):
        cell_id = f"cell-{index + 1}"
    while cell_id in used_ids:
        cell_id = f"{cell_id[:40]}-{hashlib.sha256(f'{cell_id}/{index}'.encode()).hexdigest()[:8]}"
    used_ids.add(cell_id)
    return cell_id
