"""Everything around the student's code, put in place before the first cell."""

from typing import Any

from .data import serve
from .keras2 import dialect
from .notebook import install as notebook_install
from .notebook import output_limit, seeds
from .record.recorder import Recorder
from .watch import figures, variables

__all__ = ["install", "install_shell"]


def install(recorder: Recorder) -> None:
    """Seed, choose the dialect, serve data sets, put stand-ins in place, and watch figures and variables.

    Called once, before TensorFlow is imported; nothing here imports it.

    Args:
        recorder: The session's recorder.
    """
    for part in (seeds, dialect, serve, notebook_install, figures, variables):
        part.install(recorder)


def install_shell(recorder: Recorder, shell: Any) -> None:
    """Do what needs the IPython shell; called once, as soon as it and the kernel's streams exist.

    Args:
        recorder: The session's recorder.
        shell: The `InteractiveShell`.
    """
    notebook_install.install_shell(recorder, shell)
    dialect.install_shell(recorder, shell)
    output_limit.install_streams(recorder)
