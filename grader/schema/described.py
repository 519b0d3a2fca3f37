"""Documents whose fields are described by the docstrings below them.

The source of a class is read only when somebody needs the descriptions, since most commands need none of them.
"""

import ast
import functools
import inspect
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from grader.schema.base import Document

__all__ = ["Described", "field_notes", "notes_below"]


class Described(Document):
    """A document whose JSON Schema has the docstrings of its fields as descriptions."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler, /) -> dict[str, Any]:
        """Add the descriptions to the schema of the document, as `use_attribute_docstrings` of Pydantic does."""
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, note in field_notes(cls).items():
            described = properties.get(cls.model_fields[name].alias or name)
            if described is not None:
                described.setdefault("description", note)
        return schema


@functools.cache
def field_notes(document: type[BaseModel]) -> Mapping[str, str]:
    """Return the docstrings below a document's fields, including inherited fields.

    Args:
        document: The document; fields of a class without a source file have none.
    """
    notes: dict[str, str] = {}
    for base in reversed(document.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            with suppress(OSError, TypeError):
                tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
                notes |= dict(notes_below(tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else ()))
    return {name: note for name, note in notes.items() if name in document.model_fields}


def notes_below(statements: Sequence[ast.stmt]) -> Iterator[tuple[str, str]]:
    """Yield the names that are assigned or annotated directly above a docstring, with the docstring.

    Args:
        statements: The body of a class or a module.
    """
    for pair in pairwise(statements):
        match pair:
            case (
                ast.Assign(targets=[ast.Name(id=name), *_]) | ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(note))),
            ):
                yield name, inspect.cleandoc(note)
