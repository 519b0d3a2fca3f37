"""The check `mc_dropout`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from grader.checks.registry import check
from grader.checks.support.averaging import Averages
from grader.checks.support.params import Params, Whole
from grader.facts.case import Case
from grader.facts.layers import DROPOUTS
from grader.facts.wording import plural
from grader.schema.base import Assurance, Pointer, spoken_cell
from grader.schema.evidence import CallFact, Evidence, ModelFact
from grader.schema.grade import Finding

__all__ = ["McDropoutParams", "Repeated", "mc_dropout", "repeated_passes"]


class McDropoutParams(Params):
    """Parameters of `mc_dropout`."""

    model: str | None = None
    """A role of this rubric; left out: the network with the most such passes."""
    passes_at_least: Annotated[Whole, Field(ge=2)] = 10
    """Fewest passes over the same images."""
    images_at_least: Annotated[Whole, Field(ge=1)] = 1
    """Fewest images in a pass."""
    averaged: bool = True
    """Whether the passes have to be averaged."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """Passes of a network over the same images with the same weights, in one cell.

    Attributes:
        model: The network.
        passes: How many.
        differ: Whether their outputs differ; None where that was not seen.
        how: In words, how they were made.
        cell: The notebook's cell.
        event: Of the last of them.
        images: How many images a pass went over; None where that is not known.
    """

    model: ModelFact
    passes: int
    differ: bool | None
    how: str
    cell: int | None
    event: int
    images: int | None


@check("mc_dropout")
def mc_dropout(case: Case, params: McDropoutParams) -> Finding:
    """Predictions were made many times over with dropout switched on, and averaged.

    What it does:
        Counts the passes of a network with dropout over the very same images with the same weights: direct calls
        (`model(x, training=True)`), or `predict` of a network whose dropout layers are a class of the student's own
        that always drops. Compares what came out: where all passes gave the same numbers, dropout was off, whatever
        the code says; what a `tf.function` of the student's own did is left to a person. Whether the passes were
        averaged is read from the code of the cell, of the functions and methods it calls and of later cells that use
        its results; where an average is not found there, a person judges.

    Why it matters:
        One pass with dropout is only a noisier prediction; the mean of many is a better one, and their spread tells
        how sure the network is.

    Example:
        `{check: mc_dropout, with: {passes_at_least: 10}}`
    """
    wanted: str | None = None
    if params.model is not None:
        model, reason = case.model(params.model)
        if model is None:
            return Finding.failed(reason)
        wanted = model.id
    found = [r for r in repeated_passes(case.evidence) if wanted in {None, r.model.id}]
    traced = next((c for c in case.evidence.calls if _is_traced(case.evidence, c, wanted)), None)
    if not found and traced is not None:
        return _unseen(case.evidence, traced)
    if not found:
        name = f"`{found_name}`" if (found_name := _name(case, wanted)) else "any network with dropout"
        return Finding.failed(
            f"No repeated predictions of {name} on the same images were seen.",
            advice="Predict the same images many times with dropout on (`training=True`), and average the predictions.",
            measured={"passes": 0},
        )
    averages = Averages(case.evidence.cells)
    best = _best(found, params, averages)
    faults = list(_faults(best, params))
    unseen = list(_unseen_parts(best, params, averages))
    verdict = Finding.failed if faults else Finding.pending if unseen else Finding.passed
    return verdict(
        _message(best, faults, unseen),
        advice="Average the predictions of at least "
        f"{params.passes_at_least} passes with `training=True` over the same images."
        if faults
        else "",
        assurance=Assurance.RECORDED,
        measured={"passes": best.passes, "differ": best.differ, "images": best.images, "model": best.model.name},
        evidence=(Pointer(cell=best.cell, event=best.event),),
    )


def _best(found: Sequence[Repeated], params: McDropoutParams, averages: Averages) -> Repeated:
    """Passes that lack nothing come first; a trial of them beside the real ones may be longer."""

    def rank(group: Repeated) -> tuple[bool, bool, bool, int]:
        many = (group.images or 0) >= params.images_at_least
        return not any(_faults(group, params)), group.differ is True, many, group.passes

    # Code is read for one group after the other, and only until one is found.
    ranked = sorted(found, key=rank, reverse=True)
    lacking = (any(_faults(group, params)) or any(_unseen_parts(group, params, averages)) for group in ranked)
    return next((group for group, lacks in zip(ranked, lacking, strict=True) if not lacks), ranked[0])


def _is_traced(evidence: Evidence, call: CallFact, wanted: str | None) -> bool:
    model = evidence.model(call.model)
    return bool(call.traced and call.training and model and wanted in {None, model.id} and _drops(model))


def _unseen(evidence: Evidence, call: CallFact) -> Finding:
    model = evidence.model(call.model)
    return Finding.pending(
        (
            f"A `tf.function` in {spoken_cell(call.cell)} calls `{model.name if model else call.model}` with "
            "`training=True`. How often it ran, and on what, could not be seen, so a person has to judge it."
        ),
        assurance=Assurance.RECORDED,
        measured={"passes": None},
        evidence=(Pointer(cell=call.cell, event=call.event),),
    )


def _name(case: Case, model: str | None) -> str:
    found = case.evidence.model(model) if model else None
    return found.name if found else ""


def repeated_passes(evidence: Evidence) -> Iterator[Repeated]:
    """Every two or more passes of a network with dropout over one input in one cell."""
    for call in evidence.calls:
        model = evidence.model(call.model)
        passes = call.repeats or 0
        if model is not None and _drops(model) and passes > 1:
            yield Repeated(
                model=model,
                passes=passes,
                differ=call.outputs_differ,
                how="`training=True`" if call.training else "calls without `training=True`",
                cell=call.cell,
                event=call.event,
                images=_rows(call.x.shape if call.x else ()),
            )
    for model in evidence.models:
        made = [p for p in evidence.predictions if p.model == model.id and p.pass_number is not None]
        for cell in dict.fromkeys(p.cell for p in made) if _drops(model) else ():
            here = [p for p in made if p.cell == cell]
            last = max(here, key=lambda p: p.pass_number or 0)
            if (last.pass_number or 0) > 1:
                seen = [p.outputs_differ for p in here if p.outputs_differ is not None]
                yield Repeated(
                    model=model,
                    passes=last.pass_number or 0,
                    differ=any(seen) if seen else None,
                    how="`predict`",
                    cell=cell,
                    event=last.event,
                    images=_rows(last.x.shape if last.x else ()),
                )


def _rows(shape: Sequence[int | None]) -> int | None:
    return shape[0] if shape else None


def _drops(model: ModelFact) -> bool:
    """Whether it has dropout, or a layer of the student's own that may drop."""
    return any(layer.cls in DROPOUTS or layer.custom for layer in model.flat_layers())


