"""A command that isolations wrap."""

from pathlib import Path

from grader.execution.sandbox.isolation import Binds, Isolation, Mount, ProcessLimits

__all__ = ["BINDS", "TMP", "expanded", "follows", "wrapped"]


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
    """Make the command line of a small command, with the arguments of bubblewrap's files in it."""
    return expanded(how.wrap(["python", "-V"], binds=BINDS, env={"A": "1"}, cwd=Path("/w"), limits=ProcessLimits()))


def expanded(command: list[str]) -> list[str]:
    """Put the arguments that bubblewrap reads from a file into its command line."""
    if "--args" not in command:
        return command
    place = command.index("--args")
    path = next(part for part in command if part.startswith("/proc/"))
    return [*command[:place], *Path(path).read_text().split("\0")[:-1], *command[place + 2 :]]


def follows(args: list[str], *wanted: str) -> bool:
    """Whether arguments come one after the other."""
    return any(tuple(args[i : i + len(wanted)]) == wanted for i in range(len(args)))
