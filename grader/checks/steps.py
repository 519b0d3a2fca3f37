"""The check `steps`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from grader.checks.registry import check
from grader.checks.support.measures import measure
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import Params, WithModel
from grader.facts.case import Case
from grader.facts.language import english
from grader.facts.layers import Network
from grader.facts.weights import changed_since_compile, learning_layers, reused_layers
from grader.schema.base import Assurance, Json, Pointer
from grader.schema.evidence import CompileFact, Evidence, FitFact, ModelFact
from grader.schema.grade import Finding, FindingDetails, MeasureLabel
from grader.schema.message import Message, MessageLike, say, say_count, sentences

__all__ = ["Change", "StepsParams", "steps"]

Layers = Literal["any", "all", "all_but_last", "reused"] | tuple[str, ...]
"""The layers with weights that a step is about: at least one layer, all layers, all except the last, the layers with
weights that another model learned, or layers by name or class."""

_STEPS: Final[Mapping[str, Message]] = {
    "freeze": say("freeze layers"),
    "compile": say("`compile`"),
    "fit": say("`fit`"),
    "unfreeze": say("unfreeze layers"),
}
"""Names of the steps in messages."""
_SHOWN = 3
"""Layers that a message names; further layers are counted."""
_UNSEEN = 0.5
"""Rank of a step that the evidence does not decide, between a step that holds (1) and one that does not (0)."""
_MOST_FITS = 40
"""Trainings of one model that are compared; the time grows with their square."""


class Change(Params):
    """Layers that are frozen or unfrozen."""

    freeze: Layers | None = None
    """Layers that the next training must not change: not trainable, with the same weights after the training."""
    unfreeze: Layers | None = None
    """Frozen layers that the next training must change: now trainable, with other weights after the training."""

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
    """The steps in their order; the last one must be `fit`, since only a training shows the steps before it."""
    partial: bool = True
    """Whether each step earns its share of the points."""

    @model_validator(mode="after")
    def _ends_with_a_training(self) -> Self:
        if self.steps[-1] != "fit":
            message = "the last step must be `fit`: only a training shows the steps before it"
            raise ValueError(message)
        return self


_MEASURES: Final[Mapping[str, MeasureLabel]] = {
    "held": measure(say("Steps that were done"), "number"),
}
"""Labels and units of the measured values; values without a label repeat the message."""


@check("steps", measures=_MEASURES)
def steps(case: Case, params: StepsParams) -> Finding:
    """The model was frozen, compiled, trained, unfrozen, compiled and trained again, in this order.

    What it does:
        Finds the trainings of the model that match the steps best, and judges each step. Frozen layers are not
        trainable when the training starts, and have the same weights after it. Unfrozen layers were frozen before, are
        trainable now, and have other weights after the training. `compile` must follow the previous training and the
        last change of `trainable`. Layers can be frozen one by one, through a nested model, or when they are created.
        Layers that no training changes (`Normalization`) do not count. A `compile` or `fit` only counts if its
        freezing or unfreezing holds. Trainings before a model was saved and loaded again belong to the loaded model,
        and the trainings of a model to a new model of exactly its layers. If a `call` of the student's may apply the
        only layer that was not frozen last, a person must judge `all_but_last`.

    Why it matters:
        A new last layer sends large gradients through the reused layers and spoils their weights, unless they are
        frozen first. Layers that stay frozen are never tuned to the new task.

    Example:
        `{check: steps, with: {model: b, steps: [freeze: all_but_last, compile, fit, unfreeze: any, compile, fit]}}`
    """
    model, _ = case.model(params.model)
    if model is None:
        return missing_model(case, params.model)
    past = case.past(params.model)
    phases = tuple(_phases(params.steps))
    verdicts = _best(past, model, phases, past.fits_of(model.id)[-_MOST_FITS:])
    held = sum(bool(verdict.holds) for verdict in verdicts)
    passed = held == len(verdicts)
    cells = dict.fromkeys((v.fit.cell, v.fit.event) for v in verdicts if v.fit is not None)
    details: FindingDetails = {
        "assurance": Assurance.RECORDED,
        "measured": {
            "held": held,
            "steps": [_described(verdict) for verdict in verdicts],
        },
        "evidence": tuple(Pointer(cell=cell, event=event) for cell, event in cells)
        or (Pointer(cell=model.cell, event=model.event),),
    }
    unseen = next((v for v in verdicts if v.holds is None), None)
    if unseen is not None and (params.partial or all(v.holds is not False for v in verdicts)):
        return Finding.pending(_open(model, unseen), **details)
    if not past.fits_of(model.id):
        details["lacks"] = "training"
    if not passed:
        details["advice"] = _advice(next(v for v in verdicts if not v.holds))
    return Finding.scored(
        _message(model, verdicts), held / len(verdicts) if passed or params.partial else 0.0, **details
    )


@dataclass(frozen=True, slots=True)
class _Phase:
    """The steps up to and including one training."""

    changes: tuple[Change, ...]
    compile: bool


@dataclass(frozen=True, slots=True)
class _Verdict:
    """One step, whether it holds, and the observation: a clause without a full stop."""

    step: str
    holds: bool | None
    """None if the evidence does not decide it."""
    seen: Message
    fit: FitFact | None = None
    uncompiled: bool = False
    """Whether the step only lacks a `compile` after it."""


def _described(verdict: _Verdict) -> Mapping[str, Json]:
    says = verdict.seen.model_dump(mode="json")
    return {"step": verdict.step, "holds": verdict.holds, "seen": english(verdict.seen), "says": says}


def _phases(wanted: Sequence[Step]) -> Iterator[_Phase]:
    changes: list[Change] = []
    compiled = False
    for step in wanted:
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
    """Match phases with trainings, in order, so that most steps hold; a phase may stay without a training."""
    nothing = len(fits)

    @cache
    def judged(phase: int, at: int, before: int) -> tuple[_Verdict, ...]:
        if at == nothing:
            return tuple(_missing(phases[phase], phase))
        return tuple(_judge(evidence, model, phases[phase], fits[at], fits[before] if before >= 0 else None))

    @cache
    def rest(phase: int, before: int) -> tuple[float, tuple[_Verdict, ...]]:
        if phase == len(phases):
            return 0, ()
        best: tuple[float, tuple[_Verdict, ...]] | None = None
        for at in range(before + 1, nothing + 1):
            here = judged(phase, at, before)
            score, later = rest(phase + 1, before if at == nothing else at)
            score += sum(_UNSEEN if verdict.holds is None else verdict.holds for verdict in here)
            if best is None or score > best[0]:
                best = score, (*here, *later)
        return best or (0, ())

    return rest(0, -1)[1]


def _missing(phase: _Phase, number: int) -> Iterator[_Verdict]:
    seen = say("the model was never trained") if number == 0 else say("there is no further training for this step")
    for name in _names(phase):
        yield _Verdict(name, holds=False, seen=seen)


def _names(phase: _Phase) -> Iterator[str]:
    for change in phase.changes:
        yield "freeze" if change.freeze is not None else "unfreeze"
    if phase.compile:
        yield "compile"
    yield "fit"


def _judge(
    evidence: Evidence, model: ModelFact, phase: _Phase, fit: FitFact, before: FitFact | None
) -> Iterator[_Verdict]:
    changes = [_changed(evidence, model, change, fit, before) for change in phase.changes]
    yield from changes
    belongs = not changes or any(change.holds is not False for change in changes)
    for verdict in (*((_compiled(evidence, fit, before),) if phase.compile else ()), _trained(fit)):
        if verdict.holds and not belongs:
            seen = say(
                "the {step:code} for the training in {cell:cell} follows no such change of `trainable`",
                step=verdict.step,
                cell=fit.cell,
            )
            yield _Verdict(verdict.step, holds=False, seen=seen, fit=fit)
        else:
            yield verdict


def _changed(evidence: Evidence, model: ModelFact, change: Change, fit: FitFact, before: FitFact | None) -> _Verdict:
    if not fit.digests_before or not fit.trainable:
        return _Verdict("freeze" if change.freeze is not None else "unfreeze", None, _unseen(fit), fit)
    if change.freeze is not None:
        return _frozen(evidence, model, change.freeze, fit)
    return _unfrozen(evidence, model, change.unfreeze or "any", fit, before)


def _chosen(evidence: Evidence, model: ModelFact, layers: Layers, fit: FitFact) -> tuple[str, ...]:
    """List the layers that a step is about, without layers that no training changes."""
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
    def verdict(*, holds: bool | None, seen: Message) -> _Verdict:
        return _Verdict("freeze", holds, seen, fit)

    meant = _chosen(evidence, model, layers, fit)
    if not meant:
        nothing = say("the training in {cell:cell} has no layer with weights that this step can mean", cell=fit.cell)
        return verdict(holds=False, seen=nothing)
    marked = [name for name in meant if fit.trainable.get(name) is False]
    if marked and not fit.digests_after:
        return verdict(holds=None, seen=_unseen(fit))
    kept = [name for name in marked if name not in fit.changed_layers]
    if (layers == "any" and kept) or len(kept) == len(meant):
        frozen = say(
            "{frozen:number} of {layers:number} layers with weights were frozen in the training in {cell:cell}, which "
            "did not change them",
            frozen=len(kept),
            layers=len(learning_layers(model, fit.digests_before)),
            cell=fit.cell,
        )
        return verdict(holds=True, seen=frozen)
    if not marked:
        return verdict(holds=False, seen=say("no layer was frozen in the training in {cell:cell}", cell=fit.cell))
    moved = [name for name in marked if name in fit.changed_layers]
    if moved:
        changed = say_count(
            "{layers} was not trainable, but the training in {cell:cell} changed it",
            "{layers} were not trainable, but the training in {cell:cell} changed them",
            len(moved),
            cell=fit.cell,
            layers=_named(moved),
        )
        return verdict(holds=False, seen=changed)
    return _loose(model, layers, [name for name in meant if name not in marked], fit)


def _loose(model: ModelFact, layers: Layers, loose: Sequence[str], fit: FitFact) -> _Verdict:
    """Judge a training in which layers that had to be frozen were trainable."""
    if layers == "all_but_last" and _any_may_be_last(model, fit):
        return _Verdict("freeze", None, _UNORDERED, fit)
    trainable = say_count(
        "{layers} was still trainable in the training in {cell:cell}",
        "{layers} were still trainable in the training in {cell:cell}",
        len(loose),
        layers=_named(loose),
        cell=fit.cell,
    )
    return _Verdict("freeze", holds=False, seen=trainable, fit=fit)


_UNORDERED = say("the grader could not see which layer is the last one in a `call` of the notebook")


def _any_may_be_last(model: ModelFact, fit: FitFact) -> bool:
    """Whether the only layer that was not frozen may be the last one, because code of the student's orders them."""
    loose = [name for name in learning_layers(model, fit.digests_before) if fit.trainable.get(name) is not False]
    return len(loose) == 1 and not Network(model).has_known_order


