"""The sandbox that whole runs share with the tests of execution."""

from tests.execution.conftest import bubblewrap

__all__ = ["bubblewrap"]
