"""Outputs and losses that do not belong together."""

from collections.abc import Iterator

from grader.checks.registry import diagnostic
from grader.facts.case import Case
from grader.facts.layers import final_activation
from grader.schema.base import spoken_cell
from grader.schema.evidence import CompileFact, FitFact, LossFact, ModelFact
from grader.schema.grade import Diagnostic

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
_PROBABILITIES = frozenset({"softmax", "sigmoid"})


def _compiled(case: Case) -> Iterator[tuple[CompileFact, LossFact, ModelFact]]:
    for compiled in case.evidence.compiles:
        model = case.evidence.model(compiled.model)
        if model is not None and compiled.loss is not None and not compiled.loss.custom:
            yield compiled, compiled.loss, model


def _looped(case: Case) -> Iterator[tuple[FitFact, LossFact, ModelFact]]:
    """The first loop of the student's own of each network that called one of Keras's losses."""
    told: set[str] = set()
    for fit in case.evidence.fits:
        model = case.evidence.model(fit.model)
        if model is not None and fit.loss is not None and not fit.loss.custom and fit.model not in told:
            told.add(fit.model)
            yield fit, fit.loss, model


def _used(case: Case) -> tuple[tuple[CompileFact | FitFact, LossFact, ModelFact], ...]:
    return *_compiled(case), *_looped(case)


@diagnostic("softmax-with-from-logits")
def softmax_with_from_logits(case: Case) -> tuple[Diagnostic, ...]:
    """The network ends in softmax or sigmoid, and the loss is told to apply it again.

    What it does:
        Looks for a cross-entropy with `from_logits=True` on a network whose last activation gives probabilities, in
        `compile` and in training loops of the student's own.

    Why it matters:
        Applied twice, the function flattens the outputs and the gradients with them. Keras recognises the pair when
        the activation comes right before the loss, warns, and uses the numbers under it; elsewhere it does not.

    Example:
        `Dense(10, activation="softmax")` with `SparseCategoricalCrossentropy(from_logits=True)`.
    """
    return tuple(
        Diagnostic(
            id="softmax-with-from-logits",
            title=f"{activation.capitalize()} output with `from_logits=True`",
            cell=use.cell,
            message=(
                f"`{model.name}` ends in {activation}, so it gives probabilities, but the loss in "
                f"{spoken_cell(use.cell)} ({loss.name}) says `from_logits=True`."
            ),
            advice=(
                f"Logits are the numbers before {activation}: either drop the activation of the last layer, or drop "
                "`from_logits=True`. Keras repairs this pair with a warning when it recognises it; a loop or a loss of "
                "your own would apply the function twice and learn slowly."
            ),
            model=model.id,
        )
        for use, loss, model in _used(case)
        if loss.from_logits and (activation := final_activation(model)) in _PROBABILITIES and activation
    )


@diagnostic("logits-with-probability-loss")
def logits_with_probability_loss(case: Case) -> tuple[Diagnostic, ...]:
    """The network gives logits, and the loss expects probabilities.

    What it does:
        Looks for a cross-entropy without `from_logits=True`, also one given by name, on a network whose last layer has
        no activation; one output unit included. In `compile` and in training loops of the student's own.

    Why it matters:
        The loss clips what it takes for probabilities to between 0 and 1; most gradients vanish.

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
                title="Logits with a loss that expects probabilities",
                cell=use.cell,
                message=(
                    f"The last layer of `{model.name}` has no activation, so it gives logits, but {loss.name} in "
                    f"{spoken_cell(use.cell)} expects probabilities."
                ),
                advice=(
                    f"Give the last layer `activation='{function}'`, or give the loss `from_logits=True`. Without "
                    "either, numbers outside 0 to 1 are clipped before the logarithm and most of the gradient is lost."
                ),
                model=model.id,
            )
        )
    return tuple(notes)


@diagnostic("softmax-on-one-unit")
def one_unit_softmax(case: Case) -> tuple[Diagnostic, ...]:
    """Softmax over a single output is always 1.

    What it does:
        Looks for compiled networks with one output and softmax as the last activation.

    Why it matters:
        The output cannot change, so nothing is learned.

    Example:
        `Dense(1, activation="softmax")` with `loss="binary_crossentropy"`.
    """
    return tuple(
        Diagnostic(
            id="softmax-on-one-unit",
            title="Softmax over a single output",
            cell=compiled.cell,
            message=f"`{model.name}` has one output with softmax, which is 1 whatever the input is.",
            advice=(
                "Softmax divides by the sum over the outputs, and with one output that is the output itself. "
                "Use sigmoid for one unit, or two units with softmax."
            ),
            model=model.id,
        )
        for compiled, _, model in _compiled(case)
        if model.output_shape == (1,) and final_activation(model) == "softmax"
    )
