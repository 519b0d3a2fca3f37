"""Killed at any moment, the grader goes on and ends with the grades of a run that nobody disturbed."""

import csv
import json
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest

from grader.execution.sandbox import scratch
from tests.support.command import COMMAND, RUBRIC, a_course, needs_bubblewrap
from tests.support.crashing import rows
from tests.support.waiting import DEADLOCK_SECONDS, until

pytestmark = pytest.mark.slow

SEED = 20260
CELLS = {
    "anna": ("numbers = [1, 2, 3]", "print(sum(numbers))"),
    "bela": ("import time; time.sleep(0.4)", "print('slow')"),
    "cara": ("1 / 0", "print('after')"),
    "dora": ("open('left-over', 'w').write('x' * 100_000)", "print('wrote')"),
}


def _tried(folder: Path, step: int) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.crashing", str(folder), str(step)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert min(one["changes"] for one in told.values()) > 50
    return {name: one["wrong"] for name, one in told.items()}


def test_a_run_killed_before_some_of_its_changes_ends_like_an_undisturbed_one(tmp_path: Path) -> None:
    assert _tried(tmp_path, 9) == {"fresh": [], "changed": [], "taken back": []}


@pytest.mark.slow
@pytest.mark.early
def test_a_run_killed_before_any_of_its_changes_ends_like_an_undisturbed_one(tmp_path: Path) -> None:
    assert _tried(tmp_path, 1) == {"fresh": [], "changed": [], "taken back": []}


# --- the real command ----------------------------------------------------------------------------------------


class Class:
    """A class of tiny notebooks, and the command that grades it in a session of its own."""

    def __init__(self, folder: Path, isolation: str) -> None:
        self.folder = folder
        self.isolation = isolation
        self.rubric = a_course(folder / "course")
        # Room enough on a machine that does other things as well: a time budget that ends is a grade of its own.
        self.rubric.write_text(RUBRIC.replace("time: 60 s", "time: 30 min"), encoding="utf-8")
        self.temp = folder / "temp"
        self.temp.mkdir()
        self.notebooks = folder / "class"
        self.notebooks.mkdir()
        for name, cells in CELLS.items():
            notebook = nbformat.v4.new_notebook(
                cells=[nbformat.v4.new_code_cell(cell, id=f"c{place}") for place, cell in enumerate(cells)]
            )
            nbformat.write(notebook, self.notebooks / f"{name}.ipynb")
        (self.notebooks / "emil.ipynb").write_text("no notebook", encoding="utf-8")

    def start(self, out: Path, *more: str) -> "subprocess.Popen[bytes]":
        words = ["grade", self.notebooks, "--rubric", self.rubric, "--out", out, "--isolation", self.isolation, *more]
        env = {"GRADER_DATA": str(self.folder / "course" / "data"), "TMPDIR": str(self.temp)}
        with (self.folder / "said").open("wb") as said:
            return subprocess.Popen(
                [str(COMMAND), *map(str, words)],
                env={**os.environ, **env},
                stdout=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
            )

    def leftovers(self) -> list[str]:
        """List leftovers of a killed grader other than its results."""
        running = [
            f"{process.pid} {process.info['name']}"
            for process in psutil.process_iter(["name"])
            if process.pid != os.getpid() and _mentions(process, str(self.temp))
        ]
        return [*running, *map(str, self.temp.iterdir()), *map(str, _abandoned())]


def _mentions(process: psutil.Process, text: str) -> bool:
    try:
        told = Path(f"/proc/{process.pid}/environ").read_bytes() + Path(f"/proc/{process.pid}/cmdline").read_bytes()
        return text.encode() in told and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, psutil.Error):
        return False


def _abandoned() -> Iterator[Path]:
    """Folders for sockets whose grader has ended."""
    for path in scratch._left_behind(Path("/tmp")):  # noqa: S108 — where sockets are
        descriptor = scratch._locked(path, must=True)
        if descriptor is not None:
            os.close(descriptor)
            yield path


@pytest.fixture(params=["none", pytest.param("bubblewrap", marks=pytest.mark.bubblewrap)])
def students(request: pytest.FixtureRequest, tmp_path: Path) -> Class:
    if request.param == "bubblewrap":
        needs_bubblewrap()
    return Class(tmp_path, request.param)


def _grades(out: Path) -> dict[str, Any]:
    """Every grade without what differs from run to run: seconds, memory, CPU time and the seal."""
    found = {}
    for path in sorted(out.glob("*/grade.json")):
        grade = json.loads(path.read_text(encoding="utf-8"))
        for varying in ("seconds", "peak_memory_mib", "cpu_seconds", "cpu_share", "pressure"):
            (grade["execution"] or {}).pop(varying, None)
        del grade["seal"]
        found[path.parent.name] = grade
    return found


def _table(out: Path) -> list[dict[str, str]]:
    with (out / "grades.csv").open(encoding="utf-8", newline="") as file:
        return [{key: cell for key, cell in row.items() if "seconds" not in key} for row in csv.DictReader(file)]


def _database(out: Path) -> list[dict[str, Any]]:
    # A grade's basis holds its seconds.
    return rows(out, without=("seconds", "finished", "basis"))


