"""A rubric turns diagnostics off, limits them to the models of roles, and tunes them."""

from collections.abc import Mapping
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # brought by nbformat, without types
import pytest
import yaml

from grader.checks import all_checks, all_diagnostics, diagnostic, registry
from grader.checks.support.params import Params
from grader.facts.case import Case, DiagnosticSpec
from grader.facts.roles import resolve_roles
from grader.grading import grade, read_rubric, rubric_schema
from grader.schema.errors import RubricError
from grader.schema.evidence import Evidence
from grader.schema.grade import Diagnostic, DiagnosticGrade
from tests.support.diagnosing import tables
from tests.support.factories import (
    a_case,
    a_figure,
    a_fit,
    a_model,
    a_rubric,
    a_stamp,
    a_submission,
    an_array,
    an_evidence,
    conv,
    dense,
    dropout,
    layer,
    rows,
)

RUBRIC = """\
version: 1
id: sample
title: A sample
dataset: mnist
roles:
  warm_up: {lacks_layer: Dropout}
  final: {has_layer: Dropout}
diagnostics: DIAGNOSTICS
criteria:
  - {id: runs, points: 10, check: runs}
"""
BAD = conv(8, 10, over=(15, 15, 32))
TWO_NETWORKS = an_evidence(
    models=(
        a_model(BAD, dense(512, "softmax"), dense(10), name="warm_up_net"),
        a_model(BAD, dense(512, "softmax"), dropout(), dense(10), model_id="m2", name="final_net"),
    ),
    figures=(a_figure((0.1, 0.2, 0.3), xlabel="", ylabel=""),),
    compiles=(),
    fits=(a_fit(), a_fit(model="m2", event=30)),
)


def mistake(name: str, number: int = 0) -> Evidence:
    """A notebook about which a diagnostic has a note."""
    topic = all_diagnostics()[name].run.__module__.rpartition(".")[2]
    found = tables(topic)[0][name][number]
    assert isinstance(found, Evidence)
    return found


def notes(settings: str, evidence: Evidence = TWO_NETWORKS) -> list[DiagnosticGrade]:
    """Notes of a grade by a rubric with these `diagnostics`."""
    rubric = read_rubric(RUBRIC.replace("DIAGNOSTICS", settings).encode(), all_checks(), all_diagnostics())
    graded = grade(
        Case(evidence=evidence, rubric=rubric, roles=resolve_roles(rubric, evidence)),
        submission=a_submission(),
        stamp=a_stamp(),
        checks=all_checks(),
        diagnostics=all_diagnostics(),
        reference=None,
    )
    return list(graded.diagnostics)


def found(settings: str, evidence: Evidence = TWO_NETWORKS) -> set[tuple[str, str | None]]:
    return {(note.id, note.model) for note in notes(settings, evidence)}


ALL = {
    ("figure-without-labels", None),
    *((name, model) for name in ("large-kernels", "softmax-in-hidden-layer") for model in ("m1", "m2")),
}


def test_unset_all_are_on() -> None:
    assert found("{}") == ALL


def test_diagnostics_are_turned_off() -> None:
    assert found("{leave_out: [large-kernels, figure-without-labels]}") == {
        ("softmax-in-hidden-layer", "m1"),
        ("softmax-in-hidden-layer", "m2"),
    }


def test_only_some_are_turned_on() -> None:
    assert found("{only: [figure-without-labels]}") == {("figure-without-labels", None)}
    assert found("{only: []}") == set()


def test_notes_are_about_the_models_of_some_roles() -> None:
    assert found("{models: [final]}") == {(n, m) for n, m in ALL if m != "m1"}
    assert found("{models: [final, warm_up]}") == ALL
    assert found("{models: []}") == {("figure-without-labels", None)}


