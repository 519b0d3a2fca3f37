"""Descriptions of documents: the docstrings below their fields."""

import ast
from typing import Any

import pytest
from pydantic import ConfigDict, Field

from grader.schema.base import Document
from grader.schema.described import Described, field_notes, notes_below


class _Inner(Described):
    size: int = 0
    """Size in bytes.

    The second paragraph is indented as in the source.
    """


class _Outer(_Inner):
    model_config = ConfigDict(populate_by_name=True)

    inner: _Inner = _Inner()
    """Another document."""
    with_: str = Field("", alias="with")
    """A field with another name in files."""
    said: int = Field(0, description="what the field says itself")
    """What its docstring says."""
    silent: int = 0


class _Undescribed(Document):
    size: int = 0
    """Nobody asked for this."""


def test_the_schema_has_the_docstrings_below_the_fields_also_of_inherited_and_inner_ones() -> None:
    schema = _Outer.model_json_schema(by_alias=True)
    properties: dict[str, dict[str, Any]] = schema["properties"]
    assert {name: one.get("description") for name, one in properties.items()} == {
        "size": "Size in bytes.\n\nThe second paragraph is indented as in the source.",
        "inner": "Another document.",
        "with": "A field with another name in files.",
        "said": "what the field says itself",
        "silent": None,
    }
    assert schema["$defs"]["_Inner"]["properties"]["size"]["description"].startswith("Size in bytes.")


def test_a_document_that_is_not_described_has_notes_but_no_descriptions() -> None:
    assert field_notes(_Undescribed) == {"size": "Nobody asked for this."}
    assert "description" not in _Undescribed.model_json_schema()["properties"]["size"]


def test_the_schema_is_the_one_of_pydantic_s_own_option() -> None:
    class Own(Document):
        model_config = ConfigDict(use_attribute_docstrings=True)

        size: int = 0
        """Size in bytes."""

    class Ours(Described):
        size: int = 0
        """Size in bytes."""

    assert Ours.model_json_schema()["properties"] == Own.model_json_schema()["properties"]


def test_a_class_without_a_source_file_has_no_notes() -> None:
    namespace: dict[str, Any] = {"Described": Described, "__name__": "made_up"}
    exec("class Made(Described):\n    size: int = 0\n    '''Size.'''\n", namespace)  # noqa: S102
    assert field_notes(namespace["Made"]) == {}
    assert "description" not in namespace["Made"].model_json_schema()["properties"]["size"]


@pytest.mark.parametrize(
    ("source", "notes"),
    [
        ("a = 1\n'''One.'''\nb: int = 2\n'''Two.'''", {"a": "One.", "b": "Two."}),
        ("a = 1\n'''One.'''\n'''More.'''", {"a": "One."}),
        ("a = 1\nprint('x')\n'''Not below.'''", {}),
        ("a.b = 1\n'''No name.'''", {}),
        ("a += 1\n'''No assignment.'''\nx: int", {}),
        ("a = 1\n5", {}),
    ],
)
def test_a_note_stands_directly_below_its_name(source: str, notes: dict[str, str]) -> None:
    assert dict(notes_below(ast.parse(source).body)) == notes
