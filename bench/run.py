"""Measure every figure of docs/performance.md, as ratios of measurements from the same run on this machine.

    python bench/run.py [--only PART ...] [--again] [--quick] [--out bench-results] [--before CHECKOUT]

Each part saves its result in the output folder when it is done. A part with a result is not measured again unless it is
named or `--again` is given. In the end, `results.json` and `results.md` in that folder contain all results. `--quick`
measures with few repetitions, to see that everything works.
"""

import argparse
import dataclasses
import importlib.metadata
import itertools
import json
import os
import platform
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import nbformat
import psutil
from browser import measure_page
from make_class import make_class
from measure import Cost, Figure, run, table
from neighbors import measure_neighbors
from nodes import cluster
from notebooks import (
    FROM_FILE,
    LIGHT_RUBRIC,
    SERVED,
    TINY_RUBRIC,
    as_script,
    light_cells,
    tiny_cells,
    training_cells,
    write_notebook,
)
from peers import make_environment, nbgrader, otter
from recorder_cost import measure_recorder
from report_cost import measure_reports
from sandbox_memory import SandboxMemory, largest
from scale_cost import chart, exponent, measure_scale
from similar_cost import add_own_code, measure_similar

from grader.datasets.store import DatasetStore
from grader.execution.runner import ExecutionRequest, execute
from grader.execution.sandbox.choice import choose_isolation
from grader.execution.sandbox.scratch import scratch_folder
from grader.pipeline.course import load_course
from grader.pipeline.preview_pool import PreviewPool
from grader.pipeline.rubrics import find_rubric

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Bench:
    """Settings of a part."""

    out: Path
    """Folder for results and environments."""
    scratch: Path
    """Empty folder for this part only."""
    quick: bool
    graded: Path | None
    """Results folder of executed submissions; None creates one with `grader demo`."""
    before: Path | None = None
    """Checkout of an earlier version, for `page`."""

    def pick(self, few: int, many: int) -> int:
        """Return a number of repetitions: few in a quick run, else many."""
        return few if self.quick else many


def say(text: str) -> None:
    """Print a progress message."""
    print(f"  {time.strftime('%H:%M:%S')} {text}", flush=True)


def per(costs: Sequence[Cost], number: int, what: str) -> Figure:
    """Return the seconds per submission."""
    return Figure(f"{what}, seconds a submission", sum(cost.wall for cost in costs) / number, "s")


# --- parts -----------------------------------------------------------------------------------------------------


def help_time(bench: Bench) -> list[Figure]:
    """`grader --help` compared with an empty Python program, alternately."""
    ways = {"grader --help": [BIN / "grader", "--help"], "python -c pass": [sys.executable, "-c", "pass"]}
    costs_by_name: dict[str, list[Cost]] = {name: [] for name in ways}
    for _ in range(bench.pick(3, 15)):
        for name, command in ways.items():
            costs_by_name[name].append(_fine(command))
    figures = []
    for name, costs in costs_by_name.items():
        target = "<= 0.25" if name.startswith("grader") else ""
        figures.append(Figure(f"{name}, median", statistics.median(c.wall for c in costs), "s", target))
        figures.append(Figure(f"{name}, median processor time", statistics.median(c.cpu for c in costs), "s"))
    return figures


