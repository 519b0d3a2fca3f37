"""A small class, a desk on it, and a browser's client."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from httpx2 import Response
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from grader.desk.app import make_app
from grader.desk.guard import Door, Visitor
from grader.desk.state import Desk
from grader.pipeline.course import Course
from grader.store.results import ResultsFolder
from tests.report.conftest import browser
from tests.support.desk_class import PORT, Student, a_course, a_desk, a_door, keep_class

__all__ = ["Browser", "browser"]

CRITIQUE = ("markdown", "## Critique\n**Zeros** as initial weights, and a softmax in a hidden layer.")
CURVES = "## Learning curves\nThe validation loss rises: overfitting."
STUDENTS = (
    Student(
        "ada", "Ada Abara", [("markdown", "# Homework\nAda Abara"), CRITIQUE, ("code", "x = 1"), ("markdown", CURVES)]
    ),
    Student(
        "ben",
        "Ben Berg",
        [
            ("markdown", "# Homework\nBen Berg"),
            ("markdown", "### critique\n\n- zeros as  initial `weights`, and a softmax in a *hidden* layer."),
            ("code", "x = 2"),
            ("markdown", "## Learning curves\nBen Berg sees that both curves fall."),
        ],
    ),
    Student(
        "cleo",
        "Cleo Costa",
        [
            ("markdown", "# Homework"),
            ("markdown", "## Critique\nThe softmax is hidden."),
            ("code", "x = 3"),
            ("markdown", CURVES),
        ],
    ),
    Student(
        "dan",
        "Dan Diaz",
        [("markdown", "# Homework"), ("markdown", "## Critique\n*your answer here*"), ("code", "x = 4")],
    ),
    Student("emre", "Emre Eze", [("markdown", "# Homework"), ("markdown", "## Critique\n"), ("code", "x = 5")]),
)
"""About `critique`, `ada` and `ben` say the same, `dan` and `emre` nothing; on `curves`, `ada` and `cleo` the same."""


class Browser(TestClient):
    """A client that sends what a browser sends."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            app, base_url=f"http://127.0.0.1:{PORT}", raise_server_exceptions=False, follow_redirects=False
        )

    def enter(self) -> "Browser":
        """Exchange the token for the cookie."""
        assert self.get("/enter?token=the-token").status_code == 200
        return self

    def csrf(self) -> str:
        """Return the value that the desk's forms have."""
        found = re.search(r'data-csrf="([^"]+)"', self.get("/name").text)
        assert found
        return found[1]

    def submit(self, path: str, fields: Mapping[str, str] | None = None, **headers: str) -> Response:
        """Send a form of the desk, as a browser does."""
        given = {
            "origin": f"http://127.0.0.1:{PORT}",
            **{name.replace("_", "-"): text for name, text in headers.items()},
        }
        return self.post(path, data={"csrf": self.csrf(), **(fields or {})}, headers=given)


@pytest.fixture(scope="session")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """The course, made once."""
    return a_course(tmp_path_factory.mktemp("desk-course"))


@pytest.fixture(scope="session")
def kept(course: Course, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of the class, made once."""
    root = tmp_path_factory.mktemp("desk-class")
    keep_class(ResultsFolder(root / "class"), course, STUDENTS)
    return root


@pytest.fixture
def root(kept: Path, tmp_path: Path) -> Path:
    """A folder with a copy of the class that a test may change."""
    shutil.copytree(kept / "class", tmp_path / "class")
    return tmp_path


@pytest.fixture
def desk(root: Path, course: Course) -> Desk:
    """A desk on the class."""
    return a_desk(root, course)


@pytest.fixture
def mara() -> Visitor:
    """A person at the desk."""
    return Visitor("mara-id", "csrf", "Mara")


@pytest.fixture
def door() -> Door:
    """The door of the desk."""
    return a_door()


@pytest.fixture
def app(desk: Desk, door: Door) -> ASGIApp:
    """The application."""
    return make_app(desk, door)


@pytest.fixture
def browser_client(app: ASGIApp) -> Browser:
    """A browser that was opened with the token."""
    return Browser(app).enter()
