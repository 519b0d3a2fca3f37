"""The fixtures of evidence that the tests of facts share with those of its readers."""

from tests.evidence.conftest import indexes, mnist, mnist_index, run

__all__ = ["indexes", "mnist", "mnist_index", "run"]
