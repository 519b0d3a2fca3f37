"""The listener for refused system calls, with real filters on real processes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import grader
from grader.execution.runner import ExecutionOutcome
from grader.execution.sandbox.filter_trial import FilterTrial, try_filter
from grader.execution.sandbox.isolation import Isolation, ProcessLimits
from grader.execution.sandbox.layout import make_layout
from grader.execution.sandbox.other_user import OtherUser, probe_user
from grader.execution.sandbox.refusals import (
    _MOST_CALLS,
    CallListener,
    RefusedCall,
    advise_student,
    explain_refusals,
)
from grader.execution.sandbox.scratch import scratch_folder
from grader.execution.sandbox.seccomp import can_report, kernel_filters
from grader.execution.sandbox.unprotected import NoIsolation
from grader.facts.language import english
from grader.facts.system_calls import MACHINES, system_calls
from tests.support.says import says
from tests.support.waiting import DEADLOCK_SECONDS

MACHINE = os.uname().machine
pytestmark = pytest.mark.skipif(
    MACHINE not in MACHINES or not can_report(), reason="this machine cannot report refused system calls"
)
START = """
import ctypes, errno, json, os, subprocess, sys
from inside import calls
calls.hand_over({descriptor})
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments))
    return [result, errno.errorcode.get(ctypes.get_errno())]
"""
REFUSED = "the sandbox refused the system call {call:code} of the program {program:code} ({place})"


def number_of(name: str) -> int:
    return system_calls()[name].numbers[MACHINE]


def filters(allowed: tuple[str, ...] = ()) -> tuple[bytes, bytes]:
    programs = kernel_filters(allowed)
    assert programs is not None
    return programs


def answers(listener: CallListener, code: str) -> Any:
    """Run code in a process whose refused calls a listener answers; return the JSON that it printed."""
    descriptor = listener.theirs.fileno()
    done = subprocess.run(
        [sys.executable, "-c", START.format(descriptor=descriptor) + code],
        env={"PYTHONPATH": str(Path(grader.__file__).parent), "PATH": os.defpath},
        capture_output=True,
        text=True,
        pass_fds=(descriptor,),
        timeout=DEADLOCK_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def listener() -> Any:
    """Return an open listener."""
    made = CallListener(filters(), lambda: 3)
    yield made
    made.close()


def needs_listener(listener: CallListener) -> None:
    if not listener.listening:
        pytest.skip("another listener is installed, as in some containers")


def test_refused_calls_fail_with_their_error_and_are_counted_for_the_program(listener: CallListener) -> None:
    code = f"""
script = "import ctypes; ctypes.CDLL(None).syscall({number_of("ptrace")}, 0, 0, 0, 0)"
child = subprocess.run([sys.executable, "-c", script]).returncode
refused = [call(number, 0, 0, 0, 0, 0) for number in ({number_of("mount")}, {number_of("mount")}, 999)]
print(json.dumps([child, *refused, call({number_of("getpid")})[0] == os.getpid()]))
"""
    assert answers(listener, code) == [0, [-1, "EPERM"], [-1, "EPERM"], [-1, "ENOSYS"], True]
    needs_listener(listener)
    listener.close()
    assert {name: (call.count, call.cell) for name, call in listener.calls.items()} == {
        "ptrace": (1, 3),
        "mount": (2, 3),
        "999": (1, 3),
    }
    assert listener.calls["mount"].program.startswith("python")


def test_a_program_cannot_listen_to_a_filter_itself(listener: CallListener) -> None:
    code = f"print(json.dumps(call({number_of('seccomp')}, 1, 8, 0)))"
    assert answers(listener, code) == [-1, "EPERM"]


def test_very_many_refused_calls_are_left_to_linux(listener: CallListener) -> None:
    code = f"""
