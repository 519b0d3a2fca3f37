"""A command that isolations wrap."""

from pathlib import Path

from grader.execution.sandbox.isolation import Binds, Isolation, Mount, ProcessLimits

__all__ = ["BINDS", "TMP", "follows", "wrapped"]


TMP = Path("/tmp")  # noqa: S108 — the name inside a sandbox


BINDS = Binds(
    mounts=(
        Mount(Path("/opt/py"), Path("/opt/py")),
        Mount(Path("/s/work"), Path("/home/student/submission"), writable=True),
    ),
    home=Mount(Path("/s/home"), Path("/home/student"), writable=True),
    tmp=Mount(Path("/s/tmp"), TMP, writable=True),
    masked=(Path("/opt/py/grader"),),
    devices=(Path("/dev/nvidia0"),),
)


def wrapped(how: Isolation) -> list[str]:
    """Make the command line of a small command."""
    return how.wrap(["python", "-V"], binds=BINDS, env={"A": "1"}, cwd=Path("/w"), limits=ProcessLimits())


def follows(args: list[str], *wanted: str) -> bool:
    """Whether arguments come one after the other."""
    return any(tuple(args[i : i + len(wanted)]) == wanted for i in range(len(args)))
