"""A record may contain any number: the report, the mail's picture and the job summary show it and never fail."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from grader.delivery import letter
from grader.delivery.github import job_summary
from grader.delivery.picture import curves_png, curves_say
from grader.evidence.claims import as_float, as_floats, as_json
from grader.facts.language import language
from grader.facts.metrics import is_computable
from grader.report.curves import Curves, Measure, curve_panel, curve_rows, learning_curves
from grader.report.page import render_report
from grader.report.svg import Scale, nice_ticks
from grader.schema.evidence import FitFact
from tests.report import samples

TEMPLATES = Path(__file__).parents[2] / "templates"
EXTREMES = (
    0.0,
    -0.0,
    1.0,
    0.5,
    0.5 + 1e-15,
    1e308,
    -1e308,
    1.7e308,
    1e300,
    1e154,
    1e100,
    5e-324,
    -5e-324,
    1e-310,
    2.2e-308,
)
NOT_FINITE = (float("nan"), float("inf"), float("-inf"))
ANY = st.floats() | st.sampled_from((*EXTREMES, *NOT_FINITE))
FINITE = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(EXTREMES)
HISTORY = st.lists(ANY, max_size=4).map(tuple)
MEASURES: tuple[Measure, ...] = ("accuracy", "loss")
LANGUAGES = (language("en"), language("de"))


def fit_of(*columns: tuple[float, ...]) -> FitFact:
    history = dict(zip(("accuracy", "val_accuracy", "loss", "val_loss"), columns, strict=True))
    values = {"event": 1, "cell": 1, "model": "m1", "status": "completed", "history": history}
    return FitFact.model_validate(values | {"epochs_done": max(map(len, columns))})


FITS = st.builds(fit_of, HISTORY, HISTORY, HISTORY, HISTORY)


@given(FITS, FITS)
def test_curves_of_any_numbers_are_drawn_and_listed(one: FitFact, two: FitFact) -> None:
    student, reference = learning_curves([one]), learning_curves([two])
    for chosen in LANGUAGES:
        curve_rows(student, reference, chosen)
        for measure in MEASURES:
            panel = str(curve_panel(measure, student, reference, chosen))
            if panel:
                ET.fromstring(panel)  # noqa: S314  our own drawing
            places = " ".join(re.findall(r' (?:d|x|y|x1|x2|y1|y2)="([^"]*)"', panel))
            assert not re.search(r"nan|inf|e\+|\d{7}", places)


@settings(max_examples=15)
@given(FITS)
def test_the_picture_of_a_mail_and_the_summary_of_a_job_are_made_of_any_numbers(fit: FitFact) -> None:
    curves = learning_curves([fit])
    shown = letter.Curves(values=dict(fit.history))
    for chosen in LANGUAGES:
        curves_png(shown, chosen)
        chosen.text(curves_say(shown))
        job_summary(samples.rich_grade(), curves, chosen)


@settings(max_examples=15)
@given(FITS)
def test_the_whole_report_is_made_of_any_numbers(fit: FitFact) -> None:
    evidence = samples.evidence((1,) * 100, 90)
    hostile = evidence.model_copy(update={"fits": (fit,)})
    page = render_report(
        grade=samples.rich_grade(),
        evidence=hostile,
        reference=evidence,
        notebook=samples.rich_notebook(),
        images={},
        templates=TEMPLATES,
    )
    assert "could not show" not in page


@given(FINITE, FINITE, FINITE, st.booleans())
def test_every_place_of_a_drawing_is_within_it(low: float, high: float, figure: float, log: bool) -> None:  # noqa: FBT001 — drawn
    log = log and min(low, high) > 0
    place = Scale(min(low, high), max(low, high), 10.0, 90.0, log=log)(figure)
    assert 10.0 - 1e-6 <= place <= 90.0 + 1e-6


@given(FINITE, FINITE, st.integers(2, 9))
def test_ticks_are_few_distinct_and_in_order(low: float, high: float, most: int) -> None:
    ticks = nice_ticks(min(low, high), max(low, high), most)
    assert 1 <= len(ticks) <= most + 2
    assert list(ticks) == sorted(set(ticks))


@given(ANY | st.integers(-(10**400), 10**400) | st.sampled_from([10**399, -(10**399)]))
def test_a_claimed_number_is_one_to_compute_with_or_none(value: float) -> None:
    number = as_float(value)
    assert number is None or (is_computable(number) and number == float(value))
    (listed,) = as_floats([value], 1)
    assert number == listed or number is None
    copied = as_json(value)
    assert copied is None or is_computable(copied)


def test_a_large_percentage_is_short() -> None:
    assert all(len(chosen.percent(part)) < 25 for chosen in LANGUAGES for part in (1e20, -1e308, 1e306, 9e12))


def test_curves_of_a_model_that_diverged_are_still_drawn() -> None:
    curves = learning_curves([fit_of((0.1, 0.1), (), (3.0, 2e38), ())])
    assert "L" in "".join(re.findall(r' d="([^"]*)"', str(curve_panel("loss", curves, Curves()))))
