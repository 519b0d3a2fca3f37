"""`grader export`: the command writes tables, lists damaged submissions, and explains wrong options."""

import json
from pathlib import Path

import pytest

from grader.store.results import ResultsFolder
from tests.support.command import grader
from tests.support.sample_results import sample_results


@pytest.fixture
def out(tmp_path: Path) -> ResultsFolder:
    """The results of one assignment."""
    return sample_results(tmp_path)["parameter-golf"]


def test_tables_are_written_and_counted(out: ResultsFolder) -> None:
    done = grader("export", out.root, "--to", "csv")
    assert done.code == 0
    assert "submissions: 3, rows: grades 3, submissions 3, students 0, criteria 15" in done.out
    assert done.out.endswith(f"written: {out.root / 'export' / 'csv'}\n")
    assert (out.root / "export" / "csv" / "trainings.csv").is_file()


def test_damaged_submissions_are_listed_with_exit_code_3(out: ResultsFolder, tmp_path: Path) -> None:
    out.grade_path("hugo").write_text("{")
    done = grader("export", out.root, "--to", "parquet", "--table", "notes", "--out", tmp_path / "n.parquet", "--json")
    assert done.code == 3
    summary = json.loads(done.out)
    assert summary["path"] == str(tmp_path / "n.parquet")
    assert summary["rows"] == {"notes": 1}
    assert [one["submission"] for one in summary["damaged"]] == ["hugo"]
    assert "damaged: hugo: the file is damaged" in grader("export", out.root, "--to", "csv").out


def test_wrong_options_have_exit_code_2_and_the_nearest_name(out: ResultsFolder, tmp_path: Path) -> None:
    done = grader("export", out.root, "--to", "parquett")
    assert (done.code, "did you mean 'parquet'?" in done.err) == (2, True)
    done = grader("export", out.root, "--to", "csv", "--key", tmp_path / "key")
    assert (done.code, "--anonymous" in done.err) == (2, True)
    assert not (tmp_path / "key").exists()


def test_an_anonymous_export_makes_its_key_in_the_results_folder(out: ResultsFolder) -> None:
    assert grader("export", out.root, "--to", "csv", "--anonymous").code == 0
    assert (out.root / "pseudonyms.key").stat().st_mode & 0o077 == 0
    assert "gloria" not in (out.root / "export" / "csv" / "submissions.csv").read_text()


# --- grades for other tools --------------------------------------------------------------------------------------


def sheet_for(out: ResultsFolder, folder: Path) -> Path:
    """A gradebook of Canvas with two of the three students, and one of nobody."""
    path = folder / "canvas.csv"
    path.write_bytes(
        b"Student,ID,SIS Login ID,Section,Golf (5)\r\n    Points Possible,,,,100\r\n"
        b"Gloria,1,gloria,x,50\r\nHugo,2,hugo,x,\r\nSomebody,3,,x,\r\n"
    )
    assert {"gloria", "hugo"} < set(out.submissions())
    return path


def test_grades_are_filled_in_and_both_sides_leftovers_are_named(out: ResultsFolder, tmp_path: Path) -> None:
    sheet, target = sheet_for(out, tmp_path), tmp_path / "new.csv"
    words = ("export", out.root, "--to", "canvas", "--worksheet", sheet, "--column", "golf", "--out", target)
    done = grader(*words)
    assert done.code == 0, done.err
    (other,) = set(out.submissions()) - {"gloria", "hugo"}
    for row in (("gloria", "written", "replaces 50"), ("hugo", "written"), ("Somebody", "left")):
        assert any(all(word in line for word in row) for line in done.out.splitlines()), row
    assert any(other in line and "unmatched" in line for line in done.out.splitlines())
    assert "written: 2, not found in the file: 1, rows of nobody in the class: 1" in done.out
    assert done.out.endswith(f"written: {target}\n")
    rows = json.loads(grader(*words, "--json").out)["rows"]
    assert {row["state"] for row in rows} == {"written", "unmatched", "left"}
    assert set(rows[0]) == {"student", "submission", "state", "value", "why", "place"}


def test_scores_that_are_held_back_are_counted_and_named(out: ResultsFolder) -> None:
    for name, fields in (("hugo", {"status": "not_graded", "score": None}), ("gloria", {"pending": 5.0})):
        grade = out.read_grade(name)
        assert grade is not None
        out.write_grade(grade.model_copy(update=fields))
    done = grader("export", out.root, "--to", "json")
    assert done.code == 3
    assert "held back: 2" in done.out
    assert "it was not graded, because the grader failed" in done.out
    assert "held back because points are pending: 1 (gloria); `--with-pending` writes them" in done.out


def test_an_option_of_another_kind_of_format_has_exit_code_2(out: ResultsFolder) -> None:
    done = grader("export", out.root, "--to", "csv", "--with-pending")
    assert (done.code, "--with-pending: the format csv does not use it" in done.err) == (2, True)
