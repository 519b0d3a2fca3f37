"""The report of one submission."""

import re
from collections.abc import Sequence
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from grader.report import page as page_module
from grader.report.page import render_report
from grader.schema.errors import StorageError
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
    order = ["criteria", "notes", "curves", "network", "comparison", "mistakes", "execution", "notebook"]
    places = [rich_page.index(f'<section id="{name}"') for name in order]
    assert places == sorted(places)


def test_the_head_says_the_score_and_what_is_pending(rich_page: str) -> None:
    head = _text(rich_page[rich_page.index("<header") : rich_page.index("</header>")])
    assert "Ada Lovelace 70.5 of 100 points" in head
    assert "20 points wait for a person and may still be added." in head
    assert "70.5 earned 20 waiting 9.5 missed" in head


def test_a_criterion_shows_verdict_points_figures_assurance_advice_and_cells(rich_page: str) -> None:
    start = rich_page.index('<li id="criterion-3"')
    item = rich_page[start : rich_page.index("</li>", start)]
    said = _text(item)
    assert "99 % on the MNIST test set Part of the points 34.5 of 40" in said
    assert "98.85 %, between" in said
    assert "What to do. A second convolution" in said
    assert "correct 1,977" in said
    assert "verified computed by the grader outside the notebook's process" in said
    assert '<a href="#cell-5">cell 5</a>, <a href="#cell-6">cell 6</a>' in item


def test_points_that_wait_are_not_written_as_zero(rich_page: str) -> None:
    start = rich_page.index('<li id="criterion-6"')
    assert "Waits for a person \u2013 of 20" in _text(rich_page[start : rich_page.index("</li>", start)])


def test_a_note_stands_in_the_list_and_beside_its_cell(rich_page: str) -> None:
    cell = rich_page[rich_page.index('id="cell-4"') : rich_page.index('id="cell-5"')]
    assert 'href="#note-1"' in cell
    assert 'href="#criterion-2"' in cell
    start = rich_page.index('<li id="note-1"')
    assert 'href="#cell-4"' in rich_page[start : rich_page.index("</li>", start)]


def test_the_comparison_says_the_paired_test_in_words(rich_page: str) -> None:
    part = _text(rich_page[rich_page.index('<section id="comparison"') : rich_page.index('<section id="mistakes"')])
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


def test_the_images_taken_for_something_else_are_shown(rich_page: str) -> None:
    part = rich_page[rich_page.index('<section id="mistakes"') : rich_page.index('<section id="execution"')]
    assert part.count("<img ") == 23
    assert "23 of 2,000 images of mnist/test" in _text(part)


def test_the_stop_by_the_grader_is_said_under_the_curves(rich_page: str) -> None:
    part = _text(rich_page[rich_page.index('<section id="curves"') : rich_page.index('<section id="network"')])
    assert "The grader stopped the training after epoch 12" in part


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
    assert 'id="mistakes"' not in page
    assert 'id="curves"' not in page


def test_predictions_that_do_not_fit_the_images_are_not_shown(rich: dict[str, Any]) -> None:
    images, labels = samples.digits(100)
    assert 'id="mistakes"' not in render_report(**(rich | {"images": {"mnist/test": (images, labels)}}))


def test_attempts_are_shown_with_their_spread_and_the_one_that_was_taken(several_page: str) -> None:
    part = several_page[several_page.index('<section id="attempts"') : several_page.index('<section id="execution"')]
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
    assert attack_page.count('<section id="criteria"') == 1
    assert attack_page.count('<li id="criterion-1"') == 1
    notebook = attack_page[attack_page.index('<section id="notebook"') :]
    assert "<h2" not in notebook.replace('<h2 id="notebook-h">', "")
    assert 'class="criterion' not in notebook


def test_the_same_grade_gives_the_same_page(rich: dict[str, Any], rich_page: str) -> None:
    assert render_report(**rich) == rich_page


@pytest.mark.parametrize(
    ("part", "heading", "function"),
    [
        ("the learning curves", "curves", "_curves"),
        ("the table of layers", "network", "_network"),
        ("the comparison with the reference solution", "comparison", "comparison_view"),
        ("the wrong predictions", "mistakes", "_predictions"),
        ("the notebook", "notebook", "notebook_cells"),
    ],
)
def test_a_part_that_fails_is_left_out_and_named(
    rich: dict[str, Any], monkeypatch: pytest.MonkeyPatch, part: str, heading: str, function: str
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise OverflowError

    before, heading = render_report(**rich), f'<section id="{heading}"'
    monkeypatch.setattr(page_module, function, fail)
    found = render_report(**rich)
    assert f"The grader could not show {part} (OverflowError). This does not affect the grade." in found
    assert heading in before
    assert heading not in found
    assert found.count('<li id="criterion-') == before.count('<li id="criterion-')


def test_missing_templates_are_an_error_with_advice(rich: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot read the report's report\.css"):
        render_report(**(rich | {"templates": tmp_path}))


def test_the_page_can_always_be_written_as_utf8(rich: dict[str, Any]) -> None:
    notebook = samples.notebook(samples.code("x = '\ud800'", samples.printed("\udfff")))
    render_report(**(rich | {"notebook": notebook})).encode()


def _text(html: str, *, unescape: bool = True) -> str:
    """The text that a reader sees, with normalized white space."""
    without = re.sub(r"<(style|title|desc|caption)[^>]*>.*?</\1>", " ", html, flags=re.DOTALL)
    plain = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", lambda tag: "" if _inline(tag[0]) else " ", without)).strip()
    return plain.replace("&#39;", "'").replace("&lt;", "<") if unescape else plain.replace("&#39;", "'")


def _inline(tag: str) -> bool:
    return re.fullmatch(r"</?(bdi|a|code|strong|em)\b[^>]*>", tag) is not None