def _fine(command: Sequence[str | Path]) -> Cost:
    """Measure a short command without polling."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(time.perf_counter() - began, _cpu(after) - _cpu(before), 0)


def _cpu(usage: resource.struct_rusage) -> float:
    return usage.ru_utime + usage.ru_stime


_OURS = (["--no-warm", "--jobs", "1"], ["--warm", "--jobs", "1"], [])
"""Options of our commands: cold kernels, warm ones one at a time, and the default."""
_NBGRADER, _OTTER = "nbgrader autograde + generate_feedback", "otter run"


def light(bench: Bench) -> list[Figure]:
    """Light notebooks as bare scripts, in the grader, in nbgrader and in otter-grader."""
    seeds = range(1, bench.pick(1, 20) + 1)
    rubric, notebooks = _light_course(bench.scratch, seeds)
    environments = bench.out / "environments"
    for_nbgrader, for_otter = (make_environment(environments, name) for name in ("nbgrader", "otter-grader"))
    say(f"{len(seeds)} notebooks as bare scripts")
    bare = []
    for seed in seeds:
        script = bench.scratch / f"light{seed}.py"
        script.write_text(as_script(light_cells(FROM_FILE, seed)), encoding="utf-8")
        bare.append(run([sys.executable, script], log=bench.scratch / "bare.log", env=_quiet()))
    costs = {"bare script": bare}
    say("nbgrader autograde and generate_feedback")
    costs[_NBGRADER] = list(nbgrader(for_nbgrader, bench.scratch / "nbgrader", seeds))
    say(_OTTER)
    costs[_OTTER] = otter(for_otter, bench.scratch / "otter", seeds)
    say("the cells alone, after the imports")
    own = _own_work(bench.scratch, seeds)
    for words in _OURS:
        name = " ".join(["grader grade", *words])
        say(name)
        costs[name] = [_grade(bench.scratch, notebooks, rubric, words)]
    say("grader grade with half of the notebooks")
    half = _grade(bench.scratch, _half(notebooks), rubric, [])
    figures = [per(command_costs, len(seeds), name) for name, command_costs in costs.items()]
    wall = {name: figure.value for name, figure in zip(costs, figures, strict=True)}
    note = f"{len(seeds)} notebooks in one run, its start included"
    for words in _OURS:
        name = " ".join(["grader grade", *words])
        for peer, target in ((_NBGRADER, ">= 7"), (_OTTER, ">= 10")):
            figures.append(Figure(f"{peer} ÷ {name}", wall[peer] / wall[name], "times", "" if words else target, note))
    further = (costs["grader grade"][0].wall - half.wall) / (len(seeds) - len(seeds) // 2)
    figures.append(Figure("cells alone, after the imports, seconds a notebook", own, "s"))
    figures.append(Figure("grader grade, each further submission", further, "s"))
    figures.append(Figure("grader grade, each further submission − its cells alone", further - own, "s", "<= 0.25"))
    return figures


_OWN_WORK = """\
import json, os, sys, time
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot, numpy, tensorflow.keras
_ = tensorflow.keras.layers
for script in sys.argv[1:]:
    began = time.perf_counter()
    if not os.fork():
        exec(compile(open(script).read(), script, "exec"), {"__name__": "__main__"})
        os._exit(0)
    assert os.wait()[1] == 0
    print("WALL", time.perf_counter() - began)
"""


def _own_work(scratch: Path, seeds: Sequence[int]) -> float:
    """Measure the mean seconds of the notebooks' cells in forks of a process that has imported TensorFlow."""
    log = scratch / "own.log"
    scripts = [scratch / f"light{seed}.py" for seed in seeds]
    run([sys.executable, "-c", _OWN_WORK, *scripts], log=log, env=_quiet())
    lines = log.read_text(encoding="utf-8").splitlines()
    return statistics.mean(float(line.split()[1]) for line in lines if line.startswith("WALL"))


def _half(notebooks: Path) -> Path:
    """Copy the first half of some notebooks, at least one, to a new folder."""
    target = Path(tempfile.mkdtemp(dir=notebooks.parent, prefix="half-"))
    listed = sorted(notebooks.glob("*.ipynb"))
    for notebook in listed[: max(1, len(listed) // 2)]:
        shutil.copyfile(notebook, target / notebook.name)
    return target


def single(bench: Bench) -> list[Figure]:
    """One light notebook: bare script, `grader check`, and `grader grade`, in turn."""
    rubric, notebooks = _light_course(bench.scratch, [1])
    notebook = next(notebooks.glob("*.ipynb"))
    script = bench.scratch / "light1.py"
    script.write_text(as_script(light_cells(FROM_FILE, 1)), encoding="utf-8")
    firsts: list[float] = []
    ways: dict[str, Callable[[], float]] = {
        "bare script": lambda: run([sys.executable, script], log=bench.scratch / "bare.log", env=_quiet()).wall,
        "grader check": lambda: _check(bench.scratch, notebook, rubric, firsts),
        "grader grade": lambda: _grade(bench.scratch, notebooks, rubric, []).wall,
    }
    rounds = bench.pick(1, 7)
    walls: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds):
        for name in list(ways) if turn % 2 == 0 else reversed(list(ways)):
            walls[name].append(ways[name]())
        say(", ".join(f"{name} {seconds[-1]:.1f} s" for name, seconds in walls.items()))
    figures = [Figure(f"{name}, median", statistics.median(seconds), "s") for name, seconds in walls.items()]
    for name in ("grader check", "grader grade"):
        ratios = [one / bare for one, bare in zip(walls[name], walls["bare script"], strict=True)]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f} in {rounds} rounds"
        figures.append(Figure(f"{name} ÷ bare script", statistics.median(ratios), "times", "<= 1.4", spread))
    figures.append(Figure("grader check, until its first line, median", statistics.median(firsts), "s", "<= 1"))
    return figures


