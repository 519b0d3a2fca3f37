"""Messages: templates with values that survive JSON."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from grader.schema.message import Message, MessageLike, as_message, literal, say, say_count, sentences

PLAIN = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20) | st.floats()
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3), max_leaves=6)
MESSAGES = st.builds(lambda one, other: say("{one} of {other}", one=one, other=other), VALUES, VALUES)


@given(MESSAGES)
def test_a_message_survives_json(original: Message) -> None:
    nested = sentences(original, say_count("{count} {what}", "{count} {what}s", 2, what=original))
    assert Message.model_validate_json(nested.model_dump_json()) == nested


def test_json_has_the_id_and_the_values_and_a_plural_only_where_something_is_counted() -> None:
    assert say("{a:shape}", a=(None, 2)).model_dump() == {"id": "{a:shape}", "values": {"a": [None, 2]}}
    assert say_count("{count} cell", "{count} cells", 3).model_dump() == {
        "id": "{count} cell",
        "plural": "{count} cells",
        "values": {"count": 3},
    }


@pytest.mark.parametrize("text", ["{missing}", "{0}", "{a.b}", "{a[0]}", "{", "a } b"])
def test_a_template_that_cannot_be_filled_is_refused_when_it_is_made(text: str) -> None:
    with pytest.raises(ValidationError):
        say(text, a=1)


def test_a_value_that_json_does_not_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="object is no value"):
        say("{a}", a=object())


def test_a_students_text_with_braces_is_a_value_and_never_a_template() -> None:
    assert literal("{evil.__class__}").values == {"text": "{evil.__class__}"}


def test_sentences_leave_out_what_is_empty() -> None:
    one = say("One.")
    assert sentences(None, "", literal(""), one) == one
    assert not sentences()
    assert [part.id for part in sentences(one, "two").values["parts"]] == ["One.", "{text}"]


def test_a_document_takes_a_plain_text_or_a_message() -> None:
    class Note(BaseModel):
        text: MessageLike

    assert Note.model_validate({"text": "as {it} is"}).text == "as {it} is"
    assert as_message("as {it} is") == literal("as {it} is")
    kept = Note(text=say("{a}", a=[say("b")]))
    assert Note.model_validate_json(kept.model_dump_json()) == kept
