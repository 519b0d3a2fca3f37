"""Activations and dropout in the wrong place."""

from pydantic import Field

from grader.checks.registry import diagnostic
from grader.checks.support.params import Params, Whole
from grader.facts.case import Case
from grader.facts.layers import DROPOUTS, Network, final_activation, is_transform, own_activation
from grader.facts.wording import listed, number
from grader.schema.evidence import LayerFact, ModelFact
from grader.schema.grade import Diagnostic

__all__ = ["SigmoidOnOneOfManyParams", "dropout_after_output", "hidden_softmax", "sigmoid_on_one_of_many"]

_GATES = frozenset({"Multiply", "Dot", "Attention"})
_FEWEST_CLASSES = 3
_ONE_OF_MANY_LOSSES = frozenset({"categorical_crossentropy", "sparse_categorical_crossentropy"})


@diagnostic("softmax-in-hidden-layer")
def hidden_softmax(case: Case) -> tuple[Diagnostic, ...]:
    """A hidden layer ends in softmax.

    What it does:
        Looks for softmax, as `activation=` or as a layer of its own, with further trained layers behind it. Softmax
        whose output multiplies something else (attention) is left alone.

    Why it matters:
        Softmax lets one or a few units through and silences the rest, so most of a wide layer is wasted.

    Example:
        `Dense(512, activation="softmax")` before `Dense(10)`.
    """
    notes = []
    for model in case.evidence.models:
        network = Network(model)
        found = [layer for position, layer in enumerate(network.layers) if _hidden_softmax(network, position, layer)]
        if not found:
            continue
        several = len(found) > 1
        notes.append(
            Diagnostic(
                id="softmax-in-hidden-layer",
                title="Softmax in a hidden layer",
                cell=model.cell,
                message=(
                    f"`{model.name}` applies softmax inside the network, in {listed(f'`{x.name}`' for x in found)}"
                    f"{_widths(found)}; {'they are' if several else 'it is'} not the output."
                ),
                advice=(
                    "Use ReLU (or ELU) in hidden layers and softmax only at the output. Softmax makes units compete "
                    "until one or a few are left, so that a wide hidden layer passes on almost nothing."
                ),
                model=model.id,
            )
        )
    return tuple(notes)


def _hidden_softmax(network: Network, position: int, layer: LayerFact) -> bool:
    if own_activation(layer) != "softmax" or any(map(_is_gate, network.next(position))):
        return False
    return any(is_transform(other) for other in network.behind(position))


def _is_gate(layer: LayerFact) -> bool:
    """Whether a layer may multiply its input with something; of an operation nearly all may be part of that."""
    return layer.cls in _GATES or layer.operation is not None


def _widths(layers: list[LayerFact]) -> str:
    widths = [layer.output_shape[-1] for layer in layers if layer.output_shape and layer.output_shape[-1]]
    return f" ({listed(f'{number(w)} units' for w in widths)})" if len(widths) == len(layers) else ""


class SigmoidOnOneOfManyParams(Params):
    """Parameters of `sigmoid-on-one-of-many`."""

    most_classes: Whole = Field(default=100, ge=_FEWEST_CLASSES)
    """Largest number of outputs to take for classes if neither the labels nor the loss tell what they are."""


@diagnostic("sigmoid-on-one-of-many")
def sigmoid_on_one_of_many(case: Case, parameters: SigmoidOnOneOfManyParams) -> tuple[Diagnostic, ...]:
    """Exactly one of several classes is right, and the output is sigmoid.

    What it does:
        Looks for three or more outputs with sigmoid where labels were one class an image, where the loss says so, or,
        for a network that was never compiled, where the outputs are few enough to be classes.

    Why it matters:
        Each sigmoid answers for itself, so the outputs do not sum to 1 and two classes can both be certain.

    Example:
        `Dense(10, activation="sigmoid")` for ten digits.
    """
    return tuple(
        Diagnostic(
            id="sigmoid-on-one-of-many",
            title="Sigmoid where one class of several is right",
            cell=model.cell,
            message=(
                f"`{model.name}` ends in {_outputs(model)} sigmoid outputs, of which exactly one is right for an image."
            ),
            advice=(
                "Use softmax at the output, or no activation and a loss with `from_logits=True`. Each sigmoid answers "
                "yes or no for itself; softmax shares one certainty among the classes, as cross-entropy over classes "
                "expects."
            ),
            model=model.id,
        )
        for model in case.evidence.models
        if final_activation(model) == "sigmoid" and _one_of_many(case, model, parameters.most_classes)
    )


def _outputs(model: ModelFact) -> int:
    shape = model.output_shape
    return (shape[0] or 0) if shape is not None and len(shape) == 1 else 0


def _one_of_many(case: Case, model: ModelFact, most_classes: int) -> bool:
    outputs = _outputs(model)
    if outputs < _FEWEST_CLASSES:
        return False
    labels = [fit.y for fit in case.evidence.fits_of(model.id) if fit.y is not None]
    if labels:
        return any(len(label.classes) > 1 for label in labels)
    compiled = case.evidence.last_compile(model.id)
    if compiled is not None and compiled.loss is not None:
        return compiled.loss.name in _ONE_OF_MANY_LOSSES
    return outputs <= most_classes


@diagnostic("dropout-after-output")
def dropout_after_output(case: Case) -> tuple[Diagnostic, ...]:
    """Dropout comes behind the output.

    What it does:
        Looks for a dropout layer with no trained layer behind it. A network that was neither compiled nor trained and
        whose layers are another's as well is a part of that one, and its end is not an output.

    Why it matters:
        During training it sets the right class's probability to 0 now and then, and the loss of that is unbounded.

    Example:
        `Dense(10, activation="softmax")`, then `Dropout(0.5)`.
    """
    notes = []
    for model in case.evidence.models:
        if _is_part(case, model):
            continue
        network = Network(model)
        for position, layer in enumerate(network.layers):
            if layer.cls not in DROPOUTS or any(is_transform(other) for other in network.behind(position)):
                continue
            if not any(is_transform(other) for other in network.before(position)):
                continue
            notes.append(_dropped_output(model, layer, followed=bool(network.behind(position))))
    return tuple(notes)


def _is_part(case: Case, model: ModelFact) -> bool:
    evidence = case.evidence
    if evidence.fits_of(model.id) or evidence.last_compile(model.id) is not None:
        return False
    return bool(model.shares_layers_with) or any(model.id in other.shares_layers_with for other in evidence.models)


def _dropped_output(model: ModelFact, layer: LayerFact, *, followed: bool) -> Diagnostic:
    rate = layer.config.get("rate")
    part = f" sets {100 * rate:.0f} % of the outputs to 0" if isinstance(rate, (int, float)) else " drops outputs"
    place = "behind the last trained layer" if followed else "behind the output"
    return Diagnostic(
        id="dropout-after-output",
        title="Dropout after the output",
        cell=model.cell,
        message=f"`{layer.name}` stands {place} of `{model.name}` and{part} in every training step.",
        advice=(
            "Put dropout between hidden layers, before the last `Dense`. Behind the output it erases the right class's "
            "probability at random, the rest no longer sums to 1, and the logarithm of 0 ruins the loss."
        ),
        model=model.id,
    )