def _unseen(fit: FitFact) -> Message:
    return say("the grader could not see how the training in {cell:cell} changed the weights", cell=fit.cell)


def _unfrozen(evidence: Evidence, model: ModelFact, layers: Layers, fit: FitFact, before: FitFact | None) -> _Verdict:
    def verdict(*, holds: bool | None, seen: Message) -> _Verdict:
        return _Verdict("unfreeze", holds, seen, fit)

    cold = {name for name in fit.digests_before if _was_frozen(evidence, model, name, fit, before)}
    meant = [name for name in _chosen(evidence, model, layers, fit) if name in cold or isinstance(layers, tuple)]
    if not meant:
        nothing = say("no layer was frozen before the training in {cell:cell}", cell=fit.cell)
        return verdict(holds=False, seen=nothing)
    warm = [name for name in meant if name in cold and fit.trainable.get(name) is True]
    if not warm:
        return verdict(holds=False, seen=_still_frozen(meant, fit))
    if not fit.digests_after:
        return verdict(holds=None, seen=_unseen(fit))
    tuned = [name for name in warm if name in fit.changed_layers]
    if (layers == "any" and tuned) or len(tuned) == len(meant):
        unfrozen = say_count(
            "{count:number} layer was unfrozen for the training in {cell:cell}, which changed it",
            "{count:number} layers were unfrozen for the training in {cell:cell}, which changed them",
            len(tuned),
            cell=fit.cell,
        )
        return verdict(holds=True, seen=unfrozen)
    still = [name for name in warm if name not in tuned]
    if still:
        return _unchanged(evidence, still, fit, before)
    return verdict(holds=False, seen=_still_frozen([name for name in meant if name not in warm], fit))


