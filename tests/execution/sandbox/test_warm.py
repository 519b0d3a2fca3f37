"""Forks of a warm process: separated from each other and from it, with the same results as a cold start.

`test_sandbox` and `test_runner` test the behavior common to cold sandboxes; there `warm` is one more isolation.
"""

import gc
import json
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import psutil
import pytest

from grader.execution.predict import PredictionJob, predict
from grader.execution.runner import ExecutionOutcome, ExecutionRequest, execute
from grader.execution.sandbox import bubblewrap as bubblewrap_module
from grader.execution.sandbox.bubblewrap import Bubblewrap
from grader.execution.sandbox.container import Container
from grader.execution.sandbox.device import Device
from grader.execution.sandbox.isolation import Isolation, ProcessLimits
from grader.execution.sandbox.layout import Layout, make_layout
from grader.execution.sandbox.processes import end_tree
from grader.execution.sandbox.unprotected import NoIsolation
from grader.execution.sandbox.warm import HeldProcess, Program, WarmPool, WarmRefusedError, _key
from grader.inside import warm as inside_warm
from grader.schema.errors import PredictorError, SandboxError
from grader.schema.rubric import RunSettings
from tests.execution.conftest import PYTHON, WARM, isolation_named
from tests.support.waiting import DEADLOCK_SECONDS, until


@pytest.fixture(params=WARM)
def walls(request: pytest.FixtureRequest) -> Isolation:
    """Isolations for a fork."""
    return isolation_named(request.param)


Fork = Callable[..., tuple[HeldProcess, Layout]]


@pytest.fixture
def fork(tmp_path: Path, pool: WarmPool) -> Iterator[Fork]:
    """Start Python code in a fork with a new sandbox, and end it after the test."""
    count = iter(range(1000))
    started: list[tuple[HeldProcess, Isolation]] = []

    def run(isolation: Isolation, code: str, processes: int = 512) -> tuple[HeldProcess, Layout]:
        program, layout = _program(isolation, code, tmp_path / f"fork-{next(count)}")
        held = pool.start(replace(program, limits=ProcessLimits(processes=processes)))
        started.append((held, program.isolation))
        return held, layout

    yield run
    for held, own in started:
        end_tree(held, own, "no-mark")
        held.wait()


def _program(isolation: Isolation, code: str, scratch: Path) -> tuple[Program, Layout]:
    own = isolation.for_run()
    layout = make_layout(scratch, own)
    (layout.code / "script.py").write_text(code)
    for folder in (layout.code, layout.work, layout.out, layout.home, layout.tmp):
        own.own(folder)
    env = layout.environment(PYTHON, {})
    cwd, binds = layout.inner("work"), layout.binds(PYTHON)
    return Program("script", (), PYTHON, "keras3", own, binds, env, cwd, ProcessLimits(), layout.log), layout


def _printed_json(held: HeldProcess, layout: Layout) -> Any:
    assert held.wait(DEADLOCK_SECONDS) == 0, layout.log.read_text()
    return json.loads(layout.log.read_text().strip().splitlines()[-1])


def _own_mounts() -> list[str]:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    return [line for line in lines if "grader" in line or "newroot" in line]


def _warm_process(held: HeldProcess) -> psutil.Process:
    """The Python that forks, below the outermost process of its sandbox."""
    assert held.warm is not None
    (python,) = psutil.Process(held.warm.pid).children()
    return python


SLEEPER = """
import time
open("answer-of-another.txt", "w").write("the answer of another")
open("/tmp/answer-of-another.txt", "w").write("the answer of another")
open("/dev/shm/answer-of-another.txt", "w").write("the answer of another")
print("there", flush=True)
time.sleep(600)
"""


