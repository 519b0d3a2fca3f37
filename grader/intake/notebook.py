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

from grader.facts.refusal import refusal
from grader.intake.cells import as_cells, joined, standard_cells
from grader.intake.languages import foreign_language
from grader.schema.base import Json
from grader.schema.errors import HarnessError, NotebookError, UnreadableError
from grader.schema.message import say

__all__ = [
    "LARGEST_FILE",
    "LARGEST_REST",
    "OUTPUT_SIGNS",
    "Skeleton",
    "code_size",
    "normalise",
    "parse_notebook",
    "read_notebook",
    "read_refused",
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

_STORED_ERROR = re.compile(rb'"name \'([^\'"\\\s]{1,80})\' is not defined"')
"""The text of a `NameError` among the stored outputs of a cell."""
_STORED_CLASS = re.compile(rb'"ename"\s*:\s*("[A-Za-z_][\w.]{0,79}")')
"""The class of an error among the stored outputs of a cell."""
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
_LONE_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
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
        (keys of `OUTPUT_SIGNS`), `oddities` (see `grader.intake.cells`) and `kernel` (the kernel's name as submitted).
        The metadata of a cell with a stored error has it as `STORED_ERROR`, with the message of a `NameError` only.

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
        pieces += [content[position:start], _stored_error(content, start, min(stop, start + _SIGN_WINDOW)) or empty]
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


def _stored_error(content: mmap.mmap | bytes, start: int, stop: int) -> bytes:
    """Shorten a cell's outputs to a stored error, with the message of a `NameError`; empty if there is none."""
    if content[start : start + 1] != b"[":
        return b""
    text = b'[{"output_type": "error", "ename": %b, "evalue": %b, "traceback": []}]'
    if match := _STORED_ERROR.search(content, start, stop):
        return text % (b'"NameError"', match.group())
    match = _STORED_CLASS.search(content, start, stop)
    return text % (match[1], b'""') if match else b""


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
    if not isinstance(parsed, dict) or not _is_notebook(parsed):
        msg = say("the file is JSON, but not a notebook")
        advice = say("submit the .ipynb file itself; {save_again}", save_again=_SAVE_AGAIN)
        raise refusal(msg, where=name, advice=advice)
    return _to_format_4(parsed, name)


def _is_notebook(parsed: Mapping[str, Json]) -> bool:
    if "nbformat" in parsed:
        return bool({"cells", "worksheets"} & parsed.keys())
    return any(isinstance(cell, Mapping) and "cell_type" in cell for cell in as_cells(parsed.get("cells")))


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
    major = parsed.get("nbformat")
    if isinstance(major, int) and not isinstance(major, bool) and 1 <= major < nbformat.current_nbformat:
        return _upgraded(parsed, major, name)
    # Later formats will keep the list of cells, and hand-made files often have a wrong number.
    if major == nbformat.current_nbformat or as_cells(parsed.get("cells")):
        return parsed
    msg = say("the notebook's format {format:raw} is unknown", format=ascii(major)[:40])
    advice = say("save it with a current version of Jupyter and submit it again")
    raise refusal(msg, where=name, advice=advice)


def _upgraded(parsed: dict[str, Json], major: int, name: str) -> dict[str, Json]:
    """Convert a notebook of format 1 to 3; if it is damaged, take the cells that can be read."""
    try:
        with _quiet():
            upgraded = nbformat.convert(nbformat.from_dict(_complete_format_3(parsed)), nbformat.current_nbformat)
    except RecursionError:
        raise
    except Exception as error:
        # nbformat's converters trust old notebooks, and a damaged one can raise anything in them.
        cells = as_cells(parsed.get("cells")) or _sheet_cells(parsed)
        if cells:
            return {**parsed, "cells": cells}
        msg = say(
            "the notebook has format {format:raw} and cannot be converted to format 4 ({error})",
            format=major,
            error=str(error) or type(error).__name__,
        )
        raise refusal(msg, where=name, advice=_SAVE_AGAIN) from error
    return dict(upgraded)


def _sheet_cells(parsed: Mapping[str, Json]) -> list[Json]:
    """Return the cells of the worksheets of format 3."""
    sheets = as_cells(parsed.get("worksheets"))
    return [cell for sheet in sheets if isinstance(sheet, Mapping) for cell in as_cells(sheet.get("cells"))]


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
                cell[key] = joined(cell[key])
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
        NotebookError: The notebook is empty, damaged, or in another language.
    """
    metadata = parsed.get("metadata")
    language = foreign_language(metadata if isinstance(metadata, Mapping) else {})
    if language:
        msg = say("the notebook is written in {language}, but this assignment requires Python", language=language)
        advice = say("choose a Python 3 kernel, write the code in Python, save and submit")
        raise refusal(msg, where=name, advice=advice)
    cells = parsed.get("cells")
    if not isinstance(cells, list) or not cells:
        raise refusal(say("the notebook has no cells"), where=name, advice=_ADVICE_EMPTY)
    notebook = _standard(parsed, cells, signs, name)
    if not any(cell["source"].strip() for cell in notebook.cells):
        raise refusal(say("the notebook is empty: no cell contains code or text"), where=name, advice=_ADVICE_EMPTY)
    return notebook


def _standard(parsed: Mapping[str, Json], cells: list[Json], signs: tuple[str, ...], name: str) -> NotebookNode:
    """Make a valid notebook of format 4.5."""
    metadata = parsed.get("metadata")
    normal, oddities = standard_cells(cells)
    grader = {"output_signs": list(signs), "oddities": oddities}
    notebook = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": _metadata(metadata if isinstance(metadata, Mapping) else {}, grader),
        "cells": normal,
    }
    node = nbformat.from_dict(notebook)
    try:
        nbformat.validate(node)
    except _INVALID as error:
        msg = say("the notebook is damaged ({error})", error=str(error).splitlines()[0])
        raise refusal(msg, where=name, advice=_SAVE_AGAIN) from error
    return node


def read_refused(path: Path) -> NotebookNode | None:
    """Read the cells of a notebook that is not executed, since its text can still be judged.

    Args:
        path: The submitted file.

    Returns:
        A valid notebook of format 4.5, or None if no cell can be read.
    """
    try:
        parsed = parse_notebook(read_skeleton(path).content, path.name)
        cells = parsed.get("cells")
        return _standard(parsed, cells, (), path.name) if isinstance(cells, list) and cells else None
    except (NotebookError, HarnessError, RecursionError):
        return None


_ADVICE_EMPTY = say("an empty or template file may have been submitted by mistake; submit the notebook with your work")


def _metadata(metadata: Mapping[str, Json], grader: Mapping[str, Json]) -> dict[str, Json]:
    spec = metadata.get("kernelspec")
    kernel = spec.get("name") if isinstance(spec, Mapping) else None
    result = {key: value for key, value in metadata.items() if key not in {"kernelspec", "language_info", "widgets"}}
    info = metadata.get("language_info")
    if isinstance(info, Mapping):
        result["language_info"] = {**info, "name": "python"}
    result["kernelspec"] = dict(_KERNELSPEC)
    result["grader"] = {**grader, "kernel": kernel if isinstance(kernel, str) else None}
    for key in ("title", "authors", "orig_nbformat", "signature"):
        result.pop(key, None)  # constrained by the format, not needed here, and often malformed
    return result


def code_size(path: Path) -> int:
    """Return how many characters of code a notebook contains, or 0 if it is not a valid notebook.

    Raises:
        UnreadableError: The file cannot be read now, so its content is unknown.
    """
    try:
        notebook: Any = parse_notebook(read_skeleton(path).content, path.name)
        cells, _ = standard_cells(as_cells(notebook.get("cells")))
        return sum(len(cell["source"].strip()) for cell in cells if cell["cell_type"] == "code")
    except (NotebookError, RecursionError):
        return 0
