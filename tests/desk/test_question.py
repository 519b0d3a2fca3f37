"""One question over the class: without names, equal answers together, the same order each time."""

import re
from html import unescape

import pytest

from grader.desk.answers import Answers, Group, questions
from grader.desk.guard import Visitor
from grader.desk.question import comment_bank
from grader.desk.state import Desk, Draft
from grader.schema.judgement import Judgement
from tests.desk.conftest import STUDENTS, Browser
from tests.support.desk_class import a_desk


def groups(desk: Desk, criterion: str = "critique") -> tuple[Group, ...]:
    return Answers(desk).groups(desk.criteria[criterion])


def group_of(desk: Desk, submission: str, criterion: str = "critique") -> Group:
    return next(one for one in groups(desk, criterion) if submission in one.members)


def page(client: Browser, desk: Desk, submission: str, criterion: str = "critique", more: str = "") -> str:
    answer = client.get(f"/question/{criterion}?at={group_of(desk, submission, criterion).key}{more}")
    assert answer.status_code == 200
    return answer.text


def judge(client: Browser, desk: Desk, submission: str, points: str, comment: str = "") -> str:
    """Judge the group of a submission; return the address of the next page."""
    fields = {"at": group_of(desk, submission).key, "points": points, "comment": comment}
    answer = client.submit("/question/critique/judge", fields)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def judgements(desk: Desk) -> tuple[Judgement, ...]:
    return desk.file.read().judgements


def test_answers_that_say_the_same_are_one_group(desk: Desk) -> None:
    assert {frozenset(one.members) for one in groups(desk)} == {
        frozenset({"ada", "ben"}),
        frozenset({"cleo"}),
        frozenset({"dan", "emre"}),
    }
    assert {frozenset(one.members) for one in groups(desk, "curves")} >= {
        frozenset({"ada", "cleo"}),
        frozenset({"ben"}),
    }


def test_the_order_is_the_same_for_another_desk_and_not_that_of_names(desk: Desk) -> None:
    order = [one.key for one in groups(desk)]
    again = a_desk(desk.file.path.parent, desk.course)
    assert [one.key for one in groups(again)] == order
    keys = {one.key for one in groups(desk)} | {one.key for one in groups(desk, "curves")}
    assert not [key for key in keys for student in STUDENTS if student.id in key]


def test_the_questions_are_the_manual_criteria_and_those_that_wait(desk: Desk) -> None:
    assert [one.id for one in questions(desk)] == ["critique", "curves"]


def test_one_judgement_is_for_all_of_a_group_and_the_next_answer_opens(browser_client: Browser, desk: Desk) -> None:
    following = judge(browser_client, desk, "ada", "3,5", "Say why.")
    assert [(one.submission, one.points, one.comment, one.by) for one in judgements(desk)] == [
        ("ada", 3.5, "Say why.", "Mara"),
        ("ben", 3.5, "Say why.", "Mara"),
    ]
    assert len({one.at for one in judgements(desk)}) == 1
    assert len({one.notebook for one in judgements(desk)}) == 2
    assert group_of(desk, "ada").key not in following
    assert browser_client.get(following).status_code == 200
    text = browser_client.get("/question/critique").text
    assert "2 of 5 judged" in text


def test_after_the_last_answer_the_page_says_so(browser_client: Browser, desk: Desk) -> None:
    *_, location = [judge(browser_client, desk, submission, "1") for submission in ("ada", "cleo", "dan")]
    assert location == "/question/critique"
    assert "All 5 answers are judged" in browser_client.get(location).text
    again = browser_client.get("/question/critique?at=first").text
    assert "Judged by" in again


@pytest.mark.parametrize("points", ["", "x", "6", "-1", "nan", "inf", "1e400", "0x3", "٣٣"])
def test_impossible_points_are_refused(browser_client: Browser, desk: Desk, points: str) -> None:
    fields = {"at": group_of(desk, "ada").key, "points": points}
    assert browser_client.submit("/question/critique/judge", fields).status_code == 400
    assert judgements(desk) == ()


