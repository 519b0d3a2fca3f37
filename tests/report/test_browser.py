"""The pages in a real Chromium: nothing of a student's runs, loads, covers or overflows."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from grader.report.classpage import class_row
from grader.report.page import render_report
from tests.report import samples
from tests.support.accessibility import violations
from tests.support.waiting import until
from tests.support.whole_class_page import whole_class_page

pytestmark = pytest.mark.chromium


@dataclass
class Seen:
    """Events while a page was open."""

    page: Any
    requests: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """Requests that the page's policy stopped before they left."""
    dialogs: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@contextmanager
def opened(browser: Any, html: str, folder: Path, width: int = 1280, **context: Any) -> Iterator[Seen]:
    """Open a page from a file, watching everything it does."""
    file = folder / "page.html"
    file.write_text(html, encoding="utf-8")
    page = browser.new_page(viewport={"width": width, "height": 844}, **context)
    seen = Seen(page)
    page.on("request", lambda request: seen.requests.append(request.url[:100]))
    page.on(
        "requestfailed", lambda request: seen.refused.append(request.url[:100]) if request.failure == "csp" else None
    )
    page.on("console", lambda message: seen.console.append(message.text))
    page.on("pageerror", lambda error: seen.errors.append(str(error)))

    def dismiss(dialog: Any) -> None:
        seen.dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    page.goto(file.as_uri())
    yield seen
    page.close()


def _outside(seen: Seen) -> list[str]:
    return [url for url in seen.requests if not url.startswith(("file://", "data:image/"))]


def test_an_attack_runs_nothing_and_loads_nothing(browser: Any, attack_page: str, tmp_path: Path) -> None:
    with opened(browser, attack_page, tmp_path) as seen:
        seen.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        for box in seen.page.query_selector_all(".md a")[:10]:
            box.hover()
        seen.page.wait_for_timeout(300)
        assert seen.page.evaluate("window.__ran") is None
        assert seen.page.url == (tmp_path / "page.html").as_uri()
        assert _outside(seen) == []
        assert [url for url in seen.requests if url.startswith("file:")] == [seen.page.url]
        assert (seen.dialogs, seen.console, seen.errors) == ([], [], [])


def test_the_policy_alone_would_stop_what_the_sanitiser_let_through(
    browser: Any, rich_page: str, tmp_path: Path
) -> None:
    holes = (
        "<script>window.__ran=1</script><img src='https://evil.example/x.png' onerror='window.__ran=2'>"
        "<style>body{display:none}</style><p id=styled style='color:red'>x</p><iframe src='https://evil.example/'></iframe>"
    )
    with opened(browser, rich_page.replace("</main>", f"{holes}</main>"), tmp_path) as seen:
        seen.page.wait_for_timeout(200)
        until(lambda: seen.page.wait_for_timeout(50) or set(_outside(seen)) <= set(seen.refused))
        assert seen.page.evaluate("window.__ran") is None
        assert seen.page.evaluate("getComputedStyle(document.body).display") == "block"
        assert seen.page.evaluate("getComputedStyle(styled).color") != "rgb(255, 0, 0)"
        until(
            lambda: (
                seen.page.wait_for_timeout(50) or [text for text in seen.console if "Content Security Policy" in text]
            )
        )


def test_nothing_of_the_notebook_covers_the_grade(browser: Any, attack_page: str, tmp_path: Path) -> None:
    with opened(browser, attack_page, tmp_path) as seen:
        found = seen.page.evaluate("""() => [...document.querySelectorAll('h1, .big, .got')].slice(0, 5).map(e => {
            e.scrollIntoView({block: 'center', behavior: 'instant'}); const r = e.getBoundingClientRect();
            const top = document.elementFromPoint(r.x + Math.min(r.width / 2, 8), r.y + Math.min(r.height / 2, 8));
            return e.contains(top) || top.contains(e); })""")
        assert len(found) == 5
        assert all(found)
        leaving = seen.page.evaluate("""() => [...document.querySelectorAll('.frame')].filter(f =>
            getComputedStyle(f).contain !== 'paint' || getComputedStyle(f).overflowX !== 'clip').length""")
        assert leaving == 0


