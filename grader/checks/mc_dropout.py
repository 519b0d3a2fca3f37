"""The check `mc_dropout`."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field

from grader.checks.registry import check
from grader.checks.support.measures import measure
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import Params, Whole
from grader.facts.case import Case
from grader.facts.layers import DROPOUTS, LAYERED_CLASSES
from grader.schema.base import Assurance, Pointer
from grader.schema.evidence import Average, CallFact, Evidence, ModelFact
from grader.schema.grade import Finding, MeasureLabel
from grader.schema.message import Message, MessageLike, say, say_count, sentences

__all__ = ["McDropoutParams", "Repeated", "mc_dropout", "repeated_passes"]


class McDropoutParams(Params):
    """Parameters of `mc_dropout`."""

    model: str | None = None
    """A role of the rubric; by default the model with the most such passes."""
    passes_at_least: Annotated[Whole, Field(ge=2)] = 10
    """The smallest number of passes over the same images."""
    images_at_least: Annotated[Whole, Field(ge=1)] = 1
    """The smallest number of images in a pass."""
    averaged: bool = True
    """Whether the passes must be averaged."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """Passes of a model over the same images with the same weights, in one cell.

    Attributes:
        model: The model.
        passes: Their number.
        differ: Whether their outputs differ; None if unknown.
        how: The kind of call, as a noun phrase.
        cell: Index of the notebook's cell.
        event: Event of the last pass.
        images: Number of images in a pass; None if unknown.
        average: What the notebook computed from the outputs; None if nothing was seen.
        averaged: Number of passes in that average.
        compared: Whether the grader compared the notebook's arrays with the outputs.
    """

    model: ModelFact
    passes: int
    differ: bool | None
    how: Message
    cell: int | None
    event: int
    images: int | None
    average: Average | None = None
    averaged: int | None = None
    compared: bool = False


_MEASURES: Final[Mapping[str, MeasureLabel]] = {
    "passes": measure(say("Passes over the same images"), "number"),
    "differ": measure(say("Passes give different numbers")),
    "images": measure(say("Images"), "number"),
    "model": measure(say("Model"), "code"),
}
"""Labels and units of the measured values; values without a label repeat the message."""


@check("mc_dropout", measures=_MEASURES)
def mc_dropout(case: Case, params: McDropoutParams) -> Finding:
    """The model predicts the same images many times with dropout on, and the predictions are averaged.

    What it does:
        Counts the passes of a model with dropout over the same images with the same weights. A pass is a direct call
        (`model(x, training=True)`), or `predict` if a layer class of the student's always drops. A model with a `call`
        of the student's may drop there; then passes that differ count. If all passes gave the same numbers, dropout was
        off. A `tf.function` of the student's is left to a person. One call with several
        copies of the images is as many passes. The arrays that the notebook computes are compared with the outputs: one
        of them must be the mean (or median) over the passes. A mean that is not used, a mean over images or classes,
        and a mean of accuracies are mistakes. If nothing of this was seen, a person must judge.

    Why it matters:
        A single pass with dropout is only a noisier prediction. The mean of many passes is a better one, and their
        spread shows how certain the model is.

    Example:
        `{check: mc_dropout, with: {passes_at_least: 10}}`
    """
    wanted: str | None = None
    if params.model is not None:
        model, _ = case.model(params.model)
        if model is None:
            return missing_model(case, params.model)
        wanted = model.id
    groups = [r for r in repeated_passes(case.evidence) if wanted in {None, r.model.id}]
    traced = next((c for c in case.evidence.calls if _is_traced(case.evidence, c, wanted)), None)
    if not groups and traced is not None:
        return _unseen(case.evidence, traced)
    if not groups:
        return Finding.failed(
            _no_passes(case, wanted),
            advice=say(
                "Predict the same images many times with dropout on (`training=True`), and average the predictions."
            ),
            measured={"passes": 0},
        )
    best = _best(groups, params)
    faults = list(_faults(best, params))
    unseen = list(_unseen_parts(best, params))
    verdict = Finding.failed if faults else Finding.pending if unseen else Finding.passed
    return verdict(
        _message(best, faults, unseen),
        advice=say(
            "Average the predictions of at least {passes:number} passes with `training=True` over the same images.",
            passes=params.passes_at_least,
        )
        if faults
        else "",
        assurance=Assurance.RECORDED,
        measured={
            "passes": best.passes,
            "differ": best.differ,
            "images": best.images,
            "model": best.model.name,
            "average": best.average,
        },
        evidence=(Pointer(cell=best.cell, event=best.event),),
    )


def _no_passes(case: Case, wanted: str | None) -> Message:
    model = case.evidence.model(wanted) if wanted else None
    if model is None:
        return say("No model with dropout predicts the same images repeatedly.")
    return say("{model:code} does not predict the same images repeatedly.", model=model.name)


def _best(groups: Sequence[Repeated], params: McDropoutParams) -> Repeated:
    """Prefer passes that meet every condition: a mere trial may have more of them."""

    def rank(group: Repeated) -> tuple[bool, bool, bool, bool, int]:
        many = (group.images or 0) >= params.images_at_least
        no_faults, complete = not any(_faults(group, params)), not any(_unseen_parts(group, params))
        return no_faults and complete, no_faults, group.differ is True, many, group.passes

    return max(groups, key=rank)


def _is_traced(evidence: Evidence, call: CallFact, wanted: str | None) -> bool:
    model = evidence.model(call.model)
    return bool(call.traced and call.training and model and wanted in {None, model.id} and _may_drop(model))


def _unseen(evidence: Evidence, call: CallFact) -> Finding:
    model = evidence.model(call.model)
    return Finding.pending(
        say(
            "A `tf.function` in {cell:cell} calls {model:code} with `training=True`. The grader could not see how "
            "often it ran and on which images, so a person must judge it.",
            cell=call.cell,
            model=model.name if model else call.model,
        ),
        assurance=Assurance.RECORDED,
        measured={"passes": None},
        evidence=(Pointer(cell=call.cell, event=call.event),),
    )


def repeated_passes(evidence: Evidence) -> Iterator[Repeated]:
    """Find repeated passes of a model with dropout over the same input, grouped by cell.

    Without a layer that drops, passes with the same numbers are left out: the model's own code does not drop either.
    """
    return (one for one in _all_passes(evidence) if one.differ is not False or _drops(one.model))


def _all_passes(evidence: Evidence) -> Iterator[Repeated]:
    compared = set()
    for fact in evidence.repeated_passes:
        model = evidence.model(fact.model)
        if model is not None and _may_drop(model):
            compared.add((fact.cell, model.id, fact.way))
            yield Repeated(
                model=model,
                passes=fact.passes,
                differ=fact.differ,
                how=_how(fact.way, fact.training),
                cell=fact.cell,
                event=fact.event,
                images=fact.images,
                average=fact.average,
                averaged=fact.averaged,
                compared=True,
            )
    for model in evidence.models:
        if _may_drop(model):
            yield from _other_calls(evidence, model, compared)
            yield from _other_predictions(evidence, model, compared)


def _how(way: Literal["call", "predict"], training: bool | None) -> Message:  # noqa: FBT001 - as in the fact
    if way == "predict":
        return say("calls of `predict`")
    return say("calls with `training=True`") if training else say("calls without `training=True`")


def _other_calls(evidence: Evidence, model: ModelFact, compared: Collection[object]) -> Iterator[Repeated]:
    """List the repeated calls whose outputs the recorder did not compare with the notebook's arrays."""
    for call in evidence.calls:
        passes = call.repeats or 0
        if evidence.model(call.model) == model and passes > 1 and (call.cell, model.id, "call") not in compared:
            yield Repeated(
                model=model,
                passes=passes,
                differ=call.outputs_differ,
                how=_how("call", call.training),
                cell=call.cell,
                event=call.event,
                images=_rows(call.x.shape if call.x else ()),
            )


