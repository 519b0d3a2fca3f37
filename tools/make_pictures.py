"""Draw the pictures of the documentation in a real Chromium: reports, terminals, the class page, a mail, and the desk.

`make pictures RESULTS=demo-results` reads a folder of results, such as the folder of `make demo`. The roster of the
mail and the names in the download are made up. Terminals show what the commands print now: `grader check`
executes a sample that trains nothing.
"""

import argparse
import io
import os
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

from markdown_it import MarkdownIt
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console
from rich.text import Text

from grader.delivery.github import job_summary
from grader.desk.app import VIEWS
from grader.facts.graded_model import main_model
from grader.facts.language import language
from grader.pipeline.rubrics import find_rubric
from grader.report.curves import learning_curves
from grader.report.edition import edition
from grader.store.results import ResultsFolder

__all__ = ["main"]

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
SAMPLES = ROOT / "examples" / "submissions" / "mnist-cnn"
STUDENT = "elif"
"""The student with an unfinished cell, so that executing the notebook takes seconds."""
TRAINED = "ben"
"""A student with learning curves and some missed criteria."""
MISTAKEN = "dmitri"
"""A student with many notes in the margin."""
RUBRIC = "mnist-cnn.yaml"
CRITERION = "critique"
"""A criterion of `mnist-cnn` that people judge."""
ANSWER = "symmetry"
"""A word of an answer to it."""
WIDTH, HEIGHT = 1180, 900
PHONE_WIDTH, PHONE_HEIGHT = 390, 844
COLUMNS, ROWS = 92, 40
"""Size of terminals."""
WIDE = {"submissions": 110}
"""Picture → the columns of a wider terminal."""
COMMANDS = {
    "check": "grader check homework.ipynb --rubric mnist-cnn",
    "submissions": "grader submissions hw4 --roster roster.csv",
    "export": "grader export results --to moodle --worksheet worksheet.csv --with-pending",
}
"""Picture → the command in the drawn terminal."""
PARTS = ("pages", "terminals", "summary", "desk")
SPARSE = 48
"""Colors of a picture that is mostly text in one color."""


