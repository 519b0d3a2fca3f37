"""Compare the grader's cost with stored ratios, in seconds; end with code 1 if a part became a third more expensive.

    python bench/guard.py            # as `.ci/run` does
    python bench/guard.py --store    # accept the measured ratios as the new ones

Each ratio is processor time of the grader divided by that of a bare loop or script with similar work, measured in turn
in the same run. Other load only adds time, so the smallest time of several rounds counts on both sides. A part that is
above its limit is measured again, up to a number of rounds: load that passes fails nothing, and a real loss stays.
"""

import argparse
import gc
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

import jinja2
import pygments
from make_class import make_class
from notebooks import TINY_RUBRIC, tiny_cells, write_notebook
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from ratios import Part, measure
from recorder_cost import session
from similar_cost import add_own_code

from grader.datasets.store import DatasetStore
from grader.intake.find import find_all
from grader.pipeline.course import Course, load_course
from grader.pipeline.publish import judge, publish, publish_class
from grader.pipeline.regrade import regrade_class
from grader.pipeline.rubrics import find_rubric, note_rubric
from grader.pipeline.similarity import compare_results
from grader.resources import share
from grader.schema.reference import ReferenceRecord
from grader.schema.submission import Submission
from grader.store.results import ResultsFolder

__all__ = ["main", "make_parts"]

STORED = Path(__file__).with_name("guard.json")
RUBRIC = "keras-mnist-cnn"
SIZE = 24
"""Submissions in the class that is graded again."""
NOTEBOOKS = 4
"""Notebooks that are executed."""

TRAINING = """
import os, sys
from pathlib import Path
import numpy as np
import tensorflow as tf
from tensorflow import keras
from inside.record.recorder import Recorder
from inside.record.session import Session
from inside.watch import keras_hooks

def train(recorded):
    if recorded:
        recorder = Recorder(Session.load(Path(sys.argv[1])))
        keras_hooks.install(recorder)
        recorder.namespace = globals()
        recorder.cell_started()
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    model.fit(np.zeros((800, 4)), np.zeros((800, 2)), batch_size=2, epochs=2, verbose=0)
    if recorded:
        recorder.cell_ended(ok=True, seconds=0.0)
        recorder.finish()

for recorded in (False, True, True, False):
    child = os.fork()
    if not child:
        train(recorded)
        os._exit(0)
    _, status, usage = os.wait4(child, 0)
    assert status == 0
    print("CPU", int(recorded), usage.ru_utime + usage.ru_stime, flush=True)
"""
"""Forks of one process with TensorFlow train with many small batches, with and without the recorder."""

NBCLIENT = """
import sys, nbclient, nbformat
for name in sys.argv[1:]:
    nbclient.NotebookClient(nbformat.read(name, 4), kernel_name="python3").execute()
"""


def in_fork(work: Callable[[], object]) -> float:
    """Do work in a fork, where no cache is filled, and return its processor seconds."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        began = time.process_time()
        try:
            work()
            os.write(writing, f"{time.process_time() - began}".encode())
        except Exception:  # noqa: BLE001 - a fork prints what failed, and ends
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        printed = pipe.read()
    os.waitpid(child, 0)
    if not printed:
        sys.exit("not measured: see above")
    return float(printed)


def of_command(*command: str | Path) -> float:
    """Run a command and return the processor seconds of it and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"not measured: {command[0]} ended with {done.returncode}\n{done.stdout[-1000:]}{done.stderr[-1000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


# --- parts -----------------------------------------------------------------------------------------------------


def make_parts(scratch: Path) -> dict[str, Part]:
    """Prepare all parts.

    Args:
        scratch: An empty folder.
    """
    folder = make_results(scratch)
    out = ResultsFolder(folder)
    same, other = course_of(RUBRIC), course_of(str(other_points(scratch)))
    regrade_class(same, out, workers=1)
    apart = scratch / "apart"
    make_class(scratch / "graded", apart, SIZE)
    add_own_code(apart)
    handed_in = scratch / "handed-in"
    for seed in range(100):
        write_notebook(handed_in / f"student{seed:03d}.ipynb", tiny_cells(seed) * 20)
    files = sorted(handed_in.iterdir())
    read = partial(in_fork, partial(bare_loop, folder))
    started = partial(of_command, sys.executable, "-c", "import asyncio, email.message, http.client, pydantic, typer")
    parts = {
        "start": Part(partial(of_command, Path(sys.executable).with_name("grader"), "--help"), started),
        "unchanged": Part(partial(in_fork, lambda: [regrade_class(same, out, workers=1) for _ in range(10)]), read),
        "judge": Part(partial(in_fork, partial(judge_all, out, same)), read),
        "regrade": Part(partial(in_fork, lambda: [regrade_all(course, out) for course in (other, same)]), read),
        "similar": Part(partial(in_fork, lambda: compare_results(ResultsFolder(apart))), read),
        "intake": Part(
            partial(in_fork, lambda: [find_all([handed_in], unpack_to=scratch / "unpacked") for _ in range(15)]),
            partial(in_fork, lambda: [json.loads(path.read_bytes()) for _ in range(20) for path in files]),
        ),
    }
    return {**parts, "execution": execution(scratch), "recorder": recorder(scratch)}


def course_of(rubric: str) -> Course:
    """Load the course of a rubric."""
    return load_course(find_rubric(rubric), DatasetStore())


