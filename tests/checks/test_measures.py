"""The labels of measured values."""

import ast
from pathlib import Path

import pytest

import grader.checks
from grader.checks.registry import all_checks
from grader.facts.language import FORMATS, JOINERS, language

FOLDER = Path(str(grader.checks.__file__)).parent
IN_THE_MESSAGE = {
    "average",
    "candidates",
    "config",
    "curves",
    "faults",
    "forms",
    "held",
    "how",
    "inputs",
    "kind",
    "missed",
    "named",
    "near_misses",
    "outputs",
    "places",
    "points",
    "shape",
    "shown",
    "side",
    "sources",
    "status",
    "steps",
}
"""Keys of measured values that only repeat the message, in the form for programs."""


def measured_keys() -> set[str]:
    """Keys of each dictionary that a check gives as `measured`."""
    keys: set[str] = set()
    for path in FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "measured":
                keys |= _keys(node.value)
            if isinstance(node, ast.Dict):
                for key, value in zip(node.keys, node.values, strict=True):
                    if isinstance(key, ast.Constant) and key.value == "measured":
                        keys |= _keys(value)
            if isinstance(node, ast.Assign | ast.AnnAssign) and "measured" in ast.unparse(node).partition("=")[0]:
                keys |= _keys(node.value) if node.value else set()
    return keys


def _keys(value: ast.expr) -> set[str]:
    return (
        {str(key.value) for key in value.keys if isinstance(key, ast.Constant)}
        if isinstance(value, ast.Dict)
        else set()
    )


def test_every_measured_value_has_a_label_or_repeats_the_message() -> None:
    labelled = {key for spec in all_checks().values() for key in spec.measures}
    keys = measured_keys()
    assert len(keys) > 40
    assert keys - labelled - IN_THE_MESSAGE == set()


@pytest.mark.parametrize("name", sorted(all_checks()))
def test_every_label_has_a_format_that_exists(name: str) -> None:
    for label in all_checks()[name].measures.values():
        kind, _, joiner = label.form.partition(" ")
        assert kind in FORMATS or kind in JOINERS
        assert joiner in JOINERS
        assert language("en").text(label.says)[0].isupper()
