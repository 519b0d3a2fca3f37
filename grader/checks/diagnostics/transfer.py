"""Changes of frozen, unfrozen or shared layers by trainings."""

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from grader.checks.registry import diagnostic
from grader.checks.support.names import first_names
from grader.facts.case import Case
from grader.facts.weights import ancestor_of, frozen_but_changed, unfrozen_but_unchanged
from grader.schema.evidence import CallFact, EvaluateFact, Evidence, FitFact, ModelFact, PredictFact
from grader.schema.grade import Diagnostic
from grader.schema.message import Message, say, say_count, sentences

__all__ = ["frozen_changed", "shared_changed", "unfrozen_unchanged"]

_COPIES = frozenset({"save", "save_weights"})


@diagnostic("frozen-layers-changed")
def frozen_changed(case: Case) -> tuple[Diagnostic, ...]:
    """A training changed layers that were marked as not trainable.

    What it does:
        Compares the weights of every frozen layer before and after each training. Ignores training loops that train two
        models with shared layers in turns, as for a GAN: each loop changes layers that are frozen for the other.

    Why it matters:
        Such a layer was not frozen in spite of `trainable = False`. Usually the model was not compiled again, or a
        custom loop changed all variables. A `BatchNormalization` called with `training=True` changes its moving mean
        and variance.

    Example:
        `base.trainable = False` after `compile` and a first `fit`, and no new `compile`.
    """
    notes = []
    for fit in case.evidence.fits:
        moved = frozen_but_changed(fit)
        if not moved or _takes_turns(case.evidence, fit):
            continue
        model = case.evidence.model(fit.model)
        statistics = model is not None and set(moved) <= _batch_norms(model)
        notes.append(
            Diagnostic(
                id="frozen-layers-changed",
                title=say("Frozen layers were changed"),
                cell=fit.cell,
                message=_changed_frozen(fit.cell, moved, statistics=statistics),
                advice=say(
                    "A frozen `BatchNormalization` keeps its moving mean and variance only in inference mode. Call the "
                    "frozen part with `training=False`, and compile after freezing."
                )
                if statistics
                else say(
                    "Call `compile` after setting `trainable = False`. In a custom training loop, compute gradients "
                    "only for `model.trainable_variables`."
                ),
                model=fit.model,
            )
        )
    return tuple(notes)


def _takes_turns(evidence: Evidence, fit: FitFact) -> bool:
    """Whether a loop trains a model in turns with another one that has the same layers."""
    model = evidence.model(fit.model)
    if fit.kind != "custom_loop" or model is None:
        return False
    others = {loop.model for loop in evidence.fits if loop.kind == "custom_loop" and loop.cell == fit.cell} - {model.id}
    return any(
        other.id in others and (other.id in model.shares_layers_with or model.id in other.shares_layers_with)
        for other in evidence.models
    )


def _changed_frozen(cell: int | None, layers: tuple[str, ...], *, statistics: bool) -> Message:
    if statistics:
        return say_count(
            "The training in {cell:cell} changed the moving statistics or weights of {count:number} frozen layer: "
            "{layers}.",
            "The training in {cell:cell} changed the moving statistics or weights of {count:number} frozen layers: "
            "{layers}.",
            len(layers),
            cell=cell,
            layers=first_names(layers),
        )
    return say_count(
        "The training in {cell:cell} changed the weights of {count:number} frozen layer: {layers}.",
        "The training in {cell:cell} changed the weights of {count:number} frozen layers: {layers}.",
        len(layers),
        cell=cell,
        layers=first_names(layers),
    )


def _batch_norms(model: ModelFact) -> set[str]:
    return {layer.name for layer in model.flat_layers() if layer.cls == "BatchNormalization"}


