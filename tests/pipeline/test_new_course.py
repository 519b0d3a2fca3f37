"""A new course folder: complete, readable, and never over existing files."""

import re
from pathlib import Path

import pytest
import yaml

from grader.pipeline.course_folder import open_course
from grader.pipeline.new_course import NewCourse, files_of_course, make_course
from grader.pipeline.reference import read_reference
from grader.schema.errors import UsageError


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_new_course_folder_is_read_and_has_all_that_it_names(tmp_path: Path, language: str) -> None:
    title = '"Deep": Learning'
    wanted = NewCourse(("mnist-cnn", "cifar-deep"), title=title, language=language, timezone="Europe/Berlin")
    course = make_course(tmp_path / "dl", wanted)
    assert (course.settings.title, course.settings.language) == (title, language)
    assert [one.id for one in course.assignments] == ["mnist-cnn", "cifar-deep"]
    assert len(course.students) == 3
    for one in course.assignments:
        loaded = one.load()
        assert loaded.page_language == language
        assert loaded.path.is_relative_to(course.root)
        assert loaded.tagged is not None
        assert read_reference(loaded) is not None
        assert one.submissions.is_dir()
        assert one.starter is not None
        assert one.starter.is_file()
    assert (course.root / ".gitignore").read_text().endswith("/results/\n")


def test_the_examples_in_comments_are_valid(tmp_path: Path) -> None:
    text = files_of_course(NewCourse())["course.yaml"].decode()
    active = re.sub(r"^( *)# (?=[a-z]+: )", r"\1", text, flags=re.MULTILINE)
    assert active != text
    course = make_course(tmp_path / "dl", NewCourse())
    course.file.write_text(active)
    again = open_course(course.root)
    assert again.assignments[0].due is not None
    assert again.settings.graders == ("Your Name",)


def test_no_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "roster.csv").write_text("mine")
    with pytest.raises(UsageError, match="has a file 'roster\\.csv' already"):
        make_course(tmp_path, NewCourse())
    assert [path.name for path in tmp_path.iterdir()] == ["roster.csv"]


def test_an_existing_folder_may_be_used(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert make_course(tmp_path, NewCourse(samples=True)).assignments[0].submissions.joinpath("ben.ipynb").is_file()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_an_unknown_rubric_is_an_error_with_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'mnist-cnn'"):
        make_course(tmp_path / "dl", NewCourse(("mnist-cn",)))
    assert not (tmp_path / "dl").exists()


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_readme_names_only_what_is_there(language: str) -> None:
    files = files_of_course(NewCourse(language=language))
    readme = files["README.md"].decode()
    assert "$" not in readme
    for name in ("course.yaml", "roster.csv", "rubrics/", "judgements.jsonl"):
        assert f"`{name}`" in readme
        assert any(path.startswith(name) for path in files)
    assert yaml.safe_load(files["course.yaml"])["language"] == language
