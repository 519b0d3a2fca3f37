"""Manage the cluster from the driver: start it, find its machines, and run tasks on them."""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from grader.pipeline.ray.shares import Machine, Order
from grader.pipeline.ray.worker import look
from grader.schema.errors import HarnessError, UsageError
from grader.schema.progress import Step

__all__ = [
    "RETRIES",
    "Board",
    "beside_the_driver",
    "cancel",
    "connected",
    "first_machines",
    "look_at_all",
    "lost_worker",
    "reported_steps",
    "some_done",
]

RETRIES = 3
"""Number of restarts of a submission after its worker or machine was lost."""
_POLL_SECONDS = 0.5
_CONNECT_SECONDS = 20.0
_FIRST_SECONDS = 60.0
"""Time for the first machine to join a new cluster."""
_LOOK_SECONDS = 300.0
"""Time for a machine to report whether it can grade; it may have to prepare data sets first."""
_CANCEL_SECONDS = 30.0
_OBJECT_BYTES = 128 << 20
"""Size of the object store if Ray is started here; it only holds grades."""


class Board:
    """An actor on the driver's machine that stores the last progress reports of the workers."""

    def __init__(self) -> None:
        self._steps: dict[tuple[str, str], Step] = {}

    def tell(self, step: Step) -> None:
        """Replace the last report about the submission."""
        self._steps.pop((step.submission, step.kind), None)
        self._steps[step.submission, step.kind] = step

    def take(self) -> tuple[Step, ...]:
        """Return and remove the new reports."""
        steps = tuple(self._steps.values())
        self._steps.clear()
        return steps


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Connect to a cluster, or start one on this machine that ends with the run.

    Raises:
        UsageError: The cluster cannot be reached.
    """
    # Ray prints to the standard output, which is reserved for the command's output.
    with redirect_stdout(sys.stderr):
        handler = signal.getsignal(signal.SIGTERM)
        try:
            _start(address)
            # Restore the handler that Ray replaced, so that running tasks are ended.
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, handler)
        except (RayError, OSError, RuntimeError, ValueError, ImportError) as error:
            advice = "check that its head runs the same version of Ray, and that RAY_AUTH_TOKEN is set here"
            msg = f"Ray cannot be reached: {_first_line(error)}"
            raise UsageError(msg, where=f"--address {address or 'local'}", advice=advice) from error
        try:
            yield
        finally:
            ray.shutdown()


def _start(address: str | None) -> None:
    host, _, port = (address or "").rpartition(":")
    if host and port.isdecimal() and "://" not in host:
        # Check first: Ray itself tries for 15 minutes.
        socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    if address in {None, "local"}:
        cores = len(os.sched_getaffinity(0))
        ray.init("local", num_cpus=cores, object_store_memory=_OBJECT_BYTES, include_dashboard=False, **quiet)
    else:
        ray.init(address, **quiet)


def _machines() -> list[Machine]:
    """List the running machines of the cluster."""
    return [
        Machine(
            id=node["NodeID"],
            name=node["NodeManagerHostname"],
            cpus=node["Resources"].get("CPU", 0.0),
            gpus=node["Resources"].get("GPU", 0.0),
            memory=node["Resources"].get("memory", 0.0),
        )
        for node in ray.nodes()
        if node["Alive"]
    ]


def first_machines() -> list[Machine]:
    """List the machines as soon as one of them has a free CPU."""
    ends = time.monotonic() + _FIRST_SECONDS
    while not any(machine.cpus >= 1 for machine in _machines()) and time.monotonic() < ends:
        time.sleep(_POLL_SECONDS)
    return _machines()


def look_at_all(box: Sequence[Any], order: Order) -> None:
    """Ask each usable machine whether it can grade.

    Raises:
        GraderError: The error of the first machine that cannot.
    """
    usable = [m for m in _machines() if m.cpus >= order.share.cpus and m.gpus >= order.share.gpus]
    asked = {_pinned(look, machine).remote(box): machine for machine in usable}
    answered, silent = ray.wait(list(asked), num_returns=len(asked), timeout=_LOOK_SECONDS)
    if silent:
        msg = f"the machine did not answer within {_LOOK_SECONDS:.0f} seconds"
        raise UsageError(msg, where=asked[silent[0]].name, advice="check `ray status` and the machine's log")
    for reference in answered:
        machine = asked[reference]
        try:
            error = ray.get(reference)
        except RayTaskError as fault:
            msg = f"the machine cannot grade: {_first_line(fault.cause)}"
            raise UsageError(
                msg, where=machine.name, advice="check that the grader is installed there, in Ray's Python"
            ) from fault
        except RayError:
            continue  # The machine was lost meanwhile.
        if error is not None:
            where = f"{machine.name}: {error.where}" if error.where else machine.name
            raise type(error)(error.message, where=where, advice=error.advice)


def _pinned(function: Any, machine: Machine) -> Any:
    """Make a task that runs on one machine, even if all its CPUs are in use."""
    there = NodeAffinitySchedulingStrategy(machine.id, soft=False)
    return ray.remote(function).options(num_cpus=0, max_retries=0, scheduling_strategy=there)


def beside_the_driver(kind: type) -> Any:
    """Start an actor on the driver's node, so that losing another node cannot kill it."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(kind).options(num_cpus=0, scheduling_strategy=here).remote()


def reported_steps(board: Any) -> tuple[Step, ...]:
    """Return the workers' progress reports; none if the actor fails, since grading does not need them."""
    try:
        steps: tuple[Step, ...] = ray.get(board.take.remote(), timeout=_CONNECT_SECONDS)
    except RayError:
        return ()
    return steps


def some_done(pending: Sequence[Any]) -> list[Any]:
    """Wait briefly, and return all finished tasks."""
    ray.wait(pending, timeout=_POLL_SECONDS)
    done, _ = ray.wait(pending, num_returns=len(pending), timeout=0)
    return list(done)


def cancel(pending: Sequence[Any]) -> None:
    """End running tasks: interrupt workers as with Ctrl-C, and kill those that do not stop."""
    if not pending:
        return
    with suppress(RayError):
        for force, seconds in ((False, _CANCEL_SECONDS), (True, _CANCEL_SECONDS)):
            for reference in pending:
                ray.cancel(reference, force=force)
            _, pending = ray.wait(list(pending), num_returns=len(pending), timeout=seconds)
            if not pending:
                return


def lost_worker(error: RayError) -> HarnessError:
    """Make the error for a submission whose worker was lost too often."""
    msg = f"the worker was lost {RETRIES + 1} times, or could not be started: {_first_line(error)}"
    return HarnessError(msg, where="ray", advice="check `ray status`; the same command tries again")


def _first_line(error: BaseException) -> str:
    """Return the first line of an error, or the last line if it quotes a traceback."""
    lines = str(error).strip().splitlines()
    if not lines:
        return type(error).__name__
    quoting = any("Traceback (most recent" in line for line in lines)
    return f"{type(error).__name__}: {lines[-1 if quoting else 0][:300]}"
