"""`grader grade`, `check` and `demo` as a person uses them: exit codes, clear words, and nothing half-written."""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from grader.cli import grade
from grader.cli.app import app
from grader.execution.sandbox import bubblewrap, choice, container
from grader.schema.errors import UsageError
from tests.support.command import (
    NOTEBOOKS,
    RUBRIC,
    exit_code_of,
    grade_of,
    grader,
    needs_bubblewrap,
)

sandboxed = pytest.mark.bubblewrap


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("version: 1", "version: 1\ncolour: red"), "tiny.yaml:2:1: unknown key 'colour'"),
        (("check: runs", "check: runds"), "unknown check 'runds'; did you mean 'runs'?"),
        (("check: runs", "chek: runs"), "unknown key 'chek'; did you mean 'check'?"),
        (("min_words", "mn_words"), "unknown key 'mn_words'; did you mean 'min_words'?"),
        (("title: A tiny course", "title: [open"), "not YAML"),
        (("points: 2", "points: many"), "points"),
        (("version: 1", "version: 7"), "unknown version 7"),
    ],
)
def test_a_broken_rubric_is_refused_with_its_line(rubric: Path, out: Path, change: tuple[str, str], said: str) -> None:
    rubric.write_text(RUBRIC.replace(*change), encoding="utf-8")
    done = grader("grade", NOTEBOOKS / "plain.ipynb", "--rubric", rubric, "--out", out)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert "Tuple" not in done.err
    assert not out.exists()


def test_what_is_not_there_is_a_usage_error_and_writes_nothing(rubric: Path, out: Path, tmp_path: Path) -> None:
    plain = NOTEBOOKS / "plain.ipynb"
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling.ipynb").symlink_to("gone.ipynb")
    for words, said in (
        ((tmp_path / "gone.ipynb", "--rubric", rubric), "there is no such file or folder"),
        ((tmp_path / "dangling.ipynb", "--rubric", rubric), "there is no such file or folder"),
        ((tmp_path / "folder", "--rubric", rubric), "there is no notebook here"),
        ((plain, "--rubric", "nonsense"), "the shipped rubrics are"),
        ((plain, "--rubric", tmp_path / "gone.yaml"), "the rubric cannot be read"),
        ((plain, "--rubric", tmp_path / "folder"), "the rubric cannot be read"),
        ((plain, "--rubric", rubric, "--colour"), "No such option"),
        ((plain,), "Missing option '--rubric'"),
    ):
        done = grader("grade", *words, "--out", out)
        assert (done.code, done.out) == (2, ""), done
        assert said in done.err
        assert not out.exists()


def test_results_that_cannot_be_written_are_told_before_anything_runs(rubric: Path, tmp_path: Path) -> None:
    needs_bubblewrap()
    words = ("grade", NOTEBOOKS / "plain.ipynb", "--rubric", rubric, "--out")
    file = tmp_path / "file"
    file.write_text("mine")
    done = grader(*words, file)
    assert (done.code, "not a folder" in done.err, file.read_text()) == (2, True, "mine")
    done = grader(*words, "/proc/nothing")
    assert done.code == 3
    assert "cannot write" in done.err
    assert ": started" not in done.err


def test_a_missing_data_set_and_a_missing_reference_are_told_with_what_mends_them(
    rubric: Path, out: Path, tmp_path: Path
) -> None:
    words = ("grade", NOTEBOOKS / "plain.ipynb", "--rubric", rubric, "--out", out)
    done = grader(*words, env={"GRADER_DATA": str(tmp_path / "no-data")})
    assert done.code == 3
    assert "`grader data import NAME FILE`" in done.err
    rubric.write_text(RUBRIC + "reference: solution.ipynb\n", encoding="utf-8")
    done = grader(*words)
    assert done.code == 2
    assert "'solution.ipynb' is neither next to the rubric nor in" in done.err
    done = grader("rubric", "validate", rubric)
    assert done.code == 0
    assert "solution.ipynb" in done.out + done.err
    shutil.copy(NOTEBOOKS / "plain.ipynb", rubric.with_name("solution.ipynb"))
    done = grader(*words)
    assert done.code == 3
    assert f"`grader rubric test {rubric} --update`" in done.err
    assert not out.exists()


