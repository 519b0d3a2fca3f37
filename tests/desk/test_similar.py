"""View 5, "Who worked together"."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from grader.desk.app import make_app
from grader.desk.needs import needs_of
from grader.desk.pairs import Pairs
from grader.desk.state import Desk
from grader.facts.similarity import Comparison, compare
from grader.pipeline.course import Course
from grader.schema.errors import UsageError
from grader.store.results import ResultsFolder
from tests.desk.conftest import Browser
from tests.support.copied_class import starter
from tests.support.desk_class import a_desk, a_door
from tests.support.similar_class import ATTACK, keep_similar

PAIR = "/similar/amara/anton"


@pytest.fixture(scope="module")
def similar_class(course: Course, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results with copied pairs and honest twins; the tests change only judgements."""
    root = tmp_path_factory.mktemp("similar")
    keep_similar(ResultsFolder(root / "class"), course)
    return root


@dataclass(frozen=True)
class Scene:
    """A desk with a browser."""

    desk: Desk
    client: Browser


@pytest.fixture
def scene(similar_class: Path, course: Course) -> Scene:
    (similar_class / "class-judgements.jsonl").unlink(missing_ok=True)
    desk = a_desk(similar_class, course)
    known = compare(desk.pairs.get().traces, [starter()])
    desk.pairs = Pairs(lambda: known, dict)
    return Scene(desk, Browser(make_app(desk, a_door())).enter())


def _headings(page: str) -> dict[str, list[str]]:
    """Pairs of the list by heading."""
    parts = re.split(r'<h2 id="similar-\d+">', page)[1:]
    return {part.partition(" <")[0]: re.findall(r'href="/similar/([^"]+)"', part) for part in parts}


def test_copied_pairs_are_first_and_twins_are_explained(scene: Scene) -> None:
    page = scene.client.get("/similar").text
    groups = _headings(page)
    assert list(groups) == ["Hints", "Explained by the starter and the seed"]
    assert "amara/anton" in groups["Hints"]
    assert groups["Explained by the starter and the seed"] == ["twin-one/twin-two"]
    assert "A hint is not a verdict" in page


def test_a_pair_shows_the_lines_of_both_sides_and_the_figures(scene: Scene) -> None:
    page = scene.client.get(PAIR).text
    assert re.search(r"<mark>.*Conv2D\(16", page)
    assert page.count("side-by-side") > 2
    assert "numbers and strings in these passages" in page
    assert "Amara, cell" in re.sub(r"</?bdi>", "", page)


def test_the_starters_lines_are_pale(scene: Scene) -> None:
    page = scene.client.get("/similar/twin-one/twin-two").text
    assert re.search(r'<li class="known"><span[^>]*>\d+</span><code>def build', page)
    assert re.search(r'<li class=""><span[^>]*>\d+</span><code>def draw', page)


def test_a_flag_is_recorded_for_both_and_the_next_open_pair_opens(scene: Scene) -> None:
    before = {name: grade.score for name, grade in scene.desk.grades().items()}
    answer = scene.client.submit(f"{PAIR}/flag", {"why": ""})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/similar/mallory/malte"
    flags = {name: [flag.why for flag in grade.flags] for name, grade in scene.desk.grades().items() if grade.flags}
    assert flags == {
        "amara": ["similar to the submission of Anton"],
        "anton": ["similar to the submission of Amara"],
    }
    assert {name: grade.score for name, grade in scene.desk.grades().items()} == before
    assert _headings(scene.client.get("/similar").text)["Flagged"] == ["amara/anton"]


def test_an_explanation_needs_a_reason_and_replaces_a_flag(scene: Scene) -> None:
    assert scene.client.submit(f"{PAIR}/explained", {"why": " "}).status_code == 400
    scene.client.submit(f"{PAIR}/flag", {"why": "look"})
    scene.client.submit(f"{PAIR}/explained", {"why": "they asked before"})
    assert not any(grade.flags for grade in scene.desk.grades().values())
    assert _headings(scene.client.get("/similar").text)["Explained by a person"] == ["amara/anton"]
    assert "they asked before" in scene.client.get(PAIR).text
    scene.client.submit(f"{PAIR}/open")
    assert "amara/anton" in _headings(scene.client.get("/similar").text)["Hints"]


def test_undo_takes_a_decision_about_both_back(scene: Scene) -> None:
    scene.client.submit(f"{PAIR}/explained", {"why": "they asked before"})
    scene.client.submit(f"{PAIR}/flag", {"why": "look"})
    scene.client.submit("/undo")
    page = scene.client.get(PAIR).text
    assert "they asked before" in page
    assert not any(grade.flags for grade in scene.desk.grades().values())


def test_open_hints_need_a_person(scene: Scene) -> None:
    scene.desk.pairs.get()
    titles = {need.title for need in needs_of(scene.desk) if need.kind == "similar"}
    assert titles == {"Amara and Anton", "Mallory and Malte"}
    scene.client.submit(f"{PAIR}/explained", {"why": "they asked before"})
    assert "Amara and Anton" not in {need.title for need in needs_of(scene.desk)}


def test_code_of_students_is_shown_as_text(scene: Scene) -> None:
    page = scene.client.get("/similar/mallory/malte").text
    assert ATTACK not in page
    assert ATTACK.replace("<", "&lt;").replace(">", "&gt;").replace("'", "&#39;") in page


@pytest.mark.parametrize("path", ["/similar/amara/nobody", "/similar/anton/amara", f"{PAIR}/flag"])
def test_other_pairs_have_no_page(scene: Scene, path: str) -> None:
    assert scene.client.get(path).status_code in {404, 405}


def test_an_unknown_decision_is_refused(scene: Scene) -> None:
    assert scene.client.submit(f"{PAIR}/guilty").status_code == 404
    assert scene.desk.log.read() == {}


def test_pairs_are_computed_again_only_when_evidence_changes() -> None:
    state, computed = {"a": 1}, []

    def compute() -> Comparison:
        computed.append(dict(state))
        return compare([])

    pairs = Pairs(compute, lambda: dict(state))
    pairs.get()
    assert pairs.get() is pairs.ready()
    state["b"] = 2
    pairs.get()
    assert computed == [{"a": 1}, {"a": 1, "b": 2}]


def test_an_error_while_preparing_is_shown_by_the_view_alone() -> None:
    def fail() -> Comparison:
        msg = "no results"
        raise UsageError(msg)

    pairs = Pairs(fail, dict)
    assert pairs.ready() is None
    with pytest.raises(UsageError):
        pairs.get()
