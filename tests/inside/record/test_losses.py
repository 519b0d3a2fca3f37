"""Each part of the recorder that may fail has a list of the events lost with it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import grader
from grader.inside.record.events import KINDS
from grader.inside.record.losses import LOSSES, lost_by

INSIDE = Path(grader.__file__).parent / "inside"
GUARDED = {"quietly": 0, "at_cell_end": 0, "at_end": 0}
"""Function → which argument is the part of the recorder that may fail."""
PASSED_ON = {"settle": {"calls.cell_ended", "loops.cell_ended", "book.announce_all", "keeper.cell_ended"}}
"""Names that stand for one of several parts."""


def _parts() -> Iterator[str]:
    """Collect the last names of all functions that are called under guard."""
    for path in INSIDE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in GUARDED:
                yield ast.unparse(node.args[GUARDED[name]])
            elif name in {"_put", "put"}:
                yield ast.literal_eval(node.args[0]) if isinstance(node.args[0], ast.Constant) else ""


def test_each_part_that_may_fail_is_in_the_table() -> None:
    known = {hook.rpartition(".")[2] for hook in LOSSES}
    parts = set(_parts())
    assert len(parts) > 40
    for part in parts - {"action"}:
        for name in PASSED_ON.get(part, {part}):
            # A callback for a model's weights is named after the function that registered it.
            last = "<lambda>" if name == "self._when_called" else name.rpartition(".")[2]
            assert last in known, part


def test_what_is_lost_are_declared_kinds() -> None:
    assert {kind for kinds in LOSSES.values() for kind in kinds} <= set(KINDS)
    assert all(LOSSES.values())


def test_an_unknown_part_may_have_lost_anything() -> None:
    assert {"fit_start", "figure", "arrays", "dataset", "save"} <= set(lost_by("something new"))
