"""Runs a process without isolation."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grader.execution.sandbox.isolation import Binds, IsolationName, ProcessLimits

__all__ = ["NoIsolation"]


@dataclass(frozen=True, slots=True)
class NoIsolation:
    """No isolation: only a clean environment and limits for each process. For trusted notebooks only."""

    name: IsolationName = field(default="none", init=False)
    moves_paths: bool = field(default=False, init=False)
    kernel_depth: int = field(default=0, init=False)

    def for_run(self) -> "NoIsolation":
        """Return this isolation, since it has no state for a run."""
        return self

    def for_notebook(self, allowed: Sequence[str]) -> "NoIsolation":  # noqa: ARG002 — the signature of the protocol
        """Return this isolation, since it filters no system calls."""
        return self

    @property
    def call_filters(self) -> None:
        """Return None, since it filters no system calls."""
        return

    def own(self, path: Path) -> None:
        """Do nothing, since the process runs as the grader's own user."""

    def wrap(
        self,
        command: Sequence[str],
        *,
        binds: Binds,  # noqa: ARG002 — the signature of the protocol
        env: Mapping[str, str],
        cwd: Path,
        limits: ProcessLimits,
    ) -> list[str]:
        """Add limits and the environment; with `setpriv` the process is killed when the grader ends."""
        args = ["env", "--ignore-environment", f"--chdir={cwd}", *(f"{key}={value}" for key, value in env.items())]
        args += ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
        args += limits.command(own_user=False) if shutil.which("prlimit") else []
        return [*args, *command]

    def end_command(self) -> list[str] | None:
        """Return None: the processes are found by their environment."""
        return None