seen = [call({number_of("mount")}, 0, 0, 0, 0, 0) for _ in range({_MOST_CALLS + 500})]
print(json.dumps([all(result == -1 for result, _ in seen), seen[0][1], seen[-1][1]]))
"""
    everything, first, last = answers(listener, code)
    assert everything
    needs_listener(listener)
    assert (first, last) == ("EPERM", "ENOSYS")
    assert listener.calls["mount"].count == _MOST_CALLS


def test_refused_calls_stay_refused_without_the_listener() -> None:
    made = CallListener(filters())
    descriptor = made.theirs.fileno()
    code = f'print("ready", flush=True); input(); print(json.dumps(call({number_of("mount")}, 0, 0, 0, 0, 0)))'
    with subprocess.Popen(
        [sys.executable, "-c", START.format(descriptor=descriptor) + code],
        env={"PYTHONPATH": str(Path(grader.__file__).parent)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=(descriptor,),
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdout.readline()
        made.close()
        made.close()
        out, _ = running.communicate("\n", timeout=DEADLOCK_SECONDS)
    assert json.loads(out) in ([-1, "ENOSYS"], [-1, "EPERM"])


def test_without_a_listener_the_plain_filter_is_installed() -> None:
    made = CallListener((b"\0" * 8, filters()[1]))
    code = f"print(json.dumps(call({number_of('mount')}, 0, 0, 0, 0, 0)))"
    assert answers(made, code) == [-1, "EPERM"]
    made.close()
    assert not made.listening
    assert not made.calls


def test_a_rubric_can_allow_a_call() -> None:
    made = CallListener(filters(("kcmp",)))
    pid = "os.getpid()"
    code = f'print(json.dumps(call({number_of("kcmp")}, {pid}, {pid}, 2, 0, 0)[1] != "EPERM"))'
    answers(made, code)
    made.close()
    assert not made.calls


def test_a_kernel_that_starts_again_is_listened_to_as_well(listener: CallListener) -> None:
    code = f"print(json.dumps(call({number_of('mount')}, 0, 0, 0, 0, 0)))"
    assert answers(listener, code) == [-1, "EPERM"]
    assert answers(listener, code) == [-1, "EPERM"]
    needs_listener(listener)
    listener.close()
    assert listener.calls["mount"].count == 2


def test_a_listener_that_nobody_answers_can_be_closed() -> None:
    made = CallListener(filters())
    made.close()
    assert not made.listening


def test_a_kernel_with_a_user_id_of_its_own_has_the_filter_too() -> None:
    python = Path("/usr/bin/python3")
    if probe_user() or not python.is_file():
        pytest.skip(probe_user() or f"there is no {python}")
    how = OtherUser().for_run().for_notebook(("kcmp",))
    assert how.call_filters == filters(("kcmp",))
    made = CallListener(how.call_filters)
    code = f"print(json.dumps([os.getuid(), call({number_of('mount')}, 0, 0, 0, 0, 0)]))"
    with scratch_folder() as folder:
        layout = make_layout(folder / "one", how)
        for place in (layout.code, layout.work):
            how.own(place)
        descriptor = made.theirs.fileno()
        command = how.wrap(
            [str(python), "-c", START.format(descriptor=descriptor) + code],
            binds=layout.binds(python),
            env=layout.environment(python, {}),
            cwd=layout.cwd,
            limits=ProcessLimits(),
        )
        done = subprocess.run(command, capture_output=True, text=True, pass_fds=(descriptor,), check=False)
        assert done.returncode == 0, done.stderr
    made.close()
    assert json.loads(done.stdout) == [how.user_id, [-1, "EPERM"]]
    assert made.calls.keys() == ({"mount"} if made.listening else set())


def test_messages_say_what_can_be_done() -> None:
    names = ["io_uring_setup", "mount", "clone", "999", "kcmp", "ptrace", "bpf"]
    calls = [RefusedCall(name, "python3", None if name == "999" else 1, 1) for name in names]
    asked, never, arguments, unknown, _, others = explain_refusals(calls)
    assert says(asked, REFUSED, call="io_uring_setup", program="python3")
    assert "`run: {allow_system_calls: [io_uring_setup]}`" in english(asked)
    assert "no rubric can allow it" in english(never)
    assert "not with these arguments" in english(arguments)
    assert "before the first cell" in english(unknown)
    assert says(others, "the sandbox also refused the system calls {names:list}", names=["ptrace", "bpf"])
    (often,) = explain_refusals([RefusedCall("mount", "sh", 0, 7)])
    assert "7 times" in english(often)
    assert "`mount`" in english(advise_student(RefusedCall("mount", "sh", 0, 7)))


@pytest.mark.bubblewrap
@pytest.mark.parametrize("walls", ["bubblewrap", "bubblewrap-userns"], indirect=True)
def test_a_trial_finds_out_whether_the_filter_works(walls: Isolation) -> None:
    assert try_filter(walls, Path(sys.executable)).state in {"works", "unreported"}


def test_a_trial_without_a_filter_says_that_calls_get_through() -> None:
    assert try_filter(NoIsolation(), Path(sys.executable)) == FilterTrial("open")


def test_a_trial_that_did_not_run_says_so(tmp_path: Path) -> None:
    assert try_filter(NoIsolation(), tmp_path / "no-python").state == "unknown"


# --- notebooks -------------------------------------------------------------------------------------------------------

ORDINARY = (
    "!ls / && pip --version && git --version",
    """
import asyncio, multiprocessing, subprocess, sys, threading
import matplotlib.pyplot as plt
import numpy as np
open("work.py", "w").write("def square(x): return x * x")
from work import square
for method in ("spawn", "fork", "forkserver"):
    with multiprocessing.get_context(method).Pool(2) as workers:
        assert workers.map(square, [1, 2]) == [1, 4]
async def child():
    process = await asyncio.create_subprocess_exec("true")
    return await process.wait()
assert await child() == 0
thread = threading.Thread(target=square, args=(2,)); thread.start(); thread.join()
assert subprocess.run([sys.executable, "-c", "import sqlite3, ssl, socket"]).returncode == 0
np.linalg.svd(np.random.rand(200, 200))
plt.plot([1, 2]); plt.savefig("plot.png"); plt.show()
""",
)


@pytest.mark.slow
@pytest.mark.bubblewrap
def test_ordinary_work_is_refused_nothing(walls: Isolation, run_cells: Callable[..., ExecutionOutcome]) -> None:
    outcome = run_cells(walls, *ORDINARY)
    assert (outcome.run.status, outcome.run.errors, outcome.remarks) == ("completed", (), ())


@pytest.mark.slow
@pytest.mark.bubblewrap
@pytest.mark.parametrize("allowed", [(), ("kcmp",)])
def test_a_notebook_learns_which_call_was_refused(
    walls: Isolation, run_cells: Callable[..., ExecutionOutcome], allowed: tuple[str, ...]
) -> None:
    code = f"""
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
if libc.syscall({number_of("kcmp")}, os.getpid(), os.getpid(), 2, 0, 0) < 0:
    raise OSError(ctypes.get_errno(), "kcmp failed")
print(open("/proc/1/cmdline").read().split("\\0"))
"""
    outcome = run_cells(walls, code, allow_system_calls=allowed)
    if allowed:
        assert (outcome.run.status, outcome.remarks) == ("completed", ())
        command = outcome.notebook.cells[0].outputs[0]["text"]
        assert "/execution-" not in command
        assert command.startswith("['bwrap', '--args', '8', '--', ")
        return
    (error,) = outcome.run.errors
    assert error.name == "PermissionError"
    assert "The sandbox refused the system call `kcmp`" in english(error.advice)
    (remark,) = outcome.remarks
    assert says(remark, REFUSED, call="kcmp")
