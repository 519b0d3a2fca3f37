"""Draw the pictures of the documentation in a real Chromium: reports, the class page, a mail, and the desk's views.

`make pictures RESULTS=demo-results` reads a folder of results, such as the folder of `make demo`. The roster of the
mail is made up.
"""

import argparse
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from grader.desk.app import VIEWS

__all__ = ["main"]

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
STUDENT = "elif"
RUBRIC = "mnist-cnn.yaml"
CRITERION = "critique"
"""A criterion of `mnist-cnn` that people judge."""
ANSWER = "symmetry"
"""A word of an answer to it."""
WIDTH, HEIGHT = 1180, 900


def main(arguments: list[str] | None = None) -> int:
    """Draw the pictures.

    Args:
        arguments: The words of the command line; by default those of the process.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("results", type=Path, help="a folder of results of `mnist-cnn`")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        for name, path in _pages(options.results.resolve(), Path(folder)):
            page.goto(path.as_uri())
            page.screenshot(path=IMAGES / f"{name}.png", animations="disabled")
            print(f"written: docs/images/{name}.png")
        with _desk(options.results.resolve(), Path(folder)) as address:
            _draw_desk(page, address)
        browser.close()
    return 0


def _pages(results: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """Return the name of each picture, and the page that it shows."""
    yield "report", results / STUDENT / "report.html"
    yield "instructor", results / STUDENT / "instructor.html"
    yield "class-page", results / "index.html"
    yield "mail", _mail(results, folder)


def _mail(results: Path, folder: Path) -> Path:
    """Write a mail to the student without sending it, and return its HTML part."""
    copy = Path(shutil.copytree(results, folder / "results"))
    roster = folder / "roster.csv"
    roster.write_text(f"id,name,email\n{STUDENT},{STUDENT.title()},{STUDENT}@example.org\n", encoding="utf-8")
    words = ["mail", str(copy), "--roster", str(roster), "--only", STUDENT, "--with-pending"]
    subprocess.run([sys.executable, "-m", "grader", *words], check=True)
    (written,) = copy.rglob("*.eml")
    body = message_from_bytes(written.read_bytes(), policy=policy.default).get_body(("html",))
    page = folder / "mail.html"
    page.write_text(body.get_content() if body else "", encoding="utf-8")
    return page


@contextmanager
def _desk(results: Path, folder: Path) -> Iterator[str]:
    """Open the desk on a copy of the results, and yield its address."""
    shutil.copytree(results, folder / "hw4")
    # A relative path, so that the view of the rubric shows no folder of this machine.
    shutil.copy(ROOT / "rubrics" / RUBRIC, folder / RUBRIC)
    options = ["--rubric", RUBRIC, "--as", "Mara", "--no-open"]
    command = [sys.executable, "-m", "grader", "desk", "hw4", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=folder) as process:
        try:
            for line in process.stderr or ():
                if found := re.search(r"desk: (http\S+)", line):
                    yield found[1]
                    break
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate()


def _draw_desk(page: Page, address: str) -> None:
    """Draw each view, after a few judgements."""
    base = address.partition("/enter")[0]
    page.goto(address)
    page.wait_for_url(f"{base}/")
    _judge_some(page, base)
    # The question is drawn with points and a comment that are not saved yet.
    addresses = {"question": f"/question/{CRITERION}", "submission": f"/submission/{STUDENT}#criterion-{CRITERION}"}
    for view in VIEWS:
        page.goto(f"{base}{addresses.get(view.id, view.path)}")
        page.wait_for_load_state("networkidle")
        if view.id == "question":
            while ANSWER not in page.inner_text("main"):
                with page.expect_navigation():
                    page.keyboard.press("j")
            for key in ("3", "c", "1"):
                page.keyboard.press(key)
        if view.id == "rubric":
            _lower_a_threshold(page)
        path = IMAGES / f"desk-{view.id}.png"
        page.screenshot(path=path, animations="disabled")
        _shrink(path)
        print(f"written: docs/images/{path.name}")


def _lower_a_threshold(page: Page) -> None:
    """Change the rubric without applying it, and wait for the effect."""
    field = page.locator("#rubric-text")
    text = field.input_value()
    field.fill(text.replace("at_least: 0.99,", "at_least: 0.985,"))
    # Show the changed line, which is in the middle.
    field.evaluate(
        "(box, place) => { box.scrollTop = box.scrollHeight * place; }", text.index("0.99,") / len(text) - 0.1
    )
    page.get_by_text("before and after").first.wait_for()
    page.wait_for_timeout(3000)


def _judge_some(page: Page, base: str) -> None:
    """Judge the answers of all but one to a question, and enter a request."""
    page.goto(f"{base}/question/{CRITERION}")
    for points, comment in (("2", "Name the effect of each flaw, too."), ("0", "This describes your own model.")):
        while ANSWER in page.inner_text("main"):
            with page.expect_navigation():
                page.keyboard.press("n")
        page.keyboard.press(points)
        page.keyboard.press("c")
        page.keyboard.type(comment)
        with page.expect_navigation():
            page.keyboard.press("Enter")
    page.goto(f"{base}/submission/{STUDENT}")
    page.get_by_text("Enter a request of the student").click()
    page.get_by_label("Paste the mail").fill(
        "I named the softmax in the hidden layer and the zeros. Please look again."
    )
    page.get_by_label("Criterion").select_option(CRITERION)
    page.get_by_role("button", name="Record the request").click()
    page.wait_for_url("**#requests")
    page.click("#updates")
    page.get_by_text("Pages are up to date").wait_for()


def _shrink(path: Path) -> None:
    """Reduce a picture to 256 colors, which the eye does not notice on a page of text."""
    with Image.open(path) as image:
        small = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