def _unchanged(evidence: Evidence, layers: Sequence[str], fit: FitFact, before: FitFact | None) -> _Verdict:
    """Explain why unfrozen layers do not count that their training did not change."""
    compiled = _earlier_compile(evidence, fit, before, layers)
    if compiled is not None:
        seen = _without_compile(layers, fit, compiled)
        return _Verdict("unfreeze", holds=False, seen=seen, fit=fit, uncompiled=True)
    unchanged = say_count(
        "{layers} was set trainable, but its weights did not change in the training in {cell:cell}",
        "{layers} were set trainable, but their weights did not change in the training in {cell:cell}",
        len(layers),
        cell=fit.cell,
        layers=_named(layers),
    )
    return _Verdict("unfreeze", holds=False, seen=unchanged, fit=fit)


def _earlier_compile(
    evidence: Evidence, fit: FitFact, before: FitFact | None, layers: Sequence[str]
) -> CompileFact | None:
    """Return the last compile of a training if it came before the layers were unfrozen."""
    compiled = evidence.compile_of(fit)
    if compiled is None or fit.kind == "custom_loop":
        return None
    changed = set(changed_since_compile(fit, compiled)) & set(layers)
    return compiled if changed or (before is not None and compiled.event < before.event) else None


def _without_compile(layers: Sequence[str], fit: FitFact, compiled: CompileFact) -> Message:
    return say_count(
        "{layers} was set trainable, but the training in {cell:cell} did not change it, because the model was last "
        "compiled in {compiled:cell}, before `trainable` was set",
        "{layers} were set trainable, but the training in {cell:cell} did not change them, because the model was last "
        "compiled in {compiled:cell}, before `trainable` was set",
        len(layers),
        layers=_named(layers),
        cell=fit.cell,
        compiled=compiled.cell,
    )


