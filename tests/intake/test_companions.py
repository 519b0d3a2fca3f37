"""The files next to a notebook that was named by its path: which come along, and which never do."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from grader.facts.language import english
from grader.intake.companions import CompanionLimits, with_companions
from grader.intake.find import find_submissions
from grader.schema.submission import Submission
from tests.support.waiting import DEADLOCK_SECONDS


def notebook(path: Path, code: str = "x = 1") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cell: dict[str, object] = {
        "cell_type": "code",
        "source": code,
        "metadata": {},
        "outputs": [],
        "execution_count": None,
    }
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}))
    return path


def text(path: Path, content: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def found(
    *paths: Path, own: bool = False, without: tuple[Path, ...] = (), limits: CompanionLimits | None = None
) -> dict[str, Submission]:
    """Find the submissions at paths, with their files, by the names of the notebooks."""
    every = find_submissions(paths, unpack_to=paths[0].parent / "unpacked")
    complete = with_companions(every, paths, own=own, without=without, limits=limits)
    return {one.notebook.stem: one for one in complete if isinstance(one, Submission)}


def test_a_lone_notebook_gets_the_files_next_to_it(tmp_path: Path) -> None:
    path = notebook(tmp_path / "hw1.ipynb")
    for name in ("helper.py", "data.csv", "images/0/1.png"):
        text(tmp_path / name)
    one = found(path)["hw1"]
    assert one.only == ("data.csv", "helper.py", "hw1.ipynb", "images/0/1.png")
    assert one.folder == tmp_path
    assert one.inner.parts == ()
    assert set(one.only) == set(one.files)
    assert one.left_out == ()


def test_what_is_no_work_of_the_student_stays_away(tmp_path: Path) -> None:
    path = notebook(tmp_path / "hw1.ipynb")
    away = (
        ".git/config",
        ".secret",
        ".ipynb_checkpoints/hw1-checkpoint.ipynb",
        "__pycache__/helper.pyc",
        "venv/lib/x.py",
        "own-env/pyvenv.cfg",
        "node_modules/x.js",
        "results/grader.sqlite",
        "results/ann/grade.json",
        "out/half-written",
        "rubric.yaml",
        "solution.evidence.json",
    )
    for name in (*away, "helper.py"):
        text(tmp_path / name)
    (tmp_path / "passwords").symlink_to("/etc/passwd")
    one = found(path, without=(tmp_path / "out", tmp_path / "rubric.yaml"))["hw1"]
    assert one.only == ("helper.py", "hw1.ipynb")


@pytest.mark.parametrize("other", ["bob/bob.ipynb", "bob/work/v2.ipynb"])
def test_folders_and_zips_with_another_notebook_stay_away(tmp_path: Path, other: str) -> None:
    path = notebook(tmp_path / "ann.ipynb")
    notebook(tmp_path / other)
    text(tmp_path / "bob" / "secret.csv")
    text(tmp_path / "data" / "a.csv")
    for name, inside in (("bob.zip", "hw.ipynb"), ("images.zip", "1.png")):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr(inside, "x")
    assert found(path)["ann"].only == ("ann.ipynb", "data/a.csv", "images.zip")


def test_in_a_folder_of_several_notebooks_each_is_alone(tmp_path: Path) -> None:
    paths = [notebook(tmp_path / f"{name}.ipynb") for name in ("ann", "bob")]
    text(tmp_path / "bob_helper.py")
    for given in (paths, [tmp_path], paths[:1]):
        for one in found(*given).values():
            assert one.folder is None
            assert one.only is None
            assert one.withheld == ("bob_helper.py",)


def test_the_author_of_one_notebook_of_several_gets_the_files_without_the_others(tmp_path: Path) -> None:
    path = notebook(tmp_path / "hw2.ipynb")
    notebook(tmp_path / "hw1.ipynb")
    notebook(tmp_path / "lib" / "demo.ipynb")
    text(tmp_path / "lib" / "layers.py")
    text(tmp_path / "helper.py")
    assert found(path, own=True)["hw2"].only == ("helper.py", "hw2.ipynb", "lib/layers.py")


def test_copies_of_the_notebook_make_no_class(tmp_path: Path) -> None:
    path = notebook(tmp_path / "hw1.ipynb")
    notebook(tmp_path / "hw1-Copy1.ipynb")
    text(tmp_path / "helper.py")
    assert found(path)["hw1"].only == ("helper.py", "hw1.ipynb")


@pytest.mark.parametrize(
    ("code", "top"),
    [("np.load('../data/train.npz')", ".."), ("sys.path.append('..')", ".."), ("np.load('train.npz')", ".")],
)
def test_a_project_is_brought_along_if_the_notebook_mentions_it(tmp_path: Path, code: str, top: str) -> None:
    path = notebook(tmp_path / "work" / "notebooks" / "hw.ipynb", code)
    text(tmp_path / "work" / "data" / "train.npz")
    text(tmp_path / "work" / "src" / "net.py")
    one = found(path)["hw"]
    assert one.folder == (path.parent / top).resolve()
    whole = ("data/train.npz", "notebooks/hw.ipynb", "src/net.py")
    assert one.only == (whole if top == ".." else ("hw.ipynb",))
    assert str(one.inner) == ("notebooks" if top == ".." else ".")


@pytest.mark.parametrize("place", ["ann", "notebooks"])
def test_no_other_students_folder_is_taken_for_a_project(tmp_path: Path, place: str) -> None:
    path = notebook(tmp_path / place / "hw.ipynb", "open('../bob/data.csv')")
    text(tmp_path / "bob" / "data.csv")
    if place == "notebooks":
        notebook(tmp_path / "bob" / "hw.ipynb")
    assert found(path)["hw"].only == ("hw.ipynb",)


def test_files_beyond_a_limit_are_named_and_the_closest_come_first(tmp_path: Path) -> None:
    path = notebook(tmp_path / "hw1.ipynb")
    text(tmp_path / "deep" / "a.csv", "x" * 60)
    text(tmp_path / "near.csv", "x" * 60)
    text(tmp_path / "deep" / "small.txt", "x" * 20)
    one = found(path, limits=CompanionLimits(total_bytes=100))["hw1"]
    assert one.only == ("deep/small.txt", "hw1.ipynb", "near.csv")
    (message,) = one.left_out
    assert message.values["count"] == 1
    assert message.values["names"] == ["a.csv"]
    assert "a.csv" in english(message)


def test_no_more_files_than_the_limit_come_along(tmp_path: Path) -> None:
    path = notebook(tmp_path / "hw1.ipynb")
    for number in range(9):
        text(tmp_path / f"{number}.csv")
    one = found(path, limits=CompanionLimits(files=3))["hw1"]
    assert one.only == ("0.csv", "1.csv", "2.csv", "hw1.ipynb")
    assert one.left_out[0].values["count"] == 6


def test_a_given_folder_keeps_all_its_files(tmp_path: Path) -> None:
    notebook(tmp_path / "ann" / "hw1.ipynb")
    text(tmp_path / "ann" / "data.csv")
    one = found(tmp_path / "ann")["hw1"]
    assert one.only is None
    assert one.folder == tmp_path / "ann"


def test_the_working_folder_is_the_notebooks_own(tmp_path: Path) -> None:
    notebook(tmp_path / "ann" / "notebooks" / "hw.ipynb")
    text(tmp_path / "ann" / "readme.txt")
    (one,) = find_submissions([tmp_path / "ann" / "notebooks"], unpack_to=tmp_path / "unpacked")
    assert isinstance(one, Submission)
    inside = one.model_copy(update={"folder": tmp_path / "ann"})
    assert str(inside.inner) == "notebooks"
    assert str(inside.model_copy(update={"folder": None}).inner) == "."
    assert str(inside.model_copy(update={"folder": tmp_path / "elsewhere"}).inner) == "."


def test_the_programs_own_output_stays_away(tmp_path: Path) -> None:
    path = notebook(tmp_path / "hw1.ipynb")
    code = (
        "import sys; from pathlib import Path; from grader.intake.companions import with_companions\n"
        "from grader.intake.find import find_submissions; path = Path(sys.argv[1])\n"
        "every = find_submissions([path], unpack_to=path.parent / 'unpacked')\n"
        "print(with_companions(every, [path])[0].only)\n"
    )
    with (tmp_path / "log.txt").open("w") as log:
        subprocess.run([sys.executable, "-c", code, str(path)], stdout=log, check=True, timeout=DEADLOCK_SECONDS)
    assert (tmp_path / "log.txt").read_text().strip() == "('hw1.ipynb',)"
