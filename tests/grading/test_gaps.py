"""A gap in the record is a problem, and whatever it could decide waits for a person."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from grader.checks import all_checks, all_diagnostics
from grader.checks.support.params import Params
from grader.facts.case import Case, CheckSpec, DiagnosticSpec
from grader.facts.gaps import ALL_KINDS
from grader.facts.language import english
from grader.facts.roles import resolve_roles
from grader.grading import grade
from grader.schema.evidence import Evidence, GapFact
from grader.schema.grade import CriterionStatus, Diagnostic, Finding, Grade
from tests.support.factories import a_rubric, a_stamp, a_submission, an_evidence
from tests.support.says import ids, says

CRITERIA: tuple[Mapping[str, Any], ...] = (
    {"id": "runs", "points": 1, "check": "runs"},
    {"id": "text", "points": 1, "check": "text", "with": {"min_words": 2}},
    {"id": "input", "points": 1, "check": "input_shape", "with": {"model": "cnn", "shape": [28, 28, 1]}},
    {"id": "dense", "points": 1, "check": "has_layer", "with": {"model": "cnn", "layer": "Dense"}},
    {"id": "loss", "points": 1, "check": "loss", "with": {"model": "cnn", "name": "sparse_categorical_crossentropy"}},
    {"id": "trained", "points": 1, "check": "trained", "with": {"model": "cnn", "loss_falls": True}},
    {"id": "accuracy", "points": 1, "check": "accuracy", "with": {"split": "test", "at_least": 0.5}},
    {"id": "plots", "points": 1, "check": "plots", "with": {"metric": "accuracy", "model": "cnn"}},
)
ROLES = {"cnn": {"has_layer": "Dense", "trained": True}}
REMOVALS: Mapping[str, Callable[[Evidence], Mapping[str, Any]]] = {
    "fit_start": lambda _: {"fits": ()},
    "model": lambda _: {"models": ()},
    "compile": lambda _: {"compiles": ()},
    "epoch": lambda e: {"fits": tuple(f.model_copy(update={"history": {}, "epochs_done": 0}) for f in e.fits)},
    "fit_end": lambda e: {"fits": tuple(f.model_copy(update={"history": {}, "digests_after": {}}) for f in e.fits)},
    "kept": lambda e: {"accuracies": (), "models": tuple(m.model_copy(update={"artefact": None}) for m in e.models)},
    "figure": lambda _: {"figures": ()},
}
UNTOUCHED = {
    "fit_start": {"runs", "text"},
    "model": {"runs", "text"},
    "compile": {"runs", "text"},
    "figure": {"runs", "text", "input", "dense", "loss", "trained", "accuracy"},
}


def graded(evidence: Evidence, *criteria: Mapping[str, Any], **more: Any) -> Grade:
    rubric = a_rubric(*criteria, roles=ROLES)
    case = Case(evidence=evidence, rubric=rubric, roles=resolve_roles(rubric, evidence), lacking="unable")
    keys = {"checks": all_checks(), "diagnostics": all_diagnostics(), "reference": None} | more
    return grade(case, submission=a_submission(), stamp=a_stamp(), **keys)


def statuses(result: Grade) -> dict[str, CriterionStatus]:
    return {criterion.id: criterion.status for criterion in result.criteria}


def a_gap(*lost: str) -> GapFact:
    return GapFact(event=3, cell=4, what="KeyError: x", hook="FitWatch._begin", lost=lost)


def test_the_complete_evidence_passes_everything() -> None:
    assert set(statuses(graded(an_evidence(), *CRITERIA)).values()) == {"passed"}


@pytest.mark.parametrize("kind", REMOVALS)
def test_a_lost_fact_is_never_a_failure(kind: str) -> None:
    whole = an_evidence()
    less = whole.model_copy(update=dict(REMOVALS[kind](whole)))
    assert "failed" in statuses(graded(less, *CRITERIA)).values() or kind in {"epoch", "fit_end", "kept"}
    result = graded(less.model_copy(update={"gaps": (a_gap(kind),)}), *CRITERIA)
    found = statuses(result)
    assert set(found.values()) <= {"passed", "pending"}
    assert {name for name, status in found.items() if status == "passed"} >= UNTOUCHED.get(kind, {"runs", "text"})
    assert any("FitWatch._begin" in problem for problem in result.problems)
    assert result.pending == sum(status == "pending" for status in found.values())


def test_what_passes_in_spite_of_a_gap_has_passed() -> None:
    whole = graded(an_evidence(), *CRITERIA)
    result = graded(an_evidence(gaps=(a_gap(*ALL_KINDS),)), *CRITERIA)
    assert result.criteria == whole.criteria


def test_a_failure_that_no_gap_could_cause_stays() -> None:
    wanted = {"id": "words", "points": 1, "check": "text", "with": {"min_words": 1000}}
    assert statuses(graded(an_evidence(gaps=(a_gap(*ALL_KINDS),)), wanted)) == {"words": "failed"}


def test_the_sentence_gives_the_reason() -> None:
    (line,) = graded(an_evidence(fits=(), gaps=(a_gap("fit_start"),)), CRITERIA[5]).criteria
    assert "never trained" not in line.message
    assert line.says is not None
    assert "trainings" in ids(line.says)
    assert says(line.says, "the recorder failed in {cell:cell} ({hook:code}: {what})", cell=4, hook="FitWatch._begin")
    assert line.advice == ""
    assert line.evidence[0].event == 3


def reads(finding: Finding, field: str) -> CheckSpec:
    """A check of a third party that reads one field."""

    def run(case: Case, _params: Params) -> Finding:
        getattr(case.evidence, field)
        return finding

    return CheckSpec(name="x", parameters=Params, run=run, doc="")


FOUND = {
    "passed": Finding(status="passed", fraction=1, message="p"),
    "half": Finding(status="partial", fraction=0.5, message="h"),
    "failed": Finding(status="failed", message="f"),
}
CHECKS = {f"{name}_{field}": reads(finding, field) for name, finding in FOUND.items() for field in ("fits", "figures")}


@pytest.mark.parametrize(
    ("combination", "tests", "status"),
    [
        # `fits` are lost, `figures` are not.
        ("any_of", ["failed_figures", "failed_fits"], "pending"),
        ("any_of", ["failed_fits", "failed_figures"], "pending"),
        ("any_of", ["half_figures", "failed_fits"], "pending"),
        ("any_of", ["passed_figures", "failed_fits"], "passed"),
        ("any_of", ["passed_fits", "failed_fits"], "passed"),
        ("any_of", ["half_figures", "failed_figures"], "partial"),
        ("all_of", ["failed_figures", "failed_fits"], "failed"),
        ("all_of", ["failed_fits", "failed_figures"], "failed"),
        ("all_of", ["half_figures", "half_fits"], "pending"),
        ("all_of", ["passed_figures", "half_fits"], "pending"),
        ("all_of", ["passed_figures", "passed_fits"], "passed"),
    ],
)
def test_a_combination_is_pending_where_a_gap_could_decide_it(combination: str, tests: list[str], status: str) -> None:
    criterion = {"id": "c", "points": 4, combination: [{"check": name} for name in tests]}
    result = graded(an_evidence(gaps=(a_gap("fit_start"),)), criterion, checks=CHECKS)
    assert statuses(result) == {"c": status}


def test_notes_that_a_gap_could_cause_are_left_out_and_named() -> None:
    def untrained(case: Case) -> tuple[Diagnostic, ...]:
        note = Diagnostic(id="untrained", title="t", message="m", advice="a")
        return () if case.evidence.fits else (note,)

    def unplotted(case: Case) -> tuple[Diagnostic, ...]:
        note = Diagnostic(id="unplotted", title="t", message="m", advice="a")
        return () if case.evidence.figures else (note,)

    specs = {
        "untrained": DiagnosticSpec(id="untrained", run=untrained, doc=""),
        "unplotted": DiagnosticSpec(id="unplotted", run=unplotted, doc=""),
    }
    evidence = an_evidence(fits=(), figures=(), gaps=(a_gap("fit_start"),))
    result = graded(evidence, CRITERIA[0], diagnostics=specs)
    assert [note.id for note in result.diagnostics] == ["unplotted"]
    assert any(
        says(
            problem,
            "the notes of these diagnostics were left out, because the record is incomplete: {diagnostics:code}",
            diagnostics=["untrained"],
        )
        for problem in result.problems_says
    )


def test_problems_of_the_evidence_are_problems_of_the_grade_each_once() -> None:
    gap = GapFact(what="the record ends before the notebook did", lost=("figure",))
    evidence = an_evidence(problems=("the record ends before the notebook did", "another"), gaps=(gap,))
    result = graded(evidence, CRITERIA[0])
    assert result.problems == ("the record ends before the notebook did", "another")
    assert tuple(map(english, result.problems_says)) == result.problems


def test_a_grade_of_an_earlier_version_has_its_problems_as_texts_alone() -> None:
    result = graded(an_evidence(problems=("another",)), CRITERIA[0])
    earlier = Grade.model_validate(result.model_dump(by_alias=True, exclude={"problems_says"}))
    assert (earlier.problems, earlier.problems_says) == (("another",), ())
    assert Grade.model_validate_json(result.model_dump_json(by_alias=True)) == result
