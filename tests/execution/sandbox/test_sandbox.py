"""The contract of all isolations, tested with real processes; guarantees that `none` lacks have separate tests."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from grader.execution.sandbox.isolation import Isolation, ProcessLimits
from grader.execution.sandbox.layout import make_layout
from grader.execution.sandbox.processes import MARKER, end_tree, marked_processes, start
from grader.execution.sandbox.unprotected import NoIsolation
from grader.execution.sandbox.warm import WarmPool
from grader.facts.language import english
from tests.execution.conftest import PYTHON
from tests.support.waiting import until

pytestmark = pytest.mark.bubblewrap

SET_BY_IMPORTS = frozenset(
    (
        "ENABLE_RUNTIME_UPTIME_TELEMETRY",
        "HDF5_PLUGIN_PATH",
        "KMP_DUPLICATE_LIB_OK",
        "KMP_INIT_AT_FORK",
        "PYDEVD_USE_FRAME_EVAL",
        "TF2_BEHAVIOR",
        "TPU_ML_PLATFORM",
        "TPU_ML_PLATFORM_VERSION",
    )
)
"""Variables that `import tensorflow` sets; they exist already in a forked program."""
LOOK = """
import json, os, pathlib, socket, sys
def attempt(action):
    try:
        action(); return "done"
    except OSError as error:
        return type(error).__name__
print(json.dumps({
    "uid": os.getuid(), "env": dict(os.environ), "cwd": os.getcwd(),
    "pids": [p for p in os.listdir("/proc") if p.isdigit()],
    "root": sorted(os.listdir("/")), "etc": sorted(os.listdir("/etc")), "home": os.path.expanduser("~"),
    "write_root": attempt(lambda: pathlib.Path("/x").write_text("x")),
    "write_usr": attempt(lambda: pathlib.Path("/usr/x").write_text("x")),
    "write_dev": attempt(lambda: pathlib.Path("/dev/x").write_text("x")),
    "write_code": attempt(lambda: pathlib.Path(os.environ["PYTHONPATH"], "x").write_text("x")),
    "write_python": attempt(lambda: pathlib.Path(sys.prefix, "x").write_text("x")),
    "write_work": attempt(lambda: pathlib.Path("made.txt").write_text("mine")),
    "write_tmp": attempt(lambda: pathlib.Path(os.environ["TMPDIR"], "gr-own-file").write_text("x")),
    "write_home": attempt(lambda: pathlib.Path("~/x").expanduser().write_text("x")),
    "write_shm": attempt(lambda: pathlib.Path("/dev/shm/gr-own-file").write_text("x")),
    "sysctl": [p for p in ("kernel/core_pattern", "vm/drop_caches", "vm/overcommit_memory")
               if os.access("/proc/sys/" + p, os.W_OK)],
    "trigger": os.access("/proc/sysrq-trigger", os.W_OK),
    "caps": [l.split()[1] for l in open("/proc/self/status") if l.startswith("Cap")],
    "no_new_privs": [l.split()[1] for l in open("/proc/self/status") if l.startswith("NoNewPrivs")],
    "interfaces": [name for _, name in socket.if_nameindex()],
    "network": attempt(lambda: socket.create_connection(("192.0.2.1", 80), timeout=3)),
    "names": attempt(lambda: socket.getaddrinfo("example.org", 80)),
    "inside": __import__("inside").__file__,
    "grader": [str(p) for entry in sys.path for p in pathlib.Path(entry or ".").glob("grader/*")],
}))
"""


class TestEveryIsolation:
    def test_the_program_runs_in_its_own_folder_and_leaves_files_there(
        self, isolation: Isolation, run_script: Callable[..., Any]
    ) -> None:
        ran = run_script(isolation, "open('made.txt', 'w').write('mine')")
        assert ran.finished.exit_code == 0
        assert (ran.layout.work / "made.txt").read_text() == "mine"

    def test_the_environment_is_cleared(
        self,
        isolation: Isolation,
        run_script: Callable[..., Any],
        monkeypatch: pytest.MonkeyPatch,
        warm: WarmPool | None,
    ) -> None:
        monkeypatch.setenv("SECRET_TOKEN", "s3cret")
        facts = run_script(isolation, "import json, os; print(json.dumps(dict(os.environ)))").facts
        assert "SECRET_TOKEN" not in facts
        assert set(facts) <= {
            *("PATH", "HOME", "TMPDIR", "USER", "LOGNAME", "LANG", "LC_CTYPE", "PWD", "GRADER_MARK"),
            *("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONNOUSERSITE"),
            *(SET_BY_IMPORTS if warm else ()),
        }

    def test_an_exit_code_comes_through(self, isolation: Isolation, run_script: Callable[..., Any]) -> None:
        assert run_script(isolation, "raise SystemExit(7)").finished.exit_code == 7

    def test_no_core_is_dumped_and_files_are_limited(
        self, isolation: Isolation, run_script: Callable[..., Any]
    ) -> None:
        code = """
