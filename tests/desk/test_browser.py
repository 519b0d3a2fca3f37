"""The desk in a real Chromium, by keys alone: a class of 300, and pages that everybody can read."""

import csv
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from grader.desk.app import VIEWS
from grader.desk.guard import Visitor
from grader.desk.state import Desk, Draft
from grader.pipeline.course import Course
from grader.store.judgements import JudgementFile
from grader.store.results import ResultsFolder
from tests.desk.test_attacks import opened
from tests.support.accessibility import violations
from tests.support.desk_class import Student, keep_class
from tests.support.waiting import DEADLOCK_SECONDS

pytestmark = [pytest.mark.chromium, pytest.mark.slow]

SIZE = 300
CRITIQUES = {
    "Zeros as initial weights, and a softmax in a hidden layer.": 5.0,
    "Only the softmax in the hidden layer is wrong.": 3.0,
    "The weights are zeros.": 2.5,
    "There are too many layers.": 1.0,
    "The softmax is right.": 0.0,
}
"""Answers, and the points that the person in the test gives for them."""
CURVES = {
    "The validation loss rises after epoch 4: overfitting.": 12.0,
    "Both curves fall, so that more epochs would help.": 10.0,
    "The curves are noisy.": 4.0,
}
NOTHING = 0.0


def _student(number: int) -> Student:
    """Write one of few answers in one of many forms; some students write nothing."""
    critique, curves = [*CRITIQUES, ""][number % 6], [*CURVES, ""][number // 6 % 4]
    forms = (str, str.upper, lambda text: text.replace(" ", "  "), lambda text: f"- *{text}*" if text else "")
    form = forms[number % 4]
    name = f"Student Number{number:03d}"
    cells = [
        ("markdown", f"# Homework\n{name}"),
        ("markdown", f"{'#' * (2 + number % 2)} Critique\n{form(critique)}"),
        ("code", f"x = {number}"),
        ("markdown", f"## Learning curves\n{form(curves)}"),
    ]
    return Student(f"s{number:03d}", name, cells)


@contextmanager
def desk_process(folder: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run `grader desk`, and yield the address that it prints."""
    command = [sys.executable, "-m", "grader", "desk", str(folder), "--as", "Mara", "--no-open"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if found := re.search(r"desk: (http://127\.0\.0\.1:\d+/enter\?token=\S+)", line):
                yield found[1], process
                break
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _judge_all(page: Any, points: dict[str, float]) -> Counter[float]:
    """Judge the open question until nothing waits, with keys alone; return how often each number was given."""
    given: Counter[float] = Counter()
    while page.query_selector("#judge"):
        text = " ".join(page.inner_text(".answer").casefold().split())
        value = next((number for answer, number in points.items() if answer.casefold() in text), NOTHING)
        page.keyboard.type(f"{value:g}")
        if value == NOTHING:
            page.keyboard.press("c")
            # The first answer gets a new comment, all others take it from the list of used ones.
            page.keyboard.type("Nothing of this is right.") if not given[NOTHING] else page.keyboard.press("1")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        given[value] += 1
    return given


def test_a_class_of_300_is_judged_by_keys_alone(browser: Any, course: Course, tmp_path: Path) -> None:
    out = ResultsFolder(tmp_path / "class")
    keep_class(out, course, [_student(number) for number in range(SIZE)], pages=False)
    with desk_process(out.root) as (address, process):
        page = browser.new_page()
        page.goto(address)
        page.wait_for_url(re.compile(r":\d+/$"))
        page.wait_for_load_state()
        for points in (CRITIQUES, CURVES):
            with page.expect_navigation():
                page.keyboard.press("n")  # the next item of "What needs you" is the next question
            given = _judge_all(page, points)
            # Answers that say the same are judged once; no answer at all is one more.
            assert given == Counter([*points.values(), NOTHING])
            assert "All 300 answers are judged" in page.inner_text("main")
            with page.expect_navigation():
                page.keyboard.press("n")
        assert "Nothing waits for a person" in page.inner_text("main")
        page.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLOCK_SECONDS) == 0
    recorded = JudgementFile(tmp_path / "class-judgements.jsonl").read().judgements
    assert len(recorded) == 2 * SIZE
    assert {one.by for one in recorded} == {"Mara"}
    for number in range(SIZE):
        student = f"s{number:03d}"
        grade = out.read_grade(student)
        assert grade is not None
        expected = {
            "runs": 4.0,
            "critique": [*CRITIQUES.values(), NOTHING][number % 6],
            "curves": [*CURVES.values(), NOTHING][number // 6 % 4],
        }
        assert {line.id: line.points for line in grade.criteria} == expected, student
        assert grade.score == sum(expected.values())
        assert grade.pending == 0
    with (out.root / "grades.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == SIZE
    assert {row["id"]: float(row["points.critique"]) for row in rows}["s002"] == 2.5


def _lived_in(desk: Desk) -> None:
    """Record something of every kind, so that every part of every page is there."""
    person = Visitor("t", "c", "Theo")
    desk.record(
        person,
        [
            Draft("cleo", "points", "critique", points=2, comment="Name **more** flaws."),
            Draft("ada", "override", "runs", points=1, why="Copied cells.", comment="See me."),
            Draft("ada", "comment", "critique", comment="A comment."),
            Draft("ada", "comment", comment="A comment on everything."),
            Draft("ada", "flag", "critique", why="Odd."),
            Draft("ada", "flag", why="Also odd."),
            Draft("ada", "request", "critique", why="Why so few points?", by="Ada Abara"),
            Draft("ada", "request", "curves", why="Answered.", by="Ada Abara"),
            Draft("ada", "answer", "curves", comment="Because."),
            Draft("ben", "excuse", why="Ill."),
        ],
    )


PATHS = (
    "/",
    "/name",
    "/question",
    "/question/critique?at=first",
    "/question/critique?at=first&names=1&all=1",
    "/submission",
    "/submission/ada",
    "/nothing",
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_no_page_scrolls_sideways(browser: Any, desk: Desk, scheme: str) -> None:
    _lived_in(desk)
    with opened(browser, desk) as seen:
        seen.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for path in PATHS:
            for width in (390, 768, 1280):
                seen.page.set_viewport_size({"width": width, "height": 900})
                seen.page.goto(f"{seen.base}{path}")
                seen.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
                assert violations(seen.page) == [], (path, width)
                assert seen.page.evaluate("document.documentElement.scrollWidth") <= width, (path, width)
        seen.page.keyboard.press("?")
        assert violations(seen.page) == []
        assert [text for text in seen.console if "404" not in text] == []


def test_keys_lead_everywhere_and_can_be_switched_off(browser: Any, desk: Desk) -> None:
    with opened(browser, desk) as seen:
        page, keyboard = seen.page, seen.page.keyboard

        def go(*keys: str) -> str:
            with page.expect_navigation():
                for key in keys:
                    keyboard.press(key)
            return str(page.url.removeprefix(seen.base))

        for view in VIEWS:
            assert go("g", view.key) == view.path
        assert go("g", "q", "1").startswith("/question")
        assert go("1").startswith("/question/critique") or page.url.endswith("/question/critique")
        assert go("e").endswith("all=1")
        assert "names=1" in go("r")
        first = page.inner_text("h2.kicker")
        go("j")
        assert page.inner_text("h2.kicker") != first
        go("k")
        assert page.inner_text("h2.kicker") == first
        assert go("g", "s") == "/submission"
        keyboard.press("/")
        keyboard.type("cleo")
        keyboard.press("Escape")
        keyboard.press("j")
        assert go("Enter") == "/submission/cleo"
        assert go("n") == "/submission/dan"
        assert go("p") == "/submission/cleo"
        keyboard.press("j")
        keyboard.press("j")
        keyboard.press("Enter")
        assert page.evaluate("document.querySelector('#criterion-critique').open")
        keyboard.press("Tab")
        keyboard.type("4")
        assert go("Enter") == "/submission/cleo#criterion-critique"
        assert desk.grade("cleo").criteria[1].points == 4
        keyboard.press("?")
        page.uncheck("#keys-on")
        keyboard.press("Escape")
        keyboard.press("u")
        page.wait_for_timeout(200)
        assert desk.grade("cleo").criteria[1].points == 4


def test_keys_that_come_too_early_change_nothing(browser: Any, desk: Desk) -> None:
    """After Enter, the next answer is not there yet: what is typed meanwhile must not change what was saved."""
    with opened(browser, desk) as seen:
        seen.page.goto(f"{seen.base}/question/critique")
        with seen.page.expect_navigation():
            seen.page.evaluate("""() => { for (const key of ['3', 'Enter', '1', 'Enter', 'u', 'Enter'])
                document.body.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true})); }""")
        seen.page.wait_for_load_state()
        batches = {one.at for one in desk.file.read().judgements}
        assert len(batches) == 1
        assert {one.points for one in desk.file.read().judgements} == {3}


def test_two_people_share_the_work(browser: Any, desk: Desk) -> None:
    with opened(browser, desk) as seen:
        seen.page.goto(f"{seen.base}/question/critique")
        mine = seen.page.input_value("#judge [name=at]")
        other = Visitor("t", "c", "Theo")
        keys = [key for key in desk.holds.others(other.id) if desk.holds.others(other.id)[key] == "Mara"]
        assert keys == [f"critique/{mine}"]
        with seen.page.expect_navigation():
            seen.page.keyboard.press("j")
        theirs = seen.page.input_value("#judge [name=at]")
        desk.holds.take(f"critique/{theirs}", other.id, "Theo", force=True)
        seen.page.reload()
        assert "Theo is judging this answer" in seen.page.inner_text(".alert")
        assert seen.page.is_disabled("#points")
        with seen.page.expect_navigation():
            seen.page.keyboard.press("t")
        assert seen.page.is_enabled("#points")
        assert desk.holds.others(other.id) == {f"critique/{theirs}": "Mara"}


def test_an_open_page_shows_the_names_of_used_comments_for_search(browser: Any, desk: Desk) -> None:
    person = Visitor("t", "c", "Theo")
    for number in range(12):
        desk.record(
            person,
            [
                Draft(
                    "cleo",
                    "points",
                    "critique",
                    points=1,
                    comment=f"Comment {number}: {'zeros' if number == 3 else 'none'}.",
                )
            ],
        )
    with opened(browser, desk) as seen:
        seen.page.goto(f"{seen.base}/question/critique?at=first")
        seen.page.keyboard.press("c")
        seen.page.fill("#comment", "")
        assert len(seen.page.query_selector_all("#bank li:not([hidden])")) == 9
        seen.page.keyboard.type("ZEROS")
        assert seen.page.inner_text("#bank li:not([hidden])").endswith("Comment 3: zeros.")
        seen.page.keyboard.press("ArrowDown")
        seen.page.keyboard.press("Enter")
        assert seen.page.input_value("#comment") == "Comment 3: zeros."
        assert seen.page.evaluate("document.activeElement.id") == "comment"