def _names(out: Path) -> set[str]:
    return {str(p.relative_to(out)) for p in out.rglob("*") if not p.name.startswith("grader.sqlite-")}


@pytest.mark.slow
@pytest.mark.early
def test_thirty_kills_cost_nothing_but_time(students: Class) -> None:
    undisturbed = students.folder / "undisturbed"
    begun = time.monotonic()
    assert students.start(undisturbed, "--jobs", "2").wait(600) == 0
    seconds = time.monotonic() - begun
    moments = random.Random(SEED)  # noqa: S311 — moments, no secrets
    kills = runs = 0
    while kills < 15:  # for each of the two isolations
        runs += 1
        out = students.folder / f"out-{runs}"
        while True:
            process = students.start(out, "--jobs", "2")
            try:
                code = process.wait(moments.uniform(0, 1.1 * seconds) if kills < 15 else 600)
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
                kills += 1
                continue
            assert code == 0, (students.folder / "said").read_text(encoding="utf-8")
            break
        assert _grades(out) == _grades(undisturbed)
        assert _table(out) == _table(undisturbed)
        assert _database(out) == _database(undisturbed)
        assert _names(out) == _names(undisturbed)
        until(lambda: not students.leftovers())


def test_a_grader_killed_while_a_cell_runs_leaves_nothing_that_runs_and_the_next_run_tidies_up(students: Class) -> None:
    long = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(_LONG)])
    for path in students.notebooks.iterdir():
        path.unlink()
    nbformat.write(long, students.notebooks / "long.ipynb")
    out = students.folder / "out"
    process = students.start(out)
    until(lambda: any("1234" in _command_of(one) for one in _below(process.pid)))
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    if students.isolation == "bubblewrap":
        until(lambda: not any("held" not in left for left in students.leftovers()))
    nbformat.write(nbformat.v4.new_notebook(), students.notebooks / "long.ipynb")
    assert students.start(out).wait(DEADLOCK_SECONDS) == 0
    until(lambda: not students.leftovers())


_LONG = """
import subprocess, time
subprocess.Popen(["sleep", "1234"], start_new_session=True)
time.sleep(600)
"""


def _command_of(process: psutil.Process) -> str:
    """Its command line; empty when it has ended meanwhile."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _below(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


# --- a full disk ---------------------------------------------------------------------------------------------


@pytest.mark.bubblewrap
@pytest.mark.parametrize("left", [16, 60, 90])
def test_a_full_disk_ends_with_words_and_the_same_command_goes_on(tmp_path: Path, left: int) -> None:
    """Results on a disk of 1 MiB, of which so many KiB are left: a smaller one fails earlier."""
    needs_bubblewrap()
    rubric, out = a_course(tmp_path / "course"), tmp_path / "out"
    out.mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", id="c1")]), tmp_path / "anna.ipynb")
    command = shlex.join(
        map(str, [COMMAND, "grade", tmp_path / "anna.ipynb", "--rubric", rubric, "--out", out, "--isolation", "none"])
    )
    script = f"""
cd {out} && head -c {(1024 - left) * 1024} /dev/zero > filler
{command}; echo "first $?"
rm filler
{command}; echo "then $?"
cat anna/grade.json | tr -d ' \n'; find . -name '.writing-*' -o -name '.evidence-*'
"""
    done = subprocess.run(
        [
            "/usr/bin/env",
            "bwrap",
            "--dev-bind",
            "/",
            "/",
            "--size",
            str(1 << 20),
            "--tmpfs",
            str(out),
            "sh",
            "-c",
            script,
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "GRADER_DATA": str(tmp_path / "course" / "data")},
    )
    said = " ".join(done.stderr.split())
    assert "first 3" in done.stdout, said
    # SQLite names a full disk in one of two ways, depending on the file that does not fit.
    assert "disk is full" in said + done.stdout or "check the free space" in said
    assert "then 0" in done.stdout, said
    assert '"status":"graded"' in done.stdout
    assert "Traceback" not in said
    assert not done.stdout.rstrip().endswith((".writing", ".evidence"))


# --- warm processes ------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.early
@pytest.mark.tensorflow
@pytest.mark.bubblewrap
def test_warm_processes_and_their_forks_die_with_a_grader_that_was_killed(tmp_path: Path) -> None:
    needs_bubblewrap()
    students = Class(tmp_path, "bubblewrap")
    for path in students.notebooks.iterdir():
        path.unlink()
    nbformat.write(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(_LONG)]), students.notebooks / "long.ipynb"
    )
    process = students.start(tmp_path / "out", "--warm")

    def begun() -> list[psutil.Process]:
        assert process.poll() is None, (tmp_path / "said").read_text(encoding="utf-8")
        return [one for one in psutil.process_iter(["cmdline"]) if _is_long(one, process.pid)]

    started = until(begun)
    family = [*_below(process.pid), *started]
    assert any("inside.warm" in " ".join(one.cmdline()) for one in family)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    until(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in family))
    until(lambda: not any("held" not in left for left in students.leftovers()))


def _is_long(process: psutil.Process, grader: int) -> bool:
    """Whether it is what the notebook started, somewhere below this grader."""
    try:
        return "1234" in (process.info["cmdline"] or ()) and grader in [one.pid for one in process.parents()]
    except psutil.Error:
        return False
