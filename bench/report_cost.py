"""Measure reports: the size of each page, and the processor time to render one beyond what is cached."""

import time
from pathlib import Path
from typing import Any

import nbformat

from grader.report.page import render_report
from grader.resources import share
from grader.store.results import ResultsFolder

__all__ = ["measure_reports"]


def measure_reports(graded: Path, rounds: int) -> tuple[float, float]:
    """Render the report of each submission several times.

    The first rendering of a page fills the caches: templates, highlighted code, drawn layers. The next ones count.

    Args:
        graded: A results folder.
        rounds: Number of renderings that count.

    Returns:
        The milliseconds of the slowest report, and the kilobytes of the largest stored page. The fastest rendering of a
        report counts, since other load only adds time.
    """
    out = ResultsFolder(graded)
    slowest, largest = 0.0, 0.0
    for name in out.submissions():
        grade, executed = out.read_grade(name), out.executed_path(name)
        if grade is None or not executed.is_file():
            continue
        inputs: dict[str, Any] = {
            "grade": grade,
            "evidence": out.read_evidence(name),
            "reference": None,
            "notebook": nbformat.reads(executed.read_text(encoding="utf-8"), 4),
            "images": {},
            "templates": share("templates"),
        }
        render_report(**inputs)
        slowest = max(slowest, min(_milliseconds(inputs) for _ in range(rounds)))
        pages = [page.stat().st_size for page in (graded / name).glob("*.html")]
        largest = max(largest, *(size / 1000 for size in pages))
    return slowest, largest


def _milliseconds(inputs: dict[str, Any]) -> float:
    began = time.process_time()
    render_report(**inputs)
    return 1000 * (time.process_time() - began)