@pytest.mark.parametrize("name", ["rich_page", "several_page", "attack_page", "ungraded_page"])
@pytest.mark.parametrize("width", [360, 390, 820, 1280])
def test_no_page_scrolls_sideways(
    request: pytest.FixtureRequest, browser: Any, name: str, width: int, tmp_path: Path
) -> None:
    with opened(browser, request.getfixturevalue(name), tmp_path, width) as seen:
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_usual_page_opens_without_a_complaint_of_the_browser(browser: Any, rich_page: str, tmp_path: Path) -> None:
    with opened(browser, rich_page, tmp_path) as seen:
        assert (seen.console, seen.errors, _outside(seen)) == ([], [], [])
        assert seen.page.evaluate("getComputedStyle(document.querySelector('.criterion')).display") == "grid"
        assert seen.page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")


def test_the_first_tab_stop_leads_past_the_head_and_is_seen(browser: Any, rich_page: str, tmp_path: Path) -> None:
    with opened(browser, rich_page, tmp_path) as seen:
        seen.page.keyboard.press("Tab")
        assert seen.page.evaluate("document.activeElement.className") == "skip"
        assert seen.page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
        seen.page.keyboard.press("Enter")
        assert seen.page.evaluate("document.activeElement.id") == "main"


def test_a_link_to_a_cell_leads_to_it(browser: Any, rich_page: str, tmp_path: Path) -> None:
    with opened(browser, rich_page, tmp_path, reduced_motion="reduce") as seen:
        seen.page.click("#criterion-3 a[href='#cell-5']")
        seen.page.wait_for_function("Math.abs(document.getElementById('cell-5').getBoundingClientRect().top) < 80")
        assert (
            seen.page.evaluate("getComputedStyle(document.querySelector('#cell-5 > .frame')).outlineStyle") == "solid"
        )


def test_a_link_to_a_folded_cell_opens_it(browser: Any, rich_page: str, tmp_path: Path) -> None:
    linked = rich_page.replace("</header>", "<a id='probe' href='#cell-2'>cell 2</a></header>")
    with opened(browser, linked, tmp_path, reduced_motion="reduce") as seen:
        assert not seen.page.is_visible("#cell-2 > .frame")
        seen.page.click("#cell-2 > summary")
        assert seen.page.is_visible("#cell-2 > .frame")


def test_the_navigation_stays_in_sight_and_covers_no_target(browser: Any, rich_page: str, tmp_path: Path) -> None:
    with opened(browser, rich_page, tmp_path, reduced_motion="reduce") as seen:
        seen.page.click("nav a[href='#notes']")
        seen.page.wait_for_function("Math.abs(document.getElementById('notes').getBoundingClientRect().top) < 120")
        bottom = seen.page.evaluate("document.querySelector('nav').getBoundingClientRect().bottom")
        assert seen.page.evaluate("document.querySelector('nav').getBoundingClientRect().top") == 0
        assert seen.page.evaluate("document.getElementById('notes').getBoundingClientRect().top") >= bottom


def test_the_tabs_work_with_the_keyboard_and_all_are_printed(
    browser: Any, rich: dict[str, Any], tmp_path: Path
) -> None:
    grade = rich["grade"]
    other = grade.models[0].model_copy(update={"id": "m2", "name": "second", "roles": ("scratch",)})
    page = render_report(**(rich | {"grade": grade.model_copy(update={"models": (*grade.models, other)})}))
    with opened(browser, page, tmp_path) as seen:
        assert (seen.page.is_visible("#m1"), seen.page.is_visible("#m2")) == (True, False)
        seen.page.focus("#tab-m1")
        seen.page.keyboard.press("ArrowRight")
        assert (seen.page.is_visible("#m1"), seen.page.is_visible("#m2")) == (False, True)
        seen.page.emulate_media(media="print")
        assert (seen.page.is_visible("#m1"), seen.page.is_visible("#m2")) == (True, True)


def test_everything_folded_is_printed(browser: Any, rich_page: str, tmp_path: Path) -> None:
    with opened(browser, rich_page, tmp_path) as seen:
        seen.page.emulate_media(media="print")
        closed = seen.page.evaluate("""() => [...document.querySelectorAll('details')].filter(d =>
            d.lastElementChild.getClientRects().length && !d.lastElementChild.getBoundingClientRect().height).length""")
        assert closed == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", ["rich_page", "several_page", "failing_page", "ungraded_page", "attack_page"])
