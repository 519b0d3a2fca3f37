"""Grade several hundred mixed submissions in one run, and show that nothing grows and nobody is harmed.

    python bench/soak.py [--minutes 60 | --size N] [--jobs 2] [--out soak-results]

The class has honest, broken and hostile submissions. The hostile ones are those of `tests/hostile`, whose course and
rubric all use. Each kind of honest notebook is graded alone first. The run of the class must give the same points and
statuses for every copy of it. Meanwhile, the processes, the memory, the mounts and
the temporary files of the run are counted every few seconds. `soak.json` and `soak.md` in the output folder have the
figures. The exit code is 1 if a grade differs, or if anything is left after the run.
"""

import argparse
import itertools
import json
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from notebooks import write_notebook

sys.path.append(str(Path(__file__).parents[1]))  # the corpus belongs to the tests, which are not installed
from tests.hostile.corpus import Traps, Written, all_samples, snippet
from tests.hostile.course import Course, make_course

BIN = Path(sys.executable).parent
EVERY_SECONDS = 5.0
_MIB = 1 << 20
_PILOT = 24
"""Submissions of the run that estimates how many fit into the time."""
_SHARES = {"honest": 0.5, "broken": 0.2, "hostile": 0.3}

_BROKEN = {
    "a name that does not exist": ["numbers = [1, 2, 3]", "print(total)"],
    "a syntax error": ["def broken(:\n    pass"],
    "a kernel that ends": ["import os", "os._exit(3)"],
    "too much memory": ["held = [bytearray(64 << 20) for _ in range(64)]"],
    "too much output": ["for _ in range(200_000):\n    print('x' * 100)"],
    "a missing file": ["open('data.csv').read()"],
}


@dataclass(frozen=True)
class Sample:
    """State of the run at one moment."""

    seconds: float
    main_mib: float
    """Resident memory of the command's own process."""
    tree_mib: float
    """Resident memory of all its processes; pages that several share count several times."""
    processes: int
    threads: int
    """Threads of the command's own process."""
    descriptors: int
    """Open files of the command's own process."""
    mounts: int
    """Mounts of this machine, outside of sandboxes."""
    temporary: int
    """Files and folders in the run's temporary folder, not below them."""
    done: int
    """Submissions that have a grade."""


