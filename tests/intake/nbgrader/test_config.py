"""Settings of nbgrader are read from its Python file without executing it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.intake.nbgrader.config import parse_config, parse_json_config


def test_literals_are_read_and_the_last_value_counts() -> None:
    config = parse_config(
        'c = get_config()\nc.CourseDirectory.course_id = "old"\nc.CourseDirectory.course_id = "dl"\n'
        'c.CourseDirectory.db_students = [dict(id="ann", email=None), {"id": "ben"}]\n'
    )
    assert config.text("course_id") == "dl"
    assert config.of_course("db_students") == [{"id": "ann", "email": None}, {"id": "ben"}]
    assert config.unread == {}


def test_settings_of_early_versions_are_found() -> None:
    assert parse_config('c.NbGrader.course_id = " dl "').text("course_id") == "dl"


@pytest.mark.parametrize(
    "line",
    [
        "c.CourseDirectory.course_id = 'a' + name",
        "c.CourseDirectory.course_id = open('x').read()",
        "if True:\n    c.CourseDirectory.course_id = 'a'",
        "c.CourseDirectory.course_id += 'a'",
        "c.CourseDirectory.course_id.update({})",
        "c.CourseDirectory.course_id = dict(**more)",
    ],
)
def test_a_computed_value_is_listed_and_not_guessed(line: str) -> None:
    config = parse_config(f"c.CourseDirectory.course_id = 'old'\n{line}\n")
    assert config.of_course("course_id") is None
    assert list(config.unread) == ["CourseDirectory.course_id"]


def test_nothing_is_executed(tmp_path: Path) -> None:
    parse_config(f"import pathlib\nc.A.b = pathlib.Path({str(tmp_path / 'made')!r}).touch()\n")
    assert not (tmp_path / "made").exists()


def test_a_broken_file_is_listed_with_its_line() -> None:
    assert parse_config("c = 1\nc.A.b = (\n").unread == {"all settings": "the file is not valid Python (line 2)"}


def test_json_is_read() -> None:
    assert parse_json_config('{"CourseDirectory": {"course_id": "dl"}}').text("course_id") == "dl"
    assert "all settings" in parse_json_config("{").unread


@given(st.text() | st.text(alphabet="c.AB=[]{}()\"',:*1 \n"))
def test_every_text_is_read_without_an_error(text: str) -> None:
    parse_config(text)
    parse_json_config(text)
