"""Warm processes, which import TensorFlow once and start each sandboxed program as a fork.

A sandbox is made by the same command line as for a cold start, but only a waiting shell is started in it. A fork of the
warm process (`inside/warm.py`) enters the sandbox's namespaces and drops all privileges before it starts the program.
So the isolation is the same as after a cold start, and the sandbox is ended in the same way.

One warm process serves one Python, dialect, isolation and environment. The hash seed and the number of threads are
fixed at a process's start, and a fork must compute the same results as a cold kernel. A process that has initialized a
GPU cannot be forked safely, so a program for the GPU is refused here, and the caller starts it cold.
"""

import array
import base64
import json
import os
import select
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal, Self

import psutil

from grader.execution.sandbox.bubblewrap import Bubblewrap
from grader.execution.sandbox.children import children_of
from grader.execution.sandbox.confinement import Confinement
from grader.execution.sandbox.isolation import Binds, Isolation, ProcessLimits, passed_on
from grader.execution.sandbox.layout import make_layout
from grader.execution.sandbox.processes import MARKER, SandboxProcess, error_in_log, prefer_as_victim
from grader.execution.sandbox.scratch import hold_folder
from grader.schema.errors import HarnessError

__all__ = ["HeldProcess", "Program", "WarmPool", "WarmRefusedError"]

_BOOTSTRAP = (
    "import sys; sys.path[:] = [p for p in sys.path if p] + ['']; "
    "from inside.warm import main; main(int(sys.argv[1]), sys.argv[2])"
)
_HOLD = 'echo; read -r code || code=70; exit "$code"'
"""Shell code that waits in a sandbox: it reports that the sandbox is ready, and exits with the code that it reads."""
_HOLDER_SECONDS = 20.0
_FORK_SECONDS = 20.0
_NAMESPACES = ("user", "ipc", "uts", "net", "cgroup", "pid", "mnt")
"""Namespaces in the order of a request's descriptors, after its first five; see `inside/warm.py`."""
_OWN_VARIABLES = frozenset({MARKER, "GRADER_SESSION"})
"""Variables that differ between programs; the warm process does not get them."""
_MOST_FAILURES = 3
_LOST = 70
"""Exit code of a sandbox whose warm process is gone; `LOST` of `inside/warm.py`."""
_LOST_SECONDS = 2.0


class WarmRefusedError(Exception):
    """A program cannot be started warm, for the reason in the message; a cold start may still work."""


@dataclass(frozen=True, slots=True)
class Program:
    """A Python module to run in a sandbox."""

    module: str
    """The module's name, as for `python -m`."""
    arguments: tuple[str, ...]
    python: Path
    dialect: Literal["keras3", "keras2"]
    isolation: Isolation
    """Made by `for_run`."""
    binds: Binds
    env: Mapping[str, str]
    """The complete environment, including the mark."""
    cwd: Path
    """Working folder inside the sandbox."""
    limits: ProcessLimits
    log: Path
    """File on this machine to append the program's standard output and standard error to."""
    calls: int | None = None
    """Descriptor of the socket for refused system calls; see `refusals.py`."""
    confinement: Confinement | None = None
    """The sandbox's share of the machine."""
    stdin: int | None = None
    """Descriptor of its standard input; None for nothing."""


class HeldProcess(SandboxProcess):
    """The outermost process of a sandbox with a forked program; it ends with the program and has its exit code."""

    warm: subprocess.Popen[bytes] | None = None
    """The warm process that the program was forked from."""

    @property
    def lost(self) -> bool:
        """Whether the warm process has ended, which also ends the program and is not the program's fault."""
        if self.warm is None:
            return False
        if self.returncode == _LOST:
            # The child may be reaped before its parent exits.
            with suppress(subprocess.TimeoutExpired):
                self.warm.wait(_LOST_SECONDS)
        return self.warm.poll() is not None