def _still_frozen(layers: Sequence[str], fit: FitFact) -> Message:
    return say_count(
        "{layers} was still frozen in the training in {cell:cell}",
        "{layers} were still frozen in the training in {cell:cell}",
        len(layers),
        layers=_named(layers),
        cell=fit.cell,
    )


def _was_frozen(evidence: Evidence, model: ModelFact, layer: str, fit: FitFact, before: FitFact | None) -> bool:
    """Whether a layer was frozen in the previous training or, before the first training, at an earlier compile."""
    earlier = [other for other in evidence.fits_of(model.id) if other.event < fit.event]
    if before is not None or earlier:
        return (before or earlier[-1]).trainable.get(layer) is False
    return any(
        compiled.trainable.get(layer) is False
        for compiled in evidence.compiles
        if compiled.model == model.id and compiled.event < fit.event
    )


def _compiled(evidence: Evidence, fit: FitFact, before: FitFact | None) -> _Verdict:
    def verdict(*, holds: bool, seen: Message) -> _Verdict:
        return _Verdict("compile", holds, seen, fit)

    if fit.kind == "custom_loop":
        loop = say("the training in {cell:cell} is a custom loop, which needs no `compile`", cell=fit.cell)
        return verdict(holds=True, seen=loop)
    compiled = evidence.compile_of(fit)
    if compiled is None:
        missing = say("there is no `compile` before the training in {cell:cell}", cell=fit.cell)
        return verdict(holds=False, seen=missing)
    if before is not None and compiled.event < before.event:
        again = say(
            "the model was not compiled again between {before:cell} and the training in {cell:cell}",
            before=before.cell,
            cell=fit.cell,
        )
        return verdict(holds=False, seen=again)
    weighted = set(learning_layers(evidence.model(fit.model), fit.digests_before))
    late = [name for name in changed_since_compile(fit, compiled) if name in weighted]
    if late:
        changed = say(
            "`trainable` of {layers} changed after the `compile` in {compiled:cell} and before the training in "
            "{cell:cell}",
            layers=_named(late),
            compiled=compiled.cell,
            cell=fit.cell,
        )
        return verdict(holds=False, seen=changed)
    done = say(
        "{compiled:cell} compiled the model for the training in {cell:cell}", compiled=compiled.cell, cell=fit.cell
    )
    return verdict(holds=True, seen=done)


