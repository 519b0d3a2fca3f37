"""Printed text as a terminal shows it."""

from hypothesis import example, given
from hypothesis import strategies as st

from grader.execution.terminal import Screen, collapse

PIECES = st.sampled_from(
    [
        "a",
        "bc",
        "é",
        " ",
        "\t",
        "\n",
        "\r",
        "\b",
        "\b\b\b",
        "\x1b[1m",
        "\x1b[0m",
        "\x1b[K",
        "\x1b[2K",
        "\x07",
        "\x1b]0;t\x07",
    ]
)
TEXTS = st.lists(PIECES, max_size=40).map("".join)
PLAIN = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=200)


def test_a_carriage_return_overwrites_the_line() -> None:
    assert collapse("10 %\r50 %\r100 %\ndone\n") == "100 %\ndone\n"


def test_what_a_shorter_text_does_not_cover_stays_as_on_a_terminal() -> None:
    assert collapse("abcdef\rXY") == "XYcdef"


def test_backspaces_move_without_erasing() -> None:
    assert collapse("loss: 0.51\b\b\b\b0.42") == "loss: 0.42"


def test_a_windows_line_end_is_a_line_end() -> None:
    assert collapse("one\r\ntwo\r\n") == "one\ntwo\n"


def test_a_keras_progress_bar_becomes_its_last_state() -> None:
    bar = "".join(
        f"\r\x1b[1m{step}/3\x1b[0m \x1b[32m{'━' * step}\x1b[0m\x1b[37m{'━' * (3 - step)}\x1b[0m loss: 0.{9 - step}"
        + "\b" * 14
        for step in (1, 2, 3)
    )
    assert collapse("Epoch 1/1\n" + bar + "\n") == "Epoch 1/1\n3/3 ━━━ loss: 0.6\n"


def test_an_erased_line_is_empty() -> None:
    assert collapse("secret\r\x1b[Kok") == "ok"


@given(PLAIN)
def test_plain_text_is_left_alone(text: str) -> None:
    text = text.replace("\x85", "")
    assert collapse(text) == text


@given(TEXTS)
def test_nothing_but_newlines_and_tabs_controls_the_result(text: str) -> None:
    assert all(c in "\n\t" or c.isprintable() for c in collapse(text))


@given(TEXTS)
def test_collapsing_twice_changes_nothing(text: str) -> None:
    assert collapse(collapse(text)) == collapse(text)


@given(TEXTS)
def test_the_result_is_never_longer_than_the_text(text: str) -> None:
    assert len(collapse(text)) <= len(text)


@given(TEXTS, st.data())
def test_it_does_not_matter_where_the_text_is_split(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    screen = Screen(len(text))
    for start, stop in zip([0, *cuts], [*cuts, len(text)], strict=True):
        screen.feed(text[start:stop])
    assert screen.render() == collapse(text)


@given(st.lists(st.text("ab\n", max_size=30), max_size=30), st.integers(0, 50))
@example(["\naa\naa"], 2)
def test_what_is_kept_stays_near_the_limit(pieces: list[str], limit: int) -> None:
    screen = Screen(limit)
    for piece in pieces:
        screen.feed(piece)
    first_half, last_line, written = limit // 2, limit + 1, limit
    assert screen.size() <= first_half + last_line + written
    assert (screen.cut > 0) == ("were cut here" in screen.render())


def test_the_first_and_the_last_lines_survive_a_cut() -> None:
    screen = Screen(200)
    for number in range(1000):
        screen.feed(f"line {number}\n")
    text = screen.render()
    assert text.startswith("line 0\nline 1\n")
    assert text.endswith("line 998\nline 999\n")
    assert text.count("were cut here") == 1


def test_a_line_without_an_end_is_cut() -> None:
    screen = Screen(100)
    for _ in range(1000):
        screen.feed("x" * 1000)
    assert screen.size() == 100
    assert screen.cut == 999_900


def test_all_text_that_fits_is_kept_whatever_its_lines() -> None:
    text = "123456\n12\n"
    assert collapse(text, limit=10) == text
