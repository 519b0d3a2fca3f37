"""The cluster as the driver sees it: its start, its machines, and what runs on them."""

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
"""How often a submission is started again after its worker or machine was lost."""
_POLL_SECONDS = 0.5
_CONNECT_SECONDS = 20.0
_FIRST_SECONDS = 60.0
"""For the first machine to join a cluster that was only just started."""
_LOOK_SECONDS = 300.0
"""For a machine to say whether it can grade; it may have to lay a data set out first."""
_CANCEL_SECONDS = 30.0
_OBJECT_BYTES = 128 << 20
"""Ray's object store where Ray is started here; what passes through it are grades."""


class Board:
    """An actor beside the driver that keeps what the workers last said."""

    def __init__(self) -> None:
        self._steps: dict[tuple[str, str], Step] = {}

    def tell(self, step: Step) -> None:
        """Take the place of what was last said about the submission."""
        self._steps.pop((step.submission, step.kind), None)
        self._steps[step.submission, step.kind] = step

    def take(self) -> tuple[Step, ...]:
        """Give what is new."""
        steps = tuple(self._steps.values())
        self._steps.clear()
        return steps


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Be part of a cluster, or start one on this machine that ends with the run.

    Raises:
        UsageError: There is no such cluster.
    """
    # Ray writes its own messages to the standard output, which is for what the command prints.
    with redirect_stdout(sys.stderr):
        ended = signal.getsignal(signal.SIGTERM)
        try:
            _start(address)
            # Ray takes this signal for itself, and would leave what runs to itself.
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, ended)
        except (RayError, OSError, RuntimeError, ValueError, ImportError) as error:
            advice = "is its head running, of the same version of Ray, and is its token known here (RAY_AUTH_TOKEN)?"
            msg = f"Ray cannot be reached: {_first_line(error)}"
            raise UsageError(msg, where=f"--address {address or 'local'}", advice=advice) from error
        try:
            yield
        finally:
            ray.shutdown()


def _start(address: str | None) -> None:
    host, _, port = (address or "").rpartition(":")
    if host and port.isdecimal() and "://" not in host:
        # Ray itself tries for a quarter of an hour.
        socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    if address in {None, "local"}:
        cores = len(os.sched_getaffinity(0))
        ray.init("local", num_cpus=cores, object_store_memory=_OBJECT_BYTES, include_dashboard=False, **quiet)
    else:
        ray.init(address, **quiet)


def _machines() -> list[Machine]:
    """The machines of the cluster that are alive."""
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
    """The machines there are, as soon as one of them has a CPU to give."""
    ends = time.monotonic() + _FIRST_SECONDS
    while not any(machine.cpus >= 1 for machine in _machines()) and time.monotonic() < ends:
        time.sleep(_POLL_SECONDS)
    return _machines()


def look_at_all(box: Sequence[Any], order: Order) -> None:
    """Ask every machine that will be given submissions whether it can grade them.

    Raises:
        GraderError: What the first machine that cannot says.
    """
    usable = [m for m in _machines() if m.cpus >= order.share.cpus and m.gpus >= order.share.gpus]
    asked = {_there(look, machine).remote(box): machine for machine in usable}
    answered, silent = ray.wait(list(asked), num_returns=len(asked), timeout=_LOOK_SECONDS)
    if silent:
        msg = f"the machine does not answer within {_LOOK_SECONDS:.0f} seconds"
        raise UsageError(msg, where=asked[silent[0]].name, advice="look at `ray status` and at its log")
    for reference in answered:
        machine = asked[reference]
        try:
            error = ray.get(reference)
        except RayTaskError as fault:
            msg = f"the machine cannot grade: {_first_line(fault.cause)}"
            raise UsageError(
                msg, where=machine.name, advice="is the grader installed there, in Ray's Python?"
            ) from fault
        except RayError:
            continue  # It was lost meanwhile, and is not one of them any more.
        if error is not None:
            where = f"{machine.name}: {error.where}" if error.where else machine.name
            raise type(error)(error.message, where=where, advice=error.advice)


def _there(function: Any, machine: Machine) -> Any:
    """A task for one machine, beside whatever it does."""
    pinned = NodeAffinitySchedulingStrategy(machine.id, soft=False)
    return ray.remote(function).options(num_cpus=0, max_retries=0, scheduling_strategy=pinned)


def beside_the_driver(kind: type) -> Any:
    """An actor on the driver's own machine: no other machine's loss is its own."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(kind).options(num_cpus=0, scheduling_strategy=here).remote()


def reported_steps(board: Any) -> tuple[Step, ...]:
    """What the workers said; without it a class is graded all the same."""
    try:
        steps: tuple[Step, ...] = ray.get(board.take.remote(), timeout=_CONNECT_SECONDS)
    except RayError:
        return ()
    return steps


def some_done(pending: Sequence[Any]) -> list[Any]:
    """Wait a moment; give all that is done by then."""
    ray.wait(pending, timeout=_POLL_SECONDS)
    done, _ = ray.wait(pending, num_returns=len(pending), timeout=0)
    return list(done)


def cancel(pending: Sequence[Any]) -> None:
    """End what runs: a worker first gets an interrupt, as from Ctrl-C, and is ended when it does not heed it."""
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
    """Make the error of a submission whose worker was lost too often."""
    msg = f"the worker was lost {RETRIES + 1} times, or could not be started: {_first_line(error)}"
    return HarnessError(msg, where="ray", advice="look at `ray status`; the same command tries again")


def _first_line(error: BaseException) -> str:
    """What an error says first; of one that quotes a traceback what that one says last."""
    lines = str(error).strip().splitlines()
    if not lines:
        return type(error).__name__
    quoting = any("Traceback (most recent" in line for line in lines)
    return f"{type(error).__name__}: {lines[-1 if quoting else 0][:300]}"
