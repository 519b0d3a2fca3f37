"""The check `mc_dropout`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from grader.checks.registry import check
from grader.checks.support.averaging import Averages
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import Params, Whole
from grader.facts.case import Case
from grader.facts.layers import DROPOUTS
from grader.schema.base import Assurance, Pointer
from grader.schema.evidence import CallFact, Evidence, ModelFact
from grader.schema.grade import Finding
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
    """

    model: ModelFact
    passes: int
    differ: bool | None
    how: Message
    cell: int | None
    event: int
    images: int | None


@check("mc_dropout")
def mc_dropout(case: Case, params: McDropoutParams) -> Finding:
    """The model predicts the same images many times with dropout on, and the predictions are averaged.

    What it does:
        Counts the passes of a model with dropout over the same images with the same weights. A pass is a direct call
        (`model(x, training=True)`), or `predict` if a layer class of the student's always drops. If all passes gave
        the same numbers, dropout was off. A `tf.function` of the student's is left to a person. The average is looked
        for in the code of the cell, of the functions that it calls, and of later cells that use its results. If there
        is none, a person must judge.

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
    averages = Averages(case.evidence.cells)
    best = _best(groups, params, averages)
    faults = list(_faults(best, params))
    unseen = list(_unseen_parts(best, params, averages))
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
        measured={"passes": best.passes, "differ": best.differ, "images": best.images, "model": best.model.name},
        evidence=(Pointer(cell=best.cell, event=best.event),),
    )


def _no_passes(case: Case, wanted: str | None) -> Message:
    model = case.evidence.model(wanted) if wanted else None
    if model is None:
        return say("No model with dropout predicts the same images repeatedly.")
    return say("{model:code} does not predict the same images repeatedly.", model=model.name)


def _best(groups: Sequence[Repeated], params: McDropoutParams, averages: Averages) -> Repeated:
    """Prefer passes that meet every condition: a mere trial may have more of them."""

    def rank(group: Repeated) -> tuple[bool, bool, bool, int]:
        many = (group.images or 0) >= params.images_at_least
        return not any(_faults(group, params)), group.differ is True, many, group.passes

    # Reading code is slow, so stop at the first group that meets every condition.
    ranked = sorted(groups, key=rank, reverse=True)
    lacking = (any(_faults(group, params)) or any(_unseen_parts(group, params, averages)) for group in ranked)
    return next((group for group, lacks in zip(ranked, lacking, strict=True) if not lacks), ranked[0])


def _is_traced(evidence: Evidence, call: CallFact, wanted: str | None) -> bool:
    model = evidence.model(call.model)
    return bool(call.traced and call.training and model and wanted in {None, model.id} and _drops(model))


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
    """Find repeated passes of a model with dropout over the same input, grouped by cell."""
    for call in evidence.calls:
        model = evidence.model(call.model)
        passes = call.repeats or 0
        if model is not None and _drops(model) and passes > 1:
            yield Repeated(
                model=model,
                passes=passes,
                differ=call.outputs_differ,
                how=say("calls with `training=True`") if call.training else say("calls without `training=True`"),
                cell=call.cell,
                event=call.event,
                images=_rows(call.x.shape if call.x else ()),
            )
    for model in evidence.models:
        predictions = [p for p in evidence.predictions if p.model == model.id and p.pass_number is not None]
        for cell in dict.fromkeys(p.cell for p in predictions) if _drops(model) else ():
            here = [p for p in predictions if p.cell == cell]
            last = max(here, key=lambda p: p.pass_number or 0)
            if (last.pass_number or 0) > 1:
                comparisons = [p.outputs_differ for p in here if p.outputs_differ is not None]
                yield Repeated(
                    model=model,
                    passes=last.pass_number or 0,
                    differ=any(comparisons) if comparisons else None,
                    how=say("calls of `predict`"),
                    cell=cell,
                    event=last.event,
                    images=_rows(last.x.shape if last.x else ()),
                )


def _rows(shape: Sequence[int | None]) -> int | None:
    return shape[0] if shape else None


def _drops(model: ModelFact) -> bool:
    """Whether a model has dropout, or a layer class of the student's that may drop."""
    return any(layer.cls in DROPOUTS or layer.custom for layer in model.flat_layers())


def _faults(best: Repeated, params: McDropoutParams) -> Iterator[Message]:
    if best.differ is False:
        yield say("all passes gave the same numbers, so dropout was off")
    if best.passes < params.passes_at_least:
        yield say("at least {passes:number} passes are required", passes=params.passes_at_least)
    if (best.images or params.images_at_least) < params.images_at_least:
        yield say("at least {images:number} images per pass are required", images=params.images_at_least)


def _unseen_parts(best: Repeated, params: McDropoutParams, averages: Averages) -> Iterator[Message]:
    """List the conditions that stay open: code can average in more ways than the grader recognizes."""
    if best.differ is None:
        yield say("the grader could not see whether the passes differ")
    if params.averaged and not averages.anything(best.cell, best.model.name):
        yield say("the grader found no code that averages the passes")


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
    return sentences(say("{observation}.", observation=observation), differ, judge)


def _same_images(count: int | None) -> Message:
    if count is None:
        return say("the same images")
    return say_count("the same image", "the same {count:number} images", count)