def make_results(scratch: Path) -> Path:
    """Make a class from the stored evidence of the reference solution, without an execution."""
    notebook = share("reference") / f"{RUBRIC}.ipynb"
    record = ReferenceRecord.model_validate_json(notebook.with_suffix(".evidence.json").read_bytes())
    out, course = ResultsFolder(scratch / "graded"), course_of(RUBRIC)
    out.write_evidence("ada", record.evidence)
    out.write_executed("ada", notebook.read_bytes())
    submission = Submission(id="ada", student="ada", notebook=Path(), sha256=record.notebook_sha256)
    publish(judge(submission, record.evidence, course), record.evidence, course, out)
    note_rubric(course.loaded, out)
    publish_class(course, out)
    make_class(out.root, scratch / "class", SIZE)
    return scratch / "class"


def other_points(folder: Path) -> Path:
    """Write the rubric with other points for every criterion."""
    path = folder / f"{RUBRIC}.yaml"
    path.write_text(find_rubric(RUBRIC).path.read_text(encoding="utf-8").replace("points: 5", "points: 6"), "utf-8")
    return path


def judge_all(out: ResultsFolder, course: Course) -> None:
    """Read and grade every submission of a class; write nothing."""
    for name in out.submissions():
        evidence = out.read_evidence(name)
        if evidence is None:
            sys.exit(f"not measured: {name} has no evidence")
        judge(Submission(id=name, student=name, notebook=Path(), sha256=""), evidence, course)


def regrade_all(course: Course, out: ResultsFolder) -> None:
    """Grade a class again by a rubric that changes every grade."""
    if regrade_class(course, out, workers=1).changed != SIZE:
        sys.exit("not measured: a regrade did not change every grade")


PAGE = jinja2.Environment(autoescape=True).from_string("{% for cell in cells %}<p>{{ cell.source }}</p>{% endfor %}")


def bare_loop(folder: Path) -> None:
    """Read the stored evidence of a class, write it as text, and render its code: what no grader could leave out."""
    for path in sorted(folder.glob("*/evidence/evidence.json")):
        for _ in range(2):
            content = path.read_bytes()
            evidence = json.loads(content)
            hashlib.sha256(json.dumps(evidence, indent=1).encode()).hexdigest()
            PAGE.render(cells=evidence["cells"])
        for cell in evidence["cells"][:3]:
            pygments.highlight(cell["source"], PythonLexer(), HtmlFormatter())


def execution(scratch: Path) -> Part:
    """Return the part that executes tiny notebooks, compared with nbclient; without a sandbox, to see all processes."""
    rubric = scratch / "tiny.yaml"
    rubric.write_text(TINY_RUBRIC, encoding="utf-8")
    notebooks = [write_notebook(scratch / f"tiny{seed}.ipynb", tiny_cells(seed)) for seed in range(NOTEBOOKS)]
    ours = ("grade", *notebooks, "--rubric", rubric, "--isolation", "none", "--no-warm", "--jobs", "1")

    def graded() -> float:
        with tempfile.TemporaryDirectory(dir=scratch) as out:
            return of_command(Path(sys.executable).with_name("grader"), *ours, "--out", Path(out) / "results")

    return Part(graded, partial(of_command, sys.executable, "-c", NBCLIENT, *notebooks))


def recorder(scratch: Path) -> Part:
    """Return the part that trains with the recorder, compared with the same training without it."""
    measured: dict[str, list[float]] = {"0": [], "1": []}
    folder = scratch / "recorder"
    folder.mkdir()
    # In a kernel, only this one of the grader's packages can be imported.
    (folder / "inside").symlink_to(Path(__file__).parents[1] / "grader" / "inside")

    def run(kind: str) -> float:
        if not measured[kind]:
            path = folder / "session.json"
            path.write_text(json.dumps(session(folder, "keras3")), encoding="utf-8")
            printed = subprocess.run(
                [sys.executable, "-c", TRAINING, path],
                env={
                    **os.environ,
                    "PYTHONPATH": str(folder),
                    "TF_CPP_MIN_LOG_LEVEL": "3",
                    "CUDA_VISIBLE_DEVICES": "-1",
                },
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            ).stdout
            for line in printed.splitlines():
                _, recorded, seconds = line.split()
                measured[recorded].append(float(seconds))
        times, measured[kind] = measured[kind], []
        return min(times)

    return Part(partial(run, "1"), partial(run, "0"))


def main() -> None:
    """Measure, and compare with the stored ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", action="store_true", help="store the measured ratios")
    parser.add_argument("--only", nargs="+", default=None, help="measure only these parts")
    chosen = parser.parse_args()
    stored: dict[str, float] = json.loads(STORED.read_bytes()) if STORED.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        # Another version of the grader on this machine may rebuild a shared store at any moment.
        os.environ["GRADER_DATA"] = str(Path(folder) / "data")
        parts = {
            name: part for name, part in make_parts(Path(folder)).items() if not chosen.only or name in chosen.only
        }
        # Otherwise a full collection falls into a measured fork or not, which depends on what ran before.
        gc.collect()
        gc.freeze()
        failed = measure(parts, {} if chosen.store else stored)
    for name, part in parts.items():
        smallest = "; ".join(f"{side} {min(times):.3f} s" for side, times in part.times.items())
        before = f"stored {stored[name]:.3g}" if name in stored else "not stored"
        rounds = len(part.times["bare"])
        verdict = "SLOWER" if name in failed else "ok"
        print(f"{verdict:6}  {name}: {part.ratio:.3g} ({before}; {smallest}; rounds: {rounds})")
    if chosen.store:
        ratios = {**stored, **{name: round(part.ratio, 3) for name, part in parts.items()}}
        STORED.write_text(json.dumps(ratios, indent=1) + "\n", encoding="utf-8")
    if failed:
        sys.exit(f"{', '.join(failed)}: more than a third above the stored ratio of bench/guard.json")


if __name__ == "__main__":
    main()