def main(arguments: list[str] | None = None) -> int:
    """Draw the pictures.

    Args:
        arguments: The words of the command line; by default those of the process.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("results", type=Path, help="a folder of results of `mnist-cnn`")
    parser.add_argument(
        "--mermaid",
        type=Path,
        help="dist/mermaid.min.js of the npm package `mermaid`; without it, the job summary is not drawn",
    )
    parser.add_argument("--emoji", type=Path, help="a font such as NotoColorEmoji.ttf, if the system has none")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="draw only these parts")
    options = parser.parse_args(arguments)
    results = options.results.resolve()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        if "pages" in options.only:
            _draw_pages(browser, results, Path(folder))
        if "terminals" in options.only:
            _draw_terminals(browser, results, Path(folder))
        if "summary" in options.only and options.mermaid:
            _draw_summary(browser, results, Path(folder), options.mermaid, options.emoji)
        if "desk" in options.only:
            copied = Path(folder) / "copied"
            subprocess.run(
                [sys.executable, ROOT / "bench" / "make_class.py", results, copied, "--size", "8"], check=True
            )
            with _desk(results, Path(folder) / "alone") as address:
                _draw_desk(_opened(browser), address)
            with _desk(copied, Path(folder) / "together") as address:
                _draw_similar(_opened(browser), address)
        browser.close()
    return 0


def _opened(browser: Browser, width: int = WIDTH, height: int = HEIGHT, scale: float = 1) -> Page:
    """Open a window."""
    return browser.new_page(
        viewport={"width": width, "height": height}, device_scale_factor=scale, color_scheme="light"
    )


def _draw_pages(browser: Browser, results: Path, folder: Path) -> None:
    """Draw pages of the results: their beginnings, one on a phone, and the notes in a notebook."""
    page = _opened(browser)
    for name, path in _pages(results, folder):
        page.goto(path.as_uri())
        _take(page, name)
    page.goto((results / TRAINED / "instructor.html").as_uri())
    page.evaluate("document.getElementById('improve').scrollIntoView({behavior: 'instant'})")
    _take(page, "verdicts")
    page.goto(_without_folders(results / MISTAKEN / "report.html", folder).as_uri())
    _show_notes(page)
    _take(page, "margin-notes")
    phone = _opened(browser, PHONE_WIDTH, PHONE_HEIGHT, 2)
    phone.goto((results / STUDENT / "report.html").as_uri())
    _take(phone, "report-phone")


def _without_folders(report: Path, folder: Path) -> Path:
    """Copy a report, and shorten the paths of installed packages, which begin with a folder of the machine."""
    copy = folder / report.name
    text = report.read_text(encoding="utf-8")
    copy.write_text(re.sub(r"/[^\s<>\"']+/site-packages/", "…/site-packages/", text), encoding="utf-8")
    return copy


def _show_notes(page: Page) -> None:
    """Scroll to the cell with the most notes, below the navigation of the page."""
    page.evaluate(
        """() => {
            const cells = [...document.querySelectorAll("[id^='cell-']")];
            const notes = cell => cell.querySelectorAll(".note").length;
            const cell = cells.reduce((most, cell) => notes(cell) > notes(most) ? cell : most);
            cell.scrollIntoView({block: "start", behavior: "instant"});
        }"""
    )
    page.wait_for_timeout(300)


def _take(page: Page, name: str, colors: int = 256) -> None:
    """Take a picture of what the window shows."""
    path = IMAGES / f"{name}.png"
    page.screenshot(path=path, animations="disabled")
    _shrink(path, colors)
    print(f"written: docs/images/{path.name}, {path.stat().st_size / 1000:.0f} kB")


def _draw_terminals(browser: Browser, results: Path, folder: Path) -> None:
    """Draw commands with what they print."""
    work = folder / "work"
    work.mkdir()
    shutil.copy(SAMPLES / f"{STUDENT}.ipynb", work / "homework.ipynb")
    shutil.copytree(results, work / "results")
    _make_download(work / "hw4")
    _make_worksheet(work / "worksheet.csv")
    for name, command in COMMANDS.items():
        columns = WIDE.get(name, COLUMNS)
        _draw_terminal(browser, name, command, _printed(command.split(), work, columns), columns)


def _printed(words: list[str], work: Path, columns: int) -> str:
    """Run a command with a terminal's colors, and return what it prints."""
    environment = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(columns)}
    command = [sys.executable, "-m", *words]
    # Notices about this machine are in the other stream.
    done = subprocess.run(
        command, cwd=work, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False
    )
    return done.stdout.replace(f"{work}/", "")


def _draw_terminal(browser: Browser, name: str, command: str, printed: str, columns: int) -> None:
    """Draw a command and the first rows of what it printed."""
    lines = [f"$ {command}", *printed.rstrip().splitlines()]
    shown = [*lines[:ROWS], "…"] if len(lines) > ROWS else lines
    console = Console(record=True, width=columns, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi("\n".join(shown)), soft_wrap=True)
    code = console.export_html(inline_styles=True, code_format="{code}")
    page = _opened(browser, 10, 10, 2)
    page.set_content(
        f"<pre style='margin:0;padding:1em;width:{columns}ch;white-space:pre-wrap;background:#fff;color:#1f2328;"
        f'font:14px/1.35 "DejaVu Sans Mono",monospace\'>{code}</pre>'
    )
    if box := page.locator("pre").bounding_box():
        page.set_viewport_size({"width": int(box["width"]), "height": int(box["height"])})
    _take(page, name, SPARSE)


def _make_download(folder: Path) -> None:
    """Make a small download of Moodle from the samples, and the roster of its class."""
    people = {"amara": "Amara Diallo", "ben": "Ben Köhler", "chiara": "Chiara Russo", "dmitri": "Dmitri Ivanov"}
    for number, (sample, name) in enumerate(people.items(), 4711):
        place = folder / f"{name}_{number}_assignsubmission_file"
        place.mkdir(parents=True)
        shutil.copy(SAMPLES / f"{sample}.ipynb", place / "homework.ipynb")
    shutil.copy(SAMPLES / "ben.ipynb", folder / "Ben Köhler_4712_assignsubmission_file" / "homework (old).ipynb")
    (folder / "Thumbs.db").write_bytes(b"")
    essay = folder / "Felix Braun_4715_assignsubmission_file" / "homework.docx"
    essay.parent.mkdir()
    essay.write_bytes(b"PK")
    names = [*people.values(), "Felix Braun", "Greta Sommer"]
    rows = [f"{number},{name}\n" for number, name in enumerate(names, 4711)]
    (folder.parent / "roster.csv").write_text("id,name\n" + "".join(rows), encoding="utf-8")


