"""The autograders of Gradescope and PrairieLearn: the scripts run as the platforms run them, below a temporary root."""

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest

from grader.execution.sandbox.other_user import probe_user
from grader.pipeline.packing import pack_gradescope, pack_prairielearn
from grader.pipeline.rubrics import find_rubric
from tests.support.command import COMMAND, needs_bubblewrap

ROOT = Path(__file__).parents[2]
TOOLS = Path(sys.executable).parent
SCRIPTS = [
    ROOT / "examples" / "gradescope" / "setup.sh",
    ROOT / "examples" / "gradescope" / "run_autograder",
    ROOT / "examples" / "prairielearn" / "serverFilesCourse" / "cnn_grader" / "run.sh",
]
PLATFORMS = ["gradescope", "prairielearn"]
_RUN = "run: {time: 120 s, memory: 2 GiB}"
RUBRIC = f"""\
version: 1
id: tiny
title: A tiny course
{_RUN}
criteria:
  - {{id: runs, title: It runs, points: 2, check: runs}}
  - {{id: secret, title: Hidden words, points: 1, hidden: true, check: text, with: {{min_words: 2}}}}
  - {{id: explained, title: It is explained, points: 3, manual: {{guide: Reads well.}}}}
"""
HONEST = "print(6 * 7)"
ATTACK = """
import os, pathlib
stolen = []
for name in ("source", "tests", "results"):
    try:
        stolen += [str(path) for path in pathlib.Path(os.environ.get("ROOT", "{root}"), name).iterdir()]
    except OSError:
        pass
try:
    pathlib.Path("{root}/results/results.json").write_text('{{"score": 100}}')
    stolen.append("results")
except OSError:
    pass
print("STOLEN", stolen)
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Return a folder that every user of this machine may enter."""
    with tempfile.TemporaryDirectory(prefix="autograder-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@dataclass(frozen=True)
class Platform:
    """A platform's folders below a temporary root, and its script."""

    name: str
    root: Path
    script: Path
    submission: Path

    def run(self, **env: str) -> dict[str, Any]:
        """Run the script, and read the results that it must leave in every case."""
        variable = "AUTOGRADER_ROOT" if self.name == "gradescope" else "GRADE_ROOT"
        data = os.environ.get("GRADER_DATA", str(Path.home() / ".cache" / "cnn-grader" / "datasets"))
        given = {variable: str(self.root), "GRADER_COMMAND": str(COMMAND), "GRADER_DATA": data, **env}
        done = subprocess.run(
            [self.script], env={**os.environ, **given}, capture_output=True, text=True, check=False, timeout=500
        )
        path = self.root / "results" / "results.json"
        assert path.is_file(), done.stdout + done.stderr
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found


def platform(name: str, folder: Path, rubric: str = RUBRIC) -> Platform:
    """Lay out the folders as the platform does, from the packed rubric."""
    (folder / "own").mkdir(parents=True)
    (folder / "own" / "tiny.yaml").write_text(rubric)
    loaded = find_rubric(str(folder / "own" / "tiny.yaml"))
    root = folder / "root"
    if name == "gradescope":
        packed = pack_gradescope(loaded, folder / "autograder.zip").path
        with zipfile.ZipFile(packed) as archive:
            archive.extractall(root / "source")
        script, submission = root / "source" / "run_autograder", root / "submission"
        script.chmod(0o755)
    else:
        pack_prairielearn(loaded, folder / "course")
        root.mkdir()
        (folder / "course" / "questions" / "tiny" / "tests").rename(root / "tests")
        (folder / "course" / "serverFilesCourse").rename(root / "serverFilesCourse")
        script, submission = root / "serverFilesCourse" / "cnn_grader" / "run.sh", root / "student"
    submission.mkdir()
    return Platform(name, root, script, submission)


def submit(one: Platform, code: str) -> None:
    cells = [nbformat.v4.new_code_cell(code), nbformat.v4.new_markdown_cell("It prints a number.")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), one.submission / "submission.ipynb")


def check_gradescope(results: Mapping[str, Any]) -> None:
    """Check the types and the values that Gradescope documents."""
    texts = ("output", "output_format", "test_output_format", "test_name_format", "visibility", "stdout_visibility")
    kinds: dict[str, Any] = dict.fromkeys(texts, str)
    kinds |= {"score": (int, float), "execution_time": (int, float), "tests": list, "extra_data": dict}
    assert set(results) <= set(kinds)
    assert all(isinstance(value, kinds[key]) for key, value in results.items())
    for test in results["tests"]:
        assert set(test) <= {
            *("score", "max_score", "status", "name", "name_format", "number", "output", "output_format", "tags"),
            *("visibility", "extra_data"),
        }
        assert test["visibility"] in {"hidden", "after_due_date", "after_published", "visible"}
        assert test.get("status", "passed") in {"passed", "failed"}


