"""Activations and dropout in the wrong place."""

from pydantic import Field

from grader.checks.registry import diagnostic
from grader.checks.support.params import Params, Whole
from grader.checks.support.whole_models import whole_models
from grader.facts.case import Case
from grader.facts.layers import DROPOUTS, Network, final_activation, is_transform, own_activation
from grader.schema.evidence import LayerFact, ModelFact
from grader.schema.grade import Diagnostic
from grader.schema.message import Message, say, say_count, sentences

__all__ = ["SigmoidOnOneOfManyParams", "dropout_after_output", "hidden_softmax", "sigmoid_on_one_of_many"]

_GATES = frozenset({"Multiply", "Dot", "Attention"})
_FEWEST_CLASSES = 3
_ONE_OF_MANY_LOSSES = frozenset({"categorical_crossentropy", "sparse_categorical_crossentropy"})


@diagnostic("softmax-in-hidden-layer")
def hidden_softmax(case: Case) -> tuple[Diagnostic, ...]:
    """A hidden layer ends in softmax.

    What it does:
        Looks for softmax, as `activation=` or as a separate layer, that layers with weights follow. Ignores softmax
        whose output multiplies something else (attention).

    Why it matters:
        Softmax lets one or a few units win and suppresses the rest, so most of a wide layer is wasted.

    Example:
        `Dense(512, activation="softmax")` before `Dense(10)`.
    """
    notes = []
    for model in whole_models(case.evidence):
        network = Network(model)
        layers = [layer for position, layer in enumerate(network.layers) if _hidden_softmax(network, position, layer)]
        if not layers:
            continue
        notes.append(
            Diagnostic(
                id="softmax-in-hidden-layer",
                title=say("Softmax in a hidden layer"),
                cell=model.cell,
                message=say_count(
                    "{model:code} applies softmax in a hidden layer: {layers}.",
                    "{model:code} applies softmax in {count:number} hidden layers: {layers}.",
                    len(layers),
                    model=model.name,
                    layers=[_with_width(layer) for layer in layers],
                ),
                advice=say(
                    "Use ReLU (or ELU) in hidden layers, and softmax only at the output. Softmax lets one or a few "
                    "units win, so a wide hidden layer passes on almost nothing."
                ),
                model=model.id,
            )
        )
    return tuple(notes)


def _hidden_softmax(network: Network, position: int, layer: LayerFact) -> bool:
    if layer.ready_made or own_activation(layer) != "softmax" or any(map(_is_gate, network.next(position))):
        return False
    return any(is_transform(other) for other in network.behind(position))


def _is_gate(layer: LayerFact) -> bool:
    """Whether a layer may multiply its input with something; almost any operation can be part of that."""
    return layer.cls in _GATES or layer.operation is not None


def _with_width(layer: LayerFact) -> Message:
    width = layer.output_shape[-1] if layer.output_shape else None
    if not width:
        return say("{layer:code}", layer=layer.name)
    return say_count(
        "{layer:code} ({count:number} unit)", "{layer:code} ({count:number} units)", width, layer=layer.name
    )


class SigmoidOnOneOfManyParams(Params):
    """Parameters of `sigmoid-on-one-of-many`."""

    most_classes: Whole = Field(default=100, ge=_FEWEST_CLASSES)
    """Largest number of outputs that count as classes if neither the labels nor the loss show it."""


@diagnostic("sigmoid-on-one-of-many")
def sigmoid_on_one_of_many(case: Case, parameters: SigmoidOnOneOfManyParams) -> tuple[Diagnostic, ...]:
    """The output is sigmoid although exactly one of several classes is right.

    What it does:
        Looks for three or more sigmoid outputs with labels of one class per image, or with a loss for such labels. For
        a model that was neither compiled with a loss nor trained, the outputs must be few enough to be classes.

    Why it matters:
        Each sigmoid decides alone, so the outputs do not sum to 1, and two classes can both be certain.

    Example:
        `Dense(10, activation="sigmoid")` for ten digits.
    """
    return tuple(
        Diagnostic(
            id="sigmoid-on-one-of-many",
            title=say("Sigmoid output although only one class is right"),
            cell=model.cell,
            message=say(
                "{model:code} ends in {outputs:number} sigmoid outputs, but each image has exactly one right class.",
                model=model.name,
                outputs=_outputs(model),
            ),
            advice=say(
                "Use softmax at the output, or no activation and a loss with `from_logits=True`. Each sigmoid decides "
                "alone, so the outputs do not sum to 1, as cross-entropy over classes expects."
            ),
            model=model.id,
        )
        for model in whole_models(case.evidence)
        if final_activation(model) == "sigmoid" and _one_of_many(case, model, parameters.most_classes)
    )


def _outputs(model: ModelFact) -> int:
    shape = model.output_shape
    return (shape[0] or 0) if shape is not None and len(shape) == 1 else 0


def _one_of_many(case: Case, model: ModelFact, most_classes: int) -> bool:
    outputs = _outputs(model)
    if outputs < _FEWEST_CLASSES:
        return False
    trainings = case.evidence.fits_of(model.id)
    labels = [fit.y for fit in trainings if fit.y is not None]
    if labels:
        return any(len(label.classes) > 1 for label in labels)
    compiled = case.evidence.last_compile(model.id)
    if compiled is not None and compiled.loss is not None:
        return compiled.loss.name in _ONE_OF_MANY_LOSSES
    if trainings:
        # Its labels are unknown: an image may have several.
        return any(fit.loss is not None and fit.loss.name in _ONE_OF_MANY_LOSSES for fit in trainings)
    return outputs <= most_classes


@diagnostic("dropout-after-output")
def dropout_after_output(case: Case) -> tuple[Diagnostic, ...]:
    """Dropout follows the output.

    What it does:
        Looks for a dropout layer that no layer with weights follows. Ignores a model that was neither compiled nor
        trained and shares its layers with another model: it is a part of that model, so its end is not an output.
        Neither is the end of a model that a training loop trains by the loss of another one.

    Why it matters:
        In some training steps it sets the probability of the right class to 0, where the loss has no upper bound.

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
            if layer.ready_made or not any(is_transform(other) for other in network.before(position)):
                continue
            notes.append(_dropped_output(model, layer, followed=bool(network.behind(position))))
    return tuple(notes)


def _is_part(case: Case, model: ModelFact) -> bool:
    evidence = case.evidence
    if evidence.last_compile(model.id) is not None:
        return False
    trainings = evidence.fits_of(model.id)
    if trainings:
        return all(fit.loss_of and model.id not in fit.loss_of for fit in trainings)
    return bool(model.shares_layers_with) or any(model.id in other.shares_layers_with for other in evidence.models)


def _dropped_output(model: ModelFact, layer: LayerFact, *, followed: bool) -> Diagnostic:
    names = {"layer": layer.name, "model": model.name}
    rate = layer.config.get("rate")
    return Diagnostic(
        id="dropout-after-output",
        title=say("Dropout after the output"),
        cell=model.cell,
        message=sentences(
            say("{layer:code} comes after the last layer with weights of {model:code}.", **names)
            if followed
            else say("{layer:code} comes after the output of {model:code}.", **names),
            say("It sets {rate:percent} of the outputs to 0 in every training step.", rate=rate)
            if isinstance(rate, (int, float))
            else say("It sets outputs to 0 in every training step."),
        ),
        advice=say(
            "Move dropout between hidden layers, before the last `Dense`. After the output it can erase the "
            "probability of the right class, and a probability of 0 makes the loss extremely large."
        ),
        model=model.id,
    )
