"""The class page in a real Chromium: lists, filters, keys, cards, paper, accessibility."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grader.report.classrow import ClassRow, CriterionCell, NoteMark, class_row
from grader.schema.grade import CriterionStatus
from grader.schema.message import say
from tests.report import samples
from tests.report.test_browser import opened
from tests.support.accessibility import violations
from tests.support.whole_class_page import whole_class_page

pytestmark = pytest.mark.chromium

VERDICTS: tuple[CriterionStatus, ...] = ("passed", "partial", "failed", "pending", "skipped")
NOTES = tuple(NoteMark(f"note-{n}", say("The note number {number}", number=n)) for n in range(9))
SHOWN = """[...document.querySelectorAll('#class-table tbody tr')].filter(r => r.getClientRects().length)
    .map(r => r.cells[0].textContent.trim())"""
FOCUSED = "document.activeElement.textContent.trim()"


def _row(number: int) -> ClassRow:
    """A submission whose 20 criteria show every verdict."""
    kind = class_row((samples.several_grade(), samples.failing_grade(), samples.ungraded())[number % 3], None)
    cells = tuple(
        CriterionCell(f"criterion-{n}", f"The long title of criterion {n}", status, points, 10.0, borderline=n == 6)
        for n in range(20)
        for status in [VERDICTS[(n + number) % 5]]
        for points in [{"passed": 10.0, "partial": 2.25 + number % 7}.get(status, 0.0)]
    )
    return replace(
        kind,
        id=f"s{number}",
        student=f"Student {number}" if number % 10 else "The Same Name",
        report=f"s{number}/instructor.html",
        criteria=cells if kind.graded else (),
        notes=NOTES[: number % 10] if kind.graded else (),
        problems=int(number % 11 == 0),
        accuracy=0.95 + number % 50 / 1000 if kind.graded else None,
        threshold=0.99,
    )


@pytest.fixture(scope="module")
def page(templates: Path) -> str:
    """The page of 40 submissions."""
    return whole_class_page([_row(n) for n in range(40)], title="MNIST", templates=templates)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.slow
def test_axe_finds_nothing(browser: Any, page: str, width: int, scheme: str, tmp_path: Path) -> None:
    with opened(browser, page, tmp_path, width, color_scheme=scheme) as seen:
        assert violations(seen.page) == []
        seen.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert violations(seen.page) == []
        seen.page.click("#help")
        assert violations(seen.page) == []
        assert (seen.console, seen.errors) == ([], [])


@pytest.mark.parametrize("width", [360, 390, 820, 1280])
def test_it_does_not_scroll_sideways(browser: Any, page: str, width: int, tmp_path: Path) -> None:
    with opened(browser, page, tmp_path, width) as seen:
        seen.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width


def test_head_and_names_stay_visible(browser: Any, page: str, tmp_path: Path) -> None:
    with opened(browser, page, tmp_path) as seen:
        places = """() => {
            const box = document.querySelector('#table-box');
            const row = document.querySelector('#class-table tbody tr:nth-child(30)');
            box.scrollTo(300, row.offsetTop - 300);
            const at = e => e.getBoundingClientRect(), outer = at(box);
            return [at(document.querySelector('#class-table thead th:nth-child(12)')).top - outer.top,
                    at(row.cells[0]).left - outer.left, box.scrollLeft, box.scrollTop];
        }"""
        top, left, scrolled_left, scrolled_top = seen.page.evaluate(places)
        assert 0 <= top <= 2
        assert 0 <= left <= 2
        assert scrolled_left > 100
        assert scrolled_top > 100


def test_a_reason_to_look_opens_its_students_and_shows_them_in_the_table(
    browser: Any, page: str, tmp_path: Path
) -> None:
    with opened(browser, page, tmp_path, reduced_motion="reduce") as seen:
        seen.page.click(".need-g summary")
        listed = seen.page.eval_on_selector_all(".need-g .who a", "links => links.map(link => link.textContent)")
        assert listed == ["The Same Name", "Student 11", "Student 22", "Student 33"]
        seen.page.click(".need-g button")
        assert seen.page.evaluate(SHOWN) == listed
        assert seen.page.evaluate(FOCUSED) == "The Same Name"
        assert seen.page.input_value("#which") == "g"
        seen.page.click("#clear")
        assert len(seen.page.evaluate(SHOWN)) == 40
        seen.page.click(".need-c summary")
        seen.page.click(".need-c button")
        assert set(seen.page.evaluate(SHOWN)) == {"The Same Name"}


def test_a_frequent_note_shows_its_students_in_the_table(browser: Any, page: str, tmp_path: Path) -> None:
    with opened(browser, page, tmp_path, reduced_motion="reduce") as seen:
        seen.page.click(".frequent summary >> nth=0")
        seen.page.click(".frequent button >> nth=0")
        title = seen.page.inner_text(".frequent .title >> nth=0")
        assert title == "The note number 0"
        number = int(seen.page.inner_text(".frequent .number >> nth=0"))
        assert len(seen.page.evaluate(SHOWN)) == number


def test_the_table_filters_by_criterion_and_verdict(browser: Any, page: str, tmp_path: Path) -> None:
    with opened(browser, page, tmp_path) as seen:
        seen.page.select_option("#criterion", label="criterion-3")
        for letter, number in (("x", 2), ("q", 3), ("p", 2)):
            seen.page.select_option("#verdict", letter)
            names = seen.page.evaluate(SHOWN)
            # Verdicts alternate: criterion 3 is missed by 4, 9, 14 …; every third submission is not graded.
            place = {"x": 4, "q": 3, "p": 2}[letter]
            expected = [n for n in range(40) if n % 5 == place and n % 3 != 2]
            assert names == [f"Student {n}" if n % 10 else "The Same Name" for n in expected]
            assert number <= len(names)
        seen.page.keyboard.press("Escape")


def test_the_search_finds_names_notes_and_errors(browser: Any, page: str, tmp_path: Path) -> None:
    with opened(browser, page, tmp_path) as seen:
        seen.page.keyboard.press("/")
        seen.page.keyboard.type("note number 8")
        assert seen.page.evaluate(SHOWN) == ["Student 9", "Student 19", "Student 39"]
        seen.page.fill("#find", "nameerror")
        assert len(seen.page.evaluate(SHOWN)) == 13
        seen.page.fill("#find", "student 37")
        seen.page.keyboard.press("Enter")
        assert seen.page.evaluate(FOCUSED) == "Student 37"
        seen.page.keyboard.press("Escape")
        assert len(seen.page.evaluate(SHOWN)) == 40


def test_criteria_sort_by_points_with_unjudged_ones_last(browser: Any, page: str, tmp_path: Path) -> None:
    with opened(browser, page, tmp_path) as seen:
        seen.page.click("#class-table thead th:has-text('criterion-0') button >> nth=0")
        letters = seen.page.evaluate("""[...document.querySelectorAll('#class-table tbody tr')].map(r =>
            [r.cells[7]?.className ?? '', Number(r.cells[7]?.dataset.v ?? 0)])""")
        order = [letter for letter, _ in letters if letter in {"p", "q", "x"}]
        assert "".join(order) == "".join(sorted(order))
        points = [value for letter, value in letters if letter == "q"]
        assert points == sorted(points, reverse=True)
        assert {letter for letter, _ in letters[len(order) :]} <= {"w", "n", "", "why"}


def test_each_report_is_one_key_away(browser: Any, page: str, tmp_path: Path) -> None:
    (tmp_path / "s2").mkdir()
    (tmp_path / "s2" / "instructor.html").write_text("<p>the report of s2</p>", encoding="utf-8")
    with opened(browser, page, tmp_path) as seen:
        for key, name in (
            ("j", "The Same Name"),
            ("j", "Student 1"),
            ("ArrowDown", "Student 2"),
            ("k", "Student 1"),
            ("ArrowUp", "The Same Name"),
            ("k", "The Same Name"),
            ("j", "Student 1"),
            ("j", "Student 2"),
        ):
            seen.page.keyboard.press(key)
            assert seen.page.evaluate(FOCUSED) == name
        assert seen.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        seen.page.keyboard.press("Enter")
        seen.page.wait_for_url("**/s2/instructor.html")
        assert seen.page.inner_text("p") == "the report of s2"


def test_the_focused_row_is_not_below_the_head(browser: Any, page: str, tmp_path: Path) -> None:
    with opened(browser, page, tmp_path, reduced_motion="reduce") as seen:
        for _ in range(30):
            seen.page.keyboard.press("j")
        for _ in range(15):
            seen.page.keyboard.press("k")
        visible = """() => { const r = document.activeElement.getBoundingClientRect();
            return document.activeElement.contains(document.elementFromPoint(r.x + 4, r.y + r.height / 2)); }"""
        assert seen.page.evaluate(visible)


def test_the_keys_are_explained_and_can_be_switched_off(browser: Any, page: str, tmp_path: Path) -> None:
    with opened(browser, page, tmp_path) as seen:
        seen.page.keyboard.press("?")
        assert seen.page.is_visible("#keys")
        seen.page.uncheck("#keys-on")
        seen.page.keyboard.press("Escape")
        assert not seen.page.is_visible("#keys")
        seen.page.keyboard.press("j")
        assert seen.page.evaluate("document.activeElement.closest('#class-table')") is None


def test_letters_in_the_search_move_nothing(browser: Any, page: str, tmp_path: Path) -> None:
    with opened(browser, page, tmp_path) as seen:
        seen.page.keyboard.press("/")
        seen.page.keyboard.type("jk?/")
        assert seen.page.input_value("#find") == "jk?/"


def test_a_phone_shows_cards_with_named_criteria(browser: Any, page: str, tmp_path: Path) -> None:
    with opened(browser, page, tmp_path, 390) as seen:
        card = seen.page.evaluate("""() => { const row = document.querySelector('#class-table tbody tr');
            const name = e => getComputedStyle(e, '::after').content;
            return [getComputedStyle(row).display, row.getBoundingClientRect().width,
                    name(row.querySelector('.x')), name(row.querySelector('.q'))]; }""")
        assert card == ["flex", 358, '"criterion-2"', '"criterion-1"']


def test_paper_has_blocks_of_at_most_eight_criteria_with_names_and_nothing_cut_off(
    browser: Any, page: str, tmp_path: Path
) -> None:
    with opened(browser, page, tmp_path, 1036) as seen:
        seen.page.select_option("#which", "w")
        seen.page.emulate_media(media="print")
        seen.page.wait_for_selector("#paper table")
        blocks = seen.page.evaluate("""[...document.querySelectorAll('#paper table')].map(t => ({
            names: [...t.tBodies[0].rows].map(r => r.cells[0].textContent.trim()),
            criteria: [...t.tHead.querySelectorAll('.v')].map(c => c.firstChild.textContent),
            width: t.getBoundingClientRect().right,
        }))""")
        shown = [f"Student {n}" if n % 10 else "The Same Name" for n in range(0, 40, 3)]
        assert [block["names"] for block in blocks] == [shown] * 3
        assert [name for block in blocks for name in block["criteria"]] == [f"criterion-{n}" for n in range(20)]
        assert max(len(block["criteria"]) for block in blocks) <= 8
        assert max(block["width"] for block in blocks) <= 1036
        seen.page.emulate_media(media="screen")
        seen.page.wait_for_selector("#paper table", state="detached")


def test_paper_is_landscape(browser: Any, page: str, tmp_path: Path) -> None:
    with opened(browser, page, tmp_path) as seen:
        printed = seen.page.pdf(prefer_css_page_size=True)
        width, height = (float(size) for size in printed.split(b"/MediaBox [0 0 ")[1].split(b"]")[0].split())
        assert width > height


def _seen_with_deuteranopia(colour: str) -> tuple[float, float, float]:
    """Approximate a color as a person without green cones sees it (Viénot, Brettel and Mollon 1999), linear RGB."""
    red, green, blue = (float(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(","))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (red, green, blue)]
    mixed = 0.29275 * linear[0] + 0.70725 * linear[1]
    return (mixed, mixed, -0.02234 * linear[0] + 0.02234 * linear[1] + linear[2])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_verdicts_differ_by_sign_and_outline_and_a_missed_one_stands_out_without_green_cones(
    browser: Any, page: str, scheme: str, tmp_path: Path
) -> None:
    with opened(browser, page, tmp_path, color_scheme=scheme) as seen:
        looks = seen.page.evaluate("""() => Object.fromEntries(['p', 'q', 'x', 'w', 'n'].map(letter => {
            const cell = document.querySelector(`#class-table tbody .${letter}`), style = getComputedStyle(cell);
            return [letter, [getComputedStyle(cell, '::before').content, style.boxShadow.replace(/rgb[^)]*[)]/, ''),
                style.outlineStyle, style.backgroundColor, style.color]]; }))""")
    assert len({look[0] for look in looks.values()}) == 5
    assert len({tuple(look[1:3]) for letter, look in looks.items() if letter != "n"}) == 4
    # The outline of a missed criterion has the color of its sign: it contrasts with the tint of full marks.
    outline, tint = (_seen_with_deuteranopia(looks[letter][place]) for letter, place in (("x", 4), ("p", 3)))
    light, dark = sorted((sum(outline) / 3, sum(tint) / 3), reverse=True)
    assert (light + 0.05) / (dark + 0.05) > 3
