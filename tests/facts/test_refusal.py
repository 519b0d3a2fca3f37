"""Errors made from messages."""

import pickle

from grader.facts.refusal import refusal
from grader.schema.errors import NotebookError
from grader.schema.message import literal, say


def test_a_refusal_has_its_texts_in_english_and_as_data() -> None:
    error = refusal(
        say("the notebook has {count:number} cells", count=1200), where="a.ipynb", advice=say("delete some")
    )
    assert str(error) == "a.ipynb: the notebook has 1,200 cells — delete some"
    assert error.says.values == {"count": 1200}
    assert error.advice_says == say("delete some")


def test_a_refusal_without_advice_has_the_general_advice() -> None:
    error = refusal(say("the notebook has no cells"))
    assert (error.advice, error.advice_says.id) == (NotebookError.default_advice, NotebookError.default_advice)


def test_the_messages_survive_pickling() -> None:
    error = refusal(say("the notebook has {count:number} cells", count=1200))
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - made in the same line
    assert (copy.says, copy.advice_says) == (error.says, error.advice_says)


def test_a_plain_text_is_a_literal_message() -> None:
    assert NotebookError("odd").says == literal("odd")
