"""Reading code takes no more work than there is code: checks run without a time limit."""

import ast
from collections.abc import Callable

import pytest

from grader.checks import all_checks
from grader.checks.diagnostics.mc_dropout import McDropoutOffParams, mc_dropout_off
from grader.checks.diagnostics.printed_results import PrintedAccuracyContradictedParams, contradicted_accuracy
from grader.checks.diagnostics.transfer import _same_object
from grader.checks.support import averaging, source_code, typed_numbers
from grader.checks.support.averaging import Averages
from grader.checks.support.typed_numbers import TypedNumbers
from grader.schema.evidence import CallFact, Evidence
from tests.support.factories import a_case, a_cell, a_model, an_array, an_evidence, dense, dropout

AVERAGED = "ps = np.stack([model(x, training=True) for _ in range(20)]).mean(axis=0)"
UNSEEN = "for k in range(20):\n    p = model(x, training=True)\n    seen.append((k, p.shape))"
NESTED = "".join("  " * depth + "for i in r:\n" for depth in range(18))


def made(*sources: str, groups: int = 1, differ: bool = True) -> Evidence:
    """A notebook whose first cells made passes."""
    model = a_model(dense(), dropout(), dense(), name="model")
    calls = tuple(
        CallFact(
            model=model.id,
            cell=index,
            event=10 + index,
            training=True,
            count=20,
            repeats=20,
            outputs_differ=differ,
            x=an_array(5),
        )
        for index in range(groups)
    )
    cells = tuple(a_cell(index, source) for index, source in enumerate(sources))
    return an_evidence(models=(model,), cells=cells, calls=calls)


def status(evidence: Evidence) -> str:
    check = all_checks()["mc_dropout"]
    return check.run(a_case(evidence), check.parameters()).status


def looks(*sources: str) -> int:
    """How much of a notebook was looked at for the passes of its first cell."""
    averages = Averages([a_cell(index, source) for index, source in enumerate(sources)])
    assert not averages.passes(0, "model")
    return averaging._MOST_LOOKS - averages.work.left


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


@pytest.mark.parametrize("filler", ["a = 1\n" * 4_000, "(\n" * 100_000], ids=["in a cell", "that is no Python"])
def test_a_notebook_with_too_much_code_waits_for_a_person(filler: str) -> None:
    assert status(made(AVERAGED)) == "passed"
    assert status(made(AVERAGED, filler, filler)) == "pending"


def test_many_cells_are_too_much_together_and_nothing_is_typed_or_averaged_in_them() -> None:
    cells = [a_cell(index, f"{AVERAGED}\nprint(0.97, {index})") for index in range(1_000)]
    assert TypedNumbers(cells[:10]).printed(cells[0]) == ((0.97,),)
    assert TypedNumbers(cells).printed(cells[0]) == ()
    assert Averages(cells[:10]).passes(0, "model")
    assert not Averages(cells).passes(0, "model")


@pytest.mark.parametrize(
    "chain",
    [
        lambda n: "y = model.predict(x)\nz = y" + "/2" * n,
        lambda n: "y = model.predict(x)\nz = y" + ".mean()" * n,
        lambda n: "\n".join(f"def f{k}(x):\n    return f{k - 1}(x)" for k in range(n)),
    ],
    ids=["divisions", "calls", "functions"],
)
def test_a_chain_twice_as_long_is_twice_the_work(chain: Callable[[int], str]) -> None:
    assert looks(chain(200)) < 2.5 * looks(chain(100))


def test_deeply_nested_loops_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    source = f"{UNSEEN}\n{NESTED}" + "\n".join("  " * 18 + f"a{k} = a{k} + b[{k}]" for k in range(300))
    assert looks(source) <= averaging._MOST_LOOKS
    monkeypatch.setattr(averaging, "_MOST_LOOKS", 1_000)
    assert looks(source) == 1_000
    assert status(made(f"{AVERAGED}\n{source}")) == "pending"


def test_code_is_read_once_for_all_passes_and_both_checks(count_parsed: list[str]) -> None:
    evidence = made(*[f"{UNSEEN}\n# {index}" for index in range(30)], groups=30, differ=False)
    assert mc_dropout_off(a_case(evidence), McDropoutOffParams()) == ()
    assert status(evidence.model_copy(update={"calls": made(groups=30).calls})) == "pending"
    assert len(count_parsed) == 30


def test_no_more_groups_are_read_than_until_one_lacks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int | None] = []
    real = Averages.anything

    def anything(self: Averages, cell: int | None, model: str) -> bool:
        asked.append(cell)
        return real(self, cell, model)

    monkeypatch.setattr(Averages, "anything", anything)
    assert status(made(UNSEEN, AVERAGED, UNSEEN, UNSEEN, groups=4)) == "passed"
    assert set(asked) == {0, 1}


def test_printed_accuracies_are_looked_up_in_code_that_was_read_once(count_parsed: list[str]) -> None:
    printing = "print('accuracy:', acc)"
    sources = ["acc = 0.999", *(f"{printing}\n# {index}" for index in range(50)), "acc = f(x)", printing]
    cells = tuple(a_cell(index, source, output="accuracy: 0.999") for index, source in enumerate(sources))
    case = a_case(made().model_copy(update={"cells": cells}))
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