def _check(scratch: Path, notebook: Path, rubric: Path, firsts: list[float]) -> float:
    """Run `grader check`, and note the seconds until it says something; the notebook must get full marks."""
    log, first = scratch / "check.log", []

    def watch(_pid: int) -> None:
        if not first and log.stat().st_size:
            first.append(time.perf_counter() - began)

    began = time.perf_counter()
    command = [BIN / "grader", "check", notebook, "--rubric", rubric]
    wall = run(command, log=log, env=_quiet(), watch=watch).wall
    firsts.append(first[0] if first else wall)
    return wall


def _light_course(folder: Path, seeds: Sequence[int]) -> tuple[Path, Path]:
    """Write a rubric and a folder of notebooks."""
    rubric = folder / "light.yaml"
    rubric.write_text(LIGHT_RUBRIC, encoding="utf-8")
    for seed in seeds:
        write_notebook(folder / "light" / f"student{seed:03d}.ipynb", light_cells(SERVED, seed))
    return rubric, folder / "light"


def _quiet() -> dict[str, str]:
    return {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}


def _grade(
    scratch: Path,
    notebooks: Path,
    rubric: Path,
    words: Sequence[str],
    watch: Callable[[int], None] = lambda _pid: None,
) -> Cost:
    """Run `grader grade` into a new folder; every notebook must get full marks."""
    out = Path(tempfile.mkdtemp(dir=scratch, prefix="graded-"))
    command = [BIN / "grader", "grade", notebooks, "--rubric", rubric, "--out", out, *words]
    cost = run(command, log=scratch / f"{out.name}.log", env=_quiet(), watch=watch)
    grades = [json.loads(path.read_bytes()) for path in out.glob("*/grade.json")]
    expected = len(list(notebooks.glob("*.ipynb")))
    if len(grades) != expected or any(grade["score"] != grade["max_score"] for grade in grades):
        sys.exit(f"not measured: not every notebook got full marks, see {out}/index.html")
    return cost


def training(bench: Bench) -> list[Figure]:
    """A real training: bare script, sandbox with recorder, and the whole grader, alternately."""
    epochs, pairs = bench.pick(2, 24), bench.pick(1, 3)
    rubric = bench.scratch / "light.yaml"
    rubric.write_text(LIGHT_RUBRIC, encoding="utf-8")
    script = bench.scratch / "training.py"
    script.write_text(as_script(training_cells(FROM_FILE, epochs)), encoding="utf-8")
    folder = bench.scratch / "training"
    write_notebook(folder / "training.ipynb", training_cells(SERVED, epochs))
    ways: dict[str, Callable[[], Cost]] = {
        "bare script": partial(_script, script, bench.scratch / "bare.log"),
        "sandbox and recorder": partial(_executed, folder / "training.ipynb", rubric),
        "grader grade": partial(_grade, bench.scratch, folder, rubric, []),
    }
    costs_by_name: dict[str, list[Cost]] = {name: [] for name in ways}
    for pair in range(pairs):
        # Alternate the order, so that a machine that warms up or gets busy favors none.
        for name in list(ways) if pair % 2 == 0 else reversed(list(ways)):
            costs_by_name[name].append(ways[name]())
            say(f"{pair + 1} of {pairs}: {name} {costs_by_name[name][-1].wall:.1f} s")
    figures = [
        Figure(f"{name}, median", statistics.median(c.wall for c in costs), "s", note=f"{epochs} epochs")
        for name, costs in costs_by_name.items()
    ]
    compared = (
        ("sandbox and recorder", "wall", ""),
        ("sandbox and recorder", "cpu", "<= 1.02"),
        ("grader grade", "wall", ""),
    )
    for name, measure, target in compared:
        pairwise = zip(costs_by_name[name], costs_by_name["bare script"], strict=True)
        ratios = [getattr(one, measure) / getattr(bare, measure) for one, bare in pairwise]
        kind = "wall time" if measure == "wall" else "processor time of grader and kernel"
        spread = f"{min(ratios):.3f} to {max(ratios):.3f} in {pairs} pairs"
        figures.append(Figure(f"{name} ÷ bare script, {kind}", statistics.median(ratios), "", target, spread))
    return figures