def _make_worksheet(file: Path) -> None:
    """Make a grading worksheet of Moodle for the students of the samples, and for one more."""
    head = "Identifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed,Last modified (grade)\n"
    names = [path.stem.title() for path in sorted(SAMPLES.glob("*.ipynb"))]
    rows = [
        f"Participant {number},{name},{name.lower()}@example.org,Submitted for grading,,100.00,Yes,-\n"
        for number, name in enumerate([*names, "Greta"], 4711)
    ]
    file.write_text(head + "".join(rows), encoding="utf-8")


def _draw_summary(browser: Browser, results: Path, folder: Path, mermaid: Path, emoji: Path | None) -> None:
    """Draw the job summary of `grader check --format github`, rendered on this machine."""
    stored = ResultsFolder(results)
    grade, evidence = stored.read_grade(TRAINED), stored.read_evidence(TRAINED)
    model = main_model(grade) if grade else None
    if grade is None or evidence is None or model is None:
        sys.exit(f"{results} has no graded model of {TRAINED}")
    student = edition(grade, find_rubric(str(ROOT / "rubrics" / RUBRIC)).rubric, "student")
    text = job_summary(student, learning_curves(evidence.fits_of(model.id)), language("en"))
    place = folder / "summary.html"
    font = emoji.resolve().as_uri() if emoji else ""
    page_text = _SUMMARY.format(body=_rendered(text), script=mermaid.resolve().as_uri(), font=font)
    place.write_text(page_text, encoding="utf-8")
    page = _opened(browser, 900, 1585)
    page.goto(place.as_uri())
    page.evaluate(
        """async () => {
            await document.fonts.ready;
            mermaid.initialize({startOnLoad: false});
            for (const [place, chart] of [...document.querySelectorAll("pre.chart")].entries()) {
                chart.innerHTML = (await mermaid.render(`chart-${place}`, chart.textContent)).svg;
            }
        }"""
    )
    _take(page, "job-summary")


_SUMMARY = """<!doctype html><meta charset='utf-8'><style>
@font-face {{
    font-family: emoji; src: url('{font}');
    unicode-range: U+231B, U+23F3, U+26AA, U+2705, U+274C, U+1F300-1FAFF
}}
body {{ font: 15px/1.5 emoji, 'DejaVu Sans', sans-serif; margin: 0 24px; color: #1f2328 }}
h2, h3 {{ border-bottom: 1px solid #d1d9e0; padding-bottom: .2em }} code {{ background: #eff1f3; padding: .1em .3em }}
table {{ border-collapse: collapse }} td, th {{ border: 1px solid #d1d9e0; padding: .3em .8em }}
</style>{body}<script src='{script}'></script>"""


def _rendered(text: str) -> str:
    """Render Markdown with tables, and leave charts to Mermaid."""
    body = MarkdownIt("commonmark").enable("table").render(text)
    chart = re.compile(r'<pre><code class="language-mermaid">(.*?)</code></pre>', re.DOTALL)
    return chart.sub(r'<pre class="chart">\1</pre>', body)


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
    """Open the desk on a copy of the results in a new folder, and yield its address."""
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
        if view.id == "similar":
            continue
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
        _take(page, f"desk-{view.id}")


def _draw_similar(page: Page, address: str) -> None:
    """Draw a pair that shares work; the class has copies of two samples under other names."""
    page.goto(address)
    page.wait_for_url(lambda url: "/enter" not in url)
    (view,) = (view for view in VIEWS if view.id == "similar")
    page.goto(f"{address.partition('/enter')[0]}{view.path}")
    page.wait_for_load_state("networkidle")
    _take(page, "desk-similar")


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


def _shrink(path: Path, colors: int) -> None:
    """Reduce a picture to a few colors, which the eye does not notice on a page of text."""
    with Image.open(path) as image:
        small = image.convert("RGB").quantize(colors, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
