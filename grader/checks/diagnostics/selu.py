"""SELU without what it needs to normalise itself."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from pydantic import Field

from grader.checks.dropout import activation_before
from grader.checks.registry import diagnostic
from grader.checks.support.params import Number, Params
from grader.facts.case import Case
from grader.facts.initializers import initialiser_of
from grader.facts.layers import DROPOUTS, SCALING_LAYERS, Network, is_transform
from grader.facts.operations import is_opaque
from grader.facts.wording import decimal, listed, plural
from grader.schema.base import spoken_cell
from grader.schema.evidence import ArrayFact, FitFact, LayerFact, ModelFact
from grader.schema.grade import Diagnostic

__all__ = ["SeluInputsNotStandardisedParams", "selu_inputs", "selu_with_plain_dropout", "selu_without_lecun"]

_LECUN = frozenset({"lecun_normal", "lecun_uniform"})


def _selu_layers(network: Network) -> list[LayerFact]:
    """Trained layers whose output goes through SELU, the last one left out."""
    return [
        layer
        for position, layer in enumerate(network.layers)
        if is_transform(layer)
        and network.activation(position) == "selu"
        and any(is_transform(other) for other in network.behind(position))
    ]


@diagnostic("selu-without-lecun")
def selu_without_lecun(case: Case) -> tuple[Diagnostic, ...]:
    """SELU layers do not begin with LeCun's initialisation.

    What it does:
        Looks for trained layers with SELU whose kernel initialiser is known and is not LeCun's. Networks in which it
        is the same are named in one note.

    Why it matters:
        SELU keeps mean 0 and deviation 1 only when each unit's weights begin with a variance of 1 over its inputs.

    Example:
        `Dense(100, activation="selu")`, which begins with Glorot's initialisation.
    """
    groups: defaultdict[tuple[int, str], list[ModelFact]] = defaultdict(list)
    for model in case.evidence.models:
        if not case.is_noted(model.id):
            continue  # one note names several models
        found = [initialiser_of(layer) for layer in _selu_layers(Network(model))]
        wrong = [name for name in found if name is not None and name not in _LECUN]
        if wrong:
            groups[len(wrong), listed(sorted(set(wrong)))].append(model)
    return tuple(_without_lecun(number, names, models) for (number, names), models in groups.items())


def _without_lecun(number: int, names: str, models: Sequence[ModelFact]) -> Diagnostic:
    first, *others = models
    begin = "begins" if number == 1 else "begin"
    return Diagnostic(
        id="selu-without-lecun",
        title="SELU without LeCun initialisation",
        cell=first.cell,
        message=(
            f"In `{first.name}`, {plural(number, 'layer')} with SELU {begin} with {names}."
            + _same_with((other, other.cell) for other in others)
        ),
        advice=(
            'Give these layers `kernel_initializer="lecun_normal"`. SELU normalises itself only from there; '
            "with another initialiser the signal grows or shrinks from layer to layer."
        ),
        model=first.id,
    )


def _same_with(others: Iterable[tuple[ModelFact, int | None]]) -> str:
    """A sentence that names other networks and their cells; empty where there are none."""
    named = listed(f"`{model.name}` ({spoken_cell(cell)})" for model, cell in others)
    return f" It is the same with {named}." if named else ""


class SeluInputsNotStandardisedParams(Params):
    """Parameters of `selu-inputs-not-standardised`.

    Standardised images of another split, or per image, are well within these bounds; pixels from 0 to 1 are not.
    """

    mean_up_to: Number = Field(default=0.25, ge=0)
    """Largest distance of the images' mean from 0."""
    std_from: Number = Field(default=0.5, ge=0)
    """Smallest standard deviation."""
    std_up_to: Number = Field(default=2.0, gt=0)
    """Largest standard deviation."""


@diagnostic("selu-inputs-not-standardised")
def selu_inputs(case: Case, parameters: SeluInputsNotStandardisedParams) -> tuple[Diagnostic, ...]:
    """A SELU network is given images that are not standardised.

    What it does:
        Looks at mean and deviation of what each training of a network with SELU was given, unless the network
        normalises in a layer or an operation before its first weights. Only the first such training of a network is
        named, and all networks in one note.

    Why it matters:
        The mean and deviation that SELU keeps are those of its inputs: 0 and 1.

    Example:
        `model.fit(x_train / 255, …)` of a network with `activation="selu"`.
    """
    found: list[tuple[ModelFact, FitFact, str]] = []
    for model in case.evidence.models:
        if not case.is_noted(model.id) or not _selu_layers(Network(model)) or _normalises(model):
            continue  # one note names several models
        fit = next((f for f in case.evidence.fits_of(model.id) if _not_standardised(f.x, parameters)), None)
        if fit is not None and fit.x is not None and fit.x.mean is not None and fit.x.std is not None:
            found.append((model, fit, f"mean {decimal(fit.x.mean)} and deviation {decimal(fit.x.std)}"))
    if not found:
        return ()
    model, fit, figures = found[0]
    return (
        Diagnostic(
            id="selu-inputs-not-standardised",
            title="SELU with inputs that are not standardised",
            cell=fit.cell,
            message=(
                f"`{model.name}` uses SELU, and the images that {spoken_cell(fit.cell)} trained it on have {figures}."
                + _same_with((other, later.cell) for other, later, _ in found[1:])
            ),
            advice=(
                "Subtract the training images' mean and divide by their standard deviation, with the same figures for "
                "validation and test images. SELU keeps mean 0 and deviation 1 only where it gets them."
            ),
            model=model.id,
        ),
    )


def _not_standardised(x: ArrayFact | None, bounds: SeluInputsNotStandardisedParams) -> bool:
    if x is None or x.mapped or x.mean is None or x.std is None:
        return False
    return abs(x.mean) > bounds.mean_up_to or not bounds.std_from <= x.std <= bounds.std_up_to


def _normalises(model: ModelFact) -> bool:
    for layer in Network(model).layers:
        if layer.cls in SCALING_LAYERS or is_opaque(layer):
            return True
        if is_transform(layer):
            return False
    return False


@diagnostic("selu-with-plain-dropout")
def selu_with_plain_dropout(case: Case) -> tuple[Diagnostic, ...]:
    """Plain dropout follows a SELU layer.

    What it does:
        Looks for a dropout layer other than `AlphaDropout` whose input comes from SELU.

    Why it matters:
        Plain dropout sets units to 0 and scales the others, and with that changes the deviation SELU keeps at 1.

    Example:
        `Dense(100, activation="selu")`, then `Dropout(0.2)`.
    """
    notes = []
    for model in case.evidence.models:
        network = Network(model)
        found = [
            layer
            for position, layer in enumerate(network.layers)
            if layer.cls in DROPOUTS - {"AlphaDropout"} and activation_before(network, position) == "selu"
        ]
        if found:
            notes.append(
                Diagnostic(
                    id="selu-with-plain-dropout",
                    title="SELU with plain dropout",
                    cell=model.cell,
                    message=(
                        f"In `{model.name}`, {listed(f'`{x.name}` ({x.cls})' for x in found[:3])}"
                        f"{' …' if len(found) > 3 else ''} follows SELU."  # noqa: PLR2004 - a few names are enough
                    ),
                    advice=(
                        "Use `AlphaDropout` behind SELU. It sets units to SELU's own lowest value and corrects the "
                        "rest, so that mean and deviation stay as they are."
                    ),
                    model=model.id,
                )
            )
    return tuple(notes)
