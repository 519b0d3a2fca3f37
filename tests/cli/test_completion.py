"""`grader completion`: the script of a shell completes commands, options, rubrics and data sets."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from grader.cli.completion import complete_format, complete_rubric
from tests.support.command import COMMAND, grader
from tests.support.waiting import DEADLOCK_SECONDS

ASK = """\
eval "$(grader completion bash)"
complete -p grader >/dev/null || exit 9
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
_grader_completion grader
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completed(*words: str, folder: Path) -> list[str]:
    """Answers of bash to the key for completion after these words; the last one is being typed."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    env = {**os.environ, "PATH": f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}"}
    command = [bash, "--norc", "-c", ASK, "bash", *words]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=env, cwd=folder, timeout=DEADLOCK_SECONDS
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("grader", ""), {"grade", "check", "regrade", "report", "rubric", "data", "doctor", "completion"}),
        (("grader", "ch"), {"check"}),
        (("grader", "rubric", "va"), {"validate"}),
        (("grader", "check", "n.ipynb", "--re"), {"--report"}),
        (("grader", "check", "n.ipynb", "--format", ""), {"table", "json"}),
        (("grader", "check", "n.ipynb", "--rubric", "mn"), {"mnist-cnn"}),
        (("grader", "rubric", "show", "co"), {"course.yaml"}),
        (("grader", "data", "fetch", "ci"), {"cifar10"}),
    ],
)
@pytest.mark.slow
def test_bash_completes_commands_options_and_names(words: tuple[str, ...], wanted: set[str], tmp_path: Path) -> None:
    (tmp_path / "course.yaml").touch()
    (tmp_path / "content.txt").touch()
    answers = completed(*words, folder=tmp_path)
    assert wanted <= set(answers)
    assert all(answer.startswith(words[-1]) for answer in answers)


def test_formats_of_both_kinds_are_completed() -> None:
    assert {"canvas", "csv", "gradescope", "parquet"} < set(complete_format(""))
    assert list(complete_format("moodle")) == ["moodle", "moodle-feedback"]


def test_where_only_files_are_possible_the_shell_completes_them(tmp_path: Path) -> None:
    assert completed("grader", "check", "n", folder=tmp_path) == []


@pytest.mark.parametrize(("shell", "sign"), [("zsh", "#compdef grader"), ("fish", "complete --command grader")])
def test_each_shell_has_a_script(shell: str, sign: str) -> None:
    done = grader("completion", shell)
    assert done.code == 0
    assert sign in done.out
    assert "_GRADER_COMPLETE" in done.out


def test_rubric_files_in_other_folders_are_completed_with_their_path(tmp_path: Path) -> None:
    for name in ("one.yaml", "two.yml", "one.txt"):
        (tmp_path / name).touch()
    assert list(complete_rubric(f"{tmp_path}/")) == [f"{tmp_path}/one.yaml", f"{tmp_path}/two.yml"]
    assert list(complete_rubric(f"{tmp_path}/t")) == [f"{tmp_path}/two.yml"]
    assert list(complete_rubric(f"{tmp_path}/gone/t")) == []
