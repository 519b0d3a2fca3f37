"""Behavior common to all isolations."""

import os

from grader.execution.sandbox.isolation import ProcessLimits, passed_on


def test_limits_say_core_files_open_files_and_processes() -> None:
    limits = ProcessLimits(file_bytes=10, open_files=20, processes=30)
    assert limits.command(own_user=True) == ["prlimit", "--core=0", "--fsize=10", "--nofile=20", "--nproc=30", "--"]
    assert "--nproc=30" not in limits.command(own_user=False)


def test_a_descriptor_for_a_sandbox_has_a_number_that_its_shell_does_not_use() -> None:
    reading, writing = map(passed_on, os.pipe())
    assert min(reading, writing) > 9
    os.write(writing, b"whole")
    os.close(writing)
    assert os.read(reading, 9) == b"whole"
    os.close(reading)
    unused = passed_on(os.open(os.devnull, os.O_RDONLY))
    assert not os.get_inheritable(unused)
    os.close(unused)