def _script(script: Path, log: Path) -> Cost:
    cost = run([sys.executable, script], log=log, env=_quiet())
    return dataclasses.replace(cost, cpu=_printed_cpu(log.read_text(encoding="utf-8")))


def _printed_cpu(output: str) -> float:
    """Parse the processor seconds that a training prints at its end.

    The processes of a sandbox end with their namespace, so the system reports no times for them; each prints its own.
    """
    return float(output.rpartition("CPU ")[2].split()[0])


def _executed(notebook: Path, rubric: Path) -> Cost:
    """Execute in the sandbox with the recorder, without verification and grading."""
    course = load_course(find_rubric(str(rubric)), DatasetStore())
    settings = course.loaded.rubric
    with scratch_folder() as folder:
        before, began = time.process_time(), time.perf_counter()
        outcome = execute(
            ExecutionRequest(
                notebook=nbformat.read(notebook, as_version=4),
                scratch=folder / "run",
                isolation=choose_isolation("bubblewrap"),
                settings=settings.run,
                dialect="keras3",
                threads=len(os.sched_getaffinity(0)),
                data=course.data_root,
                datasets=settings.all_datasets,
                graded_dataset=settings.dataset,
            )
        )
        wall, grader_cpu = time.perf_counter() - began, time.process_time() - before
    if outcome.run.status != "completed":
        sys.exit(f"not measured: {outcome.run.reason} {outcome.run.errors}")
    outputs = [output.get("text", "") for cell in outcome.notebook.cells for output in cell.get("outputs", ())]
    return Cost(wall, grader_cpu + _printed_cpu("".join(outputs)), 0)


def recorder(bench: Bench) -> list[Figure]:
    """The recorder alone: the same training with and without it, in fresh processes without a sandbox."""
    epochs, pairs = bench.pick(1, 5), bench.pick(1, 5)
    ratios = measure_recorder(pairs, epochs, "keras3", say)
    return [
        Figure(f"with ÷ without the recorder, {name}", statistics.median(values), "", note=f"{pairs} pairs")
        for name, values in ratios.items()
    ]


def jobs(bench: Bench) -> list[Figure]:
    """Two submissions at a time compared with one."""
    seeds = range(1, bench.pick(2, 8) + 1)
    rubric, notebooks = _light_course(bench.scratch, seeds)
    figures = []
    for words in (["--no-warm"], ["--warm"]):
        name = " ".join(["grader grade", *words])
        costs = {n: _grade(bench.scratch, notebooks, rubric, [*words, "--jobs", str(n)]) for n in (1, 2)}
        say(f"{name}: {costs[1].wall:.1f} s one at a time, {costs[2].wall:.1f} s two at a time")
        figures += [per([cost], len(seeds), f"{name} --jobs {number}") for number, cost in costs.items()]
        figures.append(Figure(f"{name}: one job ÷ two jobs", costs[1].wall / costs[2].wall, "times"))
    return figures


def regrade(bench: Bench) -> list[Figure]:
    """Regrading of large classes from stored evidence: unchanged, and after a rubric change that affects everyone."""
    figures: list[Figure] = []
    for size in (100,) if bench.quick else (1_000, 10_000):
        folder = _large_class(bench, size)
        name = json.loads((folder / "rubric.json").read_text(encoding="utf-8"))["id"]
        changed = _other_points(name, bench.scratch)
        _settle(folder, name, bench)
        figures += _regraded(folder, name, f"{size:,} submissions, nothing changed", size, bench)
        figures += _regraded(folder, str(changed), f"{size:,} submissions, all changed", size, bench)
        ours = next(one.value for one in reversed(figures) if one.what.endswith("processor time a submission"))
        what = f"{size:,} submissions, all changed ÷ only reading and writing the same files, processor time"
        figures.append(Figure(what, ours / _bare_loop(folder), ""))
        if size <= 1_000:  # noqa: PLR2004 - reports are rendered on the smaller class
            cost = run([BIN / "grader", "report", folder], log=bench.scratch / "report.log")
            cores = len(os.sched_getaffinity(0))
            figures.append(Figure("grader report, reports a second", size / cost.wall, "/s", note=f"{cores} cores"))
            figures.append(Figure("one report, processor time", 1000 * cost.cpu / size, "ms"))
        shutil.rmtree(folder)
    return figures


