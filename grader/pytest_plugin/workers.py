"""The part of the plugin for pytest-xdist: the criteria of a notebook go to one worker."""

from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from grader.intake.candidates import is_notebook_name
from grader.pytest_plugin.outcomes import FOLDER

__all__ = ["NotebookScheduling", "Workers"]


class NotebookScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Like xdist's `load`, but all criteria of a notebook go to the same worker."""

    def _split_scope(self, nodeid: str) -> str:
        """Return the notebook of a criterion; any other test is alone."""
        path = nodeid.partition("::")[0]
        return path if is_notebook_name(path) else nodeid


class Workers:
    """Hooks of pytest-xdist, for its controlling process."""

    def __init__(self, folder: Path) -> None:
        """Share a folder with the workers."""
        self._folder = folder

    def pytest_configure_node(self, node: WorkerController) -> None:
        """Pass the folder of outcomes to a worker."""
        node.workerinput[FOLDER] = str(self._folder)

    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Producer) -> NotebookScheduling | None:
        """Replace the default distribution, with which several workers would wait for one notebook."""
        return NotebookScheduling(config, log) if config.getvalue("dist") == "load" else None
