"""Outputs and losses that do not fit together."""

from collections.abc import Iterator

from grader.checks.registry import diagnostic
from grader.facts.case import Case
from grader.facts.layers import final_activation
from grader.schema.evidence import CompileFact, FitFact, LossFact, ModelFact
from grader.schema.grade import Diagnostic
from grader.schema.message import say

__all__ = ["logits_with_probability_loss", "one_unit_softmax", "softmax_with_from_logits"]

_CROSS_ENTROPIES = frozenset(
    {
        "sparse_categorical_crossentropy",
        "categorical_crossentropy",
        "binary_crossentropy",
        "categorical_focal_crossentropy",
        "binary_focal_crossentropy",
    }
)
_PROBABILITY_TITLES = {
    "softmax": say("Softmax output with from_logits=True"),
    "sigmoid": say("Sigmoid output with from_logits=True"),
}
"""Activations that give probabilities, with the title of the note about them."""


def _compiled(case: Case) -> Iterator[tuple[CompileFact, LossFact, ModelFact]]:
    for compiled in case.evidence.compiles:
        model = case.evidence.model(compiled.model)
        if model is not None and compiled.loss is not None and not compiled.loss.custom:
            yield compiled, compiled.loss, model


def _looped(case: Case) -> Iterator[tuple[FitFact, LossFact, ModelFact]]:
    """Find the first custom training loop with a loss of Keras for each model whose output that loss received.

    It can be another model than the trained one: a GAN's generator is trained by the loss of the discriminator.
    """
    looped: set[str] = set()
    for fit in case.evidence.fits:
        receiver = _receiver(case, fit)
        model = case.evidence.model(receiver)
        if model is not None and fit.loss is not None and not fit.loss.custom and receiver not in looped:
            looped.add(receiver)
            yield fit, fit.loss, model


def _receiver(case: Case, fit: FitFact) -> str:
    """Return the id of the model whose output the loss of a loop received; empty if it is unknown."""
    if fit.loss_of is not None:
        return fit.model if fit.model in fit.loss_of else next(iter(fit.loss_of), "")
    # An old record does not name it: it is clear if all loops train the same model.
    trained = {other.model for other in case.evidence.fits if other.kind == "custom_loop"}
    return fit.model if len(trained) == 1 else ""


def _used(case: Case) -> tuple[tuple[CompileFact | FitFact, LossFact, ModelFact], ...]:
    return *_compiled(case), *_looped(case)


@diagnostic("softmax-with-from-logits")
def softmax_with_from_logits(case: Case) -> tuple[Diagnostic, ...]:
    """The model ends in softmax or sigmoid, and the loss applies it again.

    What it does:
        Looks for a cross-entropy with `from_logits=True` on a model whose last activation gives probabilities, in
        `compile` and in custom training loops. In a loop, the model is the one whose output the loss received.

    Why it matters:
        Applied twice, the function flattens the outputs and the gradients. If the activation comes directly before the
        loss, Keras warns and uses the logits; in other cases it does not.

    Example:
        `Dense(10, activation="softmax")` with `SparseCategoricalCrossentropy(from_logits=True)`.
    """
    return tuple(
        Diagnostic(
            id="softmax-with-from-logits",
            title=_PROBABILITY_TITLES[activation],
            cell=use.cell,
            message=say(
                "{model:code} ends in {activation:code}, so its outputs are probabilities. The loss {loss:code} in "
                "{cell:cell} has `from_logits=True` and expects logits.",
                model=model.name,
                activation=activation,
                loss=loss.name,
                cell=use.cell,
            ),
            advice=say(
                "Remove the activation of the last layer, or remove `from_logits=True`; logits are the values before "
                "{activation:code}. Keras corrects some of these cases with a warning. In the others, the function is "
                "applied twice and the model learns slowly.",
                activation=activation,
            ),
            model=model.id,
        )
        for use, loss, model in _used(case)
        if loss.from_logits and (activation := final_activation(model)) in _PROBABILITY_TITLES and activation
    )


@diagnostic("logits-with-probability-loss")
def logits_with_probability_loss(case: Case) -> tuple[Diagnostic, ...]:
    """The model gives logits, and the loss expects probabilities.

    What it does:
        Looks for a cross-entropy without `from_logits=True`, as an object or by name, on a model whose last layer has
        no activation. Includes models with one output. Looks in `compile` and in custom training loops.

    Why it matters:
        The loss clips its inputs to between 0 and 1, and most gradients vanish.

    Example:
        `Dense(10)` with `loss="sparse_categorical_crossentropy"`.
    """
    notes = []
    for use, loss, model in _used(case):
        if loss.name not in _CROSS_ENTROPIES or loss.from_logits or final_activation(model) != "linear":
            continue
        function = "sigmoid" if loss.name.startswith("binary") else "softmax"
        notes.append(
            Diagnostic(
                id="logits-with-probability-loss",
                title=say("Logits with a loss that expects probabilities"),
                cell=use.cell,
                message=say(
                    "The last layer of {model:code} has no activation, so its outputs are logits. The loss {loss:code} "
                    "in {cell:cell} expects probabilities.",
                    model=model.name,
                    loss=loss.name,
                    cell=use.cell,
                ),
                advice=say(
                    "Give the last layer `activation='{function:raw}'`, or give the loss `from_logits=True`. Otherwise "
                    "the loss clips values to between 0 and 1, and most of the gradient is lost.",
                    function=function,
                ),
                model=model.id,
            )
        )
    return tuple(notes)


@diagnostic("softmax-on-one-unit")
def one_unit_softmax(case: Case) -> tuple[Diagnostic, ...]:
    """Softmax over a single output is always 1.

    What it does:
        Looks for compiled models with one output and softmax as the last activation.

    Why it matters:
        The output cannot change, so nothing is learned.

    Example:
        `Dense(1, activation="softmax")` with `loss="binary_crossentropy"`.
    """
    return tuple(
        Diagnostic(
            id="softmax-on-one-unit",
            title=say("Softmax over a single output"),
            cell=compiled.cell,
            message=say("{model:code} has a single output with softmax, which is 1 for every input.", model=model.name),
            advice=say(
                "Use sigmoid for one output, or softmax with two outputs. Softmax divides by the sum of all outputs, "
                "so a single output is always 1."
            ),
            model=model.id,
        )
        for compiled, _, model in _compiled(case)
        if model.output_shape == (1,) and final_activation(model) == "softmax"
    )
