"""Weights that all begin alike."""

from collections.abc import Mapping

from grader.checks.registry import diagnostic
from grader.facts.case import Case
from grader.facts.layers import Network, is_transform
from grader.facts.wording import listed, plural
from grader.schema.base import Json
from grader.schema.evidence import LayerFact
from grader.schema.grade import Diagnostic

__all__ = ["equal_kernels"]

_CONSTANTS = {"zeros": 0.0, "ones": 1.0}


@diagnostic("zero-kernel-initialiser")
def equal_kernels(case: Case) -> tuple[Diagnostic, ...]:
    """A layer's kernel begins with the same number everywhere, mostly 0.

    What it does:
        Looks for `Zeros`, `Ones` or `Constant` as `kernel_initializer` of a layer with more than one unit, other than
        the network's last one: there the labels tell the units apart.

    Why it matters:
        Units that begin alike get the same gradient and stay alike for ever: the layer has one unit, many times.

    Example:
        `Conv2D(512, 3, kernel_initializer=keras.initializers.Zeros())`
    """
    notes = []
    for model in case.evidence.models:
        network = Network(model)
        found = [
            (layer, value)
            for position, layer in enumerate(network.layers)
            if (value := _constant(layer)) is not None
            and _units(layer) > 1
            and any(is_transform(other) for other in network.behind(position))
        ]
        if not found:
            continue
        values = listed(sorted({f"{value:g}" for _, value in found}))
        notes.append(
            Diagnostic(
                id="zero-kernel-initialiser",
                title="All weights of a kernel begin alike",
                cell=model.cell,
                message=(
                    f"In `{model.name}`, {plural(len(found), 'layer')} "
                    f"({listed(f'`{layer.name}`' for layer, _ in found)}) "
                    f"{'begins' if len(found) == 1 else 'begin'} with every kernel weight at {values}."
                ),
                advice=(
                    "Leave `kernel_initializer` at its random default (Glorot, or He for ReLU). Units that begin alike "
                    "receive the same gradient, so they stay copies of each other, and at zero nothing gets through to "
                    "train them at all."
                ),
                model=model.id,
            )
        )
    return tuple(notes)


def _constant(layer: LayerFact) -> float | None:
    given = layer.config.get("kernel_initializer")
    name = given.get("class_name") if isinstance(given, Mapping) else given
    if not isinstance(name, str):
        return None
    if name.lower() == "constant":
        settings = given.get("config") if isinstance(given, Mapping) else None
        return _number(settings.get("value", 0.0)) if isinstance(settings, Mapping) else 0.0
    return _CONSTANTS.get(name.lower())


def _number(value: Json) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _units(layer: LayerFact) -> int:
    value = layer.config.get("filters", layer.config.get("units", 0))
    return value if isinstance(value, int) else 0
