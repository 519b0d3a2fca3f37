"""Propose criteria about the layers of models."""

from collections import Counter
from collections.abc import Iterator, Sequence

from grader.facts.initializers import initialiser_of, regulariser_of
from grader.facts.layers import own_activation
from grader.grading.drafting.base import Proposal, Solution, Subject, Way, name_cell, one, upper
from grader.grading.drafting.numbers import round_up
from grader.schema.base import Json
from grader.schema.evidence import LayerFact

__all__ = ["propose"]

_STACK = 5
"""Number of equal hidden layers from which the number is taken as required."""
_SMALL = 2_000
"""Most parameters of a model whose size is taken as a goal of the assignment."""
_PAIR = 2
"""Two classes need one output or two."""
_IMAGE = 3
"""Number of axes of an image with channels."""
_SCHEMES = frozenset({"he_normal", "he_uniform", "lecun_normal", "lecun_uniform"})
"""Initializers that nobody gets by default."""
_MODERATE: Json = {"at_least": 0.05, "at_most": 0.6}
_ROOM = 1.25
"""Factor by which another solution may have more parameters."""
_OF_KERAS = frozenset({"elu", "gelu", "leaky_relu", "relu", "selu", "sigmoid", "silu", "softplus", "tanh"})


def propose(solution: Solution) -> Iterator[Proposal]:
    """Propose shapes, kinds of layers, dropout, normalization, penalties and sizes of each model."""
    for subject in solution.subjects:
        yield from _shapes(solution, subject)
        yield from _convolution(solution, subject)
        yield from _dense(solution, subject)
        yield from _dropout(solution, subject)
        yield from _batch_norm(solution, subject)
        yield from _penalty(solution, subject)
        yield from _size(solution, subject)


def _shapes(solution: Solution, subject: Subject) -> Iterator[Proposal]:
    model, where = subject.model, name_cell(subject.model.cell)
    if model.input_shape is not None and len(model.input_shape) == _IMAGE and subject.convolves:
        shape = list(model.input_shape)
        named = " × ".join("any" if side is None else str(side) for side in shape)
        yield Proposal(
            id=solution.named(subject, "input-shape"),
            title=f"{upper(solution.called(subject))} takes images of shape {named}",
            weight=4,
            ways=(one("input_shape", model=subject.role, shape=shape),),
            advice="A convolution uses neighboring pixels, so keep the image as a grid of height, width and channels.",
            seen=f"{where}: inputs of shape {named}",
            same=f"inputs {shape}",
        )
    if (
        subject.task is not None
        or model.output_shape is None
        or len(model.output_shape) != 1
        or (model.output_shape[0] or 0) <= _PAIR
    ):
        return
    count = model.output_shape[0]
    yield Proposal(
        id=solution.named(subject, "outputs"),
        title=f"{upper(solution.called(subject))} has one output for each of the {count} classes",
        weight=3,
        ways=(one("output_shape", model=subject.role, shape=[count]),),
        advice=f"End with a layer of {count} units, so that every class has its own output.",
        seen=f"{where}: outputs of shape ({count},)",
        same=f"outputs {count}",
    )


def _convolution(solution: Solution, subject: Subject) -> Iterator[Proposal]:
    layers = subject.of("any_convolution")
    if not layers:
        return
    yield Proposal(
        id=solution.named(subject, "convolution"),
        title=f"{upper(solution.called(subject))} has convolutions",
        weight=5,
        ways=(one("has_layer", model=subject.role, layer="any_convolution"),),
        advice="Add at least one `Conv2D` before `Flatten`. It applies the same few weights everywhere in the image.",
        seen=f"{name_cell(subject.model.cell)}: {_listed(layers)}",
        stricter=_more(layers, "`filters`, `kernel_size`, or `before: any_pooling`"),
        same="convolution",
    )


def _dense(solution: Solution, subject: Subject) -> Iterator[Proposal]:
    """Require a stack of equal layers as it is; a few dense layers are no sign of a requirement."""
    hidden = subject.of("Dense")[:-1]
    count = len(hidden)
    if subject.convolves or count < _STACK or len({layer.config.get("units") for layer in hidden}) != 1:
        return
    params: dict[str, Json] = {"model": subject.role, "layer": "Dense", "at_least": count}
    title = f"{upper(solution.called(subject))} has {count} hidden dense layers"
    ways = [one("has_layer", **params)]
    names: list[str] = []
    for key, value, name in _settings(hidden):
        params = {**params, key: value}
        names.append(name)
        ways.insert(0, one("has_layer", **params) | {"title": f"{title} with {' and '.join(names)}"})
    yield Proposal(
        id=solution.named(subject, "dense-layers"),
        title=title,
        weight=7,
        ways=tuple(ways),
        advice=f"Build the {count} layers in a loop; activation and `kernel_initializer` must suit each other.",
        seen=f"{name_cell(subject.model.cell)}: {', '.join([_listed(subject.of('Dense')), *names])}",
        stricter=f"at_most: {count}, `units`",
        same=f"dense {count} {names}",
    )


def _settings(layers: Sequence[LayerFact]) -> list[tuple[str, Json, str]]:
    """List the activation and the initializer that all layers have: the parameter, its value, and words for it."""
    found: list[tuple[str, Json, str]] = []
    activation = _common(own_activation(layer) for layer in layers)
    if activation in _OF_KERAS:
        found.append(("activation", activation, f"the activation {activation}"))
    initialiser = _common(initialiser_of(layer) for layer in layers) or ""
    scheme = initialiser.rpartition("_")[0]
    names = [name for name in (f"{scheme}_normal", f"{scheme}_uniform") if name in _SCHEMES]
    if initialiser in _SCHEMES and names:
        found.append(("initialiser", names, f"{scheme} initialization"))
    return found


