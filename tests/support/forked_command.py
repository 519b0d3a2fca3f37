"""Runs `grader` commands in forks of one process that has imported what they need, which takes a second for each.

`python -m tests.support.forked_command ADDRESS OWNER` is the process to fork from.
"""

import os
import pkgutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

from grader.cli.app import main
from tests.support.fork_server import run_forked, serve

__all__ = ["forked_command"]

ROOT = Path(__file__).parents[2]
_PACKAGES = ("checks", "cli", "delivery", "evidence", "execution", "grading", "intake", "pipeline", "report", "store")
_OTHERS = ("rich.markdown", "rich.progress", "rich.table")
"""Modules that commands import when they need them; a command imports any other module itself."""


def forked_command(
    words: Sequence[str], env: Mapping[str, str], cwd: Path, timeout: float
) -> "subprocess.CompletedProcess[str]":
    """Run `grader` with some arguments as if it was started anew."""
    server = [sys.executable, "-m", "tests.support.forked_command"]
    paths = {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])}
    return run_forked("command", server, words, env=env, cwd=cwd, timeout=timeout, server_env={**os.environ, **paths})


def _serve(address: str, owner: str) -> None:
    for package in _PACKAGES:
        for module in pkgutil.iter_modules(import_module(f"grader.{package}").__path__):
            import_module(f"grader.{package}.{module.name}")
    for name in _OTHERS:
        import_module(name)
    words = serve(address, owner)
    if words is not None:
        main(list(words))


if __name__ == "__main__":
    _serve(*sys.argv[1:])
