"""The files that students get of an assignment."""

import shlex
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from grader.pipeline.release import README, RUBRIC, Ci, make_release, write_release
from grader.pipeline.rubrics import find_rubric
from grader.schema.errors import UsageError

RUBRIC_TEXT = """\
version: 1
id: tiny
title: A tiny assignment
language: de
reference: tiny-solution.ipynb
template: tiny-assignment.ipynb
files: [help/tools.py, {from: ../shared.csv, to: data/}]
criteria:
  - {id: runs, title: It runs, points: 2, check: runs}
  - {id: secret, title: Secret, points: 3, hidden: true, check: has_layer, with: {model: it, layer: Dense}}
  - {id: read, points: 1, check: text, with: {min_words: 3}}
  - {id: explained, points: 1, manual: {guide: Names two digits.}}
roles: {it: {pick: last_trained}}
"""
SOLUTION = "import keras\n### BEGIN SOLUTION\nsecret = 1\n### END SOLUTION"


def write(path: Path, *cells: nbformat.NotebookNode) -> Path:
    path.write_text(nbformat.writes(new_notebook(cells=list(cells))), encoding="utf-8")
    return path


@pytest.fixture
def course(tmp_path: Path) -> Path:
    folder = tmp_path / "course"
    (folder / "help").mkdir(parents=True)
    (folder / "help" / "tools.py").write_text("x = 1\n")
    (tmp_path / "shared.csv").write_text("a,b\n")
    (folder / "tiny.yaml").write_text(RUBRIC_TEXT)
    (folder / "tiny.de.yaml").write_text("version: 1\ntitle: Eine kleine Aufgabe\ncriteria: {runs: {title: Läuft}}\n")
    write(folder / "tiny-solution.ipynb", new_code_cell(SOLUTION), new_markdown_cell("Which digits are confused?"))
    write(folder / "tiny-assignment.ipynb", new_code_cell("1 / 0", metadata={"tags": ["raises-exception"]}))
    return folder


def release(course: Path, out: Path, *, force: bool = False) -> None:
    made = make_release(course / "tiny-solution.ipynb", find_rubric(str(course / "tiny.yaml")))
    write_release(made, out, force=force)


def test_students_get_what_they_need_and_nothing_else(course: Path, tmp_path: Path) -> None:
    out = tmp_path / "students"
    release(course, out)
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    own = {"tiny.ipynb", RUBRIC, "rubric.de.yaml", README, "help/tools.py", "data/shared.csv"}
    assert files == {*own, ".grader/template.ipynb"}
    assert (out / "data" / "shared.csv").read_text() == "a,b\n"
    text = "".join((out / name).read_text(encoding="utf-8") for name in files)
    assert "secret" not in text.lower()
    assert "Names two digits" not in text
    assert "tiny-solution" not in text


def test_the_public_rubric_works_next_to_the_notebook(course: Path, tmp_path: Path) -> None:
    out = tmp_path / "students"
    release(course, out)
    loaded = find_rubric(str(out / RUBRIC))
    assert [criterion.id for criterion in loaded.rubric.criteria] == ["runs", "read", "explained"]
    assert {file.target for file in loaded.files} == {"help/tools.py", "data/shared.csv"}
    assert "Which digits are confused?" in loaded.rubric.template_text
    # The tags of the assignment count, but not those of the file that a student changes.
    assert loaded.rubric.template not in {None, "tiny.ipynb"}
    assert [cell.tags for cell in loaded.tagged] == [("raises-exception",)]
    assert yaml.safe_load((out / RUBRIC).read_text(encoding="utf-8"))["language"] == "de"


def test_the_language_of_a_course_is_that_of_the_public_rubric(course: Path) -> None:
    loaded = replace(find_rubric(str(course / "tiny.yaml")), language="en")
    public = make_release(course / "tiny-solution.ipynb", loaded).files[RUBRIC]
    assert isinstance(public, bytes)
    assert yaml.safe_load(public)["language"] == "en"


