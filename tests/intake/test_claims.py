"""No student takes another one's place, and hostile files affect only their own student."""

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from grader.intake import student as student_module
from grader.intake.find import Findings, Rejected, find_all
from grader.report.attention import alike
from grader.schema.errors import NotebookError, UnreadableError
from grader.schema.submission import Submission
from tests.support.layouts import packed, written
from tests.support.says import says

CLAIMED = "{student:raw} is claimed by {count:number} submissions: {submissions:raw list}; find out whose work each is"
LOOKS = "{name} looks like the download of a class, but was read as one student's zip; grade it alone"
MOODLE = "assignsubmission_file"


def found_at(tmp_path: Path, *paths: Path) -> Findings:
    return find_all(paths, unpack_to=tmp_path / "unpacked")


def codes(findings: Findings) -> dict[str, str]:
    """Return the code that is graded for each student."""
    return {
        one.student: json.loads(one.notebook.read_text())["cells"][0]["source"]
        for one in findings.found
        if isinstance(one, Submission)
    }


@pytest.fixture
def forged(tmp_path: Path) -> list[Path]:
    """Zips on the command line; Al's has folders in the names of others, two have metadata that no parser likes."""
    folder = tmp_path / "zips"
    works = {f"Ann Lee_4711_{MOODLE}_/x.ipynb": "forged", f"Al Mallory_4700_{MOODLE}_/mine.ipynb": "own work"}
    return [
        packed(folder / f"Al Mallory_4700_{MOODLE}_work.zip", works),
        packed(folder / f"Ann Lee_4711_{MOODLE}_.zip", {"work.ipynb": "ann"}),
        packed(folder / "date.zip", {"submission_metadata.yml": "submission_1: 2001-13-45\n", "a/x.ipynb": "date"}),
        packed(folder / "deep.zip", {"submission_metadata.yml": "[" * 20_000, "a/x.ipynb": "deep"}),
        packed(folder / "honest.zip", {"x.ipynb": "honest"}),
    ]


@pytest.mark.parametrize("form", ["zips", "folder"])
def test_a_student_s_zip_takes_nobody_s_place(tmp_path: Path, forged: list[Path], form: str) -> None:
    findings = found_at(tmp_path, *(forged if form == "zips" else [forged[0].parent]))
    assert codes(findings) == {
        "Al Mallory": "own work",
        "Ann Lee": "ann",
        "date": "date",
        "deep": "deep",
        "honest": "honest",
    }


def test_a_zip_in_a_class_that_looks_like_a_download_is_one_student_s_and_is_noted(tmp_path: Path) -> None:
    works = {f"{name}_4711_{MOODLE}/x.ipynb": "forged" for name in ("Ann Lee", "Bob Ray")}
    root = written(tmp_path / "class", {"Ann Lee.ipynb": "ann"})
    packed(root / "eve.zip", works)
    findings = found_at(tmp_path, root)
    assert sorted(codes(findings)) == ["Ann Lee", "eve"]
    assert codes(findings)["Ann Lee"] == "ann"
    assert any(says(notice, LOOKS, name="eve.zip") for notice in findings.notices)


def same_folder(root: Path) -> list[Path]:
    return [written(root, {"ann/hw.ipynb": "1", "ann.ipynb": "2", "bob/hw.ipynb": "3"})]


def two_folders(root: Path) -> list[Path]:
    return [written(root / name, {f"Ann Lee_4711_{MOODLE}/hw.ipynb": name}) for name in ("a", "b")]


def other_case(root: Path) -> list[Path]:
    return [written(root, {"ann.ipynb": "1", "Ann.ipynb": "2"})]


@pytest.mark.parametrize("claims", [same_folder, two_folders, other_case])
def test_a_name_that_is_claimed_twice_is_noted_and_reaches_the_class_page(
    tmp_path: Path, claims: Callable[[Path], list[Path]]
) -> None:
    findings = found_at(tmp_path, *claims(tmp_path / "class"))
    twins = [one.id for one in findings.found if one.student.casefold() in {"ann", "ann lee"}]
    assert len(set(twins)) == 2
    assert any(says(notice, CLAIMED, count=2) for notice in findings.notices)
    rows = [SimpleNamespace(id=one.id, student=one.student, absent=False) for one in findings.found]
    assert alike(rows) == set(twins)  # type: ignore[arg-type]  # needs only these fields


def test_namesakes_with_numbers_of_the_platform_are_not_noted(tmp_path: Path) -> None:
    files = {f"Ann Lee_{number}_{MOODLE}/hw.ipynb": "x" for number in (11, 12)}
    assert found_at(tmp_path, written(tmp_path / "class", files)).notices == ()


def damaged(path: Path) -> None:
    path.write_bytes(b"PK\x03\x04 no zip")


def deep(path: Path) -> None:
    packed(path, {"a/" * 500 + "x.csv": "1", "hw.ipynb": "x"})


def conflicting(path: Path) -> None:
    packed(path, {"a": "file", "a/hw.ipynb": "x"})


def leading_out(path: Path) -> None:
    packed(path, {"../../ann/hw.ipynb": "forged"})


def long_name(path: Path) -> None:
    packed(path, {"n" * 300 + ".ipynb": "x"})


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", b"\0" * (70 << 20))


@pytest.mark.parametrize("harm", [damaged, deep, conflicting, leading_out, long_name, bomb])
def test_a_hostile_zip_affects_only_its_own_student(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    root = written(tmp_path / "class", {"ann/hw.ipynb": "ann", "bob/hw.ipynb": "bob"})
    harm(root / "eve.zip")
    findings = found_at(tmp_path, root)
    assert codes(findings) == {"ann": "ann", "bob": "bob"}
    (eve,) = [one for one in findings.found if isinstance(one, Rejected)]
    assert (eve.id, type(eve.error)) == ("eve", NotebookError)


def test_a_zip_that_would_fill_the_disk_is_not_unpacked_and_costs_no_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = written(tmp_path / "class", {"ann/hw.ipynb": "ann"})
    packed(root / "eve.zip", {"hw.ipynb": "eve", "x.bin": "0" * 5_000_000})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=6_000_000))
    findings = found_at(tmp_path, root)
    assert codes(findings) == {"ann": "ann"}
    (eve,) = [one for one in findings.found if isinstance(one, Rejected)]
    assert isinstance(eve.error, UnreadableError)
    assert "only 5 MiB of the disk are free" in str(eve.error)


def test_pipes_in_a_student_s_folder_are_not_opened(tmp_path: Path) -> None:
    root = written(tmp_path / "class", {"ann/hw.ipynb": "ann", "bob/hw.ipynb": "bob"})
    for name in ("timestamp.txt", "x.ipynb", "work.zip", "submission_metadata.yml"):
        os.mkfifo(root / "bob" / name)
    os.mkfifo(root / "submission_metadata.yml")
    assert codes(found_at(tmp_path, root)) == {"ann": "ann", "bob": "bob"}


def test_a_fault_of_the_grader_while_it_reads_one_student_affects_only_that_student(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = written(tmp_path / "class", {"ann/hw.ipynb": "ann", "bob/hw.ipynb": "bob"})
    choose = student_module.pick_notebook

    def faulty(notebooks: list[Path], **how: object) -> Path:
        if "bob" in str(notebooks[0]):
            raise RecursionError
        return choose(notebooks, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(student_module, "pick_notebook", faulty)
    findings = found_at(tmp_path, root)
    assert codes(findings) == {"ann": "ann"}
    (bob,) = [one for one in findings.found if isinstance(one, Rejected)]
    assert isinstance(bob.error, UnreadableError)
