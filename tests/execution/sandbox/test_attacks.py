"""Attacks of a malicious notebook on the real sandbox, kernel, watchdog, record and predictor."""

import os
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest

from grader.checks.registry import all_checks
from grader.datasets.store import DatasetStore
from grader.execution.predict import PredictionJob, PredictionLimits, predict
from grader.execution.runner import ExecutionOutcome, ExecutionRequest, execute
from grader.execution.sandbox import layout as layout_module
from grader.execution.sandbox.choice import choose_isolation
from grader.execution.sandbox.isolation import Isolation
from grader.execution.sandbox.layout import copy_submission, make_layout
from grader.execution.sandbox.scratch import remove_tree
from grader.execution.sandbox.watchdog import folder_usage
from grader.facts.language import english
from grader.facts.system_calls import MACHINES, system_calls
from grader.grading.loader import load_rubric
from grader.inside.model_files import foreign_part
from grader.intake.find import find_submissions
from grader.pipeline.course import load_course
from grader.pipeline.setup import Options, set_up
from grader.pipeline.submission import grade_found
from grader.schema.errors import IsolationRefusedError, NotebookError, SandboxError
from grader.schema.grade import Grade
from grader.schema.rubric import RunSettings
from grader.store.results import ResultsFolder
from tests.support.says import says
from tests.support.waiting import DEADLOCK_SECONDS

Run = Callable[..., Any]

pytestmark = pytest.mark.bubblewrap


# --- the kernel of the operating system ------------------------------------------------------------------------------

MACHINE = os.uname().machine
KNOWN_MACHINE = pytest.mark.skipif(MACHINE not in MACHINES, reason="this machine has no filter of system calls")


@KNOWN_MACHINE
@pytest.mark.slow
def test_no_refused_system_call_gets_through(walls: Isolation, run_script: Run) -> None:
    calls = {call.name: call for call in system_calls().values() if MACHINE in call.numbers}
    refused = {name: call.numbers[MACHINE] for name, call in calls.items() if call.rule != "allowed"}
    newer = max(call.numbers[MACHINE] for call in calls.values()) + 1
    facts = run_script(
        walls,
        f"""
import ctypes, errno, json
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *args):
    ctypes.set_errno(0)
    return libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, args)), errno.errorcode.get(ctypes.get_errno())
answers = {{name: call(number, 0, 0, 0, 0, 0) for name, number in {refused!r}.items()}}
answers["newer"] = call({newer}, 0, 0)
answers["user namespace"] = call({calls["clone"].numbers[MACHINE]}, 0x10000011, 0, 0, 0, 0)
answers["listener"] = call({calls["seccomp"].numbers[MACHINE]}, 1, 8, 0)
print(json.dumps(answers))
""",
    ).facts
    expected = {**{name: calls[name].answer for name in refused}, "newer": "ENOSYS"}
    expected |= {"user namespace": "EPERM", "listener": "EPERM"}
    assert facts == {name: [-1, answer] for name, answer in expected.items()}


@KNOWN_MACHINE
def test_only_ordinary_sockets_can_be_made_and_ordinary_programs_run(walls: Isolation, run_script: Run) -> None:
    facts = run_script(
        walls,
        """
import errno, json, os, socket, subprocess, threading
def family(number):
    try:
        socket.socket(number, socket.SOCK_DGRAM).close()
        return "made"
    except OSError as error:
        return errno.errorcode[error.errno]
said = []
thread = threading.Thread(target=lambda: said.append("thread")); thread.start(); thread.join()
said.append(subprocess.run(["/bin/sh", "-c", "echo child"], capture_output=True, text=True).stdout.strip())
families = {number: family(number) for number in (1, 2, 10, 17, 29, 38, 40, 44)}
print(json.dumps([families, said, os.listdir("/proc/self/fd")]))
""",
    ).facts
    families, said, descriptors = facts
    assert {number for number, answer in families.items() if answer == "made"} <= {"1", "2", "10"}
    assert families["40"] == "EAFNOSUPPORT"
    assert said == ["thread", "child"]
    assert not {"8", "9"} & set(descriptors)


