"""`main(SOCKET, DIALECT)`: imports TensorFlow and related packages once, then forks a process for each request.

It runs no student code. A fork enters the namespaces of a new sandbox, which is made like a cold kernel's. It drops all
privileges, verifies that, and only then starts the requested module:

- the *attendant* is the first fork. It enters the sandbox's namespaces and forks again, since only children enter a
  pid namespace. Then it drops its capabilities, waits, and forwards the exit code;
- the *guest* is the second fork and runs in the sandbox. If the warm process dies, the attendant is killed. The end of
  its pipe ends the sandbox, and with it the guest.

A request is one packet of JSON with descriptors on the socket. The host makes the socket as a pair, so no other process
can reach it, and a fork closes it before any student code runs.
"""

import array
import base64
import ctypes
import fcntl
import gc
import importlib
import json
import os
import random
import resource
import runpy
import signal
import socket
import sys
import tempfile
import warnings
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from .calls import hand_over, install_filter
from .hooking.holders import make_index

__all__ = ["DESCRIPTORS", "LOST", "Job", "main", "preload"]

NAMESPACES = {
    "ipc": 0x08000000,
    "uts": 0x04000000,
    "net": 0x40000000,
    "cgroup": 0x02000000,
    "pid": 0x20000000,
    "mnt": 0x00020000,
}
"""File in `/proc/PID/ns` → the flag of `setns` (linux/sched.h), in the order of entering."""
_NEWUSER = 0x10000000
_GET_OWNER = 0xB701
"""`NS_GET_USERNS` of linux/nsfs.h: the user namespace that owns another namespace."""
DESCRIPTORS = ("log", "status", "end", "go", "input", "user", *NAMESPACES, "calls")
"""Names of a request's descriptors, in order; `calls` may be missing."""
LOST = 70
"""Exit code of a sandbox whose attendant is gone."""

_PACKET = 1 << 17
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP = 1, 4, 24
_SECCOMP_MODE_FILTER = 2
_PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _AMBIENT_CLEAR_ALL = 38, 47, 4
_CAPABILITY_VERSION_3 = 0x20080522
_MOST_CAPABILITIES = 64
_PACKAGES = ("numpy", "tensorflow", "matplotlib", "matplotlib.pyplot", "ipykernel.kernelapp", "ipykernel.ipkernel")
_OPERATIONS = ("batch", "concatenate", "flat_map", "from_tensor_slices", "from_tensors", "map", "prefetch", "range")
_LATER = (
    # The kernel and its figures
    *("ipykernel.debugger", "matplotlib.backends.backend_agg", "PIL.BmpImagePlugin", "PIL.GifImagePlugin"),
    *("PIL.JpegImagePlugin", "PIL.PngImagePlugin", "PIL.PpmImagePlugin", "rich._emoji_codes", "encodings.cp437"),
    # `fit`
    *(f"tensorflow.python.data.ops.{name}_op" for name in (*_OPERATIONS, "repeat", "shuffle", "zip")),
)
"""Modules that packages import later, at the first use of something that most notebooks use; they may be missing."""
_OWN = ("inside.watch.keras_hooks", "inside.install", "inside.predictor", "inside.kernel")
_BACKEND = "module://matplotlib_inline.backend_inline"

_libc = ctypes.CDLL(None, use_errno=True)
# Look these up now, since only the sandbox's files are visible later.
_setns, _prctl, _capset = _libc.setns, _libc.prctl, _libc.capset


class NotSafeError(Exception):
    """A fork is not fully isolated; it ends before it starts the module."""


@dataclass(frozen=True, slots=True)
class Job:
    """The program of one fork."""

    module: str
    """Module to run as `python -m` does."""
    arguments: tuple[str, ...]
    env: Mapping[str, str]
    """The complete environment."""
    cwd: str
    limits: Mapping[str, int]
    """Limits `core`, `fsize`, `nofile`, `nproc` (`setrlimit`); missing ones stay unchanged."""
    user: int | None
    """User and group id to change to from root; None in a user namespace."""
    filter: bytes | None
    """Filter of system calls (classic BPF), the same as for the sandbox's other processes; None if there is none."""

    @classmethod
    def parse(cls, packet: bytes) -> "Job":
        """Read a request.

        Raises:
            ValueError: The packet is not JSON.
            KeyError: A key is missing.
        """
        raw = json.loads(packet)
        steps = None if raw["filter"] is None else base64.b64decode(raw["filter"], validate=True)
        arguments = tuple(raw["arguments"])
        return cls(raw["module"], arguments, raw["env"], raw["cwd"], raw["limits"], raw["user"], steps)


