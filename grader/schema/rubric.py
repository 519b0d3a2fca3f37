"""The rubric that an instructor writes in YAML, typed."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from grader.schema.base import Document, Json
from grader.schema.described import Described
from grader.schema.quantities import TIME_UNITS, parse_quantity

__all__ = [
    "MOST_ATTEMPTS",
    "Criterion",
    "DiagnosticSettings",
    "Dialect",
    "FilesEntry",
    "LanguageCode",
    "ManualTask",
    "MemorySize",
    "OutputSettings",
    "Ranking",
    "ReferenceSettings",
    "Role",
    "Rubric",
    "RunSettings",
    "Seconds",
    "Slug",
    "StudentNotes",
    "Take",
    "TaskSettings",
    "Test",
    "Text",
]

MOST_ATTEMPTS = 20
"""Largest number of executions of one notebook."""
_FIRST_SETTINGS = {"dialect", "seed", "time", "fit_time", "memory", "kernel"}
_MEMORY_UNITS = {"MiB": 1 << 20, "GiB": 1 << 30}


def parse_duration(value: object) -> object:
    """Turn `90 s`, `30 min` or `1 h` into seconds; leave anything else to the validator.

    Raises:
        ValueError: The text is not a number followed by a unit.
    """
    if not isinstance(value, str):
        return value
    return parse_quantity(value, TIME_UNITS, noun="a duration", advice="s, min or h, such as `30 min`")


def parse_memory(value: object) -> object:
    """Turn `6 GiB` or `512 MiB` into bytes; leave anything else to the validator.

    Raises:
        ValueError: The text is not a number followed by a unit.
    """
    if not isinstance(value, str):
        return value
    advice = "MiB or GiB, such as `6 GiB`"
    return int(parse_quantity(value, _MEMORY_UNITS, noun="an amount of memory", advice=advice))


def _english(value: object) -> object:
    """Take the English text of a mapping from languages to texts; leave anything else to the validator.

    Raises:
        ValueError: The mapping has no English text.
    """
    if not isinstance(value, Mapping):
        return value
    if not isinstance(value.get("en"), str):
        msg = "a text in several languages must have a text with the key `en`"
        raise ValueError(msg)  # noqa: TRY004 - pydantic reports only ValueError
    return value["en"]


Text = Annotated[str, BeforeValidator(_english, json_schema_input_type=str | dict[str, str])]
"""A text for people; in YAML also a mapping such as `{en: …, de: …}`. The schema keeps the English text, and
`grader.grading.translations` reads the others."""
LanguageCode = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(_[A-Z]{2})?$")]
"""A language, such as `de`, or `pt_BR`."""
Seconds = Annotated[float, BeforeValidator(parse_duration, json_schema_input_type=float | str), Field(gt=0)]
MemorySize = Annotated[int, BeforeValidator(parse_memory, json_schema_input_type=int | str), Field(gt=0)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=64)]
Dialect = Literal["keras3", "keras2", "auto"]
Take = Literal["best", "median", "first"]


class OutputSettings(Described):
    """Limits of a notebook's stored output; a cell says so if output was left out."""

    cell_text: int = Field(default=200_000, ge=1)
    """Characters that one cell may print."""
    total_text: int = Field(default=2_000_000, ge=1)
    """Characters that all cells together may print."""
    cell_displays: MemorySize = 12 << 20
    """Size of figures, tables and other displays of one cell, in bytes."""
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