@pytest.mark.parametrize("key", ["", "ada", "0123456789abcdef"])
def test_an_unknown_answer_is_refused(browser_client: Browser, desk: Desk, key: str) -> None:
    answer = browser_client.submit("/question/critique/judge", {"at": key, "points": "1"})
    assert answer.status_code == 400
    assert "has changed" in answer.text
    assert judgements(desk) == ()


def test_an_unknown_criterion_has_no_page(browser_client: Browser) -> None:
    assert browser_client.get("/question/critic").status_code == 404
    assert browser_client.submit("/question/critic/judge", {"points": "1"}).status_code == 404


def test_saving_the_same_again_records_nothing(browser_client: Browser, desk: Desk) -> None:
    judge(browser_client, desk, "ada", "3", "ok")
    judge(browser_client, desk, "ada", "3", "ok")
    assert len(judgements(desk)) == 2
    judge(browser_client, desk, "ada", "3", "better")
    assert len(judgements(desk)) == 4


def test_a_judged_answer_shows_its_points_and_comment(browser_client: Browser, desk: Desk) -> None:
    judge(browser_client, desk, "ada", "2.5", "The 5 cm <b>\n</textarea>are wrong")
    text = page(browser_client, desk, "ada")
    assert 'value="2.5"' in text
    found = re.search(r"<textarea[^>]*>(.*?)</textarea>", text, re.DOTALL)
    assert found
    assert unescape(found[1]) == "The 5 cm <b>\n</textarea>are wrong"


@pytest.mark.parametrize("criterion", ["critique", "curves"])
@pytest.mark.parametrize("more", ["", "&all=1"])
def test_no_name_and_no_id_is_on_the_page(browser_client: Browser, desk: Desk, criterion: str, more: str) -> None:
    for one in STUDENTS:
        if not any(one.id in group.members for group in groups(desk, criterion)):
            continue
        text = page(browser_client, desk, one.id, criterion, more)
        assert not [name for other in STUDENTS for name in (other.name, other.name.split()[1]) if name in text]
        assert not re.search(rf"\b(?:{'|'.join(other.id for other in STUDENTS)})\b", text)


def test_one_key_shows_the_names(browser_client: Browser, desk: Desk) -> None:
    text = page(browser_client, desk, "ada", more="&names=1")
    assert "Ada Abara" in text
    assert "Ben Berg" in text
    assert 'href="/submission/ada"' in text


def test_only_the_cells_of_the_answer_are_shown(browser_client: Browser, desk: Desk) -> None:
    text = page(browser_client, desk, "cleo")
    assert "The softmax is hidden." in text
    assert "The validation loss rises" not in text
    everything = page(browser_client, desk, "cleo", more="&all=1")
    assert "The validation loss rises" in everything
    assert "Names the flaws of the first model." in text


def test_an_answer_that_is_split_off_is_judged_alone(browser_client: Browser, desk: Desk) -> None:
    group = group_of(desk, "ada")
    member = str(group.members.index("ben"))
    answer = browser_client.submit("/question/critique/split", {"at": group.key, "member": member})
    own = answer.headers["location"]
    assert browser_client.get(own).status_code == 200
    found = re.search("at=([0-9a-f]+)", own)
    assert found
    answer = browser_client.submit("/question/critique/judge", {"at": found[1], "points": "1"})
    assert answer.status_code == 303
    assert [one.submission for one in judgements(desk)] == ["ben"]
    assert browser_client.submit("/question/critique/split", {"at": group.key, "member": "7"}).status_code == 400


def test_flags_of_a_group_can_be_set_and_removed(browser_client: Browser, desk: Desk) -> None:
    group = group_of(desk, "ada")
    assert (
        browser_client.submit("/question/critique/flag", {"at": group.key, "why": " who is\nright? "}).status_code
        == 303
    )
    assert [flag.why for flag in desk.grade("ben").flags] == ["who is right?"]
    assert "who is right?" in page(browser_client, desk, "ada")
    browser_client.submit("/question/critique/flag", {"at": group.key, "remove": "1"})
    assert desk.grade("ada").flags == ()


