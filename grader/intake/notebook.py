"""Convert a submitted notebook to one standard form: valid nbformat 4.5 without stored outputs, in bounded memory.

Outputs make up most of a large notebook, and the grader produces its own. They are cut out of the file's bytes before
anything is parsed, so a notebook of 100 MB costs little more than its code. Stored outputs may show which Keras version
wrote them; these signs are recorded in `metadata.grader.output_signs`.
"""

import copy
import hashlib
import json
import logging
import mmap
import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.validator import NotebookValidationError

from grader.facts.language import english
from grader.facts.refusal import refusal
from grader.schema.base import Json
from grader.schema.errors import HarnessError, NotebookError, UnreadableError
from grader.schema.message import say

__all__ = [
    "LARGEST_FILE",
    "LARGEST_REST",
    "OUTPUT_SIGNS",
    "Skeleton",
    "code_size",
    "foreign_language",
    "normalise",
    "parse_notebook",
    "read_notebook",
    "read_skeleton",
    "refuse_another",
]

LARGEST_FILE = 200 << 20
"""Maximum size in bytes of a notebook file."""
LARGEST_REST = 32 << 20
"""Maximum size in bytes of a notebook without its outputs."""

OUTPUT_SIGNS: Mapping[str, re.Pattern[bytes]] = {
    "history-tensorflow-python": re.compile(rb"<tensorflow\.python\.keras\.callbacks\.History"),
    "history-keras2": re.compile(rb"<(?:keras\.(?:src\.)?|tf_keras\.src\.)callbacks\.History"),
    "history-keras3": re.compile(rb"<keras\.src\.callbacks\.history\.History"),
    "backend-banner": re.compile(rb"Using (?:TensorFlow|Theano) backend"),
    "table-keras2": re.compile(rb"\(None, [\d, ]+\)\]? {2,}\d+ "),
    "table-keras3": re.compile(rb"(?:\xe2\x94\x83|\\u2503)(?:\\u001b\[\d+m| )*Layer \(type\)"),
    "bar-keras2": re.compile(rb"\d+/\d+ \[=+>?\.*\] - "),
    "bar-keras3": re.compile(rb"\d+/\d+(?:\\u001b\[0m)? (?:\\u001b\[\d+m)?(?:\xe2\x94\x81|\\u2501){8}"),
}
"""Patterns in the bytes of stored outputs that show which Keras version wrote them."""

_SIGN_WINDOW = 256 << 10
"""Bytes of each cell's outputs to search for signs; pictures take megabytes and contain no signs."""
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}\[\]]', re.DOTALL)
_COLON = re.compile(rb"\s*:\s*")
_CUTS = {
    (3, b'"outputs"'): b"[",
    (5, b'"outputs"'): b"[",  # format 3 keeps cells one level deeper
    (2, b'"widgets"'): b"{",  # the state of widgets, often megabytes
}
"""(depth, key) → the opening bracket of the value to cut out."""
_FORGET_EVERY = 32 << 20
_CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_LONE_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_KERNEL_LANGUAGES = {
    "ir": "R",
    "xr": "R",
    "julia": "Julia",
    "octave": "Octave",
    "matlab": "MATLAB",
    "scala": "Scala",
    "almond": "Scala",
    "xcpp": "C++",
    "javascript": "JavaScript",
    "deno": "JavaScript",
    "bash": "Bash",
    "java": "Java",
    "ruby": "Ruby",
    "rust": "Rust",
    "evcxr": "Rust",
    "gophernotes": "Go",
    "sas": "SAS",
    "stata": "Stata",
    "ihaskell": "Haskell",
}
_LANGUAGE_NAMES = {"r": "R", "julia": "Julia", "c++": "C++", "javascript": "JavaScript"} | {
    language.lower(): language for language in _KERNEL_LANGUAGES.values()
}
_INVALID = (NotebookValidationError, nbformat.ValidationError)
_KERNELSPEC = {"name": "python3", "display_name": "Python 3", "language": "python"}
_SAVE_AGAIN = say("open it in Jupyter, choose Kernel, Restart and run all, save it, and submit the saved file")


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A notebook's bytes without its outputs, and the signs found in the outputs."""

    content: bytes
    signs: tuple[str, ...]
    """Keys of `OUTPUT_SIGNS`, sorted."""


