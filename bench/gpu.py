"""Measure the grader on a GPU, within five minutes. It has not run on a GPU yet, because none was available.

    python bench/gpu.py [--plan] [--only PART ...] [--rehearse] [--out bench-results]

`--plan` prints what will be measured, with the time limits. `--rehearse` takes the CPU in place of the GPU, to see that
the script works; its figures mean nothing, and it may take longer. `CUDA_VISIBLE_DEVICES` limits the GPUs, and with
`CUDA_MPS_PIPE_DIRECTORY` everything runs with MPS.

Exit codes: 0 everything was measured; 1 some part was not; 3 there is no usable GPU.
"""

import argparse
import dataclasses
import importlib.metadata
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gpu_parts import PARTS, Outcome, measure, plan
from gpu_runner import RealRunner, tensorflow_gpus
from measure import table

from grader.execution.sandbox.device import PIPE_VARIABLE, Device, choose_devices
from grader.schema.errors import GraderError

__all__ = ["find_devices", "main", "report"]

DONE, INCOMPLETE, NO_GPU = 0, 1, 3
ROOT = Path(__file__).parents[1]
_REHEARSAL_PATIENCE = 6.0
"""Factor for the time limits of a rehearsal, which may run on a small or busy machine."""


class NoGpuError(Exception):
    """There is no GPU to measure; the message says what to do."""


def find_devices(
    choose: Callable[[], tuple[Device, ...]] = lambda: choose_devices("gpu"),
    count: Callable[[], int] = tensorflow_gpus,
) -> tuple[Device, ...]:
    """Find the GPUs and MIG instances of this machine.

    Args:
        choose: Lists the devices.
        count: Returns the number of GPUs in TensorFlow.

    Raises:
        NoGpuError: There is none, or TensorFlow cannot use it.
    """
    try:
        devices = choose()
    except GraderError as error:
        message = f"no GPU to measure: {error.message}"
        raise NoGpuError(message) from error
    if count() == 0:
        names = ", ".join(device.label for device in devices)
        message = (
            f"no GPU to measure: there is {names}, but TensorFlow does not see it; "
            "run `python -m pip install 'cnn-grader[gpu]'` and look at `nvidia-smi`"
        )
        raise NoGpuError(message)
    return devices


def report(outcomes: Mapping[str, Outcome], about: str) -> str:
    """Render outcomes as Markdown."""
    lines = ["# Measurements on a GPU", "", about, ""]
    for name, outcome in outcomes.items():
        lines += [f"## {name}", "", PARTS[name].about, ""]
        lines += [*table(outcome.figures), ""] if outcome.figures else []
        lines += [f"**Not measured: {outcome.problem}**", ""] if outcome.problem else []
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the parts that the command line selects, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plan", action="store_true", help="print what will be measured, and measure nothing")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="measure only these parts")
    parser.add_argument("--rehearse", action="store_true", help="take the CPU in place of the GPU")
    parser.add_argument("--out", type=Path, default=ROOT / "bench-results")
    chosen = parser.parse_args(arguments)
    if chosen.plan:
        print("\n".join(plan(chosen.only)))
        return DONE
    try:
        devices = (Device("cpu"),) if chosen.rehearse else find_devices()
    except NoGpuError as error:
        print(error, file=sys.stderr)
        return NO_GPU
    name = "gpu-rehearsal" if chosen.rehearse else "gpu"
    out: Path = chosen.out.resolve()
    # Use a separate store, since another grader version on this machine may rebuild a shared one at any moment.
    os.environ.setdefault("GRADER_DATA", str(out / "data"))
    scratch = out / "scratch" / name
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    runner = RealRunner(scratch, devices)
    runner.prepare()
    patience = _REHEARSAL_PATIENCE if chosen.rehearse else 1.0
    outcomes = measure(runner, chosen.only, now=time.monotonic, patience=patience, listener=_tell)
    about = _about(devices, rehearsal=chosen.rehearse)
    parts = {part: dataclasses.asdict(outcome) for part, outcome in outcomes.items()}
    (out / f"{name}.json").write_text(json.dumps({"about": about, **parts}, indent=1) + "\n", encoding="utf-8")
    (out / f"{name}.md").write_text(report(outcomes, about), encoding="utf-8")
    print(f"all results: {out / name}.md")
    if any(outcome.problem for outcome in outcomes.values()):
        return INCOMPLETE
    shutil.rmtree(scratch, ignore_errors=True)
    return DONE


def _tell(name: str, outcome: Outcome) -> None:
    print(f"{time.strftime('%H:%M:%S')} {name}", flush=True)
    for one in outcome.figures:
        print(f"  {one.what}: {one.value:.3g} {one.unit} {one.target} {one.met}".rstrip(), flush=True)
    if outcome.problem:
        print(f"  not measured: {outcome.problem}", flush=True)


def _about(devices: Sequence[Device], *, rehearsal: bool) -> str:
    """Describe the machine in one line."""
    names = ", ".join(device.label for device in devices)
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("cnn-grader", "keras"))
    sharing = "with MPS" if PIPE_VARIABLE in os.environ else "without MPS"
    warning = "**A rehearsal on the CPU: the figures mean nothing.** " if rehearsal else ""
    cores = len(os.sched_getaffinity(0))
    return f"{warning}{time.strftime('%Y-%m-%d')}, {names}, {sharing}, {cores} cores, {versions}"


if __name__ == "__main__":
    sys.exit(main())
