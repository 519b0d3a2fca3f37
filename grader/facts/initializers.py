"""Name the initializers and regularizers of layers."""

from collections.abc import Mapping

from grader.facts.keras_names import canonical_initializer
from grader.schema.base import Json
from grader.schema.evidence import LayerFact

__all__ = ["initialiser_of", "regulariser_of"]

_SCHEMES = {
    (2.0, "fan_in"): "he",
    (1.0, "fan_in"): "lecun",
    (1.0, "fan_avg"): "glorot",
}
"""`VarianceScaling` by scale and mode: He et al. 2015, LeCun et al. 1998, Glorot and Bengio 2010."""


def initialiser_of(layer: LayerFact) -> str | None:
    """Return the name of a layer's `kernel_initializer`; None if it has none or it is unknown.

    A `VarianceScaling` with the scale and mode of a named scheme gets the name of that scheme.
    """
    value = layer.config.get("kernel_initializer", layer.config.get("depthwise_initializer"))
    if isinstance(value, str):
        return canonical_initializer(value)
    if not isinstance(value, Mapping):
        return None
    name = value.get("class_name")
    settings = value.get("config")
    if not isinstance(name, str):
        return None
    if name == "VarianceScaling" and isinstance(settings, Mapping):
        return _scaling(settings)
    return canonical_initializer(name)


def _scaling(settings: Mapping[str, Json]) -> str:
    scale, mode = settings.get("scale"), settings.get("mode")
    scheme = _SCHEMES.get((float(scale), str(mode))) if isinstance(scale, (int, float)) else None
    shape = "uniform" if settings.get("distribution") == "uniform" else "normal"
    return f"{scheme}_{shape}" if scheme else "variance_scaling"


def regulariser_of(layer: LayerFact) -> str:
    """Return the kind of a layer's `kernel_regularizer`.

    Returns:
        `l1`, `l2`, `l1_l2`, `other`, `none`, or `zero` for a penalty whose factors are all 0, which has no effect.
    """
    value = layer.config.get("kernel_regularizer")
    if value is None:
        return "none"
    if isinstance(value, str):
        return value.lower()
    settings = value.get("config") if isinstance(value, Mapping) else None
    if not isinstance(settings, Mapping):
        return "other"
    factors = {name: settings[name] for name in ("l1", "l2") if name in settings}
    penalties = [name for name, factor in factors.items() if factor]
    return "_".join(penalties) or ("zero" if factors else "other")
