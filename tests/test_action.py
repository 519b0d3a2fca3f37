"""The composite action, the examples for CI, and the hooks for pre-commit.

No real runner is available: the steps of the action are executed by an imitation, and the other actions are imitated.
"""

import json
import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import pytest
import typer
import yaml

from grader.cli.app import app
from grader.grading.translations import is_side_file
from tests.support.command import NOTEBOOKS, a_course, grade_of, grader, needs_bubblewrap
from tests.support.runner import ActionRun, Runner

ROOT = Path(__file__).parents[1]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
WORKFLOW = yaml.safe_load((ROOT / "examples/ci/github/.github/workflows/check.yml").read_text(encoding="utf-8"))
GITLAB = yaml.safe_load((ROOT / "examples/ci/gitlab/.gitlab-ci.yml").read_text(encoding="utf-8"))
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))


def options(command: str) -> set[str]:
    """The options of a command, such as `check` or `rubric validate`."""
    found: Any = typer.main.get_command(app)
    for word in command.split():
        found = found.commands[word]
    return {name for parameter in found.params for name in parameter.opts if name.startswith("--")}


def test_the_action_gives_only_options_that_check_has() -> None:
    (check,) = [step for step in ACTION["runs"]["steps"] if step.get("id") == "check"]
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", check["run"])) <= options("check")


def test_no_value_of_an_input_is_part_of_a_script() -> None:
    """An expression in a script would let a branch's name or an input run as code."""
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step.get("run", "")


def test_the_scripts_of_the_action_are_sound() -> None:
    for step in ACTION["runs"]["steps"]:
        if "run" in step:
            checked = subprocess.run(
                [Path(sys.executable).parent / "shellcheck", "-s", "bash", "-"],
                input=step["run"],
                capture_output=True,
                text=True,
                check=False,
            )
            assert checked.returncode == 0, checked.stdout


def test_each_action_that_is_used_has_a_version() -> None:
    used = [step["uses"] for step in ACTION["runs"]["steps"] if "uses" in step]
    used += [step["uses"] for job in WORKFLOW["jobs"].values() for step in job["steps"]]
    assert len(used) == 7
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+(\.\d+)*", one) for one in used)


def test_the_workflow_gives_only_inputs_of_the_action_and_may_only_read() -> None:
    for job in WORKFLOW["jobs"].values():
        given = job["steps"][-1]["with"]
        assert set(given) <= set(ACTION["inputs"])
        assert {name for name, one in ACTION["inputs"].items() if one.get("required")} <= set(given)
    assert WORKFLOW["permissions"] == {"contents": "read"}


def test_the_jobs_of_gitlab_use_options_that_check_has() -> None:
    for job in ("quick", "full"):
        (script,) = GITLAB[job]["script"]
        assert set(re.findall(r"--[a-z][a-z-]+", script)) <= options("check")
    assert GITLAB["quick"]["stage"] in GITLAB["stages"]


def test_the_hooks_name_commands_that_exist() -> None:
    for hook in HOOKS:
        program, *words = hook["entry"].split()
        assert program == "grader"
        command = " ".join(word for word in words if not word.startswith("--"))
        assert {word for word in words if word.startswith("--")} <= options(command)


def test_the_hook_for_rubrics_takes_rubrics() -> None:
    (hook,) = [hook for hook in HOOKS if hook["id"] == "grader-rubric"]
    taken = ["rubric.yaml", "rubrics/mnist.yml", "course/rubrics/a.yaml", "rubrics/week.2.yaml"]
    other = ["a.yaml", "course.yaml", "rubrics/a/b.yaml", "rubrics/mnist.de.yaml", "rubrics/week.2.pt-BR.yaml"]
    assert [
        bool(re.search(hook["files"], name) and not re.search(hook["exclude"], name)) for name in taken + other
    ] == [
        *(True for _ in taken),
        *(False for _ in other),
    ]
    shipped = [path.relative_to(ROOT).as_posix() for path in (ROOT / "rubrics").glob("*.yaml")]
    assert {name for name in shipped if re.search(hook["exclude"], name)} == {
        name for name in shipped if is_side_file(Path(name))
    }


def test_the_full_run_follows_a_quick_run_with_missed_criteria() -> None:
    """A quick run judges no accuracies, so a missed criterion must not keep students from the full run."""
    assert WORKFLOW["jobs"]["full"]["if"] == "${{ !cancelled() }}"
    assert GITLAB["full"]["when"] == "always"


