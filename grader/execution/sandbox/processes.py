"""Starting a sandboxed program to its end, and ending a process tree for good."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from grader.execution.sandbox.isolation import Binds, Isolation, ProcessLimits
from grader.execution.sandbox.watchdog import Budget, Watchdog, tree
from grader.schema.errors import SandboxError

__all__ = [
    "MACHINE_ADVICE",
    "Finished",
    "end_tree",
    "ended_from_outside",
    "log_tail",
    "marked_processes",
    "run_to_end",
    "start",
]

_END_SECONDS = 5.0
_LOG_BYTES = 4000
MACHINE_ADVICE = "make room on this machine or grade fewer at a time; where it is always the same one, look into it"
MARKER = "GRADER_MARK"
"""Environment variable whose value names one sandbox, so that its stray processes can be found."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a sandboxed program ended."""

    exit_code: int
    """As a shell counts: 128 + n for signal n."""
    timed_out: bool
    over_budget: str
    """Why the watchdog ended it; empty when it did not."""
    seconds: float
    peak_mib: float
    outsider: str = ""
    """Why it was not its own program that ended it, nor the grader; empty where that is not known."""


def start(command: Sequence[str], log: Path, mark: str) -> subprocess.Popen[bytes]:
    """Start a command with its output in a log file, in a session of its own.

    The process is marked as the first to go when the machine runs out of memory. It dies with the *thread* that
    started it (`--die-with-parent`), so call this from a thread that outlives it.

    Args:
        command: Made by an isolation.
        log: File that what it prints is added to.
        mark: For `end_tree`. The isolation's own processes bear it as well: bubblewrap's child is tied to bubblewrap
            only some milliseconds after it was made, and would else outlive one that is ended before.

    Raises:
        SandboxError: The program cannot be started.
    """
    try:
        with log.open("ab") as sink:
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={"PATH": os.environ.get("PATH", os.defpath), MARKER: mark},
            )
    except OSError as error:
        message = f"the sandbox could not be started: {error}"
        raise SandboxError(message, where=str(command[0])) from error
    prefer_as_victim(process.pid)
    return process


def prefer_as_victim(pid: int) -> None:
    """Let the operating system kill this process (and its children to come) first when memory runs out."""
    with suppress(OSError):
        Path(f"/proc/{pid}/oom_score_adj").write_text("800", encoding="ascii")


def run_to_end(  # noqa: PLR0913 — all by name; grouping them would only move them
    command: Sequence[str],
    *,
    isolation: Isolation,
    binds: Binds,
    env: Mapping[str, str],
    cwd: Path,
    limits: ProcessLimits,
    budget: Budget,
    timeout: float,
    log: Path,
    starter: Callable[[Mapping[str, str]], subprocess.Popen[bytes] | None] = lambda _: None,
) -> Finished:
    """Run a program in a sandbox until it ends, runs out of time or goes over its budget; nothing of it is left.

    Args:
        command: The program, as the sandbox names it.
        isolation: Made by `for_run`.
        binds: What it sees.
        env: Its whole environment; a mark is added.
        cwd: Its working folder, as the sandbox names it.
        limits: Limits of each process.
        budget: Limits of all its processes together.
        timeout: Seconds.
        log: File that what it prints is added to.
        starter: Another way to start it, given the environment with the mark; None where it is not to be had.

    Raises:
        SandboxError: It cannot be started, or this machine ran out of room for it.
    """
    mark = os.urandom(12).hex()
    marked = {**env, MARKER: mark}
    begun = time.monotonic()
    process = starter(marked)
    if process is None:
        process = start(isolation.wrap(command, binds=binds, env=marked, cwd=cwd, limits=limits), log, mark)
    watchdog = Watchdog(process, budget, lambda: end_tree(process, isolation, mark))
    watchdog.start()
    timed_out, outsider = False, ""
    try:
        try:
            code = process.wait(timeout)
            outsider = ended_from_outside(process, isolation)
        except subprocess.TimeoutExpired:
            timed_out = True
            end_tree(process, isolation, mark)
            code = process.wait()
    finally:
        watchdog.stop()
        end_tree(process, isolation, mark)
        process.wait()
    if watchdog.fault:
        raise SandboxError(watchdog.fault, where=isolation.name, advice=MACHINE_ADVICE)
    seconds = time.monotonic() - begun
    exit_code = code if code >= 0 else 128 - code
    outsider = "" if watchdog.verdict else outsider
    return Finished(exit_code, timed_out, watchdog.verdict, seconds, watchdog.peak_mib, outsider)


