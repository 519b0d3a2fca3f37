"""The public rubric: it loads, it grades what it still can, and it has nothing that a student must not see."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from grader.checks import all_checks, all_diagnostics
from grader.grading import read_rubric
from grader.grading.loader import LoadedRubric
from grader.grading.public import public_rubric, without_hidden
from grader.grading.translations import side_file, side_files
from grader.pipeline.rubrics import find_rubric, publish_rubric, publish_texts, shipped_rubrics
from grader.schema.rubric import Rubric

RUBRIC = """\
version: 1
id: sample
title: A sample
dataset: mnist
reference: {file: solution.ipynb, show: true}
tasks:
  a: {classes: [0, 1]}
  b: {classes: [2, 3]}
roles:
  network: {pick: last}
  base: {pick: first}
  derived: {reuses: base}
  secret: {task: b}
  unused: {task: a}
ranking: {criterion: RANKED}
diagnostics: DIAGNOSTICS
criteria:
  - {id: runs, points: 10, check: runs}
  - {id: derived, points: 1, check: trained, with: {model: derived}}
  - {id: trap, points: 5, check: trained, with: {model: secret}, hidden: true}  # a comment
  - {id: sketch, title: A sketch, points: 7, bonus: true, manual: {guide: Look for the arrows.}, advice: Draw.}
  - {id: words, points: 2, check: text, with: {min_words: 5}}
  - {id: keywords, points: 2, check: text, with: {min_words: 5, any: [pooling]}}
  - {id: either, points: 2, any_of: [{check: runs}, {check: text, with: {topics: {x: [pooling]}}}]}
  - {id: threshold, points: 3, private: true, check: accuracy, with: {model: secret, at_least: 0.98765}, advice: Train.}
"""


def published(ranked: str = "runs", diagnostics: str = "{leave_out: [raw-pixels]}") -> tuple[str, Rubric, Rubric]:
    """The public rubric as text and read again, and the whole one."""
    text = RUBRIC.replace("RANKED", ranked).replace("DIAGNOSTICS", diagnostics)
    whole = read_rubric(text.encode(), all_checks(), all_diagnostics())
    public = public_rubric(whole, yaml.safe_load(text), all_checks(), all_diagnostics())
    return public, read_rubric(public.encode(), all_checks(), all_diagnostics()), whole


def test_a_public_rubric_has_no_secrets() -> None:
    text, _, _ = published()
    secrets = ("solution", "trap", "secret", "arrows", "pooling", "98765", "a comment", "private", "[2, 3]")
    assert [secret for secret in secrets if secret in text] == []


def test_criteria_that_students_cannot_check_are_left_to_the_instructor() -> None:
    _, public, whole = published()
    assert [c.id for c in public.criteria] == [c.id for c in whole.criteria if not c.hidden]
    assert [c.id for c in public.criteria if c.manual is not None] == ["sketch", "keywords", "either", "threshold"]
    kept = {c.id: c for c in public.criteria}
    assert (kept["sketch"].title, kept["sketch"].bonus, kept["sketch"].advice) == ("A sketch", True, "Draw.")
    assert (kept["threshold"].points, kept["threshold"].advice) == (3, "Train.")
    assert kept["words"] == next(c for c in whole.criteria if c.id == "words")
    assert public.max_score == whole.max_score - 5


def test_roles_and_tasks_of_removed_checks_are_removed() -> None:
    _, public, _ = published()
    assert set(public.roles) == {"network", "base", "derived", "unused"}
    assert set(public.tasks) == {"a"}


@pytest.mark.parametrize(("ranked", "kept"), [("runs", True), ("threshold", False), ("trap", False)])
def test_a_ranking_needs_its_criterion(ranked: str, *, kept: bool) -> None:
    assert (published(ranked)[1].ranking is not None) is kept


@pytest.mark.parametrize(
    ("diagnostics", "on", "models"),
    [
        ("{students: {leave_out: [raw-pixels]}}", {"still-rising", "large-kernels"}, None),
        ("{leave_out: [still-rising], students: {leave_out: [raw-pixels]}}", {"large-kernels"}, None),
        ("{only: [raw-pixels, large-kernels], students: {leave_out: [raw-pixels]}}", {"large-kernels"}, None),
        ("{leave_out: [raw-pixels], students: {models: [base]}}", {"still-rising", "large-kernels"}, ("base",)),
        ("{leave_out: [raw-pixels], models: [network], students: {models: [base]}}", None, ()),
    ],
)
def test_notes_for_instructors_are_off_without_a_name(
    diagnostics: str, on: set[str] | None, models: tuple[str, ...] | None
) -> None:
    text, public, _ = published(diagnostics=diagnostics)
    named = {"raw-pixels", "still-rising", "large-kernels"}
    if on is not None:
        assert {name for name in named if public.diagnostics.runs(name)} == on
    assert public.diagnostics.models == models
    assert "students" not in text
    assert ("raw-pixels" in text) is ("leave_out: [raw-pixels]," in diagnostics and "students: {models" in diagnostics)


@pytest.mark.parametrize("path", shipped_rubrics(), ids=lambda path: path.stem)
def test_the_public_form_of_each_shipped_rubric_loads(path: Path) -> None:
    loaded = find_rubric(str(path))
    text = publish_rubric(loaded)
    public = read_rubric(text.encode(), all_checks(), all_diagnostics())
    assert public.max_score == loaded.rubric.max_score
    assert public.reference is None
    guides = [c.manual.guide for c in loaded.rubric.criteria if c.manual is not None]
    assert [guide for guide in guides if guide in text] == []
    words = {word for c in loaded.rubric.criteria for t in c.tests if t.check == "text" for word in keywords(t.with_)}
    assert [word for word in words if f"[{word}," in text or f", {word}," in text] == []
    assert publish_rubric(replace(loaded, rubric=public)) != ""


TEXTS = """\
# Ein Kommentar.
version: 1
title: Ein Beispiel
criteria:
  trap: {title: Die Falle, advice: Nach der Falle suchen.}
  sketch: {title: Eine Skizze, advice: Zeichnen., guide: Nach Pfeilen suchen.}
  threshold: {advice: Trainieren.}