# ---------------------------------------------------------------------------------------------------------------------

PUBLIC_RUBRIC = """\
version: 1
id: tiny
title: A tiny assignment
dataset: mnist
run: {time: 60 s, memory: 4 GiB}
roles: {net: {pick: last_trained}}
criteria:
  - {id: runs, title: It runs, points: 2, check: runs}
  - {id: shape, title: Ten outputs, points: 2, check: output_shape, with: {model: net, shape: [10]}}
  - {id: accuracy, title: 90 %, points: 4, check: accuracy, with: {model: net, split: test, at_least: 0.9}}
"""


CELLS = (
    "import keras\nfrom keras import layers\n(x, y), _ = keras.datasets.mnist.load_data()",
    (
        "model = keras.Sequential([keras.Input((28, 28)), layers.Flatten(), layers.Dense(10, activation='softmax')])\n"
        "model.compile('adam', 'sparse_categorical_crossentropy')"
    ),
    "model.fit(x / 255.0, y, epochs=500)",
)


@pytest.fixture
def unprivileged() -> tuple[int, int] | None:
    """The user `nobody` where the test may become it."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        return None
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def become(user: tuple[int, int]) -> tuple[str, ...]:
    """The command that runs another one as a user, who may read the Python of this checkout wherever it is."""
    rights = "-all,+dac_read_search"
    names = ("--inh-caps", "--ambient-caps", "--bounding-set")
    return (
        *(shutil.which("setpriv") or "setpriv", f"--reuid={user[0]}", f"--regid={user[1]}", "--clear-groups"),
        *(f"{name}={rights}" for name in names),
    )


def git(folder: Path, *words: str) -> None:
    settings = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "safe.directory=*")
    subprocess.run([shutil.which("git") or "git", *settings, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A fresh clone of a student's repository."""
    origin = tmp_path / "origin"
    origin.mkdir()
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    nbformat.write(notebook, origin / "submission.ipynb")
    (origin / "rubric.yaml").write_text(PUBLIC_RUBRIC, encoding="utf-8")
    git(origin, "init", "-q")
    git(origin, "add", "-A")
    git(origin, "commit", "-qm", "Hand in")
    git(tmp_path, "clone", "-q", str(origin), "clone")
    return tmp_path / "clone"


def job(clone: Path, user: tuple[int, int] | None, *, path: str, **inputs: str) -> tuple[ActionRun, list[str]]:
    """Run the action in a clone. The grader of this checkout is what the cache holds.

    Returns:
        The result, and the paths of the uploaded files.
    """
    folders = {name: clone.parent / name for name in ("temp", "home")}
    for folder in folders.values():
        folder.mkdir()
    uploaded: list[str] = []

    def set_up_python(_: Runner, __: Mapping[str, str]) -> Mapping[str, str]:
        return {"python-version": "3.11"}

    def restore(runner: Runner, given: Mapping[str, str]) -> Mapping[str, str]:
        assert re.fullmatch(r"cnn-grader-Linux-X64-3\.11-[0-9a-f]{16}", given["key"])
        programs = runner.home / ".cache" / "cnn-grader-action" / "venv" / "bin"
        programs.mkdir(parents=True)
        (runner.home / ".cache").chmod(0o777)
        for name in ("python", "grader"):
            # `pip install` would need the network, and this checkout is installed already.
            call = f'exec "{sys.executable}" {"-m grader " if name == "grader" else ""}"$@"'
            skip = 'if [ "$2" = pip ]; then exit 0; fi\n' if name == "python" else ""
            (programs / name).write_text(f"#!/bin/bash\n{skip}{call}\n", encoding="utf-8")
            (programs / name).chmod(0o755)
        return {"cache-hit": "true"}

    def upload(_: Runner, given: Mapping[str, str]) -> Mapping[str, str]:
        uploaded.append(given["path"])
        return {}

    prefix: tuple[str, ...] = ()
    if user is not None:
        prefix = become(user)
        for folder in (clone, *clone.rglob("*"), *folders.values()):
            os.chown(folder, *user)
    imitations = {"actions/setup-python": set_up_python, "actions/cache": restore, "actions/upload-artifact": upload}
    runner = Runner(ROOT, clone, folders["temp"], folders["home"], imitations, prefix, path)
    return runner.run({"notebook": "submission.ipynb", "rubric": "rubric.yaml", **inputs}), uploaded