def test_neither_abstract_sockets_nor_the_loopback_of_the_machine_are_reached(
    walls: Isolation, run_script: Run
) -> None:
    with socket.socket(socket.AF_UNIX) as abstract, socket.create_server(("127.0.0.1", 0)) as loopback:
        name = f"\0grader-test-{os.getpid()}"
        abstract.bind(name)
        abstract.listen()
        facts = run_script(
            walls,
            f"""
import json, socket
def reach(family, address):
    with socket.socket(family) as client:
        client.settimeout(2)
        return client.connect_ex(address)
print(json.dumps([reach(socket.AF_UNIX, {name!r}), reach(socket.AF_INET, ("127.0.0.1", {loopback.getsockname()[1]}))]))
""",
        ).facts
    assert 0 not in facts


def test_no_other_process_can_be_seen_or_signalled(walls: Isolation, run_script: Run) -> None:
    facts = run_script(
        walls,
        f"""
import json, os
def attempt(action):
    try:
        action(); return "done"
    except OSError as error:
        return type(error).__name__
print(json.dumps([
    attempt(lambda: os.kill({os.getpid()}, 0)),
    attempt(lambda: open("/proc/{os.getpid()}/environ").read()),
    attempt(lambda: os.setuid(0)),
    attempt(lambda: open("/proc/sys/kernel/core_pattern", "w")),
    attempt(lambda: open("/dev/kmsg").read()),
    attempt(lambda: os.mknod("disk", 0o60600, os.makedev(8, 0))),
]))
""",
    ).facts
    assert "done" not in facts


# --- room ------------------------------------------------------------------------------------------------------------

UNLINKED = """
import os, time
held = []
for n in range(8):
    {open}
    held.append(file)
    for _ in range(8): os.write(file, os.urandom(1 << 20))
time.sleep(60)
"""


@pytest.mark.parametrize(
    "how",
    [
        pytest.param('file = os.open(f"f{n}", os.O_CREAT | os.O_RDWR); os.unlink(f"f{n}")', id="unlinked"),
        pytest.param('file = os.memfd_create("x")', id="memfd"),
    ],
)
def test_files_without_a_name_count_as_disk(walls: Isolation, run_script: Run, marks: list[str], how: str) -> None:
    ran = run_script(walls, UNLINKED.format(open=how), disk_bytes=40 << 20)
    assert "MiB to disk" in english(ran.finished.over_budget)
    assert marks


def test_folders_too_deep_to_be_measured_end_the_sandbox(
    bubblewrap: Isolation, run_script: Run, marks: list[str]
) -> None:
    code = "import os, time\nfor _ in range(600): os.mkdir('d'); os.chdir('d')\ntime.sleep(60)"
    ran = run_script(bubblewrap, code)
    assert "cannot be measured" in english(ran.finished.over_budget)
    assert marks
    remove_tree(ran.layout.scratch)
    assert not ran.layout.scratch.exists()


