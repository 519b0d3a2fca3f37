"""The check `batch_norm`."""

from typing import Annotated, Literal

from pydantic import Field

from grader.checks.registry import check
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import Whole, WithModel
from grader.facts.case import Case
from grader.facts.layers import Network, is_transform, own_activation
from grader.facts.wording import listed, plural
from grader.schema.base import Pointer
from grader.schema.grade import Finding

__all__ = ["BatchNormParams", "Place", "batch_norm", "places_of"]

Place = Literal["input", "before_activation", "after_activation", "linear"]

_WORDS = {
    "input": "on the input",
    "before_activation": "before an activation",
    "after_activation": "behind an activation",
    "linear": "with no activation beside it",
}


class BatchNormParams(WithModel):
    """Parameters of `batch_norm`."""

    at_least: Annotated[Whole, Field(ge=1)] = 1
    """Fewest such layers."""
    place: Place | tuple[Place, ...] | None = None
    """`before_activation` (between weights and activation), `after_activation`, `input` (before the first weights),
    `linear`, or a list; left out: anywhere."""


@check("batch_norm")
def batch_norm(case: Case, params: BatchNormParams) -> Finding:
    """The network has batch normalisation in the place asked for.

    What it does:
        Finds for every `BatchNormalization` whether it stands between weights and their activation, behind an
        activation, or on the input.

    Why it matters:
        Normalising keeps the size of what flows through a deep network; before the activation it also makes the bias
        of the layer in front superfluous.

    Example:
        `{check: batch_norm, with: {model: normalised, at_least: 20}}`
    """
    model, _ = case.model(params.model)
    if model is None:
        return missing_model(case, params.model)
    found = places_of(Network(model))
    wanted = (params.place,) if isinstance(params.place, str) else params.place
    fitting = [place for place in found if wanted is None or place in wanted]
    passed = len(fitting) >= params.at_least
    counted = [f"{found.count(place)} {_WORDS[place]}" for place in dict.fromkeys(found)]
    asked = "" if wanted is None else f" {listed((_WORDS[place] for place in wanted), 'or')}"
    return Finding.scored(
        (
            f"`{model.name}` has {plural(len(found), 'batch normalisation')}"
            f"{f': {listed(counted)}' if counted else ''} (at least {params.at_least}{asked} wanted)."
        ),
        1.0 if passed else 0.0,
        assurance=model.assurance,
        measured={"found": len(found), "fitting": len(fitting), "places": list(found)},
        evidence=(Pointer(cell=model.cell, event=model.event),),
    )


def places_of(network: Network) -> tuple[Place, ...]:
    """Where each batch normalisation stands, in order.

    Args:
        network: The layers in order.
    """
    return tuple(
        _place(network, position) for position, layer in enumerate(network.layers) if layer.cls == "BatchNormalization"
    )


def _place(network: Network, position: int) -> Place:
    before = network.before(position)
    if not any(is_transform(layer) for layer in before):
        return "input"
    for layer in reversed(before):
        activation = own_activation(layer)
        if activation not in {None, "linear"}:
            return "after_activation"
        if is_transform(layer):
            break
    for layer in network.behind(position):
        if is_transform(layer):
            break
        if own_activation(layer) not in {None, "linear"}:
            return "before_activation"
    return "linear"