def preview(bench: Bench) -> list[Figure]:
    """A changed threshold on a large class: `regrade --dry-run`, the regrade itself, and previews one after another."""
    size = bench.pick(100, 1_000)
    folder = _large_class(bench, size)
    name = json.loads((folder / "rubric.json").read_text(encoding="utf-8"))["id"]
    changed = _other_threshold(name, bench.scratch)
    _settle(folder, name, bench)
    figures = _live(folder, name, str(changed), bench.pick(2, 5))
    costs: dict[str, Cost] = {}
    for words in (["--dry-run"], []):
        say(f"{size:,} submissions, changed threshold, regrade {' '.join(words)}")
        command = [BIN / "grader", "regrade", folder, "--rubric", str(changed), *words]
        costs["".join(words)] = run(command, log=bench.scratch / "preview.log", accept=(0, 3))
    dry, full = costs["--dry-run"], costs[""]
    figures += [
        Figure("regrade --dry-run", dry.wall, "s", "<= 1"),
        Figure("regrade", full.wall, "s"),
        Figure("regrade ÷ regrade --dry-run, processor time", full.cpu / dry.cpu, ""),
        Figure("regrade ÷ preview in a running desk", full.wall / figures[1].value, ""),
    ]
    shutil.rmtree(folder)
    return figures


def _live(folder: Path, name: str, changed: str, rounds: int) -> list[Figure]:
    """Preview two rubrics alternately with worker processes that stay; the first preview reads the class."""
    rubrics = [find_rubric(changed), find_rubric(name)]
    times: list[float] = []
    processor: list[float] = []
    with PreviewPool(folder, DatasetStore().root) as pool:
        for rubric in [rubrics[1], *rubrics * rounds]:
            began = time.perf_counter()
            pool.preview(rubric)
            times.append(time.perf_counter() - began)
            processor.append(_processor_seconds())
    first, *later = times
    each = [after - before for before, after in itertools.pairwise(processor)]
    return [
        Figure("first preview in a desk", first, "s"),
        Figure("preview of a changed threshold in a running desk, median", statistics.median(later), "s", "<= 2"),
        Figure("the same, processor time of all processes", statistics.median(each), "s"),
    ]


def _processor_seconds() -> float:
    """Return the processor time of this process and of its present children."""
    own = psutil.Process()
    times = [process.cpu_times() for process in (own, *own.children(recursive=True))]
    return sum(one.user + one.system for one in times)


def _other_threshold(name: str, folder: Path) -> Path:
    """Copy the shipped rubric with a lower threshold of its accuracy."""
    loaded = find_rubric(name)
    text = loaded.path.read_text(encoding="utf-8")
    changed, count = re.subn(r"at_least: 0\.99\b", "at_least: 0.985", text, count=1)
    if not count:
        sys.exit(f"not measured: {loaded.path} names no accuracy of 0.99")
    path = folder / loaded.path.name
    path.write_text(changed, encoding="utf-8")
    return path


def _large_class(bench: Bench, size: int) -> Path:
    graded = bench.graded or bench.out / "graded"
    if not (graded / "index.html").exists():
        say("grading the sample submissions, whose evidence is then copied")
        run([BIN / "grader", "demo", "--out", graded], log=bench.scratch / "demo.log", accept=(0, 1))
    say(f"making a class of {size:,} of {graded}")
    folder = bench.scratch / f"class-{size}"
    make_class(graded, folder, size)
    return folder


def _other_points(name: str, folder: Path, more: int = 5) -> Path:
    """Copy the shipped rubric with more points for its most valuable criterion."""
    loaded = find_rubric(name)
    dearest = max(criterion.points for criterion in loaded.rubric.criteria)
    text, count = re.subn(
        rf"points: {dearest:g}\b", f"points: {dearest + more:g}", loaded.path.read_text(encoding="utf-8"), count=1
    )
    if not count:
        sys.exit(f"not measured: {loaded.path} names no {dearest:g} points")
    path = folder / loaded.path.name
    path.write_text(text, encoding="utf-8")
    return path


