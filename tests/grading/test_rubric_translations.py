"""A rubric's texts in other languages: where they are written, and which mistakes are errors."""

from pathlib import Path

import pytest

from grader.checks.registry import all_checks
from grader.facts.language import language, languages
from grader.facts.rubric_texts import with_titles
from grader.grading.loader import LoadedRubric, load_rubric
from grader.grading.translations import missing_texts
from grader.pipeline.rubrics import find_rubric, shipped_rubrics
from grader.schema.errors import RubricError
from grader.schema.grade import CriterionGrade, Grade, RubricStamp, SubmissionStamp
from grader.schema.message import literal, say, sentences

RUBRIC = """\
version: 1
id: small
title: {en: A small task, de: Eine kleine Aufgabe}
criteria:
  - id: runs
    title: It runs
    points: 1
    check: runs
    advice: {en: Run all cells., de: Führen Sie alle Zellen aus.}
  - id: answer
    title: The answer is right
    points: 2
    manual: {guide: Names three reasons.}
"""
SIDE = """\
version: 1
criteria:
  runs: {title: Es läuft}
  answer:
    title: Die Antwort ist richtig
    guide: Nennt drei Gründe.
"""


def load(folder: Path, rubric: str = RUBRIC, side: str | None = SIDE) -> LoadedRubric:
    path = folder / "small.yaml"
    path.write_text(rubric, encoding="utf-8")
    if side is not None:
        (folder / "small.de.yaml").write_text(side, encoding="utf-8")
    return load_rubric(path, all_checks())


def test_texts_come_from_the_rubric_and_from_the_file_next_to_it(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    assert loaded.rubric.title == "A small task"
    assert loaded.rubric.criteria[0].advice == "Run all cells."
    assert loaded.translations["de"] == {
        "A small task": "Eine kleine Aufgabe",
        "It runs": "Es läuft",
        "Run all cells.": "Führen Sie alle Zellen aus.",
        "The answer is right": "Die Antwort ist richtig",
        "Names three reasons.": "Nennt drei Gründe.",
    }
    assert missing_texts(loaded.rubric, loaded.translations["de"]) == ()


def test_a_missing_text_stays_english_and_is_listed(tmp_path: Path) -> None:
    loaded = load(tmp_path, side="version: 1\ncriteria:\n  runs: {title: Es läuft}\n")
    assert missing_texts(loaded.rubric, loaded.translations["de"]) == ("answer.title", "answer.guide")
    assert loaded.writer("de").rubric_text("The answer is right") == "The answer is right"


def test_a_rubric_without_translations_has_no_language_of_its_own(tmp_path: Path) -> None:
    loaded = load(tmp_path, RUBRIC.replace("{en: A small task, de: Eine kleine Aufgabe}", "T"), None)
    assert list(loaded.translations) == ["de"]
    english = RUBRIC.replace("{en: A small task, de: Eine kleine Aufgabe}", "T").replace(
        "{en: Run all cells., de: Führen Sie alle Zellen aus.}", "R"
    )
    assert load(tmp_path, english, None).translations == {}
    assert load(tmp_path, english, None).page_language == "en"


@pytest.mark.parametrize(
    ("side", "message"),
    [
        ("version: 1\ncriteria:\n  rusn: {title: Es läuft}\n", "small.de.yaml:3:3"),
        ("version: 1\ncriteria:\n  rusn: {title: Es läuft}\n", "unknown criterion 'rusn'; did you mean 'runs'?"),
        ("version: 1\ncriteria:\n  runs: {titel: Es läuft}\n", "unknown key 'titel'; did you mean 'title'?"),
        ("version: 1\ncriteria:\n  runs: {guide: Es läuft}\n", "the criterion 'runs' has no `guide` in the rubric"),
        ("version: 1\ncriteria:\n  runs: {advice: x}\n", "the rubric itself already translates `advice` of 'runs'"),
        ("version: 1\ntitle: x\n", "the rubric itself already translates `title`"),
        ("version: 2\n", "unknown version 2"),
        ("- x\n", "translations must be a mapping"),
    ],
)
def test_a_mistake_in_the_file_is_an_error_with_its_place(tmp_path: Path, side: str, message: str) -> None:
    with pytest.raises(RubricError) as error:
        load(tmp_path, side=side)
    assert message in f"{error.value.where}: {error.value.message}"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("de: Eine kleine", "dd: Eine kleine", "unknown language 'dd'; did you mean 'de'?"),
        ("en: A small task", "fr: x", "a text in several languages must have a text with the key `en`"),
        ("de: Eine kleine Aufgabe", "de: 3", "`title` must be a text in each language"),
        ("id: small", "id: small\nlanguage: ed", "unknown language 'ed'"),
    ],
)
def test_a_mistake_in_the_rubric_is_an_error_with_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(RubricError) as error:
        load(tmp_path, RUBRIC.replace(old, new), None)
    assert message in error.value.message or message in str(error.value)
    assert "small.yaml" in str(error.value.where)


@pytest.mark.parametrize("path", shipped_rubrics(), ids=lambda path: path.stem)
def test_each_shipped_rubric_has_every_text_in_every_language(path: Path) -> None:
    loaded = find_rubric(str(path))
    for code in languages():
        if code != "en":
            assert missing_texts(loaded.rubric, loaded.translations.get(code, {})) == ()
            writer = loaded.writer(code)
            english = [loaded.rubric.title, *(c.title for c in loaded.rubric.criteria)]
            assert [text for text in english if writer.rubric_text(text) == text] == []


def test_a_grade_is_shown_in_another_language_without_grading_again(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    line = CriterionGrade(
        id="runs",
        title="It runs",
        points=0,
        max_points=1,
        status="failed",
        message="Cell 1 raised an error.",
        says=say("{cell:Cell} raised an error.", cell=0),
        advice_says=sentences("Run all cells.", literal("Look at `x`.")),
    )
    grade = Grade(
        submission=SubmissionStamp(id="ada", student="Ada", files=(), sha256=""),
        rubric=RubricStamp(id="small", sha256="", title="A small task"),
        status="graded",
        score=0,
        max_score=1,
        pending=0,
        criteria=(line,),
    )
    shown = with_titles(grade, loaded.writer("de"))
    assert (shown.rubric.title, shown.criteria[0].title) == ("Eine kleine Aufgabe", "Es läuft")
    assert line.advice_says is not None
    assert loaded.writer("de").text(line.advice_says) == "Führen Sie alle Zellen aus. Look at `x`."
    assert with_titles(grade, language("de")) is grade
