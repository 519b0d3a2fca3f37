"""A course's own templates of reports and mail."""

from pathlib import Path

import pytest

from grader.pipeline.rubrics import find_rubric
from grader.report.page import render_report
from grader.report.templating import Templates
from grader.resources import share
from grader.schema.errors import RubricError
from tests.report import samples
from tests.support.command import RUBRIC
from tests.support.whole_class_page import whole_class_page


@pytest.fixture
def rubric(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(f"{RUBRIC}templates: pages\n", encoding="utf-8")
    (tmp_path / "pages").mkdir()
    return path


def test_a_course_replaces_the_report_and_keeps_the_other_pages(rubric: Path) -> None:
    (rubric.parent / "pages" / "report.html.j2").write_text("<p>Our course: {{ grade.score }}</p>", encoding="utf-8")
    templates = Templates(share("templates"), find_rubric(str(rubric)).templates)
    grade = samples.failing_grade()
    report = render_report(grade=grade, evidence=None, reference=None, notebook=None, images={}, templates=templates)
    assert report == f"<p>Our course: {grade.score}</p>"
    shipped = whole_class_page((), title="T", templates=share("templates"))
    assert whole_class_page((), title="T", templates=templates) == shipped


def test_an_own_style_sheet_is_allowed_by_the_pages_policy(rubric: Path) -> None:
    (rubric.parent / "pages" / "report.css").write_text("h1 { color: teal; }", encoding="utf-8")
    templates = Templates(share("templates"), find_rubric(str(rubric)).templates)
    page = whole_class_page((), title="T", templates=templates)
    assert "h1 { color: teal; }" in page
    assert page.count("sha256-") >= 1


def test_a_file_that_replaces_nothing_is_an_error_with_the_nearest_name(rubric: Path) -> None:
    (rubric.parent / "pages" / "mail.text.j2").write_text("x", encoding="utf-8")
    with pytest.raises(RubricError, match=r"did you mean 'mail.txt.j2'\?"):
        find_rubric(str(rubric))


def test_a_folder_that_is_not_there_is_an_error(rubric: Path) -> None:
    (rubric.parent / "pages").rmdir()
    with pytest.raises(RubricError, match="cannot be read"):
        find_rubric(str(rubric))


def test_a_rubric_without_templates_has_none(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(RUBRIC, encoding="utf-8")
    assert find_rubric(str(tmp_path / "tiny.yaml")).templates == ()
