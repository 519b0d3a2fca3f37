"""Linux counts the processes of each sandbox separately, so that a fork bomb ends at its own limit."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from grader.execution.sandbox.isolation import Isolation, ProcessLimits
from tests.hostile.other_user import as_ordinary_user
from tests.support.waiting import DEADLOCK_SECONDS

LIMIT = 40
BOMB = """
import os, time
started = 0
try:
    for number in range(200):
        if os.fork() == 0:
            if number % 2: os.setsid()
            time.sleep(20); os._exit(0)
        started += 1
except OSError as error:
    print("started", started, error.strerror, flush=True)
"""
NEIGHBORS = f"""
import subprocess, sys
from pathlib import Path
from grader.execution.sandbox.bubblewrap import working_bubblewrap
from grader.execution.sandbox.isolation import Binds, Mount, ProcessLimits

walls, why = working_bubblewrap("bwrap")
if walls is None:
    sys.exit(f"no sandbox: {{why}}")
folder = Path(sys.argv[1])
home, tmp = Mount(folder / "home", Path("/home/student")), Mount(folder / "tmp", Path("/tmp"))
python = tuple(Mount(path, path) for path in {{Path(sys.base_prefix).resolve(), Path(sys.prefix).resolve()}})
binds = Binds(mounts=python, home=home, tmp=tmp, tmp_bytes=1 << 20)
command = walls.wrap([sys.executable, "-c", {BOMB!r} + "time.sleep(1)"], binds=binds, env={{}}, cwd=Path("/"),
                     limits=ProcessLimits(processes={LIMIT}))
both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(2)]
for one in both:
    print(one.communicate()[0].decode())
"""
"""Code that starts two sandboxes with a bomb in each, at the same time."""

pytestmark = pytest.mark.bubblewrap


def test_linux_refuses_a_sandbox_more_processes_than_its_limit(
    walls: Isolation, run_script: Callable[..., Any], request: pytest.FixtureRequest
) -> None:
    if os.geteuid() == 0 and request.node.callspec.params["walls"].endswith("-userns"):
        pytest.skip("Linux does not count the processes of root; the next test has an ordinary user")
    ran = run_script(walls, BOMB, limits=ProcessLimits(processes=LIMIT))
    assert 0 < _started(ran.printed)[0] < LIMIT


@pytest.mark.usefixtures("bubblewrap")
def test_the_sandboxes_of_an_ordinary_user_are_counted_separately(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp()
    try:
        with as_ordinary_user() as prefix:
            words = [*prefix, sys.executable, "-c", NEIGHBORS, str(folder)]
            done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=DEADLOCK_SECONDS)
    except OSError as error:
        pytest.skip(f"no ordinary user: {error}")
    if "no sandbox" in done.stderr:
        pytest.skip(done.stderr)
    first, second = _started(done.stdout)
    # One count for both would give them about the limit together.
    assert LIMIT * 3 // 4 < first < LIMIT, done.stdout
    assert LIMIT * 3 // 4 < second < LIMIT, done.stdout


def _started(printed: str) -> list[int]:
    """Read how many processes each bomb started before Linux refused more."""
    numbers = re.findall(r"started (\d+) Resource temporarily unavailable", printed)
    assert numbers, printed
    return list(map(int, numbers))
