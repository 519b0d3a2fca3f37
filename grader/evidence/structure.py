"""Convert descriptions of models, from the recorder or the predictor, to facts."""

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
    holds,
    need_id,
)
from grader.facts.layers import canonical_layer
from grader.inside.record.events import LayerDescription, ModelDescription, OutputDescription
from grader.inside.record.predictions import MAX_PARTS
from grader.schema.evidence import LayerFact, ModelFact, OutputFact

__all__ = ["read_layers", "read_model", "read_outputs"]

_MAX_LAYERS = 2000
_MAX_NESTING = 8


def read_model(value: object, *, cell: int | None = None, event: int | None = None) -> ModelFact:
    """Convert a model's description, as in `docs/events.md`, to a fact.

    Args:
        value: A value from JSON.
        cell: Index of the notebook's cell that created the model.
        event: Number of the event with the description.

    Raises:
        MalformedError: It does not describe a model.
    """
    description = claim(ModelDescription, value)
    model = need_id(description["id"])
    name = as_text(description["name"]) or model
    return ModelFact(
        id=model,
        name=name,
        cls=as_text(description["cls"]) or "Model",
        cell=cell,
        event=event,
        dialect="keras2" if description["dialect"] == "keras2" else "keras3",
        input_shape=as_shape(description["input_shape"]),
        output_shape=as_shape(description["output_shape"]),
        outputs=read_outputs(description),
        parameters=as_int(description["parameters"]),
        trainable_parameters=as_int(description["trainable_parameters"]),
        layers=read_layers(description["layers"]),
        shares_layers_with=as_texts(description["shares_layers_with"], 100, 64),
        formerly=as_text(description["formerly"], 64) or None,
    )


def read_outputs(value: object) -> tuple[OutputFact, ...]:
    """Read the outputs of a model with several; none for a single one, or if they are unknown.

    Args:
        value: A description of a model as in `docs/events.md`.
    """
    model = claim(ModelDescription, value)
    if not holds(model, "outputs"):
        return ()
    outputs = claims(OutputDescription, model["outputs"], MAX_PARTS)
    return tuple(OutputFact(name=as_text(output["name"]), shape=as_shape(output["shape"])) for output in outputs)


def read_layers(value: object) -> tuple[LayerFact, ...]:
    """Convert a list of layers, at most 2,000 including nested ones; other items are left out."""
    return _layers(value, itertools.count(), _MAX_NESTING)


def _layers(value: object, counter: Iterator[int], nesting: int) -> tuple[LayerFact, ...]:
    layers: list[LayerFact] = []
    for item in claims(LayerDescription, value, _MAX_LAYERS):
        if next(counter) >= _MAX_LAYERS:
            break
        try:
            layers.append(_layer(item, counter, nesting))
        except MalformedError:
            continue
    return tuple(layers)


def _layer(layer: LayerDescription, counter: Iterator[int], nesting: int) -> LayerFact:
    cls = as_text(layer["cls"])
    if not cls:
        msg = "a layer without a class"
        raise MalformedError(msg)
    return LayerFact(
        name=as_text(layer["name"]) or cls.lower(),
        cls=canonical_layer(cls),
        custom=as_text(layer["custom"]) or None,
        output_shape=as_shape(layer["output_shape"]),
        input_shape=as_shape(layer["input_shape"]),
        parameters=as_int(layer["parameters"]) or 0,
        trainable=as_bool(layer["trainable"]) is not False,
        config=as_json(as_map(layer["config"])),
        layers=_layers(layer["layers"], counter, nesting - 1) if nesting > 0 else (),
        inbound=as_texts(layer["inbound"], 100),
        ready_made=as_bool(layer["ready_made"]) is True,
    )
