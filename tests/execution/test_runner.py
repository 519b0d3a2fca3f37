"""Complete notebooks in real kernels, mostly in a plain ipykernel without the recorder."""

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest

from grader.execution.runner import ExecutionOutcome, ExecutionRequest, Progress, execute, is_executed, reserve_of
from grader.execution.sandbox.isolation import Isolation
from grader.execution.sandbox.layout import copy_submission
from grader.execution.sandbox.unprotected import NoIsolation
from grader.facts.language import english
from grader.schema.course_file import CourseFile
from grader.schema.errors import NotebookError, SandboxError
from grader.schema.message import say
from grader.schema.rubric import OutputSettings, RunSettings
from tests.support.says import says
from tests.support.strict_umask import strict_umask

pytestmark = pytest.mark.bubblewrap
Cells = Callable[..., ExecutionOutcome]


def text_of(cell: Any) -> str:
    return "".join(out.get("text", "") + str(out.get("data", {}).get("text/plain", "")) for out in cell.outputs)


def test_the_reserve_is_a_tenth_and_at_most_a_minute() -> None:
    assert reserve_of(100) == 10
    assert reserve_of(1800) == 60


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (nbformat.v4.new_code_cell("x = 1"), True),
        (nbformat.v4.new_code_cell("  \n"), False),
        (nbformat.v4.new_markdown_cell("x = 1"), False),
        (nbformat.v4.new_code_cell("x = 1", metadata={"tags": ["skip-execution"]}), False),
        (nbformat.v4.new_code_cell("x = 1", metadata={"tags": ["otter_ignore"]}), False),
        (nbformat.v4.new_code_cell("x = 1", metadata={"tags": ["raises-exception"]}), True),
    ],
)
def test_only_code_with_something_in_it_is_executed(cell: Any, expected: bool) -> None:  # noqa: FBT001 — a table
    assert is_executed(cell) is expected


def test_later_cells_run_after_one_raised(isolation: Isolation, run_cells: Cells, marks: list[str]) -> None:
    outcome = run_cells(
        isolation, "a = 1", "a.lr", {"source": "1/0", "metadata": {"tags": ["raises-exception"]}}, "a + 1"
    )
    assert outcome.run.status == "cell_error"
    assert outcome.run.reason == say("{cell:cell} raised {error}", cell=1, error="AttributeError")
    assert [(error.cell, error.name) for error in outcome.run.errors] == [(1, "AttributeError")]
    assert says(outcome.run.errors[0].advice, "Write `optimizer.learning_rate`.")
    assert text_of(outcome.notebook.cells[3]) == "2"
    assert outcome.run.cells_run == outcome.run.cells_total == 4
    assert outcome.run.isolation == isolation.name
    assert outcome.run.peak_memory_mib is not None
    assert outcome.run.peak_memory_mib > 20
    assert marks


def test_the_cell_map_passes_over_what_is_not_executed(bubblewrap: Isolation, run_cells: Cells) -> None:
    outcome = run_cells(bubblewrap, "", "x = 1", {"source": "1/0", "metadata": {"tags": ["otter_ignore"]}}, "x")
    assert outcome.run.cell_map == (1, 3)
    assert outcome.run.cells_total == 2
    assert outcome.run.status == "completed"
    assert outcome.run.reason == ""
    assert outcome.notebook.cells[3].execution_count == 2


BUSY = {
    "a loop": "while True: pass",
    "a child": "!sleep 1000",
    "native code": "import threading; threading.Event().wait()",
}


@pytest.mark.parametrize("busy", BUSY)
@pytest.mark.slow
def test_a_busy_cell_is_interrupted_and_the_kernel_lives_on(busy: str, bubblewrap: Isolation, run_cells: Cells) -> None:
    outcome = run_cells(bubblewrap, BUSY[busy], "print('never')", time=4, finish_code="open('finished', 'w').close()")
    assert outcome.run.status == "timeout"
    assert says(
        outcome.run.reason, "the notebook's time limit of {limit:seconds} ran out in {cell:cell}", limit=4, cell=0
    )
    assert [(error.cell, error.name) for error in outcome.run.errors] in ([(0, "KeyboardInterrupt")], [])
    assert (outcome.work / "finished").exists()
    assert outcome.notebook.cells[1].outputs == []
    assert outcome.run.cells_run == 1


def test_an_interrupt_reaches_a_kernel_without_isolation(run_cells: Cells, marks: list[str]) -> None:
    outcome = run_cells(NoIsolation(), "import time\nprint('here')\ntime.sleep(1000)", time=4)
    assert outcome.run.errors[0].name == "KeyboardInterrupt"
    assert "here" in text_of(outcome.notebook.cells[0])
    assert marks