class TestApart:
    def test_a_fork_neither_sees_nor_reaches_another_or_the_warm_process(self, walls: Isolation, fork: Fork) -> None:
        other, layout = fork(walls, SLEEPER)
        until(lambda: "there" in layout.log.read_text())
        assert other.guest is not None
        numbers = [other.pid, other.guest.pid, _warm_process(other).pid, os.getpid()]
        code = f"""
import json, os, signal, socket, stat
def attempt(action):
    try: return repr(action())
    except OSError as error: return type(error).__name__
found = [os.path.join(folder, name) for top in ("/tmp", "/dev/shm", "/home", "/record", "/grader")
         for folder, _, names in os.walk(top) for name in names if name == "answer-of-another.txt"]
descriptors = [os.readlink(f"/proc/self/fd/{{n}}") for n in (0, 1, 2)]
others = []
for n in range(3, 4096):
    try: others.append(stat.S_IFMT(os.fstat(n).st_mode))
    except OSError: pass
print(json.dumps({{
    "found": found,
    "signals": [attempt(lambda n=n: os.kill(n, 0)) for n in {numbers!r} if n > 10],
    "seen": [n for n in {numbers!r} if n > 10 and os.path.exists(f"/proc/{{n}}")],
    "descriptors": descriptors, "others": others,
    "sockets": len(open("/proc/net/unix").read().splitlines()) - 1,
    "exe": attempt(lambda: os.open("/proc/self/exe", os.O_WRONLY)),
    "pids": sorted(int(n) for n in os.listdir("/proc") if n.isdigit()),
    "parent": os.getppid(),
}}), flush=True)
os.kill(-1, signal.SIGKILL)
"""
        held, probe = fork(walls, code)
        held.wait(DEADLOCK_SECONDS)
        facts = json.loads(probe.log.read_text().strip().splitlines()[-1])
        assert facts["found"] == []
        assert set(facts["signals"]) <= {"ProcessLookupError"}
        assert facts["seen"] == []
        assert facts["descriptors"][0] == "/dev/null"
        assert facts["others"] == []
        assert facts["sockets"] == 0
        assert facts["exe"] in ("PermissionError", "OSError")
        assert len(facts["pids"]) <= 3
        assert facts["parent"] == 0
        assert other.guest.is_running()
        assert other.poll() is None
        assert _warm_process(other).is_running()

    def test_a_fork_cannot_leave_its_namespaces(self, walls: Isolation, fork: Fork) -> None:
        code = """
import ctypes, json, os
libc = ctypes.CDLL(None, use_errno=True)
def attempt(result): return "done" if result >= 0 else os.strerror(ctypes.get_errno())
unshared = {name: attempt(libc.unshare(flag)) for name, flag in
    {"mnt": 0x20000, "pid": 0x20000000, "net": 0x40000000}.items()}
entered = {name: attempt(libc.setns(os.open(f"/proc/1/ns/{name}", os.O_RDONLY), 0))
           for name in ("mnt", "pid") if os.access(f"/proc/1/ns/{name}", os.R_OK)}
mounted = attempt(libc.mount(b"none", b"/tmp", b"tmpfs", 0, None))
rooted = attempt(libc.chroot(b"/tmp"))
try: os.setuid(0); became = "root"
except OSError as error: became = error.strerror
print(json.dumps([unshared, entered, mounted, rooted, became]))
"""
        held, layout = fork(walls, code)
        unshared, entered, mounted, rooted, became = _printed_json(held, layout)
        assert set(unshared.values()) == {"Operation not permitted"}
        assert "done" not in entered.values()
        assert {mounted, rooted} == {"Operation not permitted"}
        assert became in ("Operation not permitted", "Invalid argument")

    @pytest.mark.slow
    def test_one_that_uses_up_its_processes_takes_none_of_anothers(self, walls: Isolation, fork: Fork) -> None:
        greedy = """
import os, time
made = 0
try:
    while made < 100:
        if os.fork() == 0: time.sleep(600)
        made += 1
except OSError: pass
print("full" if made < 100 else "not limited", made, flush=True)
time.sleep(600)
"""
        if os.geteuid() == 0 and isinstance(walls, Bubblewrap) and walls.user == "namespace":
            pytest.skip("the operating system does not count the processes of root, whatever its namespace")
        held, layout = fork(walls, greedy, processes=60)
        until(lambda: "full" in layout.log.read_text())
        assert held.poll() is None
        modest = """
import json, os, time
made = []
for _ in range(40):
    child = os.fork()
    if child == 0: time.sleep(0.2); os._exit(0)
    made.append(child)
print(json.dumps([os.waitpid(child, 0)[1] for child in made]))
"""
        assert _printed_json(*fork(walls, modest, processes=60)) == [0] * 40

    def test_a_fork_has_no_rights_and_the_filter_and_so_has_what_it_starts(self, walls: Isolation, fork: Fork) -> None:
        code = """
import json, subprocess
wanted = ("Seccomp", "Seccomp_filters", "NoNewPrivs", "CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb")
def facts(text): return {k: v for k, v in (line.split(":\\t", 1) for line in text.splitlines()) if k in wanted}
child = subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True).stdout
first = open("/proc/1/status").read()
print(json.dumps([facts(open("/proc/self/status").read()), facts(child), facts(first)["Seccomp"]]))
"""
        own, child, first = _printed_json(*fork(walls, code))
        assert own == child
        assert own["Seccomp"] == first == "2"
        assert own.get("Seccomp_filters", "1") == "1"
        assert own["NoNewPrivs"] == "1"
        assert {int(own[name], 16) for name in own if name.startswith("Cap")} == {0}

    def test_a_fork_whose_filter_the_operating_system_refuses_never_starts(
        self, walls: Isolation, fork: Fork, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("grader.execution.sandbox.bubblewrap.filter_program", lambda *_: bytes(8))
        with pytest.raises(WarmRefusedError, match="the fork failed: OSError"):
            fork(walls, "print('started')")

    def test_what_waits_for_a_fork_has_no_rights_and_the_filter(self, walls: Isolation, fork: Fork) -> None:
        held, layout = fork(walls, SLEEPER)
        until(lambda: "there" in layout.log.read_text())
        assert held.guest is not None
        attendant = held.guest.parent()
        assert attendant is not None
        assert attendant.parent() == _warm_process(held)
        status = Path(f"/proc/{attendant.pid}/status").read_text()
        facts = dict(line.split(":\t", 1) for line in status.splitlines())
        assert facts["Seccomp"] == "2"
        assert {int(facts[name], 16) for name in facts if name.startswith("Cap")} == {0}


class TestTheWarmProcess:
    @pytest.mark.tensorflow
    @pytest.mark.slow
    def test_the_functions_that_hooks_replace_are_in_its_index(self, walls: Isolation, fork: Fork) -> None:
        code = """
import json, keras, tensorflow as tf
from inside.hooking import holders
functions = [keras.models.load_model, keras.models.save_model, keras.models.clone_model, keras.utils.get_file,
             keras.datasets.mnist.load_data, tf.io.gfile.exists, tf.io.gfile.makedirs, tf.io.gfile.walk]
print(json.dumps([[id(one) in holders._index, len(list(holders.holders_of(one, {"keras", "tensorflow"})))]
                  for one in functions]), flush=True)
"""
        found = _printed_json(*fork(walls, code))
        assert all(indexed and places for indexed, places in found)

    def test_a_fork_that_crashes_or_is_killed_leaves_it_unharmed(self, walls: Isolation, fork: Fork) -> None:
        held, _ = fork(walls, "import ctypes; ctypes.string_at(0)")
        assert held.wait(DEADLOCK_SECONDS) == 128 + signal.SIGSEGV
        warm = _warm_process(held)
        held, _ = fork(walls, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
        assert held.wait(DEADLOCK_SECONDS) == 128 + signal.SIGKILL
        held, _ = fork(walls, "raise SystemExit(3)")
        assert held.wait(DEADLOCK_SECONDS) == 3
        assert _warm_process(held) == warm

    @pytest.mark.slow
    def test_twenty_forks_leave_nothing_behind(
        self, walls: Isolation, fork: Fork, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # The latest of these files stay open, because sandboxes that start at the same time still have to read theirs.
        monkeypatch.setattr(bubblewrap_module, "_MOST_ARGUMENT_FILES", 1)
        monkeypatch.setattr(bubblewrap_module, "_argument_files", deque())
        held, _ = fork(walls, "")
        assert held.wait(DEADLOCK_SECONDS) == 0
        warm = _warm_process(held)
        until(lambda: warm.children() == [])
        gc.collect()
        before = (warm.num_fds(), warm.num_threads())
        own = psutil.Process().num_fds()
        mounts = _own_mounts()
        memory = warm.memory_info().rss
        guests = []
        for number in range(20):
            held, _ = fork(walls, f"open('made', 'w').close()\nraise SystemExit({number})")
            assert held.guest is not None
            guests.append(held.guest)
            assert held.wait(DEADLOCK_SECONDS) == number
        until(lambda: warm.children() == [])
        assert [guest.pid for guest in guests if guest.is_running()] == []
        assert (warm.num_fds(), warm.num_threads()) == before
        gc.collect()
        assert psutil.Process().num_fds() <= own
        assert _own_mounts() == mounts
        assert warm.memory_info().rss < memory + (8 << 20)

    def test_a_fork_can_be_ended_from_outside_with_all_it_started(self, walls: Isolation, fork: Fork) -> None:
        code = """
import os, time
for _ in range(3):
    if os.fork() == 0:
        os.setsid(); time.sleep(600)
print("there", flush=True)
time.sleep(600)
"""
        held, layout = fork(walls, code)
        until(lambda: "there" in layout.log.read_text())
        assert held.guest is not None
        members = [held.guest, *held.guest.children(recursive=True)]
        assert len(members) == 4
        end_tree(held, walls, "no-mark")
        held.wait()
        until(lambda: not any(member.is_running() for member in members))


def _notebook(*cells: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])


def _execute(tmp_path: Path, name: str, isolation: Isolation, *cells: str, **more: Any) -> ExecutionOutcome:
    settings = RunSettings(time=200, memory=4 << 30)
    request = ExecutionRequest(_notebook(*cells), tmp_path / name, isolation, settings, seed=7, start_seconds=200)
    return execute(replace(request, **more))


@pytest.mark.bubblewrap
@pytest.mark.tensorflow
@pytest.mark.slow
def test_when_the_warm_process_is_killed_its_kernel_ends_and_it_is_the_graders_failure(
    bubblewrap: Isolation, tmp_path: Path
) -> None:
    plain: dict[str, Any] = {"kernel_module": "ipykernel_launcher", "finish_code": None}
    with WarmPool(start_seconds=240) as own:
        (tmp_path / "files").mkdir()

        def kill(progress: Any) -> None:
            if progress.kind == "running":
                (parent,) = own._parents.values()
                parent.result().process.kill()

        with pytest.raises(SandboxError, match="the warm process ended"):
            execute(
                replace(
                    ExecutionRequest(_notebook("import time; time.sleep(600)"), tmp_path / "a", bubblewrap, warm=own),
                    **plain,
                ),
                kill,
            )
        again = _execute(tmp_path, "b", bubblewrap, "print('again')", warm=own, **plain)
        assert again.warm
        assert again.notebook.cells[0].outputs[0]["text"] == "again\n"


TRAINING = """
import hashlib, random
import numpy as np
import {keras} as keras
from {keras} import layers
rng = np.random.default_rng(0)
x, y = rng.random((256, 28, 28, 1), dtype="float32"), rng.integers(0, 10, 256)
model = keras.Sequential([layers.Conv2D(4, 3, activation="relu", input_shape=(28, 28, 1)), layers.Flatten(),
                          layers.Dropout(0.3), layers.Dense(10, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x, y, epochs=2, batch_size=32, verbose=0)
"""
SHOWN = """
digest = hashlib.sha256(b"".join(w.tobytes() for w in model.get_weights())).hexdigest()
print(digest, history.history, model.name, [layer.name for layer in model.layers])
print(hash("a"), list({"b", "c", "d", "e"}), random.random(), np.random.rand(3))
import os
print({name: os.environ[name] for name in sorted(os.environ) if not name.startswith("GRADER")}, os.getcwd())
import sys
print(sys.argv[1:2], sys.path[-1:], sys.flags.hash_randomization)
"""
PLOT = "import matplotlib.pyplot as plt\nplt.plot(history.history['loss'])\nplt.title('loss')\nplt.show()"


@pytest.mark.bubblewrap
@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.parametrize("dialect", ["keras3", "keras2"])
@pytest.mark.parametrize("name", ["warm", "warm-userns"])
def test_a_training_comes_to_the_same_warm_and_cold(dialect: Any, name: str, tmp_path: Path) -> None:
    isolation = isolation_named(name)
    cells = (TRAINING.format(keras="keras"), SHOWN, PLOT)
    cold = _execute(tmp_path, "cold", isolation, *cells, dialect=dialect)
    with WarmPool(start_seconds=240) as own:
        warm = _execute(tmp_path, "warm", isolation, *cells, dialect=dialect, warm=own)
    assert (cold.warm, warm.warm) == (False, True), warm.notices
    assert warm.run.status == cold.run.status == "completed", (warm.run, warm.log)
    assert warm.notebook.cells[1].outputs == cold.notebook.cells[1].outputs
    figures = [outcome.notebook.cells[2].outputs[0]["data"]["image/png"] for outcome in (cold, warm)]
    assert figures[0] == figures[1]
    assert _record(warm) == _record(cold)


OLD_FORMS = """
import numpy as np
import keras
from keras.models import Sequential
from keras.layers.convolutional import Conv2D, MaxPooling2D
from keras.layers.core import Dense, Dropout, Flatten
from keras.layers.normalization import BatchNormalization
from keras.utils import np_utils
from keras.optimizers import SGD
from keras.callbacks import EarlyStopping
x = np.random.rand(200, 28, 28, 1).astype("float32")
y = np_utils.to_categorical(np.random.randint(0, 10, 200), 10)
model = Sequential()
model.add(Conv2D(4, (3, 3), activation="relu", input_shape=(28, 28, 1)))
model.add(BatchNormalization())
model.add(MaxPooling2D())
model.add(Dropout(0.25))
model.add(Flatten())
model.add(Dense(10, activation="softmax"))
model.compile(SGD(lr=0.01, decay=1e-6, momentum=0.9), "categorical_crossentropy", metrics=["acc"])
history = model.fit(x, y, epochs=2, batch_size=32, verbose=2, validation_split=0.2,
                    callbacks=[EarlyStopping(monitor="val_acc")])
print(sorted(history.history), model.evaluate(x, y, verbose=0), model.predict_classes(x[:9]))
"""


@pytest.mark.bubblewrap
@pytest.mark.tensorflow
@pytest.mark.slow
def test_old_forms_and_their_record_come_to_the_same_warm_and_cold(bubblewrap: Isolation, tmp_path: Path) -> None:
    cold = _execute(tmp_path, "cold", bubblewrap, OLD_FORMS, dialect="keras2")
    with WarmPool(start_seconds=240) as own:
        warm = _execute(tmp_path, "warm", bubblewrap, OLD_FORMS, dialect="keras2", warm=own)
    assert warm.warm, warm.notices
    assert not cold.run.errors, cold.run.errors
    assert not warm.run.errors, warm.run.errors
    assert _record(warm) == _record(cold)
    kinds = [event["kind"] for event in _record(warm)[1:]]
    assert "emulated" in kinds
    assert "fit_end" in kinds


_PASSING = {"t", "pid", "seconds", "n", "memory", "rss", "bytes", "sha256"}
"""Values that differ between executions of the same notebook."""


def _record(outcome: ExecutionOutcome) -> list[Any]:
    lines = (outcome.out / "events.jsonl").read_text().splitlines()
    events = [_lasting(json.loads(line)) for line in lines]
    # Noted when TensorFlow is imported, which for a fork was before its first cell.
    versions = [event.pop("versions") for event in events if event["kind"] == "versions"]
    return [versions, *(event for event in events if event["kind"] != "versions")]


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lasting(part) for key, part in value.items() if key not in _PASSING}
    return [_lasting(part) for part in value] if isinstance(value, list) else value


@pytest.mark.bubblewrap
@pytest.mark.tensorflow
@pytest.mark.slow
def test_predictions_are_the_same_warm_and_cold_each_in_a_fork_of_its_own(
    bubblewrap: Isolation, tmp_path: Path
) -> None:
    # As the recorder keeps a model: not compiled.
    save = f"""{TRAINING.format(keras="keras")}
keras.Model(model.inputs, model.outputs).save('m.keras')
"""
    made = _execute(tmp_path, "made", bubblewrap, save)
    assert made.run.status == "completed", made.run
    np.save(tmp_path / "x.npy", np.random.default_rng(1).random((50, 28, 28, 1), dtype="float32"))
    job = PredictionJob("m1", made.work / "m.keras", "keras", "keras3", tmp_path / "x.npy")
    broken = tmp_path / "broken.keras"
    broken.write_bytes(b"no model")
    bad = PredictionJob("m0", broken, "keras", "keras3", tmp_path / "x.npy")
    (cold,) = predict([job], isolation=bubblewrap, scratch=tmp_path / "p")
    with WarmPool(start_seconds=240) as own:
        for _ in range(2):
            failed, warm = predict([bad, job], isolation=bubblewrap, scratch=tmp_path / "p", warm=own)
            assert not failed.ok
            assert warm.ok, warm.error
            assert warm.outputs is not None
            assert cold.outputs is not None
            assert np.array_equal(warm.outputs, cold.outputs)
            assert warm.model == cold.model
        assert own.failures == []
        assert len(own._parents) == 1


class _Doomed(WarmPool):
    def start(self, program: Program) -> HeldProcess:
        held = super().start(program)
        assert held.warm is not None
        held.warm.kill()
        held.warm.wait()
        return held


@pytest.mark.bubblewrap
@pytest.mark.tensorflow
@pytest.mark.slow
def test_no_model_is_blamed_for_the_end_of_the_warm_process(bubblewrap: Isolation, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((2, 28, 28, 1), dtype="float32"))
    (tmp_path / "m.keras").write_bytes(b"no model")
    job = PredictionJob("m1", tmp_path / "m.keras", "keras", "keras3", tmp_path / "x.npy")
    with _Doomed(start_seconds=240) as own, pytest.raises(PredictorError, match="the warm process ended"):
        predict([job], isolation=bubblewrap, scratch=tmp_path / "p", warm=own)


class TestWhatIsStartedCold:
    def _program(self, tmp_path: Path, isolation: Isolation, **env: str) -> Program:
        program, _ = _program(isolation, "", tmp_path / "s")
        return replace(program, env={**program.env, **env})

    def test_a_program_for_a_gpu(self, tmp_path: Path) -> None:
        env = Device("gpu", slot=0).environment(1, {})
        with pytest.raises(WarmRefusedError, match="GPU"):
            _key(self._program(tmp_path, Bubblewrap(), **env))

    def test_a_program_that_is_given_a_device(self, tmp_path: Path) -> None:
        program = self._program(tmp_path, Bubblewrap())
        program = replace(program, binds=replace(program.binds, devices=(Path("/dev/nvidia0"),)))
        with pytest.raises(WarmRefusedError, match="GPU"):
            _key(program)

    @pytest.mark.parametrize("isolation", [NoIsolation(), Container()])
    def test_a_program_without_bubblewrap(self, isolation: Isolation, tmp_path: Path) -> None:
        with pytest.raises(WarmRefusedError, match=isolation.name):
            _key(
                self._program(tmp_path, NoIsolation())
                if isolation.name == "none"
                else replace(self._program(tmp_path, NoIsolation()), isolation=isolation)
            )

    def test_a_notebook_without_isolation_says_so(self, tmp_path: Path) -> None:
        with WarmPool() as own:
            plain = {"kernel_module": "ipykernel_launcher", "finish_code": None}
            outcome = _execute(tmp_path, "s", NoIsolation(), "print(1)", warm=own, **plain)
        assert outcome.run.status == "completed"
        assert not outcome.warm
        assert outcome.notices == ("the kernel was started cold: there is no warm start with isolation 'none'",)

    def test_everything_once_the_pool_is_closed(self, tmp_path: Path) -> None:
        with WarmPool() as own:
            pass
        with pytest.raises(WarmRefusedError, match="were ended"):
            own.ready(self._program(tmp_path, Bubblewrap()))

    @pytest.mark.bubblewrap
    def test_a_python_without_tensorflow_names_what_it_lacks(self, bubblewrap: Isolation, tmp_path: Path) -> None:
        program = self._program(tmp_path, bubblewrap)
        with WarmPool() as own, pytest.raises(WarmRefusedError, match="did not start"):
            own.ready(replace(program, python=Path("/usr/bin/false")))
        assert len(own.failures) == 1


def test_seeds_threads_dialects_and_the_predictor_have_warm_processes_of_their_own(tmp_path: Path) -> None:
    program, _ = _program(Bubblewrap(), "", tmp_path / "s")
    variants = [
        program,
        replace(program, dialect="keras2"),
        replace(program, module="inside.predictor"),
        replace(program, env={**program.env, "PYTHONHASHSEED": "8"}),
        replace(program, env={**program.env, "OMP_NUM_THREADS": "2"}),
        replace(program, isolation=Bubblewrap(user="transient")),
    ]
    assert len({_key(variant) for variant in variants}) == len(variants)


def test_the_session_the_mark_and_the_user_id_need_no_warm_process_of_their_own(tmp_path: Path) -> None:
    made, _ = _program(Bubblewrap(), "", tmp_path / "s")
    program = replace(made, isolation=Bubblewrap(user="transient"))
    other = replace(program, env={**program.env, "GRADER_SESSION": "/x", "GRADER_MARK": "y"})
    assert _key(program) == _key(replace(other, isolation=Bubblewrap(user="transient", user_id=61999)))


def test_a_process_that_kept_its_rights_is_not_taken_for_shut_in() -> None:
    with pytest.raises(inside_warm.NotSafeError, match="rights are left"):
        inside_warm._verify(inside_warm.Job("m", (), {}, "/", {}, None, None), {})
