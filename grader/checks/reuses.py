"""The check `reuses`."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field

from grader.checks.registry import check
from grader.checks.support.measures import measure
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import RoleName, TaskName, Whole, WithModel
from grader.facts.case import Case
from grader.facts.layers import Network
from grader.facts.lineage import predecessors
from grader.facts.tasks import tasks_of
from grader.facts.weights import Reuse, ancestor_of, learning_layers, reused_layers
from grader.schema.base import Assurance, Pointer
from grader.schema.evidence import FitFact, ModelFact
from grader.schema.grade import Finding, FindingDetails, Lacks, MeasureLabel
from grader.schema.message import Message, MessageLike, say, sentences

__all__ = ["ReusesParams", "reuses"]

_SHOWN = 4
"""Layers that a message names; further layers are counted."""


class ReusesParams(WithModel):
    """Parameters of `reuses`."""

    source: RoleName | None = None
    """Role of the model whose weights must be reused; by default any other model, or a file."""
    source_task: TaskName | None = None
    """Task on which the source must have been trained before."""
    how: Literal["shared", "copied", "file"] | tuple[Literal["shared", "copied", "file"], ...] | None = None
    """Ways that count: the same layer objects, copies of their weights, weights from a file; by default all."""
    at_least: Annotated[Whole, Field(ge=1)] = 1
    """The smallest number of reused layers with weights."""
    all_but_last: bool = False
    """Whether every layer with weights must be reused, except the last one."""


_MEASURES: Final[Mapping[str, MeasureLabel]] = {
    "reused": measure(say("Layers with reused weights"), "code list"),
    "fresh": measure(say("Layers with new weights"), "code list"),
}
"""Labels and units of the measured values; values without a label repeat the message."""


@check("reuses", measures=_MEASURES)
def reuses(case: Case, params: ReusesParams) -> Finding:
    """The model starts its training with weights that another model has learned.

    What it does:
        Compares a digest of each layer's weights at the start of the training with the weights after the trainings of
        other models, and with weights from files. The way of the weights does not matter: the same layer objects in a
        new model, `clone_model` and `set_weights`, or a saved file. A layer that no training has changed is not
        reused. With `all_but_last`, a layer may also come from a frozen layer of the source. Layers that no training
        changes (`Normalization`) do not count. If a `call` of the student's may apply the only new layer last, a person
        must judge it.

    Why it matters:
        Transfer learning reuses weights that were learned on much data for a task with little data. A model with the
        same layers and new weights has learned nothing yet.

    Example:
        `{check: reuses, with: {model: transferred, source: first, source_task: a, all_but_last: true}}`
    """
    model, _ = case.model(params.model)
    if model is None:
        return missing_model(case, params.model)
    source, fault = _source(case, params)
    if params.source is not None and case.resolve(params.source).unseen:
        return missing_model(case, params.source)
    if fault:
        unclear = say("It is unclear which model {model:code} must reuse.", model=model.name)
        return _failed(model, sentences(unclear, fault))
    past = case.past(params.model)
    if not past.fits_of(model.id):
        never = say("{model:code} was never trained, so it reuses no weights.", model=model.name)
        return _failed(model, never, lacks="training")
    reused = [reuse for reuse in reused_layers(past, model.id) if _counts(reuse, params, source)]
    return _judge(case, params, model, reused)


def _source(case: Case, params: ReusesParams) -> tuple[frozenset[str] | None, MessageLike]:
    """Find the ids of the models that count as the source, or None for any; else the reason why there is none."""
    if params.source is None:
        return None, ""
    model, reason = case.model(params.source)
    candidates = case.resolve(params.source).candidates
    if model is None and not candidates:
        return None, reason or say("The model was not found.")
    # If it is unclear which model has the role, each of them is a source.
    sources = (model.id,) if model is not None else candidates
    stages = (stage for source in sources for stage in predecessors(case.evidence, source, candidates))
    ancestors = (ancestor_of(case.evidence, source) for source in sources)
    return frozenset({*sources, *stages, *(ancestor for ancestor in ancestors if ancestor is not None)}), ""


def _counts(reuse: Reuse, params: ReusesParams, source: frozenset[str] | None) -> bool:
    ways = (params.how,) if isinstance(params.how, str) else params.how
    return (ways is None or reuse.how in ways) and (source is None or reuse.source in source)


def _judge(case: Case, params: ReusesParams, model: ModelFact, reused: list[Reuse]) -> Finding:
    if not reused:
        return _failed(model, _nothing_reused(model.name, params.source))
    fit = next(f for f in case.evidence.fits if f.event == reused[0].fit)
    weighted = learning_layers(model, fit.digests_before)
    carried = {reuse.layer for reuse in reused} | _unchanged(case, reused, fit)
    fresh = [name for name in weighted[:-1] if name not in carried]
    every_fresh = [name for name in weighted if name not in carried]
    # Code of the student's may apply a new layer last that is not the last one of the attributes.
    unordered = params.all_but_last and len(fresh) == len(every_fresh) == 1 and not Network(model).has_known_order
    fault = _fault(case, params, reused, [] if unordered else fresh)
    observation = _observation(case, model, reused, fit, len(weighted))
    details: FindingDetails = {
        "assurance": Assurance.RECORDED,
        "measured": {
            "reused": [reuse.layer for reuse in reused],
            "fresh": every_fresh,
            "sources": sorted({reuse.source for reuse in reused if reuse.source}),
            "how": sorted({reuse.how for reuse in reused}),
        },
        "evidence": (Pointer(cell=fit.cell, event=fit.event),),
    }
    if unordered and not fault:
        unseen = say(
            "The grader could not see whether {layer:code}, which started from new weights, is the last layer in a "
            "`call` of the notebook. A person must judge it.",
            layer=fresh[0],
        )
        return Finding.pending(sentences(observation, unseen), **details)
    return Finding.scored(sentences(observation, fault), 0.0 if fault else 1.0, **details)


def _nothing_reused(model: str, source: str | None) -> Message:
    if source is None:
        return say(
            "No layer of {model:code} started a training with weights that another model had learned.", model=model
        )
    return say(
        "No layer of {model:code} started a training with weights that the model {source:code} had learned.",
        model=model,
        source=source,
    )


def _unchanged(case: Case, reused: list[Reuse], fit: FitFact) -> set[str]:
    """Find layers that come from the source, although its trainings did not change them.

    Such a layer alone is no reuse. Together with reused layers it is no new layer either: it was frozen in the source.
    """
    sources = {reuse.source for reuse in reused}
    trained = [f for f in case.evidence.fits if f.model in sources and f.event < fit.event]
    left = {digest for f in trained for digest in f.digests_after.values()}
    return {name for name, digest in fit.digests_before.items() if digest in left}


def _fault(case: Case, params: ReusesParams, reused: list[Reuse], fresh: list[str]) -> Message | None:
    if len(reused) < params.at_least:
        return say("At least {layers:number} reused layers are required.", layers=params.at_least)
    if params.all_but_last and fresh:
        return say("{layers} started from new weights.", layers=_named(fresh))
    if params.source_task is not None and not any(_taught(case, reuse, params.source_task) for reuse in reused):
        return say("Their source was not trained on the task {task:code} before.", task=params.source_task)
    return None


def _taught(case: Case, reuse: Reuse, task: str) -> bool:
    earlier: list[FitFact] = [f for f in case.evidence.fits if f.model == reuse.source and f.event < reuse.fit]
    return any(task in tasks_of(fit, case.rubric) for fit in earlier)


def _observation(case: Case, model: ModelFact, reused: list[Reuse], fit: FitFact, total: int) -> Message:
    return say(
        "{reused:number} of {total:number} layers with weights of {model:code} ({layers}) started the training in "
        "{cell:cell} {origin}.",
        reused=len(reused),
        total=total,
        model=model.name,
        layers=_named([reuse.layer for reuse in reused]),
        cell=fit.cell,
        origin=_origin(case, reused[0]),
    )


def _origin(case: Case, reuse: Reuse) -> Message:
    source = case.evidence.model(reuse.source) if reuse.source else None
    if source is None and reuse.path:
        return say("with the weights in the file {path:code}", path=reuse.path)
    if source is None:
        return say("with weights from a file")
    if reuse.how == "shared":
        return say("with the weights of {source:code} (the same layer objects)", source=source.name)
    return say("with the weights of {source:code} (copied)", source=source.name)


def _named(layers: list[str]) -> list[Message]:
    names = [say("{layer:code}", layer=name) for name in layers[:_SHOWN]]
    if len(layers) > _SHOWN:
        names.append(say("{count:number} more", count=len(layers) - _SHOWN))
    return names


def _failed(model: ModelFact, reason: Message, lacks: Lacks | None = None) -> Finding:
    return Finding.failed(
        reason,
        advice=say(
            "Build the new model from the trained layers of the old one (`Sequential(old.layers[:-1])`), or from a "
            "clone that gets its weights with `set_weights`."
        ),
        assurance=Assurance.RECORDED,
        measured={"reused": []},
        evidence=(Pointer(cell=model.cell, event=model.event),),
        lacks=lacks,
    )