def test_a_closed_folder_is_called_one_that_cannot_be_measured(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    if os.access(closed, os.R_OK):
        pytest.skip("root may look into every folder")
    assert folder_usage([tmp_path], 100).hidden
    remove_tree(closed)
    assert not closed.exists()


def test_the_sockets_folder_counts_as_disk(bubblewrap: Isolation, run_cells: Run, marks: list[str]) -> None:
    code = """
import glob, os, time
folder, = glob.glob("/tmp/grader-held-*")
with open(folder + "/big", "wb") as file:
    for _ in range(80): file.write(os.urandom(1 << 20))
time.sleep(60)
"""
    outcome = run_cells(bubblewrap, code, disk=40 << 20)
    assert outcome.run.status == "memory"
    assert says(outcome.run.reason, "it wrote more than {limit:size} to disk", limit=40 << 20)
    assert marks


@pytest.mark.parametrize(
    ("floor", "said"),
    [({"free_bytes": 1 << 60}, "MiB left"), ({"grader_bytes": -(1 << 40)}, "the grader's own memory")],
)
def test_a_machine_without_room_is_the_graders_failure(
    bubblewrap: Isolation, run_script: Run, marks: list[str], floor: dict[str, int], said: str
) -> None:
    with pytest.raises(SandboxError, match=said):
        run_script(bubblewrap, "import time; time.sleep(60)", **floor)
    assert marks


# --- what a kernel says ----------------------------------------------------------------------------------------------

FORGE = """
import json, time
from ipykernel.kernelapp import IPKernelApp
kernel = IPKernelApp.instance().kernel
session, iopub, parent = kernel.session, kernel.iopub_socket, kernel.get_parent()
def say(kind, content):
    session.send(iopub, kind, content, parent=parent)
def raw(kind, content, parent_header=None):
    head = session.msg(kind, {}, parent=parent)
    body = [session.pack(head["header"]), parent_header or session.pack(head["parent_header"]), b"{}", content]
    iopub.send_multipart([kind.encode(), b"<IDS|MSG>", session.sign(body), *body])
"""
FORGERIES = {
    "deep JSON": """
deep = json.loads("[" * 900 + "]" * 900)
say("display_data", {"data": {"application/json": deep, "text/plain": "x"}, "metadata": {"m": deep}, "transient": {}})
""",
    "half a character": r"""
raw("stream", b'{"name": "stdout", "text": "half \\ud800 there"}')
raw("display_data", b'{"data": {"text/plain": "\\udc00", "text/html": ["\\ud800"]}, "metadata": {"\\ud800": 1}}')
raw("error", b'{"ename": "\\ud800", "evalue": "\\ud800", "traceback": ["\\ud800"]}')
""",
    "wrong types": """
for data in (7, None, [], {"text/plain": 7}, {"image/png": {"a": 1}}, {"text/html": [1]}, {"k" * 1_000_000: "x"}):
    for count in ({"x": 1}, "9" * 1000, -1, 10**400, True):
        more = {"metadata": [1], "execution_count": count, "transient": {"display_id": [1]}}
        say("execute_result", {"data": data, **more})
say("error", {"ename": 1, "evalue": None, "traceback": 5})
say("stream", {"name": [], "text": {}})
say("update_display_data", {"data": None, "transient": 5})
say("clear_output", [])
raw("status", b'"busy"')
""",
    "large metadata": """
for _ in range(30):
    say("display_data", {"data": {"text/plain": "x"}, "metadata": {"m": "x" * 1_000_000}, "transient": {}})
""",
}


@pytest.fixture(scope="module")
def forged(tmp_path_factory: pytest.TempPathFactory) -> ExecutionOutcome:
    """Execute a notebook whose cells forge messages with the kernel's own key."""
    try:
        isolation = choose_isolation("bubblewrap")
    except IsolationRefusedError as error:
        pytest.skip(str(error))
    cells = [nbformat.v4.new_code_cell(f"{FORGE}{code}\ntime.sleep(0.2)") for code in FORGERIES.values()]
    request = ExecutionRequest(
        notebook=nbformat.v4.new_notebook(cells=[*cells, nbformat.v4.new_code_cell("print('still here')")]),
        scratch=tmp_path_factory.mktemp("forged") / "scratch",
        isolation=isolation,
        settings=RunSettings(time=300, memory=1 << 30),
        kernel_module="ipykernel_launcher",
        finish_code=None,
    )
    return execute(request)


def test_forged_messages_do_not_keep_the_next_cells_from_running(forged: ExecutionOutcome) -> None:
    assert forged.run.cells_run == len(FORGERIES) + 1
    assert forged.notebook.cells[-1].outputs[0]["text"] == "still here\n"


def test_whatever_was_forged_the_executed_notebook_can_be_written_and_read(forged: ExecutionOutcome) -> None:
    text = nbformat.writes(forged.notebook).encode()
    nbformat.validate(nbformat.reads(text.decode(), 4))
    assert len(text) < 1 << 20


def test_a_message_nobody_can_read_ends_the_kernel_and_says_so(bubblewrap: Isolation, run_cells: Run) -> None:
    code = FORGE + """raw("display_data", b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"); time.sleep(5)"""
    outcome = run_cells(bubblewrap, code, "1")
    assert outcome.run.status == "died"
    unreadable = "the kernel sent a message in {cell:cell} that cannot be read ({error})"
    assert says(outcome.run.reason, unreadable, cell=0)


def test_forged_answers_to_the_last_request_are_passed_over(bubblewrap: Isolation, run_cells: Run) -> None:
    code = """
from ipykernel.kernelapp import IPKernelApp
session = IPKernelApp.instance().kernel.session
real = session.send
def send(stream, kind, content=None, parent=None, ident=None, **others):
    if kind == "execute_reply":
        head = session.pack(session.msg(kind, {})["header"])
        for parts in ([head, b"[1]", b"{}", b"{}"], [head, b"{}", b"{}", b"[]"], [head, b"{}", b"{}", b"[" * 90_000]):
            stream.send_multipart([*(ident or []), b"<IDS|MSG>", session.sign(parts), *parts])
    return real(stream, kind, content, parent, ident, **others)
def later(session=session):
    session.send = send
get_ipython().events.register("post_run_cell", lambda result: later())
"""
    outcome = run_cells(bubblewrap, code, finish_code="1", finish_seconds=5.0)
    assert outcome.run.cells_run == 1


def test_a_notebook_that_removes_all_it_can_reach_is_graded_all_the_same(bubblewrap: Isolation, run_cells: Run) -> None:
    code = """
import glob, os, shutil
for folder in (*glob.glob("/tmp/gr-*"), "/record", "/home/student/submission"):
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
"""
    outcome = run_cells(bubblewrap, code, "print('after')")
    assert outcome.run.status == "completed"


# --- effects outside the sandbox --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_links_in_place_of_the_kernels_sockets_lead_to_no_socket_of_the_machine(
    bubblewrap: Isolation, run_cells: Run, tmp_path: Path
) -> None:
    host = tmp_path / "s"
    code = f"""
import glob, os, time
folder, = glob.glob('/tmp/grader-held-*')
for name in os.listdir(folder):
    if name.startswith('k-'):
        os.unlink(f'{{folder}}/{{name}}'); os.symlink({str(host)!r}, f'{{folder}}/{{name}}')
os.closerange(3, 4096)
time.sleep(3)
os._exit(3)
"""
    with socket.socket(socket.AF_UNIX) as listener:
        descriptor = os.open(tmp_path, os.O_PATH)
        listener.bind(f"/proc/self/fd/{descriptor}/s")
        os.close(descriptor)
        listener.listen()
        listener.settimeout(0.5)
        outcome = run_cells(bubblewrap, code, "print('second')")
        with pytest.raises(TimeoutError):
            listener.accept()
    assert outcome.run.status == "died"


