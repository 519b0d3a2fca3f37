"""Hostile downloads, rosters, rubrics and data sets, read by the real commands."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.commands import COMMANDS, Commanded, command_faults, run_commands
from tests.hostile.course import Course, make_course

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Course]:
    with make_course(tmp_path_factory.mktemp("hostile") / "course") as made:
        yield made


@pytest.mark.parametrize("sample", [pytest.param(sample, id=name) for name, sample in COMMANDS.items()])
def test_a_command_reads_it_and_nothing_else_happens(sample: Commanded, course: Course, tmp_path: Path) -> None:
    assert command_faults(sample, run_commands(sample, tmp_path, course)) == []
    assert list(course.harm()) == []