@pytest.mark.slow
def test_axe_finds_nothing_in_a_report(  # noqa: PLR0913, PLR0917
    request: pytest.FixtureRequest, browser: Any, name: str, width: int, scheme: str, tmp_path: Path
) -> None:
    with opened(browser, request.getfixturevalue(name), tmp_path, width, color_scheme=scheme) as seen:
        seen.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert violations(seen.page) == []


@pytest.mark.parametrize("width", [390, 1280])
def test_text_in_drawings_has_a_readable_size(browser: Any, rich_page: str, width: int, tmp_path: Path) -> None:
    with opened(browser, rich_page, tmp_path, width) as seen:
        sizes = seen.page.evaluate("""() => [...document.querySelectorAll('#results svg text')].map(t =>
            parseFloat(getComputedStyle(t).fontSize) * t.ownerSVGElement.getScreenCTM().a)""")
        assert sizes
        assert 11 <= min(sizes) <= max(sizes) <= 17


def test_the_dark_theme_is_dark_and_print_is_light(browser: Any, rich_page: str, tmp_path: Path) -> None:
    with opened(browser, rich_page, tmp_path, color_scheme="dark") as seen:
        background = "getComputedStyle(document.body).backgroundColor"
        assert seen.page.evaluate(background) == "rgb(22, 24, 28)"
        seen.page.emulate_media(media="print", color_scheme="dark")
        assert seen.page.evaluate(background) == "rgb(255, 255, 255)"
        assert seen.page.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"


@pytest.fixture(scope="module")
def class_page(templates: Path) -> str:
    """The page of three submissions."""
    grades = (samples.several_grade(), samples.failing_grade(), samples.ungraded())
    return whole_class_page(
        [class_row(g, f"{g.submission.id}/report.html") for g in grades], title="MNIST", templates=templates
    )


_NAMES = """[...document.querySelectorAll('#class-table tbody tr')].filter(r => !r.hidden)
    .map(r => r.cells[0].textContent.trim())"""


def test_the_class_table_sorts_with_what_was_not_graded_last(browser: Any, class_page: str, tmp_path: Path) -> None:
    with opened(browser, class_page, tmp_path) as seen:
        assert (seen.console, seen.errors) == ([], [])
        score = seen.page.locator("#class-table thead th:nth-child(3) button")
        score.click()
        assert seen.page.evaluate(_NAMES) == ["Ada Lovelace", "Basil Short", "Cleo Late"]
        score.click()
        assert seen.page.evaluate(_NAMES) == ["Basil Short", "Ada Lovelace", "Cleo Late"]
        assert seen.page.locator("th[aria-sort]").get_attribute("aria-sort") == "ascending"


def test_the_class_table_filters_by_name_and_by_state(browser: Any, class_page: str, tmp_path: Path) -> None:
    with opened(browser, class_page, tmp_path) as seen:
        seen.page.fill("#tools input", "ada")
        assert seen.page.evaluate(_NAMES) == ["Ada Lovelace"]
        assert seen.page.inner_text("#shown") == "1 of 3 submissions shown"
        seen.page.fill("#tools input", "")
        seen.page.select_option("#tools select", "u")
        assert seen.page.evaluate(_NAMES) == ["Cleo Late"]
        seen.page.select_option("#tools select", "b")
        assert seen.page.evaluate(_NAMES) == ["Ada Lovelace"]