"""


def test_translations_are_published_without_hidden_criteria_guides_and_comments(tmp_path: Path) -> None:
    rubric = tmp_path / "sample.yaml"
    titled = RUBRIC.replace("{id: trap,", "{id: trap, title: The trap, advice: Look for it.,")
    rubric.write_text(titled.replace("RANKED", "runs").replace("DIAGNOSTICS", "{}"), encoding="utf-8")
    rubric.with_name("sample.de.yaml").write_text(TEXTS, encoding="utf-8")
    loaded = find_rubric(str(rubric))
    texts = publish_texts(loaded)
    assert set(texts) == {"de"}
    assert [secret for secret in ("trap", "Falle", "Pfeile", "Kommentar") if secret in texts["de"]] == []
    public = tmp_path / "public" / "rubric.yaml"
    public.parent.mkdir()
    public.write_text(publish_rubric(loaded), encoding="utf-8")
    public.with_name("rubric.de.yaml").write_text(texts["de"], encoding="utf-8")
    german = find_rubric(str(public)).translations["de"]
    assert german == {
        "A sample": "Ein Beispiel",
        "A sketch": "Eine Skizze",
        "Draw.": "Zeichnen.",
        "Train.": "Trainieren.",
        "Your instructor judges this criterion.": "Ihre Lehrperson bewertet dieses Kriterium.",
    }


@pytest.mark.parametrize("path", shipped_rubrics(), ids=lambda path: path.stem)
def test_the_translations_of_each_public_rubric_load_and_have_no_guides(path: Path, tmp_path: Path) -> None:
    loaded = find_rubric(str(path))
    texts = publish_texts(loaded)
    assert set(texts) == set(side_files(path))
    for code, text in texts.items():
        public = tmp_path / "rubric.yaml"
        data = yaml.safe_load(publish_rubric(loaded))
        public.write_text(yaml.safe_dump({k: v for k, v in data.items() if k not in BESIDES}), encoding="utf-8")
        side_file(public, code).write_text(text, encoding="utf-8")
        german = find_rubric(str(public)).translations[code]
        guides = [c.manual.guide.strip() for c in loaded.rubric.criteria if c.manual is not None]
        assert [guide for guide in guides if loaded.translations[code][guide] in text] == []
        shown = [c.title for c in loaded.rubric.criteria]
        assert {title: german[title] for title in shown} == {t: loaded.translations[code][t] for t in shown}


BESIDES = {"template", "files"}
"""Keys of files next to a rubric."""


def keywords(parameters: Mapping[str, Any]) -> set[str]:
    """The expected words of a `text` check."""
    topics = parameters.get("topics", {}).values()
    return {*parameters.get("all", ()), *parameters.get("any", ()), *(word for words in topics for word in words)}


def test_an_authors_own_grading_has_no_hidden_criteria() -> None:
    _, _, whole = published("trap")
    loaded = LoadedRubric(whole, "0" * 64, Path("sample.yaml"))
    shown = without_hidden(loaded)
    assert [c.id for c in shown.rubric.criteria] == [c.id for c in whole.criteria if c.id != "trap"]
    assert shown.rubric.ranking is None
    assert "secret" in shown.rubric.roles  # a criterion that is shown names it, too
    assert without_hidden(shown) is shown
    assert shown.sha256 == loaded.sha256
