"""Runs a process without isolation."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grader.execution.sandbox.isolation import Binds, IsolationName, ProcessLimits

__all__ = ["NoIsolation"]


@dataclass(frozen=True, slots=True)
class NoIsolation:
    """The command as it is, with the environment cleared and each process's limits set: only for trusted notebooks."""

    name: IsolationName = field(default="none", init=False)
    moves_paths: bool = field(default=False, init=False)
    kernel_depth: int = field(default=0, init=False)

    def for_run(self) -> "NoIsolation":
        """Nothing is particular to one run."""
        return self

    def own(self, path: Path) -> None:
        """Nothing to do: the process runs as the grader's own user."""

    def wrap(
        self,
        command: Sequence[str],
        *,
        binds: Binds,  # noqa: ARG002 — the signature of the protocol
        env: Mapping[str, str],
        cwd: Path,
        limits: ProcessLimits,
    ) -> list[str]:
        """Set limits and environment; the process is killed when the grader ends, where `setpriv` can see to it."""
        args = ["env", "--ignore-environment", f"--chdir={cwd}", *(f"{key}={value}" for key, value in env.items())]
        args += ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
        args += limits.command(own_user=False) if shutil.which("prlimit") else []
        return [*args, *command]

    def end_command(self) -> list[str] | None:
        """Nothing: its processes are found by their environment."""
        return None
