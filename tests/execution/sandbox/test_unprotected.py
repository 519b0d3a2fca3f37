"""The command line without isolation."""

from grader.execution.sandbox.unprotected import NoIsolation
from tests.support.wrapping import wrapped


def test_no_isolation_still_clears_the_environment() -> None:
    args = wrapped(NoIsolation())
    assert args[:4] == ["env", "--ignore-environment", "--chdir=/w", "A=1"]
    assert args[-2:] == ["python", "-V"]
