"""The check `dropout`."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from grader.checks.registry import check
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import Range, Whole, WithModel
from grader.facts.case import Case
from grader.facts.layers import DROPOUTS, Network, is_transform, own_activation
from grader.facts.operations import is_opaque
from grader.facts.wording import listed, plural
from grader.schema.base import Pointer
from grader.schema.evidence import LayerFact
from grader.schema.grade import Finding

__all__ = ["DropoutParams", "activation_before", "dropout"]


class DropoutParams(WithModel):
    """Parameters of `dropout`."""

    kind: Literal["any", "alpha", "plain"] = "any"
    """`alpha` for `AlphaDropout`, `plain` for every other kind."""
    at_least: Annotated[Whole, Field(ge=1)] = 1
    """Fewest such layers."""
    rate: Range | None = None
    """Bounds of the rate."""
    hidden: bool = True
    """Whether trained layers have to stand before and behind it."""
    suits_activation: bool = True
    """Whether alpha dropout has to follow SELU, and SELU no other dropout."""


@check("dropout")
def dropout(case: Case, params: DropoutParams) -> Finding:
    """The network has dropout of the right kind, at a sensible rate, between its layers.

    What it does:
        Counts the dropout layers that fulfil every condition; a class of the student's own counts as what it is derived
        from. Alpha dropout belongs to SELU: it keeps the mean and the deviation that SELU's layers rely on.

    Why it matters:
        Dropout on the input or behind the output erases pixels or answers; plain dropout breaks what SELU normalises.

    Example:
        `{check: dropout, with: {model: alpha, kind: alpha, rate: {at_most: 0.5}}}`
    """
    model, _ = case.model(params.model)
    if model is None:
        return missing_model(case, params.model)
    network = Network(model)
    found = [
        (layer, tuple(_faults(network, position, params)))
        for position, layer in enumerate(network.layers)
        if layer.cls in DROPOUTS
    ]
    fitting = [layer for layer, faults in found if not faults]
    passed = len(fitting) >= params.at_least
    missed = [f"{_described(layer)} {listed(faults)}" for layer, faults in found if faults]
    text = (
        f"`{model.name}` has {plural(len(fitting), 'dropout layer')} as asked for (at least {params.at_least} wanted)"
    )
    if fitting:
        text += f": {listed(map(_described, fitting))}"
    if missed and not passed:
        text += f"; {'; '.join(missed[:3])}"
    return Finding.scored(
        f"{text}.",
        1.0 if passed else 0.0,
        assurance=model.assurance,
        measured={"found": len(fitting), "of_this_kind": len(found)},
        evidence=(Pointer(cell=model.cell, event=model.event),),
    )


def _faults(network: Network, position: int, params: DropoutParams) -> Iterator[str]:
    layer = network.layers[position]
    alpha = layer.cls == "AlphaDropout"
    if params.kind != "any" and alpha != (params.kind == "alpha"):
        yield f"is {'alpha dropout' if alpha else 'not alpha dropout'}"
    rate = layer.config.get("rate")
    if params.rate is not None and not (isinstance(rate, (int, float)) and params.rate.holds(rate)):
        yield f"has a rate that is not {params.rate}"
    if params.hidden and not any(map(is_transform, network.behind(position))):
        yield "stands behind the last trained layer"
    if params.hidden and not any(map(is_transform, network.before(position))):
        yield "stands before the first trained layer"
    activation = activation_before(network, position)
    if params.suits_activation and activation is not None and alpha != (activation == "selu"):
        yield f"follows {activation}" + (", to which it does not belong" if alpha else ", which needs alpha dropout")


def activation_before(network: Network, position: int) -> str | None:
    """The last activation in front of a layer; None where there is none or it cannot be told."""
    for layer in reversed(network.before(position)):
        activation = own_activation(layer)
        if activation not in {None, "linear"}:
            return activation
        if layer.operation is not None and is_opaque(layer):
            return None
        if is_transform(layer):
            return activation
    return None


def _described(layer: LayerFact) -> str:
    rate = layer.config.get("rate")
    return f"`{layer.name}`" + (f" (rate {rate:g})" if isinstance(rate, (int, float)) else "")
