"""Layers without influence on a model's outputs: they do not count as layers."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from grader.facts.case import Case
from grader.schema.evidence import LayerFact, ModelFact
from grader.schema.grade import Finding
from grader.schema.message import Message, say, say_count, sentences

__all__ = ["has_idle_layers", "left_to_a_person", "without_idle_layers"]


def has_idle_layers(case: Case) -> bool:
    """Whether a model has a layer whose removal changes no prediction."""
    return any(model.idle_layers for model in case.evidence.models)


def without_idle_layers(case: Case) -> Case:
    """Return the case as if the models did not have these layers; the roles stay as they are."""
    models = tuple(_reduced(model) if model.idle_layers else model for model in case.evidence.models)
    return replace(case, evidence=case.evidence.model_copy(update={"models": models}))


def left_to_a_person(case: Case, finding: Finding, other: Finding, roles: Iterable[str]) -> Finding:
    """Leave a finding to a person if it counts layers without influence.

    Args:
        case: The case.
        finding: The finding of a check.
        other: The finding of the same check without these layers.
        roles: The roles that the check's parameters name.
    """
    if (finding.status, finding.fraction) == (other.status, other.fraction) or finding.status in {"failed", "pending"}:
        return finding
    wanted = {match.model for name in roles if (match := case.roles.get(name)) is not None}
    models = [model for model in case.evidence.models if model.idle_layers]
    model = next((model for model in models if model.id in wanted), models[-1])
    message = sentences(finding.message, _without_influence(model))
    return Finding.pending(message, measured=finding.measured, evidence=finding.evidence)


def _without_influence(model: ModelFact) -> Message:
    names = [say("{name:code}", name=name) for name in model.idle_layers]
    return say_count(
        "A person has to judge this: without the layer {names:list}, {model:code} gives the same answers, so it does "
        "not count.",
        "A person has to judge this: without any of the layers {names:list}, {model:code} gives the same answers, so "
        "they do not count.",
        len(names),
        names=names,
        model=model.name,
    )


def _reduced(model: ModelFact) -> ModelFact:
    return model.model_copy(update={"layers": _kept(model.layers, frozenset(model.idle_layers)), "idle_layers": ()})


def _kept(layers: Sequence[LayerFact], idle: frozenset[str]) -> tuple[LayerFact, ...]:
    return tuple(
        layer.model_copy(update={"layers": _kept(layer.layers, idle)}) if layer.layers else layer
        for layer in layers
        if layer.name not in idle
    )
