"""The rubric: what an instructor writes in YAML, typed."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from grader.schema.base import Document, Json

__all__ = [
    "MOST_ATTEMPTS",
    "Criterion",
    "DiagnosticSettings",
    "Dialect",
    "ManualTask",
    "MemorySize",
    "OutputSettings",
    "Ranking",
    "Role",
    "Rubric",
    "RunSettings",
    "Seconds",
    "Slug",
    "Take",
    "TaskSettings",
    "Test",
]

MOST_ATTEMPTS = 20
"""Executions of one notebook that can be asked for."""
_FIRST_SETTINGS = {"dialect", "seed", "time", "fit_time", "memory", "kernel"}
_DURATION_UNITS = {"s": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0}
_MEMORY_UNITS = {"MiB": 1 << 20, "GiB": 1 << 30}


def parse_duration(value: object) -> object:
    """Turn `90 s`, `30 min` or `1 h` into seconds; leave anything else to the validator.

    Raises:
        ValueError: The text is not a number followed by a unit.
    """
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|sec|min|h)\s*", value)
    if not match:
        msg = f"{value!r} is not a duration: write a number and s, min or h, such as `30 min`"
        raise ValueError(msg)
    return float(match[1]) * _DURATION_UNITS[match[2]]


def parse_memory(value: object) -> object:
    """Turn `6 GiB` or `512 MiB` into bytes; leave anything else to the validator.

    Raises:
        ValueError: The text is not a number followed by a unit.
    """
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(MiB|GiB)\s*", value)
    if not match:
        msg = f"{value!r} is not an amount of memory: write a number and MiB or GiB, such as `6 GiB`"
        raise ValueError(msg)
    return int(float(match[1]) * _MEMORY_UNITS[match[2]])


Seconds = Annotated[float, BeforeValidator(parse_duration, json_schema_input_type=float | str), Field(gt=0)]
MemorySize = Annotated[int, BeforeValidator(parse_memory, json_schema_input_type=int | str), Field(gt=0)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=64)]
Dialect = Literal["keras3", "keras2", "auto"]
Take = Literal["best", "median", "first"]


class OutputSettings(Document):
    """How much of a notebook's output is kept; what goes over a cap is left out, and the cell says so."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    cell_text: int = Field(default=200_000, ge=1)
    """Characters that one cell may print."""
    total_text: int = Field(default=2_000_000, ge=1)
    """Characters that all cells together may print."""
    cell_displays: MemorySize = 12 << 20
    """Size of the figures, tables and other displays of one cell, in bytes."""
    total_displays: MemorySize = 40 << 20
    """Size of all displays together, in bytes."""
    one_display: MemorySize = 6 << 20
    """Size of one display, in bytes."""
    cell_images: int = Field(default=100, ge=0)
    """Images of one cell."""
    total_images: int = Field(default=400, ge=0)
    """Images of all cells together."""
    cell_outputs: int = Field(default=400, ge=1)
    """Separate outputs of one cell."""


class RunSettings(Document):
    """How a submission is executed."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    dialect: Dialect = "auto"
    """Which Keras the notebook was written for; `auto` recognises it from the notebook."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Seeds Python, NumPy, TensorFlow and Keras before the first cell."""
    time: Seconds = 1800.0
    """Budget for the whole notebook, in seconds."""
    fit_time: Seconds = 600.0
    """Budget for one training; it stops gracefully at an epoch's end."""
    memory: MemorySize = 6 << 30
    """Budget for the whole process tree, in bytes."""
    attempts: int = Field(default=1, ge=1, le=MOST_ATTEMPTS)
    """How many times the notebook is executed: the first with `seed`, the second with `seed` + 1, and so on."""
    take: Take = "best"
    """Which attempt is graded: the `best`, the `median` (of an even number the lower one of the middle), or the `first`
    (the others only show the spread). By score, then by accuracy."""
    kernel: str | None = None
    """Path of another Python to run the notebook with; the grader need not be installed there."""
    disk: MemorySize = 4 << 30
    """Budget for all that the notebook and the recorder write to disk, in bytes. A single file is at most 1 GiB."""
    processes: int = Field(default=400, ge=16)
    """How many processes the notebook may run at the same time, the kernel's own among them."""
    kept_models: MemorySize = 512 << 20
    """Size of all models together that the recorder keeps for the predictor, in bytes; a part of `disk`. A model beyond
    it is not verified."""
    predictor_time: Seconds = 300.0
    """Budget for one process of the predictor, which tests the kept models; six times as much for all of them."""
    predictor_memory: MemorySize = 4 << 30
    """Budget for the predictor's process tree, in bytes."""
    output: OutputSettings = OutputSettings()
    """How much of the notebook's output is kept."""

    @model_validator(mode="after")
    def _kept_models_fit_on_the_disk(self) -> Self:
        if "kept_models" in self.model_fields_set and self.kept_models > self.disk:
            msg = "`kept_models` is larger than `disk`, of which it is a part"
            raise ValueError(msg)
        return self

    def known_by(self) -> dict[str, Json]:
        """Return the settings that an execution is known by, as JSON values: another one of them executes it again.

        A setting that the first version of the rubric format did not have is left out at its default, so that a new
        setting executes no class again.
        """
        first = self.model_dump(mode="json", include=_FIRST_SETTINGS)
        # How many attempts there are and which one is taken changes none of them.
        later = self.model_dump(mode="json", exclude=_FIRST_SETTINGS | {"attempts", "take"}, exclude_defaults=True)
        return {**first, **later}


