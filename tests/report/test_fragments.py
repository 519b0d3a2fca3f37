"""Parts of pages that are used again: a section is the same text, and its parts are stored once."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.report.fragments import Fragments


@dataclass
class Page:
    """A section with parts in it, whose renderings are counted."""

    before: list[str]
    parts: list[str]
    stored: dict[str, bytes] = field(default_factory=dict)
    rendered: int = 0

    def render(self, name: str = "section") -> str:
        """Render the section, and store what is new."""
        fragments = Fragments("renderer", "evidence", "notebook", self.stored.get)

        def make() -> str:
            self.rendered += 1
            pieces = [
                text + fragments.markup(fragments.key("part", number), lambda part=part: part)  # type: ignore[misc]
                for number, (text, part) in enumerate(zip(self.before, self.parts, strict=True))
            ]
            return "".join(pieces) + "the end"

        made = str(fragments.section(fragments.key(name), make))
        self.stored |= fragments.new
        assert set(fragments.new) <= set(self.stored)
        assert fragments.used.keys() >= fragments.new.keys()
        return made


_TEXTS = st.lists(st.sampled_from(["", "a", "ab", "\n", "é:", "\ud800"]).map(lambda text: text * 2), max_size=5)


@given(before=_TEXTS, parts=_TEXTS)
def test_a_section_is_the_same_when_it_is_put_together_again(before: list[str], parts: list[str]) -> None:
    size = min(len(before), len(parts))
    page = Page(before[:size], parts[:size])
    whole = page.render()
    assert whole == "".join(map("".join, zip(page.before, page.parts, strict=True))) + "the end"
    assert (page.render(), page.rendered) == (whole, 1)


def test_parts_are_stored_once_and_a_section_without_one_is_rendered_again() -> None:
    page = Page(["<p>", "</p><p>"], ["first " * 50, "second " * 50])
    whole = page.render()
    assert sum(content.count(b"second") for content in page.stored.values()) == 50
    page.render("another section with the same parts")
    assert sum(content.count(b"second") for content in page.stored.values()) == 50
    missing = next(key for key, content in page.stored.items() if content.startswith(b"second"))
    del page.stored[missing]
    assert (page.render(), page.rendered) == (whole, 3)
    assert missing in page.stored


def _nested(fragments: Fragments, made: list[str]) -> str:
    """Render a section with a section in it, whose text has none of the values that it is made from."""

    def inner() -> str:
        made.append("inner")
        number = fragments.data(fragments.key("data"), lambda: [41])[0] + 1
        size = len(fragments.content(fragments.key("content"), lambda: b"hidden"))
        return f"{number} {size} " + fragments.markup(fragments.key("part"), lambda: "shown")

    def outer() -> str:
        made.append("outer")
        return "<p>" + fragments.section(fragments.key("inner"), inner) + "</p>"

    return str(fragments.section(fragments.key("outer"), outer))


@pytest.mark.parametrize("missing", ["none", "outer"])
def test_the_values_of_a_stored_section_stay_used(missing: str) -> None:
    made: list[str] = []
    first = Fragments("renderer")
    page = _nested(first, made)
    stored = {key: part for key, part in first.new.items() if key != first.key(missing)}
    again = Fragments("renderer", stored=stored.get)
    assert _nested(again, made) == page
    assert made == ["outer", "inner", *(["outer"] if missing == "outer" else [])]
    assert set(again.used) == set(first.new)
    last = Fragments("renderer", stored=(stored | again.new).get)
    assert _nested(last, made) == page
    assert set(last.used) == set(first.new)


def test_values_that_another_section_read_belong_to_both() -> None:
    first = Fragments("renderer")

    def section(fragments: Fragments, name: str) -> str:
        return fragments.section(
            fragments.key(name), lambda: str(len(fragments.data(fragments.key("data"), lambda: ["value"])))
        )

    assert section(first, "one") == section(first, "two") == "1"
    again = Fragments("renderer", stored=first.new.get)
    section(again, "two")
    assert first.key("data") in again.used
