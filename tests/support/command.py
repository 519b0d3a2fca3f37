"""The real `grader` command in a process of its own, and a small course for it."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grader.cli.app import main
from grader.execution.sandbox.choice import choose_isolation
from grader.schema.errors import IsolationRefusedError
from tests.support.forked_command import forked_command
from tests.support.waiting import DEADLOCK_SECONDS

__all__ = [
    "COMMAND",
    "NOTEBOOKS",
    "RUBRIC",
    "Done",
    "a_course",
    "exit_code_of",
    "grade_of",
    "grader",
    "installed_grader",
    "needs_bubblewrap",
    "small_digits",
]

COMMAND = Path(sys.executable).parent / "grader"
NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
RUBRIC = """\
version: 1
id: tiny
title: A tiny course
dataset: digits
run: {time: 60 s, memory: 1 GiB}
criteria:
  - {id: runs, title: It runs, points: 2, check: runs}
  - {id: explained, points: 1, check: text, with: {min_words: 3}}
"""


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str


def grader(
    *words: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None, timeout: float = DEADLOCK_SECONDS
) -> Done:
    """Run the command in a process of its own; a traceback is never an answer.

    Args:
        words: Arguments of `grader`.
        env: Added to the environment.
        cwd: Folder to run in; by default the present one.
        timeout: Seconds until it is killed.
    """
    done = forked_command([*map(str, words)], _environment(env), cwd or Path.cwd(), timeout)
    assert "Traceback" not in done.stderr + done.stdout, done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


def installed_grader(*words: str | Path, env: Mapping[str, str] | None = None) -> Done:
    """Run the installed command, which imports all it needs itself."""
    line = [str(COMMAND), *map(str, words)]
    done = subprocess.run(
        line, capture_output=True, text=True, check=False, env=_environment(env), timeout=DEADLOCK_SECONDS
    )
    return Done(done.returncode, done.stdout, done.stderr)


def _environment(more: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, "COLUMNS": "200", **(more or {})}


def small_digits(path: Path, *, train: int = 30, test: int = 10) -> Path:
    """Write noisy images as an `.npz` that `grader data import` takes."""
    rng = np.random.default_rng(0)
    parts: dict[str, Any] = {}
    for split, rows in (("train", train), ("test", test)):
        parts[f"x_{split}"] = rng.integers(0, 256, (rows, 28, 28), dtype=np.uint8)
        parts[f"y_{split}"] = (np.arange(rows) % 10).astype(np.uint8)
    np.savez(path, **parts)
    return path


def a_course(folder: Path) -> Path:
    """Make a rubric about a data set of its own, both in a folder.

    Returns:
        The rubric; `GRADER_DATA` must be the folder `data` next to it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    imported = grader(
        "data", "import", "digits", small_digits(folder / "digits.npz"), env={"GRADER_DATA": str(folder / "data")}
    )
    assert imported.code == 0, imported.err
    rubric = folder / "tiny.yaml"
    rubric.write_text(RUBRIC, encoding="utf-8")
    return rubric


def needs_bubblewrap() -> None:
    """Skip a test where no sandbox starts."""
    try:
        choose_isolation("bubblewrap")
    except IsolationRefusedError as error:
        pytest.skip(str(error))


def grade_of(out: Path, name: str) -> dict[str, Any]:
    """A kept `grade.json`."""
    found: dict[str, Any] = json.loads((out / name / "grade.json").read_text(encoding="utf-8"))
    return found


def exit_code_of(*words: str) -> int:
    """Run the command in this process; the code it leaves with."""
    with pytest.raises(SystemExit) as left:
        main(words)
    return int(left.value.code or 0)
