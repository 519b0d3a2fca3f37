"""Describe the layers of a model."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from grader.facts.alignment import SETTINGS, Layer, layer_class, setting
from grader.facts.language import Language
from grader.report.text import ENGLISH, cut, shape
from grader.schema.message import Message, literal, say, say_count

__all__ = ["LayerView", "layer_view"]

_MOST_AXES = 3


@dataclass(frozen=True, slots=True)
class LayerView:
    """One layer in the form that the diagram shows."""

    kind: str
    """Class name; for a subclass, the student's class name."""
    detail: str
    """Its most important settings, such as width, kernel and activation."""
    output: str
    parameters: int
    frozen: bool


def layer_view(layer: Layer, language: Language = ENGLISH) -> LayerView:
    """Describe a layer for the diagram."""
    return LayerView(
        kind=cut(layer_class(layer), 60),
        detail=_detail(json.dumps({key: layer.config.get(key) for key in SETTINGS}), language),
        output=shape(layer.output_shape, language),
        parameters=layer.parameters,
        frozen=not layer.trainable and layer.parameters > 0,
    )


@lru_cache(maxsize=4096)
def _detail(config: str, language: Language) -> str:
    """Describe settings, given as JSON; many layers of a class are alike."""
    return cut(", ".join(map(language.text, _details(json.loads(config)))), 120)


def _details(config: Mapping[str, Any]) -> list[Message]:
    """List the settings that distinguish layers."""
    parts: list[Message] = []
    if isinstance(config.get("filters"), int):
        parts.append(say_count("{count} filter", "{count} filters", config["filters"]))
    if isinstance(config.get("units"), int):
        parts.append(say_count("{count} unit", "{count} units", config["units"]))
    parts += [
        say("{size:shape}", size=size) for key in ("kernel_size", "pool_size") if (size := _size(config.get(key)))
    ]
    strides = _size(config.get("strides"))
    if strides and not config.get("pool_size") and set(strides) != {1}:
        parts.append(say("strides {size:shape}", size=strides))
    if config.get("padding") == "same":
        parts.append(say("same padding"))
    if isinstance(config.get("rate"), int | float):
        parts.append(say("rate {rate}", rate=config["rate"]))
    activation = setting(config.get("activation"))
    if activation and activation != "linear":
        parts.append(literal(str(activation)))
    return parts


def _size(size: object) -> tuple[int, ...]:
    """Return a size as a tuple; empty if it is not a usual size."""
    if isinstance(size, int) and not isinstance(size, bool):
        return (size,)
    if isinstance(size, list | tuple) and 0 < len(size) <= _MOST_AXES and all(isinstance(n, int) for n in size):
        return tuple(size)
    return ()
