"""What trainings did to layers that were frozen, unfrozen or shared."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from grader.checks.registry import diagnostic
from grader.facts.case import Case
from grader.facts.weights import ancestor_of, frozen_but_changed, unfrozen_but_unchanged
from grader.facts.wording import listed, percent, plural
from grader.schema.base import spoken_cell
from grader.schema.evidence import CallFact, EvaluateFact, Evidence, FitFact, ModelFact, PredictFact
from grader.schema.grade import Diagnostic

__all__ = ["frozen_changed", "shared_changed", "unfrozen_unchanged"]

_SHOWN = 3
_COPIES = frozenset({"save", "save_weights"})


def _named(names: tuple[str, ...]) -> str:
    shown = [f"`{name}`" for name in names[:_SHOWN]]
    if len(names) > _SHOWN:
        shown.append(f"{len(names) - _SHOWN} more")
    return listed(shown)


@diagnostic("frozen-layers-changed")
def frozen_changed(case: Case) -> tuple[Diagnostic, ...]:
    """Layers marked as not trainable were changed by a training all the same.

    What it does:
        Compares the weights of every frozen layer before and after each training.

    Why it matters:
        Such a layer was not frozen, whatever its `trainable` says: mostly the network was not compiled again, or a loop
        of one's own changed all variables. Of a batch normalisation the moving mean and variance change when it is
        called with `training=True`.

    Example:
        `base.trainable = False` after `compile` and a first `fit`, and no new `compile`.
    """
    notes = []
    for fit in case.evidence.fits:
        moved = frozen_but_changed(fit)
        if not moved:
            continue
        model = case.evidence.model(fit.model)
        statistics = model is not None and set(moved) <= _batch_norms(model)
        what = "the moving statistics or weights of " if statistics else ""
        notes.append(
            Diagnostic(
                id="frozen-layers-changed",
                title="Frozen layers were changed",
                cell=fit.cell,
                message=(
                    f"{_named(moved)} {'was' if len(moved) == 1 else 'were'} marked as not trainable, but the training "
                    f"in {spoken_cell(fit.cell)} changed {what or 'the weights of '}"
                    f"{plural(len(moved), 'frozen layer')}."
                ),
                advice=(
                    "A frozen `BatchNormalization` keeps its moving mean and variance only if it runs in inference "
                    "mode. Call the frozen part with `training=False`, and compile after freezing."
                    if statistics
                    else "Call `compile` after setting `trainable = False`. In a loop of your own, compute gradients "
                    "for `model.trainable_variables` alone."
                ),
                model=fit.model,
            )
        )
    return tuple(notes)


def _batch_norms(model: ModelFact) -> set[str]:
    return {layer.name for layer in model.flat_layers() if layer.cls == "BatchNormalization"}


@diagnostic("unfrozen-layers-unchanged")
def unfrozen_unchanged(case: Case) -> tuple[Diagnostic, ...]:
    """Layers were unfrozen, and the training that followed did not change them.

    What it does:
        Looks at layers that were frozen in one training and trainable in the next one of the same network, and compares
        their weights before and after that one. Layers that no training changes (`Normalization`) are left out.

    Why it matters:
        They were never tuned to the new task, so the unfreezing had no effect.

    Example:
        `base.trainable = True` and `fit` again without a new `compile`.
    """
    notes = []
    for model in dict.fromkeys(fit.model for fit in case.evidence.fits):
        fits = case.evidence.fits_of(model)
        for before, fit in pairwise(fits):
            idle = unfrozen_but_unchanged(fit, case.evidence.model(model))
            idle = tuple(n for n in idle if before.trainable.get(n) is False)
            if not idle:
                continue
            notes.append(
                Diagnostic(
                    id="unfrozen-layers-unchanged",
                    title="Unfrozen layers were never tuned",
                    cell=fit.cell,
                    message=(
                        f"{_named(idle)} {'was' if len(idle) == 1 else 'were'} made trainable after the training in "
                        f"{spoken_cell(before.cell)}, but the one in {spoken_cell(fit.cell)} left the weights as they "
                        "were."
                    ),
                    advice=(
                        "Compile again after setting `trainable = True`. If that was done, look whether the learning "
                        "rate is above 0 and gradients reach these layers."
                    ),
                    model=model,
                )
            )
    return tuple(notes)


@diagnostic("shared-layers-changed")
def shared_changed(case: Case) -> tuple[Diagnostic, ...]:
    """Training one network changed layers of another trained one that holds the very same layers.

    What it does:
        Finds trainings that changed layers which an earlier trained (or reloaded) network holds too. It is no mistake
        where that network was copied or saved before and not used any more afterwards. Where the grader could test the
        earlier network before and after, both accuracies are said.

    Why it matters:
        `Sequential(old.layers[:-1])` copies nothing. The old network keeps its last layer, but the layers below it are
        no longer those it was trained with.

    Example:
        `new = Sequential(old.layers[:-1] + [Dense(1)])`, `new.fit(…)`, and then `old.evaluate(…)`.
    """
    notes = []
    told: set[tuple[str, str]] = set()
    past = _Past(case.evidence)
    names = {model.id: {layer.name for layer in model.flat_layers()} for model in past.models.values()}
    for fit in case.evidence.fits:
        changed = fit.changed_layers
        for other in _sharers(past, fit):
            if (other.id, fit.model) in told:
                continue
            moved = tuple(name for name in changed if name in names[other.id])
            used = past.used_after(other.id, fit.event)
            if not moved or (past.was_copied(other.id, fit.event) and not used):
                continue
            told.add((other.id, fit.model))
            notes.append(_note(case.evidence, fit, other, moved, used=used))
    return tuple(notes)


class _Past:
    """What became of each network by when, found out once."""

    def __init__(self, evidence: Evidence) -> None:
        self.models: dict[str, ModelFact] = {}
        for model in evidence.models:
            self.models.setdefault(model.id, model)
        self.sharing = {model.id: frozenset(model.shares_layers_with) for model in self.models.values()}
        self._evidence = evidence
        self._origins: dict[str, str | None] = {}
        self._learned: dict[str, int] = {}
        for fit in evidence.fits:
            if fit.epochs_done:
                self._learned[fit.model] = min(fit.event, self._learned.get(fit.model, fit.event))
        self._copied: dict[str | None, int] = {}
        self._mended: dict[str, list[int]] = {}
        for save in evidence.saves:
            if save.action in _COPIES or save.action == "set_weights":
                source = save.other if save.action == "set_weights" else save.model
                self._copied[source] = min(save.event, self._copied.get(source, save.event))
            if save.action in {"load_weights", "set_weights"} and save.model is not None:
                self._mended.setdefault(save.model, []).append(save.event)
        self._used: dict[str, list[int]] = {}
        used: list[FitFact | EvaluateFact | PredictFact | CallFact] = [*evidence.fits, *evidence.evaluations]
        for fact in (*used, *evidence.predictions, *evidence.calls):
            self._used.setdefault(fact.model, []).append(fact.event)
        for events in (*self._mended.values(), *self._used.values()):
            events.sort()

    def _origin(self, model_id: str) -> str | None:
        if model_id not in self._origins:
            self._origins[model_id] = ancestor_of(self._evidence, model_id)
        return self._origins[model_id]

    def learned_before(self, model_id: str, event: int) -> bool:
        """Whether a network, or what it was loaded from, had learned something before an event."""
        learned = self._learned.get(self._origin(model_id) or model_id)
        return learned is not None and learned < event

    def was_copied(self, model_id: str, event: int) -> bool:
        """Whether what the network had learned was copied or saved before an event."""
        # What is not known to be another network's may be this one's.
        kin = (model_id, self._origin(model_id))
        return any(one in self._copied and self._copied[one] < event for one in kin)

    def used_after(self, model_id: str, event: int) -> bool:
        """Whether it was trained, evaluated or asked for predictions after an event that changed it, not mended."""
        used, mended = (_next(events.get(model_id, ()), event) for events in (self._used, self._mended))
        return used is not None and (mended is None or used < mended)


def _next(events: Sequence[int], event: int) -> int | None:
    place = bisect_right(events, event)
    return events[place] if place < len(events) else None


def _sharers(past: _Past, fit: FitFact) -> Iterator[ModelFact]:
    """Networks with the same layers that had learned something before, or were loaded from one that had."""
    same = set(_same_object(past.models, fit.model))
    held = past.sharing.get(fit.model, frozenset())
    for other in past.models.values():
        shared = other.id not in same and (fit.model in past.sharing[other.id] or other.id in held)
        if shared and past.learned_before(other.id, fit.event):
            yield other


def _same_object(models: Mapping[str, ModelFact], model_id: str) -> Iterator[str]:
    """A network, and what the very object was before it lost layers: nobody is surprised by what became of that."""
    seen: set[str] = set()
    current: str | None = model_id
    while current is not None and current in models and current not in seen:
        seen.add(current)
        yield current
        current = models[current].formerly


def _note(evidence: Evidence, fit: FitFact, other: ModelFact, moved: tuple[str, ...], *, used: bool) -> Diagnostic:
    trained = evidence.model(fit.model)
    name = trained.name if trained is not None else fit.model
    after = " It was used again afterwards." if used else ""
    return Diagnostic(
        id="shared-layers-changed",
        title="Training one network changed another one",
        cell=fit.cell,
        message=(
            f"`{name}` and `{other.name}` hold the same layers, so the training in {spoken_cell(fit.cell)} changed "
            f"{plural(len(moved), 'layer')} of `{other.name}` ({_named(moved)}).{_accuracies(evidence, other)}{after}"
        ),
        advice=(
            f"To keep `{other.name}` as it was, build the new network from a copy: `clone_model`, then "
            "`copy.set_weights(old.get_weights())`. Cloning alone gives fresh weights."
        ),
        model=other.id,
    )


def _accuracies(evidence: Evidence, other: ModelFact) -> str:
    """The network's accuracy before and after, where the grader could test both."""
    origin = ancestor_of(evidence, other.id)
    for later in evidence.accuracies:
        if later.model != other.id or later.moment != "later":
            continue
        places = (later.dataset, later.split, later.task)
        before = next(
            (
                fact
                for owner in (other.id, origin)
                if owner is not None and (fact := evidence.accuracy(owner, *places)) is not None
            ),
            None,
        )
        if before is not None:
            on = f" on the task `{later.task}`" if later.task else ""
            return f" Its test accuracy{on} went from {percent(before.value)} to {percent(later.value)}."
    return ""
