"""The fixtures of evidence that the tests of facts share with those of its readers."""

from tests.evidence.conftest import events, indexes, mnist, mnist_index, record, run

__all__ = ["events", "indexes", "mnist", "mnist_index", "record", "run"]
