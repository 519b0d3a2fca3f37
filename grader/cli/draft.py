"""Define the command `grader rubric draft`."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grader.cli.completion import complete_dataset
from grader.cli.echo import echo
from grader.cli.exit_codes import BELOW
from grader.cli.options import Device, DeviceOption, Isolation, IsolationOption, options_of

if TYPE_CHECKING:
    from rich.console import Console

    from grader.datasets.store import DatasetStore
    from grader.grading.drafting.draft import Plan
    from grader.pipeline.drafting import Drafted
    from grader.pipeline.setup import Options
    from grader.schema.evidence import Evidence

__all__ = ["rubric_draft"]


def rubric_draft(
    solution: Annotated[Path, typer.Argument(metavar="SOLUTION", help="Notebook that solves the assignment.")],
    *,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="New file for the rubric.", show_default="the terminal")
    ] = None,
    points: Annotated[
        float, typer.Option("--points", min=1, max=10_000, help="Points of all criteria together.")
    ] = 100,
    datasets: Annotated[
        list[str] | None,
        typer.Option(
            "--dataset",
            metavar="NAME",
            help="Data set that models are judged on; repeat the option for others that the notebook loads.",
            show_default="those that its code names",
            autocompletion=complete_dataset,
        ),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="DIR",
            help="Execute nothing: use the kept evidence in a results folder, or from `grader rubric test --update`.",
            show_default="execute the notebook",
        ),
    ] = None,
    isolation: IsolationOption = Isolation.AUTO,
    device: DeviceOption = Device.AUTO,
) -> None:
    """Draft a rubric from the execution of a solution, and show which mistakes its criteria notice.

    The solution gets full marks for all criteria that need no person. Read and change the draft before you use it. The
    exit code is 1 if the notebook does not run, because then it is no solution.
    """
    _check_paths(solution, out)
    from grader.cli.site import open_store
    from grader.cli.terminal import terminal
    from grader.pipeline.drafting import draft_rubric, kept_evidence
    from grader.store.files import write_atomically

    store = open_store(may_download=True)
    for name in datasets or ():
        store.check(name)
    plan = _plan(solution, out, points, datasets or [])
    if source is not None:
        evidence = kept_evidence(solution, source)
    else:
        options = options_of(isolation, device, jobs=1, seed=None, resume=False)
        evidence = _executed(plan, solution, datasets, store, options)
    drafted = draft_rubric(plan, evidence, out or solution.with_name(f"{plan.id}.yaml"))
    if out is None:
        echo(drafted.text, nl=False)
    else:
        write_atomically(out, drafted.text.encode())
    _report(drafted, out, terminal(stderr=out is None))
    if evidence.run.status != "completed" or evidence.run.errors:
        echo("warning: the notebook does not run from top to bottom, so it is no solution", err=True)
        raise typer.Exit(BELOW)


def _check_paths(solution: Path, out: Path | None) -> None:
    """Refuse wrong paths before anything runs.

    Raises:
        SubmissionPathError: The solution does not exist.
        UsageError: The rubric would replace a file, or its folder does not exist.
    """
    from grader.facts.nearest import near_path
    from grader.schema.errors import SubmissionPathError, UsageError

    if not solution.is_file():
        msg = f"there is no notebook {str(solution)!r}{near_path(solution)}"
        raise SubmissionPathError(msg)
    if out is None:
        return
    where = f"--out {out}"
    if out.exists():
        msg = "this file exists, and a draft never replaces a rubric"
        raise UsageError(msg, where=where, advice="name another file, or remove this one first")
    if not out.absolute().parent.is_dir():
        msg = f"there is no folder {str(out.parent)!r}{near_path(out.parent)}"
        raise UsageError(msg, where=where, advice="make the folder first, or name another file")


def _plan(solution: Path, out: Path | None, points: float, datasets: list[str]) -> "Plan":
    from grader.grading.drafting.base import slug
    from grader.grading.drafting.draft import Plan

    stem = (out or solution).stem
    folder = (out or solution).absolute().parent
    return Plan(
        id=slug(stem)[:64].strip("-") or "assignment",
        title=stem.replace("-", " ").replace("_", " ").strip().capitalize() or "Assignment",
        points=points,
        dataset=datasets[0] if datasets else "",
        reference=Path(os.path.relpath(solution.absolute(), folder)).as_posix(),
    )


def _executed(
    plan: "Plan", solution: Path, datasets: list[str] | None, store: "DatasetStore", options: "Options"
) -> "Evidence":
    from grader.cli.terminal import progress_on, terminal
    from grader.pipeline.drafting import executed_evidence, named_datasets

    names = tuple(dict.fromkeys(datasets)) if datasets else named_datasets(solution, store)
    if not names:
        echo("notice: the code names no data set, so no accuracy is computed; `--dataset NAME` names one", err=True)
    with progress_on(terminal(stderr=True)) as listener:
        listener.begin(1)
        return executed_evidence(plan, solution, names, store=store, options=options, listener=listener.step)


def _report(drafted: "Drafted", out: Path | None, console: "Console") -> None:
    """Print the result for the solution, the criteria that were left out, and the mistakes that the draft notices."""
    from grader.cli.sensitivity import criteria_of, mutations_of, summary_of

    for line in _summary(drafted, out):
        console.print(line, markup=False)
    result = drafted.sensitivity
    for part in ("", criteria_of(result), "", mutations_of(result), "", *summary_of(result)):
        console.print(part, markup=False)
    if out is not None:
        console.print(f"\nNext: read {out}, then run `grader rubric test {out} --update`.", markup=False)


def _summary(drafted: "Drafted", out: Path | None) -> "Iterator[str]":
    from grader.facts.language import english
    from grader.schema.message import say_count

    count = len(drafted.draft.criteria)
    if out is not None:
        yield f"written: {out}, {english(say_count('{count:number} criterion', '{count:number} criteria', count))}"
    full = f"{drafted.points:g}"
    yield f"The solution gets {full} of {full} points; {drafted.manual:g} points wait for a person."
    if drafted.draft.optional:
        names = ", ".join(one.proposal.id for one in drafted.draft.optional)
        yield f"Comments, because another right solution may miss them: {names}."
    for one in drafted.draft.left_out:
        yield f"Only a comment: {one.criterion.proposal.id}. {one.reason}"
