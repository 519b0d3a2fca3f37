"""Look into messages: which templates they are made of, and with which values."""

from collections.abc import Iterator
from typing import Any

from grader.schema.message import Message, MessageLike, as_message

__all__ = ["ids", "parts", "says", "values"]


def parts(message: MessageLike) -> Iterator[Message]:
    """Walk through a message and every message nested in its values, the outer one first."""
    outer = as_message(message)
    yield outer
    pending = list(outer.values.values())
    while pending:
        value = pending.pop(0)
        if isinstance(value, Message):
            yield from parts(value)
        elif isinstance(value, (list, tuple)):
            pending = [*value, *pending]


def ids(message: MessageLike) -> list[str]:
    """List the ids of a message and of the messages nested in it."""
    return [part.id for part in parts(message)]


def values(message: MessageLike, id_: str) -> dict[str, Any]:
    """Find the values of the part with an id.

    Raises:
        AssertionError: No part has the id.
    """
    found = [part for part in parts(message) if part.id == id_]
    assert found, f"none of {ids(message)} is {id_!r}"
    return dict(found[0].values)


def says(message: MessageLike, id_: str, **wanted: Any) -> bool:
    """Whether a part of the message has an id and these values among its own."""
    return any(
        part.id == id_ and all(part.values.get(name) == value for name, value in wanted.items())
        for part in parts(message)
    )