def main() -> None:
    """Grade each honest kind alone, then the class, and compare."""
    options = _options()
    out = options.out.resolve()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    hostile = [written for written in all_samples().values() if not written.sample.honest]
    with make_course(out / "course") as course:
        alone = _alone(out, course)
        size = options.size or _estimate(out, course, hostile, options)
        _say(f"{size} submissions, {options.jobs} at a time")
        kinds = write_class(out / "class", size, hostile, course.traps)
        before = _state(out)
        samples = _run(out, course, options.jobs)
        left = {name: count - before[name] for name, count in _state(out).items()}
        harm = list(course.harm())
    result = _judged(out / "results", kinds, alone)
    result |= {"left": left, "harm": harm, "flat": _flat(samples), "samples": [asdict(sample) for sample in samples]}
    (out / "soak.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    text = _table(result, samples)
    (out / "soak.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    wrong = result["different"] or result["without_grade"] or harm or any(count > 0 for count in left.values())
    sys.exit(1 if wrong else 0)


def write_class(folder: Path, size: int, hostile: Sequence[Written], traps: Traps) -> dict[str, str]:
    """Write a mixed class, in the same random order each time.

    Args:
        folder: New folder for the submissions.
        size: Number of submissions.
        hostile: Hostile samples; the class repeats them in turn.
        traps: What they try to reach.

    Returns:
        The kind of each submission by its name, such as `honest 3` or `broken: a syntax error`.
    """
    order = random.Random(7)  # noqa: S311 — the order of a class is no secret
    kinds: dict[str, str] = {}
    honest, broken, turns = list(_honest(traps)), list(_broken(traps)), itertools.cycle(hostile)
    for number in range(size):
        group = order.choices(list(_SHARES), list(_SHARES.values()))[0]
        name = f"student{number:04d}"
        path = folder / name / "work.ipynb"
        path.parent.mkdir(parents=True)
        if group == "hostile":
            written = next(turns)
            written.write(path.parent, traps)
            kinds[name] = f"hostile: {written.sample.name}"
            continue
        kind, cells = (broken if group == "broken" else honest)[number % len(broken if group == "broken" else honest)]
        write_notebook(path, cells)
        kinds[name] = kind
    return kinds


def _honest(traps: Traps) -> Iterator[tuple[str, list[str]]]:
    cells = _cells(traps)
    for seed in range(1, 9):
        yield f"honest {seed}", [*cells[:1], f"keras.utils.set_random_seed({seed})", *cells[1:]]
    yield "honest without a curve", cells[:-1]
    yield "honest with another network", [cell.replace("Conv2D(8", "Conv2D(12") for cell in cells]


def _broken(traps: Traps) -> Iterator[tuple[str, list[str]]]:
    for kind, cells in _BROKEN.items():
        yield f"broken: {kind}", cells
    first, *rest = _cells(traps)
    yield "broken: training that fails", [first, "x = x[:, :5]", *rest]


def _cells(traps: Traps) -> list[str]:
    """Return the code cells of the honest notebook of the corpus."""
    return [cell.strip() for cell in snippet("honest", traps).split("# %%\n")[1:]]


def _alone(out: Path, course: Course) -> dict[str, Any]:
    """Grade each kind of honest notebook in a command of its own, in a fresh kernel."""
    alone = {}
    for number, (kind, cells) in enumerate(_honest(course.traps)):
        notebook = write_notebook(out / "alone" / f"{number}.ipynb", cells)
        results = out / "alone" / f"results{number}"
        _grade(notebook, course, results, out / "alone.log", "--jobs", "1", "--no-warm").wait()
        (found,) = results.glob("*/grade.json")
        alone[kind] = compared(json.loads(found.read_bytes()))
        _say(f"alone: {kind}, {alone[kind]['score']:g} points")
    return alone


def compared(grade: dict[str, Any]) -> dict[str, Any]:
    """Return what must be equal when the same notebook is graded again."""
    return {
        "status": grade["status"],
        "score": grade["score"],
        "pending": grade["pending"],
        "criteria": {one["id"]: [one["status"], one["points"], one["assurance"]] for one in grade["criteria"]},
    }


def _estimate(out: Path, course: Course, hostile: Sequence[Written], options: argparse.Namespace) -> int:
    """Return how many submissions take the requested time."""
    write_class(out / "pilot", _PILOT, hostile, course.traps)
    began = time.perf_counter()
    _grade(out / "pilot", course, out / "pilot-results", out / "pilot.log", "--jobs", str(options.jobs)).wait()
    each = (time.perf_counter() - began) / _PILOT
    _say(f"{each:.1f} s a submission")
    return max(_PILOT, int(options.minutes * 60 / each))


def _grade(path: Path, course: Course, results: Path, log: Path, *words: str) -> "subprocess.Popen[bytes]":
    scratch = results.parent / "temporary"
    scratch.mkdir(exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            [BIN / "grader", "grade", path, "--rubric", course.rubric, "--out", results, "--device", "cpu", *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**course.environment(), "TMPDIR": str(scratch)},
        )


def _run(out: Path, course: Course, jobs: int) -> list[Sample]:
    """Grade the class and look at the run every few seconds."""
    process = _grade(out / "class", course, out / "results", out / "run.log", "--jobs", str(jobs))
    watched = psutil.Process(process.pid)
    began = time.perf_counter()
    samples: list[Sample] = []
    while process.poll() is None:
        with suppress(psutil.Error, OSError):
            samples.append(_sample(watched, out, time.perf_counter() - began))
            if len(samples) % 60 == 0:
                _say(str(samples[-1]))
        time.sleep(EVERY_SECONDS)
    return samples


def _sample(process: psutil.Process, out: Path, seconds: float) -> Sample:
    memory = 0
    members = [process, *process.children(recursive=True)]
    for member in members:
        with suppress(psutil.Error):
            memory += member.memory_info().rss
    return Sample(
        seconds=round(seconds, 1),
        main_mib=process.memory_info().rss / _MIB,
        tree_mib=memory / _MIB,
        processes=len(members),
        threads=process.num_threads(),
        descriptors=process.num_fds(),
        mounts=_mounts(),
        temporary=_entries(out / "temporary"),
        done=len(list((out / "results").glob("*/grade.json"))),
    )


def _state(out: Path) -> dict[str, int]:
    """Count what a run must not leave behind."""
    scratch = out / "temporary"
    return {
        "mounts": _mounts(),
        "processes": sum(_belongs_to(process, scratch) for process in psutil.process_iter()),
        "temporary files": _entries(scratch),
    }


def _belongs_to(process: psutil.Process, scratch: Path) -> bool:
    """Return whether a process was started by a run, which sets the folder of temporary files."""
    with suppress(psutil.Error):
        return str(scratch) in {process.environ().get("TMPDIR"), *process.cmdline()}
    return False


def _entries(folder: Path) -> int:
    return len(list(folder.iterdir())) if folder.exists() else 0


def _mounts() -> int:
    return len(Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines())


def _judged(results: Path, kinds: dict[str, str], alone: dict[str, Any]) -> dict[str, Any]:
    """Compare each honest grade with the one that the notebook got alone."""
    different: list[dict[str, Any]] = []
    without: list[str] = []
    statuses: dict[str, dict[str, int]] = {}
    for name, kind in kinds.items():
        found = results / name / "grade.json"
        if not found.exists():
            without.append(f"{name} ({kind})")
            continue
        grade = compared(json.loads(found.read_bytes()))
        group = kind.split()[0].rstrip(":")
        by_status = statuses.setdefault(group, {})
        by_status[grade["status"]] = by_status.get(grade["status"], 0) + 1
        if kind in alone and grade != alone[kind]:
            different.append({"name": name, "kind": kind, "grade": grade, "alone": alone[kind]})
    return {
        "submissions": len(kinds),
        "honest": sum(kind in alone for kind in kinds.values()),
        "statuses": statuses,
        "different": different,
        "without_grade": without,
    }


def _flat(samples: Sequence[Sample]) -> dict[str, tuple[float, float, float]]:
    """Return the medians of the second tenth and the last tenth of the run, and the maximum, of each figure."""
    tenth = max(1, len(samples) // 10)
    figures = ("main_mib", "tree_mib", "processes", "threads", "descriptors", "mounts", "temporary")
    return {
        name: (
            statistics.median(getattr(one, name) for one in samples[tenth : 2 * tenth] or samples),
            statistics.median(getattr(one, name) for one in samples[-tenth:]),
            max(getattr(one, name) for one in samples),
        )
        for name in figures
        if samples
    }


def _table(result: dict[str, Any], samples: Sequence[Sample]) -> str:
    seconds = samples[-1].seconds if samples else 0
    honest, different, without = result["honest"], len(result["different"]), len(result["without_grade"])
    rows = [
        f"{result['submissions']} submissions in {seconds / 60:.0f} minutes; {honest} are honest; of these,",
        f"{different} have another grade than alone. {without} of all have no grade.",
        f"Statuses: {json.dumps(result['statuses'])}. Left after the run: {json.dumps(result['left'])}.",
        f"Reached outside of a sandbox: {'; '.join(result['harm']) or 'nothing'}.",
        "",
        "| Figure | Second tenth of the run | Last tenth | Maximum |",
        "| --- | ---: | ---: | ---: |",
    ]
    rows += [f"| {name} | {a:,.0f} | {b:,.0f} | {c:,.0f} |" for name, (a, b, c) in result["flat"].items()]
    return "\n".join(rows) + "\n"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60, help="length of the run (default: 60)")
    parser.add_argument("--size", type=int, help="number of submissions, instead of a length")
    parser.add_argument("--jobs", type=int, default=2, help="submissions at a time (default: 2)")
    parser.add_argument("--out", type=Path, default=Path("soak-results"), help="output folder")
    return parser.parse_args()


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    main()