@diagnostic("unfrozen-layers-unchanged")
def unfrozen_unchanged(case: Case) -> tuple[Diagnostic, ...]:
    """Layers were unfrozen, but the next training did not change them.

    What it does:
        Looks at layers that were frozen in one training of a model and trainable in the next, and compares their
        weights before and after the second training. Ignores layers that no training changes (`Normalization`).

    Why it matters:
        The layers were not adapted to the new task, so unfreezing them had no effect.

    Example:
        `base.trainable = True` and another `fit` without a new `compile`.
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
                    title=say("Unfrozen layers were not trained"),
                    cell=fit.cell,
                    message=say_count(
                        "{layers} was made trainable after the training in {before:cell}, but the training in "
                        "{cell:cell} did not change its weights.",
                        "{layers} were made trainable after the training in {before:cell}, but the training in "
                        "{cell:cell} did not change their weights.",
                        len(idle),
                        layers=first_names(idle),
                        before=before.cell,
                        cell=fit.cell,
                    ),
                    advice=say(
                        "Compile again after setting `trainable = True`. If you did, check that the learning rate is "
                        "above 0 and that gradients reach these layers."
                    ),
                    model=model,
                )
            )
    return tuple(notes)


@diagnostic("shared-layers-changed")
def shared_changed(case: Case) -> tuple[Diagnostic, ...]:
    """Training one model changed another trained model that shares its layers.

    What it does:
        Looks for trainings that changed layers of a second model that was trained or loaded before. If the second
        model is not used after the training, ignores it in three cases: it was copied or saved before; it has the same
        layers, so that both are forms of one model; or it is an autoencoder, whose purpose was to train the encoder.
        Gives the accuracy of the second model before and after, if the grader could test both.

    Why it matters:
        `Sequential(old.layers[:-1])` copies nothing. The old model keeps its last layer, but the shared layers no
        longer have the weights it was trained with.

    Example:
        `new = Sequential(old.layers[:-1] + [Dense(1)])`, `new.fit(…)`, and then `old.evaluate(…)`.
    """
    notes = []
    reported: set[tuple[str, str]] = set()
    past = _Past(case.evidence)
    names = {model.id: {layer.name for layer in model.flat_layers()} for model in past.models.values()}
    for fit in case.evidence.fits:
        changed = fit.changed_layers
        for other in _sharers(past, fit):
            if (other.id, fit.model) in reported:
                continue
            moved = tuple(name for name in changed if name in names[other.id])
            used = past.used_after(other.id, fit.event)
            done_with = past.was_copied(other.id, fit.event) or past.is_same_network(other.id, fit.model)
            if not moved or (not used and (done_with or _makes_images(other))):
                continue
            reported.add((other.id, fit.model))
            notes.append(_note(case.evidence, fit, other, moved, used=used))
    return tuple(notes)


def _makes_images(model: ModelFact) -> bool:
    """Whether the output of a model has several axes, or has as many numbers as its input."""
    sizes = [
        None if shape is None or None in shape else math.prod(n for n in shape if n)
        for shape in (model.input_shape, model.output_shape)
    ]
    return len(model.output_shape or ()) > 1 or (sizes[0] is not None and sizes[0] == sizes[1])


class _Past:
    """When each model was trained, copied, restored and used; computed once."""

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
        self._restored: dict[str, list[int]] = {}
        for save in evidence.saves:
            if save.action in _COPIES or save.action == "set_weights":
                source = save.other if save.action == "set_weights" else save.model
                self._copied[source] = min(save.event, self._copied.get(source, save.event))
            if save.action in {"load_weights", "set_weights"} and save.model is not None:
                self._restored.setdefault(save.model, []).append(save.event)
        self._used: dict[str, list[int]] = {}
        used: list[FitFact | EvaluateFact | PredictFact | CallFact] = [*evidence.fits, *evidence.evaluations]
        for fact in (*used, *evidence.predictions, *evidence.calls):
            self._used.setdefault(fact.model, []).append(fact.event)
        for events in (*self._restored.values(), *self._used.values()):
            events.sort()

    def _origin(self, model_id: str) -> str | None:
        if model_id not in self._origins:
            self._origins[model_id] = ancestor_of(self._evidence, model_id)
        return self._origins[model_id]

    def learned_before(self, model_id: str, event: int) -> bool:
        """Whether a model, or the model it was loaded from, was trained before an event."""
        learned = self._learned.get(self._origin(model_id) or model_id)
        return learned is not None and learned < event

    def was_copied(self, model_id: str, event: int) -> bool:
        """Whether the trained weights of a model were copied or saved before an event."""
        # A copy of an unknown model may be a copy of this one.
        kin = (model_id, self._origin(model_id))
        return any(one in self._copied and self._copied[one] < event for one in kin)

    def is_same_network(self, model_id: str, other_id: str) -> bool:
        """Whether two models have the same layers with weights, such as two of `Model(inputs, outputs)`."""
        models = [self.models[one] for one in (model_id, other_id) if one in self.models]
        layers = [{(one.name, one.parameters) for one in model.flat_layers() if one.parameters} for model in models]
        return len(layers) == 2 and layers[0] == layers[1]  # noqa: PLR2004 - a pair

    def used_after(self, model_id: str, event: int) -> bool:
        """Whether a model was trained, evaluated or called after an event that changed it, without its old weights."""
        used, restored = (_next(events.get(model_id, ()), event) for events in (self._used, self._restored))
        return used is not None and (restored is None or used < restored)


def _next(events: Sequence[int], event: int) -> int | None:
    place = bisect_right(events, event)
    return events[place] if place < len(events) else None


def _sharers(past: _Past, fit: FitFact) -> Iterator[ModelFact]:
    """Find the models with the same layers that were trained before, or loaded from a trained model."""
    same = set(_same_object(past.models, fit.model))
    held = past.sharing.get(fit.model, frozenset())
    for other in past.models.values():
        shared = other.id not in same and (fit.model in past.sharing[other.id] or other.id in held)
        if shared and past.learned_before(other.id, fit.event):
            yield other


def _same_object(models: Mapping[str, ModelFact], model_id: str) -> Iterator[str]:
    """List a model and the earlier forms of the same object, from before layers were removed."""
    seen: set[str] = set()
    current: str | None = model_id
    while current is not None and current in models and current not in seen:
        seen.add(current)
        yield current
        current = models[current].formerly


def _note(evidence: Evidence, fit: FitFact, other: ModelFact, moved: tuple[str, ...], *, used: bool) -> Diagnostic:
    trained = evidence.model(fit.model)
    return Diagnostic(
        id="shared-layers-changed",
        title=say("Training one model changed another model"),
        cell=fit.cell,
        message=sentences(
            say_count(
                "{trained:code} and {other:code} share layers, so the training in {cell:cell} changed {count:number} "
                "layer of {other:code} ({layers}).",
                "{trained:code} and {other:code} share layers, so the training in {cell:cell} changed {count:number} "
                "layers of {other:code} ({layers}).",
                len(moved),
                trained=trained.name if trained is not None else fit.model,
                other=other.name,
                cell=fit.cell,
                layers=first_names(moved),
            ),
            _accuracies(evidence, other),
            say("{other:code} was used again afterwards.", other=other.name) if used else None,
        ),
        advice=say(
            "To keep {other:code} unchanged, build the new model from a copy: `clone_model`, then "
            "`copy.set_weights(old.get_weights())`. `clone_model` alone creates new random weights.",
            other=other.name,
        ),
        model=other.id,
    )


def _accuracies(evidence: Evidence, other: ModelFact) -> Message | None:
    """Give the accuracy of a model before and after; None unless the grader could test both."""
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
        if before is not None and later.task:
            return say(
                "Its test accuracy on the task {task:code} changed from {before:percent} to {after:percent}.",
                task=later.task,
                before=before.value,
                after=later.value,
            )
        if before is not None:
            return say(
                "Its test accuracy changed from {before:percent} to {after:percent}.",
                before=before.value,
                after=later.value,
            )
    return None
