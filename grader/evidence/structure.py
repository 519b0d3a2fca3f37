"""Descriptions of models, from the recorder or from the predictor, become typed."""

import itertools
from collections.abc import Iterator
from typing import Any

from grader.evidence.claims import (
    MalformedError,
    as_bool,
    as_int,
    as_json,
    as_list,
    as_map,
    as_shape,
    as_text,
    as_texts,
    need_id,
)
from grader.schema.evidence import LayerFact, ModelFact

__all__ = ["read_layers", "read_model"]

_MAX_LAYERS = 2000
_MAX_NESTING = 8


def read_model(claim: object, *, cell: int | None = None, event: int | None = None) -> ModelFact:
    """Type a model's description as `docs/events.md` gives it.

    Args:
        claim: What was read from JSON.
        cell: Index of the notebook's cell that made it.
        event: The event that describes it.

    Raises:
        MalformedError: It is no description of a model.
    """
    given = as_map(claim)
    model = need_id(given.get("id"))
    name = as_text(given.get("name")) or model
    return ModelFact(
        id=model,
        name=name,
        cls=as_text(given.get("cls")) or "Model",
        cell=cell,
        event=event,
        dialect="keras2" if given.get("dialect") == "keras2" else "keras3",
        input_shape=as_shape(given.get("input_shape")),
        output_shape=as_shape(given.get("output_shape")),
        parameters=as_int(given.get("parameters")),
        trainable_parameters=as_int(given.get("trainable_parameters")),
        layers=read_layers(given.get("layers")),
        shares_layers_with=as_texts(given.get("shares_layers_with"), 100, 64),
        formerly=as_text(given.get("formerly"), 64) or None,
    )


def read_layers(claim: object) -> tuple[LayerFact, ...]:
    """Type a list of layers, at most 2,000 with all nested ones; what is no layer is left out."""
    return _layers(claim, itertools.count(), _MAX_NESTING)


def _layers(claim: object, counter: Iterator[int], nesting: int) -> tuple[LayerFact, ...]:
    found: list[LayerFact] = []
    for item in as_list(claim, _MAX_LAYERS):
        if next(counter) >= _MAX_LAYERS:
            break
        try:
            found.append(_layer(as_map(item), counter, nesting))
        except MalformedError:
            continue
    return tuple(found)


def _layer(given: dict[str, Any], counter: Iterator[int], nesting: int) -> LayerFact:
    cls = as_text(given.get("cls"))
    if not cls:
        msg = "a layer without a class"
        raise MalformedError(msg)
    return LayerFact(
        name=as_text(given.get("name")) or cls.lower(),
        cls=cls,
        custom=as_text(given.get("custom")) or None,
        output_shape=as_shape(given.get("output_shape")),
        input_shape=as_shape(given.get("input_shape")),
        parameters=as_int(given.get("parameters")) or 0,
        trainable=as_bool(given.get("trainable")) is not False,
        config=as_json(as_map(given.get("config"))),
        layers=_layers(given.get("layers"), counter, nesting - 1) if nesting > 0 else (),
        inbound=as_texts(given.get("inbound"), 100),
    )