@pytest.mark.parametrize(
    ("students", "private"),
    [
        ("{}", set()),
        ("{leave_out: [large-kernels]}", {("large-kernels", "m1"), ("large-kernels", "m2")}),
        ("{models: [final]}", {(name, model) for name, model in ALL if model == "m1"}),
        ("{models: []}", {(name, model) for name, model in ALL if model}),
    ],
)
def test_notes_are_for_instructors_alone(students: str, private: set[tuple[str, str | None]]) -> None:
    every = notes(f"{{students: {students}}}")
    assert {(note.id, note.model) for note in every} == ALL
    assert {(note.id, note.model) for note in every if note.for_instructor} == private


def test_many_notes_for_students_are_counted_without_those_for_instructors() -> None:
    models = [a_model(BAD, dense(10), model_id=f"m{n}", name=f"net{n}") for n in range(6)]
    last = a_model(BAD, dropout(), dense(10), model_id="m9", name="final_net")
    evidence = an_evidence(models=(*models, last), compiles=(), fits=(a_fit(model="m9"),))
    every = notes("{only: [large-kernels], students: {models: [final]}}", evidence)
    assert [(note.model, note.message.count("more place")) for note in every if not note.for_instructor] == [("m9", 0)]
    assert sum(note.for_instructor for note in every) == 5


def test_a_note_that_names_several_models_names_those_of_the_roles_alone() -> None:
    models = tuple(
        a_model(dense(100, "selu"), *more, dense(10), model_id=name, name=name)
        for name, more in (("m1", ()), ("m2", (layer("Dropout", config={"rate": 0.1}),)))
    )
    x = an_array(of=rows(60_000), mean=0.13, std=0.31)
    evidence = an_evidence(models=models, fits=tuple(a_fit(model=m.id, x=x) for m in models))
    both = notes("{only: [selu-inputs-not-standardised, selu-without-lecun]}", evidence)
    assert [("m1" in note.message, "m2" in note.message) for note in both] == [(True, True)] * 2
    one = notes("{only: [selu-inputs-not-standardised, selu-without-lecun], models: [final]}", evidence)
    assert [("m1" in note.message, "m2" in note.message) for note in one] == [(False, True)] * 2


def test_where_several_models_match_a_role_notes_are_about_each() -> None:
    evidence = TWO_NETWORKS.model_copy(
        update={
            "models": (*TWO_NETWORKS.models, a_model(BAD, dropout(), dense(10), model_id="m3")),
            "fits": (*TWO_NETWORKS.fits, a_fit(model="m3", event=40)),
            "evaluations": (),
        }
    )
    assert {m for n, m in found("{models: [final]}", evidence) if n == "large-kernels"} == {"m2", "m3"}