def _faults(best: Repeated, params: McDropoutParams) -> Iterator[str]:
    if best.differ is False:
        yield "all passes gave the same numbers, so dropout was off"
    if best.passes < params.passes_at_least:
        yield f"at least {params.passes_at_least} passes are asked for"
    if (best.images or params.images_at_least) < params.images_at_least:
        yield f"at least {plural(params.images_at_least, 'image')} are asked for"


def _unseen_parts(best: Repeated, params: McDropoutParams, averages: Averages) -> Iterator[str]:
    """What the record and the code leave open: code averages in more ways than can be read from it."""
    if best.differ is None:
        yield "whether the passes differ could not be seen"
    if params.averaged and not averages.anything(best.cell, best.model.name):
        yield "they were not seen to be averaged"


def _message(best: Repeated, faults: list[str], unseen: list[str]) -> str:
    images = "the same images" if best.images is None else f"the same {plural(best.images, 'image')}"
    text = (
        f"{spoken_cell(best.cell).capitalize()} made {plural(best.passes, 'pass', 'passes')} of `{best.model.name}` "
        f"over {images} with {best.how}"
    )
    if faults:
        return f"{text}; {'; '.join((*faults, *unseen))}."
    differ = ", and they differ, as dropout makes them" if best.differ else ""
    if unseen:
        return f"{text}{differ}; {' and '.join(unseen)}, so a person has to judge it."
    return f"{text}{differ}."
