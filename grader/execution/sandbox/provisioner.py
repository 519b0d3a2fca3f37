"""The Jupyter kernel provisioner that starts a kernel inside an isolation.

Registered as the entry point `grader-sandbox`. A kernel specification asks for it by
`metadata = {"kernel_provisioner": {"provisioner_name": "grader-sandbox", "config": {"plan": SandboxPlan(…)}}}`.
The plan is an object, not JSON: the runner makes the specification in memory for each execution.
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

from grader.execution.sandbox.isolation import Binds, Isolation, ProcessLimits
from grader.execution.sandbox.layout import SOCKET_PATH_BYTES
from grader.execution.sandbox.processes import MARKER, end_tree, start
from grader.schema.errors import SandboxError

__all__ = ["SandboxPlan", "SandboxProvisioner", "Starter", "kernel_process"]

Starter = Callable[[Mapping[str, str]], "subprocess.Popen[bytes] | None"]
"""Starts a program, given its whole environment, or returns None where it cannot."""
_KERNEL_SECONDS = 2.0
"""How long the kernel's own process may take to appear below the sandbox's."""


@dataclass(frozen=True, slots=True)
class SandboxPlan:
    """Everything a kernel's sandbox is made of."""

    isolation: Isolation
    """Made by `for_run`."""
    binds: Binds
    """The folder of the connection file is among them, writable, under its own path."""
    env: Mapping[str, str]
    """The whole environment inside."""
    cwd: Path
    """As the sandbox names it."""
    limits: ProcessLimits
    log: Path
    """File on this machine for what the kernel writes to its standard streams."""
    mark: str
    """Names this sandbox's processes; goes into their environment."""
    starter: Starter = lambda _: None
    """Another way to start the kernel, given its whole environment; None where that is not to be had."""

    @property
    def marked(self) -> dict[str, str]:
        """The environment with the mark."""
        return {**self.env, MARKER: self.mark}


class SandboxProvisioner(LocalProvisioner):  # type: ignore[misc] # jupyter_client is not typed for us
    """Starts the kernel through an isolation, and sends signals to where the kernel really is."""

    plan = Instance(SandboxPlan, allow_none=True)

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Called by the kernel manager before the start: write the connection file and wrap the command.

        Raises:
            SandboxError: There is no plan, the transport is not `ipc`, or the sockets' paths are too long.
        """
        if self.plan is None:
            message = "the kernel specification has no sandbox plan"
            raise SandboxError(message, advice="start the kernel through `grader.execution.runner`")
        prepared: dict[str, Any] = await super().pre_launch(**kwargs)
        _check_sockets(self.connection_info)
        connection_file = Path(self.parent.connection_file)
        self.plan.isolation.own(connection_file.parent)
        prepared["cmd"] = self.plan.isolation.wrap(
            prepared["cmd"],
            binds=self.plan.binds,
            env=self.plan.marked,
            cwd=self.plan.cwd,
            limits=self.plan.limits,
        )
        return prepared

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:  # noqa: ARG002 — Jupyter's signature
        """Called by the kernel manager: start the wrapped command; its environment is the plan's alone."""
        if self.plan is None:
            message = "the kernel specification has no sandbox plan"
            raise SandboxError(message)
        self.process = self.plan.starter(self.plan.marked) or start(cmd, self.plan.log, self.plan.mark)
        self.pid = self.process.pid
        self.pgid = None
        self.cwd = self.plan.cwd
        return self.connection_info

    async def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel itself; the sandbox's own processes pass none on. SIGKILL ends the sandbox."""
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
    """Find the kernel below the process that was started.

    Args:
        pid: The process that was started.
        depth: How many generations down; of several children the eldest counts, since later ones are orphans that
            the sandbox's first process adopted.

    Returns:
        The kernel's process; None when it does not appear within two seconds.
    """
    ends = time.monotonic() + _KERNEL_SECONDS
    while psutil.pid_exists(pid) and time.monotonic() < ends:
        with suppress(psutil.Error):
            if (found := _descendant(psutil.Process(pid), depth)) is not None:
                return found
        time.sleep(0.02)
    return None


def _descendant(process: psutil.Process, depth: int) -> psutil.Process | None:
    if depth == 0:
        return process
    eldest = min(process.children(), key=lambda child: (child.create_time(), child.pid), default=None)
    return None if eldest is None else _descendant(eldest, depth - 1)


def _check_sockets(connection: Mapping[str, Any]) -> None:
    if connection.get("transport") != "ipc":
        message = f"a sandboxed kernel talks over ipc, not {connection.get('transport')!r}"
        raise SandboxError(message)
    longest = len(os.fsencode(f"{connection['ip']}-00000"))
    if longest > SOCKET_PATH_BYTES:
        message = f"the path of the kernel's sockets has {longest} bytes; {SOCKET_PATH_BYTES} are allowed"
        raise SandboxError(message, where=str(connection["ip"]), advice="choose a folder with a shorter path")
