"""Draw a model as a diagram: its layers from top to bottom, with shapes and parameters."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from markupsafe import Markup

from grader.facts.alignment import Layer, outer_layers
from grader.facts.language import Language
from grader.report.layers import LayerView, layer_view
from grader.report.svg import element, picture
from grader.report.text import ENGLISH, cut
from grader.schema.message import say, say_count

__all__ = ["MOST_DRAWN", "diagram"]

MOST_DRAWN: Final = 60
"""Maximum number of layers in a diagram; further ones are only counted."""
_WIDTH: Final = 380.0
_THICK, _THIN, _GAP, _PAD = 40.0, 24.0, 5.0, 12.0
_FIRST, _SECOND = 16.5, 32.5
"""Base lines of the texts of a layer."""
_KINDS: Final[Sequence[tuple[str, tuple[str, ...]]]] = (
    ("conv", ("Conv", "Separable", "Depthwise")),
    ("pool", ("Pool",)),
    ("norm", ("Normalization", "Rescaling")),
    ("drop", ("Dropout", "Noise")),
    ("dense", ("Dense",)),
)
"""Part of a class's name → kind of a layer, which has its own color."""


def diagram(key: str, name: str, layers: Sequence[Layer], language: Language = ENGLISH) -> Markup:
    """Draw the layers of a model in order.

    A layer with parameters is a tall box with its settings, output shape and parameters; another one is a flat box. A
    frozen layer has a dashed border.

    Args:
        key: Name that makes the ids of the drawing unique on the page.
        name: Name of the model.
        layers: Its layers, in order.
        language: The language of the texts.

    Returns:
        An `svg`; an empty string without layers.
    """
    outer = outer_layers(layers)
    views = [layer_view(layer, language) for layer in outer[:MOST_DRAWN]]
    if not views:
        return Markup()
    parts: list[Markup] = []
    y = 1.0
    for number, view in enumerate(views):
        if number:
            parts.append(element("path", d=f"M{_WIDTH / 2} {y - _GAP}v{_GAP}", class_="wire"))
        parts.append(element("g", _box(view, language), transform=f"translate(0 {y})"))
        y += (_THICK if view.parameters else _THIN) + _GAP
    if len(outer) > MOST_DRAWN:
        more = say_count("{count} more layer", "{count} more layers", len(outer) - MOST_DRAWN)
        parts.append(element("text", language.text(more), x=_WIDTH / 2, y=y + 12, text_anchor="middle"))
        y += 20
    title = say("The layers of {model:raw}", model=name)
    description = " ".join(_described(view, language) for view in views)
    size = (_WIDTH, y)
    return picture(key, language.text(title), description, size, *parts, class_="plot diagram")


@lru_cache(maxsize=4096)
def _described(view: LayerView, language: Language) -> str:
    return language.text(
        say(
            "{kind:raw}: output {shape:raw}, {parameters} parameters.",
            kind=view.kind,
            shape=view.output,
            parameters=view.parameters,
        )
    )


@lru_cache(maxsize=4096)
def _box(view: LayerView, language: Language) -> Markup:
    """Draw one layer at the top of a drawing."""
    thick = view.parameters > 0
    height = _THICK if thick else _THIN
    frozen = " frozen-box" if view.frozen else ""
    right = {"x": _WIDTH - _PAD, "text_anchor": "end"}
    parts = [
        element("rect", x=1.0, width=_WIDTH - 2, height=height, rx=5, class_=f"block {_kind(view.kind)}{frozen}"),
        element("text", cut(view.kind, 24), x=_PAD, y=_FIRST, class_="block-kind"),
        element("text", view.output, y=_FIRST, **right),
    ]
    if thick:
        parameters = language.text(say("{count:number} parameters", count=view.parameters))
        parts.append(element("text", cut(view.detail, 34), x=_PAD, y=_SECOND))
        parts.append(element("text", parameters, y=_SECOND, **right))
    elif view.detail:
        parts.append(element("text", cut(view.detail, 22), x=_WIDTH / 2 - 36, y=_FIRST))
    return Markup().join(parts)


def _kind(name: str) -> str:
    return next((kind for kind, marks in _KINDS if any(mark in name for mark in marks)), "other")
