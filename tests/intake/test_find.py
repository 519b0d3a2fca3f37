"""Finding submissions in the paths from the command line."""

import errno
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.facts.language import english
from grader.intake.find import Found, Rejected, find_all, find_submissions, person_of, safe_id
from grader.schema.errors import NotebookError, SubmissionPathError, UnreadableError
from grader.schema.submission import Submission
from tests.support.says import says


def notebook(path: Path, code: str = "x = 1") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cell: dict[str, object] = {
        "cell_type": "code",
        "source": code,
        "metadata": {},
        "outputs": (),
        "execution_count": None,
    }
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}))
    return path


def text(path: Path, content: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def find(tmp_path: Path, *paths: Path) -> tuple[Found, ...]:
    return find_submissions(paths, unpack_to=tmp_path / "unpacked")


def zipped(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return target


def submitted(found: tuple[Found, ...]) -> dict[str, Submission]:
    return {item.id: item for item in found if isinstance(item, Submission)}


def test_a_notebook_is_one_submission_without_a_folder(tmp_path: Path) -> None:
    (found,) = find(tmp_path, notebook(tmp_path / "Ann Lee.ipynb"))
    assert isinstance(found, Submission)
    assert (found.id, found.student, found.folder, found.files) == ("Ann-Lee", "Ann Lee", None, ("Ann Lee.ipynb",))
    assert len(found.sha256) == 64


def test_a_folder_with_one_notebook_is_one_submission_with_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "ann"
    notebook(folder / "work.ipynb")
    text(folder / "data" / "x.csv")
    text(folder / ".ipynb_checkpoints" / "work-checkpoint.ipynb")
    (found,) = find(tmp_path, folder)
    assert isinstance(found, Submission)
    assert (found.id, found.folder, found.files) == ("ann", folder, ("data/x.csv", "work.ipynb"))


@pytest.mark.parametrize("copy", ["backup/work.ipynb", "old/try.ipynb", "more/work.ipynb", "more/work copy.ipynb"])
def test_a_subfolder_with_copies_belongs_to_the_notebook_beside_it(tmp_path: Path, copy: str) -> None:
    notebook(tmp_path / "ann" / "work.ipynb", code="x = 1\nmodel = x")
    notebook(tmp_path / "ann" / copy)
    (found,) = find(tmp_path, tmp_path / "ann")
    assert found.id == "ann"


def test_a_students_folder_with_the_marker_of_an_environment_is_not_lost(tmp_path: Path) -> None:
    notebook(tmp_path / "ann" / "hw.ipynb")
    text(tmp_path / "ann" / "pyvenv.cfg", "home = .")
    notebook(tmp_path / "bob" / "hw.ipynb")
    text(tmp_path / "env" / "pyvenv.cfg")
    notebook(tmp_path / "env" / "lib" / "demo.ipynb")
    assert set(submitted(find(tmp_path, tmp_path))) == {"ann", "bob"}


def test_a_loose_notebook_beside_one_students_folder_is_another_students(tmp_path: Path) -> None:
    notebook(tmp_path / "class" / "ann" / "homework.ipynb")
    notebook(tmp_path / "class" / "bob.ipynb")
    assert sorted(submitted(find(tmp_path, tmp_path / "class"))) == ["ann", "bob"]


def test_a_folder_of_notebooks_is_a_class(tmp_path: Path) -> None:
    for name in ("bob", "ann", "cem"):
        notebook(tmp_path / "class" / f"{name}.ipynb")
    text(tmp_path / "class" / "data" / "x.csv")
    found = submitted(find(tmp_path, tmp_path / "class"))
    assert list(found) == ["ann", "bob", "cem"]
    assert all(item.folder is None for item in found.values())


def test_a_folder_of_folders_has_a_student_in_each_and_those_without_a_notebook_are_rejected(tmp_path: Path) -> None:
    notebook(tmp_path / "class" / "ann" / "deep" / "work.ipynb")
    notebook(tmp_path / "class" / "bob" / "work.ipynb")
    text(tmp_path / "class" / "cem" / "report.pdf")
    (tmp_path / "class" / "dan").mkdir()
    found = find(tmp_path, tmp_path / "class")
    assert [item.id for item in found] == ["ann", "bob", "cem", "dan"]
    rejected = [item for item in found if isinstance(item, Rejected)]
    assert [item.id for item in rejected] == ["cem", "dan"]
    reasons = [item.error.says for item in rejected if isinstance(item.error, NotebookError)]
    assert says(reasons[0], "no notebook was submitted, only {files:list}", files=["report.pdf"])
    assert says(reasons[1], "no file was submitted: the folder is empty")


def test_a_class_with_one_student_who_handed_in_no_notebook_is_no_error(tmp_path: Path) -> None:
    text(tmp_path / "class" / "ann" / "report.pdf")
    (found,) = find(tmp_path, tmp_path / "class")
    assert isinstance(found, Rejected)
    assert found.student == "ann"


@pytest.mark.parametrize("make", ["missing", "empty", "only-litter", "only-files"])
def test_where_nothing_was_handed_in_the_path_is_wrong(tmp_path: Path, make: str) -> None:
    path = tmp_path / make
    if make != "missing":
        path.mkdir()
    if make == "only-litter":
        text(path / ".ipynb_checkpoints" / "a.ipynb")
        text(path / "~b.ipynb")
    if make == "only-files":
        text(path / "notes.txt")
    with pytest.raises(SubmissionPathError) as caught:
        find(tmp_path, path)
    assert str(path) in caught.value.where


def test_another_file_named_directly_is_rejected_with_its_kind(tmp_path: Path) -> None:
    (found,) = find(tmp_path, text(tmp_path / "work.py"))
    assert isinstance(found, Rejected)
    assert isinstance(found.error, NotebookError)
    assert says(found.error.says, "a file with the suffix {suffix:code} is not a notebook", suffix=".py")


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["submission.ipynb", "a.ipynb"], "submission.ipynb"),
        (["work.ipynb", "work-Copy1.ipynb"], "work.ipynb"),
        (["work.ipynb", "work (1).ipynb", "backup/work.ipynb", "work_old.ipynb"], "work.ipynb"),
        (["short.ipynb", "long.ipynb"], "long.ipynb"),
        (["deep/er/same1.ipynb", "same2.ipynb"], "same2.ipynb"),
    ],
)
def test_of_several_notebooks_the_one_that_fits_best_is_executed(tmp_path: Path, names: list[str], chosen: str) -> None:
    folder = tmp_path / "class" / "ann"
    for name in names:
        notebook(folder / name, "x = 1\n" * (50 if "long" in name or "Copy" in name else 1))
    notebook(tmp_path / "class" / "bob" / "work.ipynb")
    found = submitted(find(tmp_path, tmp_path / "class"))["ann"]
    assert found.notebook == folder / chosen
    assert found.files == tuple(sorted(names))


