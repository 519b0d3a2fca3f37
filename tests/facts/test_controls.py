"""Texts of students can neither control a terminal nor reorder the text around them."""

import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from grader.facts.controls import as_json_escapes, replaced, visible

REORDERING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
"""Bidirectional classes of Unicode whose characters change the order of the text around them."""
HOSTILE = st.text(st.characters() | st.sampled_from("\x1b\x07\x9b\x7f\r\n\t\u202e\u2066\u2028\ud800"))


def steers(character: str) -> bool:
    """Whether a character is a control character but the tab or a line end, reorders text, or is half a character."""
    if character in "\t\n":
        return False
    controls = {"Cc", "Cs", "Zl", "Zp"}
    return unicodedata.category(character) in controls or unicodedata.bidirectional(character) in REORDERING


@given(HOSTILE)
def test_no_control_character_is_left_and_what_was_there_can_be_seen(text: str) -> None:
    lines = text.replace("\r\n", "\n")
    assert not any(map(steers, visible(lines)))
    assert not any(map(steers, replaced(lines)))
    assert len(replaced(text)) == len(text)
    visible(text).encode()
    replaced(text).encode()


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])))
def test_a_text_without_such_characters_stays_as_it_is(text: str) -> None:
    if not any(map(steers, text)) and "\u061c" not in text:
        assert visible(text) == replaced(text) == text


def test_line_ends_tabs_and_letters_of_every_script_stay() -> None:
    text = "a\tb\nc\r\nשלום, مرحبا, 你好, é, 👩\u200d🔬"  # noqa: RUF001 — letters of several scripts
    assert visible(text) == replaced(text) == text


@given(st.recursive(st.none() | HOSTILE, lambda inner: st.lists(inner) | st.dictionaries(HOSTILE, inner)))
def test_escaped_json_means_the_same(value: object) -> None:
    document = as_json_escapes(json.dumps(value, ensure_ascii=False, indent=1))
    document.encode()
    assert not any(map(steers, document))
    # Two halves of a character that JSON joins are read as one; the escapes of `json` itself do the same.
    assert json.loads(document) == json.loads(json.dumps(value))
