"""The check `loss`."""

from collections.abc import Iterator

from grader.checks.registry import check
from grader.checks.support.params import WithModel
from grader.checks.support.verdicts import Candidate, Which, chosen_fits, judge
from grader.facts.case import Case
from grader.facts.layers import final_activation
from grader.facts.wording import listed
from grader.schema.base import Pointer, spoken_cell
from grader.schema.evidence import CompileFact, FitFact, LossFact, ModelFact
from grader.schema.grade import Finding

__all__ = ["LossParams", "loss"]

_PROBABILITIES = frozenset({"softmax", "sigmoid"})


class LossParams(WithModel):
    """Parameters of `loss`."""

    name: str | tuple[str, ...] | None = None
    """Keras's own name in small letters, such as `sparse_categorical_crossentropy`, or a list of which any will do."""
    from_logits: bool | None = None
    """Whether the loss has to be told that it gets logits."""
    fits_output: bool = True
    """Whether the loss has to expect what the network gives: logits or probabilities."""
    trainings: Which = "any"
    """Which of the network's compiles and loops: `any`, `all`, `first` or `last`."""


@check("loss")
def loss(case: Case, params: LossParams) -> Finding:
    """The network is compiled with a loss that belongs to its output.

    What it does:
        Looks at each compile of the network, and at the Keras loss object that a loop of the student's own calls: the
        loss by its one name, whatever way it was written, whether it expects logits, and what the network's last
        activation gives. Where the last activation cannot be told (a subclassed network, an operation behind the last
        layer that is no activation), or the loss is the student's own, a person has to judge it.

    Why it matters:
        A loss that takes logits for probabilities clips most of them away, and learning with them.

    Example:
        `{check: loss, with: {model: cnn, from_logits: true}}`
    """
    model, fits, missing = chosen_fits(case, params.model)
    if missing is not None or model is None:
        return missing or Finding.failed("There is no network.")
    compiles = [c for c in case.evidence.compiles if c.model == model.id]
    loops = [fit for fit in fits if fit.kind == "custom_loop" and (fit.loss is not None or not compiles)]
    places: list[CompileFact | FitFact] = [*compiles, *loops]
    return judge(
        [_candidate(model, place, params) for place in sorted(places, key=lambda place: place.event)],
        nothing=f"`{model.name}` was never compiled with a loss.",
        which=params.trainings,
    )


def _candidate(model: ModelFact, compiled: CompileFact | FitFact, params: LossParams) -> Candidate:
    found = compiled.loss
    pointer = Pointer(cell=compiled.cell, event=compiled.event)
    own = isinstance(compiled, FitFact)
    where = f"the {'loop' if own else 'compile'} of `{model.name}` in {spoken_cell(compiled.cell)}"
    if found is None and own:
        return Candidate(where, (), pointer, unseen=("which loss it went down",))
    if found is None:
        return Candidate(where, ("has no loss",), pointer)
    kind = "" if found.from_logits is None else f" ({'for logits' if found.from_logits else 'for probabilities'})"
    output = final_activation(model)
    unseen = params.fits_output and found.from_logits is not None and (output is None or found.custom)
    return Candidate(
        subject=f"{where} uses {found.name}{kind}",
        faults=tuple(_faults(found, output, params)),
        pointer=pointer,
        unseen=("whether that belongs to the network's output",) if unseen else (),
        measured={"loss": found.name, "from_logits": found.from_logits, "output": output},
    )


def _faults(found: LossFact, output: str | None, params: LossParams) -> Iterator[str]:
    names = (params.name,) if isinstance(params.name, str) else params.name or ()
    if names and found.name not in names:
        yield f"and not {listed(names, 'or')}"
    if params.from_logits is not None and found.from_logits is not params.from_logits:
        yield f"where one {'for logits' if params.from_logits else 'for probabilities'} is asked for"
    if not params.fits_output or found.from_logits is None or output is None or found.custom:
        return
    if found.from_logits and output in _PROBABILITIES:
        yield f"although the network ends in {output}"
    if not found.from_logits and output == "linear":
        yield "although the network ends without an activation and so gives logits"
