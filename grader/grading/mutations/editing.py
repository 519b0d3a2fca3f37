"""Change parts of evidence so that the rest still fits: layers with their sizes, trainings, compiles, accuracies."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from grader.facts.layers import CONVOLUTIONS, is_transform
from grader.facts.statistics import wilson
from grader.schema.base import Json
from grader.schema.evidence import (
    AccuracyFact,
    ArrayFact,
    CompileFact,
    Evidence,
    FitFact,
    LayerFact,
    LossFact,
    ModelFact,
    OptimizerFact,
    RowsFact,
)

__all__ = [
    "configured",
    "each_compile",
    "each_fit",
    "each_layer",
    "each_loss",
    "each_optimizer",
    "is_output",
    "output_layer",
    "rows_of",
    "scored",
    "with_array_rows",
    "with_layers",
    "without_accuracies",
]


def each_fit(evidence: Evidence, model: str, change: Callable[[FitFact], FitFact | None]) -> Evidence:
    """Change the trainings of a model; None removes one."""
    fits = [change(fit) if fit.model == model else fit for fit in evidence.fits]
    return evidence.model_copy(update={"fits": tuple(fit for fit in fits if fit is not None)})


def each_compile(evidence: Evidence, model: str, change: Callable[[CompileFact], CompileFact]) -> Evidence:
    """Change the compiles of a model."""
    compiles = tuple(change(one) if one.model == model else one for one in evidence.compiles)
    return evidence.model_copy(update={"compiles": compiles})


def each_optimizer(evidence: Evidence, model: str, change: Callable[[OptimizerFact], OptimizerFact]) -> Evidence:
    """Change the optimizers of a model, in its compiles and in its custom loops."""

    def changed(used: OptimizerFact | None) -> OptimizerFact | None:
        return None if used is None else change(used)

    mutant = each_compile(evidence, model, lambda one: one.model_copy(update={"optimizer": changed(one.optimizer)}))
    return each_fit(mutant, model, lambda fit: fit.model_copy(update={"optimizer": changed(fit.optimizer)}))


def each_loss(evidence: Evidence, model: str, change: Callable[[LossFact], LossFact]) -> Evidence:
    """Change the losses of a model, in its compiles and in its custom loops."""

    def changed(used: LossFact | None) -> LossFact | None:
        return None if used is None else change(used)

    mutant = each_compile(evidence, model, lambda one: one.model_copy(update={"loss": changed(one.loss)}))
    return each_fit(mutant, model, lambda fit: fit.model_copy(update={"loss": changed(fit.loss)}))


# ---------------------------------------------------------------------------------------------------------------------
# Layers


def each_layer(layers: Iterable[LayerFact], change: Callable[[LayerFact], LayerFact | None]) -> tuple[LayerFact, ...]:
    """Change layers, including the layers of nested models; None removes one."""
    changed = (
        layer.model_copy(update={"layers": each_layer(layer.layers, change)}) if layer.layers else change(layer)
        for layer in layers
    )
    return tuple(layer for layer in changed if layer is not None)


def configured(layer: LayerFact, settings: Mapping[str, Json]) -> LayerFact:
    """Change settings of a layer."""
    return layer.model_copy(update={"config": {**layer.config, **settings}})


def output_layer(model: ModelFact) -> LayerFact | None:
    """Find the last layer that mixes its inputs with weights."""
    return next((layer for layer in reversed(model.flat_layers()) if is_transform(layer)), None)


def is_output(model: ModelFact, layer: LayerFact) -> bool:
    """Whether a layer is the last one with weights that mix its inputs."""
    last = output_layer(model)
    return last is not None and last.name == layer.name


def with_layers(evidence: Evidence, model: ModelFact, layers: Sequence[LayerFact], **fields: object) -> Evidence:
    """Give a model other layers; sizes of dense layers, parameters and recorded weights follow.

    Args:
        evidence: The evidence.
        model: The model.
        layers: Its new layers.
        fields: Other fields of the model, such as `input_shape`.
    """
    sized = _sized(_connected(model, layers), fields.get("input_shape", model.input_shape))
    rebuilt = model.model_copy(update={"layers": sized, **fields})
    names = [layer.name for layer in rebuilt.flat_layers()]
    trained = sum(layer.parameters for layer in rebuilt.flat_layers() if layer.trainable)
    counts = {"parameters": sum(layer.parameters for layer in rebuilt.flat_layers()), "trainable_parameters": trained}
    rebuilt = rebuilt.model_copy(update=counts)
    models = tuple(rebuilt if one.id == model.id else one for one in evidence.models)
    before = {layer.name for layer in model.flat_layers()}
    gone, weighted = before - set(names), {layer.name for layer in rebuilt.flat_layers() if layer.parameters}

    def kept(digests: Mapping[str, str], mark: str) -> dict[str, str]:
        present = {name: digest for name, digest in digests.items() if name not in gone}
        return present | {name: f"{mark}-{name}" for name in weighted - before if digests}

    def trainable(flags: Mapping[str, bool]) -> dict[str, bool]:
        present = {name: flag for name, flag in flags.items() if name not in gone}
        return present | {name: True for name in weighted - before if flags}

    mutant = each_compile(
        evidence.model_copy(update={"models": models}),
        model.id,
        lambda one: one.model_copy(update={"trainable": trainable(one.trainable)}),
    )
    return each_fit(
        mutant,
        model.id,
        lambda fit: fit.model_copy(
            update={
                "trainable": trainable(fit.trainable),
                "digests_before": kept(fit.digests_before, f"new-{fit.event}"),
                "digests_after": kept(fit.digests_after, f"trained-{fit.event}"),
            }
        ),
    )


def _connected(model: ModelFact, layers: Sequence[LayerFact]) -> tuple[LayerFact, ...]:
    """Let each layer take its inputs from the layers before removed ones."""
    present = {layer.name for layer in layers}
    removed = {layer.name: layer.inbound for layer in model.layers if layer.name not in present}

    def sources(names: Iterable[str]) -> Iterator[str]:
        for name in names:
            if name in removed:
                yield from sources(removed[name])
            else:
                yield name

    return tuple(
        layer.model_copy(update={"inbound": tuple(dict.fromkeys(sources(layer.inbound)))})
        if any(name in removed for name in layer.inbound)
        else layer
        for layer in layers
    )


def _sized(layers: Sequence[LayerFact], shape: object) -> tuple[LayerFact, ...]:
    """Recompute the input sizes and parameters of dense layers and normalizations along a chain of layers."""
    sized = []
    here = tuple(shape) if isinstance(shape, tuple) else None
    for layer in layers:
        # The sizes inside a nested model, or of unknown inputs, stay as they are.
        unknown = bool(layer.layers) or here is None or None in here
        sized.append(layer if unknown or here is None else _resized(layer, here))
        here = sized[-1].output_shape
    return tuple(sized)


def _resized(layer: LayerFact, shape: tuple[int, ...]) -> LayerFact:
    if layer.input_shape == shape and layer.cls not in {"Dense", *CONVOLUTIONS}:
        return layer
    if layer.cls == "Dense":
        units = _whole(layer.config.get("units"), default=1)
        weights = (shape[-1] + (layer.config.get("use_bias") is not False)) * units
        return _shaped(layer, shape, (*shape[:-1], units), weights)
    if layer.cls == "Flatten":
        return _shaped(layer, shape, (math.prod(shape),), 0)
    if layer.cls == "BatchNormalization":
        return _shaped(layer, shape, shape, 4 * shape[-1])
    if layer.parameters == 0 and layer.input_shape is not None and layer.input_shape == layer.output_shape:
        return _shaped(layer, shape, shape, 0)
    return layer


def _shaped(layer: LayerFact, taken: tuple[int, ...], given: tuple[int, ...], parameters: int) -> LayerFact:
    return layer.model_copy(update={"input_shape": taken, "output_shape": given, "parameters": parameters})


def _whole(value: Json, *, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else default


# ---------------------------------------------------------------------------------------------------------------------
# Images and accuracies


def rows_of(counts: Mapping[str, int], like: RowsFact | None, dataset: str, **fields: object) -> RowsFact:
    """Describe completely recognized rows.

    Args:
        counts: Split → number of rows.
        like: The rows that they replace; their classes keep their shares.
        dataset: The data set.
        fields: Other fields of the rows.
    """
    classes: dict[str, int] = {}
    if like is not None and like.classes:
        total, size = sum(like.classes.values()), sum(counts.values())
        classes = {name: max(1, round(count * size / total)) for name, count in like.classes.items()}
    values = {"dataset": dataset, "counts": dict(counts), "matched": 1.0, "method": "fingerprint", "classes": classes}
    return RowsFact.model_validate({**values, **fields})


def with_array_rows(array: ArrayFact | None, counts: Mapping[str, int], dataset: str) -> ArrayFact:
    """Let an array hold other rows of a data set, scaled like before."""
    size = sum(counts.values())
    if array is None:
        array = ArrayFact(shape=(size,), dtype="float32", low=0.0, high=1.0)
    rows = rows_of(counts, array.rows, dataset)
    return array.model_copy(update={"shape": (size, *array.shape[1:]), "rows": rows})


def scored(fact: AccuracyFact, correct: int) -> AccuracyFact:
    """Change the number of correct images of an accuracy."""
    correct = max(0, min(correct, fact.total))
    low, high = wilson(correct, fact.total)
    wrong = None if fact.wrong is None else _wrong(fact.wrong, fact.total, fact.total - correct)
    return fact.model_copy(
        update={
            "correct": correct,
            "value": correct / fact.total if fact.total else 0.0,
            "low": low,
            "high": high,
            # The classes of single images are not known for the new number.
            "predicted": (),
            "wrong": wrong,
        }
    )


def _wrong(wrong: tuple[int, ...], total: int, count: int) -> tuple[int, ...]:
    """Keep, drop or add misclassified images until their number is right."""
    if count <= len(wrong):
        return wrong[:count]
    known = set(wrong)
    more = [position for position in range(total) if position not in known]
    return tuple(sorted((*wrong, *more[: count - len(wrong)])))


def without_accuracies(evidence: Evidence, model: str) -> Evidence:
    """Remove the accuracies of a model."""
    return evidence.model_copy(update={"accuracies": tuple(a for a in evidence.accuracies if a.model != model)})
