"""Find the reference solution of a rubric; read and write its stored evidence."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from grader.authoring.markers import without_markers
from grader.evidence.cells import LONGEST_SOURCE
from grader.facts.nearest import near_path
from grader.grading.loader import LoadedRubric
from grader.intake.notebook import read_notebook
from grader.intake.tags import COUNTED_TAGS
from grader.pipeline.rubrics import shipped_rubrics
from grader.resources import share
from grader.schema.errors import HarnessError, NotebookError, ReferenceMissingError, RubricError
from grader.schema.evidence import Evidence
from grader.schema.reference import REFERENCE_VERSION, ReferenceRecord
from grader.store.files import write_atomically

__all__ = ["executed_same", "read_reference", "reference_notebook", "write_reference"]


def reference_notebook(loaded: LoadedRubric) -> Path | None:
    """Find the reference solution: first next to the rubric, then in the `reference/` folder of the grader.

    Raises:
        RubricError: The rubric's reference is in neither place.
    """
    name = loaded.rubric.reference_file
    if name is None:
        return None
    places = (loaded.path.parent / name, share("reference") / name)
    notebook = next((place for place in places if place.is_file()), None)
    if notebook is None:
        msg = f"the reference {name!r} is neither next to the rubric nor in {share('reference')}{near_path(places[0])}"
        raise RubricError(msg, where=str(loaded.path), advice="put the notebook there, or remove `reference`")
    return notebook


def _record_path(notebook: Path) -> Path:
    return notebook.with_suffix(".evidence.json")


def read_reference(loaded: LoadedRubric) -> Evidence | None:
    """Read the stored evidence of the rubric's reference solution.

    Raises:
        RubricError: The reference notebook is missing.
        ReferenceMissingError: It was never executed, or it or a file of the course changed afterwards. Markers of
            `grader release` may be added at any time.
    """
    notebook = reference_notebook(loaded)
    if notebook is None:
        return None
    name = loaded.rubric.id if loaded.path in shipped_rubrics() else loaded.path
    advice = f"run `grader rubric test {name} --update`"
    path = _record_path(notebook)
    if not path.is_file():
        msg = "the reference solution has no stored evidence"
        raise ReferenceMissingError(msg, where=str(notebook), advice=advice)
    try:
        record = ReferenceRecord.model_validate_json(path.read_bytes())
    except (ValidationError, OSError) as error:
        msg = f"the reference's stored evidence cannot be read (expected version {REFERENCE_VERSION})"
        raise ReferenceMissingError(msg, where=str(path), advice=advice) from error
    if not executed_same(record, notebook):
        msg = "the reference notebook changed after its evidence was stored"
        raise ReferenceMissingError(msg, where=str(notebook), advice=advice)
    if dict(record.files) != _digests(loaded):
        msg = "the course's files changed after the reference's evidence was stored"
        raise ReferenceMissingError(msg, where=str(notebook), advice=advice)
    return record.evidence


def executed_same(record: ReferenceRecord, notebook: Path) -> bool:
    """Return whether stored evidence is of a notebook as it is now, apart from markers of `grader release`.

    Args:
        record: The stored evidence.
        notebook: The notebook.
    """
    return record.notebook_sha256 == _sha256_of(notebook) or _differs_in_markers(notebook, record.evidence)


def _differs_in_markers(notebook: Path, evidence: Evidence) -> bool:
    """Whether a notebook differs from the executed one only in markers of `grader release`, which change no result."""
    try:
        cells = read_notebook(notebook).cells
    except (NotebookError, HarnessError):
        return False
    if any(COUNTED_TAGS.intersection(cell["metadata"].get("tags", ())) for cell in cells):
        return False  # the evidence does not tell the tags of the executed notebook
    now = [(cell["cell_type"], cell["source"]) for cell in cells]
    executed = [(cell.kind, cell.source) for cell in evidence.cells]
    if any(len(source) >= LONGEST_SOURCE for _, source in (*now, *executed)):
        return False
    return _unmarked(now) == _unmarked(executed)


def _unmarked(cells: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(kind, without_markers(source, code=kind == "code")) for kind, source in cells]


def _digests(loaded: LoadedRubric) -> dict[str, str]:
    return {file.target: file.sha256 for file in loaded.files if file.target not in loaded.added}


def write_reference(loaded: LoadedRubric, evidence: Evidence) -> Path:
    """Store the evidence of a reference solution next to its notebook.

    Raises:
        RubricError: The rubric has no reference.
        StorageError: The evidence cannot be written.
    """
    notebook = reference_notebook(loaded)
    if notebook is None:
        msg = "the rubric has no reference"
        raise RubricError(msg, where=str(loaded.path))
    record = ReferenceRecord(
        rubric=loaded.rubric.id,
        notebook=notebook.name,
        notebook_sha256=_sha256_of(notebook),
        files=_digests(loaded),
        evidence=evidence,
    )
    path = _record_path(notebook)
    write_atomically(path, record.model_dump_json(by_alias=True).encode() + b"\n")
    return path


def _sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
