"""Runs a process as another user of this machine, without namespaces."""

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from grader.execution.sandbox.bubblewrap import free_user_id
from grader.execution.sandbox.isolation import TRANSIENT_IDS, Binds, IsolationName, ProcessLimits, chown_tree
from grader.execution.sandbox.scratch import is_held
from grader.execution.sandbox.seccomp import can_report, kernel_filters

__all__ = ["OtherUser", "probe_user"]

_PROGRAMS = ("setpriv", "prlimit")
_PASSABLE = 0o711


def probe_user() -> str:
    """Return the reason why a process cannot run as another user here; empty if it can."""
    if os.geteuid() != 0:
        return "only root can run notebooks as another user"
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    return f"{missing[0]} is not installed (package util-linux)" if missing else ""


@dataclass(frozen=True, slots=True)
class OtherUser:
    """A user id that no other process uses, without rights, where no sandbox works, as in many containers.

    The process can neither read closed folders, nor write files of others, nor send signals to their processes. It sees
    everything that is open to all users, and the network.
    """

    user_id: int = TRANSIENT_IDS.start
    allowed_calls: tuple[str, ...] = ()
    """System calls to allow in addition to those that are always allowed."""
    name: IsolationName = field(default="user", init=False)
    moves_paths: bool = field(default=False, init=False)
    kernel_depth: int = field(default=0, init=False)

    def for_run(self) -> "OtherUser":
        """Return an isolation with a new user id, so that notebooks share neither files nor process counts."""
        return replace(self, user_id=free_user_id())

    def for_notebook(self, allowed: Sequence[str]) -> "OtherUser":
        """Return an isolation for a notebook's kernel; see `Isolation.for_notebook`."""
        return replace(self, allowed_calls=tuple(allowed))

    @property
    def call_filters(self) -> tuple[bytes, bytes] | None:
        """The filters that the kernel installs; see `Isolation.call_filters`."""
        return kernel_filters(self.allowed_calls) if can_report() else None

    def own(self, path: Path) -> None:
        """Change the owner of a folder and its content, close it to other users, and let the user get there."""
        chown_tree(path, self.user_id)
        if path.is_dir():
            path.chmod(0o700)
        for parent in path.parents:
            if not any(is_held(one) for one in (parent, *parent.parents)):
                return
            with suppress(OSError):
                parent.chmod(_PASSABLE)

    def wrap(
        self,
        command: Sequence[str],
        *,
        binds: Binds,  # noqa: ARG002 — the signature of the protocol
        env: Mapping[str, str],
        cwd: Path,
        limits: ProcessLimits,
    ) -> list[str]:
        """Add the environment, the change of the user and the limits; the process is killed when the grader ends."""
        args = ["env", "--ignore-environment", *(f"{key}={value}" for key, value in env.items())]
        args += [*self._step_down(), "--pdeathsig", "KILL", "--"]
        # The folder is closed to root without the right to override permissions, so change it as the other user.
        args += ["env", f"--chdir={cwd}", *limits.command(own_user=True)]
        return [*args, *command]

    def end_command(self) -> list[str] | None:
        """Return the command that kills all processes of the user."""
        return [*self._step_down(), "--", "sh", "-c", "kill -KILL -1"]

    def _step_down(self) -> list[str]:
        ids = ["--reuid", str(self.user_id), "--regid", str(self.user_id), "--clear-groups"]
        return ["setpriv", *ids, "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"]
