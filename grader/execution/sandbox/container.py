"""Isolates a process with a container engine."""

import os
import random
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from grader.execution.sandbox.isolation import (
    PROBE_SECONDS,
    TRANSIENT_IDS,
    Binds,
    IsolationName,
    ProcessLimits,
    chown_tree,
)

__all__ = ["Container", "probe_engine"]


@dataclass(frozen=True, slots=True)
class Container:
    """Isolation by a container engine (podman or docker).

    The argument list is tested, but the container itself is not: no engine was available for the tests.
    The watchdog cannot see into a container, so the engine's own limits on memory and processes apply.
    """

    engine: str = "podman"
    image: str = "debian:stable-slim"
    """An image with the C library that the Python of the kernel needs."""
    user_id: int = TRANSIENT_IDS.start
    run_name: str = "grader"
    name: IsolationName = field(default="container", init=False)
    moves_paths: bool = field(default=True, init=False)
    kernel_depth: int = field(default=0, init=False)

    def for_run(self) -> "Container":
        """Return an isolation with a new container name, by which `end_command` can end it."""
        return replace(self, run_name=f"grader-{random.SystemRandom().getrandbits(48):012x}")

    def for_notebook(self, allowed: Sequence[str]) -> "Container":  # noqa: ARG002 — the signature of the protocol
        """Return this isolation, since the engine filters system calls."""
        return self

    @property
    def call_filters(self) -> None:
        """Return None, since the engine filters system calls."""
        return

    def own(self, path: Path) -> None:
        """As root, change a folder's owner to the inner user; a rootless engine maps ids itself."""
        if os.geteuid() == 0:
            chown_tree(path, self.user_id)

    def wrap(
        self,
        command: Sequence[str],
        *,
        binds: Binds,
        env: Mapping[str, str],
        cwd: Path,
        limits: ProcessLimits,
    ) -> list[str]:
        """Make the engine's command line; see `Isolation.wrap`."""
        args = [self.engine, "run", "--rm", "--init", "--interactive=false", "--name", self.run_name]
        args += ["--network", "none", "--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges"]
        args += ["--ipc", "private", "--hostname", "sandbox", "--pids-limit", str(limits.processes)]
        args += ["--ulimit", "core=0", "--ulimit", f"fsize={limits.file_bytes}"]
        args += ["--ulimit", f"nofile={limits.open_files}", "--shm-size", str(binds.tmp_bytes)]
        if limits.memory_bytes is not None:
            args += ["--memory", str(limits.memory_bytes), "--memory-swap", str(limits.memory_bytes)]
        args += ["--user", f"{self.user_id}:{self.user_id}"]
        if os.geteuid() != 0 and Path(self.engine).name == "podman":
            args += ["--userns", f"keep-id:uid={self.user_id},gid={self.user_id}"]
        for target in (binds.tmp.target, binds.home.target, *binds.masked):
            args += ["--tmpfs", f"{target}:rw,nosuid,nodev,mode=1777,size={binds.tmp_bytes}"]
        for mount in binds.mounts:
            args += ["--volume", f"{mount.source}:{mount.target}:{'rw' if mount.writable else 'ro'}"]
        for device in binds.devices:
            args += ["--device", str(device)]
        for key, value in env.items():
            args += ["--env", f"{key}={value}"]
        return [*args, "--workdir", str(cwd), self.image, *command]

    def end_command(self) -> list[str]:
        """Return the command that ends the container by name; killing the client does not end it."""
        return [self.engine, "kill", self.run_name]


@lru_cache(maxsize=8)
def probe_engine(engine: str) -> str:
    """Return the reason why a container engine does not work; empty if it works."""
    if shutil.which(engine) is None:
        return f"{engine} is not installed"
    try:
        done = subprocess.run([engine, "info"], capture_output=True, text=True, timeout=PROBE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{engine} does not answer ({error})"
    return "" if done.returncode == 0 else f"{engine} is installed, but its service does not answer"
