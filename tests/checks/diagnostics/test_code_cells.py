"""The diagnostics in `code_cells`, on notebooks that make the mistake and on notebooks that only look like it."""

import pytest

from grader.facts.case import Case
from grader.schema.evidence import CellFact, Evidence
from tests.support.diagnosing import Cases, each, left_alone, recognised
from tests.support.factories import a_cell, a_run, an_error, an_evidence


def lacking(name: str, *cells: CellFact, at: int = 0) -> Evidence:
    """A notebook in which a cell raised because a name was not there."""
    error = an_error(at, "NameError", f"name '{name}' is not defined")
    return an_evidence(cells=cells, run=a_run(errors=(error,)))


MISTAKES: Cases = {
    "unfinished-cell": (
        an_evidence(cells=(a_cell(0, "y_train = ### YOUR CODE HERE", error="SyntaxError"),)),
        an_evidence(cells=(a_cell(0, "def net():\n    pass  # your code"),)),
        an_evidence(cells=(a_cell(0, "x_val = ..."),)),
        an_evidence(cells=(a_cell(0, "def f():\n    raise NotImplementedError()"),)),
        an_evidence(cells=(a_cell(0, "# TODO: build the model\nmodel.fit(x)", error="NameError"),)),
    ),
    "cells-out-of-order": (an_evidence(cells=(a_cell(0, submitted_count=3), a_cell(1, submitted_count=1))),),
    "name-from-elsewhere": (
        lacking("net", a_cell(0, "net.fit(x)"), a_cell(1, "net = build()")),
        lacking("keras", a_cell(0, "keras.Sequential()", submitted_count=7)),
        lacking("x", a_cell(0, "x + 1"), a_cell(1, "for x in range(3): pass")),
    ),
}


LOOKALIKES: Cases = {
    "unfinished-cell": (
        an_evidence(cells=(a_cell(0, "### YOUR CODE HERE\ny = 1"),)),
        an_evidence(cells=(a_cell(0, "for x in data:  # YOUR CODE HERE\n    print(x)"),)),
        an_evidence(cells=(a_cell(0, "model = build()  # TODO: try more filters"),)),
        an_evidence(cells=(a_cell(0, "x = x[..., None]\n%matplotlib inline\nfor _ in x: pass"),)),
        an_evidence(cells=(a_cell(0, "print('YOUR CODE HERE')"),)),
        an_evidence(cells=(a_cell(0, "y = ### YOUR CODE HERE", "markdown"),)),
        an_evidence(cells=(a_cell(0, "fit(x)", error="MemoryError"),)),
        an_evidence(
            cells=(a_cell(0, "layers = [\n    Dense(10),  # TODO: try 20\n    Dense(  # TODO\n        2),\n]"),)
        ),
    ),
    "cells-out-of-order": (
        an_evidence(cells=tuple(a_cell(i, submitted_count=c) for i, c in enumerate((1, 3, None, 7)))),
        an_evidence(cells=(a_cell(0), a_cell(1))),
    ),
    "name-from-elsewhere": (
        lacking("x", a_cell(0, "x = load()", error="OSError"), a_cell(1, "x + 1", submitted_count=3), at=1),
        lacking("kreas", a_cell(0, "kreas.Sequential()")),
        lacking("load", a_cell(0, "from course import *"), a_cell(1, "load()", submitted_count=2), at=1),
        an_evidence(run=a_run(errors=(an_error(0, "TypeError", "name 'x' is not defined"),))),
    ),
}


@pytest.mark.parametrize(("name", "one"), each(MISTAKES))
def test_the_mistake_is_recognised(name: str, one: Evidence | Case) -> None:
    recognised(name, one)


@pytest.mark.parametrize(("name", "one"), each(LOOKALIKES))
def test_what_only_looks_like_the_mistake_is_left_alone(name: str, one: Evidence | Case) -> None:
    left_alone(name, one)
