"""A student's HTML and Markdown."""

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.report.images import ImageBudget
from grader.report.sanitise import Pictures, safe_html, safe_markdown
from tests.report import samples

HARMLESS = {
    "a", "abbr", "b", "blockquote", "br", "caption", "code", "dd", "del", "div", "dl", "dt", "em", "h4", "hr",
    "i", "img", "ins", "kbd", "li", "mark", "ol", "p", "pre", "s", "samp", "small", "span", "strong", "sub",
    "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul", "var",
}  # fmt: skip
ATTRIBUTES = {"class", "href", "rel", "src", "alt", "colspan", "rowspan", "tabindex", "role", "aria-label"}


def _pictures(**attachments: str) -> Pictures:
    return Pictures(ImageBudget(), attachments, 2)


class _Inspector(HTMLParser):
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in HARMLESS
        for name, value in attrs:
            assert name in ATTRIBUTES
            if name == "href":
                assert (value or "").lower().startswith(("http://", "https://"))
            if name == "src":
                assert (value or "").startswith(("data:image/png;base64,", "data:image/jpeg;base64,"))


def _inspect(html: str) -> None:
    inspector = _Inspector()
    inspector.feed(html)
    inspector.close()


@pytest.mark.parametrize("attack", samples.ATTACKS)
@pytest.mark.parametrize("render", [safe_html, safe_markdown])
def test_no_attack_leaves_a_harmful_tag_or_attribute(attack: str, render: object) -> None:
    assert callable(render)
    _inspect(str(render(attack, _pictures())))


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from([*samples.ATTACKS[:24], "<", ">", '"', "'", "`", "\n", "](", "![", "<table><tr><td>", "</"]),
        max_size=6,
    )
)
def test_no_mixture_of_attacks_leaves_a_harmful_tag_or_attribute(pieces: list[str]) -> None:
    _inspect(str(safe_html("".join(pieces), _pictures())))
    _inspect(str(safe_markdown("".join(pieces), _pictures())))


def test_a_pandas_table_keeps_its_cells_and_loses_its_style() -> None:
    html = str(safe_html(samples.PANDAS, _pictures()))
    assert "<td>0.9071</td>" in html
    assert "vertical-align" not in html
    assert 'aria-label="Table in cell 3"' in html


def test_headings_of_a_student_cannot_stand_beside_those_of_the_report() -> None:
    html = str(safe_markdown("# Full marks\n\n<h2 id=criteria class=criterion>Criteria</h2>", _pictures()))
    assert '<h4 class="md-h1">Full marks</h4>' in html
    assert '<h4 class="md-h2">Criteria</h4>' in html
    assert "criteria" not in html


def test_an_attachment_is_shown_as_a_data_uri() -> None:
    html = str(safe_markdown("![my net](attachment:a.png)", _pictures(**{"a.png": samples.png()})))
    assert html.count("data:image/png;base64,") == 1
    assert 'alt="my net"' in html


def test_a_picture_from_elsewhere_is_named_and_not_loaded() -> None:
    html = str(safe_markdown("![my net](https://e.example/a.png)", _pictures()))
    assert "<img" not in html
    assert "The picture “my net” is not shown: it is not part of the notebook, but at https://e.example/a.png." in html


def test_a_picture_without_a_text_gets_one() -> None:
    html = str(safe_html(f"<img src='data:image/png;base64,{samples.png()}'>", _pictures()))
    assert 'alt="Picture in cell 3"' in html


def test_a_link_outside_tells_nothing_about_the_report() -> None:
    html = str(safe_markdown("[Keras](https://keras.io) [here](#criterion-1) [file](/etc/passwd)", _pictures()))
    assert 'href="https://keras.io"' in html
    assert 'rel="noopener noreferrer nofollow"' in html
    assert html.count("href") == 1


def test_columns_of_a_table_keep_their_alignment() -> None:
    html = str(safe_markdown("|a|b|\n|:-:|--:|\n|1|2|", _pictures()))
    assert '<td class="md-center">1</td>' in html
    assert '<td class="md-right">2</td>' in html


def test_huge_spans_of_table_cells_are_dropped() -> None:
    html = str(safe_html("<table><tr><td colspan=9999 rowspan=2>x</td></tr></table>", _pictures()))
    assert "9999" not in html
    assert 'rowspan="2"' in html


def test_html_beyond_the_limit_is_shown_as_text() -> None:
    html = str(safe_html("<b>" * 200_000, _pictures()))
    assert html.startswith("<pre>&lt;b&gt;")
    assert len(html) < 200_000


def test_an_empty_header_cell_becomes_a_plain_cell() -> None:
    html = safe_html("<table><tr><th></th><th>loss</th></tr></table>", _pictures())
    assert "<td></td><th>loss</th>" in html
