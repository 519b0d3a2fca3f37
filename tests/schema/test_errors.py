"""Errors travel between processes and machines without losing what they say."""

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ray import cloudpickle

from grader.schema.errors import GraderError


def kinds(kind: type[GraderError] = GraderError) -> Iterator[type[GraderError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from kinds(below)


@pytest.mark.parametrize("kind", list(kinds()))
@pytest.mark.parametrize("dumps", [pickle.dumps, cloudpickle.dumps], ids=["pickle", "cloudpickle"])
@given(message=st.text(), where=st.text(), advice=st.text())
def test_every_error_is_the_same_after_a_journey(
    kind: type[GraderError], dumps: Callable[[Any], bytes], message: str, where: str, advice: str
) -> None:
    sent = kind(message, where=where, advice=advice)
    got = pickle.loads(dumps(sent))  # noqa: S301 - made in the line above
    assert type(got) is kind
    assert (got.message, got.where, got.advice) == (sent.message, sent.where, sent.advice)
    assert (str(got), got.exit_code, got.args) == (str(sent), sent.exit_code, sent.args)
