"""Runs the cells of a script in a recorder kernel, as the grader's host would.

`drive_kernel.py SCRIPT SEEN.json [WORDS…]`; the words after `python` start the kernel, by default `-m inside.kernel`.
In a process that has imported the recorder (`forked_python.py`), the kernel is a fork of it, else a process of its own.
"""

import faulthandler
import json
import os
import re
import runpy
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

_TIME_TO_EXIT = 60.0
"""Seconds for the kernel to exit when it is told to. Then it is killed, as the grader's host kills every kernel."""
_LOOKS_EACH = 0.02


def main() -> None:
    """Drive the kernel and write down which cells raised what."""
    script, seen = Path(sys.argv[1]), Path(sys.argv[2])
    words = sys.argv[3:] or ["-m", "inside.kernel"]
    with (_forked if "inside.warm" in sys.modules else _started)(words) as client:
        client.wait_for_ready(timeout=300)
        cells, errors = _drive(client, script)
    seen.write_text(json.dumps({"cells": cells, "errors": errors}), encoding="utf-8")


def _drive(client: BlockingKernelClient, script: Path) -> tuple[dict[str, int], dict[str, str]]:
    cells: dict[str, int] = {}
    errors: dict[str, str] = {}
    for number, part in enumerate(re.split(r"^# %% ", script.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:], 1):
        title, _, source = part.partition("\n")
        cells[title] = number
        # In the script, magics are comments.
        reply = client.execute_interactive(source.replace("#!", ""), timeout=300, output_hook=_output)
        if reply["content"]["status"] == "error":
            errors[title] = f"{reply['content']['ename']}: {reply['content']['evalue']}"
    client.execute_interactive("%grader_finish", store_history=False, timeout=300, output_hook=_output)
    return cells, errors


@contextmanager
def _started(words: list[str]) -> Iterator[BlockingKernelClient]:
    """Start the kernel."""
    manager = KernelManager()
    argv = [sys.executable, *words, "-f", "{connection_file}"]
    manager._kernel_spec = KernelSpec(argv=argv, display_name="recorder", language="python")
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        yield client
        client.stop_channels()
        manager.shutdown_kernel()
    finally:
        if manager.is_alive():
            manager.shutdown_kernel(now=True)


class _Client(BlockingKernelClient):  # type: ignore[misc]  # untyped
    """A client of a child: whether its kernel lives is no question of how fast it answers."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self._kernel = kernel

    async def _async_is_alive(self) -> bool:
        return not _has_exited(self._kernel)


@contextmanager
def _forked(words: list[str]) -> Iterator[BlockingKernelClient]:
    """Fork the kernel."""
    manager = KernelManager()
    manager.write_connection_file()
    kernel = os.fork()
    if kernel == 0:
        _become_kernel([*words, "-f", manager.connection_file])
    client = _Client(kernel)
    client.load_connection_file(manager.connection_file)
    client.start_channels()
    try:
        yield client
        client.shutdown()
        _wait_for(kernel)
        client.stop_channels()
    finally:
        os.kill(kernel, signal.SIGKILL)
        os.waitpid(kernel, 0)
        manager.cleanup_connection_file()


def _wait_for(kernel: int) -> None:
    """Wait until a child has exited, and leave it to be reaped; write down where a child is that does not exit."""
    for _ in range(round(_TIME_TO_EXIT / _LOOKS_EACH)):
        if _has_exited(kernel):
            return
        time.sleep(_LOOKS_EACH)
    sys.stderr.write(f"The kernel does not exit. Its threads after {_TIME_TO_EXIT:.0f} s:\n")
    sys.stderr.flush()
    os.kill(kernel, signal.SIGUSR2)
    time.sleep(1)


def _has_exited(child: int) -> bool:
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _become_kernel(words: list[str]) -> None:
    """Run the kernel like a new interpreter, and exit."""
    faulthandler.register(signal.SIGUSR2)
    kind, *rest = words
    if kind == "-m":
        module = rest[0]
        sys.argv[:] = rest
        sys.path[0] = str(Path.cwd())
        sys.modules.pop(module, None)
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    else:
        sys.argv[:] = words
        runpy.run_path(kind, run_name="__main__")
    sys.exit()


def _output(message: dict[str, dict[str, str]]) -> None:
    text = message["content"].get("text") or "\n".join(message["content"].get("traceback", ""))
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
