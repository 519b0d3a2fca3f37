"""SELU without the conditions under which it normalizes itself."""

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
from grader.schema.evidence import ArrayFact, FitFact, LayerFact, ModelFact
from grader.schema.grade import Diagnostic
from grader.schema.message import Message, say, say_count, sentences

__all__ = ["SeluInputsNotStandardisedParams", "selu_inputs", "selu_with_plain_dropout", "selu_without_lecun"]

_LECUN = frozenset({"lecun_normal", "lecun_uniform"})


def _selu_layers(network: Network) -> list[LayerFact]:
    """List the layers with weights whose output goes through SELU, without the last layer."""
    return [
        layer
        for position, layer in enumerate(network.layers)
        if is_transform(layer)
        and network.activation(position) == "selu"
        and any(is_transform(other) for other in network.behind(position))
    ]


@diagnostic("selu-without-lecun")
def selu_without_lecun(case: Case) -> tuple[Diagnostic, ...]:
    """SELU layers do not start with LeCun initialization.

    What it does:
        Looks for layers with SELU whose `kernel_initializer` is known and is not LeCun. One note names all models with
        the same mistake.

    Why it matters:
        SELU keeps mean 0 and standard deviation 1 only if the initial weights of each unit have variance 1/n for n
        inputs.

    Example:
        `Dense(100, activation="selu")`, which starts with Glorot initialization.
    """
    groups: defaultdict[tuple[int, tuple[str, ...]], list[ModelFact]] = defaultdict(list)
    for model in case.evidence.models:
        if not case.is_noted(model.id):
            continue  # one note names several models
        initializers = [initialiser_of(layer) for layer in _selu_layers(Network(model))]
        wrong = [name for name in initializers if name is not None and name not in _LECUN]
        if wrong:
            groups[len(wrong), tuple(sorted(set(wrong)))].append(model)
    return tuple(_without_lecun(layers, names, models) for (layers, names), models in groups.items())


def _without_lecun(layers: int, initializers: Sequence[str], models: Sequence[ModelFact]) -> Diagnostic:
    first, *others = models
    return Diagnostic(
        id="selu-without-lecun",
        title=say("SELU without LeCun initialization"),
        cell=first.cell,
        message=sentences(
            say_count(
                "In {model:code}, {count:number} layer with SELU starts with {initializers:code}.",
                "In {model:code}, {count:number} layers with SELU start with {initializers:code}.",
                layers,
                model=first.name,
                initializers=initializers,
            ),
            _same_with((other, other.cell) for other in others),
        ),
        advice=say(
            'Set `kernel_initializer="lecun_normal"` in these layers. SELU normalizes itself only from this start; '
            "with another initializer the signal grows or shrinks from layer to layer."
        ),
        model=first.id,
    )


def _same_with(others: Iterable[tuple[ModelFact, int | None]]) -> Message | None:
    """Name other models with the same mistake, and their cells; None if there are none."""
    models = [say("{model:code} ({cell:cell})", model=model.name, cell=cell) for model, cell in others]
    return say("The same applies to {models}.", models=models) if models else None


class SeluInputsNotStandardisedParams(Params):
    """Parameters of `selu-inputs-not-standardised`.

    Images that were standardized per image, or with numbers of another split, are well within these bounds. Pixels
    from 0 to 1 are not.
    """

    mean_up_to: Number = Field(default=0.25, ge=0)
    """Largest distance of the mean of the images from 0."""
    std_from: Number = Field(default=0.5, ge=0)
    """Smallest standard deviation."""
    std_up_to: Number = Field(default=2.0, gt=0)
    """Largest standard deviation."""


@diagnostic("selu-inputs-not-standardised")
def selu_inputs(case: Case, parameters: SeluInputsNotStandardisedParams) -> tuple[Diagnostic, ...]:
    """A model with SELU was trained on images that are not standardized.

    What it does:
        Looks at the mean and the standard deviation of the training images of a model with SELU. Ignores a model that
        normalizes its inputs in a layer or an operation before its first weights. Reports the first such training of
        each model, and all models in one note.

    Why it matters:
        SELU keeps mean 0 and standard deviation 1 only if its inputs have them.

    Example:
        `model.fit(x_train / 255, …)` of a model with `activation="selu"`.
    """
    cases: list[tuple[ModelFact, FitFact, ArrayFact]] = []
    for model in case.evidence.models:
        if not case.is_noted(model.id) or not _selu_layers(Network(model)) or _normalises(model):
            continue  # one note names several models
        fit = next((f for f in case.evidence.fits_of(model.id) if _not_standardised(f.x, parameters)), None)
        if fit is not None and fit.x is not None:
            cases.append((model, fit, fit.x))
    if not cases:
        return ()
    model, fit, images = cases[0]
    return (
        Diagnostic(
            id="selu-inputs-not-standardised",
            title=say("SELU with inputs that are not standardized"),
            cell=fit.cell,
            message=sentences(
                say(
                    "{model:code} uses SELU, but {cell:cell} trained it on images with mean {mean:number} and standard "
                    "deviation {std:number}.",
                    model=model.name,
                    cell=fit.cell,
                    mean=images.mean,
                    std=images.std,
                ),
                _same_with((other, later.cell) for other, later, _ in cases[1:]),
            ),
            advice=say(
                "Subtract the mean of the training images, then divide by their standard deviation. Use the same two "
                "numbers for validation and test images. SELU keeps mean 0 and standard deviation 1 only if its inputs "
                "have them."
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
        Plain dropout sets units to 0 and scales the others. This changes the standard deviation that SELU keeps at 1.

    Example:
        `Dense(100, activation="selu")`, then `Dropout(0.2)`.
    """
    notes = []
    for model in case.evidence.models:
        network = Network(model)
        layers = [
            layer
            for position, layer in enumerate(network.layers)
            if layer.cls in DROPOUTS - {"AlphaDropout"} and activation_before(network, position) == "selu"
        ]
        if layers:
            notes.append(
                Diagnostic(
                    id="selu-with-plain-dropout",
                    title=say("SELU with plain dropout"),
                    cell=model.cell,
                    message=say_count(
                        "In {model:code}, the dropout layer {layers} follows SELU.",
                        "In {model:code}, {count:number} dropout layers follow SELU: {layers}.",
                        len(layers),
                        model=model.name,
                        layers=[say("{layer:code} ({cls})", layer=layer.name, cls=layer.cls) for layer in layers],
                    ),
                    advice=say(
                        "Use `AlphaDropout` after SELU. It keeps the mean and the standard deviation; plain dropout "
                        "changes them."
                    ),
                    model=model.id,
                )
            )
    return tuple(notes)
