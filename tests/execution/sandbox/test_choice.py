"""Choice of the isolation."""

from pathlib import Path

import pytest

from grader.execution.sandbox.choice import choose_isolation
from grader.schema.errors import IsolationRefusedError


def test_auto_never_falls_back_to_no_isolation() -> None:
    with pytest.raises(
        IsolationRefusedError, match=r"bubblewrap is not installed.*engine-x is not installed"
    ) as caught:
        choose_isolation("auto", bubblewrap="/nonexistent/bwrap", engines=["engine-x"])
    assert "--isolation none" in caught.value.advice


def test_none_is_given_only_when_it_is_asked_for() -> None:
    assert choose_isolation("none").name == "none"


def test_a_bubblewrap_that_fails_is_not_chosen(tmp_path: Path) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(IsolationRefusedError, match="Permission denied"):
        choose_isolation("bubblewrap", bubblewrap=str(broken))
