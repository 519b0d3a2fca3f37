"""Rendered pages and a real browser, shared by the tests of this room."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from grader.report.page import render_report
from tests.report import samples
from tests.support.waiting import DEADLOCK_SECONDS

CHROMIUM = Path("/usr/bin/chromium")
COMPARISON = {
    "models": {"student": {"id": "m1", "name": "model"}, "reference": {"id": "m1", "name": "model"}},
    "accuracy": {"mnist/test": {"mcnemar": {"student_only": 6, "reference_only": 15, "p_value": 0.078}}},
}


@pytest.fixture(scope="session")
def templates() -> Path:
    """The project's own templates."""
    return Path(__file__).parents[2] / "templates"


@pytest.fixture(scope="session")
def rich(templates: Path) -> dict[str, Any]:
    """Everything a good submission's report is made from."""
    images, labels = samples.digits()
    return {
        "grade": samples.rich_grade(COMPARISON),
        "evidence": samples.evidence(samples.guesses(labels, 23), 1977, small=True, stopped=True),
        "reference": samples.evidence(samples.guesses(labels, 14, 9), 1986, epochs=8, best=0.9935),
        "notebook": samples.rich_notebook(),
        "images": {"mnist/test": (images, labels)},
        "templates": templates,
    }


@pytest.fixture(scope="session")
def rich_page(rich: dict[str, Any]) -> str:
    """The report of a good submission."""
    return render_report(**rich)


@pytest.fixture(scope="session")
def several_page(rich: dict[str, Any]) -> str:
    """The report of the same submission, executed four times, and borderline."""
    return render_report(**(rich | {"grade": samples.several_grade(COMPARISON)}))


@pytest.fixture(scope="session")
def failing_page(rich: dict[str, Any]) -> str:
    """The report of a submission whose model was never trained."""
    return render_report(**(rich | {"grade": samples.failing_grade(), "evidence": None}))


@pytest.fixture(scope="session")
def attack_page(rich: dict[str, Any]) -> str:
    """The report of an attacker, whose every text is hostile."""
    return render_report(**(rich | {"grade": samples.attack_grade(), "notebook": samples.attack_notebook()}))


@pytest.fixture(scope="session")
def ungraded_page(templates: Path) -> str:
    """The report of a submission that the grader failed on."""
    grade = samples.ungraded()
    return render_report(grade=grade, evidence=None, reference=None, notebook=None, images={}, templates=templates)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real Chromium."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"there is no Chromium at {CHROMIUM}")
    with api.sync_playwright() as driver:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
        limit = DEADLOCK_SECONDS * 1000
        made = driver.chromium.launch(executable_path=str(CHROMIUM), args=arguments, timeout=limit)
        made.new_page, made.new_context = (_patient(one, limit) for one in (made.new_page, made.new_context))
        yield made
        made.close()


def _patient(make: Callable[..., Any], limit: float) -> Callable[..., Any]:
    """Give what a browser makes another limit for every wait, in milliseconds: the usual 30 seconds are too short."""

    def made(*args: Any, **settings: Any) -> Any:
        page_or_context = make(*args, **settings)
        page_or_context.set_default_timeout(limit)
        return page_or_context

    return made