TUNED: Mapping[str, tuple[tuple[str, Evidence], ...]] = {
    "evaluation-on-other-scale": (
        ("{high_above: 255}", mistake("evaluation-on-other-scale")),
        ("{scaled_up_to: 0.5}", mistake("evaluation-on-other-scale")),
    ),
    "figure-without-labels": (("{curve_points: 99}", TWO_NETWORKS),),
    "filters-shrink-with-depth": (("{factor: 1000}", mistake("filters-shrink-with-depth")),),
    "kernel-larger-than-map": (
        ("{inside_below: 0}", mistake("kernel-larger-than-map", 1)),
        ("{side_from: 11}", mistake("kernel-larger-than-map", 1)),
    ),
    "large-kernels": (("{side_above: 10}", TWO_NETWORKS),),
    "mc-dropout-off": (("{passes: 11}", mistake("mc-dropout-off")),),
    "normalised-array-unused": (
        ("{high_above: 255}", mistake("normalised-array-unused")),
        ("{span_up_to: 0.1}", mistake("normalised-array-unused")),
    ),
    "printed-accuracy-contradicted": (("{margin: 0.1}", mistake("printed-accuracy-contradicted", 1)),),
    "raw-pixels": (("{high_above: 255}", mistake("raw-pixels")),),
    "selu-inputs-not-standardised": (
        (
            "{mean_up_to: 0.2, std_from: 0.3}",
            mistake("selu-inputs-not-standardised"),
        ),
        (
            "{mean_up_to: 40, std_up_to: 80}",
            mistake("selu-inputs-not-standardised", 1),
        ),
    ),
    "sigmoid-on-one-of-many": (
        ("{most_classes: 9}", an_evidence(models=(a_model(dense(10, "sigmoid")),), fits=(), compiles=())),
    ),
    "still-rising": (
        ("{rise: 0.5}", mistake("still-rising")),
        ("{epochs: 5}", mistake("still-rising")),
        (
            "{spent_at: 0.2}",
            an_evidence(
                fits=tuple(f.model_copy(update={"step_rates": (0.1, 0.01)}) for f in mistake("still-rising").fits)
            ),
        ),
    ),
    "test-images-in-training-data": (
        ("{more_than: 10000}", an_evidence(fits=(a_fit(x=an_array(of=rows(60_000, 10_000))),))),
        (
            "{uncertain_part: 0.5}",
            an_evidence(fits=(a_fit(x=an_array(of=rows(60_000, 10_000, method="labels"))),)),
        ),
    ),
    "too-many-first-filters": (("{factor: 1000}", mistake("too-many-first-filters")),),
    "validation-split-on-sorted-labels": (("{rows: 100000}", mistake("validation-split-on-sorted-labels")),),
    "validation-on-test-set": (
        ("{more_than: 10000}", an_evidence(fits=(a_fit(val_x=an_array(of=rows(0, 10_000))),))),
        (
            "{uncertain_part: 0.5}",
            an_evidence(fits=(a_fit(val_x=an_array(of=rows(20_000, 10_000, method="labels"))),)),
        ),
    ),
}


def test_every_parameter_is_tried() -> None:
    for name, spec in all_diagnostics().items():
        fields = set() if spec.parameters is None else set(spec.parameters.model_fields)
        tried = " ".join(settings for settings, _ in TUNED.get(name, ()))
        assert {field for field in fields if field not in tried} == set(), name
        assert (name in TUNED) == bool(fields)


@pytest.mark.parametrize(
    ("name", "settings", "evidence"), [(name, s, e) for name, several in TUNED.items() for s, e in several]
)
def test_a_parameter_acts(name: str, settings: str, evidence: Evidence) -> None:
    assert notes(f"{{only: [{name}]}}", evidence)
    assert notes(f"{{only: [{name}], tune: {{{name}: {settings}}}}}", evidence) == []


@pytest.mark.parametrize("name", sorted(TUNED))
def test_the_defaults_written_out_change_nothing(name: str) -> None:
    parameters = all_diagnostics()[name].parameters
    assert parameters is not None
    case = a_case(mistake(name))
    assert all_diagnostics()[name].run(case) == all_diagnostics()[name].run(case, parameters())


# --- wrong settings -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("{leave_out: [large-kernel]}", "8:27: unknown diagnostic 'large-kernel'; did you mean 'large-kernels'?"),
        ("{only: [stil-rising]}", "8:22: unknown diagnostic 'stil-rising'; did you mean 'still-rising'?"),
        ("{leave_out: [still-rising], only: [raw-pixels]}", "8:14: `diagnostics`: give either `leave_out` or `only`"),
        ("{students: {models: [finale]}}", "8:35: unknown role 'finale'; did you mean 'final'?"),
        ("{students: {leave_out: [raw-pixel]}}", "8:38: unknown diagnostic 'raw-pixel'; did you mean 'raw-pixels'?"),
        ("{models: [finale]}", "8:24: unknown role 'finale'; did you mean 'final'?"),
        ("{tune: {large-kernel: {}}}", "8:22: unknown diagnostic 'large-kernel'; did you mean 'large-kernels'?"),
        ("{tune: {optimizer-reused: {x: 1}}}", "8:22: the diagnostic 'optimizer-reused' has no parameters"),
        (
            "{tune: {large-kernels: {side_abov: 7}}}",
            "8:38: diagnostic 'large-kernels': unknown key 'side_abov'; did you mean 'side_above'?",
        ),
        (
            "{tune: {large-kernels: {side_above: large}}}",
            "8:50: diagnostic 'large-kernels': `side_above` must be a valid integer",
        ),
        ("{tune: {still-rising: {rise: 7}}}", "diagnostic 'still-rising': `rise` must be less than or equal to 1"),
        ("{tune: {large-kernels: 7}}", "8:37: `large-kernels` must be a mapping of keys to values"),
        ("{leaveout: []}", "8:15: unknown key 'leaveout'; did you mean 'leave_out'?"),
        ("{leave_out: large-kernels}", "8:26: `leave_out` must be a list"),
        ("[large-kernels]", "8:14: `diagnostics` must be a mapping of keys to values"),
    ],
)
def test_an_error_has_its_line_and_the_nearest_name(settings: str, expected: str) -> None:
    with pytest.raises(RubricError) as caught:
        read_rubric(RUBRIC.replace("DIAGNOSTICS", settings).encode(), all_checks(), all_diagnostics(), name="r")
    assert expected in f"{caught.value.where.removeprefix('r:')}: {caught.value.message}"
    assert not SCHEMA.is_valid(rubric_with(settings)) or "role" in expected


