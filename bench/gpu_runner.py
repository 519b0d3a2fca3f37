"""Take the measurements of `bench/gpu.py` on this machine."""

import json
import os
import re
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from gpu_parts import Growth, Held, NotMeasuredError, Predicted, Seen, Took, Work
from nbformat.v4 import new_code_cell, new_notebook
from notebooks import LIGHT_RUBRIC, MNIST, SERVED, light_cells, training_cells, write_notebook

from grader.datasets.store import DatasetStore
from grader.execution.predict import PredictionJob, predict
from grader.execution.runner import ExecutionRequest, execute
from grader.execution.sandbox.capacity import gpu_slots
from grader.execution.sandbox.choice import choose_isolation
from grader.execution.sandbox.device import Device
from grader.execution.sandbox.gpus import Gpu
from grader.pipeline.course import load_course
from grader.pipeline.rubrics import find_rubric
from grader.schema.errors import GraderError
from grader.schema.rubric import RunSettings

__all__ = ["RealRunner", "memory_use", "tensorflow_gpus"]

_EPOCHS = 2
_GRACE_SECONDS = 10.0
_GRADER = Path(sys.executable).parent / "grader"
_COUNT = "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')))"
_HOLD = """\
import sys
import numpy as np
import tensorflow as tf
way, limit = sys.argv[1], int(sys.argv[2])
gpus = tf.config.list_physical_devices("GPU")
if gpus and way == "limit":
    tf.config.set_logical_device_configuration(gpus[0], [tf.config.LogicalDeviceConfiguration(memory_limit=limit)])
layers = tf.keras.layers
model = tf.keras.Sequential([tf.keras.Input((28, 28, 1)), layers.Conv2D(32, 3), layers.Flatten(), layers.Dense(10)])
model.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
model.fit(np.zeros((2048, 28, 28, 1), "float32"), np.zeros(2048, "int64"), batch_size=128, verbose=0)
print("HELD", flush=True)
sys.stdin.read()
"""
"""Train a model, report it, and keep the memory until the standard input ends."""
_MODELS = """\
import sys
import tensorflow as tf
layers = tf.keras.layers
for path in sys.argv[1:]:
    tf.keras.Sequential([tf.keras.Input((28, 28, 1)), layers.Conv2D(16, 3, activation="relu"), layers.Flatten(),
        layers.Dense(10, activation="softmax")]).save(path)
"""
_LOOK = '''\
import json, os, pathlib, subprocess, sys
import tensorflow as tf
count = """
import ctypes
cuda, number = ctypes.CDLL("libcuda.so.1"), ctypes.c_int()
cuda.cuInit(0)
cuda.cuDeviceGetCount(ctypes.byref(number))
print(number.value)
"""
env = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
asked = subprocess.run([sys.executable, "-c", count], env=env, capture_output=True, text=True)
facts = {
    "tensorflow": len(tf.config.list_physical_devices("GPU")),
    "unset": int(asked.stdout or 0),
    "nodes": sorted(str(path.relative_to("/dev")) for path in pathlib.Path("/dev").rglob("nvidia*")),
}
print("SEEN", json.dumps(facts))
'''


