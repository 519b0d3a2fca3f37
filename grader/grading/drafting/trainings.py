"""Propose criteria about trainings: their images, optimizer, loss, callbacks and learning rates."""

from collections.abc import Iterator, Mapping

from grader.facts.keras_names import canonical_loss
from grader.facts.layers import own_activation
from grader.facts.metrics import epochs_trained
from grader.facts.optimizers import ADAPTIVE, CLIPPING, SCHEDULES
from grader.facts.recognition import known_rows
from grader.grading.drafting.base import Proposal, Solution, Subject, Way, any_of, name_cell, one, upper
from grader.grading.drafting.numbers import below
from grader.schema.base import Json
from grader.schema.evidence import CallbackFact, FitFact

__all__ = ["propose"]

_CLASSIFIES = ("sparse_categorical_crossentropy", "categorical_crossentropy")
_FEW_ROWS = 1_000
"""Most training images of a task whose number is taken as required."""
_AROUND_ZERO = 0.15
"""Largest mean of standardized images."""
_ENOUGH_STEPS = 0.1
"""Part of the steps of a custom loop that another solution needs at least."""
_ADVICE: Mapping[str, str] = {
    "EarlyStopping": "Pass `EarlyStopping(patience=…, restore_best_weights=True)` to `fit`, to keep the best weights.",
    "ModelCheckpoint": "Pass `ModelCheckpoint(…, save_best_only=True)` to `fit`, which keeps the best weights.",
    "TensorBoard": "Pass `TensorBoard(…)` to `fit`.",
}
_TITLES: Mapping[str, str] = {
    "EarlyStopping": "Early stopping",
    "ModelCheckpoint": "A checkpoint of the best weights",
    "TensorBoard": "A log for TensorBoard",
}


def propose(solution: Solution) -> Iterator[Proposal]:
    """Propose the data and the settings of each model's trainings."""
    for subject in solution.subjects:
        if subject.fits:
            yield from _data(solution, subject)
    for subject in solution.subjects:
        if subject.fits:
            yield from _loop(solution, subject)
            yield from _loss(solution, subject)
            yield from _optimizer(solution, subject)
            yield from _callbacks(solution, subject)
    yield from _learning_rate(solution)


# ---------------------------------------------------------------------------------------------------------------------
# Data


def _data(solution: Solution, subject: Subject) -> Iterator[Proposal]:
    if subject.task is not None:
        yield _task(solution, subject, subject.task)
    else:
        yield _trained(solution, subject)
    if subject is solution.main:
        yield from _validated(solution, subject)
    yield from _scaled(solution, subject)


def _trained(solution: Solution, subject: Subject) -> Proposal:
    params: dict[str, Json] = {"model": subject.role}
    if solution.dataset:
        params["only_split"] = "train"
    rows = max((fit.rows_trained or 0 for fit in subject.fits), default=0)
    if rows:
        params["rows_at_least"] = below(rows)
    epochs = epochs_trained(subject.fits) or 0
    if epochs > 1:
        params["epochs_at_least"] = 2
    checked = subject is not solution.main and any(fit.validation != "none" for fit in subject.fits)
    validated = {"validation": "not_test"} if checked else {}
    ways = (
        {**params, "loss_falls": True, **validated},
        {**params, "loss_falls": True},
        params,
        {key: value for key, value in params.items() if key in {"model", "only_split"}},
        {"model": subject.role},
    )
    return Proposal(
        id=solution.named(subject, "training-data"),
        title=f"Only training images were used to train {solution.called(subject)}",
        weight=5,
        ways=tuple(one("trained", **way) for way in ways),
        advice="Train on the training images, or a part of them, for a few epochs. Do not use the test images.",
        seen=_images(subject),
        stricter=f"rows_at_least: {rows}, epochs_at_least: {epochs}" if rows and epochs else "",
    )