def marked_processes(mark: str) -> list[psutil.Process]:
    """Find every process that was started with a sandbox's mark in its environment, wherever it went since."""
    needle = f"{MARKER}={mark}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with suppress(OSError, psutil.Error):
            if needle in (folder / "environ").read_bytes().split(b"\0"):
                found.append(psutil.Process(int(folder.name)))
    return found


def end_tree(process: subprocess.Popen[bytes], isolation: Isolation, mark: str) -> None:
    """Kill a sandbox and wait until it is gone: its processes, and those that left the tree, found by their mark.

    With bubblewrap its first process takes everything in the pid namespace along; without an isolation all are
    stopped before they are killed, so that none can fork on.

    Args:
        process: The process that was started; it may have ended.
        isolation: What it was started with.
        mark: The value of its mark.
    """
    if ender := isolation.end_command():
        with suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(ender, capture_output=True, timeout=_END_SECONDS, check=False)
    if isolation.name == "bubblewrap" and process.poll() is None:
        # At once, before anything is counted: counting a fork bomb takes longer than it takes to grow.
        process.kill()
    ends = time.monotonic() + _END_SECONDS
    while time.monotonic() < ends:
        # Asked before looking: until it is gone, it may make one more that a look would miss.
        gone = process.poll() is not None
        found = {member.pid: member for member in (*tree(process), *marked_processes(mark))}
        living = [member for member in found.values() if _alive(member)]
        if gone and not living:
            return
        if isolation.name == "none":
            _signal_all(living, signal.SIGSTOP)
        _signal_all(living, signal.SIGKILL)
        if living:
            psutil.wait_procs(living, timeout=0.05)
        else:
            time.sleep(0.005)


def ended_from_outside(process: subprocess.Popen[bytes], isolation: Isolation) -> str:
    """Say why a sandbox that the grader did not end was not ended by its own program; empty where it may have been.

    - What it was forked from has ended.
    - Bubblewrap itself got a signal: it stands outside its own walls, where nothing inside reaches it.
    - The program got SIGKILL. That is how a machine out of memory ends one (the kernel of the operating system,
      `systemd-oomd`, `earlyoom`), and how a person does. A program can do it to itself as well, but an innocent one
      never does, and a guilty one gains nothing but being looked at.

    In a container SIGKILL is how the engine enforces the program's own limit of memory.

    Args:
        process: The process that was started, ended.
        isolation: What it was started with.
    """
    code = process.poll()
    if getattr(process, "lost", False):
        return "the warm process ended"
    if code is None or isolation.name == "container":
        return ""
    if code in {-signal.SIGKILL, 128 + signal.SIGKILL}:
        return "it was killed (SIGKILL), and not by the grader: most likely this machine ran out of memory"
    if code < 0 and isolation.name == "bubblewrap":
        return f"its sandbox got signal {-code} from outside"
    return ""


def log_tail(log: Path) -> str:
    """Return the end of a log file, for a message to people; empty when there is none."""
    try:
        with log.open("rb") as source:
            source.seek(max(0, log.stat().st_size - _LOG_BYTES))
            return source.read().decode(errors="replace").strip()
    except OSError:
        return ""


def _alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _signal_all(processes: Iterable[psutil.Process], number: int) -> None:
    for process in processes:
        with suppress(psutil.Error, OSError):
            process.send_signal(number)