def _trained(fit: FitFact) -> _Verdict:
    if not fit.epochs_done and not fit.total_steps:
        idle = say("the training in {cell:cell} did no step", cell=fit.cell)
        return _Verdict("fit", holds=False, seen=idle, fit=fit)
    if fit.digests_after and not fit.changed_layers:
        unchanged = say("the training in {cell:cell} changed no weights", cell=fit.cell)
        return _Verdict("fit", holds=False, seen=unchanged, fit=fit)
    return _Verdict("fit", holds=True, seen=say("{cell:cell} trained the model", cell=fit.cell), fit=fit)


def _named(names: Sequence[str]) -> list[Message]:
    shown = [say("{layer:code}", layer=name) for name in names[:_SHOWN]]
    if len(names) > _SHOWN:
        shown.append(say("{count:number} more", count=len(names) - _SHOWN))
    return shown


def _message(model: ModelFact, verdicts: tuple[_Verdict, ...]) -> Message:
    missed = [(place, verdict) for place, verdict in enumerate(verdicts, start=1) if not verdict.holds]
    if not missed:
        seen = [v.seen for v in verdicts if v.step in {"freeze", "unfreeze"}] or [v.seen for v in verdicts]
        return sentences(
            say("{model:code}: {observations:clauses}.", model=model.name, observations=seen),
            say_count("The required step was done.", "All {count:number} steps were done in order.", len(verdicts)),
        )
    place, first = missed[0]
    later = [_STEPS[verdict.step] for _, verdict in missed[1:]]
    return sentences(
        _done(model, verdicts),
        say(
            "Step {place:number}, {step}, is missing: {observation}.",
            place=place,
            step=_STEPS[first.step],
            observation=first.seen,
        ),
        say("Also missing after it: {steps:list}.", steps=later) if later else "",
    )


def _done(model: ModelFact, verdicts: tuple[_Verdict, ...]) -> Message:
    """List the steps that were done, with the cell of the training that shows them."""
    by_cell: dict[int | None, list[Message]] = {}
    for verdict in verdicts:
        if verdict.holds and verdict.fit is not None:
            by_cell.setdefault(verdict.fit.cell, []).append(_STEPS[verdict.step])
    if not by_cell:
        return say_count(
            "{model:code}: The required step was not done.",
            "{model:code}: None of the {count:number} required steps was done.",
            len(verdicts),
            model=model.name,
        )
    return say(
        "{model:code}: {done:number} of {steps:number} steps were done: {trainings:clauses}.",
        model=model.name,
        done=sum(map(len, by_cell.values())),
        steps=len(verdicts),
        trainings=[
            say("{steps:list} (training in {cell:cell})", steps=steps, cell=cell) for cell, steps in by_cell.items()
        ],
    )


def _open(model: ModelFact, verdict: _Verdict) -> Message:
    return say(
        "{model:code}: {observation}. A person must judge the steps.", model=model.name, observation=verdict.seen
    )


def _advice(verdict: _Verdict) -> MessageLike:
    if verdict.uncompiled and verdict.fit is not None:
        return say(
            "Call `compile` after `trainable = True` and before the training in {cell:cell}; a change of `trainable` "
            "has no effect without it.",
            cell=verdict.fit.cell,
        )
    match verdict.step:
        case "freeze":
            return say(
                "Set `trainable = False` on the reused layers before `compile`, and train only the new last layer at "
                "first."
            )
        case "unfreeze":
            return say("Set `trainable = True` on the frozen layers, compile again, and train with a small rate.")
        case "compile":
            return say("Call `compile` after every change of `trainable` and before the next `fit`.")
    return say("Train after each change, so that the change has an effect.")
