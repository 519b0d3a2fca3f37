"""Errors that follow from an earlier error."""

import pytest

from grader.facts.follow_ups import advice_of, follow_ups
from grader.facts.language import english
from grader.schema.evidence import Evidence
from tests.support.factories import a_cell, a_run, an_error, an_evidence


def notebook(*sources: str, errors: tuple[tuple[int, str, str], ...]) -> Evidence:
    cells = tuple(a_cell(index, source) for index, source in enumerate(sources))
    return an_evidence(
        cells=cells,
        run=a_run(status="cell_error", errors=tuple(an_error(cell, name, text) for cell, name, text in errors)),
    )


@pytest.mark.parametrize(
    "source",
    [
        "1 / 0\nz = 1",
        "1 / 0\nx, (y, z) = 1, (2, 3)",
        "1 / 0\ndef z():\n    return 1",
        "1 / 0\nclass z:\n    pass",
        "import nothing\nimport numpy as z",
        "1 / 0\nfor z in range(3):\n    pass",
        "with open('x') as z:\n    pass",
        "%matplotlib inline\n1 / 0\nz = 1",
        "model.fit(\nz = 1",
    ],
)
def test_a_missing_name_follows_from_the_failed_cell_that_defines_it(source: str) -> None:
    evidence = notebook(
        source, "print(z)", errors=((0, "ValueError", "bad"), (1, "NameError", "name 'z' is not defined"))
    )
    reason = follow_ups(evidence)[1]
    assert (reason.name, reason.defined_in, reason.root) == ("z", 0, 0)
    advice = english(advice_of(evidence.run.errors[1], reason))
    assert "follows from the error in cell 1" in advice
    assert "Restart" not in advice


def test_a_chain_of_errors_leads_to_the_first() -> None:
    missing = "name '{}' is not defined"
    evidence = notebook(
        "1 / 0\na = 1",
        "b = a",
        "c = b",
        errors=(
            (0, "ZeroDivisionError", "division by zero"),
            (1, "NameError", missing.format("a")),
            (2, "NameError", missing.format("b")),
        ),
    )
    assert {cell: reason.root for cell, reason in follow_ups(evidence).items()} == {1: 0, 2: 0}


@pytest.mark.parametrize(
    ("sources", "root", "words"),
    [
        (("print(z)", "z = 1"), None, "defined only later, in cell 2"),
        (("print(z)", "y = 1"), None, "No cell of the notebook defines `z`"),
        (("print(z)", "f(z=1)"), None, "No cell of the notebook defines `z`"),
        (("print(z)", "[z for z in range(3)]"), None, "No cell of the notebook defines `z`"),
    ],
)
def test_a_name_that_no_failed_cell_defines_has_its_own_reason(
    sources: tuple[str, ...], root: int | None, words: str
) -> None:
    evidence = notebook(*sources, errors=((0, "NameError", "name 'z' is not defined"),))
    reason = follow_ups(evidence)[0]
    assert reason.root is root
    assert words in english(advice_of(evidence.run.errors[0], reason))


def test_other_errors_keep_their_advice() -> None:
    evidence = notebook("1 / 0", errors=((0, "ZeroDivisionError", "division by zero"),))
    assert follow_ups(evidence) == {}
    error = evidence.run.errors[0].model_copy(update={"advice": "Divide by another number."})
    assert advice_of(error, None) == "Divide by another number."