@pytest.mark.slow
def test_the_name_and_the_text_of_an_exception_steer_no_terminal(bubblewrap: Isolation, run_cells: Run) -> None:
    code = r"""
class Bad(Exception): pass
Bad.__name__ = "x\x1b]0;title\x07\x9b\u202e"
raise Bad("\x1b[2J \u202e \x9b2J text")
"""
    run = run_cells(bubblewrap, code).run
    (error,) = run.errors
    shown = error.name + error.message + error.cause + english(run.reason)
    assert not any(character in shown for character in "\x1b\x07\x9b\u202e")
    assert error.name.startswith("x\ufffd]0;title")
    assert error.message.endswith("text")


@pytest.mark.slow
def test_empty_files_in_memory_are_counted(bubblewrap: Isolation, run_cells: Run) -> None:
    code = """
import os, time
for folder in range(30):
    os.mkdir(f'/tmp/{folder}')
    for number in range(10_000):
        os.close(os.open(f'/tmp/{folder}/{number}', os.O_CREAT | os.O_WRONLY))
time.sleep(20)
"""
    run = run_cells(bubblewrap, code).run
    assert run.status == "memory"
    assert "it wrote more than 200,000 files" in english(run.reason)


@KNOWN_MACHINE
def test_the_buffer_of_a_socket_cannot_be_enlarged(walls: Isolation, run_script: Run) -> None:
    facts = run_script(
        walls,
        """
import json, socket
one, other = socket.socketpair()
before = one.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
one.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
after = one.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
print(json.dumps([before == after, one.getsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED)]))
""",
    ).facts
    assert facts == [True, 1]


# --- what is handed in, and what is seen of it -----------------------------------------------------------------------


def test_folders_count_and_have_a_depth(tmp_path: Path) -> None:
    many, deep = tmp_path / "many", tmp_path / "deep"
    for number in range(30):
        (many / f"d{number}").mkdir(parents=True)
    deep.joinpath(*["d"] * 70).mkdir(parents=True)
    for source in (many, deep):
        target = tmp_path / f"copy of {source.name}"
        target.mkdir()
        with pytest.raises(NotebookError, match="files and folders"):
            copy_submission(source, target, max_files=20 if source is many else 1000)


