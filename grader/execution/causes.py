"""Find the cause in the text of an exception: the one sentence that says what was wrong.

Keras and TensorFlow wrap this sentence: in the frames of a traced function (`in user code:`), in the name of the layer
that raised it and its arguments, in a graph's nodes, or in the configuration of a whole model.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Cause", "cause_of", "cut_middle", "failing_line", "without_own_paths"]

MOST_CHARACTERS = 300
"""Length of a cause."""

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_FOLDER = r"/[^\s/'\":,()\[\]=<>]+"
_START = r"(?<![^\s/'\":,()\[\]=<>])"
"""The start of a path. A pattern that could start at each folder would take time that grows with the square of a path's
length, and a notebook can raise an exception with any path."""
_INSTALLED = re.compile(rf"{_START}(?:{_FOLDER})+/(?:site-packages|dist-packages)/")
_STANDARD = re.compile(rf"{_START}(?:{_FOLDER})+/lib/python3\.\d+/")
_OWN = re.compile(rf"{_START}(?:{_FOLDER})*/grader/inside/")
_CELL_FILE = re.compile(rf"{_START}(?:{_FOLDER})*/(?:ipykernel_\d+/\d+|__autograph_generated_file\w*)\.py")
_PRIVATE = re.compile(r"\b(?:keras\._tf_keras\.keras|tf_keras\.api\._v[12]\.keras|keras\.src|tf_keras\.src)\b")
_WRAPPERS = (
    "in user code:",
    "Arguments received by",
    "Call arguments received by",
    "Exception encountered when calling",
    "Stack trace",
    "•",
    "File ",
)
_WRAPPER_END = "Error encountered:"
"""End of a paragraph of Keras that only introduces the cause, in the next paragraph."""
_NODE = re.compile(r"\n[ \t]*+([^\n]+)\n[ \t]*+\[\[\{\{node ")
_ENCOUNTERED = re.compile(r"Exception encountered: (.+?)(?: Full object config: |\Z)", re.DOTALL)
_TRAILER = re.compile(
    r" Provided `grads_and_vars` is .*|(?<!\s)\s*+\[Op:[\w]*\](?: name:\s*)?|\{\{function_node [^}]{0,500}\}\}\s*",
    re.DOTALL,
)
_PLACE = re.compile(r"(?<!\s)\s*+\((?:<?[\w./ -]+\.py>?|<[\w ]+>|unknown location), line (\d+)\)$")
_ORIGIN = re.compile(r"(?<!\s)\s*+\((?:[\w./-]+\.py|unknown location)\)$")
_H5 = re.compile(r"name = '([^']*)'")
_MISSING = "No such file or directory"
_FRAME = re.compile(r"^(?:Cell In\s?\[\d+\], line|Input In \[\d+\], in|File .*?:|.*? in )")
_ARROW = re.compile(r"^-+> *(\d+) (.*)$")


class Cause(NamedTuple):
    """The cause of a cell's error, and its place."""

    text: str
    """The cause: one or two sentences on one line, at most `MOST_CHARACTERS` characters; empty if there is none."""
    line: int | None
    """The line of the cell that raised the exception, from 1; None if unknown."""


def cause_of(name: str, text: str, traceback: Sequence[str] = ()) -> Cause:
    """Find the cause of an exception.

    Args:
        name: The exception's class, without its module.
        text: Its complete text.
        traceback: IPython's traceback, one item per frame; may contain ANSI colors.
    """
    text = _ANSI.sub("", text)
    line = _line_of_cell(traceback)
    place = _PLACE.search(text)
    if place and name in {"SyntaxError", "IndentationError", "TabError"}:
        line = int(place[1])
    reason = _reason(name, text)
    if not reason:
        reason = failing_line(traceback)
    return Cause(_shortened(reason), line)


def failing_line(traceback: Sequence[str]) -> str:
    """Find the source line that raised an exception: the marked line of the last frame; empty if there is none."""
    marked = [match[2].strip() for part in traceback for match in _arrows(part)]
    return marked[-1] if marked else ""


def without_own_paths(text: str) -> str:
    """Remove the folders of the grader's environment from paths: `/…/site-packages/keras/x.py` becomes `keras/x.py`."""
    text = _STANDARD.sub("", _INSTALLED.sub("", text))
    return _CELL_FILE.sub("this cell", _OWN.sub("grader/inside/", text))


def cut_middle(text: str, most: int) -> str:
    """Cut a text to `most` characters from its middle, since the reason of an error is at its start or at its end."""
    if len(text) <= most:
        return text
    head = most // 4
    return text[:head] + " … " + text[len(text) - (most - head - 3) :]


def _arrows(part: str) -> list[re.Match[str]]:
    lines = _ANSI.sub("", part).splitlines()
    return [match for line in lines if (match := _ARROW.match(line))]


def _line_of_cell(traceback: Sequence[str]) -> int | None:
    """Find the line of the cell itself: the first frame is the cell's."""
    for part in traceback:
        arrows = _arrows(part)
        if arrows:
            return int(arrows[0][1]) if re.match(r"\s*(Cell|Input) In", _ANSI.sub("", part)) else None
    return None


def _reason(name: str, text: str) -> str:
    node = _NODE.search(text)
    if node:
        return node[1]
    encountered = _ENCOUNTERED.search(text)
    if encountered:
        return encountered[1]
    if name in {"OSError", "FileNotFoundError"} and (file := _H5.search(text.rpartition(_MISSING)[0])):
        return f"{_MISSING}: '{file[1]}'"
    if "\n" not in text.strip():
        return text
    paragraphs = [" ".join(lines) for lines in _paragraphs(text)]
    if text.lstrip().startswith("in user code:") or any("in user code:" in p for p in paragraphs):
        named = [p for p in paragraphs if re.match(r"\w*(Error|Exception): ", p) and not _is_wrapper(p)]
        plain = [p for p in paragraphs if not _is_wrapper(p)]
        return _without_name((named or plain or [""])[-1])
    return next((p for p in paragraphs if not _is_wrapper(p) and not p.startswith("config=")), "")


def _paragraphs(text: str) -> list[list[str]]:
    """Split a text at its empty lines; a bullet, a frame and the source line below it belong to no paragraph."""
    paragraphs: list[list[str]] = [[]]
    skip = False
    for raw in text.splitlines():
        line = raw.strip()
        if not line:
            paragraphs.append([])
            skip = False
        elif line.startswith(("File ", "•")):
            skip = True
        elif not skip:
            paragraphs[-1].append(line)
        else:
            skip = not re.match(r"\w*(Error|Exception): ", line)
            if not skip:
                paragraphs.append([line])
    return [paragraph for paragraph in paragraphs if paragraph]


def _is_wrapper(paragraph: str) -> bool:
    return _without_name(paragraph).startswith(_WRAPPERS) or paragraph.endswith(_WRAPPER_END)


def _without_name(paragraph: str) -> str:
    return re.sub(r"^\w*(Error|Exception): ", "", paragraph)


def _shortened(reason: str) -> str:
    reason = _TRAILER.sub("", without_own_paths(reason))
    reason = _ORIGIN.sub("", _PLACE.sub("", reason))
    reason = _PRIVATE.sub("keras", reason)
    reason = re.sub(r"\s+", " ", reason).strip()
    return reason if len(reason) <= MOST_CHARACTERS else reason[: MOST_CHARACTERS - 1].rstrip() + "…"
