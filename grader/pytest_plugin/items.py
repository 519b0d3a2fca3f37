"""A notebook as a file of tests, and each criterion of the rubric as a test."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grader.delivery.junit import details_of, verdict_of
from grader.intake.notebook import read_notebook
from grader.pytest_plugin.outcomes import Outcome, Outcomes
from grader.pytest_plugin.texts import fault_text, missed_text, skip_reason, unreadable_text
from grader.schema.errors import GraderError
from grader.schema.grade import CriterionGrade
from grader.schema.rubric import Criterion

__all__ = ["CriterionItem", "NotebookFile"]


class NotebookFile(pytest.File):
    """A notebook; collecting it executes nothing."""

    def __init__(self, *, criteria: tuple[Criterion, ...], outcomes: Outcomes, **node: Any) -> None:
        """Make the node; pytest passes the parts of `node`."""
        super().__init__(**node)
        self._criteria = criteria
        self._outcomes = outcomes
        self.told = ""
        """Id of the item at which the fault of the grader is reported in full; empty as long as there is none."""

    def collect(self) -> Iterator["CriterionItem"]:
        """Make an item for each criterion.

        Raises:
            CollectError: The file cannot be read as a notebook.
        """
        try:
            read_notebook(self.path)
        except GraderError as error:
            raise self.CollectError(unreadable_text(error)) from error
        for criterion in self._criteria:
            yield CriterionItem.from_parent(self, name=criterion.id, criterion=criterion)

    def outcome(self) -> Outcome:
        """Return the outcome of the only execution of the notebook."""
        return self._outcomes.of(self.path)


class CriterionItem(pytest.Item):
    """A criterion of one notebook."""

    def __init__(self, *, parent: NotebookFile, criterion: Criterion, **node: Any) -> None:
        """Make the node; pytest passes the parts of `node`."""
        super().__init__(parent=parent, **node)
        self._notebook = parent
        self.criterion = criterion
        self._line: CriterionGrade | None = None
        # The rubric limits the time of an execution. Plugins are asked, because unknown marks may be errors.
        if self.config.pluginmanager.hasplugin("timeout"):
            self.add_marker(pytest.mark.timeout(0))
        if self.config.pluginmanager.hasplugin("xdist"):
            self.add_marker(pytest.mark.xdist_group(parent.nodeid))

    def setup(self) -> None:
        """Grade the notebook if this did not happen yet; a failure of the grader is an error of the setup."""
        outcome = self._notebook.outcome()
        lines = () if outcome.fault or outcome.grade is None else outcome.grade.criteria
        self._line = next((line for line in lines if line.id == self.criterion.id), None)
        if self._line is None:
            pytest.fail(self._fault(outcome), pytrace=False)
        self.user_properties += details_of(self._line).items()

    def runtest(self) -> None:
        """Report the criterion."""
        line = self._line
        if line is None:
            return
        match verdict_of(line):
            case "skipped":
                pytest.skip(skip_reason(line))
            case "failure":
                pytest.fail(missed_text(line), pytrace=False)

    def _fault(self, outcome: Outcome) -> str:
        """Tell the whole fault at one item of the notebook, and the beginning at the others."""
        self._notebook.told = first = self._notebook.told or self.nodeid
        fault = outcome.fault or f"the grade has no criterion {self.criterion.id!r}"
        return fault_text(fault, told_at="" if first == self.nodeid else first)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Name the criterion in the headings of failures."""
        title = f" ({self.criterion.title})" if self.criterion.title else ""
        return self.path, None, f"{self._notebook.name}: {self.name}{title}"
