"""The pytest plugin: notebooks and criteria as pytest shows them, with grades that need no execution."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from unittest.mock import MagicMock

import pytest

import grader.api
import grader.pytest_plugin.session
from grader.pytest_plugin.workers import NotebookScheduling
from tests.support.command import NOTEBOOKS, a_course, needs_bubblewrap
from tests.support.fake_grades import CONFTEST, RUBRIC, executions

pytest_plugins = ["pytester"]

KEPT = (grader.api, grader.pytest_plugin.session)
"""Modules that are imported here, because an inner session forgets those that it imports first."""
ROOT = Path(__file__).parents[2]
RUN = ("--rubric", "fake.yaml", "-p", "no:cacheprovider")
IDS = ("passed", "partial", "failed", "pending", "bonus")
HEAVY = {"pydantic", "numpy", "yaml", "nbformat", "nbclient", "jinja2", "typer", "grader.api"}
"""Modules that pytest must not import because of the plugin."""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder with a rubric, a notebook, and a conftest that grades without an execution."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (pytester.path / "fake.yaml").write_text(RUBRIC, encoding="utf-8")
    pytester.makeconftest(CONFTEST)
    add(pytester, "submission")
    return pytester


def add(project: pytest.Pytester, *names: str) -> None:
    """Add notebooks."""
    for name in names:
        place = project.path / f"{name}.ipynb"
        place.parent.mkdir(exist_ok=True)
        place.write_bytes((NOTEBOOKS / "plain.ipynb").read_bytes())


def graded(project: pytest.Pytester) -> list[str]:
    """List the notebooks that were executed."""
    return sorted(line.split()[0] for line in executions(project.path))


def test_each_criterion_is_an_item_and_collecting_executes_nothing(project: pytest.Pytester) -> None:
    done = project.runpytest_inprocess(*RUN, "--collect-only", "-q")
    assert done.outlines[: len(IDS)] == [f"submission.ipynb::{name}" for name in IDS]
    assert "hidden" not in done.stdout.str()
    assert "grades by" not in done.stdout.str()
    assert graded(project) == []


def test_one_execution_gives_every_item_its_verdict(project: pytest.Pytester) -> None:
    done = project.runpytest_inprocess(*RUN, "-v", "submission.ipynb")
    done.assert_outcomes(passed=1, failed=2, skipped=2)
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    assert graded(project) == ["submission.ipynb"]
    done.stdout.fnmatch_lines([
        "cnn-grader *: rubric fake (A fake course), fake.yaml",
        "submission.ipynb::passed PASSED*",
        "submission.ipynb::pending SKIPPED (Seen for pending.)*",
        "submission.ipynb::bonus SKIPPED (missed, but no points are lost*",
        "*___ submission.ipynb: failed (It draws) ___*",
        "0 of 3 points: Seen for failed.",
        "→ Draw it.",
        "cell 2",
        "=* grades by the rubric fake =*",
        "submission.ipynb: 3.5 of 9 · 1 passed, 1 partly met, 2 missed, 1 waits for a person",
        "  note: Raw pixels (cell 3): Seen in a.",
        "    → Divide.",
        "FAILED submission.ipynb::partial - Failed: 1.5 of 4 points: Seen for partial.",
    ])  # fmt: skip
    for word in ("Traceback", ".py:", "secret"):
        assert word not in done.stdout.str()


def test_quiet_output_has_the_scores_without_notes(project: pytest.Pytester) -> None:
    text = project.runpytest_inprocess(*RUN, "-q").stdout.str()
    assert "submission.ipynb: 3.5 of 9 ·" in text
    assert "Raw pixels" not in text
    assert "cnn-grader" not in text


@pytest.mark.parametrize(
    ("words", "outcomes"),
    [
        (("-k", "partial or pending"), {"failed": 1, "skipped": 1, "deselected": 3}),
        (("-x",), {"passed": 1, "failed": 1}),
        (("submission.ipynb::failed",), {"failed": 1}),
    ],
)
def test_a_part_of_the_items_can_be_chosen(
    project: pytest.Pytester, words: tuple[str, ...], outcomes: dict[str, int]
) -> None:
    project.runpytest_inprocess(*RUN, *words).assert_outcomes(**outcomes)
    assert graded(project) == ["submission.ipynb"]


def test_the_last_failed_criteria_run_again(project: pytest.Pytester) -> None:
    project.runpytest_inprocess("--rubric", "fake.yaml")
    done = project.runpytest_inprocess("--rubric", "fake.yaml", "--lf", "-v")
    done.assert_outcomes(failed=2)
    assert graded(project) == ["submission.ipynb"] * 2


def test_the_xml_has_points_and_texts(project: pytest.Pytester) -> None:
    project.runpytest_inprocess(*RUN, "--junitxml", "out.xml")
    cases = {case.get("name"): case for case in ET.parse(project.path / "out.xml").iter("testcase")}  # noqa: S314
    assert tuple(cases) == IDS
    case = cases["partial"]
    assert case.get("classname") == "submission.ipynb"
    properties = {one.get("name"): one.get("value") for one in case.iter("property")}
    assert properties == {"title": "partial", "points": "1.5", "max_points": "4", "status": "partial"}
    failure = case.find("failure")
    assert failure is not None
    assert failure.text == "1.5 of 4 points: Seen for partial."
    assert cases["pending"].find("skipped") is not None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (
            "refused",
            "--grader-isolation auto: no sandbox works on this machine — your own notebook: `--grader-isolation none`*",
        ),
        ("mistake", "an error in the grader: ZeroDivisionError"),
        ("lost", "the disk is full"),
    ],
)
def test_a_failure_of_the_grader_is_an_error_of_each_item_and_told_once(
    project: pytest.Pytester, name: str, reason: str
) -> None:
    add(project, name)
    done = project.runpytest_inprocess(*RUN, f"{name}.ipynb")
    done.assert_outcomes(errors=len(IDS))
    assert graded(project) == [f"{name}.ipynb"]
    done.stdout.fnmatch_lines([
        f"* ERROR at setup of {name}.ipynb: passed (It runs) *",
        f"not graded: {reason}",
        f"not graded: the reason is at {name}.ipynb::passed",
        f"{name}.ipynb: not graded: {reason}",
    ])  # fmt: skip


def test_a_warning_is_a_notice_even_if_warnings_are_errors(project: pytest.Pytester) -> None:
    add(project, "warned")
    done = project.runpytest_inprocess(*RUN, "-W", "error", "warned.ipynb::passed")
    done.assert_outcomes(passed=1)
    done.stdout.fnmatch_lines(["  notice: two cores are busy"])


def test_a_file_that_is_no_notebook_is_an_error_of_the_collection_with_advice(project: pytest.Pytester) -> None:
    (project.path / "broken.ipynb").write_bytes((NOTEBOOKS / "not-json.ipynb").read_bytes())
    done = project.runpytest_inprocess(*RUN)
    assert done.ret == pytest.ExitCode.INTERRUPTED
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*ERROR collecting broken.ipynb*", "broken.ipynb: *", "→ *submit*"])
    assert "Traceback" not in done.stdout.str()
    assert graded(project) == []
    more = project.runpytest_inprocess(*RUN, "--continue-on-collection-errors")
    more.assert_outcomes(errors=1, passed=1, failed=2, skipped=2)


def test_folders_and_several_notebooks_are_graded_next_to_other_tests(project: pytest.Pytester) -> None:
    add(project, "class/anna", "class/ben", ".ipynb_checkpoints/anna-checkpoint")
    project.makepyfile(test_own="def test_own(): pass")
    done = project.runpytest_inprocess(*RUN, "class", "submission.ipynb", "test_own.py")
    done.assert_outcomes(passed=4, failed=6, skipped=6)
    done.stdout.fnmatch_lines(["class/anna.ipynb: 3.5 of 9 *", "class/ben.ipynb: *", "submission.ipynb: *"])
    assert sorted(line.split()[0] for line in executions(project.path / "class")) == ["anna.ipynb", "ben.ipynb"]


def test_a_run_without_isolation_says_so(project: pytest.Pytester) -> None:
    done = project.runpytest_inprocess(*RUN, "--grader-isolation", "none", "--collect-only")
    done.stdout.fnmatch_lines(["without isolation: the notebooks run with all your permissions on this machine"])
    assert "without isolation" not in project.runpytest_inprocess(*RUN, "--collect-only").stdout.str()


def test_the_options_reach_the_grader(project: pytest.Pytester) -> None:
    words = ("--grader-isolation", "none", "--grader-device", "cpu", "--grader-seed", "5", "--grader-quick")
    project.runpytest_inprocess(*RUN, *words)
    project.runpytest_inprocess(*RUN)
    settings = [line.split()[1:] for line in executions(project.path)]
    assert settings == [["none", "cpu", "5", "True"], ["auto", "auto", "None", "False"]]


def test_the_configuration_can_name_the_rubric_relative_to_itself(project: pytest.Pytester) -> None:
    add(project, "work/mine")
    project.makeini("[pytest]\ngrader_rubric = fake.yaml\n")
    inner = project.path / "work"
    inner.joinpath("own.yaml").write_text(RUBRIC.replace("A fake course", "Another course"), encoding="utf-8")
    with pytest.MonkeyPatch.context() as context:
        context.chdir(inner)
        project.runpytest_inprocess("-p", "no:cacheprovider").stdout.fnmatch_lines(["*rubric fake (A fake course)*"])
        done = project.runpytest_inprocess("-p", "no:cacheprovider", "--rubric", "own.yaml")
        done.stdout.fnmatch_lines(["*rubric fake (Another course), own.yaml", "mine.ipynb: 3.5 of 9 *"])
    project.makeini("[pytest]\ngrader_rubric = mnist-cnn\n")
    done = project.runpytest_inprocess("--collect-only", "-p", "no:cacheprovider")
    done.stdout.fnmatch_lines(["*rubric mnist-cnn *"])


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--rubric", "fkae.yaml"), "ERROR: fkae.yaml: *did you mean 'fake.yaml'?*"),
        (("--rubric", "mnist-cn"), "ERROR: there is no rubric 'mnist-cn'; did you mean 'mnist-cnn'?*"),
        (("--rubric", "fake.yaml", "--grader-seed", "x"), "*--grader-seed: 'x' is not an integer from 0 to *"),
    ],
)
def test_a_wrong_option_is_a_usage_error(project: pytest.Pytester, words: tuple[str, ...], text: str) -> None:
    done = project.runpytest_inprocess(*words)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines([text])


@pytest.mark.parametrize("words", [(), ("-p", "no:xdist", "-p", "no:timeout")])
def test_the_plugins_that_share_marks_are_optional(project: pytest.Pytester, words: tuple[str, ...]) -> None:
    done = project.runpytest_inprocess(*RUN, *words, "--strict-markers", "--strict-config", "-W", "error")
    done.assert_outcomes(passed=1, failed=2, skipped=2)


def test_the_plugin_can_be_switched_off(project: pytest.Pytester) -> None:
    done = project.runpytest_inprocess("-p", "no:grader", *RUN)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["*unrecognized arguments: --rubric*"])


def test_without_a_rubric_no_notebook_is_collected(project: pytest.Pytester) -> None:
    done = project.runpytest_inprocess("-p", "no:cacheprovider")
    assert done.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert "cnn-grader 0" not in done.stdout.str().partition("plugins:")[2].partition("\n")[2]
    assert graded(project) == []


def test_without_a_rubric_pytest_imports_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(): pass", encoding="utf-8")
    code = (
        "import pytest, sys; code = pytest.main(['-q', '-p', 'no:hypothesispytest', '-p', 'no:cacheprovider']); "
        f"heavy = {HEAVY} & set(sys.modules); "
        "assert code == 0 and 'grader.pytest_plugin.plugin' in sys.modules and not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_the_criteria_of_a_notebook_are_one_unit_of_work_and_any_other_test_is_alone() -> None:
    unit_of = NotebookScheduling._split_scope
    units = {unit_of(MagicMock(), f"class/anna.ipynb::{name}") for name in IDS}
    assert units == {"class/anna.ipynb"}
    assert unit_of(MagicMock(), "tests/test_it.py::test_it[a.ipynb::b]") == "tests/test_it.py::test_it[a.ipynb::b]"


def workers(text: str) -> dict[str, set[str]]:
    """Map each file to the workers that ran its items, from verbose output."""
    found: dict[str, set[str]] = {}
    for line in text.splitlines():
        if line.startswith("[gw"):
            found.setdefault(line.split()[-1].partition("::")[0], set()).add(line[:5])
    return found


@pytest.mark.slow
@pytest.mark.early
def test_workers_execute_each_notebook_once(project: pytest.Pytester) -> None:
    add(project, "other")
    project.makepyfile(test_own="import pytest\n@pytest.mark.parametrize('n', range(4))\ndef test_own(n): pass")
    done = project.runpytest_subprocess(*RUN, "-n", "2", "-v", "--junitxml", "out.xml")
    done.assert_outcomes(passed=6, failed=4, skipped=4)
    assert graded(project) == ["other.ipynb", "submission.ipynb"]
    by_file = workers(done.stdout.str())
    assert {len(by_file[f"{name}.ipynb"]) for name in ("other", "submission")} == {1}
    done.stdout.fnmatch_lines([
        "cnn-grader *: rubric fake *",
        "0 of 3 points: Seen for failed.",
        "other.ipynb: 3.5 of 9 *",
        "submission.ipynb: 3.5 of 9 *",
    ])  # fmt: skip
    points = [one for one in ET.parse(project.path / "out.xml").iter("property") if one.get("name") == "points"]  # noqa: S314
    assert len(points) == 2 * len(IDS)


@pytest.mark.slow
@pytest.mark.early
@pytest.mark.parametrize("dist", ["loadgroup", "worksteal"])
def test_workers_execute_each_notebook_once_however_the_items_are_divided(project: pytest.Pytester, dist: str) -> None:
    add(project, "other")
    done = project.runpytest_subprocess(*RUN, "-n", "2", "--dist", dist)
    done.assert_outcomes(passed=2, failed=4, skipped=4)
    assert graded(project) == ["other.ipynb", "submission.ipynb"]


@pytest.mark.slow
@pytest.mark.early
@pytest.mark.bubblewrap
def test_a_real_execution_gives_the_verdicts(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_bubblewrap()
    rubric = a_course(pytester.path / "course")
    monkeypatch.setenv("GRADER_DATA", str(rubric.parent / "data"))
    for name in ("plain", "raises"):
        (pytester.path / f"{name}.ipynb").write_bytes((NOTEBOOKS / f"{name}.ipynb").read_bytes())
    done = pytester.runpytest_subprocess("--rubric", str(rubric), "-v", "plain.ipynb", "raises.ipynb")
    done.assert_outcomes(passed=2, failed=2)
    done.stdout.fnmatch_lines([
        "plain.ipynb::runs PASSED*",
        "plain.ipynb::explained PASSED*",
        "raises.ipynb::runs FAILED*",
        "raises.ipynb::explained FAILED*",
        "*___ raises.ipynb: runs (It runs) ___*",
        "0 of 2 points: *ZeroDivisionError*",
        "plain.ipynb: 3 of 3 *",
        "raises.ipynb: 0 of 3 *",
    ])  # fmt: skip