class RunSettings(Described):
    """Settings of the execution of a submission."""

    dialect: Dialect = "auto"
    """Keras version that the notebook was written for; `auto` recognizes it from the notebook."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Seeds Python, NumPy, TensorFlow and Keras before the first cell."""
    time: Seconds = 1800.0
    """Budget for the whole notebook from its first cell on, in seconds."""
    fit_time: Seconds = 600.0
    """Budget for one training, in seconds. A `fit` is stopped at the end of an epoch, a training loop of the student
    between two iterations."""
    memory: MemorySize = 6 << 30
    """Budget for the whole process tree, in bytes."""
    attempts: int = Field(default=1, ge=1, le=MOST_ATTEMPTS)
    """Number of executions: the first with `seed`, the second with `seed` + 1, and so on."""
    take: Take = "best"
    """Attempt to grade: the `best`, the `median` or the `first`. Attempts are ordered by score, then by accuracy. The
    `median` of an even number is the lower middle one. With `first` the others only show the spread."""
    kernel: str | None = None
    """Path of another Python to run notebooks with; it does not need the grader installed."""
    disk: MemorySize = 4 << 30
    """Disk budget of the notebook and the recorder together, in bytes. A single file is at most 1 GiB."""
    processes: int = Field(default=400, ge=16)
    """Number of processes that the notebook may run at the same time, including the kernel's. Linux also limits
    processes and threads together: to 112 more than this number, or 256 if that is more, and 32 for each core."""
    kept_models: MemorySize = 512 << 20
    """Total size of the models that the recorder saves for the predictor, in bytes; a part of `disk`. Models beyond it
    are not verified."""
    predictor_time: Seconds = 300.0
    """Budget for one process of the predictor, which tests the saved models, in seconds; six times as much for all."""
    predictor_memory: MemorySize = 4 << 30
    """Budget for the predictor's process tree, in bytes."""
    output: OutputSettings = OutputSettings()
    """Limits of the notebook's stored output."""
    allow_system_calls: tuple[str, ...] = ()
    """System calls of Linux that the sandbox must allow in addition to the usual ones, such as `io_uring_setup`. The
    page about system calls lists the possible names."""

    @model_validator(mode="after")
    def _kept_models_fit_on_the_disk(self) -> Self:
        if "kept_models" in self.model_fields_set and self.kept_models > self.disk:
            msg = "`kept_models` is larger than `disk`, of which it is a part"
            raise ValueError(msg)
        return self

    def known_by(self) -> dict[str, Json]:
        """Return the settings that identify an execution, as JSON values; a change of one executes it again.

        Settings that were added after the first version of the rubric format are left out at their defaults. Otherwise
        a new setting would execute every class again.
        """
        first = self.model_dump(mode="json", include=_FIRST_SETTINGS)
        # The number of attempts and the choice among them do not change an execution.
        later = self.model_dump(mode="json", exclude=_FIRST_SETTINGS | {"attempts", "take"}, exclude_defaults=True)
        return {**first, **later}


class TaskSettings(Document):
    """A part of a data set with its own labels, such as two classes with one output.

    The meaning of each output is read from the training labels.
    """

    dataset: Slug | None = None
    """Data set; the rubric's `dataset` if it is left out."""
    classes: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=2)
    """Classes, by their numbers in the data set."""
    binary: bool = False
    """Whether a model may also separate the two classes with a single output."""

    @model_validator(mode="after")
    def _classes_are_told_apart(self) -> Self:
        if len(set(self.classes)) != len(self.classes):
            msg = "`classes` contains a class twice"
            raise ValueError(msg)
        if self.binary and len(self.classes) != 2:  # noqa: PLR2004 - what binary means
            msg = f"a binary task must have two classes, not {len(self.classes)}"
            raise ValueError(msg)
        return self


class Role(Document):
    """Conditions that select one of a notebook's models; all of them must hold."""

    has_layer: str | tuple[str, ...] | None = None
    """Layer classes or families the model contains, with the same names as in the check `has_layer`."""
    lacks_layer: str | tuple[str, ...] | None = None
    """Layer classes or families the model does not contain."""
    activation: str | None = None
    """An activation that a layer before the last one applies, such as `selu`, or `custom:name`."""
    inputs: tuple[int | None, ...] | None = None
    """Shape of one input, without the batch axis."""
    outputs: int | None = Field(default=None, ge=1)
    """Number of outputs (the last axis of the output shape)."""
    data: str | None = None
    """Data set the model was trained on, such as `mnist` or `mnist/train`."""
    task: Slug | None = None
    """Task of the rubric that the model was last trained on."""
    reuses: Slug | None = None
    """Another role whose model passed learned weights to this one."""
    from_scratch: bool | None = None
    """Whether the model started its trainings without weights that another model had learned."""
    name: str | None = None
    """Name of the notebook's variable."""
    trained: bool | None = None
    """Whether the model was trained."""
    pick: Literal["only", "first", "last", "last_trained", "first_trained", "best", "smallest", "largest"] = "only"
    """Choice among several matching models. Models whose inputs or outputs do not fit the data set, such as an
    autoencoder after the classifier, are left out if others fit. `only` expects a single model: an untrained copy and
    an earlier stage that was saved, loaded and trained further do not count, and of several models the one counts that
    another role's model reuses, or that was used last. `last_trained` and `first_trained` use the order of trainings,
    or the order of construction if none of the models was trained. `last_trained` prefers the model that the notebook
    evaluates, saves, plots or predicts with last, unless the model trained last is as good. If the choice is unclear,
    a person must judge the criteria of the role."""


class Test(Document):
    """One check with its parameters."""

    check: str
    """The check's name; `grader rubric schema` lists them."""
    with_: Mapping[str, Json] = Field(default_factory=dict, alias="with")
    """The check's parameters."""


