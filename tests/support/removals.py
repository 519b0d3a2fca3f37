"""Removes or blanks one fact of complete evidence, as a failure of the grader would lose it."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from grader.facts.gaps import PARTS
from grader.schema.evidence import Evidence, GapFact

__all__ = ["Removal", "gap_of", "kinds_of", "removals", "remove"]

Removal = tuple[str, int, str | None]
"""Field of the evidence, position of the item, and the item's attribute; without an attribute the item is removed."""

_IDENTITY = {
    "id",
    "event",
    "model",
    "cell",
    "kind",
    "name",
    "cls",
    "action",
    "index",
    "layer",
    "line",
    "form",
    "assurance",
    "how",
    "correct",
    "total",
    "value",
    "low",
    "high",
    "dataset",
    "split",
    "moment",
    "dialect",
    "shape",
    "dtype",
}
"""Attributes that are part of each event of the record: they cannot be lost without the event."""


def removals(evidence: Evidence) -> Iterator[Removal]:
    """List every fact that can be lost: each item of each list, and each attribute of an item that has a value."""
    for field in sorted({part.partition(".")[0] for parts in PARTS.values() for part in parts}):
        items = getattr(evidence, field)
        if isinstance(items, Mapping):
            continue
        for position, item in enumerate(items):
            yield field, position, None
            for name in type(item).model_fields:
                if name not in _IDENTITY and getattr(item, name) != _blank(item, name):
                    yield field, position, name


def remove(evidence: Evidence, removal: Removal) -> Evidence:
    """Return the evidence without one fact.

    The evidence is not validated again: a lost fact may leave a reference to an event that is gone.
    """
    field, position, attribute = removal
    items = list(getattr(evidence, field))
    if attribute is None:
        del items[position]
    else:
        item = items[position]
        items[position] = item.model_copy(update={attribute: _blank(item, attribute)})
    return evidence.model_copy(update={field: tuple(items)})


def kinds_of(removal: Removal) -> tuple[str, ...]:
    """Name the kinds of events that carry a fact: a loss of any one of them can lose the fact."""
    field, _, attribute = removal
    if attribute is None:
        return tuple(kind for kind, parts in PARTS.items() if field in parts)
    exact = tuple(kind for kind, parts in PARTS.items() if f"{field}.{attribute}" in parts)
    return exact or tuple(kind for kind, parts in PARTS.items() if field in parts)


def gap_of(kind: str) -> GapFact:
    """Make the gap that the recorder writes where it loses events of a kind."""
    return GapFact(event=1, what="OSError: lost", hook="Watch.write", lost=(kind,))


def _blank(item: BaseModel, name: str) -> Any:
    """The value that an attribute has where nothing was recorded."""
    default = type(item).model_fields[name].get_default(call_default_factory=True, validated_data={})
    if default is not PydanticUndefined:
        return default
    value = getattr(item, name)
    blanks: Mapping[type, Any] = {
        str: "unfinished" if name == "status" else "",
        tuple: (),
        dict: {},
        int: 0,
        float: 0.0,
    }
    return next((blank for kind, blank in blanks.items() if isinstance(value, kind)), value)