def _images(subject: Subject) -> str:
    fit = max(subject.fits, key=lambda one: one.rows_trained or 0)
    known = known_rows(fit.x)
    epochs = epochs_trained(subject.fits)
    images = f"{fit.rows_trained:,} images" if fit.rows_trained else "an unknown number of images"
    source = "" if known is None else f" of {known.dataset}/{'+'.join(k for k, v in known.counts.items() if v)}"
    length = f", {epochs} epochs in all" if epochs else f", {fit.total_steps:,} steps" if fit.total_steps else ""
    return f"{name_cell(fit.cell)}: {images}{source}{length}"


def _task(solution: Solution, subject: Subject, task: str) -> Proposal:
    rows = max((fit.rows_trained or 0 for fit in subject.fits), default=0)
    few = 0 < rows <= _FEW_ROWS
    params: dict[str, Json] = {"model": subject.role, "task": task}
    if rows:
        params |= {"exactly": rows} if few else {"at_least": below(rows)}
    checked = {**params, "validated": True, "not_test": True}
    other = _other_task(solution, task) if few else None
    ways = (
        *([{**checked, "apart_from": other.role}] if other is not None else []),
        checked,
        params,
        {"model": subject.role, "task": task},
        {"model": subject.role},
    )
    return Proposal(
        id=solution.named(subject, "task"),
        title=f"{upper(solution.called(subject))} learns task {task}" + (f" from {rows} images" if few else ""),
        weight=8,
        ways=tuple(one("rows", **way, partial=True) for way in ways),
        advice="Select the images by their labels, and do not use test images.",
        seen=f"{_images(subject)}, classes {', '.join(map(str, solution.tasks[task].classes))}",
        stricter="" if other is not None else "`apart_from: ROLE` for images that another model must not have seen",
    )


def _other_task(solution: Solution, task: str) -> Subject | None:
    """Find a model that was trained on other classes only."""
    classes = set(solution.tasks[task].classes)
    tasks = solution.tasks
    apart = (one for one in solution.subjects if one.task is not None and not classes & set(tasks[one.task].classes))
    return next(apart, None)


def _validated(solution: Solution, subject: Subject) -> Iterator[Proposal]:
    fit = next((fit for fit in subject.fits if fit.validation != "none"), None)
    if fit is None or subject.task is not None:
        return
    share = f"validation_split={fit.validation_split}" if fit.validation == "split" else "validation data"
    yield Proposal(
        id=solution.named(subject, "validation"),
        title="The training was validated on images outside the training data",
        weight=4,
        ways=tuple(one("trained", model=subject.role, validation=kind) for kind in ("not_test", "any")),
        advice="Pass `validation_split=…` or `validation_data=…` to `fit`, with images that are in no other part.",
        seen=f"{name_cell(fit.cell)}: {share}",
        stricter="the check `split`, with the share of the training part",
    )


def _scaled(solution: Solution, subject: Subject) -> Iterator[Proposal]:
    arrays = [fit.x for fit in subject.fits if fit.x is not None]
    if not arrays:
        return
    last = arrays[-1]
    ranges = "an unknown range" if last.low is None or last.high is None else f"{last.low:.3g} to {last.high:.3g}"
    selu = "selu" in {own_activation(layer) for layer in subject.model.flat_layers()}
    standardised = selu and last.mean is not None and abs(last.mean) <= _AROUND_ZERO
    plain = one("normalised", model=subject.role)
    yield Proposal(
        id=solution.named(subject, "standardized" if standardised else "scaled"),
        title=f"The pixels are scaled before the training of {solution.called(subject)}",
        weight=4,
        ways=(
            (
                one("normalised", model=subject.role, to="standardised", trainings="last")
                | {
                    "title": f"{upper(solution.called(subject))} is trained on standardized images",
                    "advice": "SELU normalizes itself only with standardized inputs: subtract the mean of the training "
                    "images, and divide by their standard deviation.",
                },
                plain,
            )
            if standardised
            else (plain,)
        ),
        advice="Scale the pixels, for example to 0 to 1 with `x / 255`, or standardize them with the mean and the "
        "standard deviation of the training images.",
        seen=f"{name_cell(subject.fits[-1].cell)}: inputs from {ranges}",
        stricter="" if standardised else "`to: unit`, `centred`, `symmetric` or `standardised`",
        same="standardised" if standardised else "scaled",
    )


