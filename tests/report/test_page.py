"""The report of one submission."""

import gc
import re
import weakref
from collections.abc import Sequence
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from grader.facts.language import english, language
from grader.report import notebook as notebook_module
from grader.report import page as page_module
from grader.report import results as results_module
from grader.report.bars import points_bar
from grader.report.page import render_report
from grader.schema.errors import StorageError
from grader.schema.grade import AUDIENCES, CriterionGrade
from grader.schema.message import say
from tests.report import samples

VOID = {"br", "hr", "img", "meta", "link", "input", "circle", "path", "line", "rect"}


class Outline(HTMLParser):
    """The structure of a page as a browser parses it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.addresses: list[str] = []
        self.headings: list[int] = []
        self.images: list[dict[str, str | None]] = []
        self.attributes: set[str] = set()
        self.labelled: list[str] = []
        self.tables: list[bool] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        assert len(given) == len(attrs), f"an attribute of {tag} is given twice"
        self.tags.append(tag)
        self.attributes |= set(given)
        if given.get("id"):
            self.ids.append(str(given["id"]))
        self.labelled += (given.get("aria-labelledby") or "").split()
        href = given.get("href") or ""
        (self.targets if href.startswith("#") else self.addresses).append(href.removeprefix("#"))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "img":
            self.images.append(given)
        if tag == "table":
            self.tables.append("measured" in (given.get("class") or "") or False)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open, f"</{tag}> closes nothing"
            assert self.open.pop() == tag


PAGES: Sequence[str] = ("rich_page", "several_page", "attack_page", "ungraded_page")


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> str:
    """Each kind of page in turn."""
    return str(request.getfixturevalue(request.param))


def test_every_tag_is_closed_where_it_was_opened(page: str) -> None:
    assert Outline(page).open == []


def test_no_page_has_a_script_a_style_attribute_or_a_handler(page: str) -> None:
    outline = Outline(page)
    assert not {"script", "iframe", "object", "embed", "form", "base", "link"} & set(outline.tags)
    assert outline.tags.count("style") == 1
    assert "style" not in outline.attributes
    assert not [name for name in outline.attributes if name.startswith("on")]


def test_the_policy_comes_before_anything_it_governs_and_allows_only_the_page_s_own_style(page: str) -> None:
    policy = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">', page)
    assert policy
    assert policy.start() < page.index("<style>")
    assert "default-src &#39;none&#39;; img-src data:; style-src &#39;sha256-" in policy[1]
    assert "unsafe" not in policy[1]


def test_headings_never_skip_a_level(page: str) -> None:
    levels = Outline(page).headings
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_every_image_has_a_text_and_stands_in_the_page(page: str) -> None:
    for image in Outline(page).images:
        assert image["alt"]
        assert (image["src"] or "").startswith(("data:image/png;base64,", "data:image/jpeg;base64,"))


def test_ids_are_unique_and_every_link_within_the_page_has_its_target(page: str) -> None:
    outline = Outline(page)
    assert len(outline.ids) == len(set(outline.ids))
    assert set(outline.targets) | set(outline.labelled) <= set(outline.ids)


def test_every_other_address_is_a_plain_web_link(page: str) -> None:
    assert all(address.startswith(("https://", "http://")) for address in Outline(page).addresses if address)


def test_the_parts_come_in_the_order_a_reader_needs_them(rich_page: str) -> None:
    order = ["improve", "waiting", "full", "notes", "results", "comparison", "notebook", "execution"]
    places = [rich_page.index('<section class="begin"'), *(rich_page.index(f'<section id="{name}"') for name in order)]
    assert places == sorted(places)


def test_the_head_says_the_score_so_far_and_what_a_person_reads(rich_page: str) -> None:
    head = _text(rich_page[rich_page.index("<header") : rich_page.index("</header>")])
    assert "Ada Lovelace 70.5 of 80 points so far" in head
    assert "20 more points are open: a person reads 1 answer." in head
    assert "70.5 earned 20 open 9.5 missed" in head


def test_each_piece_of_the_points_bar_is_a_link_to_its_criterion(rich_page: str) -> None:
    bar = rich_page[rich_page.index('<svg class="points-bar linked"') : rich_page.index('<ul class="totals"')]
    links = re.findall(r'<a href="#(criterion-\d)" aria-label="([^"]+)"', bar)
    assert links[2] == ("criterion-3", "99 % on the MNIST test set: 34.5 of 40 points")
    assert len(links) == 7
    assert ">34.5 of 40</text>" in bar


def test_a_wide_piece_of_the_points_bar_has_a_short_title_in_the_language_of_the_page() -> None:
    wide = {"id": "golf", "title": "Right size", "points": 43.5, "max_points": 65, "status": "partial", "message": ""}
    narrow = {
        "id": "rest",
        "title": "The rest of it",
        "points": 0,
        "max_points": 35,
        "status": "pending",
        "message": "",
    }
    criteria = [CriterionGrade.model_validate(one) for one in (wide, narrow)]
    english_bar, german_bar = (str(points_bar(criteria, 100, language(code))) for code in ("en", "de"))
    labels = [re.findall(r'class="bar-label"[^>]*>([^<]+)<', bar) for bar in (english_bar, german_bar)]
    assert labels == [["Right size: 43.5 of 65", "35 open"], ["Right size: 43,5 von 65", "35 offen"]]


def test_the_first_box_names_the_step_that_brings_most_points(rich_page: str) -> None:
    box = _text(_section(rich_page, "begin", by="class"))
    assert "Begin with cell 6 +5.5 points" in box
    assert "99 % on the MNIST test set" in box
    assert "This brings up to 5.5 of the 9.5 missing points." in box
    steps = _text(_section(rich_page, "steps", by="class"))
    assert "+4 The learning curves are plotted The plotted line is" in steps


def test_nothing_of_a_rendered_page_waits_for_a_collection_of_garbage(rich: dict[str, Any]) -> None:
    inputs = {name: rich[name].model_copy() for name in ("grade", "evidence", "reference")}
    alive = [weakref.ref(document) for document in inputs.values()]
    gc.disable()
    try:
        for audience in AUDIENCES:
            render_report(**rich | inputs, audience=audience)
        inputs.clear()
        assert [document() for document in alive] == [None, None, None]
    finally:
        gc.enable()


def test_the_cause_of_several_criteria_is_reported_once(rich: dict[str, Any]) -> None:
    page = render_report(**(rich | {"grade": samples.failing_grade()}))
    box = _text(_section(page, "begin", by="class"))
    assert "Begin with cell 4 +100 points" in box
    assert "2 criteria and 100 of the 100 missing points depend on this." in box
    assert "modle.fit(x)" in box
    improve = _section(page, "improve")
    assert improve.count("depend on this") == 1
    assert improve.count('<li id="criterion-') == 2


def test_a_criterion_shows_points_message_advice_code_and_cells(rich_page: str) -> None:
    start = rich_page.index('<li id="criterion-3"')
    item = rich_page[start : rich_page.index("</li>", start)]
    said = _text(item)
    assert "99 % on the MNIST test set Part of the points 34.5 of 40" in said
    assert "98.85 %, between" in said
    assert "A second convolution" in said
    assert "correct 1,977" in said
    assert said.index("How this was measured") < said.index("correct 1,977")
    assert '<a href="#cell-5">cell 5</a>, <a href="#cell-6">cell 6</a>' in item


def test_measured_values_have_the_labels_and_units_of_the_check(rich: dict[str, Any]) -> None:
    grade = rich["grade"]
    labels = {"accuracy": {"says": {"id": "Accuracy", "values": {}}, "form": "percent"}}
    labelled = CriterionGrade.model_validate(grade.criteria[2].model_dump() | {"measured_labels": labels})
    page = render_report(
        **(
            rich
            | {"grade": grade.model_copy(update={"criteria": (*grade.criteria[:2], labelled, *grade.criteria[3:])})}
        )
    )
    start = page.index('<table class="measured"', page.index('<li id="criterion-3"'))
    assert _text(page[start : page.index("</table>", start)]) == "Accuracy 98.85 %"


def test_steps_are_a_checklist(rich: dict[str, Any]) -> None:
    steps = [
        {"step": "freeze", "holds": True, "seen": "2 layers were frozen"},
        {
            "step": "fit",
            "holds": False,
            "seen": "no training",
            "says": {"id": "`{model:raw}` rests", "values": {"model": "net"}},
        },
    ]
    grade = rich["grade"]
    criterion = grade.criteria[2].model_copy(update={"measured": {"steps": steps}})
    page = render_report(**(rich | {"grade": grade.model_copy(update={"criteria": (criterion,)})}))
    part = page[page.index('<ol class="checklist">') : page.index("</ol>", page.index('<ol class="checklist">'))]
    assert _text(part) == "freeze : done. 2 layers were frozen fit : missing. net rests"


def test_full_marks_take_one_line_with_the_rest_folded(rich_page: str) -> None:
    part = _section(rich_page, "full")
    assert part.count("<li ") == part.count("<details><summary>") == 4
    assert "All 8 code cells ran" in part


def test_the_meaning_of_an_assurance_is_given_once(rich_page: str) -> None:
    body = rich_page[rich_page.index("<body") :]
    legend = body[body.index('<dl class="assurances">') : body.index("</dl>", body.index('<dl class="assurances">'))]
    assert "computed by the grader outside" in _text(legend)
    assert _text(body).count("recorded while the notebook ran") == 1


def test_points_that_wait_are_not_written_as_zero(rich_page: str) -> None:
    start = rich_page.index('<li id="criterion-6"')
    assert "\u2013 of 20" in _text(rich_page[start : rich_page.index("</li>", start)])


def test_a_guide_is_only_for_the_person_who_reads(rich: dict[str, Any]) -> None:
    guide = say("A person has to judge this: {guide}", guide="Names three flaws.")
    grade = rich["grade"]
    criteria = (*grade.criteria[:5], grade.criteria[5].model_copy(update={"says": guide, "message": english(guide)}))
    inputs = rich | {"grade": grade.model_copy(update={"criteria": criteria})}
    assert "Names three flaws." in render_report(**inputs)
    assert "Names three flaws." not in render_report(**inputs, audience="student")


def test_a_note_stands_in_the_list_and_beside_its_cell(rich_page: str) -> None:
    cell = rich_page[rich_page.index('id="cell-4"') : rich_page.index('id="cell-5"')]
    assert 'href="#note-1"' in cell
    assert 'href="#criterion-3"' in rich_page[rich_page.index('id="cell-5"') : rich_page.index('id="cell-6"')]
    start = rich_page.index('<div id="note-1"')
    note = rich_page[start : rich_page.index("</div>", start)]
    assert 'href="#cell-4"' in note
    assert "keras.losses.SparseCategoricalCrossentropy(from_logits=True)" in note


def test_cells_without_notes_are_folded(rich_page: str) -> None:
    notebook = _section(rich_page, "notebook")
    assert '<details id="cell-2" class="cell folded code">' in notebook
    assert '<div id="cell-4" class="cell code">' in notebook
    assert '<div id="cell-10" class="cell code failed">' in notebook


def test_the_comparison_says_the_paired_test_in_words(rich_page: str) -> None:
    part = _text(_section(rich_page, "comparison"))
    assert (
        "only the submission classifies correctly: 6. Images that only the reference classifies correctly: 15." in part
    )
    assert "can be due to chance (McNemar's exact test: p = 0.078)" in part
    assert "Epochs trained 12 8" in part


def test_a_difference_beyond_chance_is_said_to_be_one(rich: dict[str, Any]) -> None:
    test = {"mcnemar": {"student_only": 3, "reference_only": 60, "p_value": 1e-14}}
    page = render_report(**(rich | {"grade": samples.rich_grade({"accuracy": {"mnist/test": test}})}))
    assert (
        "The reference is better, and chance does not explain the difference (McNemar's exact test: p &lt; 0.001)."
        in _text(page, unescape=False)
    )


def test_mistakes_are_shown_by_pair_with_few_images(rich_page: str) -> None:
    part = _part(rich_page, "mistakes")
    assert "23 of 2,000 images of mnist/test" in _text(part)
    pairs = re.findall(r"<li><p>.*?</li>", part, re.DOTALL)
    assert 1 <= len(pairs) <= 6
    assert all(1 <= pair.count("<img ") <= 4 for pair in pairs)


def test_the_stop_by_the_grader_is_said_under_the_curves(rich_page: str) -> None:
    assert "The grader stopped the training after epoch 12" in _text(_part(rich_page, "curves"))


def test_the_legend_names_only_curves_that_are_drawn(rich: dict[str, Any]) -> None:
    fits = [fit.model_copy(update={"history": {"accuracy": (0.5, 0.7)}}) for fit in rich["evidence"].fits]
    evidence = rich["evidence"].model_copy(update={"fits": tuple(fits)})
    page = render_report(**(rich | {"evidence": evidence, "reference": None}))
    legend = page[page.index('<ul class="legend"') : page.index("</ul>", page.index('<ul class="legend"'))]
    assert _text(legend) == "submission, training"


def test_each_role_with_a_model_has_a_tab(rich: dict[str, Any], rich_page: str) -> None:
    grade = rich["grade"]
    other = grade.models[0].model_copy(update={"id": "m2", "name": "second", "roles": ("scratch",)})
    page = render_report(**(rich | {"grade": grade.model_copy(update={"models": (*grade.models, other)})}))
    assert re.findall(r'id="(tab-m\d)" class="tab"( checked)?><label for="(tab-m\d)"><bdi>(\w+)', page) == [
        ("tab-m1", " checked", "tab-m1", "cnn"),
        ("tab-m2", "", "tab-m2", "scratch"),
    ]
    assert page.count('class="tab-panel"') == 2
    assert 'type="radio"' not in rich_page


def test_the_model_is_drawn_next_to_the_reference(rich: dict[str, Any], rich_page: str) -> None:
    part = _part(rich_page, "network")
    assert part.count('class="plot diagram"') == 2
    private = rich | {"grade": rich["grade"].model_copy(update={"reference": None})}
    assert render_report(**private, audience="student").count('class="plot diagram"') == 1


@pytest.mark.parametrize(
    ("earned", "expected", "german"),
    [
        (
            4.0,
            "The score includes 4 of 10 possible bonus points. They come on top of the 100 points,",
            "Die Punktzahl enthält 4 von 10 möglichen Bonuspunkten.",
        ),
        (
            0.0,
            "Up to 10 bonus points are possible on top of the 100 points. They are not needed for full marks.",
            "Zusätzlich zu den 100 Punkten sind bis zu 10 Bonuspunkte möglich.",
        ),
    ],
)
def test_the_head_explains_bonus_points(rich: dict[str, Any], earned: float, expected: str, german: str) -> None:
    grade = rich["grade"]
    first = grade.criteria[0]
    bonus = first.model_copy(update={"id": "extra", "bonus": True, "points": earned, "max_points": 10.0})
    changed = grade.model_copy(update={"criteria": (*grade.criteria, bonus)})
    assert changed.max_score == 100
    assert expected in _text(render_report(**(rich | {"grade": changed})))
    assert german in _text(render_report(**(rich | {"grade": changed, "language": language("de")})))


def test_a_report_without_bonus_criteria_does_not_mention_them(rich_page: str) -> None:
    assert "bonus" not in _text(rich_page)


def test_a_submission_that_was_not_graded_has_a_reason_and_no_score(ungraded_page: str) -> None:
    said = _text(ungraded_page[ungraded_page.index("<body") :])
    assert "Not graded yet" in said
    assert "the sandbox did not start: no space left on device" in said
    assert "The next run tries it again." in said
    assert "of 100" not in said


def test_a_student_does_not_see_hidden_criteria(rich: dict[str, Any], rich_page: str) -> None:
    page = render_report(**rich, audience="student")
    assert "The test set was left alone" in rich_page
    for trace in ("The test set was left alone", "No test image was trained on", "test rows", "hidden from students"):
        assert trace not in page


def test_a_report_without_evidence_notebook_or_images_still_shows_the_grade(rich: dict[str, Any]) -> None:
    page = render_report(**(rich | {"evidence": None, "reference": None, "notebook": None, "images": {}}))
    outline = Outline(page)
    assert set(outline.targets) <= set(outline.ids)
    assert "Seen in cell 4." in _text(page)
    assert 'data-part="mistakes"' not in page
    assert 'data-part="curves"' not in page


def test_predictions_that_do_not_fit_the_images_are_not_shown(rich: dict[str, Any]) -> None:
    images, labels = samples.digits(100)
    assert 'data-part="mistakes"' not in render_report(**(rich | {"images": {"mnist/test": (images, labels)}}))


def test_attempts_are_shown_with_their_spread_and_the_one_that_was_taken(several_page: str) -> None:
    part = _section(several_page, "attempts")
    said = _text(part)
    assert "Attempt 2 was taken, the best of 3." in said
    assert "Attempt 3 was not graded: the kernel did not start." in said
    assert "2 selected 70.5 98.85 %" in said
    assert "3 \u2013 \u2013 9 \u2013 not graded" in said
    assert "Range 61 to 70.5 97.8 % to 98.85 %" in said
    assert 'id="attempts-plot-title"' in part
    head = _text(several_page[several_page.index("<header") : several_page.index("</header>")])
    assert "This page shows attempt 2 of 4. The 3 graded attempts score from 61 to 70.5." in head


def test_one_execution_has_no_section_on_attempts(rich_page: str) -> None:
    assert "attempts" not in rich_page[rich_page.index("<body") :].lower()


def test_a_borderline_criterion_says_that_a_person_should_look(several_page: str, rich_page: str) -> None:
    start = several_page.index('<li id="criterion-3"')
    item = _text(several_page[start : several_page.index("</li>", start)])
    assert "99 % on the MNIST test set borderline: a person should look Part of the points 34.5 of 40" in item
    assert "borderline" not in rich_page[rich_page.index("<body") :]


def test_a_student_s_text_cannot_close_the_frame_it_stands_in(attack_page: str) -> None:
    assert attack_page.count('<section id="improve"') == 1
    assert attack_page.count('<li id="criterion-1"') == 1
    notebook = _section(attack_page, "notebook")
    assert "<h2" not in notebook.replace('<h2 id="notebook-h">', "")
    assert 'class="criterion' not in notebook


def test_the_same_grade_gives_the_same_page(rich: dict[str, Any], rich_page: str) -> None:
    assert render_report(**rich) == rich_page


@pytest.mark.parametrize(
    ("part", "mark", "module", "function"),
    [
        ("the learning curves", 'data-part="curves"', results_module, "learning_curves"),
        ("the diagram of the layers", 'data-part="network"', results_module, "diagram"),
        ("the comparison with the reference solution", '<section id="comparison"', page_module, "comparison_view"),
        ("the wrong predictions", 'data-part="mistakes"', results_module, "confusion"),
        ("the notebook", '<section id="notebook"', notebook_module, "notebook_cells"),
    ],
)
def test_a_part_that_fails_is_left_out_and_named(  # noqa: PLR0913, PLR0917
    rich: dict[str, Any], monkeypatch: pytest.MonkeyPatch, part: str, mark: str, module: Any, function: str
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise OverflowError

    before = render_report(**rich)
    monkeypatch.setattr(module, function, fail)
    found = render_report(**rich)
    assert f"The grader could not show {part} (OverflowError). This does not affect the grade." in found
    assert mark in before
    assert mark not in found
    assert found.count('<li id="criterion-') == before.count('<li id="criterion-')


def test_missing_templates_are_an_error_with_advice(rich: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot read the report's report\.css"):
        render_report(**(rich | {"templates": tmp_path}))


def test_the_page_can_always_be_written_as_utf8(rich: dict[str, Any]) -> None:
    notebook = samples.notebook(samples.code("x = '\ud800'", samples.printed("\udfff")))
    render_report(**(rich | {"notebook": notebook})).encode()


def _section(page: str, name: str, *, by: str = "id") -> str:
    """A section of the page, by its id or its class."""
    start = page.index(f'<section {by}="{name}"')
    return page[start : page.index("</section>", start)]


def _part(page: str, name: str) -> str:
    """A part of a model's results, up to the next part."""
    start = page.index(f'data-part="{name}"')
    ends = [at for at in (page.find("data-part=", start + 10), page.find("</section>", start)) if at > 0]
    return page[start : min(ends)]


def _text(html: str, *, unescape: bool = True) -> str:
    """The text that a reader sees, with normalized white space."""
    without = re.sub(r"<(style|title|desc|caption)[^>]*>.*?</\1>", " ", html, flags=re.DOTALL)
    plain = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", lambda tag: "" if _inline(tag[0]) else " ", without)).strip()
    return plain.replace("&#39;", "'").replace("&lt;", "<") if unescape else plain.replace("&#39;", "'")


def _inline(tag: str) -> bool:
    return re.fullmatch(r"</?(bdi|a|code|strong|em)\b[^>]*>", tag) is not None
