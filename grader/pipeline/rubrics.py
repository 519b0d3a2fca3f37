"""Find shipped rubrics, and the rubric of a results folder."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from grader.checks.registry import all_checks, all_diagnostics
from grader.datasets.store import DatasetStore
from grader.facts.language import languages, unknown_language
from grader.facts.nearest import did_you_mean, near_path, suggestion
from grader.grading.documents import read_located
from grader.grading.loader import LoadedRubric, load_rubric, parse_rubric, rubric_problems
from grader.grading.public import public_rubric, public_texts
from grader.grading.translations import is_side_file, read_rubric_texts, side_files
from grader.grading.yamlnodes import Problem
from grader.intake.tags import read_tagged_cells, read_texts
from grader.resources import share
from grader.schema.errors import DatasetMissingError, NotebookError, RubricError, UnreadableError, UsageError
from grader.store.results import ResultsFolder

__all__ = [
    "checked_language",
    "find_rubric",
    "judgements_path",
    "note_assignment",
    "note_judgements",
    "note_language",
    "note_rubric",
    "noted_assignment",
    "noted_attempts",
    "noted_judgements",
    "noted_language",
    "noted_rubric",
    "problems_of_text",
    "publish_rubric",
    "publish_texts",
    "read_templates",
    "rubric_of_text",
    "shipped_rubrics",
]

_RUBRIC_NOTE = "rubric.json"
_NOTHING: Mapping[str, Any] = {}


def shipped_rubrics() -> tuple[Path, ...]:
    """List the rubrics that are distributed with the grader."""
    return tuple(path for path in sorted(share("rubrics").glob("*.yaml")) if not is_side_file(path))


def find_rubric(name: str, store: DatasetStore | None = None) -> LoadedRubric:
    """Load a rubric by its id, or from a file.

    Args:
        name: Id of a shipped rubric, such as `mnist-cnn`, or the path of a YAML file.
        store: If given, the rubric's data sets must be known, or imported into it.

    Raises:
        RubricError: The rubric does not exist or is wrong.
    """
    path = Path(name)
    shipped = {rubric.stem: rubric for rubric in shipped_rubrics()}
    # A folder of submissions often has the name of the rubric.
    if path.suffix not in {".yaml", ".yml"} and (not path.exists() or (path.is_dir() and name in shipped)):
        if name not in shipped:
            msg = f"there is no rubric {name!r}{did_you_mean(name, shipped) or near_path(path)}"
            raise RubricError(msg, advice=f"the shipped rubrics are {', '.join(sorted(shipped))}; or give a YAML file")
        path = shipped[name]
    if store is None:
        return _with_pages(_with_template(load_rubric(path, all_checks(), all_diagnostics())))
    known = partial(_dataset_problem, store)
    return _with_pages(_with_template(load_rubric(path, all_checks(), all_diagnostics(), known)))


def rubric_of_text(content: bytes, path: Path) -> LoadedRubric:
    """Load a rubric from the content that its file is going to have.

    Args:
        content: The bytes of the file.
        path: Path of the file, which may not exist yet.

    Raises:
        RubricError: The rubric is wrong.
    """
    return _with_pages(_with_template(parse_rubric(content, path, all_checks(), all_diagnostics())))


def problems_of_text(content: bytes, path: Path) -> tuple[Problem, ...]:
    """List the problems of the content that a rubric's file is going to have, with their lines; see `rubric_of_text`.

    Raises:
        RubricError: It cannot be read at all, or a file that the rubric names cannot be read.
    """
    problems = rubric_problems(content, path, all_checks(), all_diagnostics())
    if not problems:
        rubric_of_text(content, path)
    return problems


def _dataset_problem(store: DatasetStore, name: str) -> str:
    try:
        store.check(name)
    except DatasetMissingError as error:
        return f"{error.message}; {error.advice}"
    return ""


def _with_template(loaded: LoadedRubric) -> LoadedRubric:
    """Read the tagged cells and the text of the rubric's template."""
    name = loaded.rubric.template
    if name is None:
        return loaded
    beside, shipped = loaded.path.parent / name, share("rubrics") / name
    path = shipped if shipped.is_file() and not beside.is_file() else beside
    try:
        tagged, texts = read_tagged_cells(path), read_texts(path)
    except (NotebookError, UnreadableError) as error:
        near = "" if path.exists() else near_path(path)
        msg = f"the template {name!r} cannot be read: {error.message}{near}"
        advice = "put the notebook next to the rubric, or remove `template`"
        raise RubricError(msg, where=str(loaded.path), advice=advice) from error
    own = loaded.rubric.template_text
    text = (*((own,) if isinstance(own, str) else own), *texts)
    return replace(loaded, tagged=tagged, rubric=loaded.rubric.model_copy(update={"template_text": text}))