def _dropout(solution: Solution, subject: Subject) -> Iterator[Proposal]:
    layers = subject.dropouts
    if not layers:
        return
    alpha = any(layer.cls == "AlphaDropout" for layer in layers)
    kind = "alpha dropout" if alpha else "dropout"
    between: Json = ["any_convolution", "Dense"]
    layer = {"model": subject.role, "layer": "any_dropout", "rate": _MODERATE}
    plain: tuple[Way, ...] = (
        one("has_layer", **layer, after=between, before=between),
        one("has_layer", **layer, before=between),
        one("has_layer", **layer),
        one("has_layer", model=subject.role, layer="any_dropout"),
    )
    alphas: tuple[Way, ...] = (
        one("dropout", model=subject.role, kind="alpha", rate={"at_least": 0.01, "at_most": 0.5}),
        one("dropout", model=subject.role, kind="alpha"),
    )
    yield Proposal(
        id=solution.named(subject, "alpha-dropout" if alpha else "dropout"),
        title=f"{upper(solution.called(subject))} has {kind} at a moderate rate",
        weight=6 if alpha else 4,
        ways=(*alphas, *plain) if alpha else plain,
        advice=(
            "Add `AlphaDropout(…)` before the last layer. Plain dropout would destroy the self-normalization of SELU."
            if alpha
            else "Add `Dropout(…)` with a rate of about 0.2 to 0.5 between trained layers, not before the first layer "
            "and not after the output."
        ),
        seen=f"{name_cell(subject.model.cell)}: {_rates(layers)}",
        stricter=_more(layers, "a smaller range of `rate`"),
        same=kind,
        optional=not solution.compares,
    )


def _batch_norm(solution: Solution, subject: Subject) -> Iterator[Proposal]:
    layers = subject.of("BatchNormalization")
    if not layers:
        return
    count = len(layers) if len(layers) >= _STACK else 1
    params = {"model": subject.role} | ({"at_least": count} if count > 1 else {})
    yield Proposal(
        id=solution.named(subject, "batch-norm"),
        title=f"{upper(solution.called(subject))} has batch normalization" + ("" if count == 1 else " in every layer"),
        weight=5,
        ways=(
            one("batch_norm", **params, place=["before_activation", "after_activation"]),
            one("batch_norm", **params),
            one("has_layer", model=subject.role, layer="BatchNormalization"),
        ),
        advice="Add `BatchNormalization()` to the hidden layers, usually between the weights and their activation.",
        seen=f"{name_cell(subject.model.cell)}: {_listed(layers)}",
        stricter=_more(layers, "one `place`") if count == 1 else "one `place`",
        same="batch-norm",
        optional=not solution.compares,
    )


def _penalty(solution: Solution, subject: Subject) -> Iterator[Proposal]:
    layers = [layer for layer in subject.layers if regulariser_of(layer) not in {"none", "zero", "other"}]
    if not layers:
        return
    kinds = sorted({regulariser_of(layer) for layer in layers})
    classes = sorted({layer.cls for layer in layers})
    ways = tuple(
        one("has_layer", model=subject.role, layer=layer, regulariser="any") for layer in (classes, classes[0])
    )
    yield Proposal(
        id=solution.named(subject, "penalty"),
        title=f"Kernels of {solution.called(subject)} have an l1 or l2 penalty",
        weight=4,
        ways=ways,
        advice="Pass `kernel_regularizer=…` to the layers.",
        seen=f"{name_cell(subject.model.cell)}: {' and '.join(kinds)} in {_listed(layers)}",
        stricter=_more(layers, f"regulariser: {kinds[0]}"),
        same="penalty",
        optional=not solution.compares,
    )


def _size(solution: Solution, subject: Subject) -> Iterator[Proposal]:
    count = subject.model.parameters
    if not count or count > _SMALL:
        return
    most = round_up(count * _ROOM, 10)
    yield Proposal(
        id=solution.named(subject, "size"),
        title=f"{upper(solution.called(subject))} has at most {most:,} parameters",
        weight=8,
        ways=(one("parameters", model=subject.role, at_most=most),),
        advice="Shrink the feature maps with pooling or strides before the last layer, and use few of them.",
        seen=f"{name_cell(subject.model.cell)}: {count:,} parameters, so few that size seems to be a goal",
        stricter=f"at_most: {count}; or the check `score_curve`, which weighs accuracy against size",
        same="size",
    )


# ---------------------------------------------------------------------------------------------------------------------
# Words


def _common(values: Iterator[str | None]) -> str | None:
    """Return the value that all layers have; None if they differ."""
    distinct = set(values)
    return distinct.pop() if len(distinct) == 1 else None


def _listed(layers: tuple[LayerFact, ...] | list[LayerFact]) -> str:
    counts = Counter(layer.cls for layer in layers)
    return ", ".join(f"{count} × {cls}" if count > 1 else cls for cls, count in counts.items())


def _more(layers: Sequence[LayerFact], other: str) -> str:
    """Say what could be required too: the number of layers, if there are several, or something else."""
    return f"at_least: {len(layers)}, or {other}" if len(layers) > 1 else other


def _rates(layers: tuple[LayerFact, ...]) -> str:
    counts = Counter((layer.cls, layer.config.get("rate")) for layer in layers)
    return ", ".join(
        f"{count} × {cls}({rate})" if count > 1 else f"{cls}({rate})" for (cls, rate), count in counts.items()
    )