@pytest.mark.parametrize("isolation", ["bubblewrap", "none"], indirect=True)
@pytest.mark.slow
def test_a_cell_that_will_not_yield_is_killed(isolation: Isolation, run_cells: Cells, marks: list[str]) -> None:
    stubborn = """
import signal, subprocess
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)
subprocess.Popen(["sleep", "1000"], start_new_session=True)
print("before", flush=True)
while True: pass
"""
    outcome = run_cells(isolation, stubborn, "print('never')", time=4, grace_seconds=1.0)
    assert outcome.run.status == "timeout"
    assert "before" in text_of(outcome.notebook.cells[0])
    assert outcome.run.errors[0].name == "KernelEnded"
    assert marks


@pytest.mark.parametrize("isolation", ["bubblewrap", "none"], indirect=True)
def test_a_kernel_that_ends_itself_is_noticed_before_the_time_ends(
    isolation: Isolation, run_cells: Cells, marks: list[str]
) -> None:
    cells = ("print('so far', flush=True)", "import os; os._exit(3)", "print('never')")
    outcome = run_cells(isolation, *cells, time=3600)
    assert outcome.run.status == "died"
    assert says(outcome.run.reason, "the kernel ended in {cell:cell} ({cause})", cell=1)
    assert says(outcome.run.reason, "exit code {code:raw}", code=3)
    assert outcome.run.cells_run == 2
    assert "so far" in text_of(outcome.notebook.cells[0])
    assert marks


def test_a_crash_in_native_code_is_called_one(bubblewrap: Isolation, run_cells: Cells) -> None:
    outcome = run_cells(bubblewrap, "import ctypes; ctypes.string_at(0)")
    assert outcome.run.status == "died"
    assert says(outcome.run.reason, "it crashed with a segmentation fault")


def test_a_memory_bomb_ends_with_the_status_memory(bubblewrap: Isolation, run_cells: Cells, marks: list[str]) -> None:
    bomb = "held = []\nwhile True: held.append(b'x' * (8 << 20))"
    outcome = run_cells(bubblewrap, bomb, memory=300 << 20)
    assert outcome.run.status == "memory"
    assert says(outcome.run.reason, "the kernel was stopped in {cell:cell}: {excess}", cell=0)
    assert says(outcome.run.reason, "it used more than {limit:size} of memory", limit=300 << 20)
    assert outcome.run.errors[0].cell == 0
    assert marks


def test_an_endless_printer_is_cut_while_it_prints(bubblewrap: Isolation, run_cells: Cells) -> None:
    endless = "n = 0\nwhile True:\n    n += 1\n    print('line', n)"
    outcome = run_cells(bubblewrap, endless, time=4, output=OutputSettings(cell_text=10_000))
    text = text_of(outcome.notebook.cells[0])
    assert outcome.run.status == "timeout"
    assert len(text) < 11_000
    assert text.startswith("line 1\nline 2\n")
    assert text.count("were cut here") == 1


def test_thousands_of_displays_are_cut_while_they_come(bubblewrap: Isolation, run_cells: Cells) -> None:
    many = "from IPython.display import display\nfor n in range(5_000): display(n)"
    outcome = run_cells(bubblewrap, many, "print('after')", output=OutputSettings(cell_outputs=50))
    assert len(outcome.notebook.cells[0].outputs) == 51
    assert "too many separate outputs" in text_of(outcome.notebook.cells[0])
    assert text_of(outcome.notebook.cells[1]) == "after\n"


def test_what_a_person_sees_of_outputs_is_what_is_kept(bubblewrap: Isolation, run_cells: Cells) -> None:
    outcome = run_cells(
        bubblewrap,
        "import sys\nfor n in range(50): print(f'\\r{n} %', end='', flush=True)\nprint('\\nwarned', file=sys.stderr)",
        "from IPython.display import clear_output, display\nprint('gone'); clear_output(); print('stays')",
        "shown = display('first', display_id='d')",
        "shown.update('second')",
        "input('name?')",
    )
    first, cleared, display, _, asked = outcome.notebook.cells
    assert "49 %" in text_of(first)
    assert "48 %" not in text_of(first)
    assert text_of(cleared) == "stays\n"
    assert text_of(display) == "'second'"
    assert asked.outputs[-1]["ename"] == "StdinNotImplementedError"
    assert "input()" in english(outcome.run.errors[0].advice)


