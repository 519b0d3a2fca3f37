"""The earlier problem from which a missed criterion follows."""

from typing import Any

from grader.facts.causes import cause_of
from grader.schema.grade import CauseGrade, Finding, Lacks, RoleMatch
from tests.support.factories import a_case, a_cell, a_fit, a_model, a_run, an_error, an_evidence, dense
from tests.support.says import says

BUILD = "model = keras.Sequential([Dense(10)])"
FIT = "model.fit(x, y)"


def cause(
    lacks: Lacks | None, *sources: str, errors: tuple[tuple[int, str, str], ...] = (), **more: Any
) -> CauseGrade | None:
    failed = {cell: name for cell, name, _ in errors}
    evidence = an_evidence(
        cells=tuple(a_cell(i, source, error=failed.get(i)) for i, source in enumerate(sources)),
        run=a_run(errors=tuple(an_error(*error) for error in errors)),
        **{"models": (a_model(dense(10), cell=0),), "fits": (), **more},
    )
    role = RoleMatch(role="cnn", model=evidence.models[0].id if evidence.models else None)
    return cause_of(a_case(evidence, cnn=role), Finding.failed("missed", lacks=lacks), "cnn")


def test_a_criterion_that_lacks_nothing_has_no_cause() -> None:
    assert cause(None, BUILD, "1 / 0", errors=((1, "ZeroDivisionError", "division by zero"),)) is None


def test_a_placeholder_instead_of_the_training_is_the_cause() -> None:
    unfinished = "model.compile()\nhistory = ### YOUR CODE HERE"
    found = cause(
        "training",
        BUILD,
        unfinished,
        "plt.plot(history)",
        errors=((1, "SyntaxError", "invalid syntax (line 2)"), (2, "NameError", "name 'history' is not defined")),
    )
    assert found is not None
    assert (found.kind, found.cell, found.line, found.code) == ("placeholder", 1, 2, "history = ### YOUR CODE HERE")


def test_the_error_that_the_failed_training_follows_from_is_the_cause() -> None:
    errors = ((1, "ValueError", "bad shape"), (2, "NameError", "name 'x' is not defined"))
    found = cause("training", BUILD, "x = reshape(images)", FIT, errors=errors)
    assert found is not None
    assert (found.kind, found.cell) == ("error", 1)
    assert says(found.says, "{cell:Cell} raised {error:code}: {text:raw}", cell=1, error="ValueError")


def test_the_line_of_a_syntax_error_is_read_from_its_text() -> None:
    found = cause("run", "x = 1\ny = = 2", errors=((0, "SyntaxError", "invalid syntax (line 2)"),))
    assert found is not None
    assert (found.line, found.code) == (2, "y = = 2")


def test_an_unrelated_error_is_not_the_cause_of_a_missing_training() -> None:
    found = cause("training", BUILD, "1 / 0", errors=((1, "ZeroDivisionError", "division by zero"),))
    assert found is not None
    assert (found.kind, found.cell) == ("untrained", 0)


def test_a_training_before_the_model_does_not_count() -> None:
    models = (a_model(dense(10), cell=1),)
    errors = ((0, "TypeError", "bad"),)
    found = cause("training", "other.fit(x, y)", BUILD, errors=errors, models=models)
    assert found is not None
    assert found.kind == "untrained"


def test_the_first_error_is_the_cause_of_a_missing_model() -> None:
    found = cause("model", BUILD, errors=((0, "TypeError", "bad"),), models=())
    assert found is not None
    assert (found.kind, found.cell) == ("error", 0)


def test_a_model_that_no_error_explains_is_missing_itself() -> None:
    found = cause("model", BUILD, FIT, models=(), fits=(a_fit(),))
    assert found is not None
    assert (found.kind, found.cell) == ("no_model", None)
    assert found.message


def test_a_run_that_only_ran_out_of_time_has_no_cell_to_begin_with() -> None:
    assert cause("run", BUILD, FIT) is None