def _other_predictions(evidence: Evidence, model: ModelFact, compared: Collection[object]) -> Iterator[Repeated]:
    """List the repeated predictions whose outputs the recorder did not compare with the notebook's arrays."""
    predictions = [p for p in evidence.predictions if p.model == model.id and p.pass_number is not None]
    for cell in dict.fromkeys(p.cell for p in predictions if (p.cell, model.id, "predict") not in compared):
        here = [p for p in predictions if p.cell == cell]
        last = max(here, key=lambda p: p.pass_number or 0)
        if (last.pass_number or 0) > 1:
            comparisons = [p.outputs_differ for p in here if p.outputs_differ is not None]
            yield Repeated(
                model=model,
                passes=last.pass_number or 0,
                differ=any(comparisons) if comparisons else None,
                how=_how("predict", None),
                cell=cell,
                event=last.event,
                images=_rows(last.x.shape if last.x else ()),
            )


def _rows(shape: Sequence[int | None]) -> int | None:
    return shape[0] if shape else None


def _drops(model: ModelFact) -> bool:
    """Whether a model has dropout, or a layer class of the student's that may drop."""
    return any(layer.cls in DROPOUTS or layer.custom or layer.operation == "dropout" for layer in model.flat_layers())


def _may_drop(model: ModelFact) -> bool:
    """Whether a model has dropout, or a function or `call` of the student's, which may use `tf.nn.dropout`."""
    own = model.cls not in LAYERED_CLASSES or any(layer.cls == "Lambda" for layer in model.flat_layers())
    return own or _drops(model)


