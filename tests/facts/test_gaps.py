"""Which facts a gap may hide, and what of the evidence a check reads."""

from collections.abc import Callable
from typing import Any

import pytest

from grader.evidence.build import build_evidence
from grader.facts.case import Case
from grader.facts.gaps import (
    ALL_KINDS,
    PARTS,
    GapWatch,
    describe_cause,
    describe_gap,
    describe_lost,
    distinct_problems,
    touches,
)
from grader.facts.language import english
from grader.inside.record.events import KINDS, OTHER_PROCESS
from grader.schema.evidence import Evidence, FitFact, GapFact, ModelFact
from grader.schema.message import say
from tests.support.factories import a_case, a_fit, a_rubric, a_run, an_evidence
from tests.support.says import ids, says


def a_gap(*lost: str, **keys: Any) -> GapFact:
    return GapFact(**({"event": 3, "cell": 4, "what": "KeyError: x", "hook": "FitWatch._begin", "lost": lost} | keys))


def watched(*lost: str, **keys: Any) -> GapWatch:
    fit = a_fit(digests_before={"dense": "a"}, digests_after={"dense": "b"})
    return GapWatch(a_case(an_evidence(fits=(fit,), gaps=(a_gap(*lost),)), **keys))


def test_each_kind_of_event_is_in_the_table() -> None:
    assert set(KINDS) == set(PARTS)


def test_each_part_is_a_field_of_the_evidence() -> None:
    inner = {"fits": FitFact.model_fields, "models": ModelFact.model_fields}
    for part in frozenset().union(*PARTS.values()):
        field, _, attribute = part.partition(".")
        assert field in Evidence.model_fields
        assert not attribute or attribute in inner[field] or part == "fits.curves"


def test_each_fact_of_the_record_can_be_lost() -> None:
    given = {"version", "run", "cells", "problems", "remarks", "gaps", "stand_ins", "refusal", "quick"}
    assert {part.partition(".")[0] for kind in ALL_KINDS for part in PARTS[kind]} == set(Evidence.model_fields) - given


READS: list[tuple[Callable[[Case], Any], str, bool]] = [
    (lambda case: case.evidence.fits, "fit_start", True),
    (lambda case: case.evidence.fits_of("m1"), "fit_start", True),
    (lambda case: case.evidence.fits_of("m1")[0].event, "epoch", False),
    (lambda case: case.evidence.fits_of("m1")[0].history, "epoch", True),
    (lambda case: case.evidence.fits_of("m1")[0].changed_layers, "fit_end", True),
    (lambda case: case.evidence.compile_of(case.evidence.fits[0]), "compile", True),
    (lambda case: case.evidence.models[0].counted_layers(), "kept", False),
    (lambda case: case.evidence.models[0].artefact, "kept", True),
    (lambda case: case.evidence.model("m1"), "model", True),
    (lambda case: case.evidence.accuracy("m1", "mnist", "test"), "kept", True),
    (lambda case: case.evidence.run.cells_total, "fit_start", False),
    (lambda case: case.evidence.cells, "figure", False),
    (lambda case: case.evidence.figures, "figure", True),
    (lambda case: case.evidence.figures, "fit_start", False),
    (lambda case: case.evidence.model_copy(update={"arrays": ()}).figures, "figure", True),
    (lambda case: case.evidence.model_copy(update={"figures": ()}).arrays, "figure", False),
    (lambda case: case.evidence.model_dump(), "figure", True),
    (lambda case: case.evidence.model_dump_json(), "figure", True),
    (lambda case: dict(case.evidence), "figure", True),
    (lambda case: case.evidence.figures, "a_kind_of_a_newer_recorder", True),
    (lambda case: case.model(None), "fit_start", True),
    (lambda case: case.model(None), "figure", False),
]


@pytest.mark.parametrize(("read", "lost", "touched"), READS)
def test_a_gap_touches_what_it_may_have_hidden(read: Callable[[Case], Any], lost: str, *, touched: bool) -> None:
    _, gaps = watched(lost).run(read)
    assert bool(gaps) == touched


@pytest.mark.parametrize(
    ("lost", "touched"), [("model", True), ("fit_start", True), ("figure", False), ("arrays", False)]
)
def test_whoever_reads_a_role_depends_on_what_it_was_resolved_from(lost: str, *, touched: bool) -> None:
    rubric = a_rubric(roles={"cnn": {"has_layer": "Dense", "trained": True}})
    _, gaps = watched(lost, rubric=rubric).run(lambda case: case.model("cnn"))
    assert bool(gaps) == touched


def test_each_run_counts_alone() -> None:
    watch = watched("figure")
    assert watch.run(lambda case: case.evidence.figures)[1]
    assert not watch.run(lambda case: case.evidence.fits)[1]


def test_the_view_says_what_the_evidence_says() -> None:
    evidence = an_evidence(gaps=(a_gap("figure"),))
    view = GapWatch(a_case(evidence)).case.evidence
    assert isinstance(view, Evidence)
    assert isinstance(view.fits[0], FitFact)
    assert view.model_dump() == evidence.model_dump()
    assert view.fits[0].changed_layers == evidence.fits[0].changed_layers


@pytest.mark.parametrize("gaps", [(), (a_gap(),)])
def test_evidence_that_lost_nothing_needs_no_view(gaps: tuple[GapFact, ...]) -> None:
    case = a_case(an_evidence(gaps=gaps))
    watch = GapWatch(case)
    assert watch.case is case
    assert watch.run(lambda seen: seen.evidence.fits) == (case.evidence.fits, ())


