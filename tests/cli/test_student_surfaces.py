"""Students get nothing that gives the solution away, on any way that the grader offers."""

import json
import re
from pathlib import Path

import pytest

from tests.support.command import grader, needs_bubblewrap
from tests.support.student_surfaces import MARK, SECRETS, SHOWN_POINTS, SURFACES, Scene, checks, make_scene, pages

pytestmark = pytest.mark.slow

_ON_NO_PAGE = {"comment", "keyword of a topic", "diagnostic for instructors", "comment on another notebook"}
"""Secrets that only the rubric's file and `grade.json` have."""


@pytest.fixture(scope="module")
def scene(course_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A graded class and its course, with marked secrets."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADER_DATA", str(course_folder / "data"))
        return make_scene(tmp_path_factory.mktemp("scene"))


@pytest.fixture(autouse=True)
def data(course_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command find the course's data."""
    monkeypatch.setenv("GRADER_DATA", str(course_folder / "data"))


def secrets_in(text: str) -> dict[str, str]:
    """The secrets that a text has, by their place in the course."""
    return {place: secret for place, secret in SECRETS.items() if secret in text.lower()}


@pytest.mark.bubblewrap
@pytest.mark.parametrize("collect", SURFACES, ids=lambda collect: collect.__name__)
def test_a_student_gets_no_secret(scene: Scene, collect: object) -> None:
    if collect is checks:
        needs_bubblewrap()
    assert callable(collect)
    surfaces = dict(collect(scene))
    assert surfaces
    assert all(surfaces.values())
    assert {name: found for name, text in surfaces.items() if (found := secrets_in(text))} == {}
    assert [name for name, text in surfaces.items() if MARK in text.lower()] == []


def test_the_instructors_edition_has_every_secret(scene: Scene) -> None:
    page = "".join(
        scene.out.report_path(name, "instructor").read_text(encoding="utf-8") for name in scene.out.submissions()
    )
    rubric = scene.rubric.read_text(encoding="utf-8")
    data = "".join(scene.out.grade_path(name).read_text(encoding="utf-8") for name in scene.out.submissions())
    assert set(SECRETS) - set(secrets_in(page)) == _ON_NO_PAGE
    assert secrets_in(page + rubric + data) == SECRETS


def test_students_see_who_judged_and_when_comments_and_answers(scene: Scene) -> None:
    shown = dict(pages(scene))
    for words in ("Judged by Nina on 1 May 2026.", "Label the arrows.", "Say it shorter.", "I did explain it."):
        assert words in shown["report of amara"]
    for words in ("amara asked on 1 May 2026:", "Nina answered on 1 May 2026:", "Two sentences are missing."):
        assert words in shown["report of amara"]
    assert "Excused from this assignment." in shown["report of bo"]
    assert "Come to the lab." in shown["report of bo"]


def test_the_students_total_leaves_hidden_criteria_out_from_the_first_line(scene: Scene) -> None:
    needs_bubblewrap()
    done = grader("check", scene.notebook, "--rubric", scene.rubric, "--format", "json")
    grade = json.loads(done.out)
    assert (grade["edition"], grade["max_score"]) == ("student", SHOWN_POINTS)
    assert f"of {SHOWN_POINTS}" in done.err
    assert "79" not in done.err + str(grade["max_score"])
    shown = dict(pages(scene))["report of amara"]
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", shown))
    judged, waiting = re.search(r"of (\d+) points", text), re.search(r"(\d+) more points are open", text)
    assert judged is not None
    assert int(judged[1]) + (int(waiting[1]) if waiting else 0) == SHOWN_POINTS
