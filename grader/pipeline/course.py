"""The course: a rubric, its reference, its data sets: all that grading needs, and no sandbox."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from grader.checks.registry import all_checks
from grader.datasets.store import DatasetStore, PreparedDataset, whereabouts
from grader.evidence.prediction_plans import part_of_split
from grader.evidence.provenance import DatasetIndex, make_index
from grader.facts.roles import resolve_roles
from grader.grading.loader import LoadedRubric, measured_datasets
from grader.inside.describe.fingerprint import fingerprint
from grader.pipeline.code_digest import grading_code
from grader.pipeline.reference import read_reference
from grader.schema.evidence import Evidence
from grader.schema.grade import Lacking, RoleMatch, RubricStamp
from grader.store.database import digest_of

__all__ = ["Course", "assemble_course", "load_course"]

_SPLIT = "test"
"""Split that accuracy is verified on."""


@dataclass(frozen=True)
class Course:
    """What grading needs: the rubric, the reference, the data. No sandbox.

    What every grade of a class needs of it is worked out once.
    """

    loaded: LoadedRubric
    reference: Evidence | None
    prepared: Mapping[str, PreparedDataset]
    indexes: Mapping[str, DatasetIndex]
    data_root: Path
    basis: str
    """Digest of all that a grade and its report follow from, beside the submission's own evidence."""

    def whereabouts(self) -> Mapping[str, tuple[tuple[str, int, int, int], ...]]:
        """Tell where the files of each data set are, to be compared later.

        Raises:
            DatasetMissingError: One is no longer there as it was prepared.
        """
        return {name: whereabouts(data) for name, data in self.prepared.items()}

    @property
    def stamp(self) -> RubricStamp:
        """The rubric's identity, as grades carry it."""
        return RubricStamp(id=self.loaded.rubric.id, sha256=self.loaded.sha256, title=self.loaded.rubric.title)

    @property
    def ranked_by(self) -> str | None:
        """Id of the criterion that the class page ranks submissions by, if the rubric asks for a ranking."""
        ranking = self.loaded.rubric.ranking
        return None if ranking is None else ranking.criterion

    @cached_property
    def measured(self) -> tuple[str, ...]:
        """The data sets that accuracy is verified on: the rubric's own, then those that its criteria name."""
        return measured_datasets(self.loaded.rubric, all_checks())

    @cached_property
    def parts(self) -> Mapping[str, Any]:
        """What of the rubric decides how an execution comes out, as JSON values; see `differing_parts`."""
        rubric = self.loaded.rubric
        return {
            "run": rubric.run.known_by(),
            "tasks": {name: task.model_dump(mode="json") for name, task in rubric.tasks.items()},
            "dataset": rubric.dataset,
            "datasets": sorted(rubric.all_datasets),
            "criteria": {"dataset": sorted(self.measured[1:])},
        }

    def differing_parts(self, noted: str) -> tuple[str, ...]:
        """Name what of the rubric is other than it was at an execution, such as `run.time`.

        Args:
            noted: What the database has of that execution; where it has nothing, nothing differs.
        """
        try:
            then = json.loads(noted) if noted else None
        except ValueError:
            then = None
        if not isinstance(then, dict):
            return ()
        old, new = _leaves(then), _leaves(self.parts)
        return tuple(name for name in {**new, **old} if old.get(name) != new.get(name))

    def lacking(self, evidence: Evidence, noted: str, *, executes: bool) -> Lacking:
        """Tell what it means where evidence lacks a prediction that this rubric needs.

        Args:
            evidence: What an execution left.
            noted: What the database has of the rubric at that execution; empty where that is not known.
            executes: Whether another execution can follow.
        """
        if noted and not self.differing_parts(noted):
            return "lost" if evidence.problems else "unable"
        return "lost" if executes else "unasked"

    @property
    def stand_ins(self) -> Mapping[str, Path]:
        """Data sets that are made up on this machine, and where they lie."""
        return {name: data.folder for name, data in self.prepared.items() if data.made_up}

    @cached_property
    def reference_roles(self) -> Mapping[str, RoleMatch] | None:
        """What the rubric's roles mean in the reference; None without a reference."""
        return None if self.reference is None else resolve_roles(self.loaded.rubric, self.reference)

    def labels(self) -> Mapping[str, np.ndarray[Any, Any]]:
        """True classes keyed like `mnist/test`, and like `fashion_mnist/test/b` for tasks; none that are made up."""
        return self._labels

    @cached_property
    def _labels(self) -> Mapping[str, np.ndarray[Any, Any]]:
        rubric = self.loaded.rubric
        found = {f"{name}/{_SPLIT}": index.labels[_SPLIT] for name, index in self._real.items()}
        for task, settings in rubric.tasks.items():
            whole = self.indexes[rubric.task_dataset(task)].labels[_SPLIT]
            found[f"{rubric.task_dataset(task)}/{_SPLIT}/{task}"] = whole[np.isin(whole, settings.classes)]
        return found

    def images(self) -> Mapping[str, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
        """Test images and their classes, keyed as `labels` are."""
        return self._images

    @cached_property
    def _images(self) -> Mapping[str, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
        rubric = self.loaded.rubric
        found = {f"{name}/{_SPLIT}": (index.images[_SPLIT], index.labels[_SPLIT]) for name, index in self._real.items()}
        for task in rubric.tasks:
            dataset = rubric.task_dataset(task)
            part = part_of_split(self.indexes[dataset], _SPLIT, task, rubric)
            found[f"{dataset}/{_SPLIT}/{task}"] = (part.images, part.labels)
        return found

    @property
    def _real(self) -> Mapping[str, DatasetIndex]:
        return {name: index for name, index in self.indexes.items() if not self.prepared[name].made_up}


def _leaves(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Give the settings below each part a name of their own."""
    found: dict[str, Any] = {}
    for name, part in parts.items():
        found |= {f"{name}.{key}": value for key, value in part.items()} if isinstance(part, dict) else {name: part}
    return found


def load_course(loaded: LoadedRubric, store: DatasetStore, *, compare: bool = True) -> Course:
    """Bring together what grading needs.

    Args:
        loaded: The rubric.
        store: Where the data sets are.
        compare: Whether submissions are compared with the reference; a student's own run has none.

    Raises:
        DatasetMissingError: A data set of the rubric is not on this machine.
        ReferenceMissingError: The reference has no fresh evidence.
    """
    return assemble_course(loaded, read_reference(loaded) if compare else None, store)


def assemble_course(loaded: LoadedRubric, reference: Evidence | None, store: DatasetStore) -> Course:
    """Bring together what grading needs, with a reference that was read already; see `load_course`."""
    rubric, prepared = loaded.rubric, {}
    for name in rubric.all_datasets:
        lay_out = store.prepare_or_stand_in if name in rubric.stand_in else store.prepare
        prepared[name] = lay_out(name, fingerprint)
    return Course(
        loaded=loaded,
        reference=reference,
        prepared=prepared,
        indexes={name: _index(data) for name, data in prepared.items()},
        data_root=store.root,
        basis=digest_of(
            loaded.sha256,
            "" if reference is None else reference.model_dump_json(),
            {name: data.sha256 for name, data in prepared.items()},
            grading_code(),
        ),
    )


def _index(data: PreparedDataset) -> DatasetIndex:
    parts = {
        name: np.load(data.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        for name in ("x_train", "y_train", "x_test", "y_test", "fingerprints")
    }
    return make_index(data.name, *parts.values())