def test_undo_leads_back_to_the_answer(browser_client: Browser, desk: Desk) -> None:
    following = judge(browser_client, desk, "ada", "3")
    answer = browser_client.submit("/undo", {"then": following})
    assert answer.headers["location"].endswith(group_of(desk, "ada").key)
    assert group_of(desk, "ada").waiting == ("ada", "ben")


def test_used_comments_are_offered_the_most_used_first(browser_client: Browser, desk: Desk) -> None:
    judge(browser_client, desk, "cleo", "1", "Name more flaws.")
    judge(browser_client, desk, "dan", "0", "There is no answer.")
    judge(browser_client, desk, "ada", "4", "Name more flaws.")
    fields = {"at": group_of(desk, "ben", "curves").key, "points": "4", "comment": "Other"}
    browser_client.submit("/question/curves/judge", fields)
    assert comment_bank(desk, "critique") == (("Name more flaws.", 2), ("There is no answer.", 1))
    assert "There is no answer." in page(browser_client, desk, "ada")


def test_an_answer_that_somebody_holds_is_passed_over_and_cannot_be_saved(desk: Desk, browser_client: Browser) -> None:
    first = groups(desk)[0]
    assert desk.holds.take(f"critique/{first.key}", "theo-id", "Theo") is None
    text = browser_client.get("/question/critique").text
    assert f'value="{groups(desk)[1].key}"' in text
    held = browser_client.get(f"/question/critique?at={first.key}").text
    assert "Theo</bdi> is judging this answer" in held
    answer = browser_client.submit("/question/critique/judge", {"at": first.key, "points": "1"})
    assert answer.status_code == 400
    assert "Theo is judging this answer" in answer.text
    assert browser_client.submit("/hold", {"key": f"critique/{first.key}", "force": "1"}).json() == {"held": None}
    assert browser_client.submit("/question/critique/judge", {"at": first.key, "points": "1"}).status_code == 303


def test_a_submission_that_was_not_graded_is_no_answer(desk: Desk, browser_client: Browser) -> None:
    stored = desk.out.read_grade("cleo")
    assert stored is not None
    desk.out.write_grade(stored.model_copy(update={"status": "not_graded", "score": None, "criteria": ()}))
    assert all("cleo" not in one.members for one in groups(desk))
    assert browser_client.get("/question").status_code == 200


@pytest.mark.parametrize("damage", ["missing", "json", "list"])
def test_a_damaged_notebook_does_not_stop_the_class(desk: Desk, browser_client: Browser, damage: str) -> None:
    path = desk.out.executed_path("cleo")
    path.unlink() if damage == "missing" else path.write_text("[]" if damage == "list" else "{", encoding="utf-8")
    assert "cannot be read" in page(browser_client, desk, "cleo")
    (desk.out.evidence_folder("cleo") / "evidence.json").write_text("{", encoding="utf-8")
    assert group_of(desk, "cleo").members == ("cleo",)
    assert browser_client.get("/question/critique").status_code == 200


def test_answers_that_cannot_be_read_are_not_judged_together(desk: Desk) -> None:
    for name in ("dan", "emre"):
        (desk.out.evidence_folder(name) / "evidence.json").unlink()
    assert group_of(desk, "dan").members == ("dan",)
    assert group_of(desk, "emre").members == ("emre",)


def test_an_override_elsewhere_is_seen_here(desk: Desk, browser_client: Browser) -> None:
    desk.record(Visitor("t", "c", "Theo"), [Draft("cleo", "override", "critique", points=5, why="seen")])
    assert group_of(desk, "cleo").waiting == ()
    assert "Judged by <bdi>Theo" in page(browser_client, desk, "cleo")