def test_without_a_sandbox_strangers_notebooks_are_refused(rubric: Path, out: Path) -> None:
    done = grader("grade", NOTEBOOKS / "plain.ipynb", "--rubric", rubric, "--out", out, env={"PATH": "/nowhere"})
    assert done.code == 2
    assert "apt-get install bubblewrap" in done.err
    assert "--isolation none" in done.err
    assert not out.exists()


def test_a_missing_gpu_is_told(rubric: Path, out: Path) -> None:
    words = ("grade", NOTEBOOKS / "plain.ipynb", "--rubric", rubric, "--out", out)
    done = grader(*words, "--device", "gpu", env={"PATH": "/usr/bin:/bin"})
    if shutil.which("nvidia-smi"):
        pytest.skip("there is a GPU")
    assert done.code == 2
    assert not out.exists()


def test_an_engine_that_is_not_there_is_told_with_what_installs_it(
    rubric: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["grade", str(NOTEBOOKS / "plain.ipynb"), "--rubric", str(rubric), "--out", str(out)]
    done = grader(*words, "--address", "auto")
    assert (done.code, "`--engine ray`" in done.err) == (2, True)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install 'cnn-grader\[ray\]'"):
        app([*words, "--engine", "ray"], standalone_mode=False)
    assert not out.exists()


@sandboxed
def test_how_a_download_was_read_is_printed_and_kept(rubric: Path, out: Path, tmp_path: Path) -> None:
    needs_bubblewrap()
    download = tmp_path / "canvas"
    download.mkdir()
    for name in ("raybob_12346_67891_hw.ipynb", "raybob_12346_67894_draft.ipynb"):
        shutil.copy(NOTEBOOKS / "plain.ipynb", download / name)
    (download / "raybob_12346_67892_helper.py").write_text("V = 1\n", encoding="utf-8")
    (download / "leeann_12347_67893_text.html").write_text("<p>I could not do it.", encoding="utf-8")
    (download / "roster.txt").write_text("Ann Lee, Bob Ray", encoding="utf-8")
    done = grader("grade", download, "--rubric", rubric, "--out", out, "--no-warm")
    assert done.code == 0, done
    assert "canvas: roster.txt belongs to no submission" in done.err
    assert "files: raybob-12346: draft.ipynb counts; the submission also has hw.ipynb" in done.out
    grade = grade_of(out, "raybob-12346")
    assert grade["submission"]["files"] == ["draft.ipynb", "helper.py", "hw.ipynb"]
    assert grade["submission"]["notes"] == ["draft.ipynb counts; the submission also has hw.ipynb"]
    assert "draft.ipynb counts" in (out / "raybob-12346" / "report.html").read_text(encoding="utf-8")
    assert grade_of(out, "leeann-12347")["submission"]["files"] == ["text.html"]
    regraded = grader("regrade", out, "--rubric", rubric)
    assert regraded.code == 0, regraded
    assert grade_of(out, "raybob-12346") == grade


@sandboxed
@pytest.mark.slow
def test_a_folder_of_good_and_bad_gets_a_clear_grade_for_each(rubric: Path, out: Path, tmp_path: Path) -> None:
    needs_bubblewrap()
    names = (
        "plain raises no-kernel-metadata empty blank-cells r pytorch version-3 not-json".split()  # noqa: SIM905
    )
    handed_in = tmp_path / "class"
    handed_in.mkdir()
    for name in names:
        shutil.copy(NOTEBOOKS / f"{name}.ipynb", handed_in)
    (handed_in / "zero.ipynb").touch()
    done = grader("grade", handed_in, "--rubric", rubric, "--out", out, "--jobs", "2")
    assert done.code == 0, done.err
    graded = {name: grade_of(out, name) for name in (*names, "zero")}
    assert {name: grade["score"] for name, grade in graded.items()} == {
        "plain": 3,
        "no-kernel-metadata": 2,
        "version-3": 3,
        "raises": 0,
        "pytorch": 0,
        "empty": 0,
        "blank-cells": 0,
        "r": 0,
        "not-json": 0,
        "zero": 0,
    }
    assert {grade["status"] for grade in graded.values()} == {"graded"}
    reasons = {name: grade["reason"] for name, grade in graded.items() if grade["reason"]}
    assert reasons == {
        "empty": "the notebook has no cells",
        "r": "the notebook is written in R, but this assignment requires Python",
        "not-json": "the file is a Python script, not a notebook",
        "zero": "the file is empty (0 bytes)",
    }
    for name, reason in reasons.items():
        assert {c["status"] for c in graded[name]["criteria"]} == {"failed"}
        assert graded[name]["criteria"][0]["advice"]
        assert graded[name]["execution"] is None
        assert reason in done.out
    errors = graded["pytorch"]["execution"]["errors"]
    # The import is passed over, so that what else the cell imports is there; what uses it ends.
    assert (errors[0]["cell"], errors[0]["name"]) == (1, "ModuleNotFoundError")
    assert "PyTorch is not installed for this assignment" in errors[0]["advice"]
    errors = graded["raises"]["execution"]["errors"]
    assert [(e["cell"], e["message"]) for e in errors] == [(1, "invalid syntax (line 1)"), (2, "division by zero")]
    assert graded["raises"]["execution"]["cells_run"] == 4
    for name in graded:
        assert "<html" in (out / name / "report.html").read_text(encoding="utf-8")
    index = (out / "index.html").read_text(encoding="utf-8")
    assert all(f"{name}/instructor.html" in index for name in graded)
    assert len((out / "grades.csv").read_text(encoding="utf-8").splitlines()) == 1 + len(graded)
    left = [path for path in out.rglob("*") if path.name.startswith(".")]
    assert left == []


@sandboxed
def test_below_what_was_asked_for_is_exit_code_1(rubric: Path, out: Path) -> None:
    needs_bubblewrap()
    notebooks = (NOTEBOOKS / "plain.ipynb", NOTEBOOKS / "not-json.ipynb")
    words = ("grade", *notebooks, "--rubric", rubric, "--out", out, "--no-warm")
    assert grader(*words, "--fail-under", "0").code == 0
    done = grader(*words, "--fail-under", "0.5", "--json")
    assert done.code == 1
    told = json.loads(done.out)
    assert [(g["submission"], g["score"], g["max_score"]) for g in told["grades"]] == [
        ("plain", 3, 3),
        ("not-json", 0, 3),
    ]
    assert Path(told["index"]).is_file()
    assert all(Path(g["report"]).is_file() for g in told["grades"])


def test_without_isolation_is_said_loudly(rubric: Path, out: Path) -> None:
    words = ("grade", NOTEBOOKS / "not-json.ipynb", "--rubric", rubric, "--out", out, "--isolation", "none")
    done = grader(*words, env={"PATH": "/nowhere"})
    assert done.code == 0
    assert "without isolation: the notebooks run with all your permissions" in done.err


@sandboxed
@pytest.mark.slow
def test_a_notebook_of_100_megabytes_is_graded(rubric: Path, out: Path, tmp_path: Path) -> None:
    needs_bubblewrap()
    notebook = json.loads((NOTEBOOKS / "plain.ipynb").read_text(encoding="utf-8"))
    notebook["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x" * (100 << 20)}]
    large = tmp_path / "large.ipynb"
    large.write_text(json.dumps(notebook), encoding="utf-8")
    done = grader("grade", large, "--rubric", rubric, "--out", out)
    assert done.code == 0, done.err
    assert grade_of(out, "large")["score"] == 3
    assert (out / "large" / "executed.ipynb").stat().st_size < 100_000


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_cannot_be_read_is_not_graded(rubric: Path, out: Path, tmp_path: Path) -> None:
    locked = Path(shutil.copy(NOTEBOOKS / "plain.ipynb", tmp_path / "locked.ipynb"))
    locked.chmod(0)
    done = grader("grade", locked, "--rubric", rubric, "--out", out, "--isolation", "none")
    assert done.code == 3
    assert grade_of(out, "locked")["status"] == "not_graded"
    assert "cannot be read" in grade_of(out, "locked")["reason"]