def test_a_very_large_message_is_cut_and_the_next_one_is_heard(bubblewrap: Isolation, run_cells: Cells) -> None:
    shown = "from IPython.display import HTML, display\ndisplay(HTML('y' * (30 << 20)))"
    outcome = run_cells(bubblewrap, shown, "print('after')")
    assert outcome.run.status == "completed"
    assert 0 < len(str(outcome.notebook.cells[0].outputs)) < 1 << 20
    assert text_of(outcome.notebook.cells[1]) == "after\n"


def test_the_submissions_files_are_copied_and_its_links_are_not(
    bubblewrap: Isolation, run_cells: Cells, tmp_path: Path
) -> None:
    folder = tmp_path / "handed-in"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "a.csv").write_text("1,2\n")
    (folder / "helpers.py").write_text("ANSWER = 42\n")
    (folder / "random.py").write_text("raise RuntimeError('shadowed')\n")
    (folder / "link").symlink_to("/etc/passwd")
    outcome = run_cells(
        bubblewrap,
        "import os, random, helpers\nprint(sorted(os.listdir()), open('data/a.csv').read(), helpers.ANSWER)",
        "open('data/a.csv', 'w').write('changed')",
        files=folder,
    )
    assert outcome.run.status == "completed"
    assert "['data', 'helpers.py', 'random.py'] 1,2\n 42" in text_of(outcome.notebook.cells[0])
    assert (folder / "data" / "a.csv").read_text() == "1,2\n"
    assert (outcome.work / "data" / "a.csv").read_text() == "changed"


def test_a_submission_that_is_too_large_is_the_students_matter(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "in" / "big").write_bytes(bytes(2000))
    with pytest.raises(NotebookError, match="more than"):
        copy_submission(tmp_path / "in", tmp_path / "out", max_bytes=1000)


def test_a_kernel_that_does_not_start_is_the_graders_failure(
    bubblewrap: Isolation, run_cells: Cells, marks: list[str]
) -> None:
    with pytest.raises(SandboxError, match="No module named no_such_kernel"):
        run_cells(bubblewrap, "1", kernel_module="no_such_kernel")
    assert marks


def test_a_python_that_is_none_is_the_graders_failure(bubblewrap: Isolation, tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    settings = RunSettings(kernel="/bin/false")
    with pytest.raises(SandboxError, match="does not run as a Python"):
        execute(ExecutionRequest(notebook, tmp_path / "s", bubblewrap, settings))


def test_the_session_says_what_the_recorder_must_know(
    bubblewrap: Isolation, run_cells: Cells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    for name in ("mnist", "another"):
        (data / name).mkdir(parents=True)
        (data / name / "public.txt").write_text("pixels")
    code = """
import json, os
session = json.load(open(os.environ["GRADER_SESSION"]))
seen = [os.listdir(session["data"]), open(session["data"] + "/mnist/public.txt").read()]
print(json.dumps([session, os.environ["PYTHONHASHSEED"], seen]))
with open(session["out"] + "/events.jsonl", "w") as record: record.write("{}")
"""
    monkeypatch.setattr("grader.execution.runner.time", SimpleNamespace(time=lambda: 1000.0, monotonic=time.monotonic))
    outcome = run_cells(
        bubblewrap, code, data=data, datasets=("mnist",), graded_dataset="mnist", dialect="keras2", seed=7, time=50
    )
    session, hash_seed, seen = json.loads(text_of(outcome.notebook.cells[0]))
    assert (session["time"], session["deadline"]) == (50, 1350)
    assert session["reserve"] == 5
    assert (session["dialect"], session["seed"], session["datasets"]) == ("keras2", 7, ["mnist"])
    assert (session["out"], session["data"]) == ("/record", "/data")
    assert (hash_seed, seen) == ("7", [["mnist"], "pixels"])
    assert (outcome.out / "events.jsonl").read_text() == "{}"
    assert outcome.run.dialect == "keras2"


def test_the_listener_hears_how_it_goes(bubblewrap: Isolation, tmp_path: Path) -> None:
    reports: list[Progress] = []
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("#"), nbformat.v4.new_code_cell("1")])
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="stale")]
    request = ExecutionRequest(
        notebook, tmp_path / "s", bubblewrap, kernel_module="ipykernel_launcher", finish_code="no_such_magic()"
    )
    outcome = execute(request, reports.append)
    steps = dict.fromkeys((step.kind, step.cell, step.done) for step in reports)
    assert [step for step in steps if step[0] not in {"starting", "running"}] == [
        ("started", None, 0),
        ("cell", 1, 0),
        ("finishing", None, 1),
        ("ended", None, 1),
    ]
    assert outcome.problems == (
        say(
            "the recorder could not close the record ({error})", error="NameError: name 'no_such_magic' is not defined"
        ),
    )
    assert notebook.cells[1].outputs[0]["text"] == "stale"


