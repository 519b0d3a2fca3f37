"""The benchmarks: each part runs, and the guard fails on a loss and not on load."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest

from tests.support.kept_results import keep_results
from tests.support.uv_calls import note_uv_calls

BENCH = Path(__file__).parents[1] / "bench"
PARTS = {
    "help": (),
    "light": (pytest.mark.tensorflow, pytest.mark.bubblewrap),
    "single": (pytest.mark.tensorflow, pytest.mark.bubblewrap),
    "training": (pytest.mark.tensorflow, pytest.mark.bubblewrap),
    "recorder": (pytest.mark.tensorflow,),
    "jobs": (pytest.mark.tensorflow, pytest.mark.bubblewrap),
    "regrade": (),
    "scale": (),
    "preview": (),
    "memory": (pytest.mark.tensorflow, pytest.mark.bubblewrap),
    "page": (pytest.mark.chromium,),
    "reports": (),
    "similar": (),
    "neighbors": (pytest.mark.alone, pytest.mark.bubblewrap),
    "nodes": (pytest.mark.alone, pytest.mark.tensorflow, pytest.mark.bubblewrap),
}


@pytest.fixture
def ratios(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCH)
    return importlib.import_module("ratios")


def times(*values: float) -> Iterator[float]:
    """Yield times of a work, the last of them for ever."""
    return chain(values, repeat(values[-1]))


def part(ratios: Any, grader: Iterator[float], bare: Iterator[float]) -> Any:
    return ratios.Part(lambda: next(grader), lambda: next(bare))


def test_a_loss_of_more_than_a_third_fails_however_often_it_is_measured(ratios: Any) -> None:
    parts = {"slower": part(ratios, times(1.4), times(1.0)), "same": part(ratios, times(1.3), times(1.0))}
    assert ratios.measure(parts, {"slower": 1.0, "same": 1.0}) == ["slower"]
    assert len(parts["slower"].times["grader"]) > len(parts["same"].times["grader"]) > 1


def test_load_that_passes_fails_nothing(ratios: Any) -> None:
    busy = part(ratios, times(5.0, 4.0, 3.0, 1.1), times(2.0, 1.0, 6.0, 1.0))
    assert ratios.measure({"busy": busy}, {"busy": 1.0}) == []


def test_a_part_that_is_not_stored_yet_has_no_limit(ratios: Any) -> None:
    assert ratios.measure({"new": part(ratios, times(99.0), times(1.0))}, {}) == []


@pytest.fixture
def sandbox_memory(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCH)
    return importlib.import_module("sandbox_memory")


def a_process(proc: Path, pid: int, folder: str, rollup: str | None, status: str | None) -> None:
    """Imitate a process's folder in /proc."""
    place = proc / str(pid)
    place.mkdir()
    (place / "cwd").symlink_to(folder)
    for name, text in (("smaps_rollup", rollup), ("status", status)):
        if text is not None:
            (place / name).write_text(text)


def test_the_largest_private_and_resident_memory_of_each_role_is_kept(sandbox_memory: Any, tmp_path: Path) -> None:
    rollup = "00400000-7ffff 00:00 0 [rollup]\nRss: 4096 kB\nPrivate_Clean:  1024 kB\nPrivate_Dirty:  {} kB\n"
    a_process(tmp_path, 1, "/home/student/submission", rollup.format(2048), "Name: x\nVmHWM:\t  8192 kB\n")
    a_process(tmp_path, 2, "/grader", rollup.format(0), "VmHWM:\t  4096 kB\n")
    a_process(tmp_path, 3, "/", rollup.format(99999), "VmHWM:\t  99999 kB\n")
    seen = sandbox_memory.SandboxMemory(proc=tmp_path, below=lambda _: [1, 2, 3, 4])
    seen.look(0)
    (tmp_path / "1" / "smaps_rollup").write_text(rollup.format(1024))
    seen.look(0)
    assert seen.peaks == {("kernel", 1): sandbox_memory.Peak(3, 8), ("predictor", 2): sandbox_memory.Peak(1, 4)}


@pytest.mark.parametrize(("rollup", "status"), [(None, None), ("", ""), ("Private_Dirty: x kB", "VmHWM:")])
def test_files_that_cannot_be_read_are_unknown(
    sandbox_memory: Any, tmp_path: Path, rollup: str | None, status: str | None
) -> None:
    a_process(tmp_path, 1, "/grader", rollup, status)
    assert sandbox_memory.read_peak(tmp_path / "1") == sandbox_memory.Peak(None, None)
    assert sandbox_memory.role_of(tmp_path / "2") is None


def test_small_processes_of_a_sandbox_do_not_lower_the_median(sandbox_memory: Any) -> None:
    assert sandbox_memory.largest([1, 300, None, 2, 100, 200], 3) == 200
    assert sandbox_memory.largest([None], 3) is None


def test_other_tools_come_from_the_index_of_pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(BENCH)
    peers = importlib.import_module("peers")
    monkeypatch.setattr(peers, "version", lambda *_: "1.0")
    monkeypatch.delenv("UV_DEFAULT_INDEX", raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example/simple")
    calls = note_uv_calls(monkeypatch)
    (tmp_path / "nbgrader").mkdir()
    assert peers.make_environment(tmp_path, "nbgrader") == tmp_path / "nbgrader" / "bin"
    (variables,) = [variables for words, variables in calls if words[:2] == ["pip", "install"]]
    assert variables["UV_DEFAULT_INDEX"] == "https://index.example/simple"


@pytest.fixture(scope="session")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results that the parts multiply, without an execution."""
    return keep_results(tmp_path_factory.mktemp("graded"), "mnist-cnn", "ada", "bruno").root


@pytest.mark.slow
@pytest.mark.early
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", [pytest.param(name, marks=marks) for name, marks in PARTS.items()])
def test_each_part_runs(name: str, graded: Path, tmp_path: Path) -> None:
    folders = ["--graded", str(graded), "--out", str(tmp_path)]
    command = [sys.executable, str(BENCH / "run.py"), "--quick", "--only", name, *folders]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"## {name}" in (tmp_path / "results.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.early
def test_the_parts_are_those_of_the_bench() -> None:
    done = subprocess.run(
        [sys.executable, BENCH / "run.py", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert "{" + ",".join(PARTS) + "}" in "".join(done.split())