import json, resource as r
print(json.dumps([r.getrlimit(kind)[0] for kind in (r.RLIMIT_CORE, r.RLIMIT_FSIZE)]))
"""
        assert run_script(isolation, code).facts == [0, 1 << 30]

    def test_an_endless_loop_ends_with_the_time(
        self, isolation: Isolation, run_script: Callable[..., Any], marks: list[str]
    ) -> None:
        ran = run_script(isolation, "while True: pass", timeout=0.8)
        assert ran.finished.timed_out
        assert marks

    def test_a_program_that_ignores_signals_ends_all_the_same(
        self, isolation: Isolation, run_script: Callable[..., Any], marks: list[str]
    ) -> None:
        code = """
import signal
for number in range(1, 32):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
while True: pass
"""
        assert run_script(isolation, code, timeout=0.8).finished.timed_out
        assert marks

    def test_a_daemon_does_not_outlive_its_program(
        self, isolation: Isolation, run_script: Callable[..., Any], marks: list[str]
    ) -> None:
        code = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)
time.sleep(0.3)
"""
        assert run_script(isolation, code).finished.exit_code == 0
        assert marks

    def test_a_memory_bomb_is_ended_for_its_memory(
        self, isolation: Isolation, run_script: Callable[..., Any], marks: list[str]
    ) -> None:
        code = "held = []\nwhile True: held.append(bytearray(b'x' * (8 << 20)))"
        ran = run_script(isolation, code, memory_bytes=200 << 20)
        assert "200 MiB of memory" in english(ran.finished.over_budget)
        assert ran.finished.peak_mib > 200
        assert marks

    def test_memory_is_counted_over_all_processes(
        self, isolation: Isolation, run_script: Callable[..., Any], marks: list[str]
    ) -> None:
        code = """
import os, time
for _ in range(4):
    if os.fork() == 0:
        held = os.urandom(80 << 20); time.sleep(60)
time.sleep(60)
"""
        assert "memory" in english(run_script(isolation, code, memory_bytes=200 << 20).finished.over_budget)
        assert marks

    def test_a_fork_bomb_is_ended_for_its_processes(
        self, isolation: Isolation, run_script: Callable[..., Any], marks: list[str]
    ) -> None:
        code = """
import os, time
for _ in range(300):
    if os.fork() == 0:
        time.sleep(60)
time.sleep(60)
"""
        assert "more than 50 processes" in english(run_script(isolation, code, processes=50).finished.over_budget)
        assert marks

    def test_a_disk_filler_is_ended_for_its_disk(
        self, isolation: Isolation, run_script: Callable[..., Any], marks: list[str]
    ) -> None:
        code = """
import os, time
with open("big", "wb") as file:
    for _ in range(80): file.write(os.urandom(1 << 20))
time.sleep(60)
"""
        assert "MiB to disk" in english(run_script(isolation, code, disk_bytes=40 << 20).finished.over_budget)
        assert marks

    def test_too_many_files_are_too_much(
        self, isolation: Isolation, run_script: Callable[..., Any], marks: list[str]
    ) -> None:
        code = "import time\nfor n in range(3000): open(f'f{n}', 'w').close()\ntime.sleep(60)"
        assert "more than 2,000 files" in english(run_script(isolation, code, files=2000).finished.over_budget)
        assert marks


