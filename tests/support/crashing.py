"""Grades a small class in children of this process, and kills each child before one of its changes to the results.

Run as `python -m tests.support.crashing FOLDER STEP`; prints a line of JSON. A child is forked for every STEP-th
change that an undisturbed run makes (a file opened for writing, renamed, removed; a folder made or removed; the
database opened), and killed just before it; then the same command runs to its end. The kernel is left out: what it
leaves is made here.
"""

import json
import os
import shutil
import signal
import sqlite3
import sys
import warnings
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from grader.datasets.store import DatasetStore
from grader.execution.runner import ExecutionOutcome
from grader.intake.find import find_submissions
from grader.pipeline import execution
from grader.pipeline.classroom import at_work, grade_class
from grader.pipeline.course import load_course
from grader.pipeline.rubrics import find_rubric, note_rubric
from grader.pipeline.setup import Options, set_up
from grader.schema.submission import Run
from grader.store.results import ResultsFolder
from tests.support.command import NOTEBOOKS, RUBRIC, small_digits

__all__ = ["contents", "main", "rows"]

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "sqlite3.connect"}


def contents(out: Path) -> dict[str, str]:
    """Read all files of a results folder except the database: relative name → content."""
    files = (path for path in out.rglob("*") if path.is_dir() or not path.name.startswith("grader.sqlite"))
    return {
        str(path.relative_to(out)): "" if path.is_dir() else path.read_bytes().decode("utf-8", "replace")
        for path in sorted(files)
    }


def rows(out: Path, *, without: tuple[str, ...] = ("seconds", "finished")) -> list[dict[str, Any]]:
    """Every row of the database, without what differs from run to run."""
    found: list[dict[str, Any]] = []
    with closing(sqlite3.connect(out / "grader.sqlite")) as connection:
        connection.row_factory = sqlite3.Row
        for table in ("execution", "grading"):
            order = "SELECT * FROM execution" if table == "execution" else "SELECT * FROM grading"
            found += [{k: row[k] for k in row.keys() if k not in without} for row in connection.execute(order)]  # noqa: SIM118 — a sqlite3.Row
    return found


def _execute(request: Any, _: object) -> ExecutionOutcome:
    """Imitate a kernel: write two files of the record, and return each cell's source as its output."""
    out = request.scratch / "out"
    (out / "models").mkdir(parents=True)
    source = "".join(cell.source for cell in request.notebook.cells)
    (out / "events.jsonl").write_text(json.dumps({"n": 0, "kind": "said", "text": source}) + "\n", encoding="utf-8")
    run = Run(status="completed", seconds=1, cells_run=2, cells_total=2, isolation="none", seed=0, dialect="keras3")
    return ExecutionOutcome(run=run, notebook=request.notebook, out=out, work=request.scratch)


class _Scene:
    """A class, its rubric and its results."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = DatasetStore(folder / "data")
        self.store.import_file("digits", small_digits(folder / "digits.npz"))
        self.rubric = folder / "tiny.yaml"
        self.rubric.write_text(RUBRIC, encoding="utf-8")
        self.notebooks = folder / "class"
        self.notebooks.mkdir()
        for name in ("plain", "not-json"):
            shutil.copy(NOTEBOOKS / f"{name}.ipynb", self.notebooks)
        self.loaded = find_rubric(str(self.rubric))
        self.course = load_course(self.loaded, self.store)

    def grade(self, out: Path, changed: Callable[[], None] | None = None) -> None:
        """Do what `grader grade` does, and call a function before each change of the results."""
        bench = set_up(self.loaded, Options(isolation="none"))
        found = find_submissions([self.notebooks], unpack_to=self.folder / "unpacked")
        results = ResultsFolder(out)
        if changed is not None:
            _watch(out, changed)
        with at_work(results):
            note_rubric(self.loaded, results)
            grade_class(found, self.course, bench, results, lambda _: None)

    def change(self, old: str, new: str) -> None:
        """Hand in another notebook, or the former one again."""
        path = self.notebooks / "plain.ipynb"
        path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


def _watch(root: Path, changed: Callable[[], None]) -> None:
    """Call a function before each change below a folder."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            if not isinstance(arguments[2], int) or not arguments[2] & _WRITING:
                return
        elif event not in _CHANGES:
            return
        # Below a folder that is being removed names are relative to an open folder.
        relative = isinstance(arguments[-1], int) and arguments[-1] > 2 and event in {"os.remove", "os.rmdir"}
        if relative or str(arguments[0]).startswith(str(root)):
            changed()

    sys.addaudithook(hook)


