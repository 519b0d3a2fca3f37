"""Define the commands `grader pack …`, which make autograders for other platforms."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grader.cli.echo import echo
from grader.cli.help import CommandLine
from grader.cli.options import RubricArgument

if TYPE_CHECKING:
    from grader.grading.loader import LoadedRubric
    from grader.pipeline.packing import Packed, Requirement

__all__ = ["pack_app"]

pack_app = CommandLine(help="Make an autograder of a rubric for another platform.")

_InstallOption = Annotated[
    str | None,
    typer.Option(
        "--install",
        metavar="REQUIREMENT|WHEEL",
        help="How the autograder gets the grader: a requirement for pip, or a wheel that is packed.",
        show_default="cnn-grader[cpu] in this version",
    ),
]


@pack_app.command("gradescope")
def pack_gradescope_command(
    rubric: RubricArgument,
    *,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The zip to write.", dir_okay=False)] = Path(
        "autograder.zip"
    ),
    install: _InstallOption = None,
) -> None:
    """Write the zip of a Gradescope autograder: the rubric, setup.sh and run_autograder."""
    from grader.pipeline.packing import pack_gradescope

    _print(pack_gradescope(_load(rubric), out, _requirement(install)))


@pack_app.command("prairielearn")
def pack_prairielearn_command(
    rubric: RubricArgument,
    out: Annotated[
        Path, typer.Option("--out", metavar="COURSE", help="Folder of the course on PrairieLearn.", file_okay=False)
    ],
    *,
    image: Annotated[
        str, typer.Option("--image", metavar="NAME", help="Name of the image in a registry.")
    ] = "YOUR/cnn-grader",
    install: _InstallOption = None,
) -> None:
    """Write a question with an external grader for PrairieLearn, and the Dockerfile of its image."""
    from grader.pipeline.packing import pack_prairielearn

    _print(pack_prairielearn(_load(rubric), out, _requirement(install), image=image))


def _load(rubric: str) -> "LoadedRubric":
    from grader.pipeline.rubrics import find_rubric

    return find_rubric(rubric)


def _requirement(install: str | None) -> "Requirement":
    from grader.pipeline.packing import Requirement
    from grader.schema.errors import UsageError

    if install is None:
        return Requirement()
    if not install.endswith(".whl"):
        return Requirement(text=install)
    wheel = Path(install)
    if not wheel.is_file():
        msg = f"there is no file {install!r}"
        raise UsageError(msg, where="--install", advice="`uv build --wheel` or `pip wheel --no-deps .` makes a wheel")
    return Requirement(wheel=wheel)


def _print(packed: "Packed") -> None:
    echo(f"written: {packed.path} ({len(packed.files)} files)")
    for note in packed.notes:
        echo(f"- {note}")