def publish_rubric(loaded: LoadedRubric, changed: Mapping[str, Any] = _NOTHING) -> str:
    """Write the public rubric as YAML; see `public_rubric`.

    Args:
        loaded: The rubric; its file is read again.
        changed: Other values of keys of the public rubric; None removes a key.

    Raises:
        RubricError: The file cannot be read.
    """
    try:
        content = loaded.path.read_bytes()
    except OSError as error:
        message = f"the rubric cannot be read: {error.strerror or error}"
        raise RubricError(message, where=str(loaded.path)) from error
    read = read_located(content, name=str(loaded.path), noun="rubric", kind=RubricError)
    return public_rubric(loaded.rubric, read.data, all_checks(), all_diagnostics(), changed)


def publish_texts(loaded: LoadedRubric) -> Mapping[str, str]:
    """Write the translations of the public rubric as YAML, by language; see `public_texts`.

    Args:
        loaded: The rubric; the files with its translations are read again.

    Raises:
        RubricError: A file cannot be read or is wrong.
    """
    checks = all_checks()
    return {
        code: public_texts(loaded.rubric, read_rubric_texts(file), code, checks)
        for code, file in side_files(loaded.path).items()
    }


def _with_pages(loaded: LoadedRubric) -> LoadedRubric:
    """Read the course's own templates of reports and mail."""
    name = loaded.rubric.templates
    if name is None:
        return loaded
    try:
        return replace(loaded, templates=read_templates(loaded.path.parent / name))
    except UsageError as error:
        raise RubricError(error.message, where=f"{loaded.path}, templates: {name}", advice=error.advice) from error


def read_templates(folder: Path) -> tuple[tuple[str, str], ...]:
    """Read a course's own templates.

    Args:
        folder: A folder of files with names of shipped templates.

    Returns:
        Names and texts, sorted.

    Raises:
        UsageError: The folder cannot be read, or a file is none of the shipped ones.
    """
    known = sorted(path.name for path in share("templates").iterdir() if path.is_file())
    texts: dict[str, str] = {}
    try:
        for path in sorted(folder.iterdir()):
            if path.name.startswith("."):
                continue
            if path.name not in known:
                msg = f"there is no template {path.name!r}{suggestion(path.name, known)}"
                raise UsageError(msg, where=str(folder))
            texts[path.name] = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"the templates cannot be read: {error}"
        raise UsageError(msg, where=str(folder), advice="docs/mail.md describes the folder") from error
    return tuple(texts.items())


def note_rubric(loaded: LoadedRubric, out: ResultsFolder, *, executes: bool = True) -> None:
    """Write the rubric's id and file to a results folder, so that a regrade finds it even after a change.

    Args:
        loaded: The rubric.
        out: The results folder.
        executes: Whether notebooks are executed with it; otherwise the stored number of attempts is kept.

    Raises:
        StorageError: The file cannot be written.
    """
    shipped = loaded.path in shipped_rubrics()
    note: dict[str, object] = {
        "version": 1,
        "id": loaded.rubric.id,
        "file": None if shipped else str(loaded.path.resolve()),
    }
    attempts = loaded.rubric.run.attempts if executes else noted_attempts(out)
    if attempts is not None:
        note["attempts"] = attempts
    if loaded.language is not None:
        note["language"] = loaded.language
    if (judgements := noted_judgements(out)) is not None:
        note["judgements"] = str(judgements)
    if (assignment := noted_assignment(out)) is not None:
        note |= {"course": str(assignment[0]), "assignment": assignment[1]}
    out.write_page(_RUBRIC_NOTE, json.dumps(note, indent=1) + "\n")


