"""The Jupyter kernel provisioner that starts a kernel inside an isolation.

Registered as the entry point `grader-sandbox`. A kernel specification selects it by
`metadata = {"kernel_provisioner": {"provisioner_name": "grader-sandbox", "config": {"plan": SandboxPlan(…)}}}`.
The plan is an object and not JSON, because the runner makes the specification in memory for each execution.
"""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from jupyter_client.provisioning import LocalProvisioner
from traitlets import Instance

from grader.execution.sandbox.children import children_of
from grader.execution.sandbox.confinement import Confinement
from grader.execution.sandbox.isolation import Binds, Isolation, ProcessLimits
from grader.execution.sandbox.layout import SOCKET_PATH_BYTES
from grader.execution.sandbox.processes import MARKER, end_tree, start
from grader.execution.sandbox.refusals import CallListener
from grader.schema.errors import SandboxError

__all__ = ["SandboxPlan", "SandboxProvisioner", "Starter", "kernel_process"]

Starter = Callable[[Mapping[str, str]], "subprocess.Popen[bytes] | None"]
"""Starts a program with a complete environment, or returns None if it cannot."""
_KERNEL_SECONDS = 2.0
"""Time limit for the kernel's own process to appear below the sandbox's process."""


@dataclass(frozen=True, slots=True)
class SandboxPlan:
    """Specification of a kernel's sandbox."""

    isolation: Isolation
    """Made by `for_run`."""
    binds: Binds
    """They include the folder of the connection file, writable and with the same path inside the sandbox."""
    env: Mapping[str, str]
    """The kernel's complete environment."""
    cwd: Path
    """Working folder inside the sandbox."""
    limits: ProcessLimits
    log: Path
    """File on this machine for the kernel's standard output and standard error."""
    mark: str
    """Identifies this sandbox's processes by their environment."""
    starter: Starter = lambda _: None
    """Another way to start the kernel; returns None if it is not available."""
    calls: CallListener | None = None
    """Counts the system calls that the kernel is refused, if it starts with `inside.calls.hand_over`."""
    confinement: Confinement | None = None
    """The sandbox's share of the machine."""

    @property
    def marked(self) -> dict[str, str]:
        """The environment with the mark."""
        return {**self.env, MARKER: self.mark}


class SandboxProvisioner(LocalProvisioner):  # type: ignore[misc] # jupyter_client is not typed for us
    """Starts the kernel in an isolation, and sends signals to the kernel's own process."""

    plan = Instance(SandboxPlan, allow_none=True)

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Write the connection file and wrap the command; called by the kernel manager before the start.

        Raises:
            SandboxError: There is no plan, the transport is not `ipc`, or the sockets' paths are too long.
        """
        if self.plan is None:
            message = "the kernel specification has no sandbox plan"
            raise SandboxError(message, advice="start the kernel through `grader.execution.runner`")
        arguments: dict[str, Any] = await super().pre_launch(**kwargs)
        _check_sockets(self.connection_info)
        connection_file = Path(self.parent.connection_file)
        self.plan.isolation.own(connection_file.parent)
        arguments["cmd"] = self.plan.isolation.wrap(
            arguments["cmd"],
            binds=self.plan.binds,
            env=self.plan.marked,
            cwd=self.plan.cwd,
            limits=self.plan.limits,
        )
        return arguments

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:  # noqa: ARG002 — Jupyter's signature
        """Start the wrapped command with only the plan's environment; called by the kernel manager."""
        if self.plan is None:
            message = "the kernel specification has no sandbox plan"
            raise SandboxError(message)
        self.process = self.plan.starter(self.plan.marked)
        if self.process is None:
            keep = () if self.plan.calls is None else (self.plan.calls.theirs.fileno(),)
            self.process = start(cmd, self.plan.log, self.plan.mark, self.plan.confinement, keep)
        self.pid = self.process.pid
        self.pgid = None
        self.cwd = self.plan.cwd
        return self.connection_info

    async def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel itself, since the sandbox does not forward signals; SIGKILL ends the sandbox."""
        if not self.has_process or self.plan is None:
            return
        if signum == signal.SIGKILL:
            await asyncio.to_thread(end_tree, self.process, self.plan.isolation, self.plan.mark)
            return
        kernel = getattr(self.process, "guest", None)
        if kernel is None:
            kernel = await asyncio.to_thread(kernel_process, self.process.pid, self.plan.isolation.kernel_depth)
        if kernel is not None:
            with suppress(psutil.Error, OSError):
                kernel.send_signal(signum)


def kernel_process(pid: int, depth: int) -> psutil.Process | None:
    """Find the kernel below the started process.

    Args:
        pid: The started process.
        depth: Number of generations. Among several children the oldest is used, since later ones are orphans that the
            sandbox's first process adopted.

    Returns:
        The kernel's process; None if it does not appear within two seconds.
    """
    ends = time.monotonic() + _KERNEL_SECONDS
    while psutil.pid_exists(pid) and time.monotonic() < ends:
        with suppress(psutil.Error):
            if (kernel := _descendant(psutil.Process(pid), depth)) is not None:
                return kernel
        time.sleep(0.02)
    return None


def _descendant(process: psutil.Process, depth: int) -> psutil.Process | None:
    if depth == 0:
        return process
    children = children_of(process)
    return _descendant(children[0], depth - 1) if children else None


def _check_sockets(connection: Mapping[str, Any]) -> None:
    if connection.get("transport") != "ipc":
        message = f"a sandboxed kernel uses the transport ipc, not {connection.get('transport')!r}"
        raise SandboxError(message)
    longest = len(os.fsencode(f"{connection['ip']}-00000"))
    if longest > SOCKET_PATH_BYTES:
        message = f"the path of the kernel's sockets has {longest} bytes, more than the maximum of {SOCKET_PATH_BYTES}"
        raise SandboxError(message, where=str(connection["ip"]), advice="choose a folder with a shorter path")