class TestWalls:
    """Separation by bubblewrap, which `none` does not provide."""

    def test_what_the_program_sees_of_the_machine(
        self, walls: Isolation, run_script: Callable[..., Any], tmp_path: Path
    ) -> None:
        facts = run_script(walls, LOOK).facts
        assert facts["uid"] not in (0, os.getuid() or -1)
        assert len(facts["pids"]) <= 3
        assert facts["interfaces"] == ["lo"]
        assert facts["network"] != "done"
        assert facts["names"] == "gaierror"
        assert set(facts["etc"]) <= {
            *("alternatives", "fonts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d"),
            *("localtime", "mime.types", "nsswitch.conf"),
        }
        assert str(tmp_path) not in facts["cwd"]
        assert facts["home"] == "/home/student"

    def test_what_the_program_can_write(self, walls: Isolation, run_script: Callable[..., Any]) -> None:
        facts = run_script(walls, LOOK).facts
        refused = {name: facts[f"write_{name}"] for name in ("root", "usr", "dev", "code", "python")}
        assert "done" not in refused.values()
        assert {facts[f"write_{name}"] for name in ("work", "tmp", "home", "shm")} == {"done"}
        assert not Path("/tmp/gr-own-file").exists()  # noqa: S108 — the machine's own, on purpose
        assert not Path("/dev/shm/gr-own-file").exists()  # noqa: S108 — the same

    def test_the_program_has_no_rights_left(self, walls: Isolation, run_script: Callable[..., Any]) -> None:
        facts = run_script(walls, LOOK).facts
        assert set(facts["caps"]) == {"0000000000000000"}
        assert facts["no_new_privs"] == ["1"]
        assert facts["sysctl"] == []
        assert not facts["trigger"]

    def test_the_recorder_can_be_imported_and_the_grader_cannot(
        self, walls: Isolation, run_script: Callable[..., Any]
    ) -> None:
        facts = run_script(walls, LOOK).facts
        assert facts["inside"] == "/grader/inside/__init__.py"
        assert facts["grader"] == []

    def test_other_files_of_the_machine_are_not_there(
        self, walls: Isolation, run_script: Callable[..., Any], tmp_path: Path
    ) -> None:
        secret = tmp_path / "other-submission" / "solution.ipynb"
        secret.parent.mkdir()
        secret.write_text("the answer")
        project = Path(__file__).resolve().parents[3]
        paths = [
            secret,
            project / "rubrics",
            project / "grader",
            Path("/etc/passwd"),
            Path("/root/.bashrc"),
            Path("/var"),
        ]
        code = f"import json, os; print(json.dumps([p for p in {[str(p) for p in paths]!r} if os.path.exists(p)]))"
        assert run_script(walls, code).facts == []

    def test_temporary_memory_has_a_size(self, walls: Isolation, run_script: Callable[..., Any]) -> None:
        code = """
import json, os
def fill(folder):
    try:
        with open(folder + "/big", "wb") as file:
            for _ in range(700): file.write(bytes(1 << 20))
        return "filled"
    except OSError as error:
        return error.strerror
    finally:
        os.unlink(folder + "/big")
print(json.dumps([fill(folder) for folder in ("/tmp", "/dev/shm", "/home/student")]))
"""
        assert run_script(walls, code).facts == ["No space left on device"] * 3

    def test_the_process_limit_stops_a_real_fork_bomb(
        self, bubblewrap: Isolation, run_script: Callable[..., Any], marks: list[str]
    ) -> None:
        code = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"
        ran = run_script(bubblewrap, code, timeout=10)
        assert "processes" in english(ran.finished.over_budget) or ran.finished.timed_out
        assert marks

    def test_two_sandboxes_of_root_cannot_touch_each_others_files(
        self, bubblewrap: Isolation, run_script: Callable[..., Any]
    ) -> None:
        if os.geteuid() != 0:
            pytest.skip("only root gives each sandbox a user of its own")
        owners = {run_script(bubblewrap, "open('f', 'w')").layout.work.stat().st_uid for _ in range(3)}
        assert 0 not in owners
        assert len(owners) > 1

    def test_without_isolation_the_same_look_sees_the_machine(self, run_script: Callable[..., Any]) -> None:
        facts = run_script(
            NoIsolation(),
            LOOK.replace('"/x"', 'os.environ["TMPDIR"] + "/x"')
            .replace('"/usr/x"', '"x"')
            .replace('"/dev/x"', '"x"')
            .replace('sys.prefix, "x"', '"x"')
            .replace('"/dev/shm/gr-own-file"', '"x"'),
        ).facts
        assert facts["uid"] == os.getuid()
        assert len(facts["pids"]) > 3


