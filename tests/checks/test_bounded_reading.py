"""Reading code takes no more work than there is code: checks run without a time limit."""

import ast

import pytest

from grader.checks.diagnostics.printed_results import PrintedAccuracyContradictedParams, contradicted_accuracy
from grader.checks.diagnostics.transfer import _same_object
from grader.checks.support import source_code, typed_numbers
from grader.checks.support.typed_numbers import TypedNumbers
from grader.schema.evidence import CallFact
from tests.support.factories import a_case, a_cell, a_model, an_evidence

FILLER = "ps = np.stack([model(x, training=True) for _ in range(20)]).mean(axis=0)"


@pytest.fixture
def count_parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Sources in the order in which they were parsed."""
    found: list[str] = []
    real = source_code.parsed

    def parsed(source: str) -> ast.Module | None:
        found.append(source)
        return real(source)

    source_code._read.cache_clear()
    monkeypatch.setattr(source_code, "parsed", parsed)
    monkeypatch.setattr(typed_numbers, "parsed", parsed)
    return found


def test_many_cells_are_too_much_together_and_nothing_is_typed_in_them() -> None:
    cells = [a_cell(index, f"{FILLER}\nprint(0.97, {index})") for index in range(1_000)]
    assert TypedNumbers(cells[:10]).printed(cells[0]) == ((0.97,),)
    assert TypedNumbers(cells).printed(cells[0]) == ()


def test_printed_accuracies_are_looked_up_in_code_that_was_read_once(count_parsed: list[str]) -> None:
    printing = "print('accuracy:', acc)"
    sources = ["acc = 0.999", *(f"{printing}\n# {index}" for index in range(50)), "acc = f(x)", printing]
    cells = tuple(a_cell(index, source, output="accuracy: 0.999") for index, source in enumerate(sources))
    calls = (CallFact(event=10, cell=0, model="m1", training=True, count=20),)
    case = a_case(an_evidence(cells=cells, calls=calls))
    notes = contradicted_accuracy(case, PrintedAccuracyContradictedParams())
    # What is bound to the name at last is computed, and where it is typed nothing is printed.
    assert [note.cell for note in notes] == list(range(1, 51))
    assert len(count_parsed) == 2 * len(cells)


def test_an_object_that_was_formerly_itself_is_one_network() -> None:
    models = {name: a_model(model_id=name, formerly=other) for name, other in {"m1": "m2", "m2": "m1"}.items()}
    assert list(_same_object(models, "m1")) == ["m1", "m2"]
    assert list(_same_object(models, "m3")) == []


@pytest.mark.parametrize(
    ("source", "numbers"),
    [
        ("print(0.5 + 0.25)", {0.25, 0.5}),
        ("print('a' + 0.5 * y + 'b')", set()),
        ("print(f'{0.5 * y}' + 'b' % 0.25)", {0.25}),
        ("print('a' + str(0.5) + 'b' % (0.25 * y))", {0.5}),
        ("v = 0.5\nprint('v', v)\nv = 0.25", {0.25}),
        ("v = 0.5 * n\nprint(v, 0.75 > v)", set()),
    ],
)
def test_numbers_that_are_shown_as_they_are(source: str, numbers: set[float]) -> None:
    cell = a_cell(0, source)
    assert {number for group in TypedNumbers([cell]).printed(cell) for number in group} == numbers


def test_a_sum_is_looked_through_once_and_not_at_every_link(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[ast.AST] = []
    real = typed_numbers._computes

    def computes(tree: ast.AST) -> bool:
        looked.append(tree)
        return real(tree)

    monkeypatch.setattr(typed_numbers, "_computes", computes)
    cell = a_cell(0, f"print({'+'.join(['0.5'] * 500)})")
    assert TypedNumbers([cell]).printed(cell) == ((0.5,) * 500,)
    assert len(looked) == 1
