"""The ranking of a class, its Pareto front and their plot."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.report.classpage import class_row
from grader.report.ranking import Place, front_plot, places, standing
from grader.schema.base import Assurance
from grader.schema.grade import CriterionGrade, Grade
from tests.report import samples
from tests.support.whole_class_page import whole_class_page


def place(student: str, parameters: int, accuracy: float, points: float = 50.0, **keys: Any) -> Place:
    values: dict[str, Any] = {"max_points": 65.0, "height": accuracy, "verified": True}
    return Place(student, parameters, accuracy, points, **(values | keys))


CLASS = (
    place("Ada", 158, 0.911, 65, height=1.02),
    place("Ben", 900, 0.95, 40),
    place("Cy", 20_000, 0.985, 40, height=0.985),
    place("Di", 101_770, 0.975, 3),
    place("Eve", 158, 0.911, 65, height=1.02),
)


def golf_grade(
    student: str, measured: dict[str, Any], points: float = 65.0, assurance: Assurance | None = Assurance.VERIFIED
) -> Grade:
    line = CriterionGrade(
        id="golf",
        title="Accurate for its size",
        points=points,
        max_points=65.0,
        status="partial",
        message="",
        assurance=assurance,
        measured=measured,
    )
    grade = samples.rich_grade()
    stamp = grade.submission.model_copy(update={"student": student})
    return grade.model_copy(update={"submission": stamp, "criteria": (*grade.criteria, line)})


def golf_page(templates: Path, ranked_by: str | None = "golf") -> str:
    figures = {"Ada": (158, 0.9112, 65.0), "Ben": (1_240, 0.953, 41.5), "Cleo": (101_770, 0.975, 0.0)}
    grades = [
        golf_grade(name, {"parameters": size, "accuracy": accuracy, "height": points / 65}, points)
        for name, (size, accuracy, points) in figures.items()
    ]
    rows = [class_row(grade, f"{index}/report.html", ranked_by) for index, grade in enumerate(grades)]
    return whole_class_page(rows, title="Golf", templates=templates)


def test_more_points_rank_first_and_equals_share_a_rank() -> None:
    assert [(p.rank, p.student) for p in places(CLASS)] == [(1, "Ada"), (1, "Eve"), (3, "Cy"), (4, "Ben"), (5, "Di")]


def test_whoever_is_beaten_in_one_and_equalled_in_the_other_is_not_on_the_front() -> None:
    assert {p.student for p in places(CLASS) if p.front} == {"Ada", "Eve", "Ben", "Cy"}


def test_a_grade_without_figures_has_no_part_in_it() -> None:
    assert standing(golf_grade("Ada", {"parameters": 158, "accuracy": None}), "golf", None) is None
    assert standing(golf_grade("Ada", {}), "golf", None) is None
    assert standing(golf_grade("Ada", {"parameters": 158, "accuracy": 0.9}), "other", None) is None
    assert standing(samples.ungraded(), "golf", None) is None


def test_figures_that_were_only_recorded_are_marked() -> None:
    figures = {"parameters": 158, "accuracy": 0.9}
    found = standing(golf_grade("Ada", figures, assurance=Assurance.RECORDED), "golf", None)
    assert found is not None
    assert not found.verified


def test_the_plot_says_its_front_in_words_and_marks_everyone() -> None:
    drawn = front_plot(places(CLASS))
    assert (
        "Submissions on the Pareto front, from the fewest parameters to the most: Ada: 158 parameters, 91.1 %; "
        in drawn
    )
    assert drawn.count("front-mark on") == 4
    assert len(re.findall(r'class="front-mark"', drawn)) == 1


def test_without_places_there_is_no_plot() -> None:
    assert front_plot(()) == ""


def test_a_hostile_name_stays_text(templates: Path) -> None:
    row = class_row(
        golf_grade("</svg><script>alert(1)</script>", {"parameters": 9, "accuracy": 0.5}), "a/report.html", "golf"
    )
    page = whole_class_page([row], title="Golf", templates=templates)
    assert page.count("<script>") == 1
    assert "&lt;/svg&gt;" in page


def test_the_class_page_has_the_ranking_where_the_rubric_asks_for_it(templates: Path) -> None:
    page = golf_page(templates)
    table = re.sub(r"<[^>]+>", " ", page[page.index('<table class="items ranks">') :].partition("</table>")[0])
    assert re.search(r"1\s+Ada\s+158\s+91.12\s*%\s+65\s+yes", table)
    assert re.search(r"3\s+Cleo\s+101,770\s+97.5\s*%\s+0\s+yes", table)
    assert 'id="ranking"' not in golf_page(templates, ranked_by=None)


@pytest.mark.chromium
@pytest.mark.parametrize("width", [360, 1280])
def test_the_ranking_fits_and_its_plot_is_named(browser: Any, templates: Path, tmp_path: Path, width: int) -> None:
    file = tmp_path / "index.html"
    file.write_text(golf_page(templates), encoding="utf-8")
    tab = browser.new_page(viewport={"width": width, "height": 844})
    tab.goto(file.as_uri())
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.get_by_role("img", name="Accuracy against the number of parameters").count() == 1
    assert tab.evaluate("document.querySelector('svg.front-plot script, svg.front-plot [style]')") is None
    tab.close()


entries = st.lists(
    st.builds(place, st.text(max_size=5), st.integers(1, 10**7), st.integers(0, 100).map(lambda part: part / 100)),
    max_size=30,
)


@given(entries)
def test_nobody_on_the_front_is_beaten_and_everybody_off_it_is(given_entries: list[Place]) -> None:
    ranked = places(given_entries)
    for one in ranked:
        better = [
            other
            for other in ranked
            if other.parameters <= one.parameters
            and other.accuracy >= one.accuracy
            and (other.parameters < one.parameters or other.accuracy > one.accuracy)
        ]
        assert one.front is (not better)


@given(entries)
def test_every_plot_can_be_drawn(given_entries: list[Place]) -> None:
    drawn = front_plot(places(given_entries))
    numbers = re.findall(r'\b(?:cx|cy|x|y|points)="([^"]*)"', drawn)
    assert all(re.fullmatch(r"[-0-9., ]+", number) for number in numbers)
    assert drawn.count("front-mark") == len(given_entries)
