"""Measure the class page in Chromium: its size, and the time to open, sort and filter it."""

import dataclasses
import random
import shutil
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from make_class import names
from playwright.sync_api import sync_playwright

from grader.pipeline.publish import row_of
from grader.report.classpage import ClassRow, CriterionCell, render_class_page
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


def measure_page(graded: Path, size: int, file: Path, rounds: int) -> dict[str, tuple[float, str]]:
    """Open a class page with many submissions and use it.

    Args:
        graded: A results folder with real grades.
        size: Number of submissions on the page.
        file: Path for the page.
        rounds: Number of times to open it.

    Returns:
        Medians with their units.
    """
    html = render_class_page(list(varied_rows(graded, size)), title="A class", templates=share("templates"))
    file.write_text(html, encoding="utf-8")
    timings: dict[str, list[float]] = {"opened": [], "first picture": [], "sorted": [], "filtered": []}
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(rounds):
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(file.as_uri())
            timings["opened"].append(page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd"))
            timings["first picture"].append(_first_picture(page))
            for _ in range(3):
                timings["sorted"].append(page.evaluate(_ACT, "sort"))
                timings["filtered"].append(page.evaluate(_ACT, "filter"))
            page.close()
        browser.close()
    medians = {name: (statistics.median(values), "ms") for name, values in timings.items()}
    return {"size of the file": (len(html.encode()) / 1024, "KiB"), **medians}


def _first_picture(page: Any) -> float:
    paints = page.evaluate("performance.getEntriesByType('paint').map(p => [p.name, p.startTime])")
    return float(dict(paints).get("first-contentful-paint", 0))
