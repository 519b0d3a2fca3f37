"""The first view lists everything that waits for a person, in the order in which it is opened."""

from collections.abc import Iterator, Mapping

import pytest

from grader.desk import needs
from grader.desk.guard import Visitor
from grader.desk.needs import Need, needs_of
from grader.desk.state import Desk, Draft
from grader.schema.grade import Grade
from tests.desk.conftest import Browser


def test_answers_wait_by_criterion(desk: Desk) -> None:
    found = needs_of(desk)
    assert [(one.kind, one.href, one.number) for one in found] == [
        ("answer", "/question/critique", 5),
        ("answer", "/question/curves", 5),
    ]


def test_every_kind_is_listed_with_requests_first(desk: Desk, browser_client: Browser) -> None:
    mara = Visitor("m", "c", "Mara")
    desk.record(
        mara,
        [
            Draft("ada", "request", "critique", why="Why?", by="Ada Abara"),
            Draft("ben", "flag", why="Odd."),
            Draft("cleo", "points", "critique", points=1),
        ],
    )
    border = desk.out.read_grade("dan")
    failed = desk.out.read_grade("emre")
    other = desk.out.read_grade("cleo")
    assert border is not None
    assert failed is not None
    assert other is not None
    first = border.criteria[0].model_copy(update={"borderline": True})
    desk.out.write_grade(border.model_copy(update={"criteria": (first, *border.criteria[1:])}))
    desk.out.write_grade(
        failed.model_copy(update={"status": "not_graded", "score": None, "reason": "the disk is full"})
    )
    stamp = other.submission.model_copy(update={"sha256": "2" * 64})
    desk.out.write_grade(other.model_copy(update={"submission": stamp}))
    kinds = list(dict.fromkeys(one.kind for one in needs_of(desk)))
    assert kinds == ["request", "review", "answer", "ungraded", "flag", "borderline"]
    text = browser_client.get("/").text
    assert [word for word in ("Why?", "Odd.", "the disk is full", "another notebook") if word not in text] == []
    (doubt,) = [one for one in needs_of(desk) if one.kind == "borderline"]
    assert doubt.href == "/submission/dan?criterion=runs#borderline"
    assert 'href="/submission/ada#requests" data-key="n Enter"' in text


def test_an_excused_submission_that_was_not_graded_waits_for_nobody(desk: Desk) -> None:
    failed = desk.out.read_grade("emre")
    assert failed is not None
    desk.out.write_grade(
        failed.model_copy(update={"status": "not_graded", "score": None, "reason": "x", "criteria": ()})
    )
    assert [one.title for one in needs_of(desk) if one.kind == "ungraded"] == ["Emre Eze"]
    desk.record(Visitor("m", "c", "Mara"), [Draft("emre", "excuse", why="Ill.")])
    assert [one for one in needs_of(desk) if one.kind == "ungraded"] == []


def test_nothing_waits_when_all_is_judged(desk: Desk, browser_client: Browser) -> None:
    desk.record(
        Visitor("m", "c", "Mara"),
        [Draft(name, "points", criterion, points=1) for name in desk.grades() for criterion in ("critique", "curves")],
    )
    assert needs_of(desk) == ()
    assert "Nothing waits for a person in this class of 5" in browser_client.get("/").text


def test_another_view_can_add_its_items(desk: Desk, browser_client: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    def pairs(_desk: Desk, grades: Mapping[str, Grade]) -> Iterator[Need]:
        yield Need("similar", f"{min(grades)} and {max(grades)}", "/similar")

    monkeypatch.setattr(needs, "PROVIDERS", [*needs.PROVIDERS, pairs])
    assert needs_of(desk)[-1].kind == "similar"
    assert "ada and emre" in browser_client.get("/").text
