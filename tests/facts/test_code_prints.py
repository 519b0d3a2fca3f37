"""Fingerprints of code and of texts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.facts.code_prints import CODE, code_prints, text_prints
from grader.facts.passages import align
from tests.support.factories import a_cell

SOURCE = """\
import numpy as np
model = keras.Sequential([layers.Conv2D(16, 3, activation="relu"), layers.Flatten(), layers.Dense(10)])
for epoch in range(5):
    total = evaluate(model, images[epoch:], labels)  # the whole set
print(f"{total:.2f}")
"""


def tokens(source: str) -> tuple[str, ...]:
    return code_prints([a_cell(0, source)]).words.tokens


@pytest.mark.parametrize(
    "changed",
    [
        SOURCE.replace("model", "net").replace("total", "t").replace("epoch", "i"),
        SOURCE.replace("# the whole set", "# something else, told differently"),
        SOURCE.replace("16, 3", "32, 5").replace('"relu"', "'selu'"),
        SOURCE.replace("keras.Sequential", "tf.keras.models.Sequential").replace("layers.", ""),
        SOURCE.replace("([", "([\n    ").replace("Dense(10)]", "Dense(10),\n]"),
        SOURCE.replace("import numpy as np", "%matplotlib inline\n!pip install keras\nfrom a import (\n  b,\n  c,\n)"),
    ],
    ids=["names", "comments", "literals", "prefixes", "layout", "imports"],
)
def test_disguises_do_not_change_the_tokens(changed: str) -> None:
    assert changed != SOURCE
    assert tokens(changed) == tokens(SOURCE)


def test_another_layer_changes_the_tokens() -> None:
    assert tokens(SOURCE.replace("Conv2D", "SeparableConv2D")) != tokens(SOURCE)
    assert tokens(SOURCE.replace("activation", "padding")) != tokens(SOURCE)


def test_a_students_own_class_has_no_name() -> None:
    source = "class Net(keras.Model):\n    def call(self, x):\n        return self.first(x)\nmodel = Net()"
    renamed = source.replace("Net", "Thing").replace("self.first", "self.one")
    assert tokens(renamed) == tokens(source)


def test_places_count_lines_of_ignored_imports_and_strings() -> None:
    words = code_prints([a_cell(3, 'from a import (\n  b,\n)\nx = """one\ntwo"""\nlast(x)')]).words
    assert list(zip(words.raw, words.lines, strict=True))[-4:] == [("last", 6), ("(", 6), ("x", 6), (")", 6)]
    assert set(words.cells) == {3}


@given(st.text(alphabet=st.sampled_from("abX_0.5'\"#\n([{}]),=:;% \\é"), max_size=200))
def test_any_text_has_tokens(source: str) -> None:
    for kind in ("code", "markdown"):
        cells = [a_cell(0, source, kind)]
        for words in (code_prints(cells).words, text_prints(cells).words):
            assert len(words.tokens) == len(words.raw) == len(words.lines) == len(words.cells)
            assert all(1 <= line <= source.count("\n") + 1 for line in words.lines)


@given(
    st.lists(
        st.sampled_from(["f(x)", "y = 1", "Dense(3)", "[a, b]", "z.fit(q)", "while k:"]), min_size=12, max_size=12
    ),
    st.lists(st.sampled_from(["g[0]", "m -= 2", "Flatten()"]), max_size=6),
)
def test_a_common_run_of_tokens_has_a_common_fingerprint(common: list[str], before: list[str]) -> None:
    first = code_prints([a_cell(0, "\n".join(common))])
    second = code_prints([a_cell(0, "\n".join([*before, *common]))])
    assert len(first.words.tokens) >= CODE.size + CODE.window - 1
    assert np.intersect1d(first.marks, second.marks).size


def test_comments_and_texts_are_words() -> None:
    cells = [a_cell(0, "x = 1  # My own 'idea'\ny = '#no'"), a_cell(1, "The *Idea*\n\nworks", "markdown")]
    words = text_prints(cells).words
    assert words.tokens == ("my", "own", "idea", "the", "idea", "works")
    assert words.lines == (1, 1, 1, 1, 1, 3)


def test_passages_show_the_lines_of_both_sides() -> None:
    moved = "a = 1\nb = a + 2\n" + SOURCE.replace("model", "net")
    first, second = code_prints([a_cell(0, SOURCE)]), code_prints([a_cell(0, "x = 0"), a_cell(1, moved)])
    alignment = align(first, second, CODE, np.empty(0, np.uint64))
    passage = alignment.passages[0]
    assert (passage.first.cell, passage.first.first, passage.first.last) == (0, 2, 5)
    assert (passage.second.cell, passage.second.first, passage.second.last) == (1, 4, 7)
    assert alignment.literals == alignment.equal_literals > 0
    assert align(first, second, CODE, first.hashes).passages == ()