def test_an_unreadable_notebook_beside_a_good_one_is_not_chosen(tmp_path: Path) -> None:
    notebook(tmp_path / "c" / "ann" / "b.ipynb")
    text(tmp_path / "c" / "ann" / "a.ipynb", "not json " * 1000)
    notebook(tmp_path / "c" / "bob" / "b.ipynb")
    assert submitted(find(tmp_path, tmp_path / "c"))["ann"].notebook.name == "b.ipynb"


def test_an_nbgrader_tree_is_read_from_above_and_from_within(tmp_path: Path) -> None:
    notebook(tmp_path / "course" / "submitted" / "ann" / "ps1" / "work.ipynb")
    notebook(tmp_path / "course" / "submitted" / "bob" / "ps1" / "work.ipynb")
    text(tmp_path / "course" / "submitted" / "bob" / "ps1" / "timestamp.txt")
    text(tmp_path / "course" / "gradebook.db")
    for path in (tmp_path / "course", tmp_path / "course" / "submitted"):
        assert list(submitted(find(tmp_path, path))) == ["ann", "bob"]
    notebook(tmp_path / "course" / "submitted" / "ann" / "ps2" / "work.ipynb")
    found = submitted(find(tmp_path, tmp_path / "course"))
    assert sorted(found) == ["ann-ps1", "ann-ps2", "bob-ps1"]
    assert found["ann-ps2"].student == "ann"


