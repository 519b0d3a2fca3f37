"""Behavior common to all isolations."""

from grader.execution.sandbox.isolation import ProcessLimits


def test_limits_say_core_files_open_files_and_processes() -> None:
    limits = ProcessLimits(file_bytes=10, open_files=20, processes=30)
    assert limits.command(own_user=True) == ["prlimit", "--core=0", "--fsize=10", "--nofile=20", "--nproc=30", "--"]
    assert "--nproc=30" not in limits.command(own_user=False)
