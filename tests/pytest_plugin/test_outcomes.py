"""Outcomes of a pytest session: one execution for each notebook, whichever process asks first."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from grader.pytest_plugin.outcomes import Outcomes
from grader.schema.errors import SandboxError
from grader.schema.grade import Grade


def a_grade(name: str) -> Grade:
    return Grade.model_validate({
        "submission": {"id": name, "student": name, "files": (), "sha256": ""},
        "rubric": {"id": "r", "sha256": ""},
        "status": "graded",
        "score": 1,
        "max_score": 1,
        "pending": 0,
    })  # fmt: skip


def test_only_the_first_of_several_holders_executes(tmp_path: Path) -> None:
    calls: list[Path] = []
    start = Barrier(4)

    def check(notebook: Path) -> Grade:
        calls.append(notebook)
        return a_grade(notebook.stem)

    def ask(_number: int) -> Grade | None:
        outcomes = Outcomes(tmp_path / "shared", check)
        start.wait()
        return outcomes.of(tmp_path / "a.ipynb").grade

    with ThreadPoolExecutor(4) as pool:
        grades = list(pool.map(ask, range(4)))
    assert grades == [a_grade("a")] * 4
    assert calls == [tmp_path / "a.ipynb"]


def test_outcomes_are_kept_by_notebook_and_a_fault_is_not_tried_again(tmp_path: Path) -> None:
    calls: list[str] = []

    def check(notebook: Path) -> Grade:
        calls.append(notebook.stem)
        if notebook.stem == "b":
            msg = "no kernel started"
            raise SandboxError(msg, advice="look at the log")
        return a_grade(notebook.stem)

    outcomes = Outcomes(tmp_path / "shared", check)
    for _ in range(2):
        assert outcomes.of(tmp_path / "b.ipynb").fault == "no kernel started — look at the log"
        assert outcomes.of(tmp_path / "a.ipynb").fault == ""
    assert calls == ["b", "a"]
    assert [Path(one.notebook).name for one in outcomes.all()] == ["a.ipynb", "b.ipynb"]
    assert Outcomes(tmp_path / "shared", check).all() == outcomes.all()


def test_a_session_without_an_execution_has_no_outcomes(tmp_path: Path) -> None:
    assert Outcomes(tmp_path, lambda notebook: a_grade(notebook.stem)).all() == ()