def test_in_an_nbgrader_tree_the_usual_name_of_the_assignment_decides(tmp_path: Path) -> None:
    for student in ("ann", "bob", "cem"):
        notebook(tmp_path / "submitted" / student / "ps1" / "p1.ipynb")
    notebook(tmp_path / "submitted" / "ann" / "ps1" / "trials.ipynb", "print(1)\nprint(2)")
    for name in ("p1", "q1"):
        notebook(tmp_path / "submitted" / "ann" / "ps2" / f"{name}.ipynb", name)
    notebook(tmp_path / "submitted" / "bob" / "ps2" / "q1.ipynb", "q1")
    found = submitted(find(tmp_path, tmp_path))
    assert found["ann-ps1"].notebook.name == "p1.ipynb"
    assert found["ann-ps2"].notebook.name == "q1.ipynb"


def test_a_notice_names_the_zip_and_not_the_folder_to_which_it_is_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "class.zip", "w") as archive:
        for name in ("ann/w.ipynb", "bob/w.ipynb", "notes.txt"):
            archive.writestr(name, "{}")
    (notice,) = find_all([tmp_path / "class.zip"], unpack_to=tmp_path / "unpacked").notices
    assert english(notice).startswith("class.zip: notes.txt belongs")


def test_moodle_names_tell_the_student_and_keep_namesakes_apart(tmp_path: Path) -> None:
    for number in (11, 12):
        notebook(tmp_path / "m" / f"Ann Lee_{number}_assignsubmission_file_" / "work.ipynb")
    found = submitted(find(tmp_path, tmp_path / "m"))
    assert {item.student for item in found.values()} == {"Ann Lee"}
    assert sorted(found) == ["Ann-Lee-11", "Ann-Lee-12"]


def test_one_moodle_student_alone_keeps_the_name(tmp_path: Path) -> None:
    notebook(tmp_path / "m" / "Ann Lee_11_assignsubmission_file_" / "work.ipynb")
    assert list(submitted(find(tmp_path, tmp_path / "m"))) == ["Ann-Lee-11"]


def test_canvas_files_of_one_student_are_one_submission(tmp_path: Path) -> None:
    notebook(tmp_path / "c" / "leeann_LATE_4711_90001_work.ipynb", "x = 1\n" * 9)
    notebook(tmp_path / "c" / "leeann_LATE_4711_90002_other.ipynb")
    notebook(tmp_path / "c" / "smithbo_4712_90003_work.ipynb")
    found = submitted(find(tmp_path, tmp_path / "c"))
    assert sorted(found) == ["leeann-4711", "smithbo-4712"]
    assert found["leeann-4711"].notebook.name.endswith("work.ipynb")
    assert len(found["leeann-4711"].files) == 2


def test_a_gradescope_export_tells_names(tmp_path: Path) -> None:
    root = tmp_path / "assignment_5_export"
    notebook(root / "submission_71" / "work.ipynb")
    notebook(root / "submission_72" / "work.ipynb")
    names = "submission_71:\n  :submitters:\n  - :name: Ann Lee\n    :sid: '5'\n  :created_at: 2026-01-01\n"
    text(root / "submission_metadata.yml", names)
    found = submitted(find(tmp_path, root))
    assert found["Ann-Lee-71"].student == "Ann Lee"
    assert "submission_72" in found


def test_zips_of_a_class_and_of_one_student_are_read(tmp_path: Path) -> None:
    for name in ("ann", "bob"):
        notebook(tmp_path / "class" / "submissions" / name / "work.ipynb")
    found = submitted(find(tmp_path, zipped(tmp_path / "class", tmp_path / "all.zip")))
    assert sorted(found) == ["ann", "bob"]
    alone = zipped(tmp_path / "class" / "submissions" / "ann", tmp_path / "Cem Ak.zip")
    assert [item.student for item in find(tmp_path, alone)] == ["Cem Ak"]


