"""The time of submission: names, files and metadata of platforms."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import nbformat
import pytest

from grader.intake.find import Found, find_all

NOTEBOOK = nbformat.writes(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1")]))


def found_at(root: Path, files: dict[str, str], unpack_to: Path) -> dict[str, Found]:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text or NOTEBOOK)
    unpack_to.mkdir()
    found = find_all([root], unpack_to=unpack_to, zone=ZoneInfo("Europe/Berlin")).found
    return {one.student: one for one in found}


BLACKBOARD = ("hw1_alee_attempt_2026-11-08-18-03-00_work.ipynb", "hw1_bray_attempt_2026-11-08-18-03-00_work.ipynb")
GRADESCOPE = "submission_71:\n  :submitters:\n  - :name: Ann Lee\n  :created_at: 2026-11-08 17:03:00.000000000 Z\n"
SUBMITTED, SAKAI = "submitted/alee/ps1", "Lee, Ann(alee)"


@pytest.mark.parametrize(
    ("files", "source"),
    [
        (dict.fromkeys(BLACKBOARD, ""), "name"),
        ({"12345-67890 - Ann Lee - Nov 8, 2026 603 PM/work.ipynb": ""}, "name"),
        ({"alee+ps1+2026-11-08 17:03:00 UTC/work.ipynb": ""}, "name"),
        ({f"{SUBMITTED}/work.ipynb": "", f"{SUBMITTED}/timestamp.txt": "2026-11-08 17:03:00.0 UTC"}, "timestamp"),
        ({f"{SAKAI}/Submission attachment(s)/w.ipynb": "", f"{SAKAI}/timestamp.txt": "20261108170300000"}, "timestamp"),
        ({"alee/work.ipynb": "", "alee/timestamp.txt": "2026-11-08 18:03:00", "bray/work.ipynb": ""}, "timestamp"),
        ({"submission_71/work.ipynb": "", "submission_metadata.yml": GRADESCOPE}, "metadata"),
    ],
    ids=["blackboard", "brightspace", "exchange", "nbgrader", "sakai", "folder", "gradescope"],
)
def test_the_time_of_submission_is_read(files: dict[str, str], source: str, tmp_path: Path) -> None:
    found = found_at(tmp_path / "class", files, tmp_path / "unpacked")
    one = next(one for name, one in found.items() if name in {"Ann Lee", "alee"})
    assert one.submitted == datetime(2026, 11, 8, 17, 3, tzinfo=UTC)
    assert one.submitted_from == source


def test_the_graded_attempt_counts_not_a_later_one_without_a_notebook(tmp_path: Path) -> None:
    names = ("2026-11-07-10-00-00_work.ipynb", "2026-11-08-10-00-00_work.ipynb", "2026-11-09-10-00-00_data.csv")
    files = dict.fromkeys([f"hw1_alee_attempt_{name}" for name in names], "")
    found = found_at(tmp_path / "class", files, tmp_path / "unpacked")
    (one,) = found.values()
    assert one.submitted == datetime(2026, 11, 8, 9, tzinfo=UTC)


def test_canvas_marks_a_late_submission_without_its_time(tmp_path: Path) -> None:
    files = {"leeann_LATE_4711_90001_work.ipynb": "", "raybob_4712_90002_work.ipynb": ""}
    found = found_at(tmp_path / "class", files, tmp_path / "unpacked")
    assert [(one.submitted, one.submitted_from) for one in found.values()] == [(None, "mark"), (None, "")]


def test_a_rejected_submission_keeps_its_time(tmp_path: Path) -> None:
    files = {"12345-67890 - Ann Lee - Nov 8, 2026 603 PM/answer.docx": "x"}
    (one,) = found_at(tmp_path / "class", files, tmp_path / "unpacked").values()
    assert one.submitted == datetime(2026, 11, 8, 17, 3, tzinfo=UTC)
