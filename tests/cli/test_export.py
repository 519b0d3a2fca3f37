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