def tensorflow_gpus(seconds: float = 60.0) -> int:
    """Return the number of GPUs in TensorFlow, outside a sandbox."""
    try:
        asked = subprocess.run(
            [sys.executable, "-c", _COUNT], capture_output=True, text=True, timeout=seconds, check=True
        )
        return int(asked.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return 0


def memory_use(gpu: Gpu, ask: Callable[[list[str]], str] | None = None) -> Held | None:
    """Look up the memory of a GPU that is in use; None if it is unknown, as for MIG instances.

    Args:
        gpu: The GPU.
        ask: Runs a command and returns its output.
    """
    which = gpu.uuid or str(gpu.index)
    command = ["nvidia-smi", f"--id={which}", "--query-gpu=memory.used,memory.total", "--format=csv,noheader,nounits"]
    match = re.fullmatch(r"\s*(\d+), (\d+)\s*", (ask or _printed)(command))
    return Held(int(match[1]), int(match[2])) if match and gpu.instance is None else None


def _printed(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


@dataclass
class RealRunner:
    """Takes measurements with the grader's own commands and functions."""

    scratch: Path
    """Empty folder."""
    devices: tuple[Device, ...]
    """The GPUs and MIG instances; the CPU in a rehearsal."""
    _runs: int = field(default=0, init=False)

    @property
    def gpus(self) -> int:
        """Number of GPUs and MIG instances."""
        return len(self.devices)

    @property
    def slots(self) -> int:
        """Number of notebooks that the grader lets share the first GPU; 2 if its memory is unknown."""
        return gpu_slots(self.devices[0]) or 2

    def prepare(self) -> None:
        """Prepare the data set, so that no measurement includes it."""
        load_course(find_rubric(str(self._rubric())), DatasetStore())

    def grade(self, works: Sequence[Work], seconds: float) -> list[Took]:
        """Grade works at the same time; every notebook must get full marks."""
        ends = time.monotonic() + seconds
        started = [self._start(work) for work in works]
        walls: dict[int, float] = {}
        try:
            while len(walls) < len(started):
                if time.monotonic() > ends:
                    message = f"`grader grade` was stopped after {seconds:.0f} s"
                    raise NotMeasuredError(message)
                for number, (process, _, began) in enumerate(started):
                    if number not in walls and process.poll() is not None:
                        walls[number] = time.monotonic() - began
                time.sleep(0.05)
        finally:
            for process, _, _ in started:
                _end(process)
        results = zip(works, started, strict=True)
        return [Took(walls[number], _notebook_seconds(out, work)) for number, (work, (_, out, _)) in enumerate(results)]

    def hold(self, way: Growth, limit_mib: int, seconds: float) -> Held:
        """Train a model and look up the GPU memory that the process holds."""
        before = self._memory()
        # The grader sets this variable for every notebook.
        growth = {"TF_FORCE_GPU_ALLOW_GROWTH": "true" if way == "growth" else "false"}
        env = {**os.environ, **self._visible(1), **growth}
        with (self.scratch / "hold.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", _HOLD, way, str(limit_mib)],
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
            timer = threading.Timer(seconds, process.kill)
            timer.start()
            try:
                line = process.stdout.readline() if process.stdout else b""
                now = self._memory()
            finally:
                timer.cancel()
                _end(process)
        if line.strip() != b"HELD":
            message = f"the training with memory {way!r} ended or took more than {seconds:.0f} s; see hold.log"
            raise NotMeasuredError(message)
        return Held(max(0, now.mib - before.mib), now.total_mib)

    def predict(self, models: int, seconds: float) -> Predicted:
        """Predict with several models, each of which gets all test images."""
        ends = time.monotonic() + seconds
        jobs = self._jobs(models, seconds)
        return Predicted(
            together=self._predicted([jobs], self.devices[0], ends),
            apart=self._predicted([[job] for job in jobs], self.devices[0], ends),
            on_cpu=self._predicted([jobs], Device("cpu"), ends),
        )

    def look(self, gpu: int, seconds: float) -> Seen:
        """Look at the GPUs from a sandbox that has one of them."""
        request = ExecutionRequest(
            notebook=new_notebook(cells=[new_code_cell(_LOOK)]),
            scratch=self._folder("look"),
            isolation=choose_isolation("auto"),
            settings=RunSettings(time=seconds),
            device=self.devices[gpu],
        )
        try:
            outcome = execute(request)
        except GraderError as error:
            raise NotMeasuredError(str(error)) from error
        text = "".join(one.get("text", "") for cell in outcome.notebook.cells for one in cell.outputs)
        if "SEEN " not in text:
            message = f"the notebook ended with {outcome.run.status}: {[str(e.message) for e in outcome.run.errors]}"
            raise NotMeasuredError(message)
        facts = json.loads(text.partition("SEEN ")[2].splitlines()[0])
        return Seen(facts["tensorflow"], facts["unset"], tuple(facts["nodes"]))

    def _folder(self, name: str) -> Path:
        self._runs += 1
        return self.scratch / f"{name}-{self._runs}"

    def _rubric(self) -> Path:
        rubric = self.scratch / "light.yaml"
        rubric.write_text(LIGHT_RUBRIC, encoding="utf-8")
        return rubric

    def _memory(self) -> Held:
        """Look up the memory of the first GPU that is in use."""
        gpu = self.devices[0].gpu
        if gpu is None:
            return Held(0, 1)
        use = memory_use(gpu)
        if use is None:
            message = "`nvidia-smi` does not tell the memory in use, as for MIG instances"
            raise NotMeasuredError(message)
        return use

    def _visible(self, gpus: int) -> dict[str, str]:
        """Return the variables by which the grader uses only the first devices."""
        names = [device.gpu.uuid or str(device.gpu.index) for device in self.devices[:gpus] if device.gpu is not None]
        return {"CUDA_VISIBLE_DEVICES": ",".join(names) or "-1"}

    def _start(self, work: Work) -> tuple[subprocess.Popen[bytes], Path, float]:
        notebooks, out = self._folder(work.kind), self._folder("graded")
        for number in range(work.notebooks):
            cells = light_cells(SERVED, number) if work.kind == "light" else training_cells(SERVED, _EPOCHS)
            write_notebook(notebooks / f"student{number}.ipynb", cells)
        device = work.device if self.devices[0].gpu is not None else "cpu"
        options = ["--device", device, "--jobs", str(work.jobs), "--rubric", str(self._rubric()), "--out", str(out)]
        env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **self._visible(work.gpus)}
        with out.with_suffix(".log").open("wb") as log:
            began = time.monotonic()
            process = subprocess.Popen(
                [str(_GRADER), "grade", str(notebooks), *options],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return process, out, began

    def _jobs(self, models: int, seconds: float) -> list[PredictionJob]:
        folder = self._folder("models")
        folder.mkdir()
        paths = [folder / f"{number}.keras" for number in range(models)]
        env = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
        try:
            subprocess.run(
                [sys.executable, "-c", _MODELS, *map(str, paths)],
                env=env,
                capture_output=True,
                timeout=seconds,
                check=True,
            )
        except subprocess.SubprocessError as error:
            message = f"the models were not made: {error}"
            raise NotMeasuredError(message) from error
        with np.load(MNIST) as data:
            images = (data["x_test"][..., None] / 255).astype("float32")
        np.save(folder / "images.npy", images)
        inputs = folder / "images.npy"
        return [
            PredictionJob(id=f"m{number}", model=path, format="keras", dialect="keras3", inputs=inputs)
            for number, path in enumerate(paths)
        ]

    def _predicted(self, groups: Sequence[Sequence[PredictionJob]], device: Device, ends: float) -> float:
        """Return the seconds of a prediction of each group, one after another."""
        isolation, began = choose_isolation("auto"), time.monotonic()
        for group in groups:
            left = ends - time.monotonic()
            if left <= 0:
                message = "out of time between predictions"
                raise NotMeasuredError(message)
            try:
                results = predict(
                    group,
                    isolation=isolation,
                    scratch=self._folder("predict"),
                    device=device,
                    threads=2,
                    timeout=left,
                )
            except GraderError as error:
                raise NotMeasuredError(str(error)) from error
            if not all(result.ok for result in results):
                message = "; ".join(str(result.error) for result in results if not result.ok)
                raise NotMeasuredError(message)
        return time.monotonic() - began


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process: politely at first, because the grader then ends its sandboxes."""
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
    if process.poll() is None:
        with suppress(OSError):
            process.send_signal(signal.SIGINT)
        try:
            process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _notebook_seconds(out: Path, work: Work) -> float:
    grades = [json.loads(path.read_bytes()) for path in out.glob("*/grade.json")]
    if len(grades) != work.notebooks or any(not _is_full(grade) for grade in grades):
        message = f"not every notebook got full marks, see {out.with_suffix('.log')}"
        raise NotMeasuredError(message)
    return statistics.mean(float(grade["execution"]["seconds"]) for grade in grades)


def _is_full(grade: Mapping[str, object]) -> bool:
    return grade["status"] == "graded" and grade["score"] == grade["max_score"]