def preload(dialect: str) -> dict[str, str]:
    """Import the packages that most notebooks import, without calling them; skip missing ones.

    Args:
        dialect: `keras3` or `keras2`; only one of them can be loaded.

    Returns:
        Name of a module that could not be imported → the reason.
    """
    failed: dict[str, str] = {}
    os.environ.pop("TF_USE_LEGACY_KERAS", None)
    if dialect == "keras2":
        os.environ["TF_USE_LEGACY_KERAS"] = "1"
    # matplotlib reads the variable only at its import; a cold kernel sets it earlier.
    os.environ["MPLBACKEND"] = _BACKEND
    for name in (*_PACKAGES, "tf_keras" if dialect == "keras2" else "keras", *_OWN):
        try:
            importlib.import_module(name)
        except Exception as error:
            failed[name] = f"{type(error).__name__}: {error}"[:300]
    with suppress(Exception):
        # TensorFlow loads its `keras` at the first access.
        _ = sys.modules["tensorflow"].keras.layers
        importlib.import_module("tensorflow.keras")
    for name in _LATER:
        with suppress(Exception):
            importlib.import_module(name)
    make_index()
    del os.environ["MPLBACKEND"]
    tempfile.tempdir = None
    return failed


def main(descriptor: int, dialect: str) -> None:
    """Serve requests until the host closes the socket; in a fork, run its job and return.

    Args:
        descriptor: The socket (`SOCK_SEQPACKET`).
        dialect: As for `preload`.
    """
    channel = socket.socket(fileno=descriptor)
    given = frozenset(os.environ)
    failed = preload(dialect)
    gc.collect()
    gc.freeze()
    threads = len(os.listdir("/proc/self/task"))  # noqa: PTH208
    channel.send(json.dumps({"pid": os.getpid(), "threads": threads, "failed": failed}).encode())
    # Let ended children leave no zombies.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    job = _serve(channel, given)
    if job is not None:
        _run(job)


def _serve(channel: socket.socket, given: frozenset[str]) -> Job | None:
    """Fork for each request.

    Args:
        channel: The socket.
        given: Names of the environment variables at the start of the warm process.

    Returns:
        In the guest, its job; in the warm process None, after the host has closed the socket.
    """
    size = array.array("i").itemsize * len(DESCRIPTORS)
    buffer = bytearray(_PACKET)
    while True:
        length, ancillary, _, _ = channel.recvmsg_into([buffer], socket.CMSG_SPACE(size), socket.MSG_CMSG_CLOEXEC)
        if not length:
            return None
        numbers = array.array("i")
        for _level, kind, data in ancillary:
            if kind == socket.SCM_RIGHTS:
                numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
        handed = dict(zip(DESCRIPTORS, numbers, strict=False))
        sys.stdout.flush()
        sys.stderr.flush()
        warm = os.getpid()
        if _fork() == 0:
            # The descriptor is closed with all others; the object must not close a later one with the same number.
            channel.detach()
            return _attend(bytes(buffer[:length]), handed, warm, given)
        # Clear the request, so that the next fork does not have it in its memory.
        buffer[:length] = bytes(length)
        for number in numbers:
            os.close(number)


def _fork() -> int:
    with warnings.catch_warnings():
        # Newer versions of Python warn about forks with threads; TensorFlow's threads are idle and hold no lock.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _attend(packet: bytes, handed: Mapping[str, int], warm: int, given: frozenset[str]) -> Job:
    """Run the attendant; return only in the guest, after it was isolated."""
    try:
        job = Job.parse(packet)
        _die_with(warm)
        _close_all_but(handed.values())
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        places = {name: os.fstat(handed[name]).st_ino for name in ("user", *NAMESPACES)}
        _enter(handed)
        guest = _fork()
    except BaseException as error:
        _give_up(handed["status"], error)
    if guest != 0:
        _wait(guest, job, handed, warm)
    try:
        _shut_in(job, handed, places, given)
    except BaseException as error:
        _give_up(handed["status"], error)
    return job