def test_a_gap_that_lost_nothing_touches_nothing() -> None:
    assert not touches(a_gap(), frozenset().union(*PARTS.values()))


def test_a_gap_is_described_for_people() -> None:
    gap = describe_gap(a_gap("fit_start", "figure"))
    assert gap.id == "{cause}; these facts may be missing: {lost}"
    assert says(
        gap,
        "the recorder failed in {cell:cell} ({hook:code}: {what})",
        cell=4,
        hook="FitWatch._begin",
        what="KeyError: x",
    )
    assert ids(gap)[-2:] == ["trainings", "figures"]
    assert english(gap) == (
        "the recorder failed in cell 5 (`FitWatch._begin`: KeyError: x); "
        "these facts may be missing: trainings and figures"
    )


def test_a_gap_without_a_hook_or_a_cell_or_lost_facts_is_described_for_people() -> None:
    assert english(describe_gap(a_gap("figure", hook=""))) == "KeyError: x"
    nowhere = describe_gap(a_gap("figure").model_copy(update={"cell": None}))
    assert says(nowhere, "the recorder failed ({hook:code}: {what})", hook="FitWatch._begin")
    assert describe_gap(a_gap()) == describe_cause(a_gap())


def test_lost_facts_are_named_once_and_at_most_five() -> None:
    assert ids(describe_lost([a_gap("kept", "unkept"), a_gap("kept")])) == ["{facts}", "trained models"]
    several = ids(describe_lost([a_gap(*ALL_KINDS)]))
    assert len(several) == 7
    assert several[-1] == "other facts"
    assert says(describe_lost([a_gap("telepathy")]), "{kind:code} events", kind="telepathy")


def test_problems_and_gaps_are_listed_once_and_counted_beyond_the_limit() -> None:
    gap = GapFact(what="b", lost=("figure",))
    assert list(map(english, distinct_problems(("a", say("b")), (gap,), 3))) == ["a", "b"]
    problems = distinct_problems(("a", "b", "c", "d"), (), 2)
    assert english(problems[0]) == "a"
    assert says(problems[1], "and {count:number} more problem", count=3)
    assert len(problems) == 2


def test_evidence_kept_before_there_were_gaps_can_be_read() -> None:
    kept = an_evidence().model_dump(exclude={"gaps"})
    assert Evidence.model_validate(kept).gaps == ()


def built(*events: dict[str, Any], **keys: Any) -> Evidence:
    numbered = [{"n": number, "t": 0.0, "cell": 1, **event} for number, event in enumerate(events, 1)]
    return build_evidence(
        run=a_run(cell_map=(2,)),
        notebook={"cells": []},
        submitted=None,
        events=numbered,
        arrays=lambda _: {},
        indexes={},
        **keys,
    )


def test_gap_events_are_read() -> None:
    event = {"kind": "gap", "what": "KeyError: x", "hook": "FitWatch._begin", "lost": ["fit_start", "fit_end"]}
    evidence = built(event, {"kind": "end"})
    assert evidence.problems == ()
    assert evidence.gaps == (
        GapFact(event=1, cell=2, what="KeyError: x", hook="FitWatch._begin", lost=("fit_start", "fit_end")),
    )


def test_a_training_in_another_process_is_a_gap_that_names_the_program() -> None:
    event = {"kind": "gap", "what": "train.py", "hook": OTHER_PROCESS, "lost": ["fit_start", "kept"]}
    (gap,) = built(event, {"kind": "end"}).gaps
    id_ = "{cell:cell} started {program:code}, which trained a model; only the notebook's own process is recorded"
    assert describe_cause(gap) == say(id_, cell=2, program="train.py")
    assert "train.py" in english(describe_cause(gap.model_copy(update={"cell": None})))


@pytest.mark.parametrize("lost", [None, "fit_start", [1, 2], ["x"] * 1000, [["fit_start"]]])
def test_a_gap_that_does_not_say_what_it_lost_may_have_lost_anything(lost: object) -> None:
    (gap,) = built({"kind": "gap", "what": "x", "lost": lost}, {"kind": "end"}).gaps
    assert gap.lost == ALL_KINDS


def test_gaps_beyond_the_cap_are_counted() -> None:
    evidence = built(*[{"kind": "gap", "what": str(n), "hook": "h", "lost": ["figure"]} for n in range(1000)])
    assert len(evidence.gaps) < 320
    assert any(gap.lost == ALL_KINDS for gap in evidence.gaps)


@pytest.mark.parametrize(
    ("events", "keys", "lost"),
    [
        ([{"kind": "figure", "n": 0}, {"kind": "end"}], {}, ("figure",)),
        ([{"kind": "figure", "n": 0}, {"kind": 7}, {"kind": "end"}], {}, ALL_KINDS),
        ([], {}, ALL_KINDS),
        ([{"kind": "start"}], {}, ALL_KINDS),
        ([{"kind": "end"}], {"unread": ("3 lines of events.jsonl are not events",)}, ALL_KINDS),
    ],
)
def test_what_cannot_be_read_of_the_record_is_a_gap(
    events: list[dict[str, Any]], keys: dict[str, Any], lost: tuple[str, ...]
) -> None:
    evidence = built(*events, **keys)
    assert [gap.lost for gap in evidence.gaps] == [lost]
    assert evidence.problems == tuple(gap.what for gap in evidence.gaps)


def test_a_keras_that_could_not_be_hooked_is_a_gap() -> None:
    evidence = built({"kind": "unhooked", "package": "keras", "reason": "no name"}, {"kind": "end"})
    (gap,) = evidence.gaps
    assert "fit_start" in gap.lost
    assert "figure" not in gap.lost
