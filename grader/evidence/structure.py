"""Descriptions of models, from the recorder or from the predictor, become typed."""

import itertools
from collections.abc import Iterator

from grader.evidence.claims import (
    MalformedError,
    as_bool,
    as_int,
    as_json,
    as_map,
    as_shape,
    as_text,
    as_texts,
    claim,
    claims,
    need_id,
)
from grader.inside.record.events import LayerDescription, ModelDescription
from grader.schema.evidence import LayerFact, ModelFact

__all__ = ["read_layers", "read_model"]

_MAX_LAYERS = 2000
_MAX_NESTING = 8


def read_model(value: object, *, cell: int | None = None, event: int | None = None) -> ModelFact:
    """Type a model's description as `docs/events.md` gives it.

    Args:
        value: What was read from JSON.
        cell: Index of the notebook's cell that made it.
        event: The event that describes it.

    Raises:
        MalformedError: It is no description of a model.
    """
    given = claim(ModelDescription, value)
    model = need_id(given["id"])
    name = as_text(given["name"]) or model
    return ModelFact(
        id=model,
        name=name,
        cls=as_text(given["cls"]) or "Model",
        cell=cell,
        event=event,
        dialect="keras2" if given["dialect"] == "keras2" else "keras3",
        input_shape=as_shape(given["input_shape"]),
        output_shape=as_shape(given["output_shape"]),
        parameters=as_int(given["parameters"]),
        trainable_parameters=as_int(given["trainable_parameters"]),
        layers=read_layers(given["layers"]),
        shares_layers_with=as_texts(given["shares_layers_with"], 100, 64),
        formerly=as_text(given["formerly"], 64) or None,
    )


def read_layers(value: object) -> tuple[LayerFact, ...]:
    """Type a list of layers, at most 2,000 with all nested ones; what is no layer is left out."""
    return _layers(value, itertools.count(), _MAX_NESTING)


def _layers(value: object, counter: Iterator[int], nesting: int) -> tuple[LayerFact, ...]:
    found: list[LayerFact] = []
    for item in claims(LayerDescription, value, _MAX_LAYERS):
        if next(counter) >= _MAX_LAYERS:
            break
        try:
            found.append(_layer(item, counter, nesting))
        except MalformedError:
            continue
    return tuple(found)


def _layer(given: LayerDescription, counter: Iterator[int], nesting: int) -> LayerFact:
    cls = as_text(given["cls"])
    if not cls:
        msg = "a layer without a class"
        raise MalformedError(msg)
    return LayerFact(
        name=as_text(given["name"]) or cls.lower(),
        cls=cls,
        custom=as_text(given["custom"]) or None,
        output_shape=as_shape(given["output_shape"]),
        input_shape=as_shape(given["input_shape"]),
        parameters=as_int(given["parameters"]) or 0,
        trainable=as_bool(given["trainable"]) is not False,
        config=as_json(as_map(given["config"])),
        layers=_layers(given["layers"], counter, nesting - 1) if nesting > 0 else (),
        inbound=as_texts(given["inbound"], 100),
    )
