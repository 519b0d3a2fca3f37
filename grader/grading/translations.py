"""Read a rubric's texts in other languages: from mappings in the rubric, and from files next to it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from grader.facts.language import languages, unknown_language
from grader.facts.nearest import suggestion
from grader.grading.documents import document_error, document_problems, read_bytes, read_located, value_at
from grader.grading.yamlnodes import LocatedYaml, Place, Problem
from grader.schema.errors import RubricError
from grader.schema.rubric import Criterion, Rubric
from grader.schema.rubric_texts import RubricTexts

__all__ = [
    "Translations",
    "is_side_file",
    "missing_texts",
    "read_rubric_texts",
    "side_file",
    "side_files",
    "text_problems",
    "translations",
]

Translations = Mapping[str, Mapping[str, str]]
"""Language → text of the rubric → text in this language."""
_Slot = tuple[str, str]
"""A text: the criterion's id (empty for the rubric itself), and `title`, `advice` or `guide`."""


def side_files(path: Path) -> Mapping[str, Path]:
    """Find the files with translations of a rubric, by language: `mnist-cnn.de.yaml` next to `mnist-cnn.yaml`.

    Args:
        path: The rubric's file.
    """
    files = {code: side_file(path, code) for code in languages() if code != "en"}
    return {code: file for code, file in files.items() if file.is_file()}


def side_file(path: Path, code: str) -> Path:
    """Name the file with the translations of a rubric into a language.

    Args:
        path: The rubric's file.
        code: The language.
    """
    return path.with_name(f"{path.stem}.{code}{path.suffix}")


def is_side_file(path: Path) -> bool:
    """Tell whether a YAML file has translations of a rubric, by its name."""
    stem, _, code = path.stem.rpartition(".")
    return bool(stem) and code in languages()


def text_problems(read: LocatedYaml) -> Iterator[Problem]:
    """Find wrong entries of texts in several languages.

    Args:
        read: The rubric.
    """
    for _, place in _places(read.data):
        texts = value_at(read.data, place)
        for code, text in texts.items() if isinstance(texts, Mapping) else ():
            problem = unknown_language(str(code))
            if problem:
                yield Problem(read.key((*place, code)), problem)
            elif not isinstance(text, str) or not text.strip():
                yield Problem(read.value((*place, code)), f"`{place[-1]}` must be a text in each language")


def translations(rubric: Rubric, data: Mapping[str, Any], path: Path) -> Translations:
    """Collect the texts of a rubric in other languages.

    Args:
        rubric: The rubric.
        data: The same rubric as YAML values.
        path: Its file.

    Raises:
        RubricError: A file with translations cannot be read or is wrong.
    """
    inline = {code: dict(_inline(data, code)) for code in languages() if code != "en"}
    files = {code: _side_texts(rubric, inline[code], file) for code, file in side_files(path).items()}
    english = _english(rubric)
    found = {code: {**texts, **files.get(code, {})} for code, texts in inline.items()}
    return {
        code: {english[slot]: text for slot, text in texts.items() if slot in english}
        for code, texts in found.items()
        if texts or code in files
    }


def missing_texts(rubric: Rubric, texts: Mapping[str, str]) -> tuple[str, ...]:
    """Name the texts that have no translation, such as `runs.advice`.

    Args:
        rubric: The rubric.
        texts: Its translations in one language.
    """
    english = _english(rubric)
    return tuple(".".join(filter(None, slot)) for slot, text in english.items() if text not in texts)


def _english(rubric: Rubric) -> dict[_Slot, str]:
    """Map the texts of a rubric to their English wording, without the space around it, as grades have it."""
    texts = {("", "title"): rubric.title}
    for criterion in rubric.criteria:
        texts |= {(criterion.id, name): text for name, text in _texts_of(criterion).items()}
    return {slot: text.strip() for slot, text in texts.items() if text.strip()}