def _settle(folder: Path, rubric: str, bench: Bench) -> None:
    """Bring a class into the state after `grader grade`, without timing.

    The copies have no parts of pages and grades. The first regrade renders all of them, the second one makes the grades
    of the rubric again, and the third one notes the status of the files that the second one has just written.
    """
    settling = bench.scratch / "settling"
    settling.mkdir(exist_ok=True)
    for one in (_other_points(rubric, settling, more=1), rubric, rubric):
        run([BIN / "grader", "regrade", folder, "--rubric", one], log=bench.scratch / "settle.log")


def _regraded(folder: Path, rubric: str, what: str, size: int, bench: Bench) -> list[Figure]:
    log = bench.scratch / "regrade.log"
    cost = run([BIN / "grader", "regrade", folder, "--rubric", rubric], log=log)
    summary = next(line for line in log.read_text(encoding="utf-8").splitlines() if "graded again" in line)
    if [int(number) for number in re.findall(r"\d+", summary)] != [size, size if "all" in what else 0]:
        sys.exit(f"not measured: {summary}")
    rate = size / cost.wall
    say(f"{what}: {cost.wall:.1f} s, {rate:.0f} a second, {cost.peak_mib:.0f} MiB")
    note = "grades, reports, pages and the list of changes written" if "all" in what else ""
    return [
        Figure(f"regrade, {what}", cost.wall, "s", note=note),
        Figure(f"regrade, {what}, submissions a second", rate, "/s", ">= 400" if "all" in what else ">= 5000"),
        Figure(f"regrade, {what}, processor time a submission", 1000 * cost.cpu / size, "ms"),
        Figure(f"regrade, {what}, memory of the main process", cost.peak_mib, "MiB", "<= 150"),
    ]


def _bare_loop(folder: Path) -> float:
    """Parse what a regrade parses, write what it writes, and return the processor milliseconds for each submission."""
    evidences = sorted(folder.glob("*/evidence/evidence.json"))
    began = time.process_time()
    for path in evidences:
        json.loads(path.read_bytes())
        for name in ("report.html", "instructor.html", "grade.json"):
            target = path.parents[1] / name
            content = target.read_bytes()
            if name == "grade.json":
                content = (json.dumps(json.loads(content), ensure_ascii=False, indent=1) + "\n").encode()
            staged = target.with_name(f".bare-{name}")
            staged.write_bytes(content)
            staged.replace(target)
    return 1000 * (time.process_time() - began) / len(evidences)


def scale(bench: Bench) -> list[Figure]:
    """Growth of the cost with submissions, cells, models and events: 1 is linear. `scale.svg` is the chart."""
    graded = bench.graded or bench.out / "graded"
    if not (graded / "index.html").exists():
        run([BIN / "grader", "demo", "--out", graded], log=bench.scratch / "demo.log", accept=(0, 1))
    costs = {"submissions": [(size, _class_cost(bench, size)) for size in _class_sizes(bench)]}
    costs |= measure_scale(graded, quick=bench.quick)
    (bench.out / "scale.svg").write_text(chart(costs), encoding="utf-8")
    figures = []
    for name, several in costs.items():
        figures += [Figure(f"{size:,} {name}, processor time", seconds, "s") for size, seconds in several]
        small, large = several[-2][0], several[-1][0]
        figures.append(Figure(f"exponent from {small:,} to {large:,} {name}", exponent(several), "", "<= 1.1"))
    return figures


def _class_sizes(bench: Bench) -> tuple[int, ...]:
    return (10, 100) if bench.quick else (10, 100, 1_000, 10_000)


def _class_cost(bench: Bench, size: int) -> float:
    """Return the processor seconds of a regrade that writes every page."""
    folder = _large_class(bench, size)
    name = json.loads((folder / "rubric.json").read_text(encoding="utf-8"))["id"]
    _settle(folder, name, bench)
    changed = _other_points(name, bench.scratch)
    cost = run([BIN / "grader", "regrade", folder, "--rubric", changed], log=bench.scratch / "scale.log")
    shutil.rmtree(folder)
    return cost.cpu


