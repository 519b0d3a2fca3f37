"""The numbers in `docs/similarity.md` are those of the present code."""

import re
from pathlib import Path

from grader.facts.similarity import compare
from grader.facts.traces import traces_of
from tests.support.copied_class import measured, precision_and_recall
from tests.support.factories import a_cell, an_evidence

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "similarity.md").read_text(encoding="utf-8")
WORDS = " ".join(PAGE.split())


def test_the_table_of_copies_is_measured() -> None:
    rows = measured()
    assert re.findall(r"^\| (?:copied|honest|all other).*$", PAGE, re.MULTILINE) == list(rows)
    precision, recall = precision_and_recall(rows)
    assert f"precision is {100 * precision:.0f} % and recall is {100 * recall:.0f} %" in WORDS
    assert precision == 1.0
    assert recall > 0.9


def test_tutorials_of_others_are_not_similar() -> None:
    traces = []
    for path in sorted((ROOT / "tests" / "notebooks" / "cells" / "tutorials").glob("*.py")):
        _, *parts = re.split(r"^# %%(.*)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        kinds = ["markdown" if "markdown" in head else "code" for head in parts[::2]]
        cells = [
            a_cell(at, source.strip(), kind) for at, (kind, source) in enumerate(zip(kinds, parts[1::2], strict=True))
        ]
        traces.append(traces_of(path.stem, an_evidence(cells=tuple(cells), fits=(), accuracies=())))
    pairs = compare(traces).similarity.pairs
    assert f"On {len(traces)} notebooks" in WORDS
    assert f"{len(traces) * (len(traces) - 1) // 2} pairs" in WORDS
    assert {pair.strength for pair in pairs} == {"weak"}
    assert f"{len(pairs)} pairs are weak" in WORDS
