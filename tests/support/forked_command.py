"""Runs `grader` commands in forks of one process that has imported what they need, which takes a second for each.

Each command has a process of its own, as from the terminal: its own arguments, environment, folder, output and exit
code. `python -m tests.support.forked_command` is the process to fork from; `ForkedCommands` asks it.
"""

import atexit
import gc
import json
import os
import pkgutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from grader.cli.app import main

__all__ = ["ForkedCommands", "forked_commands"]

_PACKAGES = ("checks", "cli", "delivery", "evidence", "execution", "grading", "intake", "pipeline", "report", "store")
_OTHERS = ("rich.markdown", "rich.progress", "rich.table")
"""Modules that commands import when they need them; a command imports any other module itself."""


class ForkedCommands:
    """A process with the modules of the commands, and a fork of it for each command."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forked_command"],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, arguments: list[str], env: Mapping[str, str], cwd: Path, timeout: int) -> tuple[int, str, str]:
        """Run a command to its end.

        Args:
            arguments: Arguments of `grader`.
            env: The whole environment.
            cwd: The folder to run in.
            timeout: Seconds until it is killed by SIGALRM.

        Returns:
            The exit code, or the negative number of the signal that ended it; what it wrote to the two outputs.
        """
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder, "out"), Path(folder, "err")
            asked = {
                "arguments": arguments,
                "env": dict(env),
                "cwd": str(cwd),
                "timeout": timeout,
                "out": str(out),
                "err": str(err),
            }
            self._say(asked)
            ended: int = json.loads(self._hear())
            return ended, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8")

    def _say(self, asked: Mapping[str, Any]) -> None:
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps(asked) + "\n")
        self._server.stdin.flush()

    def _hear(self) -> str:
        assert self._server.stdout is not None
        return self._server.stdout.readline()

    def close(self) -> None:
        """End the process."""
        with self._server:
            pass


@cache
def forked_commands() -> ForkedCommands:
    """Return the one process of the tests in this process; it ends with them."""
    made = ForkedCommands()
    atexit.register(made.close)
    return made


def _command(asked: Mapping[str, Any]) -> NoReturn:
    """Become the command."""
    os.environ.clear()
    os.environ.update(asked["env"])
    time.tzset()
    os.chdir(asked["cwd"])
    # The input of the server is no input of a command.
    for number, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, asked["out"], os.O_WRONLY | os.O_CREAT),
        (2, asked["err"], os.O_WRONLY | os.O_CREAT),
    ):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    signal.alarm(asked["timeout"])
    main(asked["arguments"])


def _serve() -> None:
    for package in _PACKAGES:
        for module in pkgutil.iter_modules(import_module(f"grader.{package}").__path__):
            import_module(f"grader.{package}.{module.name}")
    for name in _OTHERS:
        import_module(name)
    # All forks need the objects that exist now; the garbage collection of a fork must not copy them.
    gc.freeze()
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            answers.close()
            _command(json.loads(line))
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        answers.write(f"{ended}\n")
        answers.flush()


if __name__ == "__main__":
    _serve()