class ManualTask(Document):
    """A criterion that a person judges."""

    guide: Annotated[Text, Field(min_length=1)]
    """Instructions for that person."""


class Criterion(Document):
    """One line of the rubric."""

    id: Slug
    """Name of the criterion in results, unique in the rubric."""
    title: Text = ""
    """Title that the student reads; the id if it is left out."""
    points: float = Field(ge=0, le=10_000)
    """Points for full marks; 0 makes it advice only."""
    check: str | None = None
    """Name of the check."""
    with_: Mapping[str, Json] = Field(default_factory=dict, alias="with")
    """The check's parameters."""
    any_of: tuple[Test, ...] = ()
    """The best of these findings counts."""
    all_of: tuple[Test, ...] = ()
    """The worst of these findings counts."""
    manual: ManualTask | None = None
    """Leaves the criterion to a person; its points are pending."""
    advice: Text = ""
    """Advice for a student who missed the criterion."""
    hidden: bool = False
    """Whether students do not see the criterion: neither its title nor its points, which their total leaves out."""
    private: bool = False
    """Whether students see only the title, the points and `advice`, but neither the check's parameters nor its message
    and measurements, which would give the parameters away."""
    bonus: bool = False
    """Whether its points are extra: they do not raise the maximum."""

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
            present = " and ".join(ways) if ways else "none"
            msg = f"a criterion must have exactly one of check, any_of, all_of and manual; this one has {present}"
            raise ValueError(msg)
        if self.with_ and self.check is None:
            msg = "`with` belongs to `check`; inside any_of and all_of each test has its own `with`"
            raise ValueError(msg)
        return self

    @property
    def tests(self) -> tuple[Test, ...]:
        """All checks of the criterion; empty for a manual criterion."""
        if self.check is not None:
            return (Test.model_validate({"check": self.check, "with": dict(self.with_)}),)
        return self.any_of or self.all_of


class Ranking(Document):
    """A competition: the class page ranks the submissions by one criterion, and draws accuracy against size."""

    criterion: Slug
    """Id of the criterion to rank by; its check measures `parameters` and `accuracy`, as `score_curve` does."""


class StudentNotes(Described):
    """Selection of the margin notes that students also see."""

    leave_out: tuple[str, ...] = ()
    """Ids of diagnostics whose notes only the instructor's edition shows."""
    models: tuple[str, ...] | None = None
    """Roles of the rubric; notes about other models are only in the instructor's edition. Notes that concern no model
    stay."""


class DiagnosticSettings(Described):
    """Selection of the diagnostics that write margin notes, with their models and thresholds."""

    leave_out: tuple[str, ...] = ()
    """Ids of diagnostics to turn off."""
    only: tuple[str, ...] | None = None
    """Ids of the only diagnostics to run, instead of `leave_out`; an empty list turns all off."""
    models: tuple[str, ...] | None = None
    """Roles of the rubric; notes about other models are left out. Notes that concern no model stay."""
    students: StudentNotes = StudentNotes()
    """Further limits for the student's edition."""
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


class ReferenceSettings(Described):
    """The reference solution, and whether students see it."""

    file: str = Field(min_length=1)
    """File name of the reference notebook, which is searched next to the rubric and in `reference/`."""
    show: bool = False
    """Whether the student's report compares their model with the reference: its layers, curves and accuracy."""


class FilesEntry(Document):
    """Files of the course, with their place next to the notebook."""

    from_: str = Field(alias="from", min_length=1)
    """A file, a folder or a pattern such as `data/*.csv`, relative to the rubric's folder."""
    to: str | None = None
    """Path next to the notebook: the new name of the file or folder, or a folder if it ends with `/`. Files of a
    pattern are placed in this folder. If it is left out, the path relative to the rubric's folder is kept."""


