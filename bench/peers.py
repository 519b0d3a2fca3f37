"""Run nbgrader and otter-grader, each in a separate environment, on the same notebooks."""

import importlib.metadata
import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from measure import Cost, run
from notebooks import FROM_FILE, light_cells, write_notebook

from tools.bootstrap import environment_for_uv

__all__ = ["make_environment", "nbgrader", "otter"]

_TEST = "assert model.evaluate(x_test, y_test, verbose=0)[1] > 0.5"
_OTTER_TEST = """\
OK_FORMAT = True
test = {
    "name": "q1", "points": 1,
    "suites": [{"type": "doctest", "scored": True, "setup": "", "teardown": "", "cases": [{
        "code": ">>> bool(model.evaluate(x_test, y_test, verbose=0)[1] > 0.5)\\nTrue",
        "hidden": False, "locked": False,
    }]}],
}
"""


def make_environment(folder: Path, package: str) -> Path:
    """Create a virtual environment with another tool and this environment's TensorFlow version.

    Args:
        folder: Folder of the environments; an existing one is used again.
        package: `nbgrader` or `otter-grader`.

    Returns:
        The environment's folder of commands.
    """
    place = folder / package
    stamp = place / "complete"
    if not stamp.exists():
        print(f"  making an environment for {package}", flush=True)
        kernel = [
            f"{name}=={importlib.metadata.version(name)}"
            for name in ("tensorflow-cpu", "keras", "numpy", "matplotlib", "ipykernel")
        ]
        uv = Path(sys.executable).parent / "uv"
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, place], check=True)
        python = place / "bin" / "python"
        install = [uv, "pip", "install", "--quiet", "--python", python, package, *kernel]
        subprocess.run(install, env=environment_for_uv(Path(sys.prefix)), check=True)
        stamp.write_text(version(place, package), encoding="utf-8")
    return place / "bin"


def version(place: Path, package: str) -> str:
    """Return the version of a package in an environment."""
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    return subprocess.run([place / "bin" / "python", "-c", code], check=True, capture_output=True, text=True).stdout


def _env(binaries: Path) -> dict[str, str]:
    return {
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        "VIRTUAL_ENV": str(binaries.parent),
        "PYTHONPATH": "",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
    }


def _cell(name: str, *, grade: bool, solution: bool) -> dict[str, Any]:
    meta: dict[str, Any] = {
        "grade": grade,
        "solution": solution,
        "locked": grade,
        "grade_id": name,
        "schema_version": 3,
        "task": False,
    }
    return {"nbgrader": meta | ({"points": 1} if grade else {})}


def nbgrader(binaries: Path, folder: Path, seeds: Sequence[int]) -> tuple[Cost, Cost]:
    """Grade with nbgrader.

    Returns:
        Costs of `autograde` and `generate_feedback` for all notebooks together.

    Raises:
        SystemExit: A notebook did not get its point.
    """
    cells = light_cells(FROM_FILE, seeds[0])
    marks = [_cell(f"c{n}", grade=False, solution=True) for n in range(len(cells))] + [
        _cell("test", grade=True, solution=False)
    ]
    blank = ["### BEGIN SOLUTION\n" + cell + "\n### END SOLUTION" for cell in cells]
    write_notebook(folder / "source" / "light" / "light.ipynb", [*blank, _TEST], marks)
    for seed in seeds:
        place = folder / "submitted" / f"student{seed:03d}" / "light" / "light.ipynb"
        write_notebook(place, [*light_cells(FROM_FILE, seed), _TEST], marks)
    config = "c = get_config()\nc.CourseDirectory.course_id = 'bench'\nc.Execute.timeout = 1200\n"
    (folder / "nbgrader_config.py").write_text(config, encoding="utf-8")
    words = {"cwd": folder, "env": _env(binaries)}
    run([binaries / "nbgrader", "generate_assignment", "light"], log=folder / "generate.log", **words)
    graded = run([binaries / "nbgrader", "autograde", "light"], log=folder / "autograde.log", **words)
    feedback = run([binaries / "nbgrader", "generate_feedback", "light"], log=folder / "feedback.log", **words)
    with closing(sqlite3.connect(folder / "gradebook.db")) as book:
        scores = [row[0] for row in book.execute("SELECT auto_score FROM grade")]
    pages = list(folder.glob("feedback/*/light/light.html"))
    if scores != [1.0] * len(seeds) or len(pages) != len(seeds):
        sys.exit(f"not measured: nbgrader gave {scores} and {len(pages)} pages")
    return graded, feedback


def otter(binaries: Path, folder: Path, seeds: Sequence[int]) -> list[Cost]:
    """Grade with `otter run`, which takes one notebook at a time.

    Returns:
        Cost of each notebook.

    Raises:
        SystemExit: A notebook did not get its point.
    """
    (folder / "tests").mkdir(parents=True)
    (folder / "tests" / "q1.py").write_text(_OTTER_TEST, encoding="utf-8")
    words = {"cwd": folder, "env": _env(binaries)}
    make = [binaries / "otter", "generate", "-t", "tests", "-o", "autograder.zip", "--no-environment"]
    run([*make, "--no-requirements"], log=folder / "generate.log", **words)
    costs = []
    for seed in seeds:
        cells = light_cells(FROM_FILE, seed)
        cells = [f"import otter\ngrader = otter.Notebook()\n{cells[0]}", *cells[1:], 'grader.check("q1")']
        write_notebook(folder / f"light{seed}.ipynb", cells)
        out = folder / f"out{seed}"
        out.mkdir()
        command = [binaries / "otter", "run", "-a", "autograder.zip", f"light{seed}.ipynb", "-o", out]
        costs.append(run(command, log=folder / f"run{seed}.log", **words))
        if '"score": 1' not in (out / "results.json").read_text(encoding="utf-8"):
            sys.exit(f"not measured: see {out}/results.json")
    return costs
