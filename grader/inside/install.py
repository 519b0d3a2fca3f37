"""Installs the parts that must be in place before the student's first cell."""

from typing import Any

from . import other_processes
from .data import serve
from .keras2 import dialect
from .notebook import install as notebook_install
from .notebook import output_limit, paths, seeds
from .record.recorder import Recorder
from .watch import figures, plotly_figures, variables

__all__ = ["install", "install_shell"]


def install(recorder: Recorder) -> None:
    """Set seeds and the dialect, serve data sets, install replacements, and watch figures and variables.

    Call it once, before TensorFlow is imported; nothing here imports TensorFlow.

    Args:
        recorder: The session's recorder.
    """
    for part in (seeds, dialect):
        part.install(recorder)
    paths.places_of(recorder).provide = serve.install(recorder).cached
    for later in (notebook_install, figures, plotly_figures, variables, other_processes):
        later.install(recorder)


def install_shell(recorder: Recorder, shell: Any) -> None:
    """Install the parts that need the IPython shell; call it once, after the shell and the kernel's streams exist.

    Args:
        recorder: The session's recorder.
        shell: The `InteractiveShell`.
    """
    notebook_install.install_shell(recorder, shell)
    dialect.install_shell(recorder, shell)
    output_limit.install_streams(recorder)