def test_what_the_listener_raises_ends_the_execution_and_leaves_nothing(
    bubblewrap: Isolation, tmp_path: Path, marks: list[str]
) -> None:
    def listen(step: Progress) -> None:
        if step.kind == "running":
            raise InterruptedError(step.cell)

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import time\nwhile True: time.sleep(1)")])
    request = ExecutionRequest(
        notebook, tmp_path / "s", bubblewrap, kernel_module="ipykernel_launcher", finish_code=None, grace_seconds=1
    )
    with pytest.raises(InterruptedError, match="0"):
        execute(request, listen)
    assert marks


def test_a_syntax_error_is_told_without_the_made_up_name_of_a_file(bubblewrap: Isolation, run_cells: Cells) -> None:
    outcome = run_cells(bubblewrap, "x = 1\n\ny = = 2")
    (error,) = outcome.run.errors
    assert (error.name, error.message) == ("SyntaxError", "invalid syntax (line 3)")


def test_a_kernel_that_hangs_at_the_end_is_not_waited_for(
    bubblewrap: Isolation, run_cells: Cells, marks: list[str]
) -> None:
    outcome = run_cells(bubblewrap, "1", finish_code="import time; time.sleep(100)", finish_seconds=1)
    assert outcome.run.status == "completed"
    assert outcome.problems == (say("the recorder did not close the record within {limit:seconds}", limit=1),)
    assert marks


def test_a_kernel_that_talks_nonsense_only_hurts_itself(bubblewrap: Isolation, run_cells: Cells) -> None:
    nonsense = """
kernel = get_ipython().kernel
for kind, content in (("stream", {}), ("display_data", {"data": 5}), ("error", {"ename": 1}), ("status", {})):
    kernel.session.send(kernel.iopub_socket, kind, content=content, parent=kernel.get_parent("shell"))
print("still here")
"""
    outcome = run_cells(bubblewrap, nonsense, "print('after')")
    assert text_of(outcome.notebook.cells[0]).endswith("still here\n")
    assert text_of(outcome.notebook.cells[1]) == "after\n"
    malformed = "{count:number} message of the kernel was malformed and was ignored"
    assert any(says(problem, malformed) for problem in outcome.problems)


def test_a_training_that_the_recorder_interrupts_is_reported_with_the_time_limit(
    bubblewrap: Isolation, run_cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grader.execution.runner.reserve_of", lambda _: 1000.0)
    outcome = run_cells(bubblewrap, "raise KeyboardInterrupt", "print('later')", time=60)
    (error,) = outcome.run.errors
    assert error.message == "cell 1 was interrupted shortly before the notebook's time limit of 1 min"
    assert says(error.advice, "Train for fewer epochs or on less data. Remove endless loops and long pauses.")
    assert (outcome.run.status, text_of(outcome.notebook.cells[1])) == ("cell_error", "later\n")


def _course(tmp_path: Path, **contents: str) -> tuple[CourseFile, ...]:
    files = []
    for name, content in contents.items():
        source = tmp_path / "course" / name
        source.parent.mkdir(exist_ok=True)
        source.write_text(content)
        files.append(CourseFile(source, f"lib/{name}.py", hashlib.sha256(content.encode()).hexdigest()))
    return tuple(files)


def test_a_notebook_runs_in_its_own_folder(isolation: Isolation, run_cells: Cells, tmp_path: Path) -> None:
    submission = tmp_path / "submission"
    for name in ("notebooks/hw.ipynb", "notebooks/helper.py", "data/train.csv", "src/net.py"):
        place = submission / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"NAME = {name!r}")
    outcome = run_cells(
        isolation,
        "import helper, os, sys; sys.path.append('..'); from src import net\n"
        "print(helper.NAME, net.NAME, open('../data/train.csv').read(), sorted(os.listdir()))",
        "open('../data/made.txt', 'w').write('x'); open('made.txt', 'w').write('y'); None",
        files=submission,
        inner=PurePosixPath("notebooks"),
    )
    assert outcome.run.errors == ()
    printed = text_of(outcome.notebook.cells[0])
    assert "notebooks/helper.py src/net.py NAME = 'data/train.csv' ['helper.py', 'hw.ipynb']" in printed
    assert (outcome.work / "data/made.txt").read_text() == "x"
    assert (outcome.work / "notebooks/made.txt").read_text() == "y"
    assert not (submission / "data/made.txt").exists()


