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

BENCH = Path(__file__).parents[1] / "bench"
PARTS = {
    "help": (),
    "light": (pytest.mark.tensorflow, pytest.mark.bubblewrap),
    "training": (pytest.mark.tensorflow, pytest.mark.bubblewrap),
    "recorder": (pytest.mark.tensorflow,),
    "jobs": (pytest.mark.tensorflow, pytest.mark.bubblewrap),
    "regrade": (),
    "scale": (),
    "preview": (),
    "memory": (pytest.mark.bubblewrap,),
    "page": (pytest.mark.chromium,),
    "reports": (),
    "similar": (),
    "neighbors": (pytest.mark.alone, pytest.mark.bubblewrap),
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


@pytest.fixture(scope="session")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results that the parts multiply, without an execution."""
    return keep_results(tmp_path_factory.mktemp("graded"), "mnist-cnn", "ada", "bruno").root


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", [pytest.param(name, marks=marks) for name, marks in PARTS.items()])
def test_each_part_runs(name: str, graded: Path, tmp_path: Path) -> None:
    folders = ["--graded", str(graded), "--out", str(tmp_path)]
    command = [sys.executable, str(BENCH / "run.py"), "--quick", "--only", name, *folders]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"## {name}" in (tmp_path / "results.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_parts_are_those_of_the_bench() -> None:
    done = subprocess.run(
        [sys.executable, BENCH / "run.py", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert "{" + ",".join(PARTS) + "}" in "".join(done.split())
