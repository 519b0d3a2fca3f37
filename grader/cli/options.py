"""Define options and arguments of several commands."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

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
    "Format",
    "Isolation",
    "IsolationOption",
    "JobsOption",
    "JsonOption",
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


def _jobs(text: str) -> int | None:
    """Read `--jobs`."""
    if text == "auto":
        return None
    if text.isdecimal() and int(text) > 0:
        return int(text)
    msg = f"{text!r} is neither `auto` nor a positive integer"
    raise typer.BadParameter(msg)


RubricOption = Annotated[
    str, typer.Option("--rubric", metavar="ID|FILE", help="A shipped rubric's id, or a YAML file.")
]
IsolationOption = Annotated[
    Isolation, typer.Option(help="Sandbox: bubblewrap, a container, or none (only for notebooks you trust).")
]
DeviceOption = Annotated[Device, typer.Option(help="Device for trainings.")]
EngineOption = Annotated[Engine, typer.Option(help="Engine for the submissions: this machine, or a Ray cluster.")]
AddressOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS", help="Ray cluster, HOST:PORT or `auto`; by default RAY_ADDRESS, else only this machine."
    ),
]
SeedOption = Annotated[int | None, typer.Option(min=0, max=2**32 - 1, help="Seed; overrides the rubric's seed.")]
JobsOption = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        metavar="N|auto",
        parser=_jobs,
        help="Submissions at a time on each machine; auto: two cores or a GPU each, as memory allows.",
    ),
]
AttemptsOption = Annotated[
    int | None,
    typer.Option(
        "--attempts", metavar="K", min=1, max=20, help="Executions of each notebook; overrides the rubric's number."
    ),
]
WarmOption = Annotated[
    bool | None,
    typer.Option(
        "--warm/--no-warm",
        help="Fork kernels from a process that has already imported TensorFlow; default: for two or more executions.",
    ),
]
RubricArgument = Annotated[
    str, typer.Argument(metavar="ID|FILE", help="Id of a shipped rubric, or a YAML file.", show_default=False)
]
DatasetArgument = Annotated[str, typer.Argument(help="Name of a data set, as `grader data list` shows it.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
FailUnder = Annotated[
    float | None, typer.Option("--fail-under", metavar="P", min=0, help="Exit with 1 if a score is below P points.")
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
    )