class WarmPool:
    """The warm processes of one grader; safe for any number of threads.

    Attributes:
        failures: Reasons why warm processes could not be started or forked, without repetition.
    """

    def __init__(
        self, *, most: int = 3, start_seconds: float = 180.0, on_failure: Callable[[str], None] | None = None
    ) -> None:
        """Make an empty pool.

        Args:
            most: Maximum number of warm processes; to start another one, the one idle for longest is ended.
            start_seconds: Time limit for the imports.
            on_failure: Called with each new item of `failures`, from any thread.
        """
        self._on_failure = on_failure
        self.failures: list[str] = []
        self._most = most
        self._start_seconds = start_seconds
        self._parents: dict[tuple[Any, ...], Future[_Parent]] = {}
        self._next: list[Program] = []
        self._failed: dict[tuple[Any, ...], int] = {}
        self._wanted: Counter[tuple[Any, ...]] = Counter()
        self._lock = threading.Lock()
        # A sandbox dies with the thread that started it, so these threads live as long as the pool.
        self._threads = ThreadPoolExecutor(most, thread_name_prefix="warm")
        self._beginning = _Beginning()
        self._closed = False

    def __enter__(self) -> Self:
        """Return the pool itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the warm processes."""
        self.close()

    def prepare(self, program: Program) -> None:
        """Begin to start a warm process for a program, without waiting; `ready` and `start` raise its errors."""
        with suppress(WarmRefusedError), self._lock:
            self._begin(_key(program), program)

    def prepare_next(self, program: Program) -> None:
        """Begin to start a warm process as soon as any process is needed, like `prepare`.

        Until then the grader itself works, and so does a process that is needed earlier. A further one would take their
        cores.
        """
        with self._lock:
            self._next.append(program)

    def ready(self, program: Program) -> None:
        """Wait until there is a warm process for a program; takes seconds, and may be called from any thread.

        Raises:
            WarmRefusedError: No warm process can be started for it.
        """
        try:
            with self._reserved(program):
                return
        except WarmRefusedError as error:
            self._note(str(error))
            raise

    def start(self, program: Program) -> HeldProcess:
        """Start a program as a fork. Like every sandbox it dies with the calling thread.

        Raises:
            WarmRefusedError: It cannot be started warm; no process of it is left.
        """
        try:
            with self._reserved(program) as parent:
                return parent.start(program)
        except (OSError, ValueError, psutil.Error, HarnessError) as error:
            refusal = WarmRefusedError(f"the fork failed: {error}")
            self._note(str(refusal))
            raise refusal from error
        except WarmRefusedError as error:
            self._note(str(error))
            raise

    def close(self) -> None:
        """End the warm processes, and with them their forks; do not wait for imports."""
        with self._lock:
            self._closed = True
            begun, self._parents = list(self._parents.values()), {}
        self._beginning.end()
        try:
            for future in begun:
                with suppress(Exception):  # it did not start, so nothing is left of it
                    if not future.cancel():
                        future.result().close()
        finally:
            self._threads.shutdown()

    @contextmanager
    def _reserved(self, program: Program) -> "Iterator[_Parent]":
        """Wait for the warm process of a program; meanwhile it is not ended to make room.

        Raises:
            WarmRefusedError: There is none.
        """
        key = _key(program)
        with self._lock:
            future = self._begin(key, program)
            self._wanted[key] += 1
            following, self._next = self._next, []
        for another in following:
            self.prepare(another)
        try:
            yield self._result(key, future)
        finally:
            with self._lock:
                self._wanted[key] -= 1

    def _result(self, key: tuple[Any, ...], future: "Future[_Parent]") -> "_Parent":
        try:
            return future.result()
        except (Exception, CancelledError) as error:
            with self._lock:
                # Several threads may have waited for the same start.
                if self._parents.get(key) is future:
                    del self._parents[key]
                    self._failed[key] = self._failed.get(key, 0) + 1
            message = f"the warm process did not start: {error}"
            raise WarmRefusedError(message) from error

    def _begin(self, key: tuple[Any, ...], program: Program) -> "Future[_Parent]":
        """Find the warm process of a key, or begin to start it; the caller has the lock.

        Raises:
            WarmRefusedError: The pool is closed, there is no room, or the start failed too often.
        """
        if self._closed:
            message = "the warm processes were ended"
            raise WarmRefusedError(message)
        future = self._parents.pop(key, None)
        if future is not None and _has_ended(future):
            future.result().close()
            self._failed[key] = self._failed.get(key, 0) + 1
            future = None
        if future is None:
            if self._failed.get(key, 0) >= _MOST_FAILURES:
                message = f"the warm process failed {_MOST_FAILURES} times"
                raise WarmRefusedError(message)
            self._make_room()
            future = self._threads.submit(_Parent, program, self._start_seconds, self._beginning)
        self._parents[key] = future  # the last one was used last
        return future

    def _make_room(self) -> None:
        if len(self._parents) < self._most:
            return
        unwanted = ((key, future) for key, future in self._parents.items() if not self._wanted[key])
        idle = next((key for key, future in unwanted if _is_idle(future)), None)
        if idle is None:
            message = f"all {self._most} warm processes are in use by other settings"
            raise WarmRefusedError(message)
        future = self._parents.pop(idle)
        if future.exception() is None:
            future.result().close()

    def _note(self, message: str) -> None:
        if message not in self.failures:
            self.failures.append(message)
            if self._on_failure is not None:
                self._on_failure(message)


