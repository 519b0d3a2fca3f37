"""The command line as a person uses it: exit codes, clear words, and nothing half-written."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from grader.cli import app as cli
from grader.execution.sandbox import isolation
from grader.schema.errors import UsageError
from tests.support.command import COMMAND, NOTEBOOKS, RUBRIC, a_course, grader, needs_bubblewrap, small_digits
from tests.support.waiting import DEADLOCK_SECONDS, until

sandboxed = pytest.mark.bubblewrap


@pytest.fixture(scope="module")
def course_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course with its data, made once."""
    return a_course(tmp_path_factory.mktemp("course")).parent


@pytest.fixture
def rubric(course_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the course's rubric that a test may change; the command finds its data."""
    monkeypatch.setenv("GRADER_DATA", str(course_folder / "data"))
    return Path(shutil.copy(course_folder / "tiny.yaml", tmp_path / "tiny.yaml"))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where results go; not there yet."""
    return tmp_path / "results"


def grade_of(out: Path, name: str) -> dict[str, Any]:
    """A kept `grade.json`."""
    found: dict[str, Any] = json.loads((out / name / "grade.json").read_text(encoding="utf-8"))
    return found


# --- usage ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("version: 1", "version: 1\ncolour: red"), "tiny.yaml:2:1: unknown key 'colour'"),
        (("check: runs", "check: runds"), "unknown check 'runds'; did you mean 'runs'?"),
        (("check: runs", "chek: runs"), "unknown key 'chek'; did you mean 'check'?"),
        (("min_words", "mn_words"), "unknown key 'mn_words'; did you mean 'min_words'?"),
        (("title: A tiny course", "title: [open"), "not YAML"),
        (("points: 2", "points: many"), "points"),
        (("version: 1", "version: 7"), "version 7 is not known"),
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
        ((plain, "--rubric", "nonsense"), "shipped are"),
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
    assert (done.code, "is no folder" in done.err, file.read_text()) == (2, True, "mine")
    done = grader(*words, "/proc/nothing")
    assert done.code == 3
    assert "cannot write" in done.err
    assert "begun" not in done.err


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
    assert "'solution.ipynb' is neither beside the rubric nor in" in done.err
    assert grader("rubric", "validate", rubric).code == 2
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
        cli.app([*words, "--engine", "ray"], standalone_mode=False)
    assert not out.exists()


# --- grading -------------------------------------------------------------------------------------------------


@sandboxed
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
        "blank-cells": "the notebook has no code: every code cell is empty",
        "r": "the notebook is written for R, and this assignment is graded in Python",
        "not-json": "the file is not a notebook: it is a Python script",
        "zero": "the file is empty (0 bytes)",
    }
    for name, reason in reasons.items():
        assert {c["status"] for c in graded[name]["criteria"]} == {"failed"}
        assert all(c["advice"] for c in graded[name]["criteria"])
        assert graded[name]["execution"] is None
        assert reason in done.out
    errors = graded["pytorch"]["execution"]["errors"]
    # The import is passed over, so that what else the cell imports is there; what uses it ends.
    assert (errors[0]["cell"], errors[0]["name"]) == (1, "ModuleNotFoundError")
    assert "PyTorch is not part of this assignment" in errors[0]["advice"]
    errors = graded["raises"]["execution"]["errors"]
    assert [(e["cell"], e["message"]) for e in errors] == [(1, "invalid syntax (line 1)"), (2, "division by zero")]
    assert graded["raises"]["execution"]["cells_run"] == 4
    for name in graded:
        assert "<html" in (out / name / "report.html").read_text(encoding="utf-8")
    index = (out / "index.html").read_text(encoding="utf-8")
    assert all(f"{name}/report.html" in index for name in graded)
    assert len((out / "grades.csv").read_text(encoding="utf-8").splitlines()) == 1 + len(graded)
    left = [path for path in out.rglob("*") if path.name.startswith(".")]
    assert left == []


@sandboxed
def test_below_what_was_asked_for_is_exit_code_1(rubric: Path, out: Path) -> None:
    needs_bubblewrap()
    words = ("grade", NOTEBOOKS / "plain.ipynb", NOTEBOOKS / "not-json.ipynb", "--rubric", rubric, "--out", out)
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
    assert "without isolation: the notebooks run with all your rights" in done.err


@sandboxed
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


@sandboxed
def test_ctrl_c_ends_what_runs_and_keeps_what_is_done(rubric: Path, out: Path, tmp_path: Path) -> None:
    needs_bubblewrap()
    temp = tmp_path / "t"
    temp.mkdir()
    notebooks = [str(NOTEBOOKS / f"{name}.ipynb") for name in ("plain", "endless", "raises")]
    process = subprocess.Popen(
        [str(COMMAND), "grade", *notebooks, "--rubric", str(rubric), "--out", str(out), "--jobs", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temp)},
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("endless: begun"):
            break
    running = until(lambda: _in_sandbox(process.pid))
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=DEADLOCK_SECONDS)
    assert process.returncode == 130
    command = shlex.join(["grader", "grade", *notebooks, "--rubric", str(rubric), "--out", str(out), "--jobs", "1"])
    assert said == f"stopping … once more stops at once\nstopped. What is done is kept. This goes on:\n{command}\n"
    assert not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in running)
    assert list(temp.iterdir()) == []
    assert grade_of(out, "plain")["score"] == 3
    assert sorted(path.name for path in out.iterdir() if path.is_dir() and (path / "grade.json").exists()) == ["plain"]
    assert not (out / "raises").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_other_signals_that_ask_it_to_end_do_the_same(
    rubric: Path, out: Path, number: signal.Signals, code: int
) -> None:
    process = _endless(rubric, out)
    process.send_signal(number)
    try:
        _, said = process.communicate(timeout=DEADLOCK_SECONDS)
    finally:
        process.kill()
    assert process.returncode == code
    assert "What is done is kept" in said


def test_the_command_that_goes_on_does_not_begin_again(rubric: Path, out: Path) -> None:
    process = _endless(rubric, out, more=("--no-resume",))
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=DEADLOCK_SECONDS)
    assert f"--out {out} --isolation none\n" in said
    assert said.endswith("Without --no-resume: what was executed before and not yet again stands as it was.\n")


def test_a_second_ctrl_c_stops_at_once_and_the_next_run_tidies_up(rubric: Path, out: Path, tmp_path: Path) -> None:
    process = _endless(rubric, out, TMPDIR=str(tmp_path))
    running = psutil.Process(process.pid).children(recursive=True)
    # What holds up the first one: the grader's own wait for a kernel that does not answer.
    assert running
    for one in running:
        one.suspend()
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert process.stderr.readline() == "stopping … once more stops at once\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=DEADLOCK_SECONDS)
    assert process.returncode == 130
    psutil.wait_procs(running, timeout=DEADLOCK_SECONDS)
    assert not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in running)
    done = grader("grade", NOTEBOOKS / "not-json.ipynb", "--rubric", rubric, "--out", out, "--isolation", "none",
                  env={"TMPDIR": str(tmp_path)})  # fmt: skip
    assert done.code == 0
    assert not list(tmp_path.glob("grader-held-*"))


def _endless(rubric: Path, out: Path, *, more: Sequence[str] = (), **env: str) -> "subprocess.Popen[str]":
    """Start a grading whose notebook does not end, and wait until its kernel is there."""
    words = ["grade", str(NOTEBOOKS / "endless.ipynb"), "--rubric", str(rubric), "--out", str(out)]
    process = subprocess.Popen(
        [str(COMMAND), *words, *more, "--isolation", "none"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **env},
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("endless: begun"):
            break
    # Until the program itself is there, its sandbox is not tied to the grader yet.
    until(lambda: _in_sandbox(process.pid))
    return process


def test_two_graders_do_not_work_in_one_folder(rubric: Path, out: Path) -> None:
    process = _endless(rubric, out)
    try:
        words = ("grade", NOTEBOOKS / "plain.ipynb", "--rubric", rubric, "--out", out, "--isolation", "none")
        done = grader(*words)
        assert (done.code, done.out) == (2, "")
        assert "another grader is at work in this folder" in done.err
    finally:
        process.kill()
        process.communicate()
    assert grader(*words).code == 0


@pytest.mark.parametrize("jobs", ["0", "-1", "many", "1.5"])
def test_a_number_of_jobs_that_is_none_is_refused(rubric: Path, out: Path, jobs: str) -> None:
    done = grader("grade", NOTEBOOKS / "plain.ipynb", "--rubric", rubric, "--out", out, "--jobs", jobs)
    assert done.code == 2
    assert "neither `auto` nor a number from 1" in " ".join(done.err.split())
    assert not out.exists()


def test_more_jobs_than_the_memory_holds_are_fewer_and_it_is_said(rubric: Path, out: Path) -> None:
    huge = RUBRIC.replace("memory: 1 GiB", "memory: 4000 GiB")
    rubric.write_text(huge, encoding="utf-8")
    notebooks = [NOTEBOOKS / f"{name}.ipynb" for name in ("not-json", "empty")]
    done = grader("grade", *notebooks, "--rubric", rubric, "--out", out, "--isolation", "none", "--jobs", "2")
    assert done.code == 0
    assert "1 at the same time instead of 2: each notebook may use 4000.0 GiB of memory" in done.err


def _in_sandbox(pid: int) -> list[psutil.Process]:
    """The processes below a grader, once its kernel runs: a look at the kernel's Python comes before it."""
    found = psutil.Process(pid).children(recursive=True)
    return found if any(map(_is_kernel, found)) else []


def _is_kernel(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return "python" in process.name() and "inside.kernel" in " ".join(process.cmdline())
    return False


# --- regrade, report, check ----------------------------------------------------------------------------------


def _contents(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file() and ".sqlite" not in p.name}


@sandboxed
def test_a_regrade_changes_nothing_or_says_who_changed_and_why(rubric: Path, out: Path) -> None:
    needs_bubblewrap()
    notebooks = [NOTEBOOKS / f"{name}.ipynb" for name in ("plain", "no-kernel-metadata", "not-json")]
    assert grader("grade", *notebooks, "--rubric", rubric, "--out", out).code == 0
    before = _contents(out)
    done = grader("regrade", out)
    assert (done.code, done.out) == (0, "3 graded again, 0 changed\n")
    assert _contents(out) == before

    rubric.write_text(RUBRIC.replace("min_words: 3", "min_words: 300"), encoding="utf-8")
    done = grader("regrade", out, "--json", env={"PATH": "/nowhere"})
    assert done.code == 0, done.err
    changes = {change["submission"]: change for change in json.loads(done.out)["changed"]}
    # The other one has no explanation either way: its points stay, and its message says the new number of words.
    assert {name: (c["old"], c["new"]) for name, c in changes.items()} == {
        "plain": (3, 2),
        "no-kernel-metadata": (2, 2),
    }
    change = changes["plain"]
    assert (change["submission"], change["old"], change["new"]) == ("plain", 3, 2)
    assert change["criteria"] == ["explained"]
    assert change["why"][0].startswith("explained: 1 of 1 → 0 of 1, failed: ")
    assert grade_of(out, "plain")["score"] == 2
    assert grade_of(out, "not-json")["rubric"]["sha256"] == grade_of(out, "plain")["rubric"]["sha256"]

    rubric.write_text(RUBRIC.replace("points: 2", "points: 20"), encoding="utf-8")
    assert "3 graded again, 3 changed" in grader("regrade", out, "--rubric", rubric).out
    assert (grade_of(out, "not-json")["score"], grade_of(out, "not-json")["max_score"]) == (0, 21)
    page = out / "plain" / "report.html"
    written = page.read_bytes()
    page.unlink()
    (out / "index.html").unlink()
    assert grader("report", out).code == 0
    assert page.read_bytes() == written
    assert (out / "index.html").is_file()


@sandboxed
def test_a_regrade_says_what_it_cannot_bring_into_effect_and_what_does(rubric: Path, out: Path) -> None:
    needs_bubblewrap()
    command = ("--rubric", rubric, "--out", out)
    assert grader("grade", NOTEBOOKS / "plain.ipynb", *command).code == 0
    rubric.write_text(RUBRIC.replace("time: 60 s", "time: 50 s, seed: 4, attempts: 2"), encoding="utf-8")
    done = grader("regrade", out)
    assert (done.code, done.out) == (0, "1 graded again, 0 changed\n")
    said, advice = done.err.splitlines()
    assert said.startswith("not in effect: run.attempts, run.seed, run.time changed after 1 of 1 were executed")
    assert advice == f"grader grade PATH... --rubric {rubric} --out {out}"
    told = json.loads(grader("regrade", out, "--json").out)
    assert told["not_in_effect"] == ["run.attempts", "run.seed", "run.time"]
    assert grader("grade", NOTEBOOKS / "plain.ipynb", *command).code == 0
    done = grader("regrade", out)
    assert (done.out, done.err) == ("1 graded again, 0 changed\n", "")


def test_a_folder_without_results_cannot_be_regraded(tmp_path: Path) -> None:
    done = grader("regrade", tmp_path)
    assert done.code == 2
    assert "there are no results here" in done.err
    assert grader("report", tmp_path).code == 2
    assert grader("regrade", tmp_path / "gone").code == 2


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
    assert "plain: 3 of 7 points, 4 pending" in done.out
    assert "trap" not in done.out
    done = grader("check", bare, "--rubric", rubric, "--format", "json")
    assert done.code == 1
    told = json.loads(done.out)
    assert (told["score"], told["max_score"], told["pending"]) == (2, 7, 4)
    assert [c["id"] for c in told["criteria"]] == ["runs", "explained", "judged"]
    assert grader("check", bare, "--rubric", rubric, "--fail-under", "2").code == 0
    done = grader("check", NOTEBOOKS, "--rubric", rubric)
    assert done.code == 2
    assert "looks at one" in done.err
    assert "begun" not in done.err


# --- rubrics and data ----------------------------------------------------------------------------------------


@sandboxed
def test_a_reference_is_kept_by_a_command_and_refused_when_it_changed(rubric: Path, out: Path) -> None:
    needs_bubblewrap()
    rubric.write_text(RUBRIC + "reference: solution.ipynb\n", encoding="utf-8")
    solution = rubric.with_name("solution.ipynb")
    shutil.copy(NOTEBOOKS / "no-kernel-metadata.ipynb", solution)
    done = grader("rubric", "test", rubric, "--update")
    assert done.code == 1
    assert "not kept: the reference does not get full marks" in done.err
    shutil.copy(NOTEBOOKS / "plain.ipynb", solution)
    done = grader("rubric", "test", rubric, "--update")
    assert done.code == 0, done.err
    words = ("grade", NOTEBOOKS / "plain.ipynb", "--rubric", rubric, "--out", out)
    assert grader(*words).code == 0
    assert grade_of(out, "plain")["reference"] is not None
    solution.write_text(solution.read_text(encoding="utf-8").replace("[1, 2, 3]", "[1, 2]"), encoding="utf-8")
    done = grader(*words)
    assert done.code == 3
    assert "changed since its evidence was kept" in done.err


def test_rubrics_are_listed_shown_validated_and_described(rubric: Path) -> None:
    listed = json.loads(grader("rubric", "list", "--json").out)
    assert "mnist-cnn" in {one["id"] for one in listed}
    assert all(Path(one["file"]).is_file() for one in listed)
    assert "mnist-cnn" in grader("rubric", "list").out
    assert json.loads(grader("rubric", "show", rubric, "--json").out)["id"] == "tiny"
    assert "explained" in grader("rubric", "show", rubric).out
    assert json.loads(grader("rubric", "schema").out)["type"] == "object"
    done = grader("rubric", "validate", rubric, "mnist-cnn")
    assert (done.code, done.out.count(": valid, ")) == (0, 2)
    done = grader("rubric", "test", rubric)
    assert (done.code, "the rubric names no reference" in done.err) == (2, True)


def test_data_sets_are_listed_found_and_imported(tmp_path: Path) -> None:
    env = {"GRADER_DATA": str(tmp_path / "data")}
    listed = {one["name"]: one["source"] for one in json.loads(grader("data", "list", "--json", env=env).out)}
    assert listed["mnist"] == "package"
    assert "digits" not in listed
    done = grader("data", "import", "digits", small_digits(tmp_path / "d.npz"), env=env)
    assert (done.code, Path(done.out.strip()).is_file()) == (0, True)
    assert "digits" in grader("data", "list", env=env).out
    assert Path(grader("data", "path", "digits", env=env).out.strip()).exists()
    for words, code, said in (
        (("path", "nosuch"), 3, "there is no data set called `nosuch`"),
        (("fetch", "digits"), 3, "`grader data import digits FILE`"),
        (("import", "Bad Name", tmp_path / "d.npz"), 2, "cannot be the name"),
        (("import", "other", Path(__file__)), 3, "none of the formats"),
        (("import", "other", tmp_path / "gone.npz"), 2, "does not exist"),
    ):
        done = grader("data", *words, env=env)
        assert (done.code, said in done.err) == (code, True), done


# --- this machine --------------------------------------------------------------------------------------------


def test_doctor_says_what_there_is_and_the_command_that_mends_what_is_not(tmp_path: Path) -> None:
    done = grader("doctor", "--json")
    told = {line["name"]: line for line in json.loads(done.out)}
    expected = {"Python", "TensorFlow", "Keras 3", "Keras 2", "sandbox", "GPU", "memory", "disk", "data: mnist"}
    assert expected <= set(told)
    assert done.code == (3 if any(line["verdict"] == "fail" for line in told.values()) else 0)
    assert all(line["mend"] or line["name"] == "cores" for line in told.values() if line["verdict"] != "ok")
    for name in ("dpkg", "apt-get"):
        (tmp_path / name).touch(mode=0o755)
    done = grader("doctor", env={"PATH": str(tmp_path), "COLUMNS": "60"})
    assert done.code == 3
    assert "bubblewrap is not installed" in " ".join(done.out.split())
    assert any(line.endswith("apt-get install -y bubblewrap") for line in done.out.splitlines())


def test_the_command_answers_quickly_and_knows_its_version() -> None:
    assert grader("--version").out.startswith("grader 0.")
    done = grader("--help")
    commands = ("grade", "check", "regrade", "report", "rubric", "data", "doctor", "demo")
    assert all(f"  {command} " in done.out for command in commands)
    assert grader("nonsense").code == 2


# --- decisions, in this process ------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Note what `demo` asks to be graded, and grade nothing."""
    found: list[Any] = []

    def note(paths: Any, loaded: Any, options: Any, out: Any) -> tuple[()]:
        found.append((paths, loaded.rubric.id, options, out))
        return ()

    monkeypatch.setattr(cli, "_grade", note)
    monkeypatch.setenv("PATH", "/nowhere")
    # What was found with another PATH is remembered for the rest of the process.
    monkeypatch.setattr(isolation, "_working_bubblewrap", isolation._working_bubblewrap.__wrapped__)
    monkeypatch.setattr(isolation, "_probe_engine", isolation._probe_engine.__wrapped__)
    return found


def _leave(*words: str) -> int:
    with pytest.raises(SystemExit) as left:
        cli.main(words)
    return int(left.value.code or 0)


def test_the_demo_grades_its_own_samples_without_a_sandbox_and_says_so(
    asked: list[Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert _leave("demo", "--out", str(tmp_path / "o")) == 0
    ((paths, rubric, options, _),) = asked
    assert (rubric, options.isolation) == ("mnist-cnn", "none")
    assert "amara.ipynb" in {path.name for path in paths[0].iterdir()}
    said = " ".join(capsys.readouterr().err.split())
    assert "apt-get install bubblewrap" in said
    assert "graded without isolation" in said


def test_the_demo_does_not_do_without_the_sandbox_that_was_asked_for(asked: list[Any], tmp_path: Path) -> None:
    assert _leave("demo", "--isolation", "bubblewrap", "--out", str(tmp_path / "o")) == 2
    assert asked == []


@pytest.mark.parametrize(
    ("fault", "code"), [(ValueError("odd [bold] value"), 3), (UsageError("no"), 2), (KeyboardInterrupt(), 130)]
)
def test_an_unforeseen_fault_has_its_own_exit_code_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fault: BaseException, code: int
) -> None:
    def fail() -> None:
        raise fault

    monkeypatch.setattr("grader.pipeline.course.shipped_rubrics", fail)
    assert _leave("rubric", "list") == code
    said = capsys.readouterr().err
    assert "Traceback" not in said
    if isinstance(fault, ValueError):
        assert "ValueError: odd [bold] value" in said