def test_zips_inside_a_class_are_one_student_each_and_a_bad_one_is_rejected(tmp_path: Path) -> None:
    notebook(tmp_path / "src" / "wrap" / "work.ipynb")
    folder = tmp_path / "class"
    folder.mkdir()
    zipped(tmp_path / "src", folder / "ann.zip")
    text(folder / "bob.zip", "no zip")
    moodle = folder / "Cem Ak_7_assignsubmission_file_"
    moodle.mkdir()
    zipped(tmp_path / "src", moodle / "hand-in.zip")
    found = {item.id: item for item in find(tmp_path, folder)}
    assert sorted(found) == ["Cem-Ak-7", "ann", "bob"]
    assert isinstance(found["bob"], Rejected)
    assert isinstance(found["ann"], Submission)
    assert isinstance(found["Cem-Ak-7"], Submission)


def test_a_rejection_does_not_keep_what_was_read(tmp_path: Path) -> None:
    for number in range(2):
        notebook(tmp_path / "in" / f"a{number}" / "work.ipynb")
    (tmp_path / "in" / "b").mkdir()
    (tmp_path / "in" / "b" / "work.zip").write_bytes(b"PK\x03\x04 damaged")
    (rejected,) = [one for one in find(tmp_path, tmp_path / "in") if isinstance(one, Rejected)]
    error = rejected.error
    assert (error.__traceback__, error.__cause__, error.__context__) == (None, None, None)