def _faults(best: Repeated, params: McDropoutParams) -> Iterator[Message]:
    if best.differ is False:
        yield say("all passes gave the same numbers, so dropout was off")
    if best.passes < params.passes_at_least:
        yield say("at least {passes:number} passes are required", passes=params.passes_at_least)
    if (best.images or params.images_at_least) < params.images_at_least:
        yield say("at least {images:number} images per pass are required", images=params.images_at_least)
    if params.averaged:
        yield from _average_faults(best, params)


def _average_faults(best: Repeated, params: McDropoutParams) -> Iterator[Message]:
    if best.average == "discarded":
        yield say("the mean of the passes is computed and not used")
    elif best.average == "wrong_axis":
        yield say("the mean is over images or classes and not over the passes")
    elif best.average == "accuracies":
        yield say("the accuracy of each pass is computed, and not the accuracy of their mean")
    elif best.average and best.averaged and best.averaged < params.passes_at_least <= best.passes:
        yield say_count(
            "the mean is over only {count:number} pass", "the mean is over only {count:number} passes", best.averaged
        )


def _unseen_parts(best: Repeated, params: McDropoutParams) -> Iterator[Message]:
    """List the conditions that stay open: a notebook can average in ways that leave no array."""
    if best.differ is None:
        yield say("the grader could not see whether the passes differ")
    if not params.averaged or best.differ is False:
        return
    if not best.compared:
        yield say("the grader could not compare the notebook's arrays with the passes")
    elif best.average == "sum":
        yield say("the passes are added up, and the grader saw no array that is their mean")
    elif best.average is None:
        yield say("the grader saw no array that is the mean of the passes")


def _message(best: Repeated, faults: list[Message], unseen: list[Message]) -> Message:
    observation = say(
        "{cell:Cell} predicted {images} {passes:number} times with {model:code} ({how})",
        cell=best.cell,
        images=_same_images(best.images),
        passes=best.passes,
        model=best.model.name,
        how=best.how,
    )
    if faults:
        return say("{observation}, but {faults}.", observation=observation, faults=[*faults, *unseen])
    differ: MessageLike = say("The predictions differ, so dropout was on.") if best.differ else ""
    judge = say("A person must judge it: {reasons}.", reasons=unseen) if unseen else ""
    average: MessageLike = say("An array is their mean.") if best.average == "mean" else ""
    return sentences(say("{observation}.", observation=observation), differ, average, judge)


def _same_images(count: int | None) -> Message:
    if count is None:
        return say("the same images")
    return say_count("the same image", "the same {count:number} images", count)
