"""Release an assignment: write the students' files, and check that they do not contain the solution."""

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any, Literal

import nbformat
from nbformat.validator import NotebookValidationError

from grader.authoring.release_check import compare_release
from grader.authoring.students_version import students_version
from grader.checks.registry import all_checks
from grader.datasets.store import DatasetStore
from grader.facts.nearest import near_path
from grader.grading.loader import LoadedRubric
from grader.grading.public import public_checks
from grader.grading.translations import side_file
from grader.intake.find import Rejected, find_submissions
from grader.intake.notebook import parse_notebook, read_skeleton
from grader.pipeline.course import assemble_course
from grader.pipeline.publish import judge
from grader.pipeline.reference import read_reference, reference_notebook
from grader.pipeline.reference_run import grade_alone
from grader.pipeline.rubrics import publish_rubric, publish_texts
from grader.pipeline.setup import Options
from grader.resources import share
from grader.schema.errors import NotebookError, ReferenceMissingError, UnreadableError, UsageError
from grader.schema.grade import Grade
from grader.schema.progress import Listener
from grader.schema.release import ReleaseCheck, RemovedPart
from grader.store.files import write_atomically

__all__ = ["README", "RUBRIC", "Ci", "Release", "Run", "check_release", "kept_grade", "make_release", "write_release"]

Ci = Literal["github", "gitlab", "none"]
"""Platforms of students' repositories."""
RUBRIC = "rubric.yaml"
"""Name of the public rubric in the folder for students."""
README = "README.md"
_TEMPLATE = ".grader/template.ipynb"
"""Place of a notebook with the tags that count. A student's check must not use the student's own file for that, and no
submission is searched in a hidden folder."""
_SUBMISSION = "submission.ipynb"
"""Name of the notebook in the shipped workflows."""
_PLAIN_NAME = re.compile(r"[\w-][\w.-]*")
"""Names that YAML reads as text."""
_MINOR_WITH_IDS = 5
"""Minor version of format 4 from which cells have ids."""
_INSTRUCTORS_NAME = re.compile(r"[-_. ](?:solution|reference|instructor|master|lösung|musterlösung)s?$", re.IGNORECASE)
"""End of the name of a notebook that students must not read."""


@dataclass(frozen=True, slots=True)
class Release:
    """The files for students."""

    notebook: str
    """Name of the notebook."""
    files: Mapping[str, bytes | Path]
    """Contents of all files, or the files to copy, by their path in the folder."""
    removed: tuple[RemovedPart, ...]
    """Parts of the instructor's notebook that students do not get."""
    inputs: frozenset[Path] = field(default=frozenset())
    """Files that must not be replaced."""


@dataclass(frozen=True, slots=True)
class Run:
    """How notebooks are executed."""

    options: Options
    """Options of the command line."""
    listener: Listener
    """Receives progress reports."""


def make_release(notebook: Path, loaded: LoadedRubric, ci: Ci = "none") -> Release:
    """Make the files for students; nothing is written and nothing is executed.

    Args:
        notebook: The instructor's notebook, with markers.
        loaded: The rubric.
        ci: The platform whose workflow the students' repositories get.

    Raises:
        UsageError: The notebook cannot be read, or its markers are wrong.
        RubricError: A file of the rubric cannot be read.
    """
    version = students_version(_read(notebook), str(notebook))
    own = _INSTRUCTORS_NAME.sub("", notebook.stem) + notebook.suffix
    files: dict[str, bytes | Path] = {own: _written(version.notebook, notebook)}
    changed: dict[str, Any] = {"template": None, "template_text": None, "files": None}
    if loaded.tagged:
        changed["template"] = _TEMPLATE
        files[_TEMPLATE] = _written(_tagged_cells(loaded), loaded.path)
    if "text" in public_checks(loaded.rubric, all_checks()):
        changed["template_text"] = _assignment_texts(version.notebook, loaded)
    if loaded.language is not None:
        changed["language"] = loaded.language
    if loaded.files:
        changed["files"] = [file.target for file in loaded.files]
    files[RUBRIC] = publish_rubric(loaded, changed).encode()
    for code, text in publish_texts(loaded).items():
        files[side_file(Path(RUBRIC), code).name] = text.encode()
    files[README] = _readme(own, loaded).encode()
    if ci != "none":
        files |= _workflow(ci, own)
    for file in loaded.files:
        if file.target in files:
            msg = f"a file of the course has the name {file.target!r}, which the release needs itself"
            raise UsageError(msg, where=str(loaded.path), advice="give it another name with `to`")
        files[file.target] = file.source
    inputs = {notebook.resolve(), loaded.path.resolve(), *(file.source for file in loaded.files)}
    return Release(own, files, version.removed, frozenset(inputs))


def write_release(release: Release, folder: Path, *, force: bool = False) -> None:
    """Write the files for students.

    Args:
        release: The files.
        folder: The folder; it may exist.
        force: Whether existing files are replaced.

    Raises:
        UsageError: A file exists already, or the folder has the solution in it; nothing was written then.
        StorageError: A file cannot be written.
    """
    place = folder.resolve()
    inside = sorted(path for path in release.inputs if path.is_relative_to(place))
    if inside:
        msg = f"this folder contains {inside[0].name!r}, the instructor's own file, so it cannot be given to students"
        raise UsageError(msg, where=str(folder), advice="name another folder with `--out`")
    existing = [name for name in release.files if (folder / name).exists()]
    if existing and not force:
        msg = f"the folder has a file {existing[0]!r} already; nothing was written"
        raise UsageError(msg, where=str(folder), advice="choose another folder, or replace the files with `--force`")
    for name, content in release.files.items():
        write_atomically(folder / name, content if isinstance(content, bytes) else content.read_bytes())


