"""Ray tasks on one machine and on several: what a worker refuses, what a lost machine costs, who writes what.

The clusters are real: Ray's own processes on the loopback, started as a person starts them. A machine is lost by
killing every process of it at once.
"""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import nbformat
import psutil
import pytest

from grader.datasets.store import DatasetStore
from grader.execution.sandbox.layout import digest_files
from grader.intake.find import Rejected, find_submissions
from grader.pipeline.course import assemble_course
from grader.pipeline.ray.engine import RayEngine, shared, shared_files
from grader.pipeline.ray.shares import Order
from grader.pipeline.setup import Options
from grader.schema.course_file import CourseFile
from grader.schema.errors import HarnessError, StorageError
from grader.schema.submission import Submission
from grader.store.database import Database, ExecutionKey
from grader.store.results import ResultsFolder
from tests.support.command import COMMAND, NOTEBOOKS, RUBRIC, Done, a_course, grader
from tests.support.waiting import until

_T = TypeVar("_T")
SECONDS = 240
"""How long anything may take on a machine that does much else."""
TRIES = 3
"""Ray gives up starting a machine where its helpers take longer than 15 seconds, as they may on a busy one."""
RAY = Path(sys.executable).parent / "ray"
SCRIPT = Path(__file__).parents[3] / "cluster" / "slurm.sbatch"
HEAD_WORDS = ("--num-cpus=0", "--include-dashboard=false")


@pytest.mark.parametrize(
    ("sha256", "resume", "counts"), [("n", True, True), ("other", True, False), ("n", False, False)]
)
def test_what_is_take_rows_to_be_executed_again_does_not_count_until_it_is_back(
    order: Order, sha256: str, *, resume: bool, counts: bool
) -> None:
    course = assemble_course(order.loaded, None, DatasetStore())
    out = ResultsFolder(order.out)
    key = ExecutionKey(notebook="n", settings="s", runtime="r", data="d")
    database = Database(out.database_path)
    database.record_execution("ann", key, seconds=1)
    engine = RayEngine(course, Options(resume=resume), out)
    rows = engine._take_rows(Submission(id="ann", student="Ann", notebook=Path("a.ipynb"), sha256=sha256))
    assert database.needs_execution("ann", key) is not counts
    database.replace_rows("ann", rows)
    assert not database.needs_execution("ann", key)


@pytest.mark.parametrize("name", ["plain", "not-json", "r"])
def test_what_was_handed_in_is_copied_to_where_every_machine_sees_it(tmp_path: Path, name: str) -> None:
    handed_in = tmp_path / "class" / "ann"
    handed_in.mkdir(parents=True)
    shutil.copy(NOTEBOOKS / f"{name}.ipynb", handed_in / "homework.ipynb")
    (handed_in / "helpers.py").write_text("x = 1\n")
    (handed_in / "leads-out").symlink_to("/etc/passwd")
    (found,) = find_submissions([handed_in], unpack_to=tmp_path / "unpacked")
    copied = shared(found, tmp_path / "out")
    if isinstance(found, Rejected):
        assert copied is found
        return
    assert not isinstance(copied, Rejected)
    assert copied.folder == tmp_path / "out" / "ann" / "files"
    assert sorted(path.name for path in copied.folder.iterdir()) == ["helpers.py", "homework.ipynb"]
    assert copied.notebook.read_bytes() == found.notebook.read_bytes()
    assert copied.model_copy(update={"notebook": found.notebook, "folder": found.folder}) == found


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_bytes(b"{}")], ids=["gone", "another"])
def test_what_vanished_or_was_exchanged_since_it_was_found_is_not_graded(
    tmp_path: Path, change: Callable[[Path], Any]
) -> None:
    notebook = Path(shutil.copy(NOTEBOOKS / "plain.ipynb", tmp_path))
    (found,) = find_submissions([notebook], unpack_to=tmp_path / "unpacked")
    change(notebook)
    copied = shared(found, tmp_path / "out")
    assert isinstance(copied, Rejected)
    assert isinstance(copied.error, HarnessError)
    assert (copied.id, copied.sha256) == (found.id, found.sha256)


