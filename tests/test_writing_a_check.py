"""The walk in `docs/writing-a-check.md`: its files and commands are taken from the page, and they work."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from grader.store.results import ResultsFolder
from tests.support.kept_results import keep_results

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "writing-a-check.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`(layer-share/[^`\n]+)`:\n\n```\w+\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
COMMANDS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
EXECUTES = "grader demo --out results\n"
"""The one block that executes notebooks; kept evidence takes its place here."""


def run(block: str, folder: Path) -> str:
    """Run a block of commands as the reader does, with what pip needs where there is no network."""
    installed = folder / "installed"
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(installed),
        "PYTHONDONTWRITEBYTECODE": "1",
        "COLUMNS": "200",
        "PIP_TARGET": str(installed),
        "PIP_NO_DEPS": "1",
        "PIP_NO_INDEX": "1",
        # pip reads this one backwards: no isolation.
        "PIP_NO_BUILD_ISOLATION": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    done = subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", block], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The folder in which the walk was done, and what each block printed."""
    folder = tmp_path_factory.mktemp("walk")
    first, *others = COMMANDS
    assert first == EXECUTES
    keep_results(folder / "results", "mnist-cnn", "amara", "ben")
    printed = {}
    for block in others:
        printed[block] = run(block, folder)
        if block.startswith("mkdir"):
            for name, text in FILES.items():
                (folder / name).write_text(text, encoding="utf-8")
    return folder, printed


def test_the_page_has_the_whole_package() -> None:
    names = ("layer_share.py", "test_layer_share.py", "pyproject.toml", "share.yaml")
    assert [name.rpartition("/")[2] for name in FILES] == list(names)


@pytest.mark.slow
def test_the_package_s_own_tests_pass(walked: tuple[Path, dict[str, str]]) -> None:
    (printed,) = (text for block, text in walked[1].items() if "pytest" in block)
    assert "7 passed" in printed


def test_the_installed_check_judges_and_the_diagnostic_notes(walked: tuple[Path, dict[str, str]]) -> None:
    folder, printed = walked
    assert "share.yaml: valid, 1 criterion" in list(printed.values())[-1]
    assert "graded again: 2, changed: 2" in list(printed.values())[-1]
    grade = ResultsFolder(folder / "results").read_grade("amara")
    assert grade is not None
    (criterion,) = grade.criteria
    assert (criterion.status, grade.score) == ("passed", 10)
    assert criterion.measured["share"] == pytest.approx(18_496 / 29_210)
    (note,) = (one for one in grade.diagnostics if one.id == "most-parameters-in-one-layer")
    assert "63.32 % of the parameters" in note.message
    report = (folder / "results" / "amara" / "report.html").read_text(encoding="utf-8")
    assert note.title in report


def test_the_code_of_the_page_is_tidy(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / Path(name).name).write_text(text, encoding="utf-8")
    ruff, config = [sys.executable, "-m", "ruff"], ["--quiet", "--config", str(ROOT / "pyproject.toml"), "."]
    subprocess.run([*ruff, "format", "--check", *config], cwd=tmp_path, check=True)
    # A test may assert figures; which package is whose is not known here.
    subprocess.run([*ruff, "check", "--ignore", "S101,PLR2004,D103,INP001,I001", *config], cwd=tmp_path, check=True)
