"""A process that has imported much, and forks itself for each program: the part of the tests, and that of the process.

A fork has its own arguments, environment, folder, output and exit code, as a program from the terminal. All processes
of one run of the tests share the process to fork from; it ends a moment after the run.
"""

import faulthandler
import fcntl
import gc
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

__all__ = ["run_forked", "serve"]

_PLACE = Path(tempfile.gettempdir())
"""Noted now: a test may give its own processes another folder."""
_ROOT = Path(__file__).parents[2]
_LOOKS_EACH = 1.0
"""Seconds between two looks whether the run of the tests goes on."""


def run_forked(  # noqa: PLR0913 — a server and a program
    name: str,
    server: Sequence[str],
    words: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    timeout: float,
    server_env: Mapping[str, str] | None = None,
) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end, in a fork of a process that is started when it is first needed.

    Args:
        name: Name of the process to fork from.
        server: Command that starts it: a program that calls `serve` with its last two arguments.
        words: Arguments of the program.
        env: The whole environment of the program.
        cwd: The folder to run it in.
        timeout: Seconds until it is killed by SIGALRM.
        server_env: Environment of the process to fork from; by default this process's.

    Returns:
        The program's outputs, and its exit code, or the negative number of the signal that ended it.
    """
    address = _address(name, server, server_env)
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as channel:
        out, err = Path(folder, "out"), Path(folder, "err")
        asked = {"words": [*words], "env": dict(env), "cwd": str(cwd), "timeout": timeout}
        with _short(address) as path:
            channel.connect(path)
        channel.sendall(json.dumps(asked | {"out": str(out), "err": str(err)}).encode() + b"\n")
        with channel.makefile("rb") as answers:
            code: int = json.loads(answers.readline())
        # A killed program may have written a part of a character.
        said, complained = (path.read_text(encoding="utf-8", errors="replace") for path in (out, err))
    return subprocess.CompletedProcess([*words], code, said, complained)


def _address(name: str, server: Sequence[str], env: Mapping[str, str] | None) -> Path:
    """Start the process unless one of the tests' processes has done so, and return its socket."""
    worker = "PYTEST_XDIST_WORKER" in os.environ
    owner = os.getppid() if worker else os.getpid()
    run = os.environ["PYTEST_XDIST_TESTRUNUID"] if worker else str(owner)
    folder = _PLACE / f"forks-{run[:16]}"
    folder.mkdir(mode=0o700, exist_ok=True)
    address = folder / name
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not address.exists():
            command = [*server, str(address), str(owner)]
            # The folder of a test could hide modules, or be gone when the next test asks.
            done = subprocess.run(
                command, cwd=_ROOT, env=env, check=False, stdin=subprocess.DEVNULL, capture_output=True
            )
            assert done.returncode == 0, done.stderr.decode(errors="replace")
    return address


@contextmanager
def _short(address: Path) -> Iterator[str]:
    """Give a socket a short path: that of the folder for temporary files may be longer than a socket's can be."""
    folder = os.open(address.parent, os.O_PATH)
    try:
        yield f"/proc/self/fd/{folder}/{address.name}"
    finally:
        os.close(folder)


def serve(address: str, owner: str, kept: Callable[[], Mapping[str, str]] = dict) -> Sequence[str] | None:
    """Become a process of its own that forks for each request, until its owner has ended.

    Args:
        address: Path of the socket for the requests.
        owner: Id of the process that runs the tests.
        kept: Returns variables that a fork has besides its own environment.

    Returns:
        In a fork its arguments: the caller becomes the program. None in the process itself, after the end.
    """
    # All forks need the objects that exist now; the garbage collection of a fork must not copy them.
    gc.collect()
    gc.freeze()
    sys.stdout.flush()
    sys.stderr.flush()
    listener = socket.socket(socket.AF_UNIX)
    with _short(Path(address)) as path:
        listener.bind(path)
    listener.listen(64)
    if os.fork() != 0:
        os._exit(0)
    os.setsid()
    for number, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        _open_as(number, os.devnull, flags)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener.settimeout(_LOOKS_EACH)
    while _exists(int(owner)):
        with suppress(TimeoutError):
            channel, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                return _attend(channel, kept())
            channel.close()
    listener.close()
    Path(address).unlink(missing_ok=True)
    Path(f"{address}.lock").unlink(missing_ok=True)
    with suppress(OSError):
        Path(address).parent.rmdir()
    return None


def _attend(channel: socket.socket, kept: Mapping[str, str]) -> Sequence[str]:
    """Fork the program and tell how it ended; return only in the program."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    channel.settimeout(None)
    with channel.makefile("rb") as requests:
        asked = json.loads(requests.readline())
    program = os.fork()
    if program == 0:
        channel.close()
        return _become(asked, kept)
    ended = os.waitstatus_to_exitcode(os.waitpid(program, 0)[1])
    with suppress(OSError):
        channel.sendall(b"%d\n" % ended)
    os._exit(0)


def _become(asked: Mapping[str, Any], kept: Mapping[str, str]) -> Sequence[str]:
    """Give a fork what the program shall have of its own, and return its arguments."""
    os.environ.clear()
    os.environ.update({**kept, **asked["env"]})
    time.tzset()
    os.chdir(asked["cwd"])
    tempfile.tempdir = None
    random.seed()
    for number, path in ((1, asked["out"]), (2, asked["err"])):
        _open_as(number, path, os.O_WRONLY | os.O_CREAT)
    # It says where it is before it is killed. A timer of faulthandler would be a thread, which is missing in a fork of
    # the program: the fork would wait for it at its end.
    faulthandler.register(signal.SIGALRM, chain=True)
    signal.alarm(int(asked["timeout"]))
    words: Sequence[str] = asked["words"]
    return words


def _open_as(number: int, path: str, flags: int) -> None:
    opened = os.open(path, flags, 0o600)
    os.dup2(opened, number)
    os.close(opened)


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