class Rubric(Document):
    """The criteria of an assignment, their points, and the settings of the execution."""

    version: Literal[1]
    """Version of the rubric format."""
    id: Slug
    """Name of the assignment in commands and results: lower-case letters, digits, `-` and `_`."""
    title: Text
    """Title for people."""
    language: LanguageCode | None = None
    """Language of reports, the class page and mails, such as `de`; `--language` overrides it. The site's default, or
    English, if it is left out."""
    dataset: Slug = ""
    """Data set that accuracy is verified on. A rubric whose checks compare no images with a data set needs none."""
    datasets: tuple[Slug, ...] = ()
    """Other data sets that the notebook may load, in addition to `dataset`."""
    stand_in: tuple[Slug, ...] = ()
    """Data sets among `datasets` that notebooks only preprocess, and no model is judged on. If one is not on the
    machine, notebooks get made-up images of the same shapes instead, and the grade says so."""
    reference: ReferenceSettings | str | None = None
    """File name of the reference notebook, which is searched next to the rubric and in `reference/`; or a mapping with
    `file` and `show: true`, which also shows the reference to students."""
    template: str | None = None
    """File name of the assignment's notebook as students get it; it is searched next to the rubric and next to the
    shipped rubrics. The cell tags `raises-exception` and `skip-execution` count only where this notebook has them.
    Others are ignored, and the grade says so. Its text cells do not count in the check `text`."""
    template_text: str | tuple[str, ...] = ()
    """Other text of the assignment that does not count in the check `text`, in one or more parts. The text cells of
    `template` are added to it."""
    templates: str | None = None
    """Folder of the course's own templates of reports and mail, relative to the rubric's folder. A file replaces the
    shipped one of the same name."""
    files: tuple[FilesEntry | str, ...] = ()
    """Files of the course that every notebook gets, read-only: files, folders or patterns such as `data/*.csv`,
    relative to the rubric's folder, or mappings with `from` and `to`."""
    run: RunSettings = RunSettings()
    """Settings of the execution."""
    tasks: Mapping[Slug, TaskSettings] = Field(default_factory=dict)
    """Parts of the data with their own labels; models are also judged on their test images."""
    roles: Mapping[Slug, Role] = Field(default_factory=dict)
    """Names for the models that criteria are about, each with the conditions that select its model."""
    diagnostics: DiagnosticSettings = DiagnosticSettings()
    """Selection and thresholds of the margin notes in a report."""
    ranking: Ranking | None = None
    """Adds a ranking to the class page."""
    criteria: tuple[Criterion, ...] = Field(min_length=1)
    """The criteria, in the order of the report."""

    @model_validator(mode="after")
    def _ranking_names_a_criterion(self) -> Self:
        if self.ranking is not None and self.ranking.criterion not in {criterion.id for criterion in self.criteria}:
            msg = f"`ranking` names the criterion {self.ranking.criterion!r}, which does not exist"
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
                msg = f"the role {name!r} names the task {role.task!r}, which is not a key of `tasks`"
                raise ValueError(msg)
            if role.reuses is not None and (role.reuses not in self.roles or role.reuses == name):
                msg = f"the role {name!r} reuses {role.reuses!r}, which is not another role"
                raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _tasks_have_their_data(self) -> Self:
        for name, task in self.tasks.items():
            if not self.task_dataset(name):
                msg = f"the task {name!r} names no `dataset`, and neither does the rubric"
                raise ValueError(msg)
            if task.dataset is not None and task.dataset not in self.all_datasets:
                msg = f"the task {name!r} uses {task.dataset!r}, which is neither `dataset` nor one of `datasets`"
                raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _stand_ins_are_only_prepared(self) -> Self:
        for name in self.stand_in:
            if name == self.dataset:
                msg = f"`stand_in` names {name!r}, which is the data set that accuracy is verified on"
                raise ValueError(msg)
            if name not in self.datasets:
                msg = f"`stand_in` names {name!r}, which is not one of `datasets`"
                raise ValueError(msg)
            task = next((key for key in self.tasks if self.task_dataset(key) == name), None)
            if task is not None:
                msg = f"`stand_in` names {name!r}, but the task {task!r} judges models on it"
                raise ValueError(msg)
            role = next((k for k, r in self.roles.items() if (r.data or "").partition("/")[0] == name), None)
            if role is not None:
                msg = f"`stand_in` names {name!r}, but the model of the role {role!r} is trained on it"
                raise ValueError(msg)
        return self

    @property
    def reference_file(self) -> str | None:
        """File name of the reference notebook; None without a reference."""
        return self.reference.file if isinstance(self.reference, ReferenceSettings) else self.reference

    @property
    def shows_reference(self) -> bool:
        """Whether students see the reference."""
        return isinstance(self.reference, ReferenceSettings) and self.reference.show

    def task_dataset(self, task: str) -> str:
        """Return the data set of a task."""
        return self.tasks[task].dataset or self.dataset

    @property
    def max_score(self) -> float:
        """Points for full marks, without bonus points."""
        return sum(criterion.points for criterion in self.criteria if not criterion.bonus)

    @property
    def all_datasets(self) -> tuple[str, ...]:
        """All data sets that the notebook may load, without duplicates; the graded one comes first."""
        return tuple(dict.fromkeys(name for name in (self.dataset, *self.datasets) if name))