def _in_child(work: Callable[[], None]) -> int:
    """Do something in a forked child; returns how it ended, as `os.waitstatus_to_exitcode` does."""
    sys.stdout.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _changes(scene: _Scene, out: Path, note: Path) -> int:
    """Count the changes of an undisturbed run."""

    def count() -> None:
        descriptor = os.open(note, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, b"x")
        os.close(descriptor)

    note.unlink(missing_ok=True)
    code = _in_child(lambda: scene.grade(out, count))
    if code != 0:
        message = f"an undisturbed run ended with {code}"
        raise RuntimeError(message)
    return note.stat().st_size


def _killed_before(scene: _Scene, out: Path, number: int) -> int:
    left = [number]

    def count() -> None:
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return _in_child(lambda: scene.grade(out, count))


def _fresh(before: Path | None, out: Path) -> Path:
    with suppress(FileNotFoundError):
        shutil.rmtree(out)
    if before is not None:
        shutil.copytree(before, out)
    return out


def _try_all(  # noqa: PLR0913, PLR0917 — one scenario
    scene: _Scene, step: int, before: Path | None, expected: Path, then: Callable[[], None], again: Callable[[], None]
) -> Any:
    """Kill a run before each of its changes, do something, and run again to the end.

    Args:
        scene: The class.
        step: Every how many changes.
        before: The results there are at first.
        expected: What the last run's results must be like.
        then: Done before the last run.
        again: Undoes it.

    Returns:
        How many changes there were, and before which the end was another.
    """
    out = scene.folder / "out"
    total = _changes(scene, _fresh(before, out), scene.folder / "changes")
    wrong = []
    for number in range(0, total, step):
        ended = _killed_before(scene, _fresh(before, out), number)
        then()
        code = _in_child(lambda: scene.grade(out))
        again()
        if (ended, code) != (-signal.SIGKILL, 0):
            wrong.append([number, f"ended with {ended}, then {code}"])
        elif contents(out) != contents(expected):
            old, new = contents(expected), contents(out)
            wrong.append([number, sorted(name for name in {*old, *new} if old.get(name) != new.get(name))])
        elif rows(out) != rows(expected):
            wrong.append([number, "other rows in the database"])
    return {"changes": total, "wrong": wrong}


def main(folder: Path, step: int) -> None:
    """Try a fresh run, one after a notebook was changed, and one whose change is taken back after the kill."""
    vars(execution)["execute"] = _execute
    # Files written by a killed process survive; only a power failure loses unflushed data.
    vars(os)["fsync"] = lambda _: None
    scene = _Scene(folder)
    old, new, nothing = "[1, 2, 3]", "[4]", lambda: None
    first, second = folder / "first", folder / "second"
    # Same place each time: reports and the database do not know where they are, and this makes sure of it.
    out = folder / "out"
    scene.grade(out)
    out.rename(first)
    told = {"fresh": _try_all(scene, step, None, first, nothing, nothing)}
    scene.change(old, new)
    _fresh(first, out)
    _in_child(lambda: scene.grade(out))
    out.rename(second)
    told["changed"] = _try_all(scene, step, first, second, nothing, nothing)
    told["taken back"] = _try_all(
        scene, step, first, first, lambda: scene.change(new, old), lambda: scene.change(old, new)
    )
    print(json.dumps(told))  # noqa: T201 — what the caller reads


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
