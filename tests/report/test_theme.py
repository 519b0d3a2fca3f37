"""The colours of the pages."""

import re
from itertools import product
from pathlib import Path

import pytest

Colours = dict[str, str]
TEXT_ON_PAGE = ("ink", "soft", "link", "good", "part", "bad", "wait", "none", "k", "s", "c", "m", "f", "b")
TEXT_PAIRS = (
    *product(TEXT_ON_PAGE, ("paper", "raised", "sunk")),
    ("good", "good-tint"),
    *product(("w-ink",), ("w1", "w2", "w3", "w4", "w5", "w6")),
)
DRAWN_PAIRS = (
    *product(("student", "reference", "focus", "rule-strong", "good", "part", "bad", "wait"), ("paper",)),
    ("focus", "raised"),
    ("wait", "wait-tint"),
    ("bad", "bad-tint"),
)


def _colours(css: str) -> dict[str, Colours]:
    """The variables of the light and of the dark theme."""
    blocks = re.findall(r":root \{(.*?)\}", css, flags=re.DOTALL)
    light, dark = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})\b", block)) for block in blocks)
    return {"light": light, "dark": light | dark}


def _luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    """Contrast ratio, WCAG 2.2: 1 to 21."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.fixture(scope="module")
def css(templates: Path) -> str:
    """The style sheet."""
    return (templates / "report.css").read_text(encoding="utf-8")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read_by_wcag_aa(css: str, theme: str) -> None:
    colours = _colours(css)[theme]
    weak = {pair: round(_contrast(colours[pair[0]], colours[pair[1]]), 2) for pair in TEXT_PAIRS}
    assert {pair: ratio for pair, ratio in weak.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_lines_and_marks_stand_out_by_wcag_aa(css: str, theme: str) -> None:
    colours = _colours(css)[theme]
    weak = {pair: round(_contrast(colours[pair[0]], colours[pair[1]]), 2) for pair in DRAWN_PAIRS}
    assert {pair: ratio for pair, ratio in weak.items() if ratio < 3} == {}


def test_black_on_white_has_the_largest_contrast() -> None:
    assert round(_contrast("#000000", "#ffffff"), 2) == 21.0


def test_both_themes_name_the_same_colours(css: str) -> None:
    light, dark = (
        set(re.findall(r"--([\w-]+): #", block)) for block in re.findall(r":root \{(.*?)\}", css, flags=re.DOTALL)
    )
    assert light == dark


def test_the_style_sheet_loads_nothing(css: str) -> None:
    assert "url(" not in css
    assert "@import" not in css


def test_every_variable_that_is_used_is_given(css: str) -> None:
    assert set(re.findall(r"var\(--([\w-]+)\)", css)) <= set(re.findall(r"--([\w-]+):", css))