def read_notebook(path: Path, *, sha256: str = "") -> NotebookNode:
    """Read a notebook for execution.

    Args:
        path: The submitted file.
        sha256: Hash of the file when it was found; an empty string accepts any content.

    Returns:
        A valid notebook of format 4.5. Every cell has a unique id and its source as one string. Outputs are empty,
        execution counts are the submitted ones, and the kernel is Python 3. `metadata.grader` holds `output_signs`
        (keys of `OUTPUT_SIGNS`) and `kernel` (the kernel's name as submitted).

    Raises:
        NotebookError: The notebook cannot be executed. The error gives the reason, the place and advice.
        HarnessError: The file cannot be read now, or it changed since it was found.
    """
    try:
        skeleton = read_skeleton(path, sha256=sha256)
        return normalise(parse_notebook(skeleton.content, path.name), signs=skeleton.signs, name=path.name)
    except RecursionError:
        # Drop the cause: a traceback of a thousand frames helps nobody.
        raise refusal(say("the file is nested too deeply to be a notebook"), where=path.name) from None


# --- bytes ---------------------------------------------------------------------------------------------------


def read_skeleton(path: Path, *, sha256: str = "") -> Skeleton:
    """Read a notebook's bytes without its outputs.

    Args:
        path: The file.
        sha256: As for `read_notebook`.

    Raises:
        NotebookError: The file is empty, too large, or holds a merge conflict.
        UnreadableError: The file is missing or cannot be read.
        HarnessError: The file changed since it was found.
    """
    try:
        with path.open("rb") as file:
            try:
                return _read(file, path.name)
            finally:
                # Also check a refused notebook: a half-replaced file is not the student's mistake.
                refuse_another(file, sha256, path)
    except OSError as error:
        msg = f"the file cannot be read ({error.strerror or error})"
        raise UnreadableError(msg, where=path.name) from error


def _read(file: BufferedReader, name: str) -> Skeleton:
    size = os.fstat(file.fileno()).st_size
    if size > LARGEST_FILE:
        msg = say(
            "the notebook has a size of {size:size}, more than the limit of {limit:size}", size=size, limit=LARGEST_FILE
        )
        raise refusal(msg, where=name, advice=say("clear its outputs, save it and submit it again"))
    if size == 0:
        msg = say("the file is empty (0 bytes)")
        raise refusal(msg, where=name, advice=say("the upload may have failed; submit the file again"))
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return _strip(content, name)


def refuse_another(file: BufferedReader, sha256: str, path: Path) -> None:
    """Make sure that a notebook has not changed since it was found.

    Args:
        file: The open notebook file.
        sha256: As for `read_notebook`.
        path: Its path, for messages.

    Raises:
        HarnessError: The file changed.
    """
    file.seek(0)
    if sha256 and hashlib.file_digest(file, "sha256").hexdigest() != sha256:
        msg = "the notebook changed while the class was graded"
        raise HarnessError(msg, where=path.name, advice="run the same command again to grade the new file")