def noted_attempts(out: ResultsFolder) -> int | None:
    """Read the rubric's number of attempts at the last execution; None if unknown."""
    attempts = _note(out).get("attempts")
    return attempts if isinstance(attempts, int) else None


def checked_language(code: str, where: str) -> str:
    """Return a language's code, in the form of its catalog: `pt_BR` for `pt-BR`.

    Args:
        code: The code.
        where: Where it was given.

    Raises:
        UsageError: The grader has no such language.
    """
    code = code.replace("-", "_")
    if problem := unknown_language(code):
        raise UsageError(problem, where=where, advice="docs/translating.md explains how to add a language")
    return code


def noted_language(out: ResultsFolder) -> str | None:
    """Read the language that was chosen for the pages of a results folder; None if none was chosen."""
    code = _note(out).get("language")
    return code if isinstance(code, str) and code in languages() else None


def note_language(out: ResultsFolder, code: str) -> None:
    """Write the language of the pages to a results folder, so that later commands keep it.

    Args:
        out: The results folder.
        code: The language.

    Raises:
        StorageError: The file cannot be written.
    """
    out.write_page(_RUBRIC_NOTE, json.dumps({"version": 1, **_note(out), "language": code}, indent=1) + "\n")


def noted_assignment(out: ResultsFolder) -> tuple[Path, str] | None:
    """Read the course folder and the id of the assignment that a results folder belongs to; None if none was noted."""
    note = _note(out)
    root, name = note.get("course"), note.get("assignment")
    return (Path(root), name) if isinstance(root, str) and isinstance(name, str) else None


def note_assignment(out: ResultsFolder, root: Path, name: str) -> None:
    """Write the course folder and the id of the assignment to a results folder outside of the course folder.

    Args:
        out: The results folder.
        root: The course folder.
        name: Id of the assignment.

    Raises:
        StorageError: The note cannot be written.
    """
    note = {"version": 1, **_note(out), "course": str(root.resolve()), "assignment": name}
    out.write_page(_RUBRIC_NOTE, json.dumps(note, indent=1) + "\n")


def noted_judgements(out: ResultsFolder) -> Path | None:
    """Read the path of the file of judgements that was named for a results folder; None if none was named."""
    file = _note(out).get("judgements")
    return Path(file) if isinstance(file, str) and file else None


def note_judgements(out: ResultsFolder, file: Path) -> None:
    """Write the path of the file of judgements to a results folder, so that later commands find it.

    Args:
        out: The results folder.
        file: The file.

    Raises:
        UsageError: The file would be among the results, which may be deleted and made again.
        StorageError: The note cannot be written.
    """
    path = judgements_path(out, file)
    out.write_page(_RUBRIC_NOTE, json.dumps({"version": 1, **_note(out), "judgements": str(path)}, indent=1) + "\n")


def judgements_path(out: ResultsFolder, file: Path) -> Path:
    """Check the file of judgements of `--judgements`, and return its absolute path.

    Args:
        out: The results folder.
        file: The file.

    Raises:
        UsageError: The file would be among the results, which may be deleted and made again.
    """
    path = file.resolve()
    if path.is_relative_to(out.root.resolve()):
        msg = "the file of judgements must not be inside the results folder, which can be deleted and made again"
        raise UsageError(msg, where=f"--judgements {file}", advice="use a file next to the folder")
    if path.is_dir():
        msg = "this is a folder"
        raise UsageError(msg, where=f"--judgements {file}", advice="name a file, such as judgements.jsonl")
    return path


def _note(out: ResultsFolder) -> Mapping[str, Any]:
    try:
        note = json.loads((out.root / _RUBRIC_NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def noted_rubric(out: ResultsFolder, rubric: str) -> str:
    """Find the name by which `find_rubric` finds the rubric of a results folder.

    Args:
        out: The results folder.
        rubric: The rubric's id in the grades.
    """
    note = _note(out)
    file = note.get("file") if note.get("id") == rubric else None
    return file if isinstance(file, str) else rubric