# ---------------------------------------------------------------------------------------------------------------------
# Settings


def _loop(solution: Solution, subject: Subject) -> Iterator[Proposal]:
    fit = next((fit for fit in subject.fits if fit.kind == "custom_loop"), None)
    if fit is None:
        return
    loop: Way = {"model": subject.role, "kind": "custom_loop"}
    steps: list[Way] = (
        [{**loop, "steps": {"at_least": below(fit.total_steps, _ENOUGH_STEPS)}}] if fit.total_steps else []
    )
    number = f" of {fit.total_steps:,} steps" if fit.total_steps else ""
    yield Proposal(
        id=solution.named(subject, "loop"),
        title=f"{upper(solution.called(subject))} is trained by a loop of your own",
        weight=12,
        ways=tuple(one("training", **way) for way in (*steps, loop)),
        advice="For each batch, call the model inside `tf.GradientTape()`, get the gradients from the tape, "
        "and pass them to `optimizer.apply_gradients`.",
        seen=f"{name_cell(fit.cell)}: a loop{number}",
        stricter=f"batch_size: {{at_least: {fit.batch_size}}}" if fit.batch_size else "",
        same="loop",
    )


def _loss(solution: Solution, subject: Subject) -> Iterator[Proposal]:
    if subject is not solution.main:
        return
    compiled = [(fit, fit.loss or getattr(solution.evidence.compile_of(fit), "loss", None)) for fit in subject.fits]
    fit, loss = next(((fit, loss) for fit, loss in compiled if loss is not None), (None, None))
    if fit is None or loss is None or loss.custom:
        return
    name = canonical_loss(loss.name)
    names = [*({name} - set(_CLASSIFIES)), *(_CLASSIFIES if name in {*_CLASSIFIES, "binary_crossentropy"} else ())]
    advice = "Use a loss that fits the output of the model and the form of the labels: "
    advice += (
        "`sparse_categorical_crossentropy` for numbers, `categorical_crossentropy` for one-hot rows, each with "
        "`from_logits=True` if the model has no softmax."
        if name in _CLASSIFIES
        else f"here `{name}`."
    )
    logits = f", from_logits={loss.from_logits}" if loss.from_logits is not None else ""
    yield Proposal(
        id=solution.named(subject, "loss"),
        title=f"The loss fits the output of {solution.called(subject)}",
        weight=4,
        ways=(one("loss", model=subject.role, name=names), one("loss", model=subject.role)),
        advice=advice,
        seen=f"{name_cell(fit.cell)}: {name}{logits}",
        stricter=f"from_logits: {str(loss.from_logits).lower()}" if loss.from_logits is not None else "",
        same=f"loss {name in _CLASSIFIES or name}",
    )


def _optimizer(solution: Solution, subject: Subject) -> Iterator[Proposal]:
    for fit, optimizer in solution.optimizers(subject):
        if optimizer.cls.lower() not in ADAPTIVE:
            continue
        rate = f", learning rate {optimizer.learning_rate:g}" if optimizer.learning_rate is not None else ""
        yield Proposal(
            id=solution.named(subject, "optimizer"),
            title=f"{upper(solution.called(subject))} has an adaptive optimizer",
            weight=4,
            ways=(one("optimizer", model=subject.role, cls="adaptive"),),
            advice="Use an optimizer such as `Adam`, which adapts the step size of each weight.",
            seen=f"{name_cell(fit.cell)}: {optimizer.cls}{rate}",
            stricter=f"cls: {optimizer.cls}, or bounds of `learning_rate`",
            same="adaptive",
            optional=True,
        )
        break
    for fit, optimizer in solution.optimizers(subject):
        clipping = [f"{key}={optimizer.config[key]}" for key in CLIPPING if optimizer.config.get(key) is not None]
        if clipping:
            yield Proposal(
                id=solution.named(subject, "clipping"),
                title=f"{upper(solution.called(subject))} has clipped gradients",
                weight=4,
                ways=(one("optimizer", model=subject.role, clipping=True),),
                advice="Compile with an optimizer that has `clipnorm=…` or `clipvalue=…`, and train the model.",
                seen=f"{name_cell(fit.cell)}: {optimizer.cls}({', '.join(clipping)})",
                stricter="bounds of `clipnorm` or `clipvalue`",
                same="clipping",
                optional=True,
            )
            break


