"""Runs a sandboxed program to its end, and kills a process tree."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from grader.execution.sandbox.confinement import Confinement, confine
from grader.execution.sandbox.isolation import Binds, Isolation, ProcessLimits
from grader.execution.sandbox.load import CpuMeter, Load
from grader.execution.sandbox.watchdog import Budget, Watchdog, tree
from grader.schema.errors import SandboxError
from grader.schema.message import Message

__all__ = [
    "MACHINE_ADVICE",
    "Finished",
    "end_tree",
    "ended_from_outside",
    "error_in_log",
    "log_tail",
    "marked_processes",
    "run_to_end",
    "start",
]

_END_SECONDS = 5.0
_LOG_BYTES = 4000
_ERROR = re.compile(r"(?:\w+\.)*[A-Z]\w*(?:Error|Exception)\b|(?:bwrap|nsenter|sh|/bin/sh): ")
"""Beginning of a line that is the last of a traceback, or a message of a program that starts the sandbox."""
_LONGEST_ERROR = 200
_LONGEST_WAIT = 5.0
"""Longest wait for a program on a busy machine, as a multiple of its time limit."""
_LOWEST_PRIORITY = 19
_LEAST_EXTENSION = 0.5
"""Shortest extension of a time limit, in seconds."""
MACHINE_ADVICE = (
    "free memory on this machine or grade fewer at a time; if the same notebook always fails, look into its code"
)
MARKER = "GRADER_MARK"
"""Environment variable whose value identifies a sandbox, to find its stray processes."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a sandboxed program ended."""

    exit_code: int
    """As in a shell: 128 + n for signal n."""
    timed_out: bool
    over_budget: Message | None
    """The limit for which the watchdog ended it; None if it did not."""
    seconds: float
    peak_mib: float
    outsider: str = ""
    """Reason to believe that neither its own program nor the grader ended it; empty if there is none."""
    load: Load | None = None
    """Its CPU time; None if it was not measured."""


class SandboxProcess(subprocess.Popen[bytes]):
    """The outermost process of a sandbox."""

    confinement: Confinement | None = None
    """The sandbox's share of the machine."""
    guest: psutil.Process | None = None
    """The program's own process, if it entered the sandbox instead of being started in it."""


