"""Load a course: a rubric, its reference and its data sets. Grading needs these, but no sandbox."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from grader.checks.registry import all_checks
from grader.datasets.store import DatasetStore, PreparedDataset, whereabouts
from grader.delivery.roster import Submitted
from grader.evidence.prediction_plans import part_of_split
from grader.evidence.provenance import DatasetIndex, make_index
from grader.facts.language import Language, catalog_digest
from grader.facts.roles import resolve_roles
from grader.facts.tasks import held_back_parts
from grader.grading.late import DueDate, extension_of
from grader.grading.loader import LoadedRubric, measured_datasets
from grader.grading.parts import FieldDigests
from grader.inside.describe.fingerprint import fingerprint
from grader.pipeline.code_digest import grading_code
from grader.pipeline.course_folder import Assignment
from grader.pipeline.reference import read_reference
from grader.report.templating import Templates
from grader.resources import share
from grader.schema.course import LateRules
from grader.schema.evidence import Evidence
from grader.schema.grade import Lacking, RoleMatch, RubricStamp
from grader.schema.judgement import Judgement
from grader.store.database import digest_of

__all__ = ["Course", "assemble_course", "load_course"]

_SPLIT = "test"
"""Split that accuracy is verified on."""


@dataclass(frozen=True)
class Course:
    """The rubric, the reference and the data that grading needs.

    Derived values that all grades of a class need are computed once.
    """

    loaded: LoadedRubric
    reference: Evidence | None
    prepared: Mapping[str, PreparedDataset]
    indexes: Mapping[str, DatasetIndex]
    data_root: Path
    basis: str
    """Digest of everything that affects a grade and its report, except for the submission's evidence and judgements."""
    judgements: Mapping[str, tuple[Judgement, ...]] = field(default_factory=dict)
    """Judgements of people under this rubric, by submission; see `grader.pipeline.judgements.judged_course`."""
    assignment: Assignment | None = None
    """The assignment of the course folder that the results belong to; None outside of a course folder."""

    @cached_property
    def due(self) -> DueDate | None:
        """The due date of the class; None without one."""
        if self.assignment is None or self.assignment.due is None:
            return None
        return DueDate(self.assignment.due, self.assignment.settings.late or LateRules())

    def time_of(self, submission: Submitted) -> datetime | None:
        """Find the time of a submission in the course's file of times; None if it is not there."""
        return None if self.assignment is None else self.assignment.time_of(submission)

    def judgements_of(self, submission: Submitted) -> tuple[Judgement, ...]:
        """List the judgements about a submission, in the order in which they count.

        Extensions and excuses may name a student of the roster instead of a submission. The latest extension of any
        member counts for a group; one that is withdrawn or ends earlier does not shorten it.

        Args:
            submission: The submission.
        """
        own = self.judgements.get(submission.id, ())
        if self.assignment is None or not self.judgements:
            return own
        members = self.assignment.members_of(submission)
        names = [name for name in dict.fromkeys(one.key for one in members) if name != submission.id]
        of_members = [self.judgements.get(name, ()) for name in names]
        if len(members) == 1:
            others = [one for several in of_members for one in several if one.kind in {"extension", "excuse"}]
            return tuple(sorted((*own, *others), key=lambda one: one.at)) if others else own
        counting = [extension_of(several) for several in (own, *of_members)]
        dated = [(one.until, one) for one in counting if one is not None and one.until is not None]
        if not dated:
            return own
        _, longest = max(dated, key=lambda pair: pair[0])
        return tuple(sorted((*(one for one in own if one.kind != "extension"), longest), key=lambda one: one.at))

    def whereabouts(self) -> Mapping[str, tuple[tuple[str, int, int, int], ...]]:
        """Describe the files of each data set, for a later comparison.

        Raises:
            DatasetMissingError: The files of a data set are missing or changed.
        """
        return {name: whereabouts(data) for name, data in self.prepared.items()}

    @property
    def stamp(self) -> RubricStamp:
        """The rubric's identity, as stored in grades."""
        return RubricStamp(id=self.loaded.rubric.id, sha256=self.loaded.sha256, title=self.loaded.rubric.title)

    @property
    def templates(self) -> Templates:
        """The templates of the course's pages and mail."""
        return Templates(share("templates"), self.loaded.templates)

    @property
    def ranked_by(self) -> str | None:
        """Id of the criterion of the ranking, if the rubric has one."""
        ranking = self.loaded.rubric.ranking
        return None if ranking is None else ranking.criterion

    @cached_property
    def language(self) -> Language:
        """The language of pages, with the rubric's texts."""
        return self.loaded.writer().in_zone(self.zone)

    @cached_property
    def renderer(self) -> str:
        """Digest of everything that parts of a report depend on, except for the submission and the rubric's points."""
        return digest_of(
            grading_code(),
            self.loaded.templates,
            [self.language.code, catalog_digest(self.language.code), self.loaded.writer().texts, str(self.zone)],
            "" if self.reference is None else self.reference.model_dump_json(),
            {name: data.sha256 for name, data in self.prepared.items()},
            {name: task.model_dump(mode="json") for name, task in self.loaded.rubric.tasks.items()},
            self.loaded.rubric.dataset,
        )

    @cached_property
    def field_digests(self) -> FieldDigests:
        """Digests of the rubric's fields, for parts of stored grades."""
        return FieldDigests(self.loaded.rubric)

    @property
    def zone(self) -> tzinfo:
        """The time zone of dates and times on pages: the time zone of the course folder, else UTC."""
        return UTC if self.assignment is None else self.assignment.course.settings.zone

    @cached_property
    def measured(self) -> tuple[str, ...]:
        """The data sets that accuracy is verified on: the rubric's `dataset`, then further ones of its criteria."""
        return measured_datasets(self.loaded.rubric, all_checks())

    @cached_property
    def parts(self) -> Mapping[str, Any]:
        """The parts of the rubric that affect an execution, as JSON values; see `differing_parts`."""
        rubric = self.loaded.rubric
        return {
            "run": rubric.run.known_by(),
            "tasks": {name: task.model_dump(mode="json") for name, task in rubric.tasks.items()},
            "dataset": rubric.dataset,
            "datasets": sorted(rubric.all_datasets),
            "criteria": {"dataset": sorted({*self.measured} - {rubric.dataset}), **self._held_back_part},
            **self._template_part,
            # Only if there are any, so that a rubric without files keeps its executions.
            **({"files": {file.target: file.sha256 for file in self.loaded.files}} if self.loaded.files else {}),
        }

    @property
    def _held_back_part(self) -> Mapping[str, Any]:
        """The requests for held-back images; empty without any, so that earlier executions keep their keys."""
        parts = sorted((dataset, task or "") for dataset, task in held_back_parts(self.loaded.rubric))
        return {"held_back": [list(part) for part in parts]} if parts else {}

    @property
    def _template_part(self) -> Mapping[str, Any]:
        """The tagged cells of the template; empty without any, so that earlier executions keep their keys."""
        tagged = [cell.model_dump(mode="json") for cell in self.loaded.tagged]
        return {"template": digest_of(tagged)} if tagged else {}

    def differing_parts(self, noted: str) -> tuple[str, ...]:
        """Name the parts of the rubric that changed since an execution, such as `run.time`.

        Args:
            noted: The parts in the database for that execution; if empty, nothing differs.
        """
        try:
            stored = json.loads(noted) if noted else None
        except ValueError:
            stored = None
        if not isinstance(stored, dict):
            return ()
        old, new = _leaves(stored), _leaves(self.parts)
        return tuple(name for name in {**new, **old} if old.get(name) != new.get(name))

    def lacking(self, evidence: Evidence, noted: str, *, executes: bool) -> Lacking:
        """Find the reason why evidence has no prediction that this rubric needs.

        Args:
            evidence: The evidence of an execution.
            noted: The rubric's parts in the database for that execution; empty if unknown.
            executes: Whether another execution can follow.
        """
        if noted and not self.differing_parts(noted):
            return "lost" if evidence.problems else "unable"
        return "lost" if executes else "unasked"

    @property
    def stand_ins(self) -> Mapping[str, Path]:
        """Folders of the made-up data sets on this machine, by the names of the replaced data sets."""
        return {name: data.folder for name, data in self.prepared.items() if data.made_up}

    @cached_property
    def reference_roles(self) -> Mapping[str, RoleMatch] | None:
        """The models of the rubric's roles in the reference; None without a reference."""
        return None if self.reference is None else resolve_roles(self.loaded.rubric, self.reference)

    def labels(self) -> Mapping[str, np.ndarray[Any, Any]]:
        """Return true classes by keys like `mnist/test`, and `fashion_mnist/test/b` for tasks; none of made-up data."""
        return self._labels

    @cached_property
    def _labels(self) -> Mapping[str, np.ndarray[Any, Any]]:
        rubric = self.loaded.rubric
        labels = {f"{name}/{_SPLIT}": index.labels[_SPLIT] for name, index in self._real.items()}
        for task, settings in rubric.tasks.items():
            whole = self.indexes[rubric.task_dataset(task)].labels[_SPLIT]
            labels[f"{rubric.task_dataset(task)}/{_SPLIT}/{task}"] = whole[np.isin(whole, settings.classes)]
        return labels

    def images(self) -> Mapping[str, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
        """Return test images and their classes, by the keys of `labels`."""
        return self._images

    @cached_property
    def _images(self) -> Mapping[str, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
        rubric = self.loaded.rubric
        images = {
            f"{name}/{_SPLIT}": (index.images[_SPLIT], index.labels[_SPLIT]) for name, index in self._real.items()
        }
        for task in rubric.tasks:
            dataset = rubric.task_dataset(task)
            part = part_of_split(self.indexes[dataset], _SPLIT, task, rubric)
            images[f"{dataset}/{_SPLIT}/{task}"] = (part.images, part.labels)
        return images

    @property
    def _real(self) -> Mapping[str, DatasetIndex]:
        return {name: index for name, index in self.indexes.items() if not self.prepared[name].made_up}


def _leaves(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten nested parts to names such as `run.time`."""
    leaves: dict[str, Any] = {}
    for name, part in parts.items():
        leaves |= {f"{name}.{key}": value for key, value in part.items()} if isinstance(part, dict) else {name: part}
    return leaves


def load_course(loaded: LoadedRubric, store: DatasetStore, *, compare: bool = True) -> Course:
    """Load the course of a rubric.

    Args:
        loaded: The rubric.
        store: The data sets.
        compare: Whether submissions are compared with the reference; not so in a student's own run.

    Raises:
        DatasetMissingError: A data set of the rubric is not on this machine.
        ReferenceMissingError: The reference has no current evidence.
    """
    return assemble_course(loaded, read_reference(loaded) if compare else None, store)


def assemble_course(loaded: LoadedRubric, reference: Evidence | None, store: DatasetStore) -> Course:
    """Load the course of a rubric, with a reference that was already read; see `load_course`."""
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
            rubric.template_text,
            "" if reference is None else reference.model_dump_json(),
            {name: data.sha256 for name, data in prepared.items()},
            grading_code(),
            *([loaded.templates] if loaded.templates else []),
            *_language_part(loaded),
        ),
    )


def _language_part(loaded: LoadedRubric) -> tuple[Sequence[object], ...]:
    """Return what affects pages in another language; nothing for English, so that earlier results stay current."""
    writer = loaded.writer()
    return () if writer.code == "en" else ([writer.code, catalog_digest(writer.code), writer.texts],)


def _index(data: PreparedDataset) -> DatasetIndex:
    parts = {
        name: np.load(data.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        for name in ("x_train", "y_train", "x_test", "y_test", "fingerprints")
    }
    return make_index(data.name, *parts.values())