class _Beginning:
    """The warm processes that still import; ending them ends the wait for their answers."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()
        self._ended = False

    @contextmanager
    def of(self, process: subprocess.Popen[bytes]) -> Iterator[None]:
        with self._lock:
            self._processes.append(process)
            if self._ended:
                process.kill()
        try:
            yield
        finally:
            with self._lock:
                self._processes.remove(process)

    def end(self) -> None:
        with self._lock:
            self._ended = True
            for process in self._processes:
                process.kill()


class _Parent:
    """One warm process."""

    def __init__(self, program: Program, seconds: float, beginning: _Beginning) -> None:
        if not isinstance(program.isolation, Bubblewrap):
            message = f"isolation {program.isolation.name!r} has no warm start"
            raise WarmRefusedError(message)
        self._isolation = program.isolation.for_warm()
        self._send_lock = threading.Lock()
        self._held: list[HeldProcess] = []
        self._scratch = hold_folder()
        self._socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        theirs = socket.socket(fileno=passed_on(other.detach()))
        self._log = self._scratch.path / "warm.log"
        try:
            layout = make_layout(self._scratch.path / "layout", self._isolation, work=False)
            command = self._isolation.wrap(
                [str(program.python), "-c", _BOOTSTRAP, str(theirs.fileno()), program.dialect],
                binds=layout.binds(program.python),
                env=_own_environment(program),
                cwd=layout.inner("code"),
                limits=ProcessLimits(),
            )
            with theirs, self._log.open("ab") as sink:
                self.process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=sink,
                    stderr=subprocess.STDOUT,
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,
                    env={"PATH": os.environ.get("PATH", os.defpath)},
                )
        except BaseException:
            theirs.close()
            self._socket.close()
            self._scratch.let_go()
            raise
        prefer_as_victim(self.process.pid)
        try:
            with beginning.of(self.process):
                self.pid = self._hello(seconds)
            self._user = passed_on(os.open(f"/proc/{self.pid}/ns/user", os.O_RDONLY))
        except BaseException:
            self._end()
            raise

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    @property
    def busy(self) -> bool:
        """Whether a fork of it still runs."""
        with self._send_lock:
            self._held = [held for held in self._held if held.poll() is None]
            return bool(self._held)

    def start(self, program: Program) -> HeldProcess:
        exit_reader, exit_writer = _pipe()
        with exit_reader, exit_writer, program.log.open("ab") as log:
            held = self._hold(program, exit_reader, log)
            try:
                self._fork(program, held, log, exit_writer)
            except BaseException:
                held.kill()
                held.wait()
                raise
        return held

    def close(self) -> None:
        os.close(self._user)
        self._end()

    def _end(self) -> None:
        self._socket.close()
        self.process.kill()
        self.process.wait()
        self._scratch.let_go()

    def _hello(self, seconds: float) -> int:
        self._socket.settimeout(seconds)
        try:
            answer = json.loads(self._socket.recv(1 << 16) or b"null")
        except TimeoutError:
            answer = f"no answer within {seconds:.0f} seconds"
        if not isinstance(answer, dict):
            raise WarmRefusedError(_with_error(answer or f"it ended before it answered{self._code()}", self._log))
        if answer["failed"]:
            message = "; ".join(f"{name}: {why.partition(chr(10))[0]}" for name, why in answer["failed"].items())
            raise WarmRefusedError(message)
        return int(answer["pid"])

    def _code(self) -> str:
        """Describe the exit code, if the process ends soon."""
        with suppress(subprocess.TimeoutExpired):
            return f" (exit code {self.process.wait(_LOST_SECONDS)})"
        return ""

    def _hold(self, program: Program, exit_reader: BinaryIO, log: BinaryIO) -> HeldProcess:
        """Make a sandbox with only a shell that waits for the program's exit code."""
        nested = self._isolation.user == "namespace"
        isolation = program.isolation
        if nested and isinstance(isolation, Bubblewrap):
            isolation = replace(isolation, started_by=_entering(self._user))
        command = isolation.wrap(
            ["/bin/sh", "-c", _HOLD], binds=program.binds, env=program.env, cwd=program.cwd, limits=program.limits
        )
        confinement = program.confinement or Confinement(program.limits)
        made, making = _pipe()
        with made:
            with making, confinement.starting():
                held = HeldProcess(
                    confinement.command(command),
                    stdin=exit_reader,
                    stdout=making,
                    stderr=log,
                    pass_fds=(self._user,) if nested else (),
                    start_new_session=True,
                    env={"PATH": os.environ.get("PATH", os.defpath)},
                )
            held.confinement = confinement
            prefer_as_victim(held.pid)
            ready, _, _ = select.select([made], [], [], _HOLDER_SECONDS)
            if ready and made.read(1) == b"\n":
                return held
        held.kill()
        held.wait()
        message = _with_error("the sandbox was not made", program.log)
        raise WarmRefusedError(message)

    def _fork(self, program: Program, held: HeldProcess, log: BinaryIO, exit_writer: BinaryIO) -> None:
        """Request a fork that enters the sandbox; its exit code will be written to `exit_writer`."""
        holder = _innermost(held.pid, program.isolation.kernel_depth)
        status, status_writer = _pipe()
        go_reader, go_writer = _pipe()
        with status, status_writer, go_reader, go_writer, ExitStack() as stack:
            places = [stack.enter_context(_opened(f"/proc/{holder}/ns/{name}")) for name in _NAMESPACES]
            stdin = stack.enter_context(_opened(os.devnull)) if program.stdin is None else program.stdin
            pipes = [one.fileno() for one in (log, status_writer, exit_writer, go_reader)]
            descriptors = array.array("i", [*pipes, stdin, *places])
            if program.calls is not None:
                descriptors.append(program.calls)
            with self._send_lock:
                self._held.append(held)
                self._socket.settimeout(_FORK_SECONDS)
                self._socket.sendmsg(
                    [_request(program)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors.tobytes())]
                )
            status_writer.close()
            guest = _guest(status)
            with suppress(psutil.NoSuchProcess):  # it may have ended already; its exit code arrives anyway
                held.guest = psutil.Process(guest)
            # It waits, since the processes that it starts must not stay outside.
            if held.confinement is not None:
                held.confinement.adopt(guest)
            go_writer.write(b"\n")
        held.warm = self.process