class TaskSettings(Document):
    """A part of a data set with labels of its own, such as two classes told apart by one output.

    Which output stands for which class is read from the labels each training was given; it is not written here.
    """

    dataset: Slug | None = None
    """Left out: the rubric's own."""
    classes: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=2)
    """Classes of the data set, by the data set's own numbers."""
    binary: bool = False
    """Two classes that a network may also tell apart by a single output."""

    @model_validator(mode="after")
    def _classes_are_told_apart(self) -> Self:
        if len(set(self.classes)) != len(self.classes):
            msg = "a class stands twice"
            raise ValueError(msg)
        if self.binary and len(self.classes) != 2:  # noqa: PLR2004 - what binary means
            msg = f"a binary task has two classes, not {len(self.classes)}"
            raise ValueError(msg)
        return self


class Role(Document):
    """Which of a notebook's models is meant; every given condition must hold."""

    has_layer: str | tuple[str, ...] | None = None
    """Layer classes the model contains."""
    lacks_layer: str | tuple[str, ...] | None = None
    """Layer classes the model does not contain."""
    activation: str | None = None
    """An activation that some layer before the last one applies, such as `selu`."""
    inputs: tuple[int | None, ...] | None = None
    """Shape of one input, without the batch axis."""
    outputs: int | None = Field(default=None, ge=1)
    """Number of outputs (the last axis of the output shape)."""
    data: str | None = None
    """Data set the model was trained on, such as `mnist` or `mnist/train`."""
    task: Slug | None = None
    """Task of the rubric that the model was last trained on."""
    reuses: Slug | None = None
    """Another role, from whose network this one took weights that had been learned before."""
    from_scratch: bool | None = None
    """Whether none of the weights it began its trainings with had been learned by another network."""
    name: str | None = None
    """The notebook's own variable name for it."""
    trained: bool | None = None
    """Whether it was trained at all."""
    pick: Literal["only", "first", "last", "last_trained", "first_trained", "best", "smallest", "largest"] = "only"
    """Which one is meant where several match; `only` calls several an ambiguity, but for untrained copies of a trained
    one and for what was saved, loaded and trained further. `last_trained` and `first_trained` go by trainings, and by
    the order of making where none of them was trained."""


class Test(Document):
    """One check with its parameters."""

    check: str
    """The check's name; `grader rubric schema` lists them."""
    with_: Mapping[str, Json] = Field(default_factory=dict, alias="with")
    """The check's parameters."""


class ManualTask(Document):
    """Something a person judges."""

    guide: str = Field(min_length=1)
    """What the person should look for."""


class Criterion(Document):
    """One line of the rubric."""

    id: Slug
    """Name of the criterion in results, unique in the rubric."""
    title: str = ""
    """What is asked, as the student reads it; the id when it is left out."""
    points: float = Field(ge=0, le=10_000)
    """Points for full marks; 0 makes it advice only."""
    check: str | None = None
    """The check that judges it."""
    with_: Mapping[str, Json] = Field(default_factory=dict, alias="with")
    """The check's parameters."""
    any_of: tuple[Test, ...] = ()
    """The best of these findings counts."""
    all_of: tuple[Test, ...] = ()
    """The worst of these findings counts."""
    manual: ManualTask | None = None
    """Left to a person; its points are pending."""
    advice: str = ""
    """What to tell a student who missed it."""
    hidden: bool = False
    """Left out of what students see."""
    bonus: bool = False
    """Its points come on top: they do not raise the maximum."""

    @model_validator(mode="after")
    def _one_way_of_judging(self) -> Self:
        ways = [
            name
            for name, given in (
                ("check", self.check is not None),
                ("any_of", bool(self.any_of)),
                ("all_of", bool(self.all_of)),
                ("manual", self.manual is not None),
            )
            if given
        ]
        if len(ways) != 1:
            said = " and ".join(ways) if ways else "none"
            msg = f"a criterion has exactly one of check, any_of, all_of, manual; this one has {said}"
            raise ValueError(msg)
        if self.with_ and self.check is None:
            msg = "`with` belongs to `check`; inside any_of and all_of each test has its own `with`"
            raise ValueError(msg)
        return self

    @property
    def tests(self) -> tuple[Test, ...]:
        """The checks to run, whichever way they are combined; empty for a manual criterion."""
        if self.check is not None:
            return (Test.model_validate({"check": self.check, "with": dict(self.with_)}),)
        return self.any_of or self.all_of


class Ranking(Document):
    """A competition: the class page ranks the submissions by one criterion, and draws accuracy against size."""

    criterion: Slug
    """Id of the criterion to rank by; its check measures `parameters` and `accuracy`, as `score_curve` does."""


