"""Messages as data: an English template with named values, so that a text can be counted, translated and compared."""

import functools
import math
import string
from collections.abc import Mapping, Sequence
from typing import Any, Self

from pydantic import Field, model_validator

from grader.schema.base import Document

__all__ = [
    "LITERAL",
    "Message",
    "MessageLike",
    "Value",
    "as_message",
    "clauses",
    "literal",
    "say",
    "say_count",
    "sentences",
]

Value = Any
"""A value of a message: None, bool, int, float, str, a `Message`, or a sequence of these."""

LITERAL = "{text}"
"""The template of a text that is not a message of the grader, such as a rubric's or a student's words."""
_PLAIN = frozenset({str, int, float, bool, type(None)})
"""Types of values that cannot hold a message."""
_SENTENCES = "{parts:sentences}"
_CLAUSES = "{parts:clauses}"


class Message(Document):
    """A template with named values; the fields follow gettext's conventions.

    A field of the template is a value's name, with a format after a colon: `"{model:code} reaches {accuracy:percent}"`.
    `grader.facts.language` lists the formats. Values stay plain (a shape is a list, a cell its index from 0), so
    that each language can format them.
    """

    id: str
    """The English template, and with it gettext's msgid."""
    plural: str | None = Field(default=None, exclude_if=lambda plural: plural is None)
    """The English template for any other count than one (msgid_plural); None if nothing is counted."""
    values: Mapping[str, Value] = Field(default_factory=dict)
    """The values by name. A counted message has its count under `count`."""

    @model_validator(mode="before")
    @classmethod
    def _nested(cls, data: Any) -> Any:
        """Turn nested mappings of messages back into messages."""
        values = data.get("values") if isinstance(data, Mapping) else None
        if type(values) is not dict and not isinstance(values, Mapping):
            return data
        # Every grade has hundreds of messages, and few of them are nested.
        for value in values.values():
            if type(value) not in _PLAIN:
                return {**data, "values": {name: _revived(inner) for name, inner in values.items()}}
        return data

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if _names_in(self.id, self.plural) <= self.values.keys():
            return self
        for template in (self.id, self.plural or ""):
            missing = set(field_names(template)) - set(self.values)
            if missing:
                msg = f"the message {template!r} lacks the value {min(missing)!r}"
                raise ValueError(msg)
        return self

    def __hash__(self) -> int:
        """Hash without the values, which may be lists; equal messages have equal hashes."""
        return hash((self.id, self.plural, *sorted(self.values)))

    def __bool__(self) -> bool:
        """Whether there is any text."""
        return bool(self.id)


@functools.lru_cache(maxsize=4096)
def field_names(template: str) -> tuple[str, ...]:
    """List the names of a template's fields.

    Raises:
        ValueError: The template is malformed, or a field is no plain name.
    """
    names = tuple(name for _, name, _, _ in string.Formatter().parse(template) if name is not None)
    if not all(name.isidentifier() for name in names):
        msg = f"a field of {template!r} is no name"
        raise ValueError(msg)
    return names


@functools.lru_cache(maxsize=4096)
def _names_in(template: str, plural: str | None) -> frozenset[str]:
    return frozenset((*field_names(template), *field_names(plural or "")))


def _revived(value: Any) -> Any:
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Mapping) and "id" in value and set(value) <= {"id", "plural", "values"}:
        return Message.model_validate(value)
    if isinstance(value, (list, tuple)):
        return [_revived(item) for item in value]
    return value


def _plain(value: Any) -> Any:
    """Convert a value to JSON: sequences become lists, NaN and infinity become None."""
    if type(value) is str or type(value) is int:
        return value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, (str, bool, int, float, Message)) or value is None:
        return value
    if isinstance(value, (Sequence, set, frozenset)):
        return [_plain(item) for item in value]
    msg = f"{type(value).__name__} is no value of a message"
    raise TypeError(msg)


def say(text: str, /, **values: Value) -> Message:
    """Make a message.

    Args:
        text: The English template; Babel extracts it.
        **values: Its values by name.

    Raises:
        pydantic.ValidationError: The template is malformed, or a value is missing.
        TypeError: A value is of a type that JSON does not hold.
    """
    return Message(id=text, values={name: _plain(value) for name, value in values.items()})


def say_count(one: str, many: str, count: int, /, **values: Value) -> Message:
    """Make a message that depends on a count.

    Args:
        one: The English template for a count of one.
        many: The English template for any other count.
        count: The count; `{count}` in both templates.
        **values: Further values by name.
    """
    return Message(id=one, plural=many, values={"count": count, **{name: _plain(v) for name, v in values.items()}})


def literal(text: str) -> Message:
    """Make a message of a text that is not translated, such as a rubric's or a student's words."""
    return Message(id=LITERAL, values={"text": text}) if text else Message(id="")


def sentences(*parts: "MessageLike | None") -> Message:
    """Join messages, each a whole sentence; empty ones are left out."""
    return _joined(_SENTENCES, parts)


def clauses(*parts: "MessageLike | None") -> Message:
    """Join messages, each a clause, with semicolons; empty ones are left out."""
    return _joined(_CLAUSES, parts)


def _joined(template: str, parts: "Sequence[MessageLike | None]") -> Message:
    kept = [as_message(part) for part in parts if part]
    if len(kept) == 1:
        return kept[0]
    return Message(id=template, values={"parts": kept}) if kept else Message(id="")


MessageLike = Message | str
"""A message, or a plain text that is not translated, such as a rubric's or a student's words."""


def as_message(text: MessageLike) -> Message:
    """Give a plain text the form of a message."""
    return literal(text) if isinstance(text, str) else text
