"""The view of the rubric: errors while typing, the effect on the class, and applying it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp

from grader.datasets.store import DatasetStore
from grader.desk.app import make_app
from grader.desk.live import LiveRubric
from grader.desk.state import Desk
from grader.pipeline.course import load_course
from grader.pipeline.preview_pool import PreviewPool
from grader.pipeline.rubrics import find_rubric, shipped_rubrics
from grader.resources import share
from grader.schema.errors import UsageError
from tests.desk.conftest import Browser
from tests.support.desk_class import RUBRIC, a_course, a_desk, a_door
from tests.support.kept_results import keep_results

CHANGED = RUBRIC.replace("points: 4,", "points: 8,")


@pytest.fixture
def desk(root: Path) -> Desk:
    """A desk whose rubric a test may change."""
    return a_desk(root, a_course(root))


@pytest.fixture
def live(desk: Desk) -> Iterator[LiveRubric]:
    made = LiveRubric(desk, PreviewPool(desk.out.root, desk.course.data_root, workers=1))
    yield made
    made.wait()
    made.close()


@pytest.fixture
def app(desk: Desk, live: LiveRubric) -> ASGIApp:
    made: Any = make_app(desk, a_door())
    made.app.state.live = live
    return made  # type: ignore[no-any-return]


def test_errors_have_their_line_and_the_nearest_name(browser_client: Browser) -> None:
    wrong = RUBRIC.replace("check: runs", "check: rums").replace("points: 5", "points: five")
    answer = browser_client.submit("/rubric/check", {"text": wrong}).json()
    assert [one["line"] for one in answer["problems"]] == [6, 9]
    assert "did you mean 'runs'" in answer["problems"][0]["text"]
    assert browser_client.submit("/rubric/check", {"text": RUBRIC}).json() == {"problems": []}
    assert browser_client.submit("/rubric/preview", {"text": wrong}).json()["problems"]
    other = browser_client.submit("/rubric/preview", {"text": RUBRIC.replace("id: essays", "id: other")}).json()
    assert "its id must stay" in other["problems"][0]["text"]


@pytest.mark.slow
def test_the_effect_on_the_class_is_shown_and_nothing_is_written(browser_client: Browser, root: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    answer = browser_client.submit("/rubric/preview", {"text": CHANGED}).json()
    assert answer["summary"] == "5 of 5 submissions would change."
    assert "runs: 4 of 4 → 8 of 8, passed" in answer["html"]
    assert "Ada Abara" in answer["html"]
    same = browser_client.submit("/rubric/preview", {"text": RUBRIC}).json()
    assert same["summary"] == "No points of the 5 submissions would change."
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


@pytest.mark.slow
def test_a_changed_rubric_is_written_and_the_class_is_graded_again(
    browser_client: Browser, desk: Desk, live: LiveRubric
) -> None:
    stored = live.stored()
    answer = browser_client.submit("/rubric/apply", {"text": CHANGED.replace("\n", "\r\n"), "known": stored.sha256})
    assert (answer.status_code, answer.headers["location"]) == (303, "/rubric")
    live.wait()
    assert live.progress().problem == ""
    assert stored.path.read_text(encoding="utf-8") == CHANGED
    assert {grade.max_score for grade in desk.grades().values()} == {25}
    assert desk.course.loaded.rubric.criteria[0].points == 8
    page = browser_client.get("/rubric").text
    assert "5 submissions changed" in page
    assert live.stored().sha256 in page


def test_a_file_that_somebody_else_changed_is_not_overwritten(browser_client: Browser, live: LiveRubric) -> None:
    stored = live.stored()
    stored.path.write_text(RUBRIC + "# theirs\n", encoding="utf-8")
    answer = browser_client.submit("/rubric/apply", {"text": CHANGED, "known": stored.sha256})
    assert answer.status_code == 400
    assert "has changed since you opened it" in answer.text
    assert live.stored().text == RUBRIC + "# theirs\n"
    wrong = browser_client.submit("/rubric/apply", {"text": "version: 2", "known": live.stored().sha256})
    assert wrong.status_code == 400
    assert live.stored().text == RUBRIC + "# theirs\n"


def test_a_stranger_cannot_apply_a_rubric(app: ASGIApp, live: LiveRubric) -> None:
    answer = Browser(app).post("/rubric/apply", data={"text": CHANGED, "known": live.stored().sha256})
    assert answer.status_code in {401, 403}
    assert live.stored().text == RUBRIC


@pytest.mark.slow
def test_a_shipped_rubric_stays_and_a_copy_is_used(root: Path) -> None:
    out = keep_results(root / "other" / "class", "keras-mnist-cnn", "ada")
    desk = a_desk(root / "other", load_course(find_rubric("keras-mnist-cnn"), DatasetStore()))
    made = LiveRubric(desk, PreviewPool(out.root, desk.course.data_root, workers=1))
    stored = made.stored()
    assert stored.path in shipped_rubrics()
    changed = stored.text.replace("points: 15", "points: 20", 1)
    copy = made.apply(changed, stored.sha256)
    made.wait()
    made.close()
    assert made.progress().problem == ""
    assert copy == root / "other" / "keras-mnist-cnn.yaml"
    assert copy.read_text(encoding="utf-8") == changed
    assert (share("rubrics") / "keras-mnist-cnn.yaml").read_text(encoding="utf-8") == stored.text
    grade = out.read_grade("ada")
    assert grade is not None
    assert grade.max_score == 105
    assert made.progress().copied
    # From now on the copy is the rubric of these results.
    assert made.stored().path == copy
    with pytest.raises(UsageError, match="has changed since"):
        made.apply(changed, stored.sha256)
