"""The view of the rubric in a real Chromium: by keys alone, accessible, on small and dark screens."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grader.desk.app import make_app
from grader.desk.state import Desk
from grader.pipeline.publish import publish_class
from grader.store.results import ResultsFolder
from tests.report.conftest import browser
from tests.support.accessibility import violations
from tests.support.desk_class import RUBRIC, Student, a_course, a_desk, keep_class
from tests.support.desk_server import entered, served
from tests.support.waiting import until

__all__ = ["browser"]

pytestmark = [pytest.mark.chromium, pytest.mark.slow]
SIZE = 60
CHANGED = RUBRIC.replace("points: 4,", "points: 8,")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk on sixty submissions."""
    root = tmp_path_factory.mktemp("rubric")
    course = a_course(root)
    cells = [("markdown", "## Critique\nZeros."), ("code", "x = 1")]
    out = ResultsFolder(root / "class")
    keep_class(out, course, [Student(f"s{n:03d}", f"Student {n:03d}", cells) for n in range(SIZE)], pages=False)
    publish_class(course, out)
    return a_desk(root, course)


@pytest.fixture(scope="module")
def address(desk: Desk) -> Iterator[str]:
    """Address of the desk, with its token."""
    with served(lambda door: make_app(desk, door)) as door:
        yield door.address


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """The view of the rubric, opened by keys."""
    made = entered(browser, address)
    made.keyboard.press("g")
    made.keyboard.press("r")
    made.wait_for_selector("h1:has-text('The rubric')")
    shown(made, "No points of the 60 submissions would change.")
    yield made
    made.close(run_before_unload=False)


def shown(page: Any, words: str) -> None:
    """Wait until the state of the editor has these words."""
    page.wait_for_selector(f'#rubric-state:has-text("{words}")')


def typed(page: Any, text: str) -> None:
    """Replace the whole text by keys."""
    page.keyboard.press("e")
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


def test_errors_appear_while_typing_and_a_key_goes_to_their_line(page: Any) -> None:
    typed(page, RUBRIC.replace("check: runs", "check: rums"))
    shown(page, "1 error")
    assert "did you mean 'runs'" in page.inner_text("#rubric-problems")
    assert page.locator("#rubric-apply").is_disabled()
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    chosen = "(() => { const t = document.activeElement; return t.value.slice(t.selectionStart, t.selectionEnd); })()"
    assert "check: rums" in page.evaluate(chosen)
    typed(page, RUBRIC)
    shown(page, "No points of the 60 submissions would change.")
    assert page.locator("#rubric-problems li").count() == 0
    assert page.locator("#rubric-apply").is_enabled()


def test_a_person_who_stays_on_the_page_can_go_on_typing(page: Any) -> None:
    asked: list[str] = []

    def stay(dialog: Any) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    typed(page, CHANGED)
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("n")
    until(lambda: page.wait_for_timeout(50) or asked)
    page.wait_for_timeout(200)
    assert asked == ["beforeunload"]
    page.keyboard.press("e")
    page.keyboard.type("#")
    assert page.locator("#rubric-text").input_value() != CHANGED


def test_a_text_that_replaces_another_is_the_one_whose_effect_is_shown(page: Any) -> None:
    for points in (5, 6, 7, 9):
        typed(page, RUBRIC.replace("points: 4,", f"points: {points},"))
    shown(page, "60 of 60 submissions would change.")
    assert "4 of 4 → 9 of 9" in page.inner_text("#rubric-effect")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.textContent") == "Student 000"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 768, 1280])
def test_the_view_is_accessible_and_fits(browser: Any, address: str, width: int, scheme: str) -> None:
    page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.goto(address)
    page.wait_for_url("**/")
    page.goto(f"{page.evaluate('location.origin')}/rubric")
    shown(page, "would change")
    for text, words in ((CHANGED, "60 of 60"), (RUBRIC.replace("check: runs", "check: rums"), "1 error")):
        page.locator("#rubric-text").fill(text)
        shown(page, words)
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.close(run_before_unload=False)
    assert problems == []


def test_a_changed_rubric_is_applied_by_keys_alone(page: Any, desk: Desk) -> None:
    """The last test: the class is another one afterwards."""
    typed(page, CHANGED)
    shown(page, "60 of 60 submissions would change.")
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    page.wait_for_selector("p:has-text('60 submissions changed')")
    shown(page, "No points of the 60 submissions would change.")
    assert Path(desk.course.loaded.path).read_text(encoding="utf-8") == CHANGED
    assert desk.grade("s000").score == 8