def test_the_class_page_reads_the_same_without_its_script(browser: Any, class_page: str, tmp_path: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    (tmp_path / "page.html").write_text(class_page, encoding="utf-8")
    page = context.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    assert page.locator("#class-table tbody tr").count() == 3
    assert not page.locator("#tools").is_visible()
    context.close()


@pytest.fixture(scope="module")
def large_page(templates: Path) -> str:
    """The page of 2,000 submissions; every tenth is not graded, and scores repeat."""
    real = [class_row(g, "x/report.html") for g in (samples.rich_grade(), samples.failing_grade(), samples.ungraded())]
    rows = []
    for number in range(2000):
        kind = real[2] if number % 10 == 9 else real[number % 2]
        score = None if kind.score is None else number % 700 / 7
        rows.append(replace(kind, id=f"s{number}", student=f"Student {number}", score=score))
    return whole_class_page(rows, title="MNIST", templates=templates)


_LAID_OUT = """[...document.querySelectorAll('#class-table tbody tr')].filter(r => r.getClientRects().length)
    .map(r => r.cells[0].textContent.trim())"""


def test_a_page_of_thousands_lays_out_its_first_lines_and_the_rest_when_asked(
    browser: Any, large_page: str, tmp_path: Path
) -> None:
    with opened(browser, large_page, tmp_path) as seen:
        assert seen.page.evaluate(_LAID_OUT) == [f"Student {number}" for number in range(200)]
        assert seen.page.inner_text("#shown") == "200 of 2000 submissions shown"
        seen.page.focus("text=Show 200 more")
        seen.page.keyboard.press("Enter")
        assert seen.page.evaluate(_LAID_OUT)[-1] == "Student 399"
        assert seen.page.evaluate("document.activeElement.textContent") == "Student 200"
        seen.page.click("text=Show all 2000")
        assert len(seen.page.evaluate(_LAID_OUT)) == 2000
        assert seen.page.inner_text("#shown") == ""
        assert not seen.page.locator("#growth button >> visible=true").count()
        assert (seen.console, seen.errors) == ([], [])


def test_thousands_are_sorted_and_filtered_as_a_whole_and_not_by_what_is_laid_out(
    browser: Any, large_page: str, tmp_path: Path
) -> None:
    with opened(browser, large_page, tmp_path) as seen:
        score = seen.page.locator("#class-table thead th:nth-child(3) button")
        score.click()
        # The 699th and the 1399th would be first, but they were not graded; equals stay in their order.
        assert seen.page.evaluate(_LAID_OUT)[:4] == ["Student 698", "Student 1398", "Student 697", "Student 1397"]
        score.click()
        assert seen.page.evaluate(_LAID_OUT)[:3] == ["Student 0", "Student 700", "Student 1400"]
        seen.page.locator("#class-table thead th:nth-child(1) button").click()
        assert seen.page.evaluate(_LAID_OUT)[9:12] == ["Student 9", "Student 10", "Student 11"]
        seen.page.fill("#tools input", "student 1999")
        assert seen.page.evaluate(_LAID_OUT) == ["Student 1999"]
        seen.page.fill("#tools input", "STUDENT 1")
        assert seen.page.inner_text("#shown") == "200 of 1111 matching submissions shown"
        seen.page.fill("#tools input", "")
        seen.page.select_option("#tools select", "u")
        assert seen.page.inner_text("#shown") == "200 of 2000 submissions shown"
        assert seen.page.evaluate(_LAID_OUT)[:2] == ["Student 9", "Student 19"]
        assert (seen.console, seen.errors) == ([], [])


def test_thousands_are_all_on_paper_and_all_there_without_the_script(
    browser: Any, large_page: str, tmp_path: Path
) -> None:
    with opened(browser, large_page, tmp_path) as seen:
        seen.page.emulate_media(media="print")
        seen.page.wait_for_selector("#paper table")
        blocks = "[...document.querySelectorAll('#paper table')].map(t => t.tBodies[0].rows.length)"
        assert seen.page.evaluate(blocks) == [2000]
        assert seen.page.evaluate(_LAID_OUT) == []
        assert not seen.page.locator("#growth button >> visible=true").count()
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    assert page.locator("#class-table tbody tr >> visible=true").count() == 2000
    context.close()


@pytest.mark.parametrize("width", [360, 1280])
def test_a_page_of_thousands_does_not_scroll_sideways(
    browser: Any, large_page: str, width: int, tmp_path: Path
) -> None:
    with opened(browser, large_page, tmp_path, width) as seen:
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [360, 1280])
def test_the_class_page_does_not_scroll_sideways(browser: Any, class_page: str, width: int, tmp_path: Path) -> None:
    with opened(browser, class_page, tmp_path, width) as seen:
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