def test_the_readme_is_in_the_language_of_the_course(course: Path, tmp_path: Path) -> None:
    release(course, tmp_path / "students")
    readme = (tmp_path / "students" / README).read_text(encoding="utf-8")
    assert readme.startswith("# Eine kleine Aufgabe\n")
    assert "grader check tiny.ipynb --rubric rubric.yaml" in readme
    assert "$" not in readme


def test_the_readme_quotes_names_for_the_command_line(course: Path) -> None:
    (course / "tiny-solution.ipynb").rename(course / "Aufgabe 1 (Müller's)-solution.ipynb")
    made = make_release(course / "Aufgabe 1 (Müller's)-solution.ipynb", find_rubric(str(course / "tiny.yaml")))
    readme = made.files[README]
    assert isinstance(readme, bytes)
    (command,) = (line for line in readme.decode().splitlines() if "grader check" in line)
    assert shlex.split(command) == ["grader", "check", made.notebook, "--rubric", RUBRIC]


@pytest.mark.parametrize("name", ["tiny-solution.ipynb", "my: notebook #1-solution.ipynb"])
def test_the_workflow_checks_the_notebook_of_the_release(course: Path, name: str) -> None:
    (course / "tiny-solution.ipynb").rename(course / name)
    platforms: dict[Ci, tuple[str, str]] = {
        "github": (".github/workflows/check.yml", "jobs"),
        "gitlab": (".gitlab-ci.yml", "variables"),
    }
    for ci, (file, place) in platforms.items():
        made = make_release(course / name, find_rubric(str(course / "tiny.yaml")), ci)
        content = made.files[file]
        assert isinstance(content, bytes)
        assert made.notebook == name.replace("-solution", "")
        part = yaml.safe_load(content)[place]
        inputs = [part] if ci == "gitlab" else [step["with"] for job in part.values() for step in job["steps"][1:]]
        assert inputs
        for values in inputs:
            named = {key.lower(): value for key, value in values.items()}
            assert (named["notebook"], named["rubric"]) == (made.notebook, RUBRIC)


def test_existing_files_are_replaced_only_by_force(course: Path, tmp_path: Path) -> None:
    out = tmp_path / "students"
    out.mkdir()
    (out / README).write_text("mine")
    with pytest.raises(UsageError, match=r"has a file 'README\.md' already; nothing was written"):
        release(course, out)
    assert [path.name for path in out.iterdir()] == [README]
    release(course, out, force=True)
    assert (out / README).read_text(encoding="utf-8") != "mine"


@pytest.mark.parametrize("place", [".", ".."])
def test_a_folder_with_the_solution_is_refused(course: Path, place: str) -> None:
    before = sorted(course.rglob("*"))
    with pytest.raises(UsageError, match="the instructor's own file"):
        release(course, course / place, force=True)
    assert sorted(course.rglob("*")) == before


def test_a_missing_notebook_is_an_error_with_the_nearest_name(course: Path) -> None:
    loaded = find_rubric(str(course / "tiny.yaml"))
    with pytest.raises(UsageError, match=r"did you mean '.*tiny-solution\.ipynb'"):
        make_release(course / "tiny-solutoin.ipynb", loaded)


def test_ids_are_kept_and_a_notebook_without_them_gets_none(course: Path) -> None:
    notebook = course / "tiny-solution.ipynb"
    loaded = find_rubric(str(course / "tiny.yaml"))
    ids = [cell["id"] for cell in nbformat.read(notebook, 4).cells]
    content = make_release(notebook, loaded).files["tiny.ipynb"]
    assert isinstance(content, bytes)
    assert [cell["id"] for cell in nbformat.reads(content.decode(), 4).cells] == ids
    old = nbformat.from_dict(
        {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [dict(new_code_cell(SOLUTION))]}
    )
    del old.cells[0]["id"]
    notebook.write_text(nbformat.writes(old), encoding="utf-8")
    content = make_release(notebook, loaded).files["tiny.ipynb"]
    assert isinstance(content, bytes)
    again = nbformat.reads(content.decode(), nbformat.NO_CONVERT)
    assert (again.nbformat_minor, "id" in again.cells[0]) == (4, False)