def _has_ended(future: "Future[_Parent]") -> bool:
    """Whether a warm process started and has ended since then."""
    return future.done() and not future.cancelled() and future.exception() is None and not future.result().alive


def _is_idle(future: "Future[_Parent]") -> bool:
    """Whether a warm process failed to start, or has no fork that still runs."""
    return future.done() and (future.exception() is not None or not future.result().busy)


def _with_error(message: str, log: Path) -> str:
    """Add the error of a log to a message that people read."""
    return f"{message}: {error}" if (error := error_in_log(log)) else message


def _key(program: Program) -> tuple[Any, ...]:
    """Return a key that is equal for programs that can be forked from the same process.

    Raises:
        WarmRefusedError: The program cannot be forked.
    """
    isolation = program.isolation
    if not isinstance(isolation, Bubblewrap):
        message = f"there is no warm start with isolation {isolation.name!r}"
        raise WarmRefusedError(message)
    if program.binds.devices or program.env.get("CUDA_VISIBLE_DEVICES", "-1") != "-1":
        message = "a process that uses a GPU cannot be forked safely"
        raise WarmRefusedError(message)
    return (
        # Kernels and predictors get different warm processes: a notebook can learn the memory addresses of its kernel,
        # and they must not help its saved model to attack the predictor.
        program.module,
        program.python,
        program.dialect,
        (isolation.program, isolation.user, isolation.features),
        tuple(sorted(_own_environment(program).items())),
    )


