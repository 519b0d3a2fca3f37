"""The measurements on a GPU, without one: the measuring runner is replaced, and time is simulated."""

import importlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from grader.execution.sandbox.device import Device, choose_devices
from grader.execution.sandbox.gpus import Gpu

BENCH = Path(__file__).parents[1] / "bench"


@pytest.fixture(autouse=True)
def bench_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCH)


@pytest.fixture
def parts() -> Any:
    return importlib.import_module("gpu_parts")


class Runner:
    """Answers with fixed measurements, and lets each of them take some seconds of a simulated clock."""

    gpus, slots = 2, 3

    def __init__(self, parts: Any, seconds: float = 1.0) -> None:
        self.parts, self.seconds = parts, seconds
        self.now = 0.0
        self.graded: list[tuple[Any, ...]] = []
        self.broken: str | None = None

    def clock(self) -> float:
        return self.now

    def _pass(self, what: str, left: float) -> None:
        needed = self.seconds
        self.now += min(left, needed)
        if self.broken == what or needed > left:
            message = f"{what} failed"
            raise self.parts.NotMeasuredError(message)

    def grade(self, works: Sequence[Any], seconds: float) -> list[Any]:
        self._pass("grade", seconds)
        self.graded.append(tuple(works))
        return [self._took(work, 1.5 if len(works) > 1 else 1.0) for work in works]

    def _took(self, work: Any, crowd: float) -> Any:
        wall = {("light", "gpu"): 20.0, ("light", "cpu"): 10.0, ("real", "gpu"): 20.0, ("real", "cpu"): 60.0}
        sharing = 1.25 if work.gpus == 1 and work.notebooks > 1 else 1.0
        seconds = wall[work.kind, work.device] * sharing * crowd
        return self.parts.Took(seconds, seconds / 2)

    def hold(self, way: str, limit_mib: int, seconds: float) -> Any:
        self._pass("hold", seconds)
        return self.parts.Held({"growth": 1000, "all": 15000, "limit": limit_mib}[way], 16000)

    def predict(self, models: int, seconds: float) -> Any:
        self._pass("predict", seconds)
        return self.parts.Predicted(10.0, 9.0 * models, 5.0)

    def look(self, gpu: int, seconds: float) -> Any:
        self._pass("look", seconds)
        return self.parts.Seen(1, 1 + gpu, (f"nvidia{gpu}", "nvidiactl"))


def measured(parts: Any, runner: Runner, *names: str) -> dict[str, float]:
    outcomes = parts.measure(runner, names, now=runner.clock)
    assert not any(outcome.problem for outcome in outcomes.values())
    return {figure.what: figure.value for outcome in outcomes.values() for figure in outcome.figures}


def test_the_plan_keeps_to_five_minutes(parts: Any) -> None:
    *lines, last = parts.plan()
    assert last.split()[:2] == ["together", "300"]
    assert [line.split()[0] for line in lines] == ["start", *parts.PARTS]
    assert all(part.about for part in parts.PARTS.values())


def test_devices_are_compared_as_ratios_of_the_cpu(parts: Any) -> None:
    figures = measured(parts, Runner(parts), "devices")
    assert figures["real notebook, CPU ÷ GPU, whole command"] == 3
    assert figures["light notebook, CPU ÷ GPU, the notebook alone"] == 0.5


def test_throughput_counts_notebooks_at_a_time_and_stops_at_the_slots(parts: Any) -> None:
    runner = Runner(parts)
    figures = measured(parts, runner, "slots")
    assert figures["throughput of 3 notebooks on a GPU ÷ of 1"] == pytest.approx(3 / 1.25)
    assert figures["throughput of 2 GPUs or instances ÷ of 1"] == 2
    runner = Runner(parts)
    runner.slots = runner.gpus = 1
    assert list(measured(parts, runner, "slots")) == ["1 notebook on a GPU"]


def test_memory_without_growth_is_compared_with_memory_as_needed(parts: Any) -> None:
    figures = measured(parts, Runner(parts), "memory")
    assert figures["without growth ÷ as needed"] == 15
    assert figures["GPU memory with a limit of 2048 MiB"] == 2048


def test_one_process_for_several_models_is_compared_with_one_for_each(parts: Any) -> None:
    figures = measured(parts, Runner(parts), "predictions")
    assert figures["a process for each ÷ one process"] == 1.8
    assert figures["one process, CPU ÷ GPU"] == 0.5


def test_mixed_work_is_compared_with_each_kind_alone(parts: Any) -> None:
    runner = Runner(parts)
    figures = measured(parts, runner, "mixed")
    assert figures["GPU notebook next to CPU notebooks ÷ alone"] == 1.5
    assert figures["one after the other ÷ at the same time"] == pytest.approx((20 + 12.5) / 30)
    assert [len(works) for works in runner.graded] == [1, 1, 2]


