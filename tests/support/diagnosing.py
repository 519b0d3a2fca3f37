"""Helpers for tests of diagnostics: notebooks, and the notes of a diagnostic on them."""

import importlib
from collections.abc import Mapping
from typing import Any

from grader.checks import all_diagnostics
from grader.facts.case import Case
from grader.facts.language import english
from grader.schema.evidence import Evidence, LayerFact, LossFact
from grader.schema.grade import Diagnostic
from tests.support.factories import a_case, a_compile, a_model, an_evidence

__all__ = ["Cases", "built", "each", "found", "left_alone", "net", "recognised", "tables"]


Cases = Mapping[str, tuple[Evidence | Case, ...]]
"""Diagnostic → notebooks; as a case where the rubric matters too."""


def each(cases: Cases) -> list[tuple[str, Evidence | Case]]:
    """(diagnostic, notebook) of all cases."""
    return [(name, one) for name, several in cases.items() for one in several]


def found(name: str, one: Evidence | Case) -> tuple[Diagnostic, ...]:
    """The notes of one diagnostic."""
    return all_diagnostics()[name].run(one if isinstance(one, Case) else a_case(one))


def recognised(name: str, one: Evidence | Case) -> None:
    """Assert that a mistake is noted, in whole sentences, with advice."""
    notes = found(name, one)
    assert notes
    for note in notes:
        assert note.id == name
        assert note.title
        assert english(note.message).endswith(".")
        assert english(note.advice).count(". ") >= 1


def left_alone(name: str, one: Evidence | Case) -> None:
    """Assert that what only looks like a mistake is not noted."""
    assert found(name, one) == ()


def tables(topic: str) -> tuple[Cases, Cases]:
    """The mistakes and the look-alikes in the test file of a topic."""
    module = importlib.import_module(f"tests.checks.diagnostics.test_{topic}")
    return module.MISTAKES, module.LOOKALIKES


def net(*layers: LayerFact, compiled: object = "sparse_categorical_crossentropy", logits: bool = False) -> Evidence:
    loss = compiled if isinstance(compiled, (str, LossFact)) else None
    compiles = (a_compile(loss, from_logits=logits),) if compiled is not None else ()
    return an_evidence(models=(a_model(*layers),), compiles=compiles)


def built(*layers: LayerFact, **keys: Any) -> Evidence:
    """A network that was neither compiled nor trained."""
    return an_evidence(models=(a_model(*layers, **keys),), compiles=(), fits=(), accuracies=())