def test_without_any_diagnostics_none_can_be_named() -> None:
    with pytest.raises(RubricError, match="unknown diagnostic 'large-kernels'"):
        read_rubric(RUBRIC.replace("DIAGNOSTICS", "{leave_out: [large-kernels]}").encode(), all_checks())


@pytest.mark.parametrize("parameters", [None, Params])
def test_a_rubric_made_by_hand_is_checked_when_it_is_used(parameters: type[Params] | None) -> None:
    spec = DiagnosticSpec(id="d", run=lambda *_: (), doc="", parameters=parameters)
    case = a_case(None, a_rubric(diagnostics={"tune": {"d": {"x": 1}}}))
    with pytest.raises(RubricError, match="diagnostic 'd'"):
        grade(
            case,
            submission=a_submission(),
            stamp=a_stamp(),
            checks=all_checks(),
            diagnostics={"d": spec},
            reference=None,
        )


# --- the JSON Schema ------------------------------------------------------------------------------------------

SCHEMA = jsonschema.Draft202012Validator(rubric_schema(all_checks(), all_diagnostics()))


def rubric_with(settings: str) -> Any:

    return yaml.safe_load(RUBRIC.replace("DIAGNOSTICS", settings))


@pytest.mark.parametrize(
    "settings",
    [
        "{}",
        "{leave_out: [large-kernels], models: [final], tune: {still-rising: {rise: 0.1, epochs: 8}}}",
        "{only: [raw-pixels], leave_out: []}",
        "{only: []}",
    ],
)
def test_the_schema_takes_what_the_loader_takes(settings: str) -> None:
    text = RUBRIC.replace("DIAGNOSTICS", settings)
    assert read_rubric(text.encode(), all_checks(), all_diagnostics()).id == "sample"
    assert SCHEMA.is_valid(rubric_with(settings))


def test_every_parameter_is_described_for_editors() -> None:
    for name, spec in all_diagnostics().items():
        if spec.parameters is not None:
            described = SCHEMA.schema["$defs"][f"diagnostic_{name}"]["properties"]
            assert all(described[key]["description"] for key in spec.parameters.model_fields)


# --- registering ----------------------------------------------------------------------------------------------


class _Required(Params):
    threshold: float


def test_a_parameter_without_a_default_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_DIAGNOSTICS", {})

    def strict(case: Case, parameters: _Required) -> tuple[Diagnostic, ...]:
        raise AssertionError(case, parameters)

    with pytest.raises(TypeError, match="every parameter of a diagnostic must have a default"):
        diagnostic("strict")(strict)


def test_parameters_without_a_type_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_DIAGNOSTICS", {})

    def untyped(case: Case, parameters: Any) -> tuple[Diagnostic, ...]:
        raise AssertionError(case, parameters)

    with pytest.raises(TypeError, match="second parameter must be annotated with a pydantic model"):
        diagnostic("untyped")(untyped)
