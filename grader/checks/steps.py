"""The check `steps`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from grader.checks.registry import check
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import Params, WithModel
from grader.facts.case import Case
from grader.facts.weights import changed_since_compile, learning_layers, reused_layers
from grader.facts.wording import listed, plural
from grader.schema.base import Assurance, Pointer, spoken_cell
from grader.schema.evidence import Evidence, FitFact, ModelFact
from grader.schema.grade import Finding

__all__ = ["Change", "StepsParams", "steps"]

Layers = Literal["any", "all", "all_but_last", "reused"] | tuple[str, ...]
"""Which layers with weights: one or more, every one, every one but the last, those with weights that another network
had learned, or layers by name or class."""

_SHOWN = 3
_MOST_FITS = 40
"""Trainings of one network that are looked at; the matching takes the square of it."""


class Change(Params):
    """Layers that are frozen or unfrozen."""

    freeze: Layers | None = None
    """Layers that the next training must not change: marked as not trainable, and their weights the same after it."""
    unfreeze: Layers | None = None
    """Layers, frozen before, that the next training must change: marked as trainable, and their weights others."""

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.freeze is None) == (self.unfreeze is None):
            message = "a step is `compile`, `fit`, `freeze: …` or `unfreeze: …`"
            raise ValueError(message)
        return self


Step = Literal["compile", "fit"] | Change


class StepsParams(WithModel):
    """Parameters of `steps`."""

    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=20)]
    """What has to happen, in this order; the last step is a `fit`, since only a training shows what came before it."""
    partial: bool = True
    """Give the part of the points that corresponds to the part of the steps that hold."""

    @model_validator(mode="after")
    def _ends_with_a_training(self) -> Self:
        if self.steps[-1] != "fit":
            message = "the last step is `fit`: only a training shows what came before it"
            raise ValueError(message)
        return self


@check("steps")
def steps(case: Case, params: StepsParams) -> Finding:
    """The network was frozen, compiled, trained, unfrozen, compiled and trained again, in this order.

    What it does:
        Finds the trainings of the network that fit the asked steps best, and judges each step by what happened. Frozen
        layers are marked as not trainable when the training begins and have the very same weights after it. Unfrozen
        ones were frozen before, are trainable now, and have other weights after it. `compile` came after the training
        before and after the last change of `trainable`. It makes no difference whether layers are frozen one by one,
        through a nested network, or when they are made; layers that no training changes (`Normalization`) are left
        out. A `compile` and a `fit` count together with the freezing or unfreezing that they belong to. The trainings
        of a network that was saved and loaded in between are those of the one that was loaded.

    Why it matters:
        A fresh last layer sends large gradients through the reused ones and spoils what they have learned, unless they
        are frozen first; and what stays frozen is never tuned to the new task.

    Example:
        `{check: steps, with: {model: b, steps: [freeze: all_but_last, compile, fit, unfreeze: any, compile, fit]}}`
    """
    model, _ = case.model(params.model)
    if model is None:
        return missing_model(case, params.model)
    past = case.past(params.model)
    phases = tuple(_phases(params.steps))
    verdicts = _best(past, model, phases, past.fits_of(model.id)[-_MOST_FITS:])
    held = sum(verdict.holds for verdict in verdicts)
    passed = held == len(verdicts)
    fraction = held / len(verdicts) if passed or params.partial else 0.0
    cells = dict.fromkeys((v.fit.cell, v.fit.event) for v in verdicts if v.fit is not None)
    return Finding.scored(
        _message(model, verdicts),
        fraction,
        advice="" if passed else _advice(next(v for v in verdicts if not v.holds)),
        assurance=Assurance.RECORDED,
        measured={
            "held": held,
            "steps": [{"step": v.step, "holds": v.holds, "seen": v.said} for v in verdicts],
        },
        evidence=tuple(Pointer(cell=cell, event=event) for cell, event in cells)
        or (Pointer(cell=model.cell, event=model.event),),
    )


@dataclass(frozen=True, slots=True)
class _Phase:
    """The steps up to and with one training."""

    changes: tuple[Change, ...]
    compile: bool


@dataclass(frozen=True, slots=True)
class _Verdict:
    """One step, whether it holds, and what was seen."""

    step: str
    holds: bool
    said: str
    fit: FitFact | None = None


def _phases(given: Sequence[Step]) -> Iterator[_Phase]:
    changes: list[Change] = []
    compiled = False
    for step in given:
        if isinstance(step, Change):
            changes.append(step)
        elif step == "compile":
            compiled = True
        else:
            yield _Phase(tuple(changes), compiled)
            changes, compiled = [], False


def _best(
    evidence: Evidence, model: ModelFact, phases: tuple[_Phase, ...], fits: Sequence[FitFact]
) -> tuple[_Verdict, ...]:
    """Match phases with trainings in order so that most steps hold; a phase may remain without a training."""
    nothing = len(fits)

    @cache
    def judged(phase: int, at: int, before: int) -> tuple[_Verdict, ...]:
        if at == nothing:
            return tuple(_missing(phases[phase], phase))
        return tuple(_judge(evidence, model, phases[phase], fits[at], fits[before] if before >= 0 else None))

    @cache
    def rest(phase: int, before: int) -> tuple[int, tuple[_Verdict, ...]]:
        if phase == len(phases):
            return 0, ()
        found: tuple[int, tuple[_Verdict, ...]] | None = None
        for at in range(before + 1, nothing + 1):
            here = judged(phase, at, before)
            score, later = rest(phase + 1, before if at == nothing else at)
            score += sum(verdict.holds for verdict in here)
            if found is None or score > found[0]:
                found = score, (*here, *later)
        return found or (0, ())

    return rest(0, -1)[1]


def _missing(phase: _Phase, number: int) -> Iterator[_Verdict]:
    said = "it was never trained" if number == 0 else "no further training was left for this step"
    for name in _names(phase):
        yield _Verdict(name, holds=False, said=said)


def _names(phase: _Phase) -> Iterator[str]:
    for change in phase.changes:
        yield "freeze" if change.freeze is not None else "unfreeze"
    if phase.compile:
        yield "compile"
    yield "fit"


def _judge(
    evidence: Evidence, model: ModelFact, phase: _Phase, fit: FitFact, before: FitFact | None
) -> Iterator[_Verdict]:
    changes = [
        _frozen(evidence, model, change.freeze, fit)
        if change.freeze is not None
        else _unfrozen(evidence, model, change.unfreeze or "any", fit, before)
        for change in phase.changes
    ]
    yield from changes
    belongs = not changes or any(change.holds for change in changes)
    for verdict in (*((_compiled(evidence, fit, before),) if phase.compile else ()), _trained(fit)):
        if verdict.holds and not belongs:
            said = f"the {verdict.step} before or in {spoken_cell(fit.cell)} follows no such change of `trainable`"
            yield _Verdict(verdict.step, holds=False, said=said, fit=fit)
        else:
            yield verdict


def _chosen(evidence: Evidence, model: ModelFact, layers: Layers, fit: FitFact) -> tuple[str, ...]:
    """Names of the layers with weights that are meant, those that no training changes left out."""
    weighted = learning_layers(model, fit.digests_before)
    if layers in {"any", "all"}:
        return weighted
    if layers == "all_but_last":
        return weighted[:-1]
    if layers == "reused":
        reused = {reuse.layer for reuse in reused_layers(evidence, model.id) if reuse.fit <= fit.event}
        return tuple(name for name in weighted if name in reused)
    classes = {layer.name: {layer.name, layer.cls, layer.custom} for layer in model.flat_layers()}
    wanted = set(layers)
    return tuple(name for name in weighted if wanted & classes.get(name, {name}))


def _frozen(evidence: Evidence, model: ModelFact, layers: Layers, fit: FitFact) -> _Verdict:
    where = f"the training in {spoken_cell(fit.cell)}"

    def verdict(*, holds: bool, said: str) -> _Verdict:
        return _Verdict("freeze", holds, said, fit)

    meant = _chosen(evidence, model, layers, fit)
    if not meant:
        return verdict(holds=False, said=f"in {where} there is no layer with weights that this step could mean")
    if not fit.digests_after:
        return verdict(holds=False, said=f"what {where} did to the weights was not seen")
    marked = [name for name in meant if fit.trainable.get(name) is False]
    kept = [name for name in marked if name not in fit.changed_layers]
    if (layers == "any" and kept) or len(kept) == len(meant):
        weighted = learning_layers(model, fit.digests_before)
        said = f"{len(kept)} of {plural(len(weighted), 'layer')} with weights frozen in {where}"
        return verdict(holds=True, said=f"{said}, their weights the same after it")
    if not marked:
        return verdict(holds=False, said=f"no layer was frozen in {where}")
    moved = [name for name in marked if name in fit.changed_layers]
    if moved:
        return verdict(holds=False, said=f"{_named(moved)} marked as not trainable, but changed by {where}")
    loose = [name for name in meant if name not in marked]
    return verdict(holds=False, said=f"{_named(loose)} still trainable in {where}")


def _unfrozen(evidence: Evidence, model: ModelFact, layers: Layers, fit: FitFact, before: FitFact | None) -> _Verdict:
    where = f"the training in {spoken_cell(fit.cell)}"

    def verdict(*, holds: bool, said: str) -> _Verdict:
        return _Verdict("unfreeze", holds, said, fit)

    cold = {name for name in fit.digests_before if _was_frozen(evidence, model, name, fit, before)}
    meant = [name for name in _chosen(evidence, model, layers, fit) if name in cold or isinstance(layers, tuple)]
    if not meant:
        return verdict(holds=False, said=f"before {where} no layer was frozen that could be unfrozen")
    warm = [name for name in meant if name in cold and fit.trainable.get(name) is True]
    if not warm:
        return verdict(holds=False, said=f"{_named(meant)} still frozen in {where}")
    if not fit.digests_after:
        return verdict(holds=False, said=f"what {where} did to the weights was not seen")
    tuned = [name for name in warm if name in fit.changed_layers]
    if (layers == "any" and tuned) or len(tuned) == len(meant):
        said = f"{plural(len(tuned), 'layer')} unfrozen for {where} and changed by it"
        return verdict(holds=True, said=said)
    still = [name for name in warm if name not in tuned]
    if still:
        return verdict(holds=False, said=f"{_named(still)} made trainable, but not changed by {where}")
    return verdict(holds=False, said=f"{_named([n for n in meant if n not in warm])} still frozen in {where}")


def _was_frozen(evidence: Evidence, model: ModelFact, layer: str, fit: FitFact, before: FitFact | None) -> bool:
    """Whether a layer was frozen in the training before; before the first training, at an earlier compile."""
    earlier = [other for other in evidence.fits_of(model.id) if other.event < fit.event]
    if before is not None or earlier:
        return (before or earlier[-1]).trainable.get(layer) is False
    return any(
        compiled.trainable.get(layer) is False
        for compiled in evidence.compiles
        if compiled.model == model.id and compiled.event < fit.event
    )


def _compiled(evidence: Evidence, fit: FitFact, before: FitFact | None) -> _Verdict:
    where = f"the training in {spoken_cell(fit.cell)}"

    def verdict(*, holds: bool, said: str) -> _Verdict:
        return _Verdict("compile", holds, said, fit)

    if fit.kind == "custom_loop":
        return verdict(holds=True, said=f"{where} is a loop of its own, which needs no compile")
    compiled = evidence.compile_of(fit)
    if compiled is None:
        return verdict(holds=False, said=f"no compile was seen before {where}")
    if before is not None and compiled.event < before.event:
        return verdict(holds=False, said=f"not compiled again between {spoken_cell(before.cell)} and {where}")
    weighted = set(learning_layers(evidence.model(fit.model), fit.digests_before))
    late = [name for name in changed_since_compile(fit, compiled) if name in weighted]
    if late:
        said = f"`trainable` of {_plain(late)} changed after the compile in {spoken_cell(compiled.cell)}"
        return verdict(holds=False, said=f"{said} and before {where}")
    return verdict(holds=True, said=f"compiled in {spoken_cell(compiled.cell)} for {where}")


def _trained(fit: FitFact) -> _Verdict:
    where = f"the training in {spoken_cell(fit.cell)}"
    if not fit.epochs_done and not fit.total_steps:
        return _Verdict("fit", holds=False, said=f"{where} did no step", fit=fit)
    if fit.digests_after and not fit.changed_layers:
        return _Verdict("fit", holds=False, said=f"{where} changed no weights at all", fit=fit)
    return _Verdict("fit", holds=True, said=f"trained in {spoken_cell(fit.cell)}", fit=fit)


def _plain(names: Sequence[str]) -> str:
    shown = [f"`{name}`" for name in names[:_SHOWN]]
    if len(names) > _SHOWN:
        shown.append(f"{len(names) - _SHOWN} more")
    return listed(shown)


def _named(names: Sequence[str]) -> str:
    return f"{_plain(names)} {'was' if len(names) == 1 else 'were'}"


def _message(model: ModelFact, verdicts: tuple[_Verdict, ...]) -> str:
    missed = [(place, verdict) for place, verdict in enumerate(verdicts, start=1) if not verdict.holds]
    if not missed:
        said = [v.said for v in verdicts if v.step in {"freeze", "unfreeze"}] or [v.said for v in verdicts]
        return f"`{model.name}`: {'; '.join(said)}; all {plural(len(verdicts), 'step')} in order."
    place, first = missed[0]
    text = f"`{model.name}`: step {place} of {len(verdicts)} ({first.step}) is missing: {first.said}"
    held = len(verdicts) - len(missed)
    return f"{text}. {held} of the {plural(len(verdicts), 'step')} {'holds' if held == 1 else 'hold'}."


def _advice(verdict: _Verdict) -> str:
    match verdict.step:
        case "freeze":
            return (
                "Set `trainable = False` on the reused layers before `compile`, and train the new last layer alone at "
                "first."
            )
        case "unfreeze":
            return "Set `trainable = True` on the frozen layers, compile again, and train on with a small rate."
        case "compile":
            return "Call `compile` after every change of `trainable` and before the next `fit`."
    return "Train after each change, so that the change has an effect."