def _texts_of(criterion: Criterion) -> Mapping[str, str]:
    guide = criterion.manual.guide if criterion.manual is not None else ""
    return {"title": criterion.title, "advice": criterion.advice, "guide": guide}


def _places(data: Mapping[str, Any]) -> Iterator[tuple[_Slot, Place]]:
    """Find the texts in a rubric's YAML values; a document that is not valid may lack any part."""
    if "title" in data:
        yield ("", "title"), ("title",)
    criteria = data.get("criteria")
    for position, criterion in enumerate(criteria if isinstance(criteria, list) else []):
        if not isinstance(criterion, Mapping):
            continue
        manual = criterion.get("manual")
        name, place = str(criterion.get("id")), ("criteria", position)
        yield from (((name, key), (*place, key)) for key in ("title", "advice") if key in criterion)
        if isinstance(manual, Mapping) and "guide" in manual:
            yield (name, "guide"), (*place, "manual", "guide")


def _inline(data: Mapping[str, Any], code: str) -> Iterator[tuple[_Slot, str]]:
    for slot, place in _places(data):
        texts = value_at(data, place)
        if isinstance(texts, Mapping) and code in texts:
            yield slot, texts[code].strip()


def _side_texts(rubric: Rubric, inline: Mapping[_Slot, str], path: Path) -> Mapping[_Slot, str]:
    """Read a file with translations, and compare it with the rubric.

    Raises:
        RubricError: The file cannot be read or is wrong.
    """
    texts = read_rubric_texts(path, lambda read: _criterion_problems(read, rubric, inline))
    return {slot: text.strip() for slot, text in _side_slots(texts) if text.strip()}


def read_rubric_texts(path: Path, check: Callable[[LocatedYaml], Iterable[Problem]] = lambda _: ()) -> RubricTexts:
    """Read a file with translations.

    Args:
        path: The file.
        check: Finds further problems of the file.

    Raises:
        RubricError: The file cannot be read or is wrong.
    """
    content = read_bytes(path, noun="the rubric's translations", kind=RubricError)
    read = read_located(content, name=str(path), noun="rubric's translations", kind=RubricError)
    problems = list(read.problems)
    if isinstance(read.data, Mapping):
        problems += document_problems(read, RubricTexts)
        problems += check(read)
    elif not problems:
        problems.append(
            Problem(read.value(()), "translations must be a mapping with the keys `version` and `criteria`")
        )
    if problems:
        raise document_error(problems, name=str(path), kind=RubricError)
    return RubricTexts.model_validate(read.data)


def _side_slots(texts: RubricTexts) -> Iterator[tuple[_Slot, str]]:
    yield ("", "title"), texts.title
    for name, criterion in texts.criteria.items():
        yield from (((name, key), getattr(criterion, key)) for key in ("title", "advice", "guide"))


def _criterion_problems(read: LocatedYaml, rubric: Rubric, inline: Mapping[_Slot, str]) -> Iterator[Problem]:
    """Find translations of criteria and texts that the rubric does not have, or has translated itself."""
    english, ids = _english(rubric), [criterion.id for criterion in rubric.criteria]
    if ("", "title") in inline and "title" in read.data:
        yield Problem(read.key(("title",)), "the rubric itself already translates `title`")
    criteria = read.data.get("criteria")
    for name, texts in criteria.items() if isinstance(criteria, Mapping) else ():
        place: Place = ("criteria", name)
        if name not in ids:
            yield Problem(read.key(place), f"unknown criterion {name!r}{suggestion(name, ids)}")
            continue
        for key in texts if isinstance(texts, Mapping) else ():
            if key not in {"title", "advice", "guide"}:
                continue  # document_problems reports it
            if (name, key) not in english:
                yield Problem(read.key((*place, key)), f"the criterion {name!r} has no `{key}` in the rubric")
            elif (name, key) in inline:
                yield Problem(read.key((*place, key)), f"the rubric itself already translates `{key}` of {name!r}")