@dataclass(frozen=True)
class Cluster:
    """A head without CPUs, and machines that are added to it."""

    address: str
    start: Callable[..., subprocess.Popen[bytes]]
    env: Mapping[str, str]
    """What a process needs in its environment to take part."""

    def machine(self, *before: str, cpus: int = 1) -> subprocess.Popen[bytes]:
        """Start a machine; its processes are children of the returned one.

        Args:
            before: A command that starts another one.
            cpus: How many it gives.
        """
        return self.start(*before, str(RAY), "start", f"--address={self.address}", f"--num-cpus={cpus}")


def tree(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """A process with all that came from it."""
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(process.pid)
        return [root, *root.children(recursive=True)]
    return []


def lose(process: subprocess.Popen[bytes]) -> None:
    """Take a machine away: everything on it ends at once."""
    for one in tree(process):
        with suppress(psutil.NoSuchProcess):
            one.suspend()
    found = tree(process)
    for one in found:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    process.wait(SECONDS)
    until(lambda: not any(alive(one.pid) for one in found))


def alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for yet does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_for(look: Callable[[], _T], process: subprocess.Popen[Any]) -> _T:
    """Wait until something is there; at once an error where the process it depends on has ended."""

    def found() -> _T:
        value = look()
        assert value or process.poll() is None, "the process ended"
        return value

    return until(found)


@pytest.fixture(scope="module")
def course_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course with its data; the rubric's budget is that of a machine that does much else."""
    rubric = a_course(tmp_path_factory.mktemp("course"))
    rubric.write_text(RUBRIC.replace("60 s", "20 min"), encoding="utf-8")
    return rubric.parent


def _free_port() -> int:
    """Choose a port below those that connections and Ray's own parts are given."""
    for _ in range(100):
        port = 20_000 + secrets.randbelow(10_000)
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port
    pytest.fail("no port is free")


@pytest.fixture(scope="module")
def cluster(course_folder: Path) -> Iterator[Cluster]:
    """A cluster on the loopback, ended with all its machines."""
    port = _free_port()
    # Below the machine's own folder for temporary files: a socket's path must be short.
    temp = Path(tempfile.mkdtemp(prefix="gr-ray-", dir="/tmp"))
    (temp / "token").write_text(secrets.token_hex(32), encoding="ascii")
    own = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(temp / "token"),
        "GRADER_DATA": str(course_folder / "data"),
    }
    env = {**os.environ, **own}
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: str) -> subprocess.Popen[bytes]:
        common = ["--node-ip-address=127.0.0.1", f"--object-store-memory={80 << 20}", "--block"]
        said = ""
        for _ in range(TRIES):
            path = temp / f"{len(started)}.log"
            with path.open("wb") as log:
                started.append(subprocess.Popen([*words, *common], stdout=log, stderr=log, env=env))
            while started[-1].poll() is None and "Ray runtime started" not in path.read_text():
                time.sleep(0.1)
            if started[-1].poll() is None:
                return started[-1]
            lose(started[-1])
            said = path.read_text()
        raise AssertionError(said[-3000:])

    try:
        start(str(RAY), "start", "--head", f"--port={port}", f"--temp-dir={temp}", *HEAD_WORDS)
        yield Cluster(f"127.0.0.1:{port}", start, own)
    finally:
        for process in reversed(started):
            lose(process)
        shutil.rmtree(temp, ignore_errors=True)


@pytest.fixture
def words(cluster: Cluster, course_folder: Path, tmp_path: Path) -> list[str]:
    """The command for a class on the cluster, without the submissions."""
    rubric = shutil.copy(course_folder / "tiny.yaml", tmp_path / "tiny.yaml")
    return ["grade", "--rubric", str(rubric), "--isolation", "none", "--engine", "ray", "--address", cluster.address]


