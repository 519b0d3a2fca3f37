"""A course of a real nbgrader moves to a course folder, and the grades come back into its gradebook."""

import csv
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.command import grader, needs_bubblewrap
from tests.support.environments import new_environment

NBGRADER = "nbgrader==0.9.6"
QUICKSTART = "ps1"

pytestmark = [pytest.mark.slow, pytest.mark.early]


@pytest.fixture(scope="module")
def nbgrader_bin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of an environment with nbgrader."""
    return new_environment(tmp_path_factory.mktemp("nbgrader") / "environment", NBGRADER)


@pytest.fixture(scope="module")
def course(nbgrader_bin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The quickstart course of nbgrader, with a submission of one student that nbgrader has graded."""
    top = tmp_path_factory.mktemp("quickstart")
    nbgrader(nbgrader_bin, top, "quickstart", "demo")
    folder = top / "demo"
    if not (folder / "gradebook.db").exists():
        # Version 0.9 writes the example's students into a gradebook in the current folder.
        (top / "gradebook.db").rename(folder / "gradebook.db")
    nbgrader(nbgrader_bin, folder, "generate_assignment", QUICKSTART)
    shutil.copytree(folder / "source" / QUICKSTART, folder / "submitted" / "bitdiddle" / QUICKSTART)
    (folder / "submitted" / "bitdiddle" / QUICKSTART / "timestamp.txt").write_text("2026-11-07 10:00:00 UTC")
    nbgrader(nbgrader_bin, folder, "autograde", QUICKSTART)
    return folder


def nbgrader(commands: Path, folder: Path, *words: str) -> None:
    path = os.pathsep.join((str(commands), os.environ["PATH"]))
    done = subprocess.run(
        [commands / "nbgrader", *words],
        cwd=folder,
        env={**os.environ, "PATH": path, "VIRTUAL_ENV": str(commands.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.bubblewrap
def test_the_quickstart_course_is_imported_graded_and_exported_again(
    nbgrader_bin: Path, course: Path, tmp_path: Path
) -> None:
    needs_bubblewrap()
    before = {path: path.read_bytes() for path in course.rglob("*") if path.is_file()}
    imported = grader("import", "nbgrader", course, "--out", tmp_path / "dl", "--json")
    assert imported.code == 0, imported.err
    report = json.loads(imported.out)
    assert [(one["id"], one["points"], one["submissions"]) for one in report["assignments"]] == [
        ("ps1-problem1", 10.0, 1),
        ("ps1-problem2", 3.0, 1),
    ]
    assert report["students"] == 3
    assert {path: path.read_bytes() for path in course.rglob("*") if path.is_file()} == before

    dl = tmp_path / "dl"
    graded = grader("grade", "submissions/ps1-problem1", cwd=dl)
    assert graded.code == 0, graded.err
    marks = grader(
        *("marks", "import", "results/ps1-problem1", "nbgrader/ps1-problem1-marks.csv", "--by", "Ann"), cwd=dl
    )
    assert marks.code == 0, marks.err
    with (dl / "results" / "ps1-problem1" / "grades.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    # nbgrader gave all points of its four tests; the answers still wait for a person, as there.
    assert (rows["bitdiddle"]["score"], rows["bitdiddle"]["pending"]) == ("3.0", "7.0")
    assert rows["bitdiddle"]["status.runs"] == "passed"
    assert rows["hacker"]["status"] == "missing"

    exported = grader(
        *("export", "results/ps1-problem1", "--to", "nbgrader", "--worksheet", course / "gradebook.db"),
        *("--column", "ps1-cnn", "--with-pending", "--python", nbgrader_bin / "python", "--out", tmp_path / "new.db"),
        cwd=dl,
    )
    assert exported.code == 0, exported.out + exported.err
    shutil.copyfile(tmp_path / "new.db", course / "gradebook.db")
    nbgrader(nbgrader_bin, course, "export", "--to", "grades.csv")
    with (course / "grades.csv").open(encoding="utf-8", newline="") as file:
        table = {(row["assignment"], row["student_id"]): row for row in csv.DictReader(file)}
    assert float(table["ps1-cnn", "bitdiddle"]["score"]) == 3.0
    assert float(table["ps1", "bitdiddle"]["score"]) == 3.0
