"""`python -m inside.kernel -f CONNECTION_FILE`: an IPython kernel with the recorder.

The recorder and its hooks are installed before the student's first cell. TensorFlow is not imported here.
"""

import atexit
import os
import sys
import time
from pathlib import Path
from typing import Any

from ipykernel.kernelapp import IPKernelApp
from traitlets.config import Config

from . import install
from .hooking.loop_checks import LoopChecks, check_imports
from .keras2 import layer
from .notebook import modules, paths, seeds
from .record.events import RECORD_VERSION, Start
from .record.recorder import Recorder
from .record.session import Session
from .watch import keras_hooks

__all__ = ["CellClock", "KernelApp", "install_hooks", "main", "start_recorder"]


class KernelApp(IPKernelApp):  # type: ignore[misc]  # untyped where it is not installed
    """An IPython kernel that ignores the machine's configuration and start-up files."""

    def load_config_file(self, suppress_errors: bool | None = None) -> None:  # noqa: FBT001 - the signature is IPython's
        """Read no configuration."""

    def _run_startup_files(self) -> None:
        """Run no start-up file."""


class CellClock:
    """Reports the start and end of each code cell to the recorder."""

    def __init__(self, recorder: Recorder) -> None:
        """Start without a running cell."""
        self._recorder = recorder
        self._began: float | None = None

    def pre_run_cell(self, info: Any) -> None:
        """Report the start of a cell; only code with history is a cell of the notebook."""
        if info.store_history:
            if not self._recorder.log.cell:
                seeds.start_cells(self._recorder)
            self._began = time.monotonic()
            self._recorder.cell_started()

    def post_run_cell(self, result: Any) -> None:
        """Report the end of a cell; `%%time` and `%%capture` run their inner cell without history."""
        if self._began is None or result.info is None or not result.info.store_history:
            return
        seconds, self._began = time.monotonic() - self._began, None
        interrupted = isinstance(result.error_in_exec, KeyboardInterrupt)
        self._recorder.cell_ended(ok=bool(result.success), seconds=seconds, interrupted=interrupted)


def start_recorder() -> Recorder:
    """Read the session, open the log and write `start`.

    Raises:
        KeyError: `GRADER_SESSION` is not set.
        ValueError: The session is of another version or incomplete.
    """
    recorder = Recorder(Session.load(Path(os.environ.pop("GRADER_SESSION"))))
    session = recorder.session
    event = Start(
        kind="start",
        version=RECORD_VERSION,
        versions=keras_hooks.versions(),
        dialect=session.dialect,
        seed=session.seed,
        device="cpu",
        pid=os.getpid(),
    )
    recorder.log.write(event)
    return recorder


def install_hooks(recorder: Recorder) -> None:
    """Install the hooks that must exist before Keras is imported.

    The environment comes first, since it decides which modules are found. The compatibility layer comes last, so that
    the hooks see each call in its modern form.

    Args:
        recorder: The session's recorder.
    """
    for module in (install, keras_hooks, layer):
        module.install(recorder)


def attach(shell: Any, recorder: Recorder) -> None:
    """Connect the recorder to the shell: its cells, its variables, and a magic that ends the record.

    Args:
        shell: The kernel's `InteractiveShell`.
        recorder: The recorder, with its hooks installed.
    """
    clock = CellClock(recorder)
    shell.events.register("pre_run_cell", clock.pre_run_cell)
    shell.events.register("post_run_cell", clock.post_run_cell)
    recorder.namespace = shell.user_ns
    shell.ast_transformers.append(LoopChecks())
    check_imports(recorder.session.submission or Path.cwd())
    install.install_shell(recorder, shell)
    layer.install_shell(recorder, shell)
    modules.install(str(Path.cwd()), paths.places_of(recorder).missing_folder)

    def grader_finish(line: str) -> None:
        del line
        recorder.finish()

    shell.register_magic_function(grader_finish, magic_kind="line", magic_name="grader_finish")
    pid = os.getpid()

    def at_exit() -> None:
        if os.getpid() == pid:
            recorder.finish()

    atexit.register(at_exit)


def main(arguments: list[str] | None = None) -> None:
    """Start the recorder, then the kernel; return after the kernel's shutdown.

    Args:
        arguments: Arguments for `ipykernel`; by default the process's own.
    """
    recorder = start_recorder()
    install_hooks(recorder)
    config = Config()
    config.HistoryManager.enabled = False
    config.IPKernelApp.log_level = "ERROR"
    app = KernelApp.instance(config=config)
    app.initialize(sys.argv[1:] if arguments is None else arguments)
    attach(app.shell, recorder)
    app.start()


if __name__ == "__main__":
    main()
