"""The recorder is tried before a class is graded: once in each environment, and nothing is graded where it fails."""

import shutil
import sys
from pathlib import Path
from typing import Any, Literal

import platformdirs
import pytest

import grader
from grader.datasets.store import DatasetStore
from grader.execution.sandbox import layout
from grader.execution.sandbox.choice import choose_isolation
from grader.execution.sandbox.device import Device
from grader.execution.sandbox.unprotected import NoIsolation
from grader.intake.find import find_submissions
from grader.pipeline import canary, classroom
from grader.pipeline import course as courses
from grader.pipeline import execution as executing
from grader.pipeline import setup as workbench
from grader.pipeline.canary import Place, check_class, check_recorder, dialects_of, missing_in
from grader.pipeline.rubrics import find_rubric
from grader.schema.errors import HarnessError, SandboxError
from grader.store.results import ResultsFolder
from tests.support.command import NOTEBOOKS, RUBRIC, needs_bubblewrap, small_digits

Dialect = Literal["keras3", "keras2"]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of its own, in which no trial has passed."""
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda _: tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def trials(cache: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Results of the trials to come, in the place of real ones; each is taken away when its trial is made."""
    del cache
    results: list[tuple[str, ...]] = []
    monkeypatch.setattr(canary, "missing_in", lambda _place, _dialect: results.pop(0))
    return results


def a_place(**keys: Any) -> Place:
    values: dict[str, Any] = {"isolation": NoIsolation(), "device": Device("cpu"), "python": Path(sys.executable)}
    return Place(**(values | keys))


def test_a_trial_that_passed_is_not_made_again(trials: list[tuple[str, ...]]) -> None:
    trials.append(())
    check_recorder(a_place(), ["keras3"])
    check_recorder(a_place(), ["keras3"])
    assert trials == []


def test_each_dialect_has_its_trial(trials: list[tuple[str, ...]]) -> None:
    trials += [(), ()]
    check_recorder(a_place(), ["keras3", "keras2"])
    assert trials == []


def test_a_failed_trial_is_never_remembered_and_names_the_hooks(trials: list[tuple[str, ...]]) -> None:
    trials += [("the hook `Model.fit` recorded no `fit_start` event",), ()]
    with pytest.raises(HarnessError, match=r"nothing was graded.*`Model.fit`.*`fit_start`") as raised:
        check_recorder(a_place(), ["keras3"])
    assert raised.value.exit_code == 3
    check_recorder(a_place(), ["keras3"])
    assert trials == []


@pytest.mark.parametrize("changed", ["inside", "device", "versions", "canary"])
def test_a_change_that_could_change_the_result_asks_for_another_trial(
    changed: str, trials: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    trials += [(), ()]
    check_recorder(a_place(), ["keras3"])
    place = a_place()
    if changed == "inside":
        monkeypatch.setattr(canary, "inside_code", lambda: "other")
    elif changed == "device":
        place = a_place(device=Device("gpu", 0, "A GPU"))
    elif changed == "versions":
        monkeypatch.setattr(canary, "python_versions", lambda *_: {"tensorflow": "9", "keras": "9"})
    else:
        monkeypatch.setattr(canary, "digest_code", lambda _: "other")
    check_recorder(place, ["keras3"])
    assert trials == []


def test_a_keras_that_is_not_installed_is_not_tried(
    trials: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canary, "python_versions", lambda *_: {"tensorflow": "2.21.0", "keras": "3.15.1"})
    check_recorder(a_place(), ["keras2"])
    assert trials == []


def test_a_trial_whose_sandbox_does_not_start_says_so(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        msg = "the kernel did not start"
        raise SandboxError(msg)

    monkeypatch.setattr(canary, "execute", refuse)
    with pytest.raises(SandboxError, match="did not start"):
        check_recorder(a_place(), ["keras3"])
    assert [path.name for path in (cache / "canary-1").iterdir()] == [".lock"]


def _rubric(folder: Path, dialect: str = "auto") -> Any:
    text = RUBRIC.replace("run: {", f"run: {{dialect: {dialect}, ")
    (folder / "tiny.yaml").write_text(text, encoding="utf-8")
    return find_rubric(str(folder / "tiny.yaml"))


def test_the_notebooks_say_which_dialects_are_tried(tmp_path: Path) -> None:
    notebook = Path(shutil.copy(NOTEBOOKS / "plain.ipynb", tmp_path))
    found = find_submissions([notebook], unpack_to=tmp_path / "unpacked")
    assert dialects_of(found, _rubric(tmp_path)) == ("keras3",)
    assert dialects_of([], _rubric(tmp_path)) == ()
    assert dialects_of([], _rubric(tmp_path, "keras2")) == ("keras2",)


def test_where_every_trial_passed_no_notebook_is_read(
    trials: list[tuple[str, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials += [(), ()]
    check_recorder(a_place(), canary.DIALECTS)
    monkeypatch.setattr(canary, "dialects_of", pytest.fail)
    check_class(a_place(), [], _rubric(tmp_path))


def test_nothing_is_graded_where_the_trial_fails(
    trials: list[tuple[str, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials.append(("the hook `Model.fit` recorded no `fit_start` event",))
    monkeypatch.setattr(executing, "execute", pytest.fail)
    store = DatasetStore(tmp_path / "data")
    store.import_file("digits", small_digits(tmp_path / "digits.npz"))
    loaded = _rubric(tmp_path)
    course = courses.load_course(loaded, store)
    notebook = Path(shutil.copy(NOTEBOOKS / "plain.ipynb", tmp_path))
    found = find_submissions([notebook], unpack_to=tmp_path / "unpacked")
    out = ResultsFolder(tmp_path / "out")
    bench = workbench.set_up(loaded, workbench.Options(isolation="none", device="cpu"))
    with pytest.raises(HarnessError, match="nothing was graded"):
        classroom.grade_class(found, course, bench, out, lambda _: None)
    assert not (tmp_path / "out").exists()


@pytest.mark.bubblewrap
@pytest.mark.tensorflow
@pytest.mark.slow
def test_a_hook_that_is_gone_and_one_that_raises_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_bubblewrap()
    inside = tmp_path / "inside"
    shutil.copytree(Path(grader.__file__).parent / "inside", inside, ignore=shutil.ignore_patterns("__pycache__"))
    hooks = inside / "watch" / "keras_hooks.py"
    text = hooks.read_text(encoding="utf-8")
    gone, raising = "self._evaluated, original, model, args, kwargs, result", "entry.compiled = "
    assert text.count(gone) == text.count(raising) == 1
    text = text.replace(f"self.guard.quietly({gone})", "pass").replace(raising, "raise KeyError('moved')\n        ")
    hooks.write_text(text, encoding="utf-8")
    monkeypatch.setattr(layout, "_INSIDE", inside)
    problems = missing_in(a_place(isolation=choose_isolation("bubblewrap")), "keras3")
    said = "\n".join(problems)
    assert "the hook `Model.evaluate` recorded no `evaluate` event" in said
    assert "the hook `Model.compile` recorded no `compile` event" in said
    assert "KeyError: 'moved'" in said
    assert "`Model.predict`" not in said