def check_release(
    released: Path, reference: Grade | Path, loaded: LoadedRubric, store: DatasetStore, run: Run
) -> ReleaseCheck:
    """Grade the students' notebook and the instructor's one like submissions, and compare their points.

    Args:
        released: The students' notebook.
        reference: The grade of the instructor's notebook (see `kept_grade`), or the notebook, which is executed.
        loaded: The rubric.
        store: The data sets.
        run: How notebooks are executed.

    Raises:
        HarnessError: One of them could not be graded.
    """
    executes = isinstance(reference, Path)
    grades = [
        one if isinstance(one, Grade) else grade_alone(one, loaded, store, run.options, run.listener)[0]
        for one in (reference, released)
    ]
    return compare_release(grades[1], grades[0], {"released": True, "reference": executes})


def kept_grade(notebook: Path, loaded: LoadedRubric, store: DatasetStore) -> Grade | None:
    """Grade the stored evidence of the rubric's reference; None if this notebook has no current evidence.

    Args:
        notebook: The instructor's notebook.
        loaded: The rubric.
        store: The data sets.
    """
    try:
        reference = reference_notebook(loaded)
        if reference is None or reference.resolve() != notebook.resolve():
            return None
        evidence = read_reference(loaded)
    except (UsageError, ReferenceMissingError):
        return None
    found = find_submissions([notebook], unpack_to=notebook.parent)[0]
    if evidence is None or isinstance(found, Rejected):
        return None
    kept = judge(found, evidence, assemble_course(loaded, None, store), "unasked")
    manual = {criterion.id for criterion in loaded.rubric.criteria if criterion.manual is not None}
    # Evidence of an earlier rubric may have no prediction for a criterion.
    return kept if all(one.id in manual for one in kept.criteria if one.status == "pending") else None


def _read(notebook: Path) -> Mapping[str, Any]:
    """Read a notebook without its outputs, with everything else as it is in the file.

    Raises:
        UsageError: It is missing, or not a valid notebook.
    """
    if not notebook.exists():
        msg = f"there is no notebook here{near_path(notebook)}"
        raise UsageError(msg, where=str(notebook))
    try:
        parsed = parse_notebook(read_skeleton(notebook).content, notebook.name)
        numbered = parsed.get("nbformat_minor", 0) >= _MINOR_WITH_IDS
        cells = [
            _complete(cell, f"cell-{number}" if numbered else "") for number, cell in enumerate(parsed["cells"], 1)
        ]
        nbformat.validate({**parsed, "cells": cells})
    except (NotebookError, UnreadableError) as error:
        raise UsageError(error.message, where=str(notebook), advice=error.advice) from error
    except (NotebookValidationError, nbformat.ValidationError, KeyError, TypeError, AttributeError) as error:
        msg = f"the notebook is damaged ({str(error).splitlines()[0]})"
        raise UsageError(msg, where=str(notebook), advice="open it in Jupyter and save it again") from error
    return {**parsed, "cells": cells}


def _complete(cell: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Add the keys that the format requires and hand-made files lack."""
    code: dict[str, Any] = {"execution_count": None} if cell.get("cell_type") == "code" else {}
    complete = {"metadata": {}, **code, **({"id": name} if name else {}), **cell}
    return {**complete, "outputs": []} if code else complete


def _written(notebook: Mapping[str, Any], source: Path) -> bytes:
    """Write a notebook as Jupyter does.

    Raises:
        UsageError: It would not be valid.
    """
    node = nbformat.from_dict(notebook)
    try:
        nbformat.validate(node)
    except (NotebookValidationError, nbformat.ValidationError) as error:
        msg = f"the students' version would not be a valid notebook ({str(error).splitlines()[0]})"
        raise UsageError(msg, where=str(source)) from error
    text: str = nbformat.writes(node, version=nbformat.NO_CONVERT)
    return (text.rstrip("\n") + "\n").encode()


def _assignment_texts(notebook: Mapping[str, Any], loaded: LoadedRubric) -> list[str]:
    """List the texts of the assignment, so that a student's own check does not count them."""
    own = loaded.rubric.template_text
    texts = (own,) if isinstance(own, str) else own
    cells = [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    return [text for text in dict.fromkeys((*texts, *cells)) if text.strip()]


def _tagged_cells(loaded: LoadedRubric) -> Mapping[str, Any]:
    """Make a notebook of the cells of the rubric's template whose tags count."""
    cells: list[dict[str, Any]] = [
        {
            "id": cell.id,
            "cell_type": "code",
            "metadata": {"tags": list(cell.tags)},
            "source": cell.source,
            "outputs": [],
            "execution_count": None,
        }
        for cell in loaded.tagged
    ]
    return {"nbformat": 4, "nbformat_minor": _MINOR_WITH_IDS, "metadata": {}, "cells": cells}


def _workflow(ci: str, notebook: str) -> dict[str, bytes]:
    """Return the files of the shipped workflow of a platform, for this notebook."""
    folder = share("ci") / ci
    name = notebook if _PLAIN_NAME.fullmatch(notebook) else json.dumps(notebook, ensure_ascii=False)
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8").replace(_SUBMISSION, name).encode()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _readme(notebook: str, loaded: LoadedRubric) -> str:
    path = share("templates") / "release" / f"README.{loaded.page_language}.md"
    if not path.is_file():
        path = path.with_name("README.en.md")
    writer = loaded.writer()
    title = writer.rubric_text(loaded.rubric.title)
    names = {"notebook": notebook, "argument": shlex.quote(notebook), "rubric": RUBRIC}
    return Template(path.read_text(encoding="utf-8")).substitute(title=title, **names)
