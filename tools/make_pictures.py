"""Draw the pictures of the documentation: both editions of a report, the class page, and a mail, in a real Chromium.

`make pictures RESULTS=demo-results` reads a folder of results, such as the folder of `make demo`. The roster of the
mail is made up.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path

from playwright.sync_api import sync_playwright

__all__ = ["main"]

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
STUDENT = "elif"
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


if __name__ == "__main__":
    sys.exit(main())
