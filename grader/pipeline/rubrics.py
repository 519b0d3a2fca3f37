"""Rubrics: the shipped ones, and the one that a results folder was graded with."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grader.checks.registry import all_checks, all_diagnostics
from grader.grading.loader import LoadedRubric, load_rubric
from grader.resources import share
from grader.schema.errors import (
    RubricError,
)
from grader.store.results import ResultsFolder

__all__ = ["find_rubric", "note_rubric", "noted_attempts", "noted_rubric", "shipped_rubrics"]

_RUBRIC_NOTE = "rubric.json"


def shipped_rubrics() -> tuple[Path, ...]:
    """List the rubrics that travel with the grader."""
    return tuple(sorted(share("rubrics").glob("*.yaml")))


def find_rubric(name: str) -> LoadedRubric:
    """Load a rubric by the id of a shipped one, or by its file.

    Args:
        name: `mnist-cnn`, or the path of a YAML file.

    Raises:
        RubricError: There is none of that name, or it is wrong.
    """
    path = Path(name)
    if path.suffix not in {".yaml", ".yml"} and not path.exists():
        known = {rubric.stem: rubric for rubric in shipped_rubrics()}
        if name not in known:
            msg = f"there is no rubric {name!r}"
            raise RubricError(msg, advice=f"shipped are {', '.join(sorted(known))}; or name a YAML file")
        path = known[name]
    return load_rubric(path, all_checks(), all_diagnostics())


def note_rubric(loaded: LoadedRubric, out: ResultsFolder, *, executes: bool = True) -> None:
    """Note in a results folder which rubric was used, so that a regrade finds it, changed as it may be.

    Args:
        loaded: The rubric.
        out: The results folder.
        executes: Whether notebooks are executed as it says; else what was noted of that stays.

    Raises:
        StorageError: It cannot be written.
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
    out.write_page(_RUBRIC_NOTE, json.dumps(note, indent=1) + "\n")


def noted_attempts(out: ResultsFolder) -> int | None:
    """Tell how many attempts the rubric asked for when notebooks were last executed; None where that is not known."""
    attempts = _note(out).get("attempts")
    return attempts if isinstance(attempts, int) else None


def _note(out: ResultsFolder) -> Mapping[str, Any]:
    try:
        note = json.loads((out.root / _RUBRIC_NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def noted_rubric(out: ResultsFolder, rubric: str) -> str:
    """Tell by which name `find_rubric` finds the rubric that a results folder was graded with.

    Args:
        out: The results folder.
        rubric: The id its grades carry.
    """
    note = _note(out)
    file = note.get("file") if note.get("id") == rubric else None
    return file if isinstance(file, str) else rubric
