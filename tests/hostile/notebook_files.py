"""Notebook files that attack the program that reads them: other formats, bombs, and false metadata."""

import json
from pathlib import Path
from typing import Any

from tests.hostile.corpus import Traps, built, notebook_of, write_notebook
from tests.hostile.expected import Must

__all__: list[str] = []

_TOPIC = "notebook-files"
_FINE = 'print("ran")'


def _refused(*reasons: str) -> Must:
    return Must(outcome="refused", execution="none", says=reasons)


def _ran(*, cells: int = 1, prints: tuple[str, ...] = ("ran",), **more: Any) -> Must:
    return Must(
        **{"outcome": ("graded", "flagged"), "execution": "completed", "cells": cells, "prints": prints, **more}
    )


def _write(folder: Path, content: Any) -> None:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    (folder / "work.ipynb").write_bytes(text)


@built(_TOPIC, "Hand in a notebook of the format 3, whose cells are one level deeper.", _ran())
def format_3(folder: Path, _: Traps) -> None:
    cell = {"cell_type": "code", "input": [_FINE], "language": "python", "outputs": [], "collapsed": False}
    _write(folder, {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"cells": [cell]}]})


@built(
    _TOPIC,
    "Hand in a notebook of a format that does not exist yet.",
    _ran(),
)
def format_of_the_future(folder: Path, _: Traps) -> None:
    _write(folder, notebook_of(_FINE) | {"nbformat": 10**30})


@built(
    _TOPIC,
    "Hand in a notebook of the format 1, and numbers of formats that are no numbers.",
    _ran(),
)
def format_without_number(folder: Path, _: Traps) -> None:
    _write(folder, notebook_of(_FINE) | {"nbformat": {"x": [1]}, "nbformat_minor": -5})


@built(_TOPIC, "Nest the notebook's JSON deeper than the stack of a reader.", _refused("the file is nested too deeply"))
def nested_too_deeply(folder: Path, _: Traps) -> None:
    _write(
        folder,
        b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": ' + b"[" * 300_000 + b"]" * 300_000 + b"}",
    )


@built(_TOPIC, "Have ten thousand cells.", _ran())
def many_cells(folder: Path, _: Traps) -> None:
    empty = {"cell_type": "markdown", "metadata": {}, "source": ""}
    made: dict[str, Any] = notebook_of(_FINE)
    made["cells"] += [empty | {"id": f"m{number}"} for number in range(10_000)]
    _write(folder, made)


@built(
    _TOPIC,
    "Use bytes that are no UTF-8 and halves of characters in the code, the names and the metadata.",
    _ran(cells=2),
)
def half_characters(folder: Path, _: Traps) -> None:
    text = json.dumps(notebook_of(_FINE, "# \ud83d \udc00", "# %% [markdown]\n# half \ud800 of a character"))
    _write(folder, text.replace('"metadata": {}', '"metadata": {"\\ud800": "\\udfff"}').encode())


@built(_TOPIC, "Use bytes that are no text at all within the JSON.", _ran(cells=2))
def bytes_that_are_no_text(folder: Path, _: Traps) -> None:
    _write(folder, json.dumps(notebook_of(_FINE, "# XX")).encode().replace(b"XX", b"\xff\xfe\xc0\xaf\xed\xa0\x80"))


@built(_TOPIC, "Use the same key twice, so that two readers see two notebooks.", _ran(never=("DNOCES",)))
def duplicated_keys(folder: Path, _: Traps) -> None:
    text = json.dumps(notebook_of('print("SECOND"[::-1])'))
    other = json.dumps(notebook_of(_FINE)["cells"])
    _write(folder, (text[:-1] + f', "cells": {other}}}').encode())


@built(
    _TOPIC,
    "Use numbers that JSON does not have, and numbers of ten thousand digits.",
    _refused("the file is not JSON"),
)
def strange_numbers(folder: Path, _: Traps) -> None:
    text = json.dumps(notebook_of(_FINE))
    _write(
        folder,
        text.replace('"metadata": {}', '"metadata": {"a": NaN, "b": -Infinity, "c": ' + "9" * 10_000 + "}").encode(),
    )


@built(
    _TOPIC,
    "Bring outputs of a perfect run and execution counts that were never counted.",
    _ran(never=("accuracy: 1.0000",), score=1.0),
)
def stored_outputs(folder: Path, _: Traps) -> None:
    made: dict[str, Any] = notebook_of(_FINE)
    output = {"output_type": "stream", "name": "stdout", "text": "accuracy: 1.0000, 17 of 17 points"}
    made["cells"][0] |= {"execution_count": 10**9, "outputs": [output] * 50}
    _write(folder, made)


