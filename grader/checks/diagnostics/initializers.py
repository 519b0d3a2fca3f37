"""Kernels whose weights all start with the same value."""

from collections.abc import Mapping

from grader.checks.registry import diagnostic
from grader.checks.support.whole_models import whole_models
from grader.facts.case import Case
from grader.facts.layers import Network, is_transform
from grader.schema.base import Json
from grader.schema.evidence import LayerFact
from grader.schema.grade import Diagnostic
from grader.schema.message import say

__all__ = ["equal_kernels"]

_CONSTANTS = {"zeros": 0.0, "ones": 1.0}


@diagnostic("zero-kernel-initialiser")
def equal_kernels(case: Case) -> tuple[Diagnostic, ...]:
    """All kernel weights of a layer start with the same number, usually 0.

    What it does:
        Looks for `Zeros`, `Ones` or `Constant` as `kernel_initializer` of a layer with more than one unit. Ignores the
        last layer of a model: its units get different gradients from the labels.

    Why it matters:
        Units that start with equal weights compute the same value, and only the layers behind them can make them
        different. With zeros before ReLU no gradient passes, and the layer never learns.

    Example:
        `Conv2D(512, 3, kernel_initializer=keras.initializers.Zeros())`
    """
    notes = []
    for model in whole_models(case.evidence):
        network = Network(model)
        layers = [
            (layer, value)
            for position, layer in enumerate(network.layers)
            if not layer.ready_made
            and (value := _constant(layer)) is not None
            and _units(layer) > 1
            and any(is_transform(other) for other in network.behind(position))
        ]
        if not layers:
            continue
        notes.append(
            Diagnostic(
                id="zero-kernel-initialiser",
                title=say("All weights of a kernel start with the same value"),
                cell=model.cell,
                message=say(
                    "In {model:code}, all kernel weights of {layers:code} start at {values:number or}.",
                    model=model.name,
                    layers=[layer.name for layer, _ in layers],
                    values=sorted({value for _, value in layers}),
                ),
                advice=say(
                    "Keep the random default of `kernel_initializer` (Glorot), or use He for ReLU. Units with equal "
                    "weights begin as copies of one unit. With zeros before ReLU, no gradient passes, and the layer "
                    "never learns."
                ),
                model=model.id,
            )
        )
    return tuple(notes)


def _constant(layer: LayerFact) -> float | None:
    initializer = layer.config.get("kernel_initializer")
    name = initializer.get("class_name") if isinstance(initializer, Mapping) else initializer
    if not isinstance(name, str):
        return None
    if name.lower() == "constant":
        settings = initializer.get("config") if isinstance(initializer, Mapping) else None
        return _number(settings.get("value", 0.0)) if isinstance(settings, Mapping) else 0.0
    return _CONSTANTS.get(name.lower())


def _number(value: Json) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _units(layer: LayerFact) -> int:
    value = layer.config.get("filters", layer.config.get("units", 0))
    return value if isinstance(value, int) else 0
