"""Define options and arguments of several commands."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grader.cli.completion import complete_dataset, complete_rubric
from grader.cli.help import MACHINE, RESULT, RUNS
from grader.cli.stopping import NO_RESUME

if TYPE_CHECKING:
    from grader.pipeline.setup import Options

__all__ = [
    "AddressOption",
    "AttemptsOption",
    "DatasetArgument",
    "Device",
    "DeviceOption",
    "Engine",
    "EngineOption",
    "FailUnder",
    "FailUnderFull",
    "Format",
    "FormatOption",
    "Isolation",
    "IsolationOption",
    "JobsOption",
    "JsonOption",
    "JudgementsOption",
    "LanguageOption",
    "NoResumeOption",
    "OutOption",
    "PriorRubricOption",
    "QuickOption",
    "ReportOption",
    "RubricArgument",
    "RubricOption",
    "SeedOption",
    "WarmOption",
    "options_of",
]


class Isolation(StrEnum):
    """Isolation of notebooks from this machine."""

    AUTO = "auto"
    BUBBLEWRAP = "bubblewrap"
    CONTAINER = "container"
    USER = "user"
    NONE = "none"


class Device(StrEnum):
    """Device for trainings."""

    AUTO = "auto"
    CPU = "cpu"
    GPU = "gpu"


class Engine(StrEnum):
    """Engine that runs the submissions of a class."""

    LOCAL = "local"
    RAY = "ray"


class Format(StrEnum):
    """Output format of `check`."""

    TABLE = "table"
    JSON = "json"
    GITHUB = "github"
    JUNIT = "junit"


def _jobs(text: str) -> int | None:
    """Read `--jobs`."""
    if text == "auto":
        return None
    if text.isdecimal() and int(text) > 0:
        return int(text)
    msg = f"{text!r} is neither `auto` nor a positive integer"
    raise typer.BadParameter(msg)


PriorRubricOption = Annotated[
    str | None,
    typer.Option(
        "--rubric",
        metavar="ID|FILE",
        help="A shipped rubric's id, or a YAML file.",
        show_default="the rubric that was used before",
        autocompletion=complete_rubric,
    ),
]
"""For commands on a results folder."""
RubricOption = Annotated[
    str,
    typer.Option(
        "--rubric",
        metavar="ID|FILE",
        help="A shipped rubric's id, or a YAML file.",
        autocompletion=complete_rubric,
    ),
]
IsolationOption = Annotated[
    Isolation,
    typer.Option(
        help="Sandbox of the notebooks. `user` only separates user ids, for root in a container; `none` is only for "
        "notebooks that you trust.",
        show_default="auto, the first sandbox that works here",
        rich_help_panel=MACHINE,
    ),
]
DeviceOption = Annotated[
    Device,
    typer.Option(help="Device for trainings.", show_default="auto, a GPU if there is one", rich_help_panel=MACHINE),
]
EngineOption = Annotated[
    Engine,
    typer.Option(
        help="Where the submissions run: on this machine, or on a Ray cluster.",
        show_default="local",
        rich_help_panel=MACHINE,
    ),
]
AddressOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Ray cluster, as HOST:PORT or `auto`.",
        show_default="RAY_ADDRESS, else only this machine",
        rich_help_panel=MACHINE,
    ),
]
SeedOption = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=0,
        max=2**32 - 1,
        help="Seed of the random numbers.",
        show_default="the rubric's seed",
        rich_help_panel=RUNS,
    ),
]
JobsOption = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        metavar="N|auto",
        parser=_jobs,
        help="Submissions at a time on each machine.",
        show_default="auto, a core or a GPU for each, as memory allows",
        rich_help_panel=MACHINE,
    ),
]
AttemptsOption = Annotated[
    int | None,
    typer.Option(
        "--attempts",
        metavar="K",
        min=1,
        max=20,
        help="Executions of each notebook, at most 20.",
        show_default="the rubric's number",
        rich_help_panel=RUNS,
    ),
]
WarmOption = Annotated[
    bool | None,
    typer.Option(
        "--warm/--no-warm",
        help="Fork kernels from a process that has already imported TensorFlow.",
        show_default="only for two or more executions",
        rich_help_panel=MACHINE,
    ),
]
RubricArgument = Annotated[
    str,
    typer.Argument(
        metavar="ID|FILE",
        help="Id of a shipped rubric, or a YAML file.",
        show_default=False,
        autocompletion=complete_rubric,
    ),
]
LanguageOption = Annotated[
    str | None,
    typer.Option(
        "--language",
        metavar="CODE",
        help="Language of the pages, such as de.",
        show_default="the rubric's or the site's",
        rich_help_panel=RESULT,
    ),
]
DatasetArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="Name of a data set, as `grader data list` shows it.", autocompletion=complete_dataset
    ),
]
JudgementsOption = Annotated[
    Path | None,
    typer.Option(
        "--judgements",
        metavar="FILE",
        help="File of the judgements of people; later commands find it.",
        show_default="the file of the last command, else DIR-judgements.jsonl",
        dir_okay=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.", rich_help_panel=RESULT)]
FailUnder = Annotated[
    float | None,
    typer.Option(
        "--fail-under",
        metavar="P",
        min=0,
        help="Exit with 1 if a score is below P points.",
        show_default="no limit",
        rich_help_panel=RESULT,
    ),
]
FailUnderFull = Annotated[
    float | None,
    typer.Option(
        "--fail-under",
        metavar="P",
        min=0,
        help="Exit with 1 below P points.",
        show_default="all points that need no person",
        rich_help_panel=RESULT,
    ),
]
FormatOption = Annotated[
    Format,
    typer.Option(
        "--format",
        help="Format of the result; github writes annotations and the job summary of GitHub Actions.",
        show_default="table, for people",
        rich_help_panel=RESULT,
    ),
]
QuickOption = Annotated[
    bool,
    typer.Option(
        "--quick",
        help="Answer within a minute: cut trainings short, and judge nothing that depends on how far they go.",
        rich_help_panel=RUNS,
    ),
]
ReportOption = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="FILE",
        help="Also write the report, an HTML page, to this file.",
        show_default="no report",
        rich_help_panel=RESULT,
    ),
]
OutOption = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the results.")]
NoResumeOption = Annotated[
    bool,
    typer.Option(NO_RESUME, help="Execute notebooks again even if their results are current.", rich_help_panel=RUNS),
]


def options_of(
    isolation: Isolation,
    device: Device,
    *,
    jobs: int | None,
    seed: int | None,
    resume: bool,
    attempts: int | None = None,
    warm: bool | None = None,
    quick: bool = False,
) -> "Options":
    """Make the pipeline's options from a command's options."""
    from grader.pipeline.setup import Options

    return Options(
        isolation=isolation.value,
        device=device.value,
        jobs=jobs,
        seed=seed,
        attempts=attempts,
        resume=resume,
        warm=warm,
        quick=quick,
    )