def _die_with(warm: int) -> None:
    """Arrange to be killed when the warm process ends; exit at once if it has ended."""
    _checked(_prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
    if os.getppid() != warm:
        os._exit(LOST)


def _wait(guest: int, job: Job, handed: Mapping[str, int], warm: int) -> NoReturn:
    """Send the guest's process id to the host, wait for its end, and send its exit code to the sandbox."""
    code = LOST
    try:
        _drop_rights(None)
        _die_with(warm)  # a change of privileges may have cleared it
        if job.filter is not None:
            install_filter(job.filter)
        _tell(handed["status"], pid=guest)
        _close_all_but([handed["end"]])
        _, status = os.waitpid(guest, 0)
        code = os.waitstatus_to_exitcode(status)
        with suppress(OSError):
            os.write(handed["end"], b"%d\n" % (code if code >= 0 else 128 - code))
    finally:
        os._exit(0)


def _enter(handed: Mapping[str, int]) -> None:
    """Enter the sandbox's namespaces: first the user namespace that owns them, last the inner user namespace."""
    own = Path("/proc/self/ns/user").stat().st_ino
    inner = os.fstat(handed["user"]).st_ino
    if inner != own:
        owner = fcntl.ioctl(handed["mnt"], _GET_OWNER)
        place = os.fstat(owner).st_ino
        if place == own:
            msg = "the sandbox has no user namespace of its own"
            raise NotSafeError(msg)
        _checked(_setns(owner, _NEWUSER))
        os.close(owner)
    else:
        place = own
    for name, flag in NAMESPACES.items():
        shared = os.fstat(handed[name]).st_ino == Path(f"/proc/self/ns/{name}").stat().st_ino
        if not shared:
            _checked(_setns(handed[name], flag))
        elif name != "cgroup":
            msg = f"the sandbox has no {name} namespace of its own"
            raise NotSafeError(msg)
    if inner != place:
        _checked(_setns(handed["user"], _NEWUSER))


def _shut_in(job: Job, handed: Mapping[str, int], places: Mapping[str, int], given: frozenset[str]) -> None:
    """Become like a process that was started in the sandbox; only the memory is the warm process's."""
    os.setsid()
    for number in range(1, signal.NSIG):
        with suppress(OSError, ValueError):
            if signal.getsignal(number) is signal.SIG_IGN and number not in (signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for source, target in ((handed["input"], 0), (handed["log"], 1), (handed["log"], 2)):
        os.dup2(source, target)
    _close_all_but([handed[name] for name in ("status", "go", "calls") if name in handed])
    for name, value in job.limits.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name.upper()}"), (value, value))
    _drop_rights(job.user)
    # A change of the user clears this flag. The sandbox's end would kill the process too, but later.
    _checked(_prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
    # As after `exec`; otherwise the process could not read its own /proc/self.
    _checked(_prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0))
    _filter_calls(job, handed)
    _verify(job, places)
    # Keep variables that the imports have set, as after an import by the notebook.
    set_by_imports = {name: value for name, value in os.environ.items() if name not in given}
    os.environ.clear()
    os.environ.update({**set_by_imports, "PWD": job.cwd, **job.env})
    os.chdir(job.cwd)
    _tell(handed["status"], ready=True)
    os.read(handed["go"], 1)
    os.close(handed["go"])
    os.close(handed["status"])


def _drop_rights(user: int | None) -> None:
    """Drop every capability permanently, and change to a user."""
    _checked(_prctl(_PR_CAP_AMBIENT, _AMBIENT_CLEAR_ALL, 0, 0, 0))
    for capability in range(_MOST_CAPABILITIES):
        if _prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break  # beyond the last capability of this Linux; `_verify` checks all of them
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _checked(_capset(header, (ctypes.c_uint32 * 6)()))
    _checked(_prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def _filter_calls(job: Job, handed: Mapping[str, int]) -> None:
    """Filter every system call from now on; tell the host about refused ones if it wants to know."""
    if "calls" in handed:
        hand_over(handed["calls"])
    elif job.filter is not None:
        install_filter(job.filter)


def _verify(job: Job, places: Mapping[str, int]) -> None:
    """Verify that this process is fully isolated.

    Raises:
        NotSafeError: It is not.
    """
    lines = Path("/proc/self/status").read_bytes().decode("latin-1").splitlines()
    facts = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    kept = [name for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb") if int(facts[name], 16)]
    if kept or facts["NoNewPrivs"] != "1":
        msg = f"rights are left: {', '.join(kept) or 'new ones'}"
        raise NotSafeError(msg)
    if job.filter is not None and facts.get("Seccomp") != str(_SECCOMP_MODE_FILTER):
        msg = "system calls are not filtered"
        raise NotSafeError(msg)
    user = job.user
    ids = {*facts["Uid"].split(), *facts["Gid"].split()}
    if "0" in ids or (user is not None and (ids != {str(user)} or facts.get("Groups", "").strip())):
        msg = f"the user is {facts['Uid']}"
        raise NotSafeError(msg)
    strays = [name for name, place in places.items() if Path(f"/proc/self/ns/{name}").stat().st_ino != place]
    if strays:
        msg = f"these namespaces are not the sandbox's: {', '.join(strays)}"
        raise NotSafeError(msg)
    left = set(os.listdir("/proc/self/fd")) - {"0", "1", "2"}  # noqa: PTH208 — names, nothing more to import
    if len(left) > 3:  # noqa: PLR2004 — two pipes, and the listed folder
        msg = f"{len(left)} descriptors are still open"
        raise NotSafeError(msg)


def _run(job: Job) -> None:
    """Run the job's module like a new interpreter."""
    random.seed()
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()
    tempfile.tempdir = None
    started = sys.modules.get("multiprocessing.process")
    if started is not None:
        # Worker processes import the notebook's own modules from this folder.
        started.ORIGINAL_DIR = job.cwd  # type: ignore[attr-defined]
    sys.argv[:] = ["-c", *job.arguments]
    # The module was imported to save time, but it must run under the name `__main__`.
    sys.modules.pop(job.module, None)
    runpy.run_module(job.module, run_name="__main__", alter_sys=True)


def _close_all_but(kept: Iterable[int]) -> None:
    before = 3
    for number in sorted({*kept, 1 << 16}):
        os.closerange(before, number)
        before = max(before, number + 1)


def _tell(descriptor: int, **facts: Any) -> None:
    os.write(descriptor, json.dumps(facts).encode() + b"\n")


def _give_up(status: int, error: BaseException) -> NoReturn:
    try:
        _tell(status, error=f"{type(error).__name__}: {error}"[:500])
    finally:
        os._exit(LOST)


def _checked(result: int) -> None:
    """Raise the error of a C function.

    Raises:
        OSError: The function returned an error.
    """
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