def _callbacks(solution: Solution, subject: Subject) -> Iterator[Proposal]:
    seen: dict[str, tuple[FitFact, CallbackFact]] = {}
    for fit in subject.fits:
        for callback in fit.callbacks:
            if callback.cls in _TITLES:
                seen.setdefault(callback.cls, (fit, callback))
    for cls, (fit, callback) in seen.items():
        params: dict[str, Json] = {"model": subject.role, "cls": cls}
        kept = {key: True for key in ("restore_best_weights", "save_best_only") if callback.config.get(key) is True}
        monitored = callback.config.get("monitor")
        settings = [f"{key}={callback.config[key]}" for key in ("monitor", "patience") if key in callback.config]
        yield Proposal(
            id=solution.named(subject, _slug_of(cls)),
            title=_TITLES[cls] + (" that restores the best weights" if "restore_best_weights" in kept else ""),
            weight=5,
            ways=(one("callback", **params, **kept), one("callback", **params)),
            advice=_ADVICE[cls],
            seen=f"{name_cell(fit.cell)}: {cls}({', '.join([*settings, *(f'{key}=True' for key in kept)])})",
            stricter="bounds of `patience`" + (f", monitor: {monitored}" if isinstance(monitored, str) else ""),
            same=cls,
            optional=True,
        )


def _slug_of(cls: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in cls).strip("-")


def _learning_rate(solution: Solution) -> Iterator[Proposal]:
    """Propose a changing learning rate, whichever model and whichever way changes it."""
    for subject in solution.subjects:
        for fit in subject.fits:
            rates = [rate for rate in (fit.step_rates or fit.learning_rates) if rate == rate]  # noqa: PLR0124 - not NaN
            classes = [callback.cls for callback in fit.callbacks if callback.cls in SCHEDULES]
            if not classes and (len(rates) < 2 or min(rates) == max(rates)):  # noqa: PLR2004 - a change needs two values
                continue
            yield _schedule(subject, fit, tuple(classes))
            return


def _schedule(subject: Subject, fit: FitFact, classes: tuple[str, ...]) -> Proposal:
    rates = fit.step_rates or fit.learning_rates
    falls = one("learning_rate", shape=["decays", "one_cycle"])
    by_callback = one("callback", model=subject.role, cls=list(SCHEDULES))
    ways: tuple[Way, ...] = (one("learning_rate", shape="one_cycle"),)
    if classes:
        ways += (any_of(falls, by_callback),)
    ways += (falls, one("learning_rate", shape=["decays", "one_cycle", "rises", "varies"]))
    change = f"{rates[0]:.3g} to {max(rates):.3g} to {rates[-1]:.3g}" if rates else "unknown rates"
    return Proposal(
        id="learning-rate",
        title="A training with a learning rate that changes as planned",
        weight=6,
        ways=ways,
        advice="Pass a `LearningRateScheduler` or `ReduceLROnPlateau` to `fit`, or a schedule to the optimizer, and "
        "check that the optimizer uses it.",
        seen=f"{name_cell(fit.cell)}: {', '.join(classes) or 'a schedule'} ({change})",
        stricter=f"`model: {subject.role}`, bounds of `highest` and `lowest`",
        optional=True,
    )