class DiagnosticSettings(Document):
    """Which diagnostics write notes into the margin of a report, about which models, and from which thresholds on."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    leave_out: tuple[str, ...] = ()
    """Ids of diagnostics to turn off."""
    only: tuple[str, ...] | None = None
    """Ids of the only diagnostics to run, instead of `leave_out`; an empty list turns all off."""
    models: tuple[str, ...] | None = None
    """Roles of the rubric: a note about another model is left out. A note about no model stays."""
    tune: Mapping[str, Mapping[str, Json]] = Field(default_factory=dict)
    """Parameters of diagnostics, by id; `docs/diagnostics.md` lists them with their defaults."""

    @model_validator(mode="after")
    def _one_way_of_choosing(self) -> Self:
        if self.leave_out and self.only is not None:
            msg = "give either `leave_out` or `only`, not both"
            raise ValueError(msg)
        return self

    def runs(self, name: str) -> bool:
        """Tell whether a diagnostic is on."""
        return name in self.only if self.only is not None else name not in self.leave_out


class Rubric(Document):
    """What is graded, how it is executed, and what each criterion is worth."""

    version: Literal[1]
    """Version of the rubric format."""
    id: Slug
    """Name of the assignment in commands and results: small letters, digits, `-` and `_`."""
    title: str
    """What people read."""
    dataset: Slug
    """The data set accuracy is verified on."""
    datasets: tuple[Slug, ...] = ()
    """Further data sets the notebook may load; the first one is always there."""
    stand_in: tuple[Slug, ...] = ()
    """Those of `datasets` that notebooks only prepare and no network is judged on. Where one is not on the machine,
    notebooks are given made-up images of the same shapes in its place, and the grade says so."""
    reference: str | None = None
    """File name of the reference notebook, looked for beside the rubric and in `reference/`."""
    run: RunSettings = RunSettings()
    """How submissions are executed."""
    tasks: Mapping[Slug, TaskSettings] = Field(default_factory=dict)
    """Parts of the data with labels of their own, on whose test images networks are also judged."""
    roles: Mapping[Slug, Role] = Field(default_factory=dict)
    """Names for the networks that criteria are about, each with what tells its network from the others."""
    diagnostics: DiagnosticSettings = DiagnosticSettings()
    """Notes in the margin of a report: which are written, and from which thresholds on."""
    ranking: Ranking | None = None
    """Asks for a ranking on the class page."""
    criteria: tuple[Criterion, ...] = Field(min_length=1)
    """What is graded, in the order of the report."""

    @model_validator(mode="after")
    def _ranking_names_a_criterion(self) -> Self:
        if self.ranking is not None and self.ranking.criterion not in {criterion.id for criterion in self.criteria}:
            msg = f"`ranking` names the criterion {self.ranking.criterion!r}, and there is none"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Self:
        seen: set[str] = set()
        for criterion in self.criteria:
            if criterion.id in seen:
                msg = f"two criteria have the id {criterion.id!r}"
                raise ValueError(msg)
            seen.add(criterion.id)
        return self

    @model_validator(mode="after")
    def _roles_name_what_there_is(self) -> Self:
        for name, role in self.roles.items():
            if role.task is not None and role.task not in self.tasks:
                msg = f"the role {name!r} names the task {role.task!r}, which is not among `tasks`"
                raise ValueError(msg)
            if role.reuses is not None and (role.reuses not in self.roles or role.reuses == name):
                msg = f"the role {name!r} reuses {role.reuses!r}, which is no other role"
                raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _tasks_have_their_data(self) -> Self:
        for name, task in self.tasks.items():
            if task.dataset is not None and task.dataset not in self.all_datasets:
                msg = f"the task {name!r} is of {task.dataset!r}, which is neither `dataset` nor among `datasets`"
                raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _stand_ins_are_only_prepared(self) -> Self:
        for name in self.stand_in:
            if name == self.dataset:
                msg = f"`stand_in` names {name!r}, which is the data set that accuracy is verified on"
                raise ValueError(msg)
            if name not in self.datasets:
                msg = f"`stand_in` names {name!r}, which is not among `datasets`"
                raise ValueError(msg)
            task = next((key for key in self.tasks if self.task_dataset(key) == name), None)
            if task is not None:
                msg = f"`stand_in` names {name!r}, on which networks are judged by the task {task!r}"
                raise ValueError(msg)
            role = next((k for k, r in self.roles.items() if (r.data or "").partition("/")[0] == name), None)
            if role is not None:
                msg = f"`stand_in` names {name!r}, which the network of the role {role!r} is trained on"
                raise ValueError(msg)
        return self

    def task_dataset(self, task: str) -> str:
        """The data set a task is a part of."""
        return self.tasks[task].dataset or self.dataset

    @property
    def max_score(self) -> float:
        """Points for full marks, bonus points not counted."""
        return sum(criterion.points for criterion in self.criteria if not criterion.bonus)

    @property
    def all_datasets(self) -> tuple[str, ...]:
        """Every data set the notebook may load, the graded one first, each once."""
        return tuple(dict.fromkeys((self.dataset, *self.datasets)))