def check_prairielearn(root: Path, results: Mapping[str, Any]) -> None:
    assert isinstance(results["gradable"], bool)
    assert (root / "results" / "results.json").stat().st_size <= 1_000_000
    if results["gradable"]:
        assert 0 <= results["score"] <= 1
        assert all(isinstance(test["name"], str) for test in results["tests"])
    else:
        assert all(isinstance(text, str) for text in results["format_errors"])
        assert "score" not in results


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_the_scripts_have_nothing_that_a_shell_or_its_linter_minds(script: Path) -> None:
    for command in (["bash", "-n"], [str(TOOLS / "shellcheck"), "--severity=style"]):
        done = subprocess.run([*command, str(script)], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_dockerfile_has_nothing_that_its_linter_minds() -> None:
    dockerfile = ROOT / "examples" / "prairielearn" / "Dockerfile"
    command = [str(TOOLS / "hadolint"), "--failure-threshold", "style", str(dockerfile)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", PLATFORMS)
@pytest.mark.parametrize("command", ["/bin/false", "/nonexistent/grader"])
def test_a_grader_that_crashes_leaves_results_without_a_score(name: str, command: str, tmp_path: Path) -> None:
    one = platform(name, tmp_path)
    submit(one, HONEST)
    (one.root / "results").mkdir()
    (one.root / "results" / "results.json").write_text('{"score": 100}')
    results = one.run(GRADER_COMMAND=command, GRADER_ISOLATION="none")
    assert "score" not in results
    assert "could not grade" in json.dumps(results)
    check_gradescope(results) if name == "gradescope" else check_prairielearn(one.root, results)


@pytest.mark.slow
@pytest.mark.early
@pytest.mark.bubblewrap
def test_gradescope_gets_the_decided_points_and_hidden_tests_stay_hidden(tmp_path: Path) -> None:
    needs_bubblewrap()
    one = platform("gradescope", tmp_path)
    submit(one, HONEST)
    (one.submission / "notes.txt").write_text("mine")
    results = one.run()
    check_gradescope(results)
    assert results["score"] == 3.0
    assert {test["name"]: test["visibility"] for test in results["tests"]}["Hidden words"] == "hidden"
    assert "score" not in next(test for test in results["tests"] if test["name"] == "It is explained")


@pytest.mark.slow
@pytest.mark.early
def test_a_notebook_neither_reads_the_rubric_nor_writes_its_results_without_a_sandbox(open_folder: Path) -> None:
    if probe_user():
        pytest.skip(probe_user())
    python = python_for_all(open_folder)
    one = platform("prairielearn", open_folder / "pl", RUBRIC.replace(_RUN, f"{_RUN[:-1]}, kernel: {python}}}"))
    submit(one, ATTACK.format(root=one.root) + "\nassert stolen == [], stolen")
    results = one.run(GRADER_ISOLATION="user")
    check_prairielearn(one.root, results)
    assert results["gradable"], results
    assert results["score"] == 1.0, results


@pytest.mark.slow
@pytest.mark.early
def test_a_submission_that_was_not_graded_costs_neither_points_nor_an_attempt(tmp_path: Path) -> None:
    one = platform("prairielearn", tmp_path, RUBRIC.replace(_RUN, f"{_RUN[:-1]}, kernel: {tmp_path / 'no-python'}}}"))
    submit(one, HONEST)
    results = one.run()
    assert "score" not in results
    check_prairielearn(one.root, results)
    assert not results["gradable"]


def python_for_all(folder: Path) -> Path:
    """Make a Python that every user may execute, with the packages of this environment; skip if that is impossible."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    system, packages = Path("/usr/bin") / version, Path(sys.prefix) / "lib" / version / "site-packages"
    closed = [one for one in (packages, *packages.parents) if not one.stat().st_mode & 0o001]
    if not system.exists() or closed:
        pytest.skip(f"{system} is missing, or {closed} are closed to other users")
    place = folder / "python"
    subprocess.run([TOOLS / "uv", "venv", "--quiet", "--python", system, place], check=True)
    (place / "lib" / version / "site-packages" / "kernel.pth").write_text(f"{packages}\n")
    return place / "bin" / "python"
