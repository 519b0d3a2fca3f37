"""`--language`: pages in another language, from the same grades."""

import json
from pathlib import Path

import pytest

from grader.cli.language import in_language
from grader.pipeline.rubrics import find_rubric, noted_language
from grader.schema.errors import UsageError
from grader.store.results import ResultsFolder
from tests.support.command import grader
from tests.support.kept_results import keep_results

ENGLISH, GERMAN = '<html lang="en">', '<html lang="de">'
TITLES = {"en": "MNIST with as few weights as possible", "de": "MNIST mit so wenigen Gewichten wie möglich"}


def pages(out: ResultsFolder) -> list[str]:
    """Read the class page and both editions of the only report."""
    return [(out.root / name).read_text(encoding="utf-8") for name in ("index.html", "ada/report.html")]


def test_pages_change_their_language_without_grading_again(tmp_path: Path) -> None:
    out = keep_results(tmp_path / "results", "parameter-golf", "ada")
    grade = (out.root / "ada" / "grade.json").read_bytes()
    assert all(ENGLISH in page and TITLES["en"] in page for page in pages(out))

    done = grader("report", out.root, "--language", "de")
    assert done.code == 0, done.err
    assert done.out.startswith("reports written: 1")
    assert all(GERMAN in page and TITLES["de"] in page for page in pages(out))
    assert "von 100 Punkten" in pages(out)[1]
    assert noted_language(out) == "de"

    # The folder keeps the language, and a regrade changes no page in it.
    german = pages(out)
    assert grader("regrade", out.root).out == "graded again: 1, changed: 0\n"
    assert pages(out) == german

    assert grader("regrade", out.root, "--language", "en").out == "graded again: 1, changed: 0\n"
    assert all(ENGLISH in page and TITLES["en"] in page for page in pages(out))
    assert (out.root / "ada" / "grade.json").read_bytes() == grade


def test_an_unknown_language_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown language 'dd'; did you mean 'de'"):
        in_language(find_rubric("parameter-golf"), "dd")
    done = grader("report", keep_results(tmp_path / "results", "parameter-golf", "ada").root, "--language", "xx")
    assert done.code == 2
    assert "the choices are de, en" in done.err.replace("\n", " ")


def test_the_option_overrides_the_folder_and_the_rubric_overrides_the_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "config.yaml"
    site.write_text("version: 1\nlanguage: de\n", encoding="utf-8")
    monkeypatch.setenv("GRADER_CONFIG", str(site))
    loaded = find_rubric("parameter-golf")
    out = ResultsFolder(tmp_path / "results")
    assert in_language(loaded, None, out).page_language == "de"
    assert in_language(loaded, "en", out).page_language == "en"
    english = tmp_path / "own.yaml"
    english.write_text(loaded.path.read_text(encoding="utf-8").replace("id: p", "language: en\nid: p", 1), "utf-8")
    assert in_language(find_rubric(str(english)), None, out).page_language == "en"
    out.write_page("rubric.json", json.dumps({"version": 1, "language": "de"}))
    assert in_language(find_rubric(str(english)), None, out).page_language == "de"
