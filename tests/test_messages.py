"""The messages of the source code: each is a template that Babel finds and that can be filled."""

import ast
import importlib.util
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.facts.language import FORMATS, JOINERS

ROOT = Path(__file__).parent.parent
TEMPLATES = {"say": 1, "say_count": 2, "word": 1}
"""Function → how many of its arguments are templates."""
DEFINITIONS = {"schema/message.py", "facts/language.py"}


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Find each call that makes a message, outside the module that defines the functions."""
    package = ROOT / "grader"
    for path in sorted(package.rglob("*.py")):
        place = path.relative_to(package).as_posix()
        if place.startswith("inside/"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name in TEMPLATES and (name != "word" or place in DEFINITIONS):
                yield f"{place}:{node.lineno}", node


def templates(call: ast.Call) -> list[ast.expr]:
    """List the arguments of a call that are templates."""
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    return call.args[: TEMPLATES[name]]


def test_each_template_is_a_literal_that_babel_can_extract() -> None:
    found = list(calls())
    assert len(found) > 500
    computed = [
        place
        for place, call in found
        for template in templates(call)
        if not (isinstance(template, ast.Constant) and isinstance(template.value, str))
    ]
    assert computed == []


def test_each_template_gets_the_values_it_names_and_no_others() -> None:
    wrong = []
    for place, call in calls():
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        if name not in {"say", "say_count"} or any(keyword.arg is None for keyword in call.keywords):
            continue
        given = {keyword.arg for keyword in call.keywords} | ({"count"} if name == "say_count" else set())
        fields = {
            field
            for template in templates(call)
            if isinstance(template, ast.Constant)
            for _, field, _, _ in string.Formatter().parse(str(template.value))
            if field is not None
        }
        if given - {"count"} != fields - {"count"} or not fields <= given:
            wrong.append((place, sorted(str(one) for one in given ^ fields)))
    assert wrong == []


def test_each_field_names_a_format_that_exists() -> None:
    unknown = []
    for place, call in calls():
        for template in templates(call):
            if not isinstance(template, ast.Constant):
                continue
            for _, field, spec, _ in string.Formatter().parse(str(template.value)):
                words = (spec or "").split() if field is not None else []
                if any(word not in FORMATS and word not in JOINERS for word in words):
                    unknown.append((place, spec))
    assert unknown == []


def test_the_template_for_translators_is_up_to_date() -> None:
    path = ROOT / "tools" / "make_messages.py"
    spec = importlib.util.spec_from_file_location("make_messages", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    kept = (ROOT / "grader" / "locale" / "messages.pot").read_bytes()
    if module.pot_text(module.extracted()) != kept:
        pytest.fail("run `make messages`")