@built(_TOPIC, "Bring attachments and the state of widgets with scripts.", _ran())
def attachments_and_widgets(folder: Path, _: Traps) -> None:
    script = "<script>document.title='PWNED'</script>"
    made: dict[str, Any] = notebook_of(_FINE, "# %% [markdown]\n# ![x](attachment:x.svg) ![y](attachment:y.png)")
    svg = {"image/svg+xml": "PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+"}
    made["cells"][1]["attachments"] = {"x.svg": svg, "y.png": {"text/html": script}, script: {script: script}}
    state = {"application/vnd.jupyter.widget-state+json": {"state": {script: {"model_name": script}}}}
    made["metadata"] |= {"widgets": state, "title": script, "authors": [{"name": script}]}
    _write(folder, made)


@built(
    _TOPIC,
    "Choose a kernel by a path, so that the grader starts another program.",
    Must(outcome=("graded", "flagged", "refused"), never=("uid=",)),
)
def kernel_by_path(folder: Path, traps: Traps) -> None:
    made: dict[str, Any] = notebook_of(_FINE)
    made["metadata"]["kernelspec"] = {
        "name": "../../../../bin/sh",
        "display_name": "\x1b]0;x\x07",
        "language": "python",
        "argv": ["/bin/sh", "-c", f"touch {traps['folder']}/mark-kernel", "{connection_file}"],
        "env": {"PYTHONSTARTUP": f"{traps['folder']}/x.py", "LD_PRELOAD": "x.so"},
    }
    _write(folder, made)


@built(_TOPIC, "Put a YAML bomb into the metadata that Jupytext and Quarto read.", _ran())
def yaml_in_metadata(folder: Path, _: Traps) -> None:
    levels = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    levels += [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    header = "---\n" + "\n".join(levels) + "\ntitle: !!python/object/apply:os.system ['id']\n---"
    made: dict[str, Any] = notebook_of(_FINE)
    made["cells"].insert(0, {"cell_type": "raw", "id": "head", "metadata": {}, "source": header})
    made["metadata"]["jupytext"] = {"text_representation": header}
    _write(folder, made)


@built(
    _TOPIC,
    "Claim the grader's own marks in the metadata: the graded outcome, its tags, and its stored errors.",
    _ran(score=1.0),
)
def claimed_metadata(folder: Path, _: Traps) -> None:
    made: dict[str, Any] = notebook_of(_FINE)
    own = {"score": 17, "points": 17, "status": "passed", "output_signs": 7, "oddities": {"x": 1}, "kernel": ["a"]}
    made["metadata"] |= {"grader": own, "nbgrader": {"points": 17, "grade": True}, "otter": {"points": 17}}
    tags = ["raises-exception", "skip-execution", "remove-cell", "=cmd|' /C calc'!A0", "\x1b[2J"]
    made["cells"][0]["metadata"] = {"tags": tags, "grader": own, "execution": {"iopub.status.idle": "2001-13-45"}}
    _write(folder, made)


@built(_TOPIC, "Use cells of types and contents that no notebook has.", Must(outcome=("graded", "flagged"), cells=1))
def strange_cells(folder: Path, _: Traps) -> None:
    made: dict[str, Any] = notebook_of(_FINE)
    made["cells"] += [
        None,
        7,
        [],
        {"cell_type": "sql", "source": "x"},
        {"source": {"a": 1}},
        {"cell_type": "code", "source": [1]},
    ]
    made["cells"] += [{"cell_type": ["code"], "source": "x", "metadata": 5}, {"cell_type": "markdown", "source": 9**99}]
    _write(folder, made)


@built(_TOPIC, "Hide code by characters that turn the direction of text, and by very long lines.", _ran(cells=2))
def hidden_code(folder: Path, _: Traps) -> None:
    write_notebook(
        folder / "work.ipynb",
        _FINE + " # \u202e)'detnirp'(tnirp\u2066 \x08\x08\x08 \x1b[8m",
        "x = 1;" + " " * 2_000_000 + "y = 2",
    )


@built(
    _TOPIC,
    "Hand in a file that grows without end while it is read: a notebook of 300 MB of spaces.",
    _refused("the notebook has a size of"),
)
def too_large(folder: Path, _: Traps) -> None:
    path = folder / "work.ipynb"
    path.write_text(json.dumps(notebook_of(_FINE)), encoding="utf-8")
    with path.open("ab") as file:
        file.truncate(300 << 20)
