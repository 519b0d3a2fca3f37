"""Rules for every diagnostic, and for its tests."""

from pathlib import Path

import pytest

from grader.checks import all_diagnostics
from grader.checks.registry import built_in_modules
from grader.schema.evidence import Evidence
from tests.support.diagnosing import assert_not_noted, tables
from tests.support.factories import a_run, an_evidence

PACKAGE = "grader.checks.diagnostics."
TOPICS = [name.removeprefix(PACKAGE) for name in built_in_modules() if name.startswith(PACKAGE)]


@pytest.mark.parametrize("topic", TOPICS)
def test_each_diagnostic_has_a_mistake_and_a_look_alike_in_the_test_file_of_its_topic(topic: str) -> None:
    assert Path(__file__).with_name(f"test_{topic}.py").is_file()
    mistakes, lookalikes = tables(topic)
    ids = {name for name, spec in all_diagnostics().items() if spec.run.__module__ == PACKAGE + topic}
    assert ids
    assert set(mistakes) == set(lookalikes) == ids
    assert all(mistakes.values())
    assert all(lookalikes.values())


@pytest.mark.parametrize("name", sorted(all_diagnostics()))
def test_each_diagnostic_has_two_look_alikes_besides_the_good_notebook(name: str) -> None:
    _, lookalikes = tables(all_diagnostics()[name].run.__module__.removeprefix(PACKAGE))
    assert len([one for one in lookalikes[name] if one != an_evidence()]) >= 2


@pytest.mark.parametrize("name", sorted(all_diagnostics()))
def test_a_good_notebook_gets_no_note(name: str) -> None:
    assert_not_noted(name, an_evidence())


@pytest.mark.parametrize("name", sorted(all_diagnostics()))
def test_an_empty_notebook_breaks_nothing(name: str) -> None:
    assert_not_noted(name, Evidence(run=a_run(cells_run=0, cells_total=0)))
