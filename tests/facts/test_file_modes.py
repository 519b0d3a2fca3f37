"""The modes of files for a sandbox of another user: all can read them, and only the owner can change them."""

import pytest

from grader.facts.file_modes import sandbox_mode


@pytest.mark.parametrize(
    ("folder", "read_only", "mode"),
    [(False, False, 0o644), (False, True, 0o444), (True, False, 0o755), (True, True, 0o555)],
)
def test_everybody_reads_and_at_most_the_owner_writes(*, folder: bool, read_only: bool, mode: int) -> None:
    assert sandbox_mode(folder=folder, read_only=read_only) == mode