def test_only_the_named_files_reach_a_notebook(isolation: Isolation, run_cells: Cells, tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(name)
    outcome = run_cells(isolation, "import os; os.listdir()", files=tmp_path, only=("a.csv",))
    assert text_of(outcome.notebook.cells[0]) == "['a.csv']"


PLATFORMS = """\
import os, pathlib
made = pathlib.Path('/content/img/7'); made.mkdir(parents=True)
(made / 'a.txt').write_text('a'); open('/kaggle/working/out.csv', 'w').write('o'); open('/kaggle/input/in.csv', 'w')
os.system('cp /content/out.csv /kaggle/input/copy.csv')
print(sorted(os.listdir()), os.listdir('/content/img'), sorted(os.listdir('/kaggle/input')), os.listdir('/kaggle'))
"""


def test_the_folders_of_colab_and_kaggle_are_real(walls: Isolation, run_cells: Cells) -> None:
    outcome = run_cells(walls, PLATFORMS)
    assert outcome.run.errors == ()
    printed = text_of(outcome.notebook.cells[0])
    assert "['img', 'out.csv'] ['7'] ['copy.csv', 'in.csv']" in printed
    assert "'working'" in printed
    assert (outcome.work / "img/7/a.txt").read_text() == "a"
    assert not Path("/kaggle/input/copy.csv").exists()


CHANGE = """\
import os, pathlib
for change in (lambda p: p.write_text('mine'), lambda p: p.unlink(), lambda p: p.chmod(0o777)):
    for folder in ('', '/content/', '/kaggle/working/'):
        try:
            change(pathlib.Path(folder + 'lib/utils.py')); print('changed')
        except OSError:
            print('refused')
from lib import utils, other; print(utils.W, other.W)
"""


def test_files_of_the_course_are_next_to_the_notebook_and_read_only(
    walls: Isolation, run_cells: Cells, tmp_path: Path
) -> None:
    (tmp_path / "sub/work/lib").mkdir(parents=True)
    (tmp_path / "sub/work/lib/utils.py").write_text("W = 'student'")
    (tmp_path / "sub/work/lib/own.py").write_text("W = 'own'")
    outcome = run_cells(
        walls,
        CHANGE,
        "from lib import own; own.W",
        files=tmp_path / "sub",
        inner=PurePosixPath("work"),
        course_files=_course(tmp_path, utils="W = 'course'", other="W = 'more'"),
    )
    printed = text_of(outcome.notebook.cells[0])
    assert "changed" not in printed
    assert printed.count("refused") == 9
    assert "course more" in printed
    assert text_of(outcome.notebook.cells[1]) == "'own'"
    (remark,) = outcome.remarks
    id_ = "the notebook got the course's file {name:code} in place of the submitted one"
    assert says(remark, id_, name="lib/utils.py")
    assert (tmp_path / "course/utils").read_text() == "W = 'course'"


def test_a_strict_umask_of_the_person_who_grades_changes_nothing(
    bubblewrap: Isolation, run_cells: Cells, tmp_path: Path
) -> None:
    course_files = _course(tmp_path, utils="W = 'course'")
    with strict_umask():
        outcome = run_cells(
            bubblewrap, "from lib import utils; open('made.txt', 'w'); utils.W", course_files=course_files
        )
    assert outcome.run.errors == ()
    assert text_of(outcome.notebook.cells[0]) == "'course'"


def test_without_isolation_files_of_the_course_are_copies(run_cells: Cells, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/lib").write_text("a file in the place of the course's folder")
    course_files = _course(tmp_path, utils="W = 'course'")
    code = (
        "from lib import utils; import pathlib; print(utils.W, oct(pathlib.Path('lib/utils.py').stat().st_mode)[-3:])"
    )
    outcome = run_cells(NoIsolation(), code, files=tmp_path / "sub", course_files=course_files)
    assert "course 444" in text_of(outcome.notebook.cells[0])
    assert len(outcome.remarks) == 1


def test_a_file_of_the_course_that_changed_meanwhile_is_a_failure_of_the_grader(
    run_cells: Cells, tmp_path: Path
) -> None:
    course_files = _course(tmp_path, utils="W = 'course'")
    course_files[0].source.write_text("W = 'another'")
    with pytest.raises(SandboxError, match="changed while notebooks were executed"):
        run_cells(NoIsolation(), "1", course_files=course_files)
    course_files[0].source.unlink()
    with pytest.raises(SandboxError, match="cannot be copied"):
        run_cells(NoIsolation(), "1", course_files=course_files)
