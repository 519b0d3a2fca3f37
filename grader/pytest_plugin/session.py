"""The part of the plugin that grades: it collects notebooks, reports criteria, and prints scores."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from grader.execution.sandbox.scratch import hold_folder
from grader.grading.loader import LoadedRubric
from grader.grading.public import without_hidden
from grader.intake.candidates import is_notebook_name
from grader.pipeline.rubrics import find_rubric
from grader.pytest_plugin.items import CriterionItem, NotebookFile
from grader.pytest_plugin.outcomes import FOLDER, Check, Outcomes, Settings, check_notebook
from grader.pytest_plugin.texts import summary_lines
from grader.schema.errors import GraderError
from grader.version import __version__

__all__ = ["CHECK", "Session", "start"]

CHECK = pytest.StashKey[Check]()
"""Function that grades a notebook, in `config.stash`; a conftest may set another one, for tests."""


def start(config: pytest.Config, rubric: str) -> None:
    """Load the rubric, and register the hooks that grade.

    Args:
        config: The session's configuration.
        rubric: A shipped rubric's id, or the path of a YAML file.

    Raises:
        pytest.UsageError: The rubric does not exist or is wrong.
    """
    try:
        loaded = without_hidden(find_rubric(rubric))
    except GraderError as error:
        raise pytest.UsageError(str(error)) from error
    settings = Settings(
        isolation=config.getoption("--grader-isolation"),
        device=config.getoption("--grader-device"),
        seed=config.getoption("--grader-seed"),
        quick=config.getoption("--grader-quick"),
    )
    check = config.stash.get(CHECK, check_notebook)
    folder = _folder(config)
    outcomes = Outcomes(folder, lambda notebook: check(notebook, loaded, settings))
    config.pluginmanager.register(Session(config, loaded, outcomes), "grader-session")
    if config.pluginmanager.hasplugin("xdist"):
        from grader.pytest_plugin.workers import Workers  # noqa: PLC0415 - needs xdist

        config.pluginmanager.register(Workers(folder), "grader-workers")


def _folder(config: pytest.Config) -> Path:
    """Return the folder of the session; a worker of xdist uses the folder of the controlling process.

    Raises:
        pytest.UsageError: It cannot be made.
    """
    workerinput = getattr(config, "workerinput", None)
    if workerinput is not None:
        return Path(workerinput[FOLDER])
    try:
        held = hold_folder()
    except OSError as error:
        msg = f"a folder for temporary files cannot be made: {error}"
        raise pytest.UsageError(msg) from error
    config.add_cleanup(held.let_go)
    return held.path


class Session:
    """Hooks of a pytest session with a rubric."""

    def __init__(self, config: pytest.Config, loaded: LoadedRubric, outcomes: Outcomes) -> None:
        """Use a rubric.

        Args:
            config: The session's configuration.
            loaded: The rubric, without hidden criteria.
            outcomes: The outcomes of the session.
        """
        self._config = config
        self._loaded = loaded
        self._outcomes = outcomes

    def pytest_report_header(self) -> list[str]:
        """Name the grader and the rubric, and say if there is no isolation."""
        rubric = self._loaded.rubric
        lines = [f"cnn-grader {__version__}: rubric {rubric.id} ({rubric.title}), {self._loaded.path}"]
        if self._config.getoption("--grader-isolation") == "none":
            lines.append("without isolation: the notebooks run with all your permissions on this machine")
        return lines

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        """Collect notebooks."""
        if not is_notebook_name(file_path.name):
            return None
        criteria = self._loaded.rubric.criteria
        return NotebookFile.from_parent(parent, path=file_path, criteria=criteria, outcomes=self._outcomes)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Report a skipped criterion at its notebook instead of a line of this package."""
        report = yield
        if isinstance(item, CriterionItem) and isinstance(report.longrepr, tuple):
            report.longrepr = (str(item.path), 1, report.longrepr[2])
        return report

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the score of each notebook, and what no criterion shows."""
        outcomes = self._outcomes.all()
        if outcomes:
            terminalreporter.write_sep("=", f"grades by the rubric {self._loaded.rubric.id}")
        for outcome in outcomes:
            name = os.path.relpath(outcome.notebook, self._config.invocation_params.dir)
            for line in summary_lines(name, outcome, notes=self._config.get_verbosity() >= 0):
                terminalreporter.write_line(line)