def test_only_the_rubrics_own_data_sets_are_seen(bubblewrap: Isolation, tmp_path: Path) -> None:
    for name in ("mnist", "another-course"):
        (tmp_path / "data" / name).mkdir(parents=True)
    made = make_layout(tmp_path / "scratch", bubblewrap, data=tmp_path / "data", datasets=("mnist",))
    shown = [mount.target for mount in made.binds(Path(sys.executable)).mounts if mount.target.is_relative_to("/data")]
    assert shown == [Path("/data/mnist")]


# --- models ----------------------------------------------------------------------------------------------------------


def test_models_that_crash_one_after_the_other_are_given_up(
    bubblewrap: Isolation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "stand-in"
    package.mkdir()
    (package / "__init__.py").touch()
    shutil.copyfile(layout_module._INSIDE / "calls.py", package / "calls.py")
    (package / "predictor.py").write_text("import os; os._exit(139)")
    monkeypatch.setattr(layout_module, "_INSIDE", package)
    np.save(tmp_path / "x.npy", np.zeros((2, 2, 2), "float32"))
    (tmp_path / "m.keras").touch()
    jobs = [
        PredictionJob(f"m{number}", tmp_path / "m.keras", "keras", "keras3", tmp_path / "x.npy") for number in range(9)
    ]
    results = predict(
        jobs,
        isolation=bubblewrap,
        scratch=tmp_path / "scratch",
        limits=PredictionLimits(crashes=2),
        timeout=DEADLOCK_SECONDS,
    )
    assert [result.ok for result in results] == [False] * 9
    crashed = "the model crashed the predictor (exit code {code:raw})"
    assert sum(says(result.error, crashed, code=139) for result in results) == 2
    skipped = "it was not tried, because {count:number} other model of this notebook crashed the predictor"
    assert sum(says(result.error, skipped, count=2) for result in results) == 7


def test_deep_folders_can_be_removed(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    code = "import os\nfor _ in range(1200): os.mkdir('d'); os.chdir('d')"
    subprocess.run([sys.executable, "-c", code], cwd=top, check=True)
    remove_tree(top)
    assert not top.exists()


def _keras_file(path: Path, config: str, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", config)
        archive.writestr("metadata.json", "{}")
        for name, content in members.items():
            archive.writestr(name.replace("__", "/"), content)
    return path


PLAIN = '{"module": "keras.layers", "class_name": "Dense", "config": {"units": 3}, "registered_name": null}'


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ('{"module": "builtins", "class_name": "function", "config": "os.system", "registered_name": "x"}', "function"),
        (
            '{"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}',
            "not a part of Keras layers",
        ),
        ('{"module": "keras.utils", "class_name": "function", "config": "get_file"}', "not a part of Keras layers"),
        (
            '{"module": "keras.src.saving.serialization_lib", "class_name": "x", "config": 1}',
            "not a part of Keras layers",
        ),
        ('{"module": "keras.layers", "class_name": "Lambda", "config": {"function": {}}}', "carry code"),
        ('{"module": ["keras.layers"], "class_name": ["Dense"], "config": {}}', "not a part of Keras layers"),
        ('{"a": ' * 400 + '{"module": "os", "class_name": "x"}' + "}" * 400, "not a part of Keras layers"),
    ],
)
def test_a_model_may_name_layers_and_nothing_else(tmp_path: Path, config: str, said: str) -> None:
    assert said in (foreign_part(_keras_file(tmp_path / "m.keras", config)) or "")
    assert foreign_part(_keras_file(tmp_path / "plain.keras", PLAIN)) is None


def test_a_model_may_not_reach_out_of_its_file(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "linked.h5", "w") as store:
        store.create_group("layers")
        store["layers"]["kernel"] = h5py.ExternalLink("/given/0.npy", "/x")
    with h5py.File(tmp_path / "outside.h5", "w") as store:
        store.create_dataset("kernel", (4,), "f4", external=[("/given/0.npy", 0, 16)])
    with h5py.File(tmp_path / "plain.h5", "w") as store:
        store.create_group("layers")["kernel"] = np.zeros(4)
    reasons = {}
    for name in ("linked", "outside", "plain"):
        content = (tmp_path / f"{name}.h5").read_bytes()
        reasons[name] = foreign_part(_keras_file(tmp_path / f"{name}.keras", PLAIN, **{"model.weights.h5": content}))
    assert "links" in str(reasons["linked"])
    assert "another file" in str(reasons["outside"])
    assert reasons["plain"] is None
    climbing = _keras_file(tmp_path / "climbing.keras", PLAIN, **{"assets__..__..__x": b""})
    assert "has a part named" in str(foreign_part(climbing))


# --- what a forged record can claim ----------------------------------------------------------------------------------

FORGED_RECORD = """
import json, numpy as np
truth = np.load("/data/tiny/y_test.npy")
np.save("/record/predictions/m1.npy", np.eye(10, dtype="float32")[truth])
events = open("/record/events.jsonl", "a")
number = 50
def tell(kind, **keys):
    global number
    number += 1
    events.write(json.dumps({"n": number, "t": 1.0, "cell": 1, "kind": kind, **keys}) + "\\n")
    events.flush()
layer = {"name": "d", "cls": "Dense", "custom": False, "output_shape": [10], "input_shape": [784], "parameters": 100,
         "trainable": True, "config": {}}
tell("model", model={"id": "m1", "name": "net", "cls": "Sequential", "dialect": "keras3", "input_shape": [28, 28, 1],
     "output_shape": [10], "parameters": 100, "trainable_parameters": 100, "layers": [layer], "shares_layers_with": []})
tell("fit_start", fit=1, model="m1", type="fit", epochs=2, batch_size=10, steps=10, validation="none",
     x={"array": "a1", "shape": [200, 28, 28, 1], "dtype": "float32", "low": 0, "high": 1},
     y={"shape": [200], "dtype": "int64", "one_hot": False, "classes": {str(n): 20 for n in range(10)}})
tell("fit_end", fit=1, status="completed", epochs=2, history={"loss": [2, 1]})
tell("kept", model="m1", format="predictions", path="predictions/m1.npy", after=number)
"""
TINY = """
version: 1
id: tiny
title: Tiny
dataset: tiny
run: {dialect: keras3, time: 5 min, memory: 1 GiB}
roles: {net: {pick: last_trained}}
criteria:
  - {id: loose, points: 1, check: accuracy, with: {model: net, at_least: 0.9}}
  - {id: strict, points: 1, check: accuracy, with: {model: net, at_least: 0.9, require_verified: true}}
"""


def _grade(tmp_path: Path, code: str) -> Grade:
    """Grade one notebook as the command does, on fifty images of noise."""
    images = np.random.default_rng(0).integers(0, 256, (250, 28, 28), dtype=np.uint8)
    classes = (np.arange(250) % 10).astype(np.uint8)
    parts = {"x_train": images[:200], "y_train": classes[:200], "x_test": images[200:], "y_test": classes[200:]}
    np.savez(tmp_path / "tiny.npz", allow_pickle=False, **parts)
    (tmp_path / "tiny.yaml").write_text(TINY)
    (tmp_path / "forger.ipynb").write_text(
        nbformat.writes(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)]))
    )
    store = DatasetStore(tmp_path / "data")
    store.import_file("tiny", tmp_path / "tiny.npz")
    loaded = load_rubric(tmp_path / "tiny.yaml", all_checks())
    (found,) = find_submissions([tmp_path / "forger.ipynb"], unpack_to=tmp_path / "unpacked")
    bench = set_up(loaded, Options(isolation="bubblewrap"))
    return grade_found(found, load_course(loaded, store), bench, ResultsFolder(tmp_path / "out"), lambda _: None)


def test_a_forged_record_is_never_called_verified(bubblewrap: Isolation, tmp_path: Path) -> None:  # noqa: ARG001 — skips
    graded = _grade(tmp_path, FORGED_RECORD)
    loose, strict = graded.criteria
    assert (loose.status, loose.assurance) == ("passed", "recorded"), (loose.message, graded.execution, graded.reason)
    assert "could not verify this accuracy" in loose.message
    assert (strict.status, strict.points) == ("pending", 0)
    assert {claim.assurance for model in graded.models for claim in model.accuracy.values()} == {"recorded"}
