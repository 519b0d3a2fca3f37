"""Notebooks for the tests of diagnostics, and assertions about their notes."""

import importlib
import re
from collections.abc import Mapping
from typing import Any

from grader.checks import all_diagnostics
from grader.facts.case import Case
from grader.facts.language import english
from grader.schema.evidence import Evidence, LayerFact, LossFact
from grader.schema.grade import Diagnostic
from grader.schema.message import Message
from tests.support.factories import a_case, a_compile, a_model, an_evidence

__all__ = ["Cases", "assert_not_noted", "assert_noted", "assert_plain", "built", "each", "net", "notes_of", "tables"]

_MOST_WORDS = 25
"""Words in a sentence of a note, so that it is understood at first reading."""

Cases = Mapping[str, tuple[Evidence | Case, ...]]
"""Diagnostic → notebooks; as a case if the rubric matters too."""


def each(cases: Cases) -> list[tuple[str, Evidence | Case]]:
    """List (diagnostic, notebook) of all cases."""
    return [(name, one) for name, several in cases.items() for one in several]


def notes_of(name: str, one: Evidence | Case) -> tuple[Diagnostic, ...]:
    """Run one diagnostic."""
    return all_diagnostics()[name].run(one if isinstance(one, Case) else a_case(one))


def assert_noted(name: str, one: Evidence | Case) -> None:
    """Assert that a mistake is noted, as data, in short sentences, with advice that gives a reason."""
    notes = notes_of(name, one)
    assert notes
    for note in notes:
        assert note.id == name
        assert all(isinstance(text, Message) for text in (note.title, note.message, note.advice))
        assert_plain(note)
        assert english(note.advice).count(". ") >= 1


def assert_plain(note: Diagnostic) -> None:
    """Assert that a title has no formatting, and that the other texts are sentences of bounded length."""
    title = english(note.title)
    assert title
    assert "`" not in title
    for text in (english(note.message), english(note.advice)):
        assert text.endswith(".")
        assert text.count("`") % 2 == 0
        for sentence in re.split(r"(?<=[.;]) ", re.sub(r"`[^`]*`", "code", text)):
            assert len(sentence.split()) <= _MOST_WORDS, sentence


def assert_not_noted(name: str, one: Evidence | Case) -> None:
    """Assert that a notebook that only resembles a mistake gets no note."""
    assert notes_of(name, one) == ()


def tables(topic: str) -> tuple[Cases, Cases]:
    """Return the mistakes and the look-alikes in the test file of a topic."""
    module = importlib.import_module(f"tests.checks.diagnostics.test_{topic}")
    return module.MISTAKES, module.LOOKALIKES


def net(*layers: LayerFact, compiled: object = "sparse_categorical_crossentropy", logits: bool = False) -> Evidence:
    """Make a notebook with a compiled model."""
    loss = compiled if isinstance(compiled, (str, LossFact)) else None
    compiles = (a_compile(loss, from_logits=logits),) if compiled is not None else ()
    return an_evidence(models=(a_model(*layers),), compiles=compiles)


def built(*layers: LayerFact, **keys: Any) -> Evidence:
    """Make a notebook with a model that was neither compiled nor trained."""
    return an_evidence(models=(a_model(*layers, **keys),), compiles=(), fits=(), accuracies=())
