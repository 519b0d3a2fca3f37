"""The check `reuses`."""

from typing import Annotated, Literal

from pydantic import Field

from grader.checks.registry import check
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import RoleName, TaskName, Whole, WithModel
from grader.facts.case import Case
from grader.facts.language import english
from grader.facts.lineage import predecessors
from grader.facts.tasks import tasks_of
from grader.facts.weights import Reuse, ancestor_of, learning_layers, reused_layers
from grader.facts.wording import listed, plural
from grader.schema.base import Assurance, Pointer, spoken_cell
from grader.schema.evidence import FitFact, ModelFact
from grader.schema.grade import Finding

__all__ = ["ReusesParams", "reuses"]

_WORDS = {"shared": "by holding the same layer objects", "copied": "as a copy", "file": "from a file"}
_SHOWN = 4


class ReusesParams(WithModel):
    """Parameters of `reuses`."""

    source: RoleName | None = None
    """Role of the network whose weights are to be reused; left out: any other network's, or a file's."""
    source_task: TaskName | None = None
    """Task that the source has to have been trained on before."""
    how: Literal["shared", "copied", "file"] | tuple[Literal["shared", "copied", "file"], ...] | None = None
    """Ways that count: the same layer objects, a copy of their weights, weights from a file; left out: any."""
    at_least: Annotated[Whole, Field(ge=1)] = 1
    """Fewest layers with weights that are reused."""
    all_but_last: bool = False
    """Whether every layer with weights but the last one has to be reused."""


@check("reuses")
def reuses(case: Case, params: ReusesParams) -> Finding:
    """The network begins its training with weights that another one had learned.

    What it does:
        Compares a digest of each layer's weights when the network's training began with those that other networks'
        trainings had left, and with weights that were loaded from files. So it does not matter how the weights got
        there: the same layer objects in a new model, `clone_model` and `set_weights`, a saved file, layer by layer. A
        layer that no training had changed is not reused, however alike it is; where every layer is asked for, one that
        the other network's trainings had left alone may have come along. Layers that no training changes
        (`Normalization`) are left out.

    Why it matters:
        Transfer learning is the reuse of what was learned on much data for a task with little; a network that is only
        built alike has learned nothing yet.

    Example:
        `{check: reuses, with: {model: transferred, source: first, source_task: a, all_but_last: true}}`
    """
    model, _ = case.model(params.model)
    if model is None:
        return missing_model(case, params.model)
    source, fault = _source(case, params)
    if fault:
        return _failed(model, f"the network it should reuse is not clear: {fault}")
    past = case.past(params.model)
    if not past.fits_of(model.id):
        return _failed(model, "it was never trained, so it reuses nothing")
    found = [reuse for reuse in reused_layers(past, model.id) if _counts(reuse, params, source)]
    return _judge(case, params, model, found)


def _source(case: Case, params: ReusesParams) -> tuple[frozenset[str] | None, str]:
    """Ids of the networks that count as the source, or None for any; and why there is none."""
    if params.source is None:
        return None, ""
    model, reason = case.model(params.source)
    if model is None:
        return None, english(reason) or "it was not found"
    ancestor = ancestor_of(case.evidence, model.id)
    stages = predecessors(case.evidence, model.id, case.resolve(params.source).candidates)
    return frozenset({model.id, *stages} | ({ancestor} if ancestor else set())), ""


def _counts(reuse: Reuse, params: ReusesParams, source: frozenset[str] | None) -> bool:
    ways = (params.how,) if isinstance(params.how, str) else params.how
    return (ways is None or reuse.how in ways) and (source is None or reuse.source in source)


def _judge(case: Case, params: ReusesParams, model: ModelFact, found: list[Reuse]) -> Finding:
    if not found:
        wanted = f"the `{params.source}`" if params.source else "another network"
        return _failed(model, f"none of its layers began a training with weights that {wanted} had learned")
    fit = next(f for f in case.evidence.fits if f.event == found[0].fit)
    weighted = learning_layers(model, fit.digests_before)
    carried = {reuse.layer for reuse in found} | _unchanged(case, found, fit)
    fresh = [name for name in weighted[:-1] if name not in carried]
    missed = _missed(case, params, found, fresh)
    said = _said(case, found, weighted)
    return Finding.scored(
        f"`{model.name}` {said}{f', but {missed}' if missed else ''}.",
        0.0 if missed else 1.0,
        assurance=Assurance.RECORDED,
        measured={
            "reused": [reuse.layer for reuse in found],
            "fresh": [name for name in weighted if name not in carried],
            "sources": sorted({reuse.source for reuse in found if reuse.source}),
            "how": sorted({reuse.how for reuse in found}),
        },
        evidence=(Pointer(cell=fit.cell, event=fit.event),),
    )


def _unchanged(case: Case, found: list[Reuse], fit: FitFact) -> set[str]:
    """Layers that began as the source's trainings had left them, though those had changed nothing of them.

    Such a layer alone is no reuse, but beside reused ones it is no fresh layer either: the source had it frozen.
    """
    sources = {reuse.source for reuse in found}
    trained = [f for f in case.evidence.fits if f.model in sources and f.event < fit.event]
    left = {digest for f in trained for digest in f.digests_after.values()}
    return {name for name, digest in fit.digests_before.items() if digest in left}


def _missed(case: Case, params: ReusesParams, found: list[Reuse], fresh: list[str]) -> str:
    if len(found) < params.at_least:
        return f"at least {params.at_least} were wanted"
    if params.all_but_last and fresh:
        return f"{_named(fresh)} began with weights of their own"
    if params.source_task is not None and not any(_taught(case, reuse, params.source_task) for reuse in found):
        return f"what they came from had not been trained on the task `{params.source_task}` before"
    return ""


def _taught(case: Case, reuse: Reuse, task: str) -> bool:
    earlier: list[FitFact] = [f for f in case.evidence.fits if f.model == reuse.source and f.event < reuse.fit]
    return any(task in tasks_of(fit, case.rubric) for fit in earlier)


def _said(case: Case, found: list[Reuse], weighted: tuple[str, ...]) -> str:
    first = found[0]
    source = case.evidence.model(first.source) if first.source else None
    origin = f"of `{source.name}`" if source else f"of the file {first.path}" if first.path else "of a file"
    fit = next(f for f in case.evidence.fits if f.event == first.fit)
    layers = f"{len(found)} of its {plural(len(weighted), 'layer')} with weights ({_named([r.layer for r in found])})"
    return f"began the training in {spoken_cell(fit.cell)} with {layers} as those {origin} were, {_WORDS[first.how]}"


def _named(layers: list[str]) -> str:
    shown = [f"`{name}`" for name in layers[:_SHOWN]]
    if len(layers) > _SHOWN:
        shown.append(f"{len(layers) - _SHOWN} more")
    return listed(shown)


def _failed(model: ModelFact, why: str) -> Finding:
    return Finding.failed(
        f"`{model.name}`: {why}.",
        advice=(
            "Build the new network from the trained layers of the old one (`Sequential(old.layers[:-1])`), or from a "
            "clone of it that was given its weights with `set_weights`."
        ),
        assurance=Assurance.RECORDED,
        measured={"reused": []},
        evidence=(Pointer(cell=model.cell, event=model.event),),
    )
