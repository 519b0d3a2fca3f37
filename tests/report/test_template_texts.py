"""The texts of templates: translators see all of them, and values inside of them are shown like everywhere else."""

from pathlib import Path

import pytest
from jinja2 import DictLoader, Environment
from markupsafe import Markup

from grader.facts.language import Language, language
from grader.report.templating import environment, translate_templates
from grader.schema.message import say
from tests.support.template_texts import unwrapped

TEMPLATES = Path(__file__).parents[2] / "templates"
FOR_INSTRUCTORS = {"mail-index.html.j2"}
"""Pages next to the terminal's output, in English like it."""
PATHS = sorted(path for path in TEMPLATES.glob("*.j2") if path.name not in FOR_INSTRUCTORS)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_each_visible_text_of_a_template_is_translated(path: Path) -> None:
    assert unwrapped(path.read_text(encoding="utf-8"), markup=".html" in path.name) == []


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ("<p>Score: {{ score }}</p>", ["Score:"]),
        ('<p>{{ _("Score") }}: {{ score }}</p>', []),
        ("<p>{% trans points=score %}{{ points }} points{% endtrans %}</p>", []),
        ("<p>{% trans count=n %}{{ count }} point{% pluralize %}{{ count }} points{% endtrans %} left</p>", ["left"]),
        ('<p class="big {{ "done" if x else "open" }}" data-kind="score">{{ x }}</p>', []),
        ('<p>{{ "done" if x else "open" }}</p>', ["done open"]),
        ('<p>{{ _("done") if x == "yes" else "–" }}</p>', []),
        ('<a aria-label="Go" href="x">{{ "go" | upper }}</a>', ["Go", "go"]),
        ("<a aria-label=\"{{ _('Go') }}\" title='{{ name }}'>→</a>", []),
        ("{% if x %}<b>one</b>{% elif y %}<b>{{ y }}</b>{% else %}two{% endif %}", ["one", "two"]),
        ("{% macro m(x) %}{{ x or 'unknown' }}{% endmacro %}{{ m(1) }}", ["unknown"]),
        ("<style>{{ style }} p {color: red}</style><i>&middot; &times; 5 %</i>", []),
    ],
)
def test_texts_outside_of_translations_are_found(source: str, texts: list[str]) -> None:
    assert unwrapped(source) == texts


def test_a_template_without_markup_is_all_text() -> None:
    assert unwrapped("<x> {{ _('Hello') }}\n- item", markup=False) == ["<x>", "- item"]


def rendered(source: str, writer: Language, **values: object) -> str:
    engine = Environment(loader=DictLoader({"page": source}), autoescape=True)
    translate_templates(engine, writer)
    return engine.get_template("page").render(values)


def test_values_of_a_translated_text_are_escaped_and_cleaned() -> None:
    source = "{% trans name=name %}by {{ name }}{% endtrans %} {{ _('of %(title)s', title=name) }}"
    text = rendered(source, language("en"), name="<b>\u202eelif</b>")
    assert text == "by &lt;b&gt;⟦U+202E⟧elif&lt;/b&gt; of &lt;b&gt;⟦U+202E⟧elif&lt;/b&gt;"


def test_values_of_a_translated_text_are_written_in_the_language() -> None:
    source = (
        "{% trans count=n %}{{ count }} step{% pluralize %}{{ count }} steps{% endtrans %}; "
        "{{ ngettext('one more', '%(num)s more', n) }}; {% trans cell=cell %}in {{ cell }}{% endtrans %}; {{ lang }}"
    )
    cell = say("{cell:cell}", cell=4)
    assert rendered(source, language("en"), n=1234, cell=cell) == "1,234 steps; 1,234 more; in cell 5; en"
    assert rendered(source, language("en"), n=1, cell=cell) == "1 step; one more; in cell 5; en"
    assert rendered(source, language("de"), n=1234, cell=cell) == "1.234 steps; 1.234 more; in Zelle 5; de"


def test_markup_in_a_translated_text_stays_markup() -> None:
    source = "{% trans link=link %}Begin with {{ link }} <b>now</b>{% endtrans %}"
    text = rendered(source, language("en"), link=Markup('<a href="#c">cell 5</a>'))
    assert text == 'Begin with <a href="#c">cell 5</a> <b>now</b>'


def test_the_macros_are_in_the_language_of_the_page() -> None:
    source = '{% from "macros.html.j2" import trust %}{{ trust("recorded") }}'
    assert ">recorded<" in environment(TEMPLATES, language("en")).from_string(source).render()
    assert ">aufgezeichnet<" in environment(TEMPLATES, language("de")).from_string(source).render()
