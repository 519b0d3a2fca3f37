"""The check `text`."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.checks import all_checks
from grader.checks.text import TextParams, text
from grader.facts.case import Case
from grader.facts.language import english
from grader.grading.grade import grade
from grader.schema.evidence import CellFact, Evidence, GapFact
from grader.schema.grade import Finding
from grader.schema.rubric import Rubric
from tests.support.factories import (
    a_case,
    a_cell,
    a_model,
    a_rubric,
    a_run,
    a_stamp,
    a_submission,
    an_error,
    an_evidence,
)
from tests.support.says import ids, says

EXPLANATION = "The network has two convolutional layers, then max pooling, and dropout against overfitting."


def judge(*cells: CellFact, **params: Any) -> Finding:
    return text(a_case(an_evidence(cells=cells)), TextParams.model_validate(params))


def prose(source: str, index: int = 1) -> CellFact:
    return a_cell(index, source, "markdown")


def test_enough_words_pass_and_the_cell_is_said() -> None:
    finding = judge(prose(EXPLANATION), min_words=13)
    assert finding.status == "passed"
    assert says(finding.message, "Your text has {count:number} word ({cells})", count=13)
    assert says(finding.message, "{cell:cell}", cell=1)


def test_too_few_words_fail() -> None:
    finding = judge(prose("*your answer here*"), min_words=20)
    assert finding.status == "failed"
    assert says(finding.message, "at least {count:number} word is required", count=20)


def test_a_placeholder_is_no_text() -> None:
    assert judge(prose("Why does it converge?\n\nYOUR ANSWER HERE"), min_words=5).status == "failed"
    assert judge(prose("YOUR ANSWER HERE"), min_words=1).status == "failed"


def test_code_and_its_comments_are_no_text() -> None:
    assert judge(a_cell(0, "# " + EXPLANATION), min_words=1).status == "failed"


def test_a_keyword_finds_the_words_that_begin_with_it() -> None:
    assert judge(prose(EXPLANATION), all=["convolution", "dropout"]).status == "passed"
    assert judge(prose(EXPLANATION), all=["normalization"]).status == "failed"
    assert judge(prose("unconvoluted"), all=["convolut"]).status == "failed"


def test_some_of_several_keywords_are_counted() -> None:
    assert judge(prose(EXPLANATION), any=["pooling", "dropout", "softmax"], any_at_least=2).status == "passed"
    finding = judge(prose(EXPLANATION), any=["pooling", "elu", "softmax"], any_at_least=2)
    assert says(
        finding.message,
        "it mentions only {mentioned} of these words, of which {required:number} are required: {words:list}",
        words=["pooling", "elu", "softmax"],
        mentioned=["pooling"],
        required=2,
    )


def test_only_passages_near_the_topic_count() -> None:
    cells = (prose(EXPLANATION, 0), a_cell(1), prose("# The curves", 2), prose("It falls quickly at first.", 3))
    finding = judge(*cells, near=["curve"])
    assert finding.measured["words"] == 7
    assert [p.cell for p in finding.evidence] == [2, 3]


def test_the_assignments_own_text_does_not_count() -> None:
    assignment = "Sketch the final network architecture in your report and explain the plots."
    finding = judge(prose(f"{assignment}\n\nMine has two layers."), template=assignment)
    assert finding.measured["words"] == 4


def test_the_text_of_the_rubrics_assignment_does_not_count_in_any_criterion() -> None:
    assignment = "Sketch the final network architecture in your report and explain the plots."
    rubric = a_rubric(template_text=["Another task has this text.", assignment])
    case = a_case(an_evidence(cells=(prose(f"{assignment}\n\nMine has two layers."),)), rubric)
    assert text(case, TextParams()).measured["words"] == 4
    more = TextParams(template="mine has two layers")
    assert text(case, more).measured["words"] == 0


def test_links_and_code_blocks_are_no_words() -> None:
    finding = judge(prose("see [the page](https://example.org/a-b-c) ```x = y + z``` <b>bold</b>"))
    assert finding.measured["words"] == 4


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("I stop if loss < 0.3 because accuracy > 0.9 is enough.", 8),
        ("Here 3<4 holds, and 4>3 too.", 4),
        ("~~~python\nmodel.fit(images, labels)\n~~~\nThree more words", 3),
        ("<style>\ntable { color: red }\n</style>\nThree more words", 3),
        ("<!-- Write the answer here -> --> Three more words", 3),
        (r"The rate $\frac{1}{2}$ halves", 3),
        ("We are ~~not~~ sure about this", 6),
    ],
)
def test_comparisons_are_text_and_other_languages_are_not(source: str, words: int) -> None:
    assert judge(prose(source), min_words=1).measured["words"] == words


def test_a_text_about_results_that_do_not_exist_can_earn_nothing() -> None:
    idle = Evidence(run=a_run(), cells=(prose(EXPLANATION),))
    assert text(a_case(idle), TextParams(min_words=5)).status == "passed"
    finding = text(a_case(idle), TextParams(min_words=5, not_empty=True))
    assert finding.status == "failed"
    assert "loads no data, creates no model and draws no figure" in english(finding.message)


@pytest.mark.parametrize(
    "unknown",
    [
        {"run": a_run(cells_run=0, cells_total=0)},
        {"run": a_run(status="timeout")},
        {"run": a_run(status="cell_error", errors=(an_error(),))},
        {"run": a_run(), "models": (a_model(),)},
    ],
)
def test_a_text_counts_if_nobody_knows_what_the_code_would_have_done(unknown: dict[str, Any]) -> None:
    evidence = Evidence(cells=(prose(EXPLANATION),), **unknown)
    assert text(a_case(evidence), TextParams(min_words=5, not_empty=True)).status == "passed"


def test_a_lost_model_leaves_the_text_about_it_to_a_person() -> None:
    lost = GapFact(what="the recorder failed", hook="ModelBook.note", lost=("model",))
    evidence = Evidence(run=a_run(), cells=(prose(EXPLANATION),), gaps=(lost,))
    rubric = a_rubric({"id": "text", "points": 2, "check": "text", "with": {"min_words": 5, "not_empty": True}})
    short = a_rubric({"id": "text", "points": 2, "check": "text", "with": {"min_words": 50, "not_empty": True}})
    assert [graded(evidence, one) for one in (rubric, short)] == ["pending", "failed"]


def graded(evidence: Evidence, rubric: Rubric) -> str:
    (line,) = grade(
        Case(evidence, rubric, {}),
        submission=a_submission(),
        stamp=a_stamp(),
        checks=all_checks(),
        diagnostics={},
        reference=None,
    ).criteria
    return line.status


PIXELS = "iVBORw0KGgo" + 3_000 * "a+Loss/curve9="


@pytest.mark.parametrize(
    "picture",
    [
        f"![image.png](data:image/png;base64,{PIXELS})",
        f"![image.png](data:image/png;base64,{PIXELS}"[:20_000],
        f'<img src="data:image/png;base64,{PIXELS}">',
        f'<img src="data:image/png;base64,{PIXELS}'[:20_000],
        f"data:image/svg+xml;utf8,{PIXELS}",
        "![image.png](attachment:3f2a9c.png)",
        "![a sketch of the network](https://example.org/sketch_(final).png)",
        f"![sketch][1]\n\n[1]: data:image/png;base64,{PIXELS}",
        PIXELS,
    ],
)
def test_a_pasted_picture_is_no_word(picture: str) -> None:
    finding = judge(prose(f"Curve of the loss\n{picture}"), any=["curve"])
    assert finding.measured["words"] == 4
    assert finding.measured["found"] == ["curve"]


def test_a_word_inside_a_pasted_picture_is_no_topic() -> None:
    finding = judge(prose(f"Here it is.\n![](data:image/png;base64,{PIXELS})"), near=["loss"])
    assert finding.measured["words"] == 0


def test_signs_that_open_no_picture_leave_the_text_after_them() -> None:
    finding = judge(prose("With a rate < 0.01 the loss falls [see below] (a little)!"))
    assert finding.measured["words"] == 10


@pytest.mark.parametrize("params", [{"min_words": -1}, {"all": [""]}, {"any_at_least": 0}])
def test_parameters_that_could_not_fail_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        TextParams.model_validate(params)


@given(st.text(max_size=300))
def test_what_was_handed_out_never_counts(given_text: str) -> None:
    assert judge(prose(given_text), template=given_text).measured["words"] == 0


GERMAN = (
    "Mein Netz besteht aus zwei Faltungsschichten, danach wird die Ausgabe flach gemacht, und eine vollverbundene "
    "Schicht liefert zehn Wahrscheinlichkeiten. Die kleinen Filter reichen, weil Striche kurz sind."
)
CHINESE = "本网络由两个卷积层、展平层、随机失活层和全连接层组成。卷积层用来提取局部特征。"


@pytest.mark.parametrize("source", [GERMAN, CHINESE])
def test_a_long_text_in_another_language_than_the_keywords_waits_for_a_person(source: str) -> None:
    finding = judge(prose(source), min_words=20, any=["pooling", "kernel"], near=["curve"], language="en")
    assert finding.status == "pending"
    assert "It does not seem to be English." in ids(finding.message)
    assert says(finding.message, "The required words are English: {words:or}.", words=["pooling", "kernel", "curve"])
    assert [p.cell for p in finding.evidence] == [1]


@pytest.mark.parametrize("source", [GERMAN, CHINESE])
def test_without_the_keywords_language_nothing_is_left_to_a_person(source: str) -> None:
    assert judge(prose(source), min_words=20, any=["pooling", "kernel"]).status == "failed"


def test_a_short_text_in_another_language_fails_as_any_other() -> None:
    assert judge(prose("Mein Netz."), min_words=20, any=["pooling"], language="en").status == "failed"


def test_an_english_text_without_the_keywords_fails() -> None:
    finding = judge(prose(EXPLANATION), min_words=5, any=["kernel"], language="en")
    assert (finding.status, finding.advice) == ("failed", "")


def test_a_text_in_another_language_with_the_keywords_passes() -> None:
    assert judge(prose(GERMAN), min_words=20, any=["filter"], language="en").status == "passed"


def test_chinese_characters_count_as_words() -> None:
    assert judge(prose("卷积层 and 池化")).measured["words"] == 6


def test_whoever_explains_in_comments_is_told_where_it_belongs() -> None:
    finding = judge(a_cell(0, f"# {EXPLANATION}\nx = 1\n# {EXPLANATION}"), min_words=10)
    assert finding.status == "failed"
    assert ids(finding.advice) == ["Comments in code do not count. Write explanations for the reader in a text cell."]


TOPICS = {
    "the size of kernels": ["large kernel", "huge"],
    "activations": ["softmax", "sigmoid"],
    "dropout": ["dropout"],
}


def test_subjects_are_addressed_by_any_of_their_words_and_counted_once() -> None:
    said = "Softmax and sigmoid stand in the wrong places, and the kernels are huge."
    assert judge(prose(said), topics=TOPICS, topics_at_least=2).status == "passed"
    finding = judge(prose(said), topics=TOPICS, topics_at_least=3)
    assert finding.status == "failed"
    assert says(
        finding.message,
        "it covers {covered:number} of {subjects:number} subjects ({names}), and {required:number} are required",
        covered=2,
        subjects=3,
        names=["the size of kernels", "activations"],
        required=3,
    )
    assert "dropout" not in english(finding.message)


def test_no_subject_at_all_is_said_without_naming_any() -> None:
    finding = judge(prose("Everything is fine."), topics=TOPICS)
    assert says(
        finding.message,
        "it covers none of {subjects:number} subjects ({required:number} required)",
        subjects=3,
        required=1,
    )


SECRET = {"all": ["xylem"], "any": ["phloem", "stoma"], "near": ["layer"], "topics": {"roots": ["cortex"]}}


@pytest.mark.parametrize("source", [EXPLANATION, "", f"{EXPLANATION} Xylem, phloem and cortex.", GERMAN])
@pytest.mark.parametrize("near", [["layer"], ["xylem"], []])
def test_students_see_no_expected_word(source: str, near: list[str]) -> None:
    finding = judge(prose(source), **(SECRET | {"near": near, "language": "en"}))
    assert finding.student is not None
    seen = finding.student.model_dump_json() + english(finding.student.says)
    assert [word for word in ("xylem", "phloem", "stoma", "roots", "cortex") if word in seen] == []
    assert "found" not in finding.student.measured


def test_students_see_how_many_expected_words_are_missing() -> None:
    finding = judge(prose(f"{EXPLANATION} Phloem."), **(SECRET | {"any_at_least": 2, "min_words": 50}))
    assert finding.student is not None
    assert english(finding.student.says) == (
        "Your text on this subject has 14 words (cell 2), but at least 50 words are required, it mentions 0 of 1 "
        "required terms, it mentions 1 of 2 expected terms, and 2 are required, and it covers 0 of 1 expected "
        "subjects, and 1 are required."
    )
    assert finding.student.measured == {"words": 14, "mentioned": 1, "cells": 1}


def test_without_expected_words_students_see_the_whole_finding() -> None:
    assert judge(prose(EXPLANATION), min_words=900).student is None