def test_conditions_of_steps_are_read(tmp_path: Path) -> None:
    runner = Runner(ROOT, tmp_path, tmp_path, tmp_path, {})
    runner.steps["check"] = {"report": "a.html"}
    (condition,) = [step["if"] for step in ACTION["runs"]["steps"] if "if" in step]
    assert runner.holds(condition, {"artifact": "report"})
    assert not runner.holds(condition, {"artifact": ""})
    runner.steps["check"] = {}
    assert not runner.holds(condition, {"artifact": "report"})


@pytest.mark.slow
@pytest.mark.early
@pytest.mark.tensorflow
def test_a_job_on_a_runner_without_sandboxes(clone: Path, unprivileged: tuple[int, int] | None) -> None:
    """The quick run of a fresh clone by an unprivileged user, where neither bubblewrap nor an engine is installed."""
    programs = clone.parent / "bin"
    programs.mkdir()
    for name in ("cat", "sha256sum", "cut", "env", "bash", "dirname"):
        (programs / name).symlink_to(shutil.which(name) or name)
    done, uploaded = job(clone, unprivileged, path=str(programs), quick="true")
    assert done.code == 0, done.log
    assert "without isolation" in done.log
    assert "quick run: 4 of 4 · 2 passed, 1 not judged in a quick run" in done.log
    assert "4 of 4 points" in done.summary
    assert "4 points&#58; not judged in a quick run" in done.summary
    assert done.outputs["exit-code"] == "0"
    assert uploaded == [done.outputs["report"]]
    assert "A quick run." in Path(uploaded[0]).read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.early
def test_a_job_whose_notebook_misses_points_fails_and_annotates(
    clone: Path, unprivileged: tuple[int, int] | None
) -> None:
    raises = ROOT / "tests" / "notebooks" / "raises.ipynb"
    shutil.copy(raises, clone / "submission.ipynb")
    done, uploaded = job(clone, unprivileged, path=os.environ["PATH"], quick="true", artifact="")
    assert done.code == 1, done.log
    assert uploaded == []
    found = re.findall(r"^::error file=submission\.ipynb,line=(\d+),", done.log, re.MULTILINE)
    assert found
    assert all(int(line) > 1 for line in found)


@pytest.mark.slow
@pytest.mark.early
def test_a_job_with_a_wrong_rubric_fails_and_says_so(clone: Path) -> None:
    (clone / "rubric.yaml").write_text(PUBLIC_RUBRIC.replace("check: runs", "check: run"), encoding="utf-8")
    done, uploaded = job(clone, None, path=os.environ["PATH"])
    assert done.code == 2, done.log
    assert uploaded == []
    (error,) = re.findall(r"^::error title=grader::(.*)$", done.log, re.MULTILINE)
    assert "rubric.yaml" in error


@pytest.mark.slow
@pytest.mark.early
def test_a_changed_rubric_and_workflow_do_not_change_the_grade(tmp_path: Path) -> None:
    """The instructor's command takes the notebook of a repository, and its own rubric."""
    needs_bubblewrap()
    rubric = a_course(tmp_path / "course")
    for name in ("honest", "cheating"):
        (tmp_path / "class" / name).mkdir(parents=True)
        shutil.copy(NOTEBOOKS / "no-kernel-metadata.ipynb", tmp_path / "class" / name / "submission.ipynb")
    cheating = tmp_path / "class" / "cheating"
    easy = rubric.read_text(encoding="utf-8").replace("min_words: 3", "min_words: 0").replace("points: 2", "points: 99")
    for name in ("rubric.yaml", "tiny.yaml", "rubrics/tiny.yaml", ".github/workflows/check.yml"):
        (cheating / name).parent.mkdir(parents=True, exist_ok=True)
        (cheating / name).write_text(easy, encoding="utf-8")
    (cheating / "grade.json").write_text('{"score": 99, "status": "graded"}', encoding="utf-8")
    env = {"GRADER_DATA": str(tmp_path / "course" / "data")}
    done = grader("grade", tmp_path / "class", "--rubric", rubric, "--out", tmp_path / "out", "--json", env=env)
    assert done.code == 0, done.err
    grades = {row["submission"]: row for row in json.loads(done.out)["grades"]}
    assert grades["cheating"]["score"] == grades["honest"]["score"] == 2
    both = [grade_of(tmp_path / "out", name) for name in ("honest", "cheating")]
    assert both[0]["criteria"] == both[1]["criteria"]
    assert both[0]["rubric"] == both[1]["rubric"]
