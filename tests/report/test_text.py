"""Untrusted text and written figures."""

import gettext

from hypothesis import given, settings
from hypothesis import strategies as st

from grader.facts.language import Language
from grader.report.text import (
    bdi,
    clean,
    count,
    duration,
    figure,
    percent,
    points,
    prose,
    settled,
    shape,
    terminal,
    unbroken,
    value,
)
from tests.report import samples


def test_characters_that_turn_the_direction_of_writing_become_visible() -> None:
    assert clean("a\u202eb") == "a⟦U+202E⟧b"


def test_a_letter_keeps_at_most_four_marks() -> None:
    assert len(clean(samples.ZALGO)) == 5


@settings(deadline=None)
@given(st.text(alphabet=st.characters(), max_size=80))
def test_cleaned_text_can_always_be_written_as_utf8_and_steers_nothing(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode()
    assert not set(cleaned) & {"\u202e", "\u2066", "\x00", "\x1b", "\x08"}


def test_a_lone_surrogate_is_replaced() -> None:
    assert clean("\ud800x") == "\ufffdx"


@settings(deadline=None)
@given(st.text(max_size=120))
def test_prose_never_lets_a_tag_of_its_text_through(text: str) -> None:
    tags = [piece.split(">")[0] for piece in str(prose(text)).split("<")[1:]]
    assert set(tags) <= {"bdi", "/bdi", "code", "/code"}


def test_text_between_backticks_is_code() -> None:
    assert prose("use `x[<0>]`") == "<bdi>use <code>x[&lt;0&gt;]</code></bdi>"


def test_a_single_backtick_is_a_backtick() -> None:
    assert prose("it`s") == "<bdi>it`s</bdi>"


def test_a_name_is_cut_and_isolated() -> None:
    assert bdi("<b>" + "x" * 400).startswith("<bdi>&lt;b&gt;xxx")
    assert len(bdi("x" * 400)) < 230


def test_figures_are_written_as_people_write_them() -> None:
    assert [points(10.0), points(7.5), points(10 / 3)] == ["10", "7.5", "3.33"]
    assert count(941654) == "941,654"
    assert [percent(0.9885), percent(0.99), percent(0.99, places=1)] == ["98.85 %", "99 %", "99.0 %"]
    assert [figure(0.1234567), figure(12.0)] == ["0.1235", "12"]
    assert [figure(float("nan")), figure(float("inf"))] == ["not a number", "infinite"]
    assert [duration(8.44), duration(185), duration(3720)] == ["8.4 s", "3 min 05 s", "1 h 02 min"]
    assert shape((28, None, 1)) == "28 \u00d7 any \u00d7 1"


def test_a_figure_is_not_separated_from_its_unit_at_the_end_of_a_line() -> None:
    assert unbroken("98.85 % of 28 \u00d7 28 images in 8.4 s") == (
        "98.85\u00a0% of 28\u00a0\u00d7\u00a028 images in 8.4\u00a0s"
    )
    assert unbroken("5 samples, 3 hours, 2 sizes") == "5 samples, 3 hours, 2 sizes"
    assert prose("at 99 %: `99 % x`") == "<bdi>at 99\u00a0%: <code>99 % x</code></bdi>"


def test_the_formats_of_another_language_are_used() -> None:
    german = Language("de", gettext.NullTranslations())
    assert count(941654, german) == "941.654"
    assert percent(0.9885, german) == "98,85 %"
    assert value("accuracy", [0.5, 0.25], german) == "50 %, 25 %"
    assert duration(8.44, german) == "8,4 s"


def test_a_missing_figure_is_a_dash_and_not_a_zero() -> None:
    assert {count(None), percent(None), duration(None), shape(None), value("x", None)} == {"\u2013"}


def test_measured_values_are_written_by_their_kind() -> None:
    assert value("accuracy", 0.99) == "99 %"
    assert value("rate", 0.2) == "0.2"
    assert value("input_shape", [28, 28, 1]) == "28 \u00d7 28 \u00d7 1"
    assert value("found", []) == "none"
    assert value("held", ["a", "b"]) == "a, b"
    assert value("near", {"d": ["rate", "place"]}) == "d: rate, place"
    assert value("works", measurement=True) == "yes"
    assert value("deep", [{"a": 1}]) == '[{"a": 1}]'


def test_a_progress_bar_leaves_its_last_line() -> None:
    assert settled("1/3 [>..]\r2/3 [=>.]\r3/3\nnext") == "3/3\nnext"
    assert settled("abc\b\bX\n\b\b") == "aX\n"
    assert settled("done\r\n") == "done\n"


def test_colours_of_a_terminal_become_classes_and_other_sequences_vanish() -> None:
    shown = terminal("\x1b[1;31mbad\x1b[0m <ok> \x1b[2J\x1b]8;;https://e.example\x07link\x1b]8;;\x07")
    assert shown == '<span class="ansi-1 ansi-bold">bad</span> &lt;ok&gt; link'


@settings(deadline=None)
@given(st.text(alphabet="\x1b[]0;1m38<>a\r\b\n", max_size=60))
def test_printed_text_never_carries_a_tag_but_span(text: str) -> None:
    tags = {piece.split(">")[0].split(" ")[0] for piece in str(terminal(settled(text))).split("<")[1:]}
    assert tags <= {"span", "/span"}
