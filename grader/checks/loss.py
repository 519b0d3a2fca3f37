"""The check `loss`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from grader.checks.registry import check
from grader.checks.support.measures import measure
from grader.checks.support.params import WithModel
from grader.checks.support.verdicts import Candidate, Which, chosen_fits, judge
from grader.facts.case import Case
from grader.facts.keras_names import LossName, bare_name, canonical_loss
from grader.facts.layers import final_activation
from grader.schema.base import Pointer
from grader.schema.evidence import CompileFact, FitFact, LossFact, ModelFact
from grader.schema.grade import Finding, MeasureLabel
from grader.schema.message import Message, say

__all__ = ["LossParams", "loss"]

_PROBABILITIES = frozenset({"softmax", "sigmoid"})


class LossParams(WithModel):
    """Parameters of `loss`."""

    name: LossName | tuple[LossName, ...] | None = None
    """A loss by any of its Keras names, such as `sparse_categorical_crossentropy` or `mse`, or a list of accepted
    names. A person judges whether a loss of the student's own is the required one, such as `custom:name`."""
    from_logits: bool | None = None
    """Whether the loss must have `from_logits` set."""
    fits_output: bool = True
    """Whether the loss must match the output of the model: logits or probabilities."""
    trainings: Which = "any"
    """Which compiles and custom loops of the model must match: `any`, `all`, `first` or `last`."""


_MEASURES: Final[Mapping[str, MeasureLabel]] = {
    "loss": measure(say("Loss function"), "code"),
    "from_logits": measure(say("Expects logits")),
    "output": measure(say("Output activation"), "code"),
}
"""Labels and units of the measured values; values without a label repeat the message."""


@check("loss", measures=_MEASURES)
def loss(case: Case, params: LossParams) -> Finding:
    """The loss of the model matches its output.

    What it does:
        Looks at each compile of the model, and at the Keras loss object that a custom loop calls. Compares the name of
        the loss, in any spelling, and `from_logits` with the last activation of the model. A person must judge a loss
        that the student wrote or computed in a `train_step`, and a model whose last activation is unknown. It is
        unknown in a subclassed model, and if an operation that is no activation follows the last layer.

    Why it matters:
        A loss that treats logits as probabilities clips most of them, so that the model hardly learns.

    Example:
        `{check: loss, with: {model: cnn, from_logits: true}}`
    """
    model, fits, missing = chosen_fits(case, params.model)
    if missing is not None or model is None:
        return missing or Finding.failed(say("There is no model."))
    compiles = [c for c in case.evidence.compiles if c.model == model.id]
    loops = [fit for fit in fits if fit.kind == "custom_loop" and (fit.loss is not None or not compiles)]
    places: list[CompileFact | FitFact] = [*compiles, *loops]
    return judge(
        [_candidate(model, place, fits, params) for place in sorted(places, key=lambda place: place.event)],
        nothing=say("{model:code} was never compiled with a loss.", model=model.name),
        which=params.trainings,
    )


def _candidate(
    model: ModelFact, place: CompileFact | FitFact, fits: Sequence[FitFact], params: LossParams
) -> Candidate:
    used = place.loss
    pointer = Pointer(cell=place.cell, event=place.event)
    if used is None and isinstance(place, FitFact):
        subject = say("The custom loop that trains {model:code} in {cell:cell}", model=model.name, cell=place.cell)
        return Candidate(subject, (), pointer, unseen=(say("its loss"),))
    if used is None:
        subject = say("{model:code} was compiled in {cell:cell}", model=model.name, cell=place.cell)
        # Without a loss, Keras only trains a model whose own code computes one, such as a `train_step`.
        if any(fit.compiled == place.event and fit.epochs_done for fit in fits):
            return Candidate(subject, (), pointer, unseen=(say("which loss the student's own code computes"),))
        return Candidate(subject, (say("no loss was given"),), pointer)
    # A loop can change a model's output before it calls the loss, or call it with the output of another model.
    direct = isinstance(place, CompileFact) or place.loss_of is None or model.id in place.loss_of
    output = final_activation(model) if direct else None
    return Candidate(
        subject=_described(model, place, used),
        faults=tuple(_faults(used, output, params)),
        pointer=pointer,
        unseen=tuple(_unseen(used, output, params)),
        measured={"loss": used.name, "from_logits": used.from_logits, "output": output},
    )


def _described(model: ModelFact, place: CompileFact | FitFact, used: LossFact) -> Message:
    if used.from_logits is None:
        loss = say("{loss:code}", loss=used.name)
    elif used.from_logits:
        loss = say("{loss:code}, which expects logits", loss=used.name)
    else:
        loss = say("{loss:code}, which expects probabilities", loss=used.name)
    if isinstance(place, FitFact):
        return say(
            "The custom loop that trains {model:code} in {cell:cell} uses the loss {loss}",
            model=model.name,
            cell=place.cell,
            loss=loss,
        )
    return say(
        "{model:code} was compiled in {cell:cell} with the loss {loss}", model=model.name, cell=place.cell, loss=loss
    )


def _unseen(used: LossFact, output: str | None, params: LossParams) -> Iterator[Message]:
    if used.custom and (params.name or params.from_logits is not None):
        yield say("which loss the student's own code computes")
    if params.fits_output and (used.custom or (used.from_logits is not None and output is None)):
        yield say("whether the loss matches the output of the model")


def _faults(used: LossFact, output: str | None, params: LossParams) -> Iterator[Message]:
    if used.custom:
        return
    names = (params.name,) if isinstance(params.name, str) else params.name or ()
    if names and canonical_loss(used.name) not in {canonical_loss(name) for name in names}:
        yield say("the loss must be {losses:code or}", losses=[bare_name(name) for name in names])
    if params.from_logits is not None and used.from_logits is not params.from_logits:
        if params.from_logits:
            yield say("the loss must expect logits (`from_logits=True`)")
        else:
            yield say("the loss must expect probabilities (`from_logits=False`)")
    if not params.fits_output or used.from_logits is None or output is None:
        return
    if used.from_logits and output in _PROBABILITIES:
        yield say("the model ends in {activation:code}, so it gives probabilities", activation=output)
    if not used.from_logits and output == "linear":
        yield say("the model ends without an activation, so it gives logits")