def test_a_bad_zip_named_directly_is_rejected_and_one_without_a_notebook_too(tmp_path: Path) -> None:
    text(tmp_path / "src" / "notes.txt")
    for path in (text(tmp_path / "bad.zip", "no zip"), zipped(tmp_path / "src", tmp_path / "notes.zip")):
        (found,) = find(tmp_path, path)
        assert isinstance(found, Rejected)
        assert found.id == path.stem
        assert found.sha256


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Path]:
    """Make a folder that not even root may list."""
    real, closed = Path.iterdir, set[Path]()

    def iterdir(self: Path) -> Iterator[Path]:
        if self.resolve() in closed:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))
        return real(self)

    def lock(folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        closed.add(folder.resolve())
        return folder

    monkeypatch.setattr(Path, "iterdir", iterdir)
    return lock


Lock = Callable[[Path], Path]


@pytest.mark.parametrize("place", ["bob", "bob/data", "bob/data/deep"])
def test_a_folder_that_cannot_be_read_costs_one_student(tmp_path: Path, locked: Lock, place: str) -> None:
    for name in ("ann/work.ipynb", "bob/work.ipynb", "cem/work.ipynb"):
        notebook(tmp_path / "class" / name)
    locked(tmp_path / "class" / place)
    found = find(tmp_path, tmp_path / "class")
    assert [item.id for item in found] == ["ann", "bob", "cem"]
    assert list(submitted(found)) == ["ann", "cem"]
    (bob,) = (item for item in found if isinstance(item, Rejected))
    assert isinstance(bob.error, UnreadableError)
    assert str(bob.error).startswith(f"{Path(place).name}: the file or folder cannot be read (Permission denied)")


@pytest.mark.parametrize("place", ["submitted/bob", "submitted/bob/hw1"])
def test_a_folder_of_an_nbgrader_tree_that_cannot_be_read_costs_one_student(
    tmp_path: Path, locked: Lock, place: str
) -> None:
    notebook(tmp_path / "course" / "submitted" / "ann" / "hw1" / "work.ipynb")
    locked(tmp_path / "course" / place)
    found = find(tmp_path, tmp_path / "course")
    assert [(item.id, isinstance(item, Submission)) for item in found] == [("ann", True), ("bob", False)]


def test_a_notebook_is_not_graded_without_files_that_cannot_be_read(tmp_path: Path, locked: Lock) -> None:
    notebook(tmp_path / "ann" / "work.ipynb")
    locked(tmp_path / "ann" / "data")
    (found,) = find(tmp_path, tmp_path / "ann")
    assert isinstance(found, Rejected)
    assert (found.id, type(found.error)) == ("ann", UnreadableError)


def test_a_class_of_one_that_cannot_be_read_and_a_path_that_cannot_be_are_told(tmp_path: Path, locked: Lock) -> None:
    bob = locked(tmp_path / "class" / "bob")
    (found,) = find(tmp_path, tmp_path / "class")
    assert isinstance(found, Rejected)
    assert (found.id, type(found.error)) == ("bob", UnreadableError)
    with pytest.raises(UnreadableError, match="cannot be read"):
        find(tmp_path, bob)


def test_results_among_the_submissions_are_no_student_s(tmp_path: Path) -> None:
    notebook(tmp_path / "class" / "ann.ipynb")
    notebook(tmp_path / "class" / "bob.ipynb")
    before = find(tmp_path, tmp_path / "class")
    results = tmp_path / "class" / "results"
    notebook(results / "ann" / "executed.ipynb")
    text(results / "grader.sqlite")
    assert find(tmp_path, tmp_path / "class") == before


def test_results_in_a_student_s_folder_are_not_handed_in(tmp_path: Path) -> None:
    notebook(tmp_path / "ann" / "work.ipynb")
    before = find(tmp_path, tmp_path / "ann")
    notebook(tmp_path / "ann" / "results" / "ann" / "executed.ipynb")
    text(tmp_path / "ann" / "results" / "grader.sqlite")
    assert find(tmp_path, tmp_path / "ann") == before


def test_a_student_who_graded_own_work_in_place_is_found(tmp_path: Path) -> None:
    notebook(tmp_path / "class" / "ann" / "work.ipynb")
    text(tmp_path / "class" / "ann" / "grader.sqlite")
    notebook(tmp_path / "class" / "bob" / "work.ipynb")
    assert sorted(submitted(find(tmp_path, tmp_path / "class"))) == ["ann", "bob"]


def test_links_are_not_followed(tmp_path: Path) -> None:
    notebook(tmp_path / "elsewhere" / "secret.ipynb")
    notebook(tmp_path / "class" / "ann" / "work.ipynb")
    notebook(tmp_path / "class" / "bob" / "work.ipynb")
    (tmp_path / "class" / "ann" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "class" / "eve").symlink_to(tmp_path / "elsewhere")
    found = submitted(find(tmp_path, tmp_path / "class"))
    assert list(found) == ["ann", "bob"]
    assert found["ann"].files == ("work.ipynb",)


def test_ids_are_unique_without_case_and_stable(tmp_path: Path) -> None:
    paths = [notebook(tmp_path / folder / name) for folder in "ab" for name in ("Ann.ipynb", "ann.ipynb")]
    ids = [item.id for item in find(tmp_path, *paths)]
    assert len({name.casefold() for name in ids}) == 4
    assert ids[0] == "Ann"
    assert ids == [item.id for item in find(tmp_path, *paths)]
    assert ids[:3] == [item.id for item in find(tmp_path, *paths[:3])]


def test_the_same_notebook_named_twice_is_graded_once(tmp_path: Path) -> None:
    path = notebook(tmp_path / "ann.ipynb")
    assert len(find(tmp_path, path, path, path)) == 1


@given(st.text(max_size=200))
def test_every_name_becomes_a_safe_folder_name(name: str) -> None:
    result = safe_id(name)
    assert 0 < len(result.encode()) <= 96
    assert not set(result) & set("/\\. \x00")
    assert result == safe_id(result)


@pytest.mark.parametrize(
    ("name", "student"),
    [
        ("Ann Lee_11_assignsubmission_file_", "Ann Lee"),
        ("Ann_von_Lee_11_assignsubmission_file_hw.ipynb", "Ann von Lee"),
        ("anon_4711_90001_hw.ipynb", "anonymous 4711"),
        ("leeann_4711_90001_hw.ipynb", "leeann"),
        ("hw_1_2_final.ipynb", None),
        ("my_work.ipynb", None),
    ],
)
def test_names_of_platforms_are_read(name: str, student: str | None) -> None:
    person = person_of(name)
    assert (person.student if person else None) == student
