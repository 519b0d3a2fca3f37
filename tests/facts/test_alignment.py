"""Which layer of one model corresponds to which layer of another one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.facts.alignment import aligned_layers, aligned_rows
from grader.schema.evidence import LayerFact
from tests.support.factories import conv, dense, dropout, layer


def test_an_added_layer_shifts_nothing_else() -> None:
    with_dropout = (conv(), dropout(), dense(10))
    rows = aligned_layers((conv(), dense(10)), with_dropout)
    assert [(r["student"] is None, r["reference"]["class"]) for r in rows] == [
        (False, "Conv2D"),
        (True, "Dropout"),
        (False, "Dense"),
    ]
    assert [row["same"] for row in rows] == [True, False, True]


def test_a_differing_setting_is_named() -> None:
    (row,) = aligned_layers((conv(8),), (conv(16),))
    assert row["differences"] == ["filters", "output_shape", "parameters"]
    assert row["same"] is False


@given(st.lists(st.sampled_from("CDPF"), max_size=12), st.lists(st.sampled_from("CDPF"), max_size=12))
def test_the_alignment_keeps_every_layer_once_and_in_order(left: list[str], right: list[str]) -> None:
    def build(kinds: list[str]) -> list[LayerFact]:
        return [LayerFact(name=f"{k}{i}", cls=k, parameters=0, trainable=True) for i, k in enumerate(kinds)]

    rows = aligned_layers(build(left), build(right))
    assert [r["student"]["class"] for r in rows if r["student"]] == left
    assert [r["reference"]["class"] for r in rows if r["reference"]] == right
    assert all(r["student"]["class"] == r["reference"]["class"] for r in rows if r["student"] and r["reference"])


KINDS = st.lists(st.tuples(st.sampled_from("CDPF"), st.integers(0, 2)), max_size=12)


@given(KINDS, KINDS)
def test_grade_and_report_pair_the_same_layers(left: list[tuple[str, int]], right: list[tuple[str, int]]) -> None:
    def build(kinds: list[tuple[str, int]]) -> list[LayerFact]:
        return [layer(kind, f"{kind}{place}", config={"units": units}) for place, (kind, units) in enumerate(kinds)]

    ours, theirs = build(left), build(right)
    rows = aligned_rows(ours, theirs)
    paired = [(a.name, b.name) for a, b in rows if a is not None and b is not None and a.cls == b.cls]
    told = [(row["student"], row["reference"]) for row in aligned_layers(ours, theirs)]
    assert [(a["name"], b["name"]) for a, b in told if a is not None and b is not None] == paired


@pytest.mark.parametrize("reference", [(dense(10), dense(20)), (dense(20), dense(10))])
def test_of_several_alignments_the_one_with_equal_settings_is_taken(reference: tuple[LayerFact, ...]) -> None:
    row = next(r for r in aligned_layers((dense(10),), reference) if r["student"] and r["reference"])
    assert row["same"]
