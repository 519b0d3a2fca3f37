"""Build SVG: elements that escape their content, scales, and round ticks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from markupsafe import Markup, escape

__all__ = ["Scale", "element", "nice_ticks", "picture"]

_SMALLEST_STEP = 1e-290
"""Smaller numbers have too few digits to compute with."""


def element(name: str, /, *children: object, **attributes: object) -> Markup:
    """Build one element.

    Args:
        name: Tag name; always a constant of this package.
        *children: Content; everything except markup is escaped.
        **attributes: Attributes. A trailing underscore is dropped and others become hyphens (`class_`, `stroke_width`);
            None omits the attribute; floats are written with two decimals.

    Returns:
        The element as markup.
    """
    attribute_text = "".join(
        f' {_attribute(key)}="{escape(_written(item))}"' for key, item in attributes.items() if item is not None
    )
    inner = "".join(map(escape, children))
    return Markup(f"<{name}{attribute_text}>{inner}</{name}>")  # noqa: S704  names are ours, all else was escaped


@lru_cache(maxsize=256)
def _attribute(key: str) -> str:
    """Convert a parameter's name to SVG; all names are constants of this package."""
    return key.rstrip("_").replace("_", "-")


def picture(
    key: str, title: str, description: str, size: tuple[float, float], *children: object, **more: object
) -> Markup:
    """Build an `svg` that a screen reader announces by its title and description.

    Args:
        key: Name that makes the ids of title and description unique on the page.
        title: Name of the drawing.
        description: Content of the drawing in one or two sentences.
        size: Width and height of the view box.
        *children: The drawing.
        **more: Further attributes.

    Returns:
        The complete `svg` element; the style sheet sets its size on the page.
    """
    return element(
        "svg",
        element("title", title, id=f"{key}-title"),
        element("desc", description, id=f"{key}-desc"),
        *children,
        viewBox=f"0 0 {_written(size[0])} {_written(size[1])}",
        role="img",
        aria_labelledby=f"{key}-title {key}-desc",
        **more,
    )


def _written(item: object) -> object:
    return f"{item:.2f}".rstrip("0").rstrip(".") if isinstance(item, float) else item


@dataclass(frozen=True, slots=True)
class Scale:
    """Linear or logarithmic map from figures to positions in a drawing."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, figure: float) -> float:
        """Return the position of a figure; a figure outside the scale is moved to its end."""
        low, high, at = self.low, self.high, min(max(figure, self.low), self.high)
        if self.log:
            low, high, at = math.log10(low), math.log10(high), math.log10(at)
        span = high - low
        if not math.isfinite(span):
            low, high, at, span = low / 2, high / 2, at / 2, high / 2 - low / 2
        part = (at - low) / span if span > 0 else 0.5
        return self.start + part * (self.end - self.start)


def nice_ticks(low: float, high: float, most: int = 6) -> Sequence[float]:
    """List round figures between two ends: steps of 1, 2 or 5 times a power of ten.

    Args:
        low: Lower end.
        high: Upper end, above `low`.
        most: Maximum number of ticks, 2 or more.

    Returns:
        Ticks in ascending order; the lower end alone if its distance to the upper end cannot be divided.
    """
    raw = (high - low) / most
    if not (math.isfinite(low) and _SMALLEST_STEP < raw < math.inf):
        return (low,)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    # Multiples of 0.1 are inexact; 12 digits of the step hide that.
    digits = 12 - math.floor(math.log10(step))
    return tuple(dict.fromkeys(round(number * step, digits) for number in range(first, last + 1)))