def _own_environment(program: Program) -> dict[str, str]:
    return {name: value for name, value in program.env.items() if name not in _OWN_VARIABLES}


def _request(program: Program) -> bytes:
    isolation, limits = program.isolation, program.limits
    walls = isolation if isinstance(isolation, Bubblewrap) else None
    syscall_filter = walls.syscall_filter if walls else None
    bounds = {"core": 0, "fsize": limits.file_bytes, "nofile": limits.open_files}
    if walls and walls.counts_alone:
        bounds["nproc"] = limits.processes
    request = {
        "module": program.module,
        "arguments": program.arguments,
        "env": dict(program.env),
        "cwd": str(program.cwd),
        "limits": bounds,
        "user": walls.fork_user if walls else None,
        "filter": base64.b64encode(syscall_filter).decode() if syscall_filter else None,
    }
    return json.dumps(request).encode()


def _entering(user: int) -> tuple[str, ...]:
    """Return the command that makes the sandbox below the warm process's user namespace, so that forks may enter it."""
    return ("nsenter", f"--user=/proc/self/fd/{user}", "--preserve-credentials", "--")


def _innermost(pid: int, depth: int) -> int:
    """Find the waiting shell in the sandbox, below the sandbox's own processes."""
    process = psutil.Process(pid)
    try:
        for _ in range(depth):
            process = children_of(process)[0]
    except (psutil.Error, IndexError) as error:
        message = f"the sandbox ended at once ({type(error).__name__})"
        raise WarmRefusedError(message) from error
    return process.pid


def _guest(status: BinaryIO) -> int:
    """Wait until the fork is inside the sandbox, and return its process id.

    Raises:
        WarmRefusedError: The fork failed or did not answer.
    """
    pid, ready, text = 0, False, b""
    ends = time.monotonic() + _FORK_SECONDS
    while not (pid and ready):
        answered, _, _ = select.select([status], [], [], max(0.0, ends - time.monotonic()))
        piece = status.read(1 << 12) if answered else b""
        if not piece:
            message = "the fork ended before it entered the sandbox" if answered else "the fork did not answer"
            raise WarmRefusedError(message)
        *lines, text = (text + piece).split(b"\n")
        for line in lines:
            answer = json.loads(line)
            if "error" in answer:
                message = f"the fork failed: {answer['error']}"
                raise WarmRefusedError(message)
            pid, ready = answer.get("pid", pid), ready or "ready" in answer
    return int(pid)


def _pipe() -> tuple[BinaryIO, BinaryIO]:
    reading, writing = os.pipe2(os.O_CLOEXEC)
    return os.fdopen(reading, "rb", buffering=0), os.fdopen(writing, "wb", buffering=0)


@contextmanager
def _opened(path: str) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
