"""Runs cells as the kernel does, with the environment around them, and prints what came of them as JSON.

Started as `python run_cells.py REQUEST.json`; the request holds `inside` (the folder that holds the package), `session`
(a session file), `cells`, and `hooks`: whether the recorder's hooks and the compatibility layer are there too.
"""

import json
import sys
from pathlib import Path
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output


class Shell(InteractiveShell):  # type: ignore[misc]  # IPython is untyped
    """A shell without a terminal."""

    def enable_gui(self, gui: Any = None) -> None:
        """Take any event loop for installed."""


def main() -> None:
    """Run the request's cells in one shell."""
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    sys.path.insert(0, request["inside"])
    # Found by the request.
    from inside import install, kernel  # type: ignore[import-not-found]  # noqa: PLC0415
    from inside.keras2 import layer  # type: ignore[import-not-found]  # noqa: PLC0415
    from inside.record.recorder import Recorder  # type: ignore[import-not-found]  # noqa: PLC0415
    from inside.record.session import Session  # type: ignore[import-not-found]  # noqa: PLC0415

    recorder = Recorder(Session.load(Path(request["session"])))
    if request.get("hooks"):
        kernel.install_hooks(recorder)
    else:
        install.install(recorder)
    shell = Shell.instance()
    recorder.namespace = shell.user_ns
    install.install_shell(recorder, shell)
    if request.get("hooks"):
        layer.install_shell(recorder, shell)
    results = []
    for code in request["cells"]:
        recorder.cell_started()
        with capture_output() as captured:
            result = shell.run_cell(code)
        error = result.error_before_exec or result.error_in_exec
        recorder.cell_ended(ok=error is None, seconds=0.0)
        results.append(
            {
                "output": captured.stdout + captured.stderr,
                "images": sum("image/png" in shown.data for shown in captured.outputs),
                "error": None if error is None else [type(error).__name__, str(error)],
            }
        )
    recorder.finish()
    Path(request["results"]).write_text(json.dumps(results), encoding="utf-8")


if __name__ == "__main__":
    main()