def memory(bench: Bench) -> list[Figure]:
    """Peak memory of the grader's main process for classes of growing size, and of kernels and predictors."""
    rubric = bench.scratch / "tiny.yaml"
    rubric.write_text(TINY_RUBRIC, encoding="utf-8")
    figures = []
    for size in (3, 10) if bench.quick else (10, 100, 1_000):
        folder = bench.scratch / f"tiny-{size}"
        for seed in range(size):
            write_notebook(folder / f"student{seed:04d}.ipynb", tiny_cells(seed))
        cost = _grade(bench.scratch, folder, rubric, ["--warm", "--jobs", "2"])
        say(f"{size} submissions: {cost.peak_mib:.0f} MiB, {cost.wall / size:.2f} s a submission")
        note = "really executed, without TensorFlow, --warm --jobs 2"
        figures.append(
            Figure(
                f"grade, {size:,} tiny submissions, memory of the main process", cost.peak_mib, "MiB", "<= 200", note
            )
        )
        figures.append(Figure(f"grade, {size:,} tiny submissions, seconds a submission", cost.wall / size, "s"))
    return figures + _sandbox_memory(bench)


def _sandbox_memory(bench: Bench) -> list[Figure]:
    """Measure kernels and predictors of light TensorFlow notebooks, forked from warm processes and started cold."""
    figures = []
    private: dict[str, float] = {}
    for word, size in (("--warm", bench.pick(2, 5)), ("--no-warm", bench.pick(1, 3))):
        folder = bench.scratch / f"memory{word}"
        folder.mkdir()
        rubric, notebooks = _light_course(folder, range(1, size + 1))
        seen = SandboxMemory()
        _grade(folder, notebooks, rubric, [word, "--jobs", "1"], seen.look)
        for role in ("kernel", "predictor"):
            peaks = [peak for (one, _), peak in seen.peaks.items() if one == role]
            for name in ("private", "resident"):
                value = largest((getattr(peak, name) for peak in peaks), size)
                if value is None:
                    say(f"{role}, {word}: its {name} memory could not be read")
                    continue
                say(f"{role}, {word}: {value:.0f} MiB of {name} memory")
                note = f"median of {size} light notebooks"
                figures.append(Figure(f"{role}, {word}, peak of its {name} memory", value, "MiB", note=note))
                if name == "private":
                    private[role + word] = value
    for role in ("kernel", "predictor"):
        if {role + "--warm", role + "--no-warm"} <= set(private):
            ratio = private[role + "--warm"] / private[role + "--no-warm"]
            figures.append(Figure(f"{role}, private memory, --warm ÷ --no-warm", ratio, ""))
    return figures


def page(bench: Bench) -> list[Figure]:
    """The class page of 2,000 submissions in Chromium: opened from a file, sorted, filtered."""
    graded = bench.graded or bench.out / "graded"
    if not (graded / "index.html").exists():
        run([BIN / "grader", "demo", "--out", graded], log=bench.scratch / "demo.log", accept=(0, 1))
    medians = measure_page(graded, 2_000, bench.scratch, bench.pick(1, 9), bench.before)
    return [Figure(f"class page of 2,000, {name}", value, unit) for name, (value, unit) in medians.items()]


def reports(bench: Bench) -> list[Figure]:
    """The reports of the sample submissions: processor time beyond what is cached, and size."""
    graded = bench.graded or bench.out / "graded"
    if not (graded / "index.html").exists():
        run([BIN / "grader", "demo", "--out", graded], log=bench.scratch / "demo.log", accept=(0, 1))
    slowest, largest = measure_reports(graded, bench.pick(3, 21))
    return [
        Figure("slowest report, processor time beyond what is cached", slowest, "ms", "<= 10"),
        Figure("largest report", largest, "kB", "<= 250"),
    ]


def similar(bench: Bench) -> list[Figure]:
    """Similar pairs of a class of 300 with code of their own, compared with reading the evidence."""
    size = bench.pick(30, 300)
    folder = _large_class(bench, size)
    note = f"{add_own_code(folder):.0f} kB of code for each submission"
    comparing, reading = measure_similar(folder)
    shutil.rmtree(folder)
    return [
        Figure(f"similar pairs of {size} submissions, processor time", comparing, "s", "<= 10", note),
        Figure("similar pairs, compared with reading the evidence", comparing / reading, "", note=note),
    ]


def neighbors(bench: Bench) -> list[Figure]:
    """An honest notebook alone and next to forty spinning processes of a hostile one, each with a share of one core."""
    pairs = bench.pick(1, 7)
    measured = measure_neighbors(pairs, bench.pick(2, 4), say)
    note = f"{min(measured.ratios):.2f} to {max(measured.ratios):.2f} in {pairs} pairs; limits: {measured.limits}"
    return [
        Figure("honest notebook alone, median", measured.alone, "s"),
        Figure("next to a hostile one ÷ alone, median of the pairs", measured.ratio, "", "<= 1.3", note),
    ]


