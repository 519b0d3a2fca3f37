"""Leftovers of another run, another branch or another platform."""

import re

from grader.checks.registry import diagnostic
from grader.checks.support.definitions import PLATFORM_NAMES, bound_names, missing_name
from grader.checks.support.source_code import parsed
from grader.facts.case import Case
from grader.schema.evidence import CellFact, Evidence
from grader.schema.grade import Diagnostic
from grader.schema.message import say, sentences
from grader.schema.submission import CellError

__all__ = ["automatic_layer_name", "conflict_markers", "databricks_names"]

_MARKER = re.compile(r"^(?:<[^>\n]*>|[*`])*(?:<{7}|(?:&lt;){7})(?:[ \t]|$)", re.MULTILINE)
"""The first marker of a conflict; nbdime puts it into a text cell, with bold type."""
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)
_LAYER = re.compile(r"'?((?:[a-z][a-z0-9]*_)*[a-z][a-z0-9]*)_(\d+)'?")
_NO_LAYER = re.compile(r"No such layer: (\w+)")


@diagnostic("conflict-markers")
def conflict_markers(case: Case) -> tuple[Diagnostic, ...]:
    """A cell contains the markers of an unresolved merge conflict.

    What it does:
        Looks for a line that starts with `<<<<<<<` in code that is not valid Python, and in text cells outside of code
        blocks.

    Why it matters:
        Both versions of the code are in the cell, and Python can run neither.

    Example:
        `<<<<<<< HEAD` above `epochs = 5`, then `=======` and `epochs = 10`.
    """
    return tuple(
        Diagnostic(
            id="conflict-markers",
            title=say("An unresolved merge conflict"),
            cell=cell.index,
            message=say(
                "{cell:Cell} contains the markers of a merge conflict (`<<<<<<<`). Both versions are still in the "
                "notebook.",
                cell=cell.index,
            ),
            advice=say(
                "Keep one of the two versions, and delete the other one and the lines `<<<<<<<`, `=======` and "
                "`>>>>>>>`. Then run the notebook again."
            ),
        )
        for cell in case.evidence.cells
        if _has_marker(cell)
    )


def _has_marker(cell: CellFact) -> bool:
    if not _MARKER.search(cell.source):
        return False
    return not _FENCE.search(cell.source) if cell.kind == "markdown" else parsed(cell.source) is None


@diagnostic("automatic-layer-name")
def automatic_layer_name(case: Case) -> tuple[Diagnostic, ...]:
    """A layer is looked up by a name that Keras numbered in another run.

    What it does:
        Looks for cells that failed because no layer is called, for example, `conv2d_24`, although the code contains
        this name and other layers have automatic names of the same kind.

    Why it matters:
        Keras numbers layers without a name in the order of their creation. Each new model of a session gets other
        numbers.

    Example:
        `model.get_layer("dense_7")` in a notebook whose layers are called `dense` and `dense_1`.
    """
    notes = []
    for error in case.evidence.run.errors:
        name = _missing_layer(error)
        kin = _same_kind(case.evidence, name) if name else ()
        if not kin or not any(_contains(cell, name) for cell in case.evidence.cells):
            continue
        notes.append(
            Diagnostic(
                id="automatic-layer-name",
                title=say("A layer name from another run"),
                cell=error.cell,
                message=sentences(
                    say(
                        "{cell:Cell} asks for the layer {name:code}, but no layer has this name.",
                        cell=error.cell,
                        name=name,
                    ),
                    say("The layers of this kind are called {names:code}.", names=kin),
                ),
                advice=say(
                    "Give the layer a name of your own (`Conv2D(32, 3, name='last_conv')`), or use its position "
                    "(`model.layers[2]`). Keras numbers layers anew in each session."
                ),
            )
        )
    return tuple(notes)


_MOST_KIN = 3


def _missing_layer(error: CellError) -> str:
    """Return the name of a layer that a cell did not find; empty for other errors."""
    if error.name == "KeyError":
        match = _LAYER.fullmatch(error.message.strip())
        return f"{match[1]}_{match[2]}" if match else ""
    found = _NO_LAYER.search(error.message) if error.name == "ValueError" else None
    return found[1] if found and _LAYER.fullmatch(found[1]) else ""


def _same_kind(evidence: Evidence, name: str) -> tuple[str, ...]:
    """List the first names of other layers that differ from a name only in their number; empty if it exists."""
    names = list(dict.fromkeys(layer.name for model in evidence.models for layer in model.flat_layers()))
    stem = name.rpartition("_")[0]
    kin = [each for each in names if each == stem or re.fullmatch(rf"{re.escape(stem)}_\d+", each)]
    return () if name in names else tuple(kin[:_MOST_KIN])


def _contains(cell: CellFact, name: str) -> bool:
    return cell.kind == "code" and re.search(rf"""['"]{re.escape(name)}['"]""", cell.source) is not None


@diagnostic("databricks-only")
def databricks_names(case: Case) -> tuple[Diagnostic, ...]:
    """A cell uses a name that only Databricks defines.

    What it does:
        Looks for cells that failed because `spark`, `dbutils` or a similar name is not defined, in a notebook that does
        not define it.

    Why it matters:
        The notebook runs only on that platform.

    Example:
        `files = dbutils.fs.ls("/mnt/data")`
    """
    code = [cell for cell in case.evidence.cells if cell.kind == "code"]
    names: dict[str, CellError] = {}
    for error in case.evidence.run.errors:
        name = missing_name(error)
        if name in PLATFORM_NAMES and not any(name in bound_names(cell) for cell in code):
            names.setdefault(name, error)
    return tuple(
        Diagnostic(
            id="databricks-only",
            title=say("Code for Databricks"),
            cell=error.cell,
            message=say(
                "{cell:Cell} uses {name:code}, which exists only in notebooks on Databricks.",
                cell=error.cell,
                name=name,
            ),
            advice=say(
                "Read the data with Keras, NumPy or pandas, and submit the data files with the notebook. It must run "
                "in an ordinary Jupyter kernel."
            ),
        )
        for name, error in names.items()
    )
