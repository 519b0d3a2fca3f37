"""View 5 in a real Chromium, by keys alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grader.desk.app import make_app
from grader.desk.guard import ENTER, Door
from grader.desk.pairs import Pairs
from grader.desk.state import Desk
from grader.facts.similarity import compare
from grader.pipeline.course import Course
from grader.store.results import ResultsFolder
from tests.report.conftest import browser
from tests.support.accessibility import violations
from tests.support.copied_class import starter
from tests.support.desk_class import a_desk
from tests.support.desk_server import entered, served
from tests.support.similar_class import keep_similar

__all__ = ["browser"]

pytestmark = [pytest.mark.chromium, pytest.mark.slow]

PAIR = "/similar/amara/anton"


@pytest.fixture
def desk(course: Course, tmp_path: Path) -> Desk:
    """A desk on a class with copied pairs."""
    keep_similar(ResultsFolder(tmp_path / "class"), course)
    desk = a_desk(tmp_path, course)
    known = compare(desk.pairs.get().traces, [starter()])
    desk.pairs = Pairs(lambda: known, dict)
    return desk


@pytest.fixture
def door(desk: Desk) -> Iterator[Door]:
    """The door of the served desk."""
    with served(lambda door: make_app(desk, door)) as door:
        yield door


@pytest.fixture
def address(door: Door) -> str:
    """Address of the served desk."""
    return door.address.partition(ENTER)[0]


def opened(browser: Any, door: Door, width: int = 1280, **context: Any) -> Any:
    """Enter the desk with the token."""
    return entered(browser, door.address, width, **context)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 768, 1280])
def test_pages_are_accessible_and_fit(browser: Any, door: Door, address: str, width: int, scheme: str) -> None:
    page = opened(browser, door, width, color_scheme=scheme)
    for path in ("/similar", PAIR, "/similar/twin-one/twin-two", "/similar/mallory/malte"):
        page.goto(f"{address}{path}")
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert violations(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    page.close()


def test_pairs_are_decided_by_keys_alone(browser: Any, door: Door, address: str, desk: Desk) -> None:
    page = opened(browser, door)
    keys = page.keyboard
    keys.press("g")
    keys.press("w")
    page.wait_for_url(f"{address}/similar")
    keys.press("j")
    keys.press("j")
    keys.press("Enter")
    page.wait_for_url(f"{address}{PAIR}")
    keys.press("x")
    keys.type("they asked before")
    keys.press("Enter")
    page.wait_for_url(f"{address}/similar/mallory/malte")
    keys.press("f")
    keys.press("Enter")
    page.wait_for_url(f"{address}/similar")
    assert page.locator("h2").all_inner_texts()[:2] == ["Flagged 1", "Explained by a person 1"]
    flags = {name for name, grade in desk.grades().items() if grade.flags}
    assert flags == {"mallory", "malte"}
    keys.press("u")
    page.wait_for_url(f"{address}/similar")
    page.wait_for_selector("text=Hints 1")
    assert not any(grade.flags for grade in desk.grades().values())
    page.close()


def test_code_of_students_runs_and_loads_nothing(browser: Any, door: Door, address: str) -> None:
    page = opened(browser, door)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(f"{address}/similar/mallory/malte")
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.wait_for_load_state("networkidle")
    assert "Mallory and Malte" in page.title()
    assert [url for url in requests if not url.startswith((address, "data:"))] == []
    assert page.locator(".pair-lines img, .pair-lines script").count() == 0
    page.close()