def test_nothing_outlives_a_sandbox_that_is_ended_while_it_is_made(bubblewrap: Isolation, tmp_path: Path) -> None:
    for number in range(12):
        own, mark = bubblewrap.for_run(), f"test-{os.getpid()}-{number}"
        layout = make_layout(tmp_path / f"s{number}", own)
        command = own.wrap(
            ["sleep", "60"],
            binds=layout.binds(PYTHON),
            env=layout.environment(PYTHON, {MARKER: mark}),
            cwd=layout.inner("work"),
            limits=ProcessLimits(),
        )
        process = start(command, layout.log, mark)
        # Bubblewrap's child is not tied to it yet, and the program is not there yet.
        until(psutil.Process(process.pid).children, every=0.0)
        end_tree(process, own, mark)
        process.wait()
        time.sleep(0.05)
        assert marked_processes(mark) == []


@pytest.mark.parametrize("how", ["bubblewrap", "none"])
def test_nothing_outlives_a_grader_that_was_killed(how: str, tmp_path: Path, bubblewrap: Isolation) -> None:  # noqa: ARG001 — skips
    script = textwrap.dedent(f"""
        import sys
        from pathlib import Path
        from grader.execution.sandbox.choice import choose_isolation
        from grader.execution.sandbox.isolation import ProcessLimits
        from grader.execution.sandbox.layout import make_layout
        from grader.execution.sandbox.processes import run_to_end
        from grader.execution.sandbox.watchdog import Budget
        own = choose_isolation({how!r}).for_run()
        layout = make_layout(Path({str(tmp_path / "s")!r}), own)
        for folder in (layout.code, layout.work): own.own(folder)
        python = Path(sys.executable)
        run_to_end([str(python), "-c", "open('started', 'w').close()\\nimport time\\nwhile True: time.sleep(1)"],
            env=layout.environment(python, {{"GRADER_TEST": {str(tmp_path)!r}}}),
            isolation=own, binds=layout.binds(python),
            cwd=layout.inner("work"), limits=ProcessLimits(), budget=Budget(1 << 30), timeout=60, log=layout.log)
    """)
    grader = subprocess.Popen([sys.executable, "-c", script])
    started = tmp_path / "s" / "work" / "started"
    try:
        until(started.exists)
    finally:
        grader.send_signal(signal.SIGKILL)
        grader.wait()
    until(lambda: not _with_environment(f"GRADER_TEST={tmp_path}"))


def _with_environment(entry: str) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if entry.encode() in Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0"):
                found.append(process.pid)
        except OSError:
            continue
    return found