@pytest.fixture
def env(cluster: Cluster) -> Mapping[str, str]:
    """What the driver's environment has beside the usual."""
    return {**cluster.env, "COLUMNS": "200"}


def command(*words: str | Path, env: Mapping[str, str]) -> Done:
    """The real command, with time."""
    return grader(*words, env=env, timeout=SECONDS * 3)


def waiting_notebook(path: Path, marks: Path) -> Path:
    """Write a notebook that leaves a mark named by its process, and then waits until it may go on.

    The marks lie elsewhere: files next to a notebook are a part of its submission.
    """
    marks.mkdir()
    path.parent.mkdir(exist_ok=True)
    code = f"""\
import os, pathlib, time
marks = pathlib.Path({str(marks)!r})
(marks / str(os.getpid())).touch()
while not (marks / "go").exists():
    time.sleep(0.1)"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code, id="waits")])
    path.write_text(nbformat.writes(notebook), encoding="utf-8")
    return path


def executions(marks: Path) -> list[int]:
    """Processes that executed the waiting notebook."""
    return [int(mark.name) for mark in marks.iterdir() if mark.name.isdecimal()]


_VARYING = {"seconds", "peak_memory_mib", "cpu_seconds", "cpu_share", "pressure", "seal"}


def without_timings(value: Any) -> Any:
    """A grade without what differs from run to run."""
    if isinstance(value, dict):
        return {key: without_timings(v) for key, v in value.items() if key not in _VARYING}
    return [without_timings(item) for item in value] if isinstance(value, list) else value


def grades_in(out: Path) -> dict[str, Any]:
    return {
        path.parent.name: without_timings(json.loads(path.read_text(encoding="utf-8")))
        for path in out.glob("*/grade.json")
    }


def left_over(out: Path) -> list[str]:
    """What only the run itself needs."""
    return [path.name for path in out.iterdir() if path.name.startswith((".ray-", ".handed-in-", ".writable"))]


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.tensorflow
@pytest.mark.timeout(1200)
def test_a_class_that_loses_a_machine_gets_the_grades_that_one_machine_gives(
    cluster: Cluster, words: list[str], env: Mapping[str, str], tmp_path: Path
) -> None:
    marks, out, local = tmp_path / "marks", tmp_path / "out", tmp_path / "local"
    notebooks = [waiting_notebook(tmp_path / "class" / "waits.ipynb", marks)]
    notebooks += [NOTEBOOKS / f"{name}.ipynb" for name in ("tiny-cnn", "plain", "raises", "not-json", "empty")]
    machines = [cluster.machine(), cluster.machine()]
    line = [str(COMMAND), *words, *map(str, notebooks), "--out", str(out), "--json"]
    with subprocess.Popen(
        line, env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as driver:
        (first,) = wait_for(lambda: executions(marks), driver)
        ancestors = {one.pid for one in psutil.Process(first).parents()}
        (lost,) = (one for one in machines if one.pid in ancestors)
        lose(lost)
        assert not alive(first)
        (marks / "go").touch()
        printed, said = driver.communicate(timeout=SECONDS * 3)
    assert driver.returncode == 0, said
    assert [row["submission"] for row in json.loads(printed)["grades"]] == [path.stem for path in notebooks]
    for path in notebooks:
        assert f"{path.stem}: started" in said
    assert "(6 of 6)" in said
    assert len(executions(marks)) == 2
    # Threads change how a training rounds: one each, as on the cluster's machines.
    jobs = str(len(os.sched_getaffinity(0)))
    alone = [word for word in words if word not in {"--engine", "ray", "--address", cluster.address}]
    assert command(*alone, *notebooks, "--out", local, "--jobs", jobs, env=env).code == 0
    assert len(grades_in(local)) == 6
    assert grades_in(out) == grades_in(local)
    for name in ("index.html", "grades.csv", "waits/evidence/evidence.json", "tiny-cnn/report.html"):
        assert (out / name).is_file()
    assert left_over(out) == []
    database = Database(out / "grader.sqlite")
    assert {row.submission: row.status for row in database.executions()} == dict.fromkeys(
        ("waits", "tiny-cnn", "plain", "raises"), "executed"
    )
    assert {row.status for row in database.gradings()} == {"graded"}
    # What is kept is used by any engine.
    assert command(*alone, notebooks[0], "--out", out, "--jobs", jobs, env=env).code == 0
    assert command(*words, notebooks[0], "--out", out, env=env).code == 0
    assert len(executions(marks)) == 3
    for one in machines:
        lose(one)


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(1200)
def test_ctrl_c_ends_what_runs_elsewhere_and_the_same_command_goes_on(
    cluster: Cluster, words: list[str], env: Mapping[str, str], tmp_path: Path
) -> None:
    marks, out = tmp_path / "marks", tmp_path / "out"
    waits = waiting_notebook(tmp_path / "class" / "waits.ipynb", marks)
    machine = cluster.machine(cpus=2)
    line = [str(COMMAND), *words, str(NOTEBOOKS / "plain.ipynb"), str(waits), "--out", str(out), "--jobs", "2"]
    with subprocess.Popen(
        line, env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as driver:
        (running,) = wait_for(lambda: executions(marks), driver)
        assert driver.stderr is not None
        assert any(line.startswith("plain: 3 of 3") for line in iter(driver.stderr.readline, ""))
        driver.send_signal(signal.SIGINT)
        _, said = driver.communicate(timeout=SECONDS)
    assert driver.returncode == 130, said
    assert "stopped. Finished results are stored" in said
    assert not alive(running)
    assert set(grades_in(out)) == {"plain"}
    assert left_over(out) == []
    # What a run that was killed, not interrupted, would have left.
    (out / ".ray-0").touch()
    (out / ".handed-in-0" / "waits").mkdir(parents=True)
    (marks / "go").touch()
    done = command(*words, NOTEBOOKS / "plain.ipynb", waits, "--out", out, env=env)
    assert done.code == 0, done.err
    assert set(grades_in(out)) == {"plain", "waits"}
    assert left_over(out) == []
    lose(machine)


def test_an_address_where_nobody_is_is_told_at_once(course_folder: Path, tmp_path: Path) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        words = ("grade", NOTEBOOKS / "plain.ipynb", "--rubric", course_folder / "tiny.yaml", "--out", tmp_path / "out")
        env = {"GRADER_DATA": str(course_folder / "data")}
        done = command(*words, "--engine", "ray", "--address", address, env=env)
    assert done.code == 2
    assert f"--address {address}: Ray cannot be reached: ConnectionRefusedError" in done.err
    assert ": started" not in done.err


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(1200)
def test_a_machine_that_does_not_see_the_results_is_named_before_anything_is_executed(
    cluster: Cluster, words: list[str], env: Mapping[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    apart = ("unshare", "--mount", "sh", "-c", f'mount -t tmpfs none {out} && exec "$@"', "sh")
    if subprocess.run([*apart, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no mount namespace can be made here")
    machine = cluster.machine(*apart)
    done = command(*words, NOTEBOOKS / "plain.ipynb", "--out", out, env=env)
    assert done.code == 2
    assert f"the results folder {out} is not available here" in done.err
    assert "--out" in done.err
    assert ": started" not in done.err
    assert left_over(out) == []
    lose(machine)


STAND_INS = {
    # What Slurm's own commands would do, on one computer that is two machines.
    "srun": 'while [[ "$1" == --* ]]; do shift; done; exec "$@"',
    "scontrol": "echo localhost; echo localhost",
}


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(1200)
def test_the_script_for_slurm_grades_a_class_and_leaves_no_token(course_folder: Path, tmp_path: Path) -> None:
    commands, home, handed_in, out = (tmp_path / name for name in ("bin", "home", "class", "out"))
    for folder in (commands, home, handed_in):
        folder.mkdir()
    for name, code in STAND_INS.items():
        (commands / name).write_text(f"#!/usr/bin/env bash\n{code}\n")
        (commands / name).chmod(0o755)
    for name in ("plain", "not-json"):
        shutil.copy(NOTEBOOKS / f"{name}.ipynb", handed_in)
    env = {
        **os.environ,
        "PATH": f"{commands}:{os.environ['PATH']}",
        "HOME": str(home),
        "GRADER_DATA": str(course_folder / "data"),
        "GRADER_VENV": sys.prefix,
        "JOBS_PER_MACHINE": "1",
        "SLURM_JOB_ID": str(os.getpid()),
        "SLURM_JOB_NODELIST": "two",
        "SLURM_CPUS_PER_TASK": "1",
    }
    words = ["bash", str(SCRIPT), str(handed_in), str(course_folder / "tiny.yaml"), str(out)]
    log = tmp_path / "job.log"
    assert 0 in (slurm_job(words, env, log) for _ in range(TRIES)), log.read_text()
    assert {path.parent.name for path in out.glob("*/report.html")} == {"plain", "not-json"}
    assert {grade["submission"]["id"]: grade["score"] for grade in grades_in(out).values()} == {
        "plain": 3,
        "not-json": 0,
    }
    # The grader keeps digests of its code in the cache; the token is gone.
    assert {path.name for path in home.iterdir()} <= {".cache"}


def slurm_job(words: Sequence[str], env: Mapping[str, str], log: Path) -> int | None:
    """Run a script as Slurm would, which ends what a job leaves running; None where it takes too long."""
    with log.open("wb") as sink:
        job = subprocess.Popen(words, stdout=sink, stderr=sink, env=env, start_new_session=True)
    try:
        return job.wait(SECONDS * 2)
    except subprocess.TimeoutExpired:
        return None
    finally:
        for one in psutil.process_iter():
            with suppress(psutil.Error, ProcessLookupError):
                if os.getsid(one.pid) == job.pid or one.environ().get("SLURM_JOB_ID") == env["SLURM_JOB_ID"]:
                    one.kill()
        job.wait(SECONDS)


def test_files_of_the_course_are_copied_to_where_every_machine_sees_them(tmp_path: Path) -> None:
    files = []
    for name in ("a/utils.py", "b/utils.py"):
        source = tmp_path / "course" / name
        source.parent.mkdir(parents=True)
        source.write_text(name)
        files.append(CourseFile(source, name, "0" * 64))
    copies = shared_files(files, tmp_path / "out" / ".course")
    contents = {copy.target: copy.source.read_text() for copy in copies}
    assert contents == {"a/utils.py": "a/utils.py", "b/utils.py": "b/utils.py"}
    assert all(copy.source.is_relative_to(tmp_path / "out") for copy in copies)
    assert shared_files((), tmp_path / "none") == ()
    files[0].source.unlink()
    with pytest.raises(StorageError, match="cannot be copied to the results folder"):
        shared_files(files, tmp_path / "again")


def test_the_notebooks_folder_and_its_files_are_kept_in_the_copy(tmp_path: Path) -> None:
    handed_in = tmp_path / "class" / "ann"
    for name in ("notebooks", "data"):
        (handed_in / name).mkdir(parents=True)
    notebook = Path(shutil.copy(NOTEBOOKS / "plain.ipynb", handed_in / "notebooks" / "hw.ipynb"))
    (handed_in / "data" / "train.csv").write_text("x")
    (handed_in / "private.csv").write_text("x")
    (found,) = find_submissions([notebook], unpack_to=tmp_path / "unpacked")
    assert isinstance(found, Submission)
    found = found.model_copy(update={"folder": handed_in, "only": ("data/train.csv", "notebooks/hw.ipynb")})
    copied = shared(found, tmp_path / "out")
    assert isinstance(copied, Submission)
    assert copied.folder is not None
    assert copied.inner == found.inner
    assert sorted(path.name for path in copied.folder.rglob("*.*")) == ["hw.ipynb", "train.csv"]
    assert digest_files(copied.folder, only=copied.only) == digest_files(handed_in, only=found.only)
