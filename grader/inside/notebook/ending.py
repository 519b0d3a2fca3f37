"""Calls that end or restart the kernel end only their cell: elsewhere the student goes on with the next cell, too.

`quit()`, `exit()` and `sys.exit()` are written to stop a cell; `os.kill(os.getpid(), 9)` and `do_shutdown` restart
Colab's runtime after an installation or free memory at the end. The notebook goes on in the same kernel, so the record
stays complete. Processes that the notebook forks, and signals that it handles, are left alone.
"""

import os
import re
import signal
import threading
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

from ..record.notes import Notes
from ..record.recorder import Recorder
from .commands import commands_of

__all__ = ["CellEnded", "ends_cell", "install_shell", "kills_kernel"]

_STOPPING = {signal.SIGTERM, signal.SIGABRT, signal.SIGHUP, signal.SIGQUIT, signal.SIGSEGV, signal.SIGBUS}
"""Signals that end a process that does not handle them; no process can handle SIGKILL."""
_OWN_NAMES = re.compile(r"python[\d.]*|ipykernel\w*|jupyter[\w-]*")


class CellEnded(BaseException):
    """Ends a cell without an error. It is no `Exception`, so that the student's code does not catch it."""


def ends_cell(error: object) -> bool:
    """Whether an error ends a cell as the student intended.

    It is a replaced call, `sys.exit()` without an error code, or an exception of the notebook that shows no traceback,
    which is the usual way to stop a cell.

    Args:
        error: The error of a cell, or None.
    """
    if isinstance(error, SystemExit):
        return error.code in (None, 0)
    silent = type(error).__module__ == "__main__" and hasattr(error, "_render_traceback_")
    return silent or isinstance(error, CellEnded)


def install_shell(recorder: Recorder, notes: Notes, shell: Any) -> Callable[[str], None]:
    """Let calls that end the kernel end their cell.

    Args:
        recorder: Knows whether a cell runs.
        notes: Receives a note for each call.
        shell: The IPython shell; in a kernel, its `kernel` is patched too.

    Returns:
        A function that ends the cell if a shell line kills the kernel.
    """
    pid = os.getpid()

    def in_cell() -> bool:
        is_kernel = os.getpid() == pid and threading.current_thread() is threading.main_thread()
        return is_kernel and recorder.log.cell > 0 and recorder.cell_ok is None

    def end(call: str) -> NoReturn:
        __tracebackhide__ = True  # IPython omits this frame from the student's traceback
        _tell_restart(notes, call)
        raise CellEnded(call)

    def quit_cell(*_: Any, **__: Any) -> None:
        if in_cell():
            _tell_end(notes, "quit()")
            raise CellEnded

    shell.ask_exit = quit_cell
    _guard_processes(in_cell, end)
    _guard_shutdown(shell, in_cell, end)
    _end_quietly(notes, shell)
    # IPython adds this line to `sys.exit()`.
    warnings.filterwarnings("ignore", message="To exit: use 'exit', 'quit'")

    def check_line(line: str) -> None:
        if kills_kernel(line) and in_cell():
            end(line.strip())

    return check_line


def _tell_end(notes: Notes, call: str) -> None:
    notes.tell("end.cell", f"`{call}` ended its cell; the next cells ran.", show=True)


def _tell_restart(notes: Notes, call: str) -> None:
    notes.tell(
        "end.restart",
        f"`{call}` would restart the kernel. Here it ended its cell; the next cells ran in the same kernel.",
        show=True,
    )


def _guard_processes(in_cell: Callable[[], bool], end: Callable[[str], NoReturn]) -> None:
    """Replace the functions of `os` and `signal` that end the kernel's own process."""

    def guard(module: Any, name: str, is_end: Callable[..., bool]) -> None:
        original = getattr(module, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            if in_cell() and is_end(*args, **kwargs):
                end(f"{module.__name__}.{name}()")
            return original(*args, **kwargs)

        call.__name__ = call.__qualname__ = name
        call.__doc__ = original.__doc__
        setattr(module, name, call)

    def always(*_: Any, **__: Any) -> bool:
        return True

    def kills(pid: int, sig: int) -> bool:
        return pid in {os.getpid(), os.getppid(), 0, -1, -os.getpgrp()} and _is_fatal(sig)

    def kills_group(pgid: int, sig: int) -> bool:
        return pgid in {os.getpgrp(), 0} and _is_fatal(sig)

    guard(os, "kill", kills)
    guard(os, "killpg", kills_group)
    guard(os, "_exit", always)
    guard(os, "abort", always)
    guard(os, "system", lambda command: kills_kernel(os.fsdecode(command)))
    guard(signal, "raise_signal", _is_fatal)


def _is_fatal(number: int) -> bool:
    if number == signal.SIGKILL:
        return True
    return number in _STOPPING and signal.getsignal(number) == signal.SIG_DFL


def kills_kernel(line: str) -> bool:
    """Whether a shell line kills the kernel's own process, such as `kill -9 $PPID` or `pkill python`.

    Args:
        line: The text after `!`.
    """
    return any(map(_kills_kernel, commands_of(line)))


def _kills_kernel(words: list[str]) -> bool:
    if not words or words[0] not in {"kill", "pkill", "killall"}:
        return False
    own = {str(os.getpid()), "$PPID", "-1", "0", f"-{os.getpgrp()}"}
    # The first word that starts with a dash is the signal.
    targets = [word for number, word in enumerate(words[1:]) if number > 0 or not word.startswith("-")]
    if words[0] == "kill":
        return bool(own & set(targets))
    return any(_OWN_NAMES.fullmatch(word) for word in targets)


def _guard_shutdown(shell: Any, in_cell: Callable[[], bool], end: Callable[[str], NoReturn]) -> None:
    """Replace the kernel's `do_shutdown`; requests of the host come while no cell runs."""
    kernel: Any = getattr(shell, "kernel", None)
    if kernel is None:
        return
    original = kernel.do_shutdown

    def do_shutdown(restart: bool = False) -> Any:  # noqa: FBT001, FBT002 - ipykernel's signature
        __tracebackhide__ = True
        if in_cell():
            end(f"do_shutdown({restart})")
        return original(restart)

    kernel.do_shutdown = do_shutdown


def _end_quietly(notes: Notes, shell: Any) -> None:
    """Let IPython treat a cell that was ended on purpose as a cell without an error."""
    run = shell.run_code

    async def run_code(code_obj: Any, result: Any = None, *, async_: bool = False) -> Any:
        failed = await run(code_obj, result, async_=async_)
        error = None if result is None else result.error_in_exec
        if ends_cell(error):
            if isinstance(error, SystemExit):
                _tell_end(notes, "sys.exit()")
            elif not isinstance(error, CellEnded):
                _tell_end(notes, f"raise {type(error).__name__}")
            result.error_in_exec = None
        return failed

    shell.run_code = run_code