def _strip(content: mmap.mmap, name: str) -> Skeleton:
    if content[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return _skeleton(_from_utf16(content[:], name), name, lambda: None)
    # Pages of a file can be read again, so the kernel may drop them from memory.
    return _skeleton(content, name, lambda: content.madvise(mmap.MADV_DONTNEED))


def _skeleton(content: mmap.mmap | bytes, name: str, forget: Callable[[], None]) -> Skeleton:
    _refuse_conflict(content, name)
    pieces: list[bytes] = []
    signs: set[str] = set()
    position = 0
    for start, stop, empty in _cuts(content, forget):
        pieces += [content[position:start], empty]
        position = stop
        signs |= _signs(content, start, min(stop, start + _SIGN_WINDOW))
    remaining_size = len(content) - position + sum(map(len, pieces))
    if remaining_size > LARGEST_REST:
        msg = say("the notebook has a size of {size:size} even without its outputs", size=remaining_size)
        raise refusal(msg, where=name, advice=say("remove data and pictures from its cells and submit it again"))
    pieces.append(content[position:])
    return Skeleton(content=b"".join(pieces), signs=tuple(sorted(signs)))


def _from_utf16(raw: bytes, name: str) -> bytes:
    """Convert a UTF-16 file, as Windows editors save it, to UTF-8, if it is small enough."""
    if len(raw) > LARGEST_REST:
        msg = say("the notebook is saved as UTF-16 and too large to be converted")
        raise refusal(msg, where=name, advice=_SAVE_AGAIN)
    return raw.decode("utf-16", errors="replace").encode("utf-8", errors="replace")


def _signs(content: mmap.mmap | bytes, start: int, stop: int) -> set[str]:
    return {sign for sign, pattern in OUTPUT_SIGNS.items() if pattern.search(content, start, stop)}


def _refuse_conflict(content: mmap.mmap | bytes, name: str) -> None:
    """Refuse a file with merge conflict markers; they start a line, where valid JSON never has them."""
    position = 0 if content[:7] == b"<<<<<<<" else content.find(b"\n<<<<<<<") + 1
    if content[position : position + 7] == b"<<<<<<<":
        line = content[:position].count(b"\n") + 1
        msg = say("the file has an unresolved merge conflict (`<<<<<<<` in line {line:raw})", line=line)
        advice = say("resolve the conflict with your version control; then {save_again}", save_again=_SAVE_AGAIN)
        raise refusal(msg, where=name, advice=advice)


def _cuts(content: mmap.mmap | bytes, forget: Callable[[], None]) -> Iterator[tuple[int, int, bytes]]:
    """Find the values to cut out, looking only at brackets and strings.

    Args:
        content: The notebook's bytes.
        forget: Callback to release memory; called from time to time, when the bytes read so far are no longer needed.

    Yields:
        Start and end of a value, and the empty value that replaces it.
    """
    depth, start, floor, forgotten, opening = 0, -1, 0, 0, b""
    for match in _TOKEN.finditer(content):
        token = content[match.start()]
        if token in b"{[":
            depth += 1
        elif token in b"}]":
            depth -= 1
            if start >= 0 and depth == floor:
                yield start, match.end(), b"[]" if opening == b"[" else b"{}"
                start = -1
        elif start < 0 and match.end() - match.start() <= len(b'"outputs"'):
            opening = _CUTS.get((depth, match.group()), b"")
            colon = _COLON.match(content, match.end()) if opening else None
            if colon and content[colon.end() : colon.end() + 1] == opening:
                start, floor = colon.end(), depth
        if match.end() - forgotten > _FORGET_EVERY:
            forgotten = match.end()
            forget()


# --- JSON ----------------------------------------------------------------------------------------------------


def parse_notebook(content: bytes, name: str) -> dict[str, Json]:
    """Parse a notebook's bytes into format 4, whatever older format they are in.

    If a key occurs twice in one object, the last one counts, as in Jupyter.

    Args:
        content: JSON in UTF-8, or in an old Windows encoding.
        name: The file's name, for messages.

    Raises:
        NotebookError: The file is not JSON, not a notebook, or of an unknown format.
        RecursionError: The file is nested too deeply.
    """
    text = _decode(content)
    try:
        parsed = json.loads(text)
    except RecursionError:
        raise
    except ValueError as error:
        raise _not_json(text, error, name) from error
    if _LONE_SURROGATE.search(text):
        parsed = _without_surrogates(parsed)
    if not isinstance(parsed, dict) or not ({"cells", "worksheets"} & parsed.keys()) or "nbformat" not in parsed:
        msg = say("the file is JSON, but not a notebook")
        advice = say("submit the .ipynb file itself; {save_again}", save_again=_SAVE_AGAIN)
        raise refusal(msg, where=name, advice=advice)
    return _to_format_4(parsed, name)


def _decode(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        # An editor on Windows saved it. latin-1 maps every byte; cp1252 leaves some undefined.
        try:
            return content.decode("cp1252")
        except UnicodeDecodeError:
            return content.decode("latin-1")


def _not_json(text: str, error: ValueError, name: str) -> NotebookError:
    """Build the error for a file that is not JSON, naming its actual kind if it can be recognized."""
    head = text[:2000].lstrip().lower()
    kinds = (
        (head.startswith(("<!doctype", "<html")), say("the file is a web page saved from the browser, not a notebook")),
        (text.startswith("PK\x03\x04"), say("the file is a renamed zip or office document, not a notebook")),
        (text.startswith("%PDF"), say("the file is a PDF, not a notebook")),
        (head.startswith("version https://git-lfs"), say("the file is a pointer of Git LFS, not the notebook itself")),
        (head.startswith(("import ", "from ", "#", '"""', "%")), say("the file is a Python script, not a notebook")),
        (not head, say("the file is blank, not a notebook")),
    )
    kind_of_file = next((kind for is_it, kind in kinds if is_it), None)
    if kind_of_file is not None:
        return refusal(kind_of_file, where=name, advice=_SAVE_AGAIN)
    if not isinstance(error, json.JSONDecodeError):
        return refusal(say("the file is not JSON"), where=name, advice=_SAVE_AGAIN)
    # Leave out the error's line number: it is counted without the outputs and would mislead.
    if error.pos >= len(text.rstrip()) - 1 or error.msg.startswith("Unterminated string"):
        msg = say("the file is incomplete: it was not fully saved or uploaded ({error})", error=error.msg)
    else:
        msg = say("the file is not JSON ({error})", error=error.msg)
    return refusal(msg, where=name, advice=_SAVE_AGAIN)


def _without_surrogates(value: Json) -> Json:
    """Replace lone surrogates, which cannot be written to a file."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value


def _to_format_4(parsed: dict[str, Json], name: str) -> dict[str, Json]:
    major = parsed["nbformat"]
    if major == nbformat.current_nbformat and "cells" in parsed:
        return parsed
    if not isinstance(major, int) or isinstance(major, bool) or not 1 <= major <= nbformat.current_nbformat:
        msg = say("the notebook's format {format:raw} is unknown", format=ascii(major)[:40])
        advice = say("save it with a current version of Jupyter and submit it again")
        raise refusal(msg, where=name, advice=advice)
    try:
        with _quiet():
            upgraded = nbformat.convert(nbformat.from_dict(_complete_format_3(parsed)), nbformat.current_nbformat)
    except (KeyError, AttributeError, TypeError, ValueError, IndexError, *_INVALID) as error:
        msg = say(
            "the notebook has format {format:raw} and cannot be converted to format 4 ({error})",
            format=major,
            error=str(error),
        )
        raise refusal(msg, where=name, advice=_SAVE_AGAIN) from error
    return dict(upgraded)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence nbformat's warnings and log messages about old notebooks."""
    log = logging.getLogger("traitlets")
    disabled, log.disabled = log.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.disabled = disabled


def _complete_format_3(parsed: dict[str, Json]) -> dict[str, Json]:
    """Add the fields that nbformat's converters require and hand-made files lack."""
    filled = copy.deepcopy(parsed)
    filled.setdefault("metadata", {})
    for sheet in filled.get("worksheets") or ():
        for cell in sheet.get("cells") or ():
            cell.setdefault("metadata", {})
            for key in {"source", "input"} & cell.keys():
                cell[key] = _joined(cell[key])
            if cell.get("cell_type") == "code":
                cell.setdefault("outputs", [])
                cell.setdefault("input", "")
                cell.setdefault("language", "python")
                cell.setdefault("prompt_number", None)
                cell.setdefault("collapsed", False)
    return filled


# --- the standard form ---------------------------------------------------------------------------------------


def normalise(parsed: Mapping[str, Json], *, signs: tuple[str, ...] = (), name: str = "") -> NotebookNode:
    """Convert a notebook of format 4 to the form that is executed.

    Args:
        parsed: A notebook of format 4, of any minor version, possibly damaged.
        signs: Keys of `OUTPUT_SIGNS` found in its outputs.
        name: The file's name, for messages.

    Returns:
        A valid notebook of format 4.5, as described in `read_notebook`.

    Raises:
        NotebookError: A cell is malformed, there is no code, or the code is in another language.
    """
    metadata = parsed.get("metadata")
    metadata = dict(metadata) if isinstance(metadata, Mapping) else {}
    language = foreign_language(metadata)
    if language:
        msg = say("the notebook is written in {language}, but this assignment requires Python", language=language)
        advice = say("choose a Python 3 kernel, write the code in Python, save and submit")
        raise refusal(msg, where=name, advice=advice)
    cells = parsed.get("cells")
    if not isinstance(cells, list) or not cells:
        raise refusal(say("the notebook has no cells"), where=name, advice=_ADVICE_EMPTY)
    used_ids: set[str] = set()
    normal = [_cell(cell, index, used_ids) for index, cell in enumerate(cells)]
    if not any(cell["cell_type"] == "code" and cell["source"].strip() for cell in normal):
        msg = say("the notebook has no code: every code cell is empty")
        raise refusal(msg, where=name, advice=_ADVICE_EMPTY)
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": _metadata(metadata, signs), "cells": normal}
    node = nbformat.from_dict(notebook)
    try:
        nbformat.validate(node)
    except _INVALID as error:
        msg = say("the notebook is damaged ({error})", error=str(error).splitlines()[0])
        raise refusal(msg, where=name, advice=_SAVE_AGAIN) from error
    return node


_ADVICE_EMPTY = say("an empty or template file may have been submitted by mistake; submit the notebook with your work")


def _metadata(metadata: Mapping[str, Json], signs: tuple[str, ...]) -> dict[str, Json]:
    spec = metadata.get("kernelspec")
    kernel = spec.get("name") if isinstance(spec, Mapping) else None
    result = {key: value for key, value in metadata.items() if key not in {"kernelspec", "language_info", "widgets"}}
    info = metadata.get("language_info")
    if isinstance(info, Mapping):
        result["language_info"] = {**info, "name": "python"}
    result["kernelspec"] = dict(_KERNELSPEC)
    result["grader"] = {"output_signs": list(signs), "kernel": kernel if isinstance(kernel, str) else None}
    for key in ("title", "authors", "orig_nbformat", "signature"):
        result.pop(key, None)  # constrained by the format, not needed here, and often malformed
    return result


def foreign_language(metadata: Mapping[str, Json]) -> str | None:
    """Return the language of a notebook that is not written in Python.

    Args:
        metadata: The notebook's metadata.

    Returns:
        The language's name, or None for Python or if the metadata names no language.
    """
    spec = metadata.get("kernelspec")
    info = metadata.get("language_info")
    spec = spec if isinstance(spec, Mapping) else {}
    info = info if isinstance(info, Mapping) else {}
    languages = [str(value).strip().lower() for value in (spec.get("language"), info.get("name")) if value]
    if any("python" in language for language in languages):
        return None
    if languages:
        return _LANGUAGE_NAMES.get(languages[0], languages[0].capitalize())
    match = re.match(r"([a-z+]+)", str(spec.get("name") or "").lower())
    return _KERNEL_LANGUAGES.get(match.group(1)) if match else None


def _cell(cell: Json, index: int, used_ids: set[str]) -> dict[str, Json]:
    """Convert one cell to the standard form and add its id to `used_ids`."""
    where = english(say("{cell:cell}", cell=index))
    if not isinstance(cell, Mapping):
        msg = say("the list of cells contains something else than a cell")
        raise refusal(msg, where=where, advice=_SAVE_AGAIN)
    kind = cell.get("cell_type")
    if kind == "heading":  # format 3; some tools carry it over into format 4
        kind = "markdown"
    if kind not in ("code", "markdown", "raw"):  # a tuple, since the value may not be hashable
        msg = say("a cell has the unknown type {type:raw}", type=ascii(kind)[:100])
        raise refusal(msg, where=where, advice=_SAVE_AGAIN)
    metadata = cell.get("metadata")
    result: dict[str, Json] = {
        "id": _cell_id(cell, index, used_ids),
        "cell_type": kind,
        "metadata": _cell_metadata(metadata) if isinstance(metadata, Mapping) else {},
        "source": _source(cell.get("source", cell.get("input", "")), where),
    }
    if kind == "code":
        count = cell.get("execution_count")
        plain = isinstance(count, int) and not isinstance(count, bool) and count >= 0
        result |= {"outputs": [], "execution_count": count if plain else None}
    elif isinstance(cell.get("attachments"), Mapping):
        result["attachments"] = _attachments(cell["attachments"])
    return result


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
    for key in ("jupyter", "execution"):
        result.pop(key, None)  # the editor's folding state and timings
    return result


def _attachments(attachments: Mapping[str, Json]) -> dict[str, Json]:
    """Return the well-formed pictures pasted into a text cell."""
    return {
        file: {kind: _joined(data) for kind, data in bundle.items()}
        for file, bundle in attachments.items()
        if isinstance(bundle, Mapping) and all(_joined(data) is not None for data in bundle.values())
    }


def _joined(value: Json) -> str | None:
    """Join a string or a list of strings to one string; return None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return None


def _source(source: Json, where: str) -> str:
    text = "" if source is None else _joined(source)
    if text is None:
        raise refusal(say("a cell's source is not text"), where=where, advice=_SAVE_AGAIN)
    return text


def _cell_id(cell: Mapping[str, Json], index: int, used_ids: set[str]) -> str:
    """Return a cell's id if it is valid and unique; else make one that is the same on every reading."""
    cell_id = cell.get("id")
    if not (isinstance(cell_id, str) and _CELL_ID.fullmatch(cell_id)):
        cell_id = f"cell-{index + 1}"
    while cell_id in used_ids:
        cell_id = f"{cell_id[:40]}-{hashlib.sha256(f'{cell_id}/{index}'.encode()).hexdigest()[:8]}"
    used_ids.add(cell_id)
    return cell_id


def code_size(path: Path) -> int:
    """Return how many characters of code a notebook contains, or 0 if it is not a valid notebook.

    Raises:
        UnreadableError: The file cannot be read now, so its content is unknown.
    """
    try:
        notebook: Any = parse_notebook(read_skeleton(path).content, path.name)
        cells = notebook.get("cells") or ()
        return sum(
            len((_joined(cell.get("source")) or "").strip())
            for cell in cells
            if isinstance(cell, Mapping) and cell.get("cell_type") == "code"
        )
    except (NotebookError, RecursionError):
        return 0
