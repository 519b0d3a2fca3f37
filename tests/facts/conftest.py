"""The fixtures of evidence that the tests of facts share with those of its readers."""

from tests.evidence.conftest import indexes, run

__all__ = ["indexes", "run"]
