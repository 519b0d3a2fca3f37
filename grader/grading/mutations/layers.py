"""Mistakes in the layers of a model."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from grader.facts.initializers import initialiser_of, regulariser_of
from grader.facts.layers import (
    CONVOLUTIONS,
    DROPOUTS,
    GROUPS,
    activation_name,
    canonical_layer,
    is_transform,
    kernel_size,
    own_activation,
)
from grader.grading.mutations.base import Concern, NotApplicable, Target, always, mutation, sets
from grader.grading.mutations.editing import (
    configured,
    each_fit,
    each_layer,
    is_output,
    output_layer,
    with_layers,
    without_accuracies,
)
from grader.grading.mutations.passes import with_equal_passes
from grader.schema.base import Json
from grader.schema.evidence import ArrayFact, Evidence, LayerFact, ModelFact

__all__ = ()

_NORMALIZATIONS = GROUPS["any_normalization"]
_POOLINGS = GROUPS["any_pooling"]
_ON_MAPS = CONVOLUTIONS | _POOLINGS | {"Flatten", "Reshape"}
_TOO_HIGH, _TOO_LOW = 0.95, 0.001
_MANY_UNITS = 4096


def _names(params: Any) -> tuple[str, ...]:
    return (params.layer,) if isinstance(params.layer, str) else tuple(params.layer)


def _requires(classes: Iterable[str]) -> Concern:
    """Concern a required layer of which only these classes are accepted."""
    accepted = frozenset(classes)

    def concern(params: Any) -> bool:
        named = (GROUPS.get(name, frozenset({canonical_layer(name)})) for name in _names(params))
        return params.at_least > 0 and all(classes <= accepted for classes in named)

    return concern


def _both(one: Concern, other: Concern) -> Concern:
    return lambda params: one(params) and other(params)


def _without(
    evidence: Evidence, model: ModelFact, drops: Callable[[LayerFact], bool], missing: str
) -> Evidence | NotApplicable:
    if not any(drops(layer) for layer in model.flat_layers()):
        return NotApplicable(f"`{model.name}` has {missing}")
    return with_layers(evidence, model, each_layer(model.layers, lambda layer: None if drops(layer) else layer))


def _reconfigured(
    evidence: Evidence,
    model: ModelFact,
    changes: Callable[[LayerFact], dict[str, Json]],
    missing: str,
) -> Evidence | NotApplicable:
    """Change settings of the layers for which `changes` returns any."""
    if not any(changes(layer) for layer in model.flat_layers()):
        return NotApplicable(f"`{model.name}` has {missing}")
    return with_layers(evidence, model, each_layer(model.layers, lambda layer: configured(layer, changes(layer))))


# ---------------------------------------------------------------------------------------------------------------------
# Dropout


@mutation("no-dropout", concerns={"has_layer": _requires(DROPOUTS), "dropout": always, "mc_dropout": always})
def _no_dropout(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The model has no dropout."""
    mutant = _without(evidence, model, lambda layer: layer.cls in DROPOUTS, "no dropout")
    return mutant if isinstance(mutant, NotApplicable) else with_equal_passes(mutant, model.id)


def _bounds_rate(value: float) -> Concern:
    return lambda params: params.rate is not None and not params.rate.holds(value)


def _with_rate(evidence: Evidence, model: ModelFact, rate: float) -> Evidence | NotApplicable:
    return _reconfigured(evidence, model, lambda layer: {"rate": rate} if layer.cls in DROPOUTS else {}, "no dropout")


