"""The rubric of the deep dense networks: five networks told apart by what they are made of."""

from typing import Any

import pytest

from grader.checks import all_checks, all_diagnostics
from grader.facts.case import Case
from grader.facts.roles import resolve_roles
from grader.grading import grade
from grader.pipeline.rubrics import find_rubric
from grader.schema.evidence import Evidence, LayerFact, OptimizerFact
from grader.schema.grade import Grade
from tests.support.factories import (
    a_case,
    a_cell,
    a_compile,
    a_fit,
    a_model,
    a_stamp,
    a_submission,
    activation,
    an_accuracy,
    an_array,
    an_evidence,
    callback,
    dense,
    layer,
    rows,
    some_passes,
)

RUBRIC = find_rubric("cifar-deep").rubric
OUT = dense(10, "softmax", inputs=100, name="out")
STOP = callback("EarlyStopping", monitor="val_loss", patience=4, restore_best_weights=True)
TEXT = (
    "Initial weights break symmetry. SELU and ReLU, momentum, sparse models, dropout and softmax are explained here. "
)


def stack(function: str, initialiser: str, *, norm: bool = False) -> tuple[LayerFact, ...]:
    """Twenty hidden layers."""
    made: list[LayerFact] = []
    for n in range(20):
        inner = "linear" if norm else function
        made.append(dense(100, inner, inputs=100, name=f"d{n}", kernel_initializer={"class_name": initialiser}))
        if norm:
            made += [layer("BatchNormalization", f"b{n}", parameters=400), activation(function, f"a{n}", 100)]
    return tuple(made)


ALPHA = layer("AlphaDropout", config={"rate": 0.1})
NETWORKS = {
    "plain": (*stack("elu", "HeNormal"), OUT),
    "normalised": (*stack("elu", "HeNormal", norm=True), OUT),
    "selu": (*stack("selu", "LecunNormal"), OUT),
    "alpha": (*stack("selu", "LecunNormal"), ALPHA, OUT),
    "cycle": (*stack("selu", "LecunNormal"), ALPHA, OUT),
}


def trained(place: int, **keys: Any) -> Any:
    x = an_array(45_000, of=rows(45_000, dataset="cifar10"), low=-2.0, high=2.1, mean=0.0, std=1.0)
    held = an_array(5_000, of=rows(5_000, dataset="cifar10"))
    values: dict[str, Any] = {"callbacks": (STOP,), "x": x, "val_x": held, "learning_rates": (1e-4,) * 4}
    return a_fit(event=20 + place, model=f"m{place}", compiled=10 + place, **(values | keys))


def notebook(**networks: tuple[LayerFact, ...]) -> Evidence:
    """A notebook in which every network bears the same name and is trained, the last one by a cycle."""
    made = NETWORKS | networks
    fits = [trained(place) for place in range(1, len(made) + 1)]
    fits[-1] = trained(len(made), callbacks=(), step_rates=(0.005, 0.03, 0.05, 0.03, 0.005, 0.0001))
    return an_evidence(
        cells=(
            a_cell(0, "p = np.mean([net(x, training=True) for _ in range(20)], axis=0)"),
            a_cell(1, TEXT * 9, "markdown"),
        ),
        models=tuple(a_model(*layers, model_id=f"m{n}", name="net") for n, layers in enumerate(made.values(), start=1)),
        compiles=tuple(
            a_compile(event=10 + n, model=f"m{n}", optimizer=OptimizerFact(cls="Nadam", learning_rate=1e-4, id=f"o{n}"))
            for n in range(1, len(made) + 1)
        ),
        fits=tuple(fits),
        accuracies=(an_accuracy(4_500, dataset="cifar10"),),
        repeated_passes=(some_passes(event=30, model="m4"),),
        figures=(),
    )


def judged(evidence: Evidence) -> Grade:
    return grade(
        Case(evidence, RUBRIC, resolve_roles(RUBRIC, evidence)),
        submission=a_submission(),
        stamp=a_stamp(),
        checks=all_checks(),
        diagnostics=all_diagnostics(),
        reference=None,
    )


def missed(graded: Grade) -> set[str]:
    return {c.id for c in graded.criteria if c.status not in {"passed", "pending"}}


def test_five_networks_of_one_name_are_told_apart_by_their_layers() -> None:
    found = resolve_roles(RUBRIC, notebook())
    assert {role: match.model for role, match in found.items()} == {
        "plain": "m1",
        "normalised": "m2",
        "selu": "m3",
        "alpha": "m4",
    }


def test_a_notebook_that_does_all_of_it_gets_full_marks_and_no_notes() -> None:
    graded = judged(notebook())
    assert {c.id: c.message for c in graded.criteria if c.status not in {"passed", "pending"}} == {}
    assert graded.score == 90
    assert graded.diagnostics == ()


@pytest.mark.parametrize(
    ("name", "layers", "ids"),
    [
        ("plain", (*stack("elu", "GlorotUniform"), OUT), {"plain-network"}),
        ("plain", (*stack("elu", "HeNormal")[:10], OUT), {"plain-network"}),
        ("normalised", (layer("BatchNormalization"), *stack("elu", "HeNormal"), OUT), {"batch-norm"}),
        ("selu", (*stack("selu", "HeNormal"), OUT), {"selu-network"}),
        ("alpha", (ALPHA, *stack("selu", "LecunNormal"), OUT), {"alpha-dropout"}),
    ],
)
def test_one_network_that_is_not_as_asked_costs_its_own_points(
    name: str, layers: tuple[LayerFact, ...], ids: set[str]
) -> None:
    assert missed(judged(notebook(**{name: layers}))) == ids


def test_a_rate_that_never_changes_costs_its_points() -> None:
    evidence = notebook()
    fits = tuple(fit.model_copy(update={"step_rates": (0.01, 0.01, 0.01)}) for fit in evidence.fits)
    assert missed(judged(evidence.model_copy(update={"fits": fits}))) == {"one-cycle"}


def test_an_average_that_is_not_found_waits_for_a_person() -> None:
    evidence = notebook()
    unseen = (some_passes(event=30, model="m4", average=None, averaged=None),)
    grade = judged(evidence.model_copy(update={"repeated_passes": unseen}))
    assert next(c.status for c in grade.criteria if c.id == "mc-dropout") == "pending"


def test_an_empty_notebook_earns_nothing_and_raises_nothing() -> None:
    empty = an_evidence(cells=(), models=(), compiles=(), fits=(), figures=(), accuracies=())
    assert judged(empty).score == 0
    assert a_case(empty).model(None)[0] is None
