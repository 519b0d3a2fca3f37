"""Run a command and measure its cost: wall seconds, processor seconds including all children, and peak memory.

Measurements are shown as figures.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Cost", "Figure", "run", "table"]

_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Cost:
    """Cost of one command."""

    wall: float
    """Wall time in seconds."""
    cpu: float
    """Processor seconds of the command and its children; varies less than wall time on a shared machine."""
    peak_mib: float
    """Maximum resident memory of the command's own process, without its children."""


@dataclass(frozen=True)
class Figure:
    """One measured figure."""

    what: str
    value: float
    unit: str
    target: str = ""
    """Target such as `>= 6`; empty if there is none."""
    note: str = ""

    @property
    def met(self) -> str:
        """Whether the target is met: `yes`, `no`, or empty without a target."""
        if not self.target:
            return ""
        sign, number = self.target.split()
        return "yes" if (self.value >= float(number) if sign == ">=" else self.value <= float(number)) else "no"


def table(figures: Iterable[Figure]) -> list[str]:
    """Show figures as the lines of a Markdown table."""
    lines = ["| what | measured | target | met | |", "|---|---:|---|---|---|"]
    for one in figures:
        measured = f"{one.value:.3g}" if one.value < 100 else f"{one.value:,.0f}"  # noqa: PLR2004 - three digits
        lines.append(f"| {one.what} | {measured} {one.unit} | {one.target} | {one.met} | {one.note} |")
    return lines


def run(  # noqa: PLR0913 - all but the command by name, and most with a default
    command: Sequence[str | Path],
    *,
    log: Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    accept: Sequence[int] = (0,),
    watch: Callable[[int], None] = lambda _pid: None,
) -> Cost:
    """Run a command and wait for its end.

    Args:
        command: Program and arguments.
        log: File for its output.
        cwd: Its working directory.
        env: Additional environment variables.
        accept: Exit codes that count as success.
        watch: Called regularly with the command's process id while it runs.

    Raises:
        SystemExit: The command ended with another exit code.
    """
    with log.open("wb") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        peak = 0.0
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            peak = max(peak, _peak_mib(process.pid))
            watch(process.pid)
            time.sleep(_POLL_SECONDS)
        wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in accept:
        tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        sys.exit(f"not measured: {command[0]} ended with {process.returncode}\n{tail}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, peak)


def _peak_mib(pid: int) -> float:
    """Return a process's maximum memory according to Linux; 0 if it has just ended."""
    with suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0
