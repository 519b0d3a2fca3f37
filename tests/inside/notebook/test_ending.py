"""Cells that end or restart the kernel, in a real IPython shell."""

import os

import pytest

from grader.inside.notebook.ending import kills_kernel
from tests.support.shell_forms import Form, Ran, has_its_effect, run_forms, runs


def ends(name: str, code: str, event: str = "end.restart") -> Form:
    """Return a cell that ends without an error before its last line, with a note about the call."""
    return Form(name, f"seen = {name!r}\n{code}\nprint('too late')", event, "[grader]")


FORMS = (
    ends("quit", "quit()", "end.cell"),
    ends("exit", "if True:\n    exit()", "end.cell"),
    ends("sys.exit", "import sys\nsys.exit()", "end.cell"),
    ends("sys.exit(0)", "sys.exit(0)", "end.cell"),
    ends("SystemExit", "raise SystemExit", "end.cell"),
    ends("in a function", "def stop():\n    quit()\nstop()", "end.cell"),
    ends("os.kill", "import os\nos.kill(os.getpid(), 9)"),
    ends("os.kill with a name", "import signal\nos.kill(os.getpid(), signal.SIGKILL)"),
    ends("SIGTERM", "os.kill(os.getpid(), signal.SIGTERM)"),
    ends("os._exit", "os._exit(00)"),
    ends("os.abort", "os.abort()"),
    ends("raise_signal", "signal.raise_signal(signal.SIGKILL)"),
    ends("kill in a shell", "!kill -9 {os.getpid()}"),
    ends("kill the parent in a shell", "!kill -9 $PPID"),
    ends("os.system", "os.system('kill -9 %d' % os.getpid())"),
    ends("after an except", "try:\n    os._exit(1)\nexcept Exception:\n    print('caught')"),
    ends(
        "silent exception",
        "class Stop(Exception):\n    def _render_traceback_(self):\n        return []\nraise Stop",
        "end.cell",
    ),
    runs("variables stay", "print(seen)", "silent exception"),
    Form("%%time", "%%time\nquit()\nprint('too late')", "end.cell", "[grader]"),
    runs("the next cell", "print('on')"),
    Form("sys.exit with a message", "sys.exit('no data')", None, error="SystemExit", says="no data"),
    Form("own exception", "class Bad(Exception):\n    pass\nraise Bad('no')", error="Bad", says="no"),
    Form("sys.exit(1)", "sys.exit(1)", None, error="SystemExit", says="1"),
    runs("signal 0", "os.kill(os.getpid(), 0); print('on')"),
    runs(
        "handled signal",
        "signal.signal(signal.SIGTERM, lambda *_: print('on'))\nos.kill(os.getpid(), signal.SIGTERM)\n"
        "_ = signal.signal(signal.SIGTERM, signal.SIG_DFL)",
    ),
    runs(
        "child",
        "child = os.fork()\nif child == 0:\n    os._exit(7)\nprint('ended with', os.waitpid(child, 0)[1] >> 8)",
        "ended with 7",
    ),
    runs(
        "killed child",
        "import subprocess\nchild = subprocess.Popen(['sleep', '60'])\nos.kill(child.pid, 9)\nprint(child.wait())",
        "-9",
    ),
    runs("kill of another", "!kill -0 1\nprint('on')"),
)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """All forms, run in one process."""
    return run_forms(tmp_path_factory.mktemp("ending"), FORMS)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_cell_has_its_expected_effect(ran: Ran, form: Form) -> None:
    has_its_effect(ran, form)
    assert "too late" not in ran.result(form.name)["output"]


def test_a_cell_that_was_ended_shows_no_traceback(ran: Ran) -> None:
    quiet = [form.name for form in FORMS if form.event in {"end.cell", "end.restart"}]
    assert quiet
    assert [name for name in quiet if "Traceback" in ran.result(name)["output"]] == []


@pytest.mark.parametrize(
    ("line", "kills"),
    [
        pytest.param(f"kill -9 {os.getpid()}", True, id="kill -9 this process"),
        ("kill $PPID", True),
        ("sleep 1; sudo kill -KILL -1", True),
        ("pkill -f python3", True),
        ("killall -9 ipykernel_launcher", True),
        ("kill -9 4194305", False),
        ("pkill tensorboard", False),
        ("echo kill -9 $PPID", False),
        ("", False),
    ],
)
def test_a_shell_line_kills_the_kernel_or_not(line: str, kills: bool) -> None:  # noqa: FBT001 - a table
    assert kills_kernel(line) == kills
