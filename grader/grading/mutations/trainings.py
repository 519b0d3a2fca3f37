"""Mistakes in the trainings of a model: their length, their losses and their kind."""

import math

from grader.facts.metrics import canonical_metric
from grader.grading.mutations.base import NotApplicable, Target, always, mutation, sets
from grader.grading.mutations.editing import each_fit, without_accuracies
from grader.schema.evidence import (
    AxesFact,
    CompileFact,
    Evidence,
    FigureFact,
    FitFact,
    LineFact,
    ModelFact,
    OptimizerFact,
)

__all__ = ()

_FEW_STEPS = 10


def _never(model: ModelFact) -> NotApplicable:
    return NotApplicable(f"`{model.name}` is never trained")


def _shows(line: LineFact, fits: tuple[FitFact, ...]) -> bool:
    """Whether a line is the history of one of these trainings."""
    return any(line.y == values for fit in fits for values in fit.history.values())


def _redrawn(evidence: Evidence, fits: tuple[FitFact, ...], points: int) -> Evidence:
    """Cut the lines that show these trainings to their first points; without points, remove them."""

    def axes(one: AxesFact) -> AxesFact:
        lines = (line.model_copy(update={"y": line.y[:points]}) if _shows(line, fits) else line for line in one.lines)
        return one.model_copy(update={"lines": tuple(line for line in lines if line.y)})

    def figure(one: FigureFact) -> FigureFact:
        return one.model_copy(update={"axes": tuple(map(axes, one.axes))})

    return evidence.model_copy(update={"figures": tuple(map(figure, evidence.figures))})


