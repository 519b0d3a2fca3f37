"""The diagnostics in `code_cells`, on notebooks with the mistakes and on notebooks that only resemble them."""

import pytest

from grader.facts.case import Case
from grader.schema.evidence import CellFact, Evidence
from tests.support.diagnosing import Cases, assert_not_noted, assert_noted, each, notes_of
from tests.support.factories import a_cell, a_run, an_error, an_evidence
from tests.support.says import ids, says


def undefined(name: str, *cells: CellFact, at: int = 0) -> Evidence:
    """Make a notebook in which a cell raised a NameError."""
    error = an_error(at, "NameError", f"name '{name}' is not defined")
    return an_evidence(cells=cells, run=a_run(errors=(error,)))


LATER = (
    "{cell:Cell} uses {name:code}, which is defined only further down, in {later:cell}. This works only if the cells "
    "run in another order."
)
DELETED = (
    "{cell:Cell} uses {name:code}, which no cell of this notebook defines. The file shows that the cell was run "
    "([{number:raw}]), so the name came from a deleted or changed cell."
)
MISTAKES: Cases = {
    "unfinished-cell": (
        an_evidence(cells=(a_cell(0, "y_train = ### YOUR CODE HERE", error="SyntaxError"),)),
        an_evidence(cells=(a_cell(0, "def net():\n    pass  # your code"),)),
        an_evidence(cells=(a_cell(0, "x_val = ..."),)),
        an_evidence(cells=(a_cell(0, "def f():\n    raise NotImplementedError()"),)),
        an_evidence(cells=(a_cell(0, "# TODO: build the model\nmodel.fit(x)", error="NameError"),)),
        an_evidence(cells=(a_cell(0, "model = keras.Sequential([...])", error="ValueError"),)),
        an_evidence(cells=(a_cell(0, "filters = [...]"),)),
        an_evidence(cells=(a_cell(0, "history = model.fit(...)", error="TypeError"),)),
        an_evidence(cells=(a_cell(0, "# TODO: plot the accuracy\n# one curve per training"),)),
        an_evidence(cells=(a_cell(0, "class Net(keras.Model):\n    def call(self, x):\n        ..."),)),
    ),
    "cells-out-of-order": (
        an_evidence(cells=(a_cell(0, submitted_count=3), a_cell(1, submitted_count=1))),
        an_evidence(cells=tuple(a_cell(i, submitted_count=c) for i, c in enumerate((4, 0, None, 2)))),
        # The first cell was run again at the end, and after a restart one of the others was.
        an_evidence(cells=tuple(a_cell(i, submitted_count=c) for i, c in enumerate((5, 1, 2, 3)))),
        an_evidence(cells=tuple(a_cell(i, submitted_count=c) for i, c in enumerate((1, 2, 1, 3, 2)))),
    ),
    "name-from-elsewhere": (
        undefined("net", a_cell(0, "net.fit(x)"), a_cell(1, "net = build()")),
        undefined("keras", a_cell(0, "keras.Sequential()", submitted_count=7)),
        undefined("x", a_cell(0, "x + 1"), a_cell(1, "for x in range(3): pass")),
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
        # Types, slices and required fields are written with dots, too.
        an_evidence(
            cells=(a_cell(0, "Shape = tuple[int, ...]\nf: Callable[..., int] = g\nx = y[...]\nz = y[..., 0]"),)
        ),
        an_evidence(cells=(a_cell(0, "class Settings(BaseModel):\n    rate: float = Field(...)"),)),
        an_evidence(cells=(a_cell(0, "class Net(Protocol):\n    def call(self, x): ..."),)),
        an_evidence(cells=(a_cell(0, "class A(ABC):\n    @abstractmethod\n    def call(self, x):\n        ..."),)),
        # A class that another class extends.
        an_evidence(
            cells=(
                a_cell(0, "class Base:\n    def call(self, x):\n        raise NotImplementedError"),
                a_cell(1, "class Net(Base):\n    def call(self, x):\n        return x"),
            )
        ),
        # A branch for cases that the code does not support.
        an_evidence(
            cells=(
                a_cell(
                    0,
                    "def pool(kind):\n    if kind == 'max':\n        return MaxPooling2D()\n"
                    "    else:\n        raise NotImplementedError(kind)",
                ),
            )
        ),
        an_evidence(
            cells=(
                a_cell(0, "match kind:\n    case 1:\n        x = 1\n    case _:\n        raise NotImplementedError"),
            )
        ),
        # Dots instead of `pass`.
        an_evidence(cells=(a_cell(0, "class NotTrained(Exception): ..."),)),
        an_evidence(cells=(a_cell(0, "try:\n    import seaborn\nexcept ImportError:\n    ..."),)),
        an_evidence(cells=(a_cell(0, "print('loading', end='...')\nprint('...')"),)),
        an_evidence(cells=(a_cell(0, "# The model of the previous exercise, without changes"),)),
        an_evidence(
            cells=(a_cell(0, "layers = [\n    Dense(10),  # TODO: try 20\n    Dense(  # TODO\n        2),\n]"),)
        ),
    ),
    "cells-out-of-order": (
        an_evidence(cells=tuple(a_cell(i, submitted_count=c) for i, c in enumerate((1, 3, None, 7)))),
        an_evidence(cells=(a_cell(0), a_cell(1))),
        # A copied cell has the same number; cells that were never run have 0 in some editors.
        an_evidence(cells=tuple(a_cell(i, submitted_count=c) for i, c in enumerate((2, 2, 3)))),
        an_evidence(cells=tuple(a_cell(i, submitted_count=c) for i, c in enumerate((1, 0, 2, 0, 5)))),
        an_evidence(cells=(a_cell(0, submitted_count=0), a_cell(1, submitted_count=0))),
        # The kernel was restarted at the third cell.
        an_evidence(cells=tuple(a_cell(i, submitted_count=c) for i, c in enumerate((1, 2, 1, 2)))),
    ),
    "name-from-elsewhere": (
        undefined("x", a_cell(0, "x = load()", error="OSError"), a_cell(1, "x + 1", submitted_count=3), at=1),
        undefined("kreas", a_cell(0, "kreas.Sequential()")),
        undefined("load", a_cell(0, "from course import *"), a_cell(1, "load()", submitted_count=2), at=1),
        an_evidence(run=a_run(errors=(an_error(0, "TypeError", "name 'x' is not defined"),))),
        # The submitted file shows that the author saw the same error.
        undefined(
            "a",
            a_cell(0, "# YOUR CODE HERE\nraise NotImplementedError()", submitted_count=1),
            a_cell(1, "a == 1", submitted_count=2, submitted_error="NameError: name 'a' is not defined"),
            at=1,
        ),
        undefined(
            "net",
            a_cell(0, "net.fit(x)", submitted_count=3, submitted_error="NameError: name 'net' is not defined"),
            a_cell(1, "net = build()"),
        ),
        # The author's kernel failed in this cell for another reason, and perhaps before the name.
        undefined("a", a_cell(0, "b + a", submitted_count=2, submitted_error="NameError: name 'b' is not defined")),
        undefined("a", a_cell(0, "x = load()\na + x", submitted_count=2, submitted_error="OSError: ")),
        # The failing cell defines the name too late; the other cell is not the only one that defines it.
        undefined("net", a_cell(0, "net.fit(x)\nnet = build()"), a_cell(1, "net = build()")),
        # Databricks defines it; another note reports that.
        undefined("spark", a_cell(0, "spark.read.csv('x.csv')", submitted_count=4)),
    ),
}