@pytest.mark.parametrize("jobs", ["0", "-1", "many", "1.5"])
def test_a_number_of_jobs_that_is_none_is_refused(rubric: Path, out: Path, jobs: str) -> None:
    done = grader("grade", NOTEBOOKS / "plain.ipynb", "--rubric", rubric, "--out", out, "--jobs", jobs)
    assert done.code == 2
    assert "neither `auto` nor a positive integer" in " ".join(done.err.split())
    assert not out.exists()


def test_more_jobs_than_the_memory_holds_are_fewer_and_it_is_said(rubric: Path, out: Path) -> None:
    huge = RUBRIC.replace("memory: 1 GiB", "memory: 4000 GiB")
    rubric.write_text(huge, encoding="utf-8")
    notebooks = [NOTEBOOKS / f"{name}.ipynb" for name in ("not-json", "empty")]
    done = grader("grade", *notebooks, "--rubric", rubric, "--out", out, "--isolation", "none", "--jobs", "2")
    assert done.code == 0
    assert "1 at the same time instead of 2: each notebook may use 4000.0 GiB of memory" in done.err


@sandboxed
def test_a_check_tells_an_author_what_is_missing_and_nothing_that_is_hidden(rubric: Path, tmp_path: Path) -> None:
    needs_bubblewrap()
    # A reference that was never executed must not matter: students do not have one.
    shutil.copy(NOTEBOOKS / "plain.ipynb", tmp_path / "solution.ipynb")
    trap = "  - {id: secret, title: A trap, points: 5, check: text, with: {min_words: 900}, hidden: true}\n"
    judged = "  - {id: judged, points: 4, manual: {guide: Read it.}}\n"
    rubric.write_text(RUBRIC + trap + judged + "reference: solution.ipynb\n", encoding="utf-8")
    plain, bare = NOTEBOOKS / "plain.ipynb", NOTEBOOKS / "no-kernel-metadata.ipynb"
    done = grader("check", plain, "--rubric", rubric)
    assert done.code == 0, done.out
    assert done.out.splitlines()[-1] == "3 of 3 · 2 passed, 1 waits for a person"
    assert "trap" not in done.out
    done = grader("check", bare, "--rubric", rubric, "--format", "json")
    assert done.code == 1
    told = json.loads(done.out)
    assert (told["score"], told["max_score"], told["pending"]) == (2, 7, 4)
    assert [c["id"] for c in told["criteria"]] == ["runs", "explained", "judged"]
    assert grader("check", bare, "--rubric", rubric, "--fail-under", "2").code == 0
    done = grader("check", NOTEBOOKS, "--rubric", rubric)
    assert done.code == 2
    assert "grades only one" in done.err
    assert ": started" not in done.err


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Note what `demo` asks to be graded, and grade nothing."""
    found: list[Any] = []

    def note(paths: Any, loaded: Any, options: Any, out: Any) -> tuple[tuple[()], None]:
        found.append((paths, loaded.rubric.id, options, out))
        return (), None

    monkeypatch.setattr(grade, "_grade", note)
    monkeypatch.setenv("PATH", "/nowhere")
    # What was found with another PATH is remembered for the rest of the process.
    monkeypatch.setattr(choice, "working_bubblewrap", bubblewrap.working_bubblewrap.__wrapped__)
    monkeypatch.setattr(choice, "probe_engine", container.probe_engine.__wrapped__)
    return found


def test_the_demo_grades_its_own_samples_without_a_sandbox_and_says_so(
    asked: list[Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert exit_code_of("demo", "--out", str(tmp_path / "o")) == 0
    ((paths, rubric, options, _),) = asked
    assert (rubric, options.isolation) == ("mnist-cnn", "none")
    assert "amara.ipynb" in {path.name for path in paths[0].iterdir()}
    said = " ".join(capsys.readouterr().err.split())
    assert "apt-get install bubblewrap" in said
    assert "graded without isolation" in said


def test_the_demo_does_not_do_without_the_sandbox_that_was_asked_for(asked: list[Any], tmp_path: Path) -> None:
    assert exit_code_of("demo", "--isolation", "bubblewrap", "--out", str(tmp_path / "o")) == 2
    assert asked == []