@mutation(
    "never-trained",
    concerns={
        "trained": always,
        "training": always,
        "accuracy": always,
        "score_curve": always,
        "beats": always,
        "gain": always,
        "rows": always,
        "steps": always,
        "reuses": always,
        "plots": always,
        "callback": always,
        "optimizer": always,
        "labels": always,
        "split": lambda params: params.variables is None,
        "normalised": lambda params: params.variables is None,
        "learning_rate": always,
    },
)
def _never_trained(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The model is never trained."""
    fits = evidence.fits_of(model.id)
    if not fits:
        return _never(model)
    return _unkept(each_fit(_redrawn(evidence, fits, 0), model.id, lambda _fit: None), model)


def _unkept(evidence: Evidence, model: ModelFact) -> Evidence:
    """Remove the saved form and the accuracies of a model: only a trained model is kept."""
    bare = model.model_copy(update={"artefact": None, "artefact_format": None, "fallbacks": {}, "later_artefact": None})
    models = tuple(bare if one.id == model.id else one for one in evidence.models)
    return without_accuracies(evidence.model_copy(update={"models": models}), model.id)


@mutation(
    "one-epoch",
    concerns={
        "trained": lambda params: params.epochs_at_least > 1 or params.loss_falls,
        "training": lambda params: any(
            bounds is not None and bounds.at_least is not None and bounds.at_least > _FEW_STEPS**power
            for bounds, power in ((params.epochs, 0), (params.steps, 1))
        ),
    },
)
def _one_epoch(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The model is trained for one epoch; in a custom loop, for ten steps."""
    fits = evidence.fits_of(model.id)
    if not fits:
        return _never(model)
    once = _learns_once(fits)

    def short(fit: FitFact) -> FitFact | None:
        return _short(fit) if fit.event == fits[0].event or not once else None

    return each_fit(_redrawn(evidence, fits, 1), model.id, short)


def _learns_once(fits: tuple[FitFact, ...]) -> bool:
    """Whether all trainings use the same layers, so that the first one alone is the same work in one epoch."""
    return len({tuple(sorted(fit.trainable.items())) for fit in fits}) == 1


def _short(fit: FitFact) -> FitFact:
    if fit.kind == "custom_loop":
        steps = min(_FEW_STEPS, fit.total_steps or _FEW_STEPS)
        return fit.model_copy(update={"total_steps": steps, "history": {}, "epochs_done": min(fit.epochs_done, 1)})
    per_epoch = fit.steps or (fit.total_steps // fit.epochs_done if fit.total_steps and fit.epochs_done else None)
    part = max(1, len(fit.step_rates) // max(1, fit.epochs_done))
    return fit.model_copy(
        update={
            "epochs_asked": 1,
            "epochs_done": 1,
            "status": "completed",
            "total_steps": per_epoch,
            "history": {name: values[:1] for name, values in fit.history.items()},
            "learning_rates": fit.learning_rates[:1],
            "step_rates": fit.step_rates[:part] if fit.step_rates else (),
        }
    )


def _with_losses(evidence: Evidence, model: ModelFact, *, broken: bool) -> Evidence | NotApplicable:
    def changed(fit: FitFact) -> FitFact:
        history = {}
        for name, values in fit.history.items():
            history[name] = values
            if canonical_metric(name) in {"loss", "val_loss"} and values:
                history[name] = _broken(values) if broken else tuple(sorted(values))
        return fit.model_copy(update={"history": history})

    fits = evidence.fits_of(model.id)
    if not any(len(values) > 1 for fit in fits for name, values in fit.history.items() if name == "loss"):
        return NotApplicable(f"no loss of several epochs of `{model.name}` is recorded")
    mutant = each_fit(evidence, model.id, changed)
    if sum(len(fit.history.get("loss", ())) > 0 for fit in fits) > 1 and not broken:
        # The later trainings of a model must not start below the first one.
        floor = max(value for fit in fits for value in fit.history.get("loss", ()))
        mutant = each_fit(mutant, model.id, lambda fit: fit if fit.event == fits[0].event else _above(fit, floor))
    return _with_new_lines(mutant, fits, mutant.fits_of(model.id))


def _broken(values: tuple[float, ...]) -> tuple[float, ...]:
    return (values[0], *(math.nan for _ in values[1:]))


def _above(fit: FitFact, floor: float) -> FitFact:
    losses = tuple(floor + 0.01 * at for at, _ in enumerate(fit.history.get("loss", ())))
    return fit.model_copy(update={"history": {**fit.history, "loss": losses}})


def _with_new_lines(evidence: Evidence, old: tuple[FitFact, ...], new: tuple[FitFact, ...]) -> Evidence:
    """Let the lines that show the old histories show the new ones."""
    places = {
        values: after.history[name]
        for before, after in zip(old, new, strict=True)
        for name, values in before.history.items()
    }
    figures = tuple(
        figure.model_copy(
            update={
                "axes": tuple(
                    axes.model_copy(
                        update={
                            "lines": tuple(
                                line.model_copy(update={"y": places.get(line.y, line.y)}) for line in axes.lines
                            )
                        }
                    )
                    for axes in figure.axes
                )
            }
        )
        for figure in evidence.figures
    )
    return evidence.model_copy(update={"figures": figures})


@mutation("rising-loss", concerns={"trained": sets("loss_falls")})
def _rising_loss(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The loss rises from epoch to epoch."""
    return _with_losses(evidence, model, broken=False)


@mutation("loss-not-a-number", concerns={"trained": sets("loss_falls")})
def _loss_not_a_number(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The loss is not a number from the second epoch on."""
    return _with_losses(evidence, model, broken=True)


@mutation("training-failed", concerns={"trained": lambda params: params.epochs_at_least > 0})
def _training_failed(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """Each `fit` of the model raises an error in its first step."""
    fits = evidence.fits_of(model.id)
    if not any(fit.kind == "fit" for fit in fits):
        return NotApplicable(f"no `fit` trains `{model.name}`")

    def failed(fit: FitFact) -> FitFact:
        return fit.model_copy(
            update={
                "status": "error",
                "error": "ValueError",
                "epochs_done": 0,
                "total_steps": 0,
                "history": {},
                "learning_rates": (),
                "step_rates": (),
                "digests_after": fit.digests_before,
            }
        )

    mutant = _unkept(each_fit(_redrawn(evidence, fits, 0), model.id, lambda _fit: None), model)
    raised = tuple(failed(fit) for fit in fits if fit.kind == "fit")
    return mutant.model_copy(update={"failed_fits": (*mutant.failed_fits, *raised)})


@mutation("fit-instead-of-loop", concerns={"training": lambda params: params.kind == "custom_loop"})
def _fit_instead_of_loop(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The model is trained with `fit`, not in a custom loop."""
    loops = [fit for fit in evidence.fits_of(model.id) if fit.kind == "custom_loop"]
    if not loops:
        return NotApplicable(f"no custom loop trains `{model.name}`")
    compiles = tuple(
        CompileFact(
            event=fit.event - 1,
            cell=fit.cell,
            model=model.id,
            optimizer=fit.optimizer or OptimizerFact(cls="Adam", learning_rate=0.001),
            loss=fit.loss,
            trainable=fit.trainable,
        )
        for fit in loops
    )

    def fitted(fit: FitFact) -> FitFact:
        return fit if fit.kind == "fit" else _as_fit(fit)

    mutant = each_fit(evidence, model.id, fitted)
    return mutant.model_copy(update={"compiles": (*mutant.compiles, *compiles)})


def _as_fit(fit: FitFact) -> FitFact:
    rows = fit.rows_trained
    epochs = fit.epochs_done or (
        max(1, round(fit.total_steps * fit.batch_size / rows)) if fit.total_steps and fit.batch_size and rows else 1
    )
    losses = fit.history.get("loss") or tuple(1 / (1 + at) for at in range(epochs))
    return fit.model_copy(
        update={
            "kind": "fit",
            "epochs_asked": epochs,
            "epochs_done": epochs,
            "history": {**fit.history, "loss": losses},
            "compiled": fit.event - 1,
            "optimizer": None,
            "loss": None,
        }
    )


@mutation("loop-instead-of-fit", concerns={"training": lambda params: params.kind == "fit"})
def _loop_instead_of_fit(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The model is trained in a custom loop, not with `fit`."""
    if not any(fit.kind == "fit" for fit in evidence.fits_of(model.id)):
        return NotApplicable(f"no `fit` trains `{model.name}`")

    def looped(fit: FitFact) -> FitFact:
        compiled = evidence.compile_of(fit)
        return fit.model_copy(
            update={
                "kind": "custom_loop",
                "compiled": None,
                "optimizer": compiled.optimizer if compiled else None,
                "loss": compiled.loss if compiled else None,
                "callbacks": (),
            }
        )

    return each_fit(evidence, model.id, looped)


@mutation(
    "single-images",
    concerns={"training": lambda params: params.batch_size is not None and not params.batch_size.holds(1)},
)
def _single_images(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """Each batch holds a single image."""
    if not evidence.fits_of(model.id):
        return _never(model)

    def singly(fit: FitFact) -> FitFact:
        size = fit.batch_size or 1
        steps = {"steps": fit.steps and fit.steps * size, "total_steps": fit.total_steps and fit.total_steps * size}
        return fit.model_copy(update={"batch_size": 1, **steps})

    return each_fit(evidence, model.id, singly)