def nodes(bench: Bench) -> list[Figure]:
    """A class of light notebooks on one and on two local Ray nodes, each with a core of its own."""
    seeds = range(1, bench.pick(4, 1_000) + 1)
    rubric, notebooks = _light_course(bench.scratch, seeds)
    walls = {}
    for number in (1, 2):
        with cluster(number):
            walls[number] = _grade(bench.scratch, notebooks, rubric, ["--engine", "ray"]).wall
        say(f"{len(seeds):,} notebooks on {number} nodes: {walls[number]:.0f} s")
    note = f"{len(seeds):,} notebooks, the start of the command included"
    figures = [
        Figure(f"nodes: {number}, seconds a submission", wall / len(seeds), "s") for number, wall in walls.items()
    ]
    return [*figures, Figure("one node ÷ two nodes", walls[1] / walls[2], "times", ">= 1.8", note)]


PARTS: dict[str, Callable[[Bench], list[Figure]]] = {
    "help": help_time,
    "light": light,
    "single": single,
    "training": training,
    "recorder": recorder,
    "jobs": jobs,
    "regrade": regrade,
    "scale": scale,
    "preview": preview,
    "memory": memory,
    "page": page,
    "reports": reports,
    "similar": similar,
    "neighbors": neighbors,
    "nodes": nodes,
}


# --- results ---------------------------------------------------------------------------------------------------


def _machine() -> dict[str, str]:
    """Return the properties of the measuring machine."""
    names = ("cnn-grader", "tensorflow-cpu", "keras")
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cores": str(len(os.sched_getaffinity(0))),
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in names},
    }


def write_tables(out: Path) -> None:
    """Combine the parts' results."""
    results = {name: json.loads(file.read_bytes()) for name in PARTS if (file := out / f"{name}.json").exists()}
    (out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    lines: list[str] = []
    for name, part in results.items():
        about = ", ".join(f"{key} {value}" for key, value in part["machine"].items())
        quick = " **A quick run: too few repetitions to be quoted.**" if part["quick"] else ""
        lines += [f"## {name}", "", f"{(PARTS[name].__doc__ or '').strip()}{quick} ({about}; load {part['load']})", ""]
        lines += table(Figure(**figure) for figure in part["figures"])
        lines.append("")
    (out / "results.md").write_text("\n".join(lines), encoding="utf-8")


def main() -> None:
    """Measure the parts that the command line selects."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=None, help="measure these parts, again if need be")
    parser.add_argument("--again", action="store_true", help="measure parts again that have a result")
    parser.add_argument("--quick", action="store_true", help="few repetitions")
    parser.add_argument("--out", type=Path, default=ROOT / "bench-results")
    parser.add_argument(
        "--graded", type=Path, default=None, help="a results folder of submissions on MNIST that were executed"
    )
    parser.add_argument("--before", type=Path, default=None, help="a checkout of an earlier version (only for `page`)")
    chosen = parser.parse_args()
    out: Path = chosen.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    graded = chosen.graded.resolve() if chosen.graded else None
    before = chosen.before.resolve() if chosen.before else None
    # Use a separate store, since another grader version on this machine may rebuild a shared one at any moment.
    os.environ.setdefault("GRADER_DATA", str(out / "data"))
    for name in chosen.only or PARTS:
        file = out / f"{name}.json"
        if file.exists() and not chosen.only and not chosen.again:
            print(f"{name}: measured already", flush=True)
            continue
        print(f"{name}: {(PARTS[name].__doc__ or '').strip()}", flush=True)
        scratch = out / "scratch" / name
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        load = f"{os.getloadavg()[0]:.1f}"
        figures = PARTS[name](Bench(out, scratch, chosen.quick, graded, before))
        result = {
            "machine": _machine(),
            "load": load,
            "quick": chosen.quick,
            "figures": [dataclasses.asdict(figure) for figure in figures],
        }
        file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        write_tables(out)
        shutil.rmtree(scratch, ignore_errors=True)
        for figure in figures:
            print(f"  {figure.what}: {figure.value:.3g} {figure.unit} {figure.target} {figure.met}", flush=True)
    write_tables(out)
    print(f"all results: {out / 'results.md'}")


if __name__ == "__main__":
    main()
