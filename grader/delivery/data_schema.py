"""Describe the columns of the tables of data: types, units and meanings, from the documents of their rows."""

import types
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin

from grader.schema.data import DATA_VERSION, TABLES, DataRow, Personal, Unit
from grader.schema.described import field_notes

__all__ = ["SCHEMA_FILE", "Column", "ColumnType", "columns_of", "paragraph", "schema_document"]

SCHEMA_FILE = "schema.json"
"""Name of the file that describes the tables of a folder."""

ColumnType = Literal["text", "integer", "number", "boolean", "time"]
_TYPES: Mapping[type, ColumnType] = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "boolean",
    datetime: "time",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    name: str
    type: ColumnType
    """`integer` has 64 bits, `number` is a double, `time` has microseconds in UTC."""
    nullable: bool
    """Whether it can be empty."""
    unit: str | None
    personal: Personal | None
    """Its treatment in an anonymous export; None if it is exported as it is."""
    note: str
    """Its meaning, one line."""


@cache
def columns_of(row: type[DataRow]) -> tuple[Column, ...]:
    """Return the columns of a table, in order."""
    notes = field_notes(row)
    return tuple(_column(name, field, notes.get(name, "")) for name, field in row.model_fields.items())


def _column(name: str, field: Any, note: str) -> Column:
    parts = get_args(field.annotation) if get_origin(field.annotation) in {Union, types.UnionType} else ()
    kind = next((part for part in parts if part is not type(None)), field.annotation)
    unit = next((mark.name for mark in field.metadata if isinstance(mark, Unit)), None)
    personal = next((mark for mark in field.metadata if isinstance(mark, Personal)), None)
    return Column(
        name=name,
        type="text" if issubclass(kind, StrEnum) else _TYPES[kind],
        nullable=bool(parts) or personal is Personal.WORDS,
        unit=unit,
        personal=personal,
        note=paragraph(note),
    )


def paragraph(text: str) -> str:
    """Join the lines of a docstring."""
    return " ".join(text.split())


def schema_document(tables: tuple[str, ...], *, suffix: str, anonymous: bool) -> dict[str, Any]:
    """Describe exported tables for `schema.json`.

    Args:
        tables: Names of the tables.
        suffix: Suffix of their files.
        anonymous: Whether people and submissions have pseudonyms.
    """
    return {
        "version": DATA_VERSION,
        "anonymous": anonymous,
        "tables": {name: _table(name, suffix) for name in tables if name in TABLES},
    }


def _table(name: str, suffix: str) -> dict[str, Any]:
    row = TABLES[name]
    return {
        "file": f"{name}{suffix}",
        "description": paragraph(row.__doc__ or ""),
        "key": ["rubric", "submission", *row.key],
        "columns": [
            {
                "name": column.name,
                "type": column.type,
                "nullable": column.nullable,
                "unit": column.unit,
                "description": column.note,
            }
            for column in columns_of(row)
        ],
    }