def start(  # noqa: PLR0913, PLR0917 - what a process gets
    command: Sequence[str],
    log: Path,
    mark: str,
    confinement: Confinement | None = None,
    keep: Sequence[int] = (),
    stdin: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start a command in a new session, with its output in a log file.

    The process is marked as the first to be killed if the machine runs out of memory. It dies with the *thread* that
    started it (`--die-with-parent`), so call this from a thread that outlives it.

    Args:
        command: Made by an isolation.
        log: File to append the output to.
        mark: For `end_tree`. The isolation's own processes have it as well: bubblewrap ties its child to itself some
            milliseconds after the child's start. If bubblewrap is killed before that, the child is found by its mark.
        confinement: Its share of the machine.
        keep: Descriptors that the process gets in addition to its standard streams.
        stdin: Descriptor of its standard input; nothing by default.

    Raises:
        SandboxError: The program cannot be started.
    """
    confinement = confinement or Confinement(ProcessLimits())
    try:
        with log.open("ab") as sink, confinement.starting():
            process = SandboxProcess(
                confinement.command(command),
                stdin=stdin,
                stdout=sink,
                stderr=subprocess.STDOUT,
                pass_fds=tuple(keep),
                start_new_session=True,
                env={"PATH": os.environ.get("PATH", os.defpath), MARKER: mark},
            )
    except OSError as error:
        message = f"the sandbox could not be started: {error}"
        raise SandboxError(message, where=str(command[0])) from error
    process.confinement = confinement
    prefer_as_victim(process.pid)
    return process


def prefer_as_victim(pid: int) -> None:
    """Let this process (and its later children) wait for others, and be killed first when memory runs out."""
    with suppress(OSError):
        Path(f"/proc/{pid}/oom_score_adj").write_text("800", encoding="ascii")
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, _LOWEST_PRIORITY)


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
    starter: Callable[[Mapping[str, str], Confinement], subprocess.Popen[bytes] | None] = lambda *_: None,
    cores: int | None = None,
    stdin: int = subprocess.DEVNULL,
    keep: Sequence[int] = (),
) -> Finished:
    """Run a program in a sandbox until it ends, runs out of time or exceeds its budget; then no process is left.

    The time during which other programs of a busy machine kept it from running does not count, up to a limit.

    Args:
        command: The program, with its path inside the sandbox.
        isolation: Made by `for_run`.
        binds: The visible files and folders.
        env: The complete environment; a mark is added.
        cwd: Working folder inside the sandbox.
        limits: Limits for each process.
        budget: Limits for all processes together.
        timeout: Time limit in seconds, as on an idle machine.
        log: File to append the output to.
        starter: Another way to start the program, called with the environment and the sandbox's share of the machine;
            returns None if it is not available.
        cores: Cores that the program was promised; by default all cores of the machine.
        stdin: Descriptor of its standard input; nothing by default.
        keep: Descriptors that the program gets in addition to its standard streams.

    Raises:
        SandboxError: The program cannot be started, or this machine ran out of memory or disk.
    """
    mark = os.urandom(12).hex()
    marked = {**env, MARKER: mark}
    begun = time.monotonic()
    confinement = confine(limits, isolation.name)
    try:
        process = starter(marked, confinement)
        if process is None:
            wrapped = isolation.wrap(command, binds=binds, env=marked, cwd=cwd, limits=limits)
            process = start(wrapped, log, mark, confinement, keep, stdin)
    except BaseException:
        confinement.release()
        raise
    meter = CpuMeter(cores or os.cpu_count() or 1, visible=isolation.name != "container")
    watchdog = Watchdog(process, budget, lambda: end_tree(process, isolation, mark), meter)
    watchdog.start()
    timed_out, outsider = False, ""
    try:
        if _ends_in_time(process, watchdog, timeout):
            code = process.wait()
            outsider = ended_from_outside(process, isolation)
        else:
            timed_out = True
            end_tree(process, isolation, mark)
            code = process.wait()
    finally:
        watchdog.stop()
        watchdog.conclude()
        end_tree(process, isolation, mark)
        process.wait()
        confinement.release()
    if watchdog.fault:
        raise SandboxError(watchdog.fault, where=isolation.name, advice=MACHINE_ADVICE)
    seconds = time.monotonic() - begun
    exit_code = code if code >= 0 else 128 - code
    outsider = "" if watchdog.verdict else outsider
    return Finished(exit_code, timed_out, watchdog.verdict, seconds, watchdog.peak_mib, outsider, meter.load())


def _ends_in_time(process: subprocess.Popen[bytes], watchdog: Watchdog, timeout: float) -> bool:
    """Wait for a program's end; extend the limit by the time that other programs took from it.

    Returns:
        Whether it has ended.
    """
    limit = timeout
    while True:
        try:
            process.wait(limit)
        except subprocess.TimeoutExpired:
            load = watchdog.measure_load()
            limit = min(timeout - load.fair_seconds, _LONGEST_WAIT * timeout - load.seconds)
            if limit <= _LEAST_EXTENSION:
                return False
        else:
            return True


def marked_processes(mark: str) -> list[psutil.Process]:
    """Find every process with a sandbox's mark in its environment, also outside the process tree."""
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
    """Kill a sandbox and wait for its end, including processes that left the tree, found by their mark.

    With bubblewrap the death of the first process kills all others in the pid namespace. Without an isolation all
    processes are stopped before they are killed, so that none can fork again.

    Args:
        process: The started process; it may have ended.
        isolation: The isolation of the process.
        mark: The value of its mark.
    """
    if (confinement := getattr(process, "confinement", None)) is not None:
        confinement.kill()
    if ender := isolation.end_command():
        with suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(ender, capture_output=True, timeout=_END_SECONDS, check=False)
    if isolation.name == "bubblewrap" and process.poll() is None:
        # Kill before listing processes: a fork bomb grows faster than it can be listed.
        process.kill()
    ends = time.monotonic() + _END_SECONDS
    while time.monotonic() < ends:
        # Poll before listing: as long as it lives, it may start another process that the listing would miss.
        gone = process.poll() is not None
        living = _living(tree(process))
        if (gone and not living) or isolation.name != "bubblewrap":
            # Reading the environment of every process of the machine takes time, so do it last.
            known = {member.pid for member in living}
            living += [member for member in _living(marked_processes(mark)) if member.pid not in known]
        if gone and not living:
            return
        if isolation.name in {"user", "none"}:
            _signal_all(living, signal.SIGSTOP)
        _signal_all(living, signal.SIGKILL)
        if living:
            psutil.wait_procs(living, timeout=0.05)
        else:
            time.sleep(0.005)


def ended_from_outside(process: subprocess.Popen[bytes], isolation: Isolation) -> str:
    """Return the reason to believe that a sandbox was ended from outside; empty if its own program may have ended it.

    The grader must not have ended it. It was ended from outside in these cases:

    - The warm process that it was forked from has ended.
    - Bubblewrap itself got a signal; no process inside the sandbox can send it one.
    - The program got SIGKILL, as from a person or from a machine that is out of memory (the operating system,
      `systemd-oomd`, `earlyoom`). A program can send it to itself, but honest code never does, and a dishonest student
      only gets the instructor's attention.

    In a container the engine uses SIGKILL to enforce the program's own memory limit.

    Args:
        process: The started process, which has ended.
        isolation: The isolation of the process.
    """
    code = process.poll()
    if getattr(process, "lost", False):
        return "the warm process ended"
    if code is None or isolation.name == "container":
        return ""
    if code in {-signal.SIGKILL, 128 + signal.SIGKILL}:
        return "it was killed (SIGKILL), and not by the grader; probably this machine ran out of memory"
    if code < 0 and isolation.name == "bubblewrap":
        return f"its sandbox got signal {-code} from outside"
    return ""


def log_tail(log: Path) -> str:
    """Return the end of a log file, for messages; empty if there is no log."""
    try:
        with log.open("rb") as source:
            source.seek(max(0, log.stat().st_size - _LOG_BYTES))
            return source.read().decode(errors="replace").strip()
    except OSError:
        return ""


def error_in_log(log: Path) -> str:
    """Return the last error in a log, in one line: an exception or a message of the sandbox's program.

    TensorFlow writes many lines that are no errors to the same log. The text is empty if there is no error.
    """
    errors = (line.strip() for line in reversed(log_tail(log).splitlines()) if _ERROR.match(line.strip()))
    return next(errors, "")[:_LONGEST_ERROR]


def _living(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if _alive(process)]


def _alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _signal_all(processes: Iterable[psutil.Process], number: int) -> None:
    for process in processes:
        with suppress(psutil.Error, OSError):
            process.send_signal(number)
