"""Optimizers and losses as the record describes them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.evidence.settings import read_loss, read_optimizer

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def test_an_optimizer_is_read_with_its_rate_and_settings() -> None:
    fact = read_optimizer({"cls": "SGD", "learning_rate": 0.1, "config": {"momentum": 0.9}, "id": "o1"})
    assert fact is not None
    assert (fact.cls, fact.learning_rate, fact.config, fact.id) == ("SGD", 0.1, {"momentum": 0.9}, "o1")


def test_a_loss_is_read_with_what_it_expects() -> None:
    fact = read_loss({"name": "sparse_categorical_crossentropy", "from_logits": True, "custom": False})
    assert fact is not None
    assert (fact.name, fact.from_logits, fact.custom) == ("sparse_categorical_crossentropy", True, False)


@pytest.mark.parametrize("claim", [None, {}, [], "adam", {"cls": ""}, {"name": 7}])
def test_what_names_none_is_none(claim: Any) -> None:
    assert read_optimizer(claim) is None
    assert read_loss(claim) is None


@given(st.fixed_dictionaries({"cls": JSON, "name": JSON, "learning_rate": JSON, "config": JSON, "from_logits": JSON}))
def test_no_claim_breaks_the_reader(claim: Any) -> None:
    optimizer, loss = read_optimizer(claim), read_loss(claim)
    assert optimizer is None or optimizer.cls
    assert loss is None or loss.name
