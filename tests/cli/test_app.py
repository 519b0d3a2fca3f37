"""The command line as a whole: version, help, and faults."""

import pytest

from grader.schema.errors import UsageError
from tests.support.command import exit_code_of, grader, installed_grader


def test_the_command_answers_quickly_and_knows_its_version() -> None:
    assert grader("--version").out.startswith("grader 0.")
    done = grader("--help")
    commands = ("grade", "check", "regrade", "report", "rubric", "data", "doctor", "demo")
    assert all(f"  {command} " in done.out for command in commands)
    assert grader("nonsense").code == 2


@pytest.mark.parametrize("words", ["--version", "rubric list --json", "rubric show nonsense", "regrade nowhere"])
def test_the_installed_command_answers_as_the_one_of_the_tests(words: str) -> None:
    assert installed_grader(*words.split()) == grader(*words.split())


@pytest.mark.parametrize(
    ("fault", "code"), [(ValueError("odd [bold] value"), 3), (UsageError("no"), 2), (KeyboardInterrupt(), 130)]
)
def test_an_unforeseen_fault_has_its_own_exit_code_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fault: BaseException, code: int
) -> None:
    def fail() -> None:
        raise fault

    monkeypatch.setattr("grader.pipeline.rubrics.shipped_rubrics", fail)
    assert exit_code_of("rubric", "list") == code
    said = capsys.readouterr().err
    assert "Traceback" not in said
    if isinstance(fault, ValueError):
        assert "ValueError: odd [bold] value" in said
