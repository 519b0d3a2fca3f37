"""The view "Publish" in a real Chromium, with 300 submissions: by keys alone, accessible, on small and dark screens."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grader.desk.app import make_app
from grader.desk.mailer import Mailer, MailSetup
from grader.desk.state import Desk
from grader.pipeline.course import Course
from grader.pipeline.publish import row_of
from grader.report.csvfile import rows_csv
from grader.schema.mail import MailSettings
from grader.store.results import ResultsFolder
from tests.report.conftest import browser
from tests.support.accessibility import violations
from tests.support.desk_class import Student, a_desk, keep_class
from tests.support.desk_server import entered, served
from tests.support.mail_server import Inbox, mail_server

__all__ = ["browser"]

pytestmark = [pytest.mark.chromium, pytest.mark.slow]
SIZE = 300
PAGES = ("/publish", "/publish/reports", "/publish/reports/s007", "/publish/mail", "/publish/exports?table=facts")
REPORT = (
    "<!DOCTYPE html><html lang='en'><title>Report</title>"
    "<main><h1>The report of {}</h1><script>top.x = 1</script></main></html>"
)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, course: Course) -> Desk:
    """A desk on 300 submissions."""
    root = tmp_path_factory.mktemp("publish")
    cells = [("markdown", "## Critique\nZeros."), ("code", "x = 1")]
    students = [Student(f"s{number:03d}", f"Student {number:03d}", cells) for number in range(SIZE)]
    out = ResultsFolder(root / "class")
    keep_class(out, course, students, pages=False)
    grades = [grade for name in out.submissions() if (grade := out.read_grade(name)) is not None]
    for grade in grades:
        out.write_report(grade.submission.id, REPORT.format(grade.submission.student))
    out.write_page("grades.csv", rows_csv([row_of(grade, None) for grade in grades]))
    return a_desk(root, course)


@pytest.fixture(scope="module")
def inbox() -> Iterator[Inbox]:
    """A mail server."""
    with mail_server() as server:
        yield server


@pytest.fixture(scope="module")
def address(desk: Desk, inbox: Inbox) -> Iterator[str]:
    """Address of the desk, with its token; twelve students are in the roster."""
    roster = desk.out.root.parent / "roster.csv"
    rows = [f"s{number:03d},Student {number:03d},s{number:03d}@example.org" for number in range(12)]
    roster.write_text("\n".join(["id,name,email", *rows, "gone,Gone Student,gone@example.org"]), encoding="utf-8")
    settings = MailSettings(server=inbox.host, port=inbox.port, security="none", sender="c@example.org", rate=1e6)
    desk.mailer = Mailer(MailSetup(settings=settings, roster=roster))
    with served(lambda door: make_app(desk, door)) as door:
        yield door.address


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """A page that has entered the desk."""
    made = entered(browser, address)
    yield made
    made.close()


def arrived(page: Any, heading: str) -> None:
    """Wait until a page with a heading has been loaded with its script."""
    page.wait_for_selector(f"h1:has-text('{heading}')")
    page.wait_for_load_state("load")


def open_way(page: Any, key: str, heading: str) -> None:
    """Open one of the ways to publish by keys, from any page of the desk."""
    page.keyboard.press("g")
    page.keyboard.press("p")
    arrived(page, "Publish")
    page.keyboard.press(key)
    arrived(page, heading)


def test_the_first_page_names_what_is_not_finished(page: Any) -> None:
    page.keyboard.press("g")
    page.keyboard.press("p")
    arrived(page, "Publish")
    text = " ".join(page.inner_text("main").split())
    assert "0 of 300 grades are finished" in text
    assert "600 answers to read" in text


def test_reports_are_found_and_looked_at_by_keys_alone(page: Any) -> None:
    open_way(page, "1", "Reports")
    page.keyboard.press("/")
    page.keyboard.type("Student 042")
    assert page.locator("[data-list] > li:visible").count() == 1
    for key in ("Escape", "j", "Enter"):
        page.keyboard.press(key)
    arrived(page, "Student 042")
    assert page.frame_locator("iframe").locator("h1").inner_text() == "The report of Student 042"
    assert page.evaluate("window.x") is None
    page.keyboard.press("n")
    arrived(page, "Student 043")
    page.keyboard.press("b")
    arrived(page, "Reports")


def test_mails_are_previewed_confirmed_and_sent_by_keys_alone(page: Any, inbox: Inbox) -> None:
    open_way(page, "2", "Mail")
    page.keyboard.press("v")
    page.wait_for_selector("h2:has-text('0 messages would be sent')")
    page.wait_for_load_state("load")
    assert page.locator("text=There is nothing to send.").is_visible()
    page.locator("[name=with_pending]").focus()
    page.keyboard.press("Space")
    page.keyboard.press("v")
    page.wait_for_selector("h2:has-text('12 messages would be sent')")
    page.wait_for_load_state("load")
    assert "Gone Student" in page.inner_text("#missing")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    arrived(page, "Student 000")
    assert page.frame_locator("iframe").locator("body").inner_text()
    page.keyboard.press("b")
    arrived(page, "Mail")
    confirm(page, "send")
    arrived(page, "This did not work")
    assert inbox.messages == []
    page.go_back()
    arrived(page, "Mail")
    confirm(page, "send 12")
    page.wait_for_selector("p:has-text('12 students have their message')")
    assert len(set(inbox.recipients())) == len(inbox.messages) == 12


def confirm(page: Any, words: str) -> None:
    """Type words into the confirmation."""
    page.keyboard.press("x")
    page.keyboard.press("Control+a")
    page.keyboard.type(words)
    page.keyboard.press("Enter")


def test_tables_are_saved_by_one_key(page: Any, tmp_path: Path) -> None:
    open_way(page, "3", "Exports")
    with page.expect_download() as download:
        page.keyboard.press("c")
    assert download.value.suggested_filename == "essays-csv.zip"
    download.value.save_as(tmp_path / "tables.zip")
    assert (tmp_path / "tables.zip").stat().st_size > 10_000
    open_way(page, "1", "Reports")
    page.locator("[name=unfinished]").check()
    page.locator("[name=unfinished]").blur()
    with page.expect_download() as download:
        page.keyboard.press("s")
    assert download.value.suggested_filename == "essays-reports.zip"
    page.keyboard.press("b")
    arrived(page, "Publish")


def test_a_refused_form_is_left_by_keys(page: Any) -> None:
    for key in ("b", "Enter", "n"):
        open_way(page, "1", "Reports")
        page.keyboard.press("s")
        arrived(page, "This did not work")
        page.keyboard.press(key)
        arrived(page, "What needs you" if key == "n" else "Reports")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 768, 1280])
def test_pages_are_accessible_and_fit(browser: Any, address: str, width: int, scheme: str) -> None:
    page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.goto(address)
    page.wait_for_url("**/")
    origin = page.evaluate("location.origin")
    for path in PAGES:
        page.goto(f"{origin}{path}")
        if path == "/publish/mail" and page.locator("[name=with_pending]").count():
            page.locator("[name=with_pending]").check()
            page.locator("button[data-key=v]").click()
            page.wait_for_url("**#messages")
        assert violations(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    page.close()
    # The sandbox of the frame refuses the report's script; the desk itself has no errors.
    assert [text for text in problems if "sandboxed" not in text] == []
