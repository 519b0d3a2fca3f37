"""The isolation `user`: real processes of another user."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from grader.execution.canary import CANARY_DATASET
from grader.execution.sandbox.choice import choose_isolation
from grader.execution.sandbox.isolation import ProcessLimits
from grader.execution.sandbox.layout import Layout, make_layout
from grader.execution.sandbox.other_user import OtherUser, probe_user
from grader.execution.sandbox.processes import Finished, run_to_end
from grader.execution.sandbox.scratch import scratch_folder
from grader.execution.sandbox.watchdog import Budget
from grader.pipeline.canary import _made_up_data
from grader.schema.errors import IsolationRefusedError
from tests.support.strict_umask import strict_umask
from tests.support.waiting import DEADLOCK_SECONDS, until
from tests.support.wrapping import wrapped

PYTHON = Path("/usr/bin/python3")
"""A Python that every user may execute."""
LOOK = """
import json, os, pathlib
def attempt(action):
    try:
        action(); return "done"
    except OSError as error:
        return type(error).__name__
print(json.dumps({
    "uid": os.getuid(), "groups": os.getgroups(), "env": sorted(os.environ), "cwd": os.getcwd(),
    "secret": attempt(lambda: pathlib.Path(os.environ["SECRET_FILE"]).read_text()),
    "write": attempt(lambda: pathlib.Path(os.environ["RESULTS"], "results.json").write_text("{}")),
    "kill": attempt(lambda: os.kill(int(os.environ["GRADER"]), 0)),
    "own": attempt(lambda: pathlib.Path("made.txt").write_text("mine")),
    "rights": [l.split()[1] for l in open("/proc/self/status") if l.startswith(("CapEff", "CapBnd", "NoNewPrivs"))],
}))
"""
DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execve("/bin/sleep", ["sleep", "600"], {})
    os._exit(0)
time.sleep(0.2)
"""


@pytest.fixture(scope="module", autouse=True)
def _only_as_root() -> None:
    if probe_user() or not PYTHON.is_file():
        pytest.skip(probe_user() or f"there is no {PYTHON}")


@pytest.fixture
def scratch() -> Iterator[Path]:
    with scratch_folder() as folder:
        yield folder


def run(
    isolation: OtherUser, folder: Path, code: str, data: Mapping[str, Path] | None = None, **env: str
) -> tuple[Finished, Layout]:
    layout = make_layout(folder / "one", isolation, datasets=tuple(data or ()), elsewhere=data)
    (layout.code / "script.py").write_text(code)
    for place in (layout.code, layout.work, layout.out, layout.home, layout.tmp):
        isolation.own(place)
    finished = run_to_end(
        [str(PYTHON), str(layout.code / "script.py")],
        isolation=isolation,
        binds=layout.binds(PYTHON),
        env=layout.environment(PYTHON, env),
        cwd=layout.cwd,
        limits=ProcessLimits(),
        budget=Budget(memory_bytes=1 << 30, folders=layout.written),
        timeout=DEADLOCK_SECONDS,
        log=layout.log,
    )
    return finished, layout


def processes_of(user: int) -> list[str]:
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if place.stat().st_uid == user:
                found.append(place.name)
        except OSError:
            continue
    return found


def test_the_notebook_reads_no_closed_folder_and_writes_no_results(scratch: Path, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "rubric.yaml").write_text("secret")
    isolation = OtherUser().for_run()
    finished, layout = run(
        *(isolation, scratch, LOOK),
        SECRET_FILE=str(closed / "rubric.yaml"),
        RESULTS=str(closed),
        GRADER=str(os.getpid()),
    )
    assert finished.exit_code == 0, layout.log.read_text()
    facts = json.loads(layout.log.read_text())
    assert (facts["uid"], facts["groups"]) == (isolation.user_id, [])
    assert facts["cwd"] == str(layout.cwd)
    assert {facts[name] for name in ("secret", "write", "kill")} == {"PermissionError"}
    assert facts["own"] == "done"
    assert (layout.work / "made.txt").read_text() == "mine"
    assert set(facts["rights"]) == {"0000000000000000", "1"}
    assert "SHELL" not in facts["env"]


def test_it_reads_the_data_sets_whatever_the_umask_is(scratch: Path) -> None:
    with strict_umask():
        data = _made_up_data(scratch / "data")
        code = "import sys; print(open(sys.path[0] + '/../data/own/y_test.npy', 'rb').read(6))"
        finished, layout = run(OtherUser().for_run(), scratch, code, {"own": data / CANARY_DATASET})
    assert finished.exit_code == 0, layout.log.read_text()
    assert "NUMPY" in layout.log.read_text()


def test_nothing_stays_even_if_it_forgets_its_mark_and_its_parent(scratch: Path) -> None:
    isolation = OtherUser().for_run()
    finished, layout = run(isolation, scratch, DAEMON)
    assert finished.exit_code == 0, layout.log.read_text()
    until(lambda: not processes_of(isolation.user_id))


def test_each_run_has_a_user_and_closed_folders_of_its_own(scratch: Path) -> None:
    one, two = OtherUser().for_run(), OtherUser().for_run()
    assert one.user_id != two.user_id
    (scratch / "one").mkdir()
    one.own(scratch / "one")
    assert (scratch / "one").stat().st_mode & 0o777 == 0o700
    assert scratch.stat().st_mode & 0o777 == 0o711


def test_the_command_changes_the_user_before_the_folder_and_the_program() -> None:
    args = wrapped(OtherUser(user_id=61200))
    assert args.index("--reuid") < args.index("--chdir=/w") < args.index("python")
    assert args[args.index("--reuid") + 1] == "61200"


def test_only_root_may_choose_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_isolation("user").name == "user"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(IsolationRefusedError, match="only root"):
        choose_isolation("user")