def test_a_sandbox_that_sees_a_second_gpu_misses_the_target(parts: Any) -> None:
    runner = Runner(parts)
    outcome = parts.measure(runner, ["sandbox"], now=runner.clock)["sandbox"]
    assert [figure.met for figure in outcome.figures] == ["yes", "yes", "yes", "no"]
    assert outcome.figures[0].note == "device nodes: nvidia0, nvidiactl"


def test_the_same_notebooks_are_measured_once(parts: Any) -> None:
    runner = Runner(parts)
    measured(parts, runner, "devices", "slots", "mixed")
    assert len(runner.graded) == len(set(runner.graded)) == 4 + 3 + 2


def test_a_failed_part_keeps_its_first_figures_and_the_others_go_on(parts: Any) -> None:
    runner = Runner(parts)
    runner.broken = "hold"
    outcomes = parts.measure(runner, ["memory", "predictions"], now=runner.clock)
    assert (outcomes["memory"].figures, outcomes["memory"].problem) == ((), "hold failed")
    assert outcomes["predictions"].figures
    slow = Runner(parts, seconds=50)
    outcome = parts.measure(slow, ["devices"], now=slow.clock)["devices"]
    assert outcome.problem == "grade failed"


def test_however_slow_the_machine_the_time_limit_holds(parts: Any) -> None:
    for seconds in (3.0, 30.0, 300.0):
        runner = Runner(parts, seconds=seconds)
        outcomes = parts.measure(runner, list(parts.PARTS), now=runner.clock)
        assert runner.now <= parts.TOTAL_SECONDS
        assert list(outcomes) == list(parts.PARTS)


def test_a_rehearsal_has_more_patience(parts: Any) -> None:
    runner = Runner(parts, seconds=50)
    outcomes = parts.measure(runner, ["predictions"], now=runner.clock, patience=2.0)
    assert not outcomes["predictions"].problem


def test_time_that_a_part_does_not_need_is_left_for_the_next(parts: Any) -> None:
    runner = Runner(parts, seconds=45)
    outcomes = parts.measure(runner, ["sandbox", "mixed"], now=runner.clock)
    assert outcomes["sandbox"].problem
    fast = Runner(parts, seconds=12)
    outcomes = parts.measure(fast, ["devices", "mixed"], now=fast.clock)
    assert not outcomes["mixed"].problem


def test_a_gpu_that_tensorflow_does_not_see_is_explained() -> None:
    gpu = importlib.import_module("gpu")
    device = Device("gpu", 0, "Tesla T4", Gpu(0, "Tesla T4", "GPU-1"))
    assert gpu.find_devices(lambda: (device,), lambda: 1) == (device,)
    with pytest.raises(gpu.NoGpuError, match=r"Tesla T4, but TensorFlow does not see it.*cnn-grader\[gpu\]"):
        gpu.find_devices(lambda: (device,), lambda: 0)
    with pytest.raises(gpu.NoGpuError, match="there is no NVIDIA GPU on this machine"):
        gpu.find_devices(lambda: choose_devices("gpu", gpus=list, host={}))


def test_the_memory_in_use_is_unknown_for_an_instance() -> None:
    runner = importlib.import_module("gpu_runner")
    held = runner.memory_use(Gpu(0, "T4", "GPU-1"), lambda _: "3, 15360\n")
    assert (held.mib, held.total_mib) == (3, 15360)
    assert runner.memory_use(Gpu(0, "T4", "GPU-1"), lambda _: "[N/A], [N/A]\n") is None
    instance = Gpu(0, "A100 MIG 1g.5gb", "MIG-1", instance=(7, 0))
    assert runner.memory_use(instance, lambda _: "20, 40960\n") is None


def test_the_report_has_the_figures_and_what_is_missing(parts: Any) -> None:
    gpu = importlib.import_module("gpu")
    runner = Runner(parts)
    outcomes = parts.measure(runner, ["devices"], now=runner.clock)
    outcomes["memory"] = parts.Outcome((), "out of time")
    text = gpu.report(outcomes, "one GPU")
    assert "| real notebook, CPU ÷ GPU, whole command | 3 times |" in text
    assert "**Not measured: out of time**" in text


@pytest.mark.slow
@pytest.mark.early
def test_without_a_gpu_the_script_says_so_and_ends_with_its_own_code() -> None:
    command = [sys.executable, str(BENCH / "gpu.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"CUDA_VISIBLE_DEVICES": "-1"})
    assert done.returncode == 3
    assert done.stderr.startswith("no GPU to measure: ")
    assert not done.stdout


@pytest.mark.slow
@pytest.mark.early
@pytest.mark.tensorflow
@pytest.mark.bubblewrap
def test_the_script_runs_with_the_cpu_in_place_of_the_gpu(tmp_path: Path) -> None:
    command = [
        sys.executable,
        str(BENCH / "gpu.py"),
        "--rehearse",
        "--only",
        "sandbox",
        "memory",
        "--out",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    assert "A rehearsal on the CPU" in (tmp_path / "gpu-rehearsal.md").read_text(encoding="utf-8")