@mutation(
    "high-dropout-rate",
    concerns={"has_layer": _both(_requires(DROPOUTS), _bounds_rate(_TOO_HIGH)), "dropout": _bounds_rate(_TOO_HIGH)},
)
def _high_dropout_rate(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The dropout rate is 0.95."""
    return _with_rate(evidence, model, _TOO_HIGH)


@mutation(
    "low-dropout-rate",
    concerns={"has_layer": _both(_requires(DROPOUTS), _bounds_rate(_TOO_LOW)), "dropout": _bounds_rate(_TOO_LOW)},
)
def _low_dropout_rate(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The dropout rate is 0.001."""
    return _with_rate(evidence, model, _TOO_LOW)


def _moved_dropout(evidence: Evidence, model: ModelFact, *, first: bool) -> Evidence | NotApplicable:
    dropout = next((layer for layer in model.layers if layer.cls in DROPOUTS), None)
    if dropout is None:
        return NotApplicable(f"`{model.name}` has no dropout outside of nested models")
    others = [layer for layer in model.layers if layer.cls not in DROPOUTS]
    place = next((at for at, layer in enumerate(others) if layer.cls != "InputLayer"), 0) if first else len(others)
    shape = others[place].input_shape if first else model.output_shape
    moved = dropout.model_copy(update={"input_shape": shape, "output_shape": shape, "inbound": ()})
    return with_layers(evidence, model, [*others[:place], moved, *others[place:]])


@mutation(
    "dropout-on-input",
    concerns={"has_layer": _both(_requires(DROPOUTS), sets("after")), "dropout": sets("hidden")},
)
def _dropout_on_input(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The only dropout is on the input."""
    return _moved_dropout(evidence, model, first=True)


@mutation(
    "dropout-on-output",
    concerns={"has_layer": _both(_requires(DROPOUTS), sets("before")), "dropout": sets("hidden")},
)
def _dropout_on_output(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The only dropout is after the output."""
    return _moved_dropout(evidence, model, first=False)


@mutation(
    "plain-dropout",
    concerns={
        "has_layer": _requires({"AlphaDropout"}),
        "dropout": lambda params: params.kind == "alpha",
    },
)
def _plain_dropout(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The model has plain dropout instead of alpha dropout."""

    def plain(layer: LayerFact) -> LayerFact:
        return layer.model_copy(update={"cls": "Dropout"}) if layer.cls == "AlphaDropout" else layer

    if not any(layer.cls == "AlphaDropout" for layer in model.flat_layers()):
        return NotApplicable(f"`{model.name}` has no alpha dropout")
    return with_layers(evidence, model, each_layer(model.layers, plain))


# ---------------------------------------------------------------------------------------------------------------------
# Convolutions, pooling and shapes


@mutation("no-convolution", concerns={"has_layer": _requires(CONVOLUTIONS)})
def _no_convolution(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The model has no convolution."""
    flat = next((at for at, layer in enumerate(model.layers) if layer.cls == "Flatten"), len(model.layers))
    has_maps = any(layer.cls in CONVOLUTIONS for layer in model.layers[:flat])
    output = output_layer(model)
    if not has_maps or output is None or output.cls != "Dense":
        return NotApplicable(f"`{model.name}` has no convolution before a dense output")
    # Nothing on the maps remains: dropout, normalizations and activations follow the convolutions.
    kept = [layer for layer in model.layers[:flat] if layer.cls == "InputLayer"]
    start = flat if flat < len(model.layers) else len(model.layers) - 1
    flatten = [] if flat < len(model.layers) else [_flatten()]
    return with_layers(evidence, model, [*kept, *flatten, *model.layers[start:]])


def _flatten() -> LayerFact:
    return LayerFact(name="flatten_of_a_mutation", cls="Flatten", parameters=0, trainable=True)


@mutation("no-pooling", concerns={"has_layer": _requires(_POOLINGS)})
def _no_pooling(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """Convolutions with strides take the place of pooling."""
    if not any(layer.cls in _POOLINGS for layer in model.flat_layers()):
        return NotApplicable(f"`{model.name}` has no pooling")

    def strided(layer: LayerFact) -> LayerFact:
        if layer.cls not in _POOLINGS or not layer.output_shape:
            return layer
        channels = layer.output_shape[-1] or 1
        settings: dict[str, Json] = {
            "filters": channels,
            "kernel_size": [2, 2],
            "strides": [2, 2],
            "activation": "linear",
        }
        return layer.model_copy(
            update={"cls": "Conv2D", "config": settings, "parameters": (4 * channels + 1) * channels}
        )

    return with_layers(evidence, model, each_layer(model.layers, strided))


@mutation(
    "flat-input",
    concerns={
        "input_shape": lambda params: len(params.shape) > 1,
        "has_layer": _requires(CONVOLUTIONS),
    },
)
def _flat_input(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The model takes flattened images."""
    shape = model.input_shape
    if shape is None or len(shape) == 1 or None in shape:
        return NotApplicable(f"`{model.name}` takes no images with height and width")
    pixels = 1
    for axis in shape:
        pixels *= axis or 1
    kept = [layer for layer in _after_the_maps(model) if layer.cls != "InputLayer"]
    if not any(is_transform(layer) for layer in kept):
        return NotApplicable(f"`{model.name}` has only layers on maps")
    mutant = with_layers(evidence, model, kept, input_shape=(pixels,))

    def flat(array: ArrayFact | None) -> ArrayFact | None:
        return None if array is None else array.model_copy(update={"shape": (array.shape[0], pixels)})

    return each_fit(mutant, model.id, lambda fit: fit.model_copy(update={"x": flat(fit.x), "val_x": flat(fit.val_x)}))


def _after_the_maps(model: ModelFact) -> Sequence[LayerFact]:
    """List the layers after the last convolution, pooling or flattening."""
    places = [at for at, layer in enumerate(model.layers) if layer.cls in _ON_MAPS]
    return model.layers[places[-1] + 1 :] if places else model.layers


@mutation("fewer-outputs", concerns={"output_shape": always})
def _fewer_outputs(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The model has one output too few."""
    units = model.output_shape[-1] if model.output_shape else None
    if units is None or units == 1:
        return NotApplicable(f"`{model.name}` does not have several outputs")
    return _with_outputs(evidence, model, units - 1)


@mutation("more-outputs", concerns={"output_shape": always})
def _more_outputs(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The model has one output too many."""
    units = model.output_shape[-1] if model.output_shape else None
    if units is None:
        return NotApplicable(f"the outputs of `{model.name}` are unknown")
    return _with_outputs(evidence, model, units + 1)


def _with_outputs(evidence: Evidence, model: ModelFact, units: int) -> Evidence | NotApplicable:
    last = output_layer(model)
    key = next((name for name in ("units", "filters") if last is not None and name in last.config), None)
    if last is None or key is None or model.output_shape is None:
        return NotApplicable(f"the last layer of `{model.name}` has no setting for its outputs")
    before = model.output_shape[-1] or 1

    def resized(layer: LayerFact) -> LayerFact:
        if layer.output_shape and layer.output_shape[-1] == before and layer.name in behind:
            layer = layer.model_copy(update={"output_shape": (*layer.output_shape[:-1], units)})
        if layer.name != last.name:
            return layer
        scaled = round(layer.parameters * units / before)
        return configured(layer, {key: units}).model_copy(update={"parameters": scaled})

    names = [layer.name for layer in model.flat_layers()]
    behind = set(names[names.index(last.name) :])
    shape = (*model.output_shape[:-1], units)
    mutant = with_layers(evidence, model, each_layer(model.layers, resized), output_shape=shape)
    # Keras cannot test such a model on all classes, or its last output never is a right answer.
    return mutant if units > before else without_accuracies(mutant, model.id)


# ---------------------------------------------------------------------------------------------------------------------
# Number and size of layers


def _hidden(model: ModelFact) -> Iterator[LayerFact]:
    return (layer for layer in model.flat_layers() if is_transform(layer) and not is_output(model, layer))


@mutation(
    "fewer-layers",
    concerns={
        "has_layer": lambda params: params.at_least > 2 and _names(params) == ("Dense",),  # noqa: PLR2004 - an output and more than one
        "batch_norm": lambda params: params.at_least > 1,
    },
)
def _fewer_layers(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """Only one hidden dense layer is left."""
    hidden = [layer.name for layer in _hidden(model) if layer.cls == "Dense"]
    if len(hidden) < 2:  # noqa: PLR2004 - with a single one nothing can be removed
        return NotApplicable(f"`{model.name}` has fewer than two hidden dense layers")
    names = [layer.name for layer in model.layers]
    start = names.index(hidden[1]) if hidden[1] in names else len(names)
    last = output_layer(model)
    end = names.index(last.name) if last is not None and last.name in names else start
    if start >= end:
        return NotApplicable(f"the hidden layers of `{model.name}` are in a nested model")
    return with_layers(evidence, model, [*model.layers[:start], *model.layers[end:]])


@mutation(
    "more-layers",
    concerns={"has_layer": lambda params: params.at_most is not None and "Dense" in _names(params)},
)
def _more_layers(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """Each hidden dense layer occurs twice."""
    twice: list[LayerFact] = []
    for layer in model.layers:
        twice.append(layer)
        if layer.cls == "Dense" and not is_output(model, layer):
            twice.append(layer.model_copy(update={"name": f"{layer.name}_again", "inbound": (layer.name,)}))
    if len(twice) == len(model.layers):
        return NotApplicable(f"`{model.name}` has no hidden dense layer")
    return with_layers(evidence, model, twice)


def _resized_hidden(evidence: Evidence, model: ModelFact, size: Callable[[int], int]) -> Evidence | NotApplicable:
    def changes(layer: LayerFact) -> dict[str, Json]:
        if not is_transform(layer) or is_output(model, layer):
            return {}
        return {
            key: size(value)
            for key in ("units", "filters")
            if isinstance(value := layer.config.get(key), int) and size(value) != value
        }

    def resized(layer: LayerFact) -> LayerFact:
        changed = configured(layer, changes(layer))
        if "filters" not in changes(layer):
            return changed
        before, after = layer.config["filters"], changed.config["filters"]
        part = after / before if isinstance(after, int) and isinstance(before, int) else 1
        return changed.model_copy(update={"parameters": round(layer.parameters * part)})

    if not any(changes(layer) for layer in model.flat_layers()):
        return NotApplicable(f"`{model.name}` has no hidden layer of another size")
    return with_layers(evidence, model, each_layer(model.layers, resized))


@mutation(
    "narrow-layers",
    concerns={
        "has_layer": lambda params: any(
            bounds is not None and bounds.at_least is not None and bounds.at_least > 1
            for bounds in (params.units, params.filters)
        ),
        "parameters": lambda params: params.at_least is not None,
    },
)
def _narrow_layers(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """Each hidden layer has a single unit or filter."""
    return _resized_hidden(evidence, model, lambda _size: 1)


@mutation(
    "wide-layers",
    concerns={
        "has_layer": lambda params: any(
            bounds is not None and bounds.at_most is not None for bounds in (params.units, params.filters)
        ),
    },
)
def _wide_layers(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """Each hidden layer has 4,096 units or filters."""
    return _resized_hidden(evidence, model, lambda _size: _MANY_UNITS)


@mutation(
    "more-parameters",
    concerns={"parameters": lambda params: params.at_most is not None, "score_curve": always},
)
def _more_parameters(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """A hidden dense layer with 4,096 units comes before the output."""
    last = output_layer(model)
    at = next((at for at, layer in enumerate(model.layers) if last is not None and layer.name == last.name), None)
    if last is None or at is None or not last.input_shape or None in last.input_shape:
        return NotApplicable(f"the inputs of the last layer of `{model.name}` are unknown")
    inputs = last.input_shape
    wide = LayerFact(
        name="dense_of_a_mutation",
        cls="Dense",
        input_shape=inputs,
        output_shape=(*inputs[:-1], _MANY_UNITS),
        parameters=((inputs[-1] or 1) + 1) * _MANY_UNITS,
        trainable=True,
        config={"units": _MANY_UNITS, "activation": "relu"},
    )
    return with_layers(evidence, model, [*model.layers[:at], wide, *model.layers[at:]])


@mutation("large-kernels", concerns={"has_layer": sets("kernel_size")})
def _large_kernels(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The convolutions have kernels of 21 × 21."""

    def changes(layer: LayerFact) -> dict[str, Json]:
        sides = kernel_size(layer)
        return {"kernel_size": [21] * len(sides), "padding": "same"} if sides else {}

    return _reconfigured(evidence, model, changes, "no convolution")


# ---------------------------------------------------------------------------------------------------------------------
# Activations, initializers, penalties and normalization


@mutation("other-activation", concerns={"has_layer": sets("activation")})
def _other_activation(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The hidden layers have the activation `hard_sigmoid`."""

    def changed(layer: LayerFact) -> LayerFact:
        if is_output(model, layer) or own_activation(layer) in {None, "linear", "softmax"}:
            return layer
        if "activation" in layer.config and activation_name(layer.config["activation"]) != "linear":
            return configured(layer, {"activation": "hard_sigmoid"})
        return layer.model_copy(update={"cls": "Activation", "config": {"activation": "hard_sigmoid"}})

    return with_layers(evidence, model, each_layer(model.layers, changed))


@mutation("other-initializer", concerns={"has_layer": sets("initialiser")})
def _other_initializer(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The kernels start at zero."""
    zeros: Json = {"class_name": "Zeros", "config": {}}
    return _reconfigured(
        evidence,
        model,
        lambda layer: {"kernel_initializer": zeros} if initialiser_of(layer) not in {None, "zeros"} else {},
        "no kernel with another initializer",
    )


@mutation("no-penalty", concerns={"has_layer": lambda params: params.regulariser not in {None, "none"}})
def _no_penalty(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """No kernel has a penalty."""
    return _reconfigured(
        evidence,
        model,
        lambda layer: {"kernel_regularizer": None} if regulariser_of(layer) != "none" else {},
        "no penalty",
    )


@mutation("other-settings", concerns={"has_layer": sets("config")})
def _other_settings(evidence: Evidence, model: ModelFact, target: Target) -> Evidence | NotApplicable:
    """The settings of layers that the rubric names have other values."""
    wanted = {key for test in target.tests_of("has_layer", model.id) for key in getattr(test.params, "config", {})}
    return _reconfigured(
        evidence,
        model,
        lambda layer: {key: "other" for key in wanted if key in layer.config},
        "no setting that the rubric names",
    )


@mutation("no-normalization", concerns={"batch_norm": always, "has_layer": _requires(_NORMALIZATIONS)})
def _no_normalization(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The model has no batch normalization."""
    return _without(evidence, model, lambda layer: layer.cls in _NORMALIZATIONS, "no normalization")


@mutation(
    "normalization-on-input",
    concerns={
        "batch_norm": lambda params: (
            params.at_least > 1
            or (
                params.place is not None
                and "input" not in ((params.place,) if isinstance(params.place, str) else params.place)
            )
        )
    },
)
def _normalization_on_input(evidence: Evidence, model: ModelFact, _target: Target) -> Evidence | NotApplicable:
    """The only batch normalization is on the input."""
    norm = next((layer for layer in model.layers if layer.cls == "BatchNormalization"), None)
    others = [layer for layer in model.layers if layer.cls != "BatchNormalization"]
    at = next((at for at, layer in enumerate(others) if is_transform(layer)), None)
    if norm is None or at is None:
        return NotApplicable(f"`{model.name}` has no batch normalization outside of nested models")
    shape = others[at].input_shape
    moved = norm.model_copy(
        update={
            "input_shape": shape,
            "output_shape": shape,
            "parameters": 4 * ((shape[-1] or 1) if shape else 1),
            "inbound": (),
        }
    )
    return with_layers(evidence, model, [*others[:at], moved, *others[at:]])
