"""Measure the class page in Chromium: its size, and the time to open, sort and filter it."""

import dataclasses
import html
import random
import shutil
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from make_class import names
from playwright.sync_api import sync_playwright

from grader.pipeline.publish import row_of
from grader.report.classpage import class_page
from grader.report.classrow import ClassRow, CriterionCell
from grader.resources import share
from grader.store.results import ResultsFolder

__all__ = ["measure_page", "varied_rows"]

_ACT = """action => new Promise(done => {
    const began = performance.now();
    action === 'sort' ? document.querySelectorAll('#class-table thead button')[2].click() : (() => {
        const box = document.querySelector('#tools input');
        box.value = box.value ? '' : 'ada b';
        box.dispatchEvent(new Event('input', {bubbles: true}));
    })();
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
})"""


def varied_rows(graded: Path, size: int) -> Iterator[ClassRow]:
    """Yield rows of real grades under new names, with some points removed.

    Args:
        graded: A results folder.
        size: Number of rows.
    """
    out, dice = ResultsFolder(graded), random.Random(7)  # noqa: S311 - an artificial class
    real = [row_of(grade, None) for name in out.submissions() if (grade := out.read_grade(name)) is not None]
    for at, student in enumerate(names(size)):
        row = real[at % len(real)]
        criteria = tuple(_varied(cell, dice) for cell in row.criteria)
        yield dataclasses.replace(
            row,
            id=f"s{at}",
            student=student,
            criteria=criteria,
            score=None if row.score is None else round(sum(cell.points for cell in criteria), 2),
            accuracy=None if row.accuracy is None else round(row.accuracy - dice.random() / 50, 4),
            report=f"s{at}/instructor.html",
        )


def _varied(cell: CriterionCell, dice: random.Random) -> CriterionCell:
    if cell.status not in {"passed", "partial"} or dice.random() < 0.7:  # noqa: PLR2004 - most keep their points
        return cell
    return dataclasses.replace(cell, status="partial", points=round(cell.points * dice.random(), 2))


def measure_page(
    graded: Path, size: int, folder: Path, rounds: int, before: Path | None = None
) -> dict[str, tuple[float, str]]:
    """Open a class page with many submissions and use it, alternately with other pages of the same rows.

    Args:
        graded: A results folder with real grades.
        size: Number of submissions on the page.
        folder: Folder for the pages.
        rounds: Number of times to open each page.
        before: A checkout of an earlier version; its page is measured too.

    Returns:
        Medians with their units. Ratios are to a bare table without style and script, and to the earlier version.
    """
    rows = list(varied_rows(graded, size))
    pages = {"now": folder / "now.html", "bare": folder / "bare.html"}
    pages["now"].write_text("".join(class_page(rows, title="A class", templates=share("templates"))), encoding="utf-8")
    pages["bare"].write_text(_bare_table(rows), encoding="utf-8")
    if before is not None:
        pages["before"] = folder / "before.html"
        subprocess.run([sys.executable, "-c", _RENDER, before, graded, str(size), pages["before"]], check=True)
    timings = _timings(pages, rounds)
    now = timings["now"]
    figures = {"size of the file": (pages["now"].stat().st_size / 1024, "KiB")}
    figures |= {name: (value, "ms") for name, value in now.items()}
    figures["opened, ratio to a bare table"] = (now["opened"] / timings["bare"]["opened"], "")
    for name, value in timings.get("before", {}).items():
        figures[f"{name}, ratio to the earlier version"] = (now[name] / value, "")
    return figures


_RENDER = """
import pathlib, sys
checkout, graded, size, file = sys.argv[1:]
sys.path[:0] = [checkout, f"{checkout}/bench"]
from browser import share, varied_rows
from grader.report import classpage
rows = list(varied_rows(pathlib.Path(graded), int(size)))
# An earlier version has a function that returns the whole page.
make = getattr(classpage, "class_page", None) or classpage.render_class_page
page = "".join(make(rows, title="A class", templates=share("templates")))
pathlib.Path(file).write_text(page, encoding="utf-8")
"""
"""Renders the page with the code of another checkout."""


def _bare_table(rows: Sequence[ClassRow]) -> str:
    """Write the names and points as a table that has nothing else."""
    lines = (
        f"<tr><td>{html.escape(row.student)}<td>{row.score}" + "".join(f"<td>{cell.points}" for cell in row.criteria)
        for row in rows
    )
    return "<!DOCTYPE html><meta charset=utf-8><title>A class</title><table>" + "\n".join(lines) + "</table>"


def _timings(pages: Mapping[str, Path], rounds: int) -> dict[str, dict[str, float]]:
    """Open each page in turn, many times; return the medians in milliseconds."""
    timings: dict[str, defaultdict[str, list[float]]] = {name: defaultdict(list) for name in pages}
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(rounds):
            for name, file in pages.items():
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                page.goto(file.as_uri())
                _use(page, timings[name], acts=name != "bare")
                page.close()
        browser.close()
    return {name: {what: statistics.median(some) for what, some in timing.items()} for name, timing in timings.items()}


def _use(page: Any, timing: defaultdict[str, list[float]], *, acts: bool) -> None:
    timing["opened"].append(page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd"))
    timing["first picture"].append(_first_picture(page))
    for _ in range(3 if acts else 0):
        timing["sorted"].append(page.evaluate(_ACT, "sort"))
        timing["filtered"].append(page.evaluate(_ACT, "filter"))


def _first_picture(page: Any) -> float:
    paints = page.evaluate("performance.getEntriesByType('paint').map(p => [p.name, p.startTime])")
    return float(dict(paints).get("first-contentful-paint", 0))