@pytest.mark.parametrize(("name", "one"), each(MISTAKES))
def test_the_mistake_is_noted(name: str, one: Evidence | Case) -> None:
    assert_noted(name, one)


@pytest.mark.parametrize(("name", "one"), each(LOOKALIKES))
def test_a_look_alike_is_not_noted(name: str, one: Evidence | Case) -> None:
    assert_not_noted(name, one)


def test_the_note_shows_the_placeholder_and_the_error() -> None:
    (note,) = notes_of("unfinished-cell", MISTAKES["unfinished-cell"][0])
    assert says(
        note.message,
        "{cell:Cell} still contains a placeholder: {line:code}.",
        cell=0,
        line="y_train = ### YOUR CODE HERE",
    )
    assert says(note.message, "The cell raised {error:code}.", error="SyntaxError")
    (note,) = notes_of("unfinished-cell", MISTAKES["unfinished-cell"][1])
    assert "The cell raised {error:code}." not in ids(note.message)


def test_the_note_names_both_cells_and_their_execution_numbers() -> None:
    (note,) = notes_of("cells-out-of-order", MISTAKES["cells-out-of-order"][0])
    assert note.cell == 1
    assert says(
        note.message,
        "In the submitted file, {cell:cell} has the execution number [{lower:raw}], but {above:cell} above it has "
        "[{higher:raw}].",
        cell=1,
        lower=1,
        above=0,
        higher=3,
    )
    assert says(note.message, "This happens once in the notebook.", count=1)


def test_the_note_tells_a_later_definition_from_a_deleted_one() -> None:
    (later,) = notes_of("name-from-elsewhere", MISTAKES["name-from-elsewhere"][0])
    assert says(later.message, LATER, cell=0, name="net", later=1)
    (deleted,) = notes_of("name-from-elsewhere", MISTAKES["name-from-elsewhere"][1])
    assert says(deleted.message, DELETED, cell=0, name="keras", number=7)


def test_a_name_that_the_failing_cell_itself_defines_is_not_noted() -> None:
    assert_not_noted("name-from-elsewhere", undefined("x", a_cell(0, "x += 1", submitted_count=2)))
