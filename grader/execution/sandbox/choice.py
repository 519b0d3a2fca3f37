"""Chooses the isolation that works on a machine."""

from collections.abc import Sequence
from typing import Literal

from grader.execution.sandbox.bubblewrap import working_bubblewrap
from grader.execution.sandbox.container import Container, probe_engine
from grader.execution.sandbox.isolation import Isolation
from grader.execution.sandbox.other_user import OtherUser, probe_user
from grader.execution.sandbox.unprotected import NoIsolation
from grader.schema.errors import IsolationRefusedError

__all__ = ["choose_isolation"]


def choose_isolation(
    wanted: Literal["auto", "bubblewrap", "container", "user", "none"],
    *,
    bubblewrap: str = "bwrap",
    engines: Sequence[str] = ("podman", "docker"),
) -> Isolation:
    """Find an isolation that works on this machine.

    Args:
        wanted: The user's choice; `auto` tries bubblewrap, then a container engine, and never `user` or `none`.
        bubblewrap: The `bwrap` program.
        engines: Container engines, the preferred one first.

    Raises:
        IsolationRefusedError: The chosen isolation does not work here; the message has the reason.
    """
    if wanted == "none":
        return NoIsolation()
    if wanted == "user":
        why = probe_user()
        if why:
            raise IsolationRefusedError(why, where="--isolation user")
        return OtherUser()
    reasons: list[str] = []
    if wanted in ("auto", "bubblewrap"):
        working, why = working_bubblewrap(bubblewrap)
        if working:
            return working
        reasons.append(why)
    if wanted in ("auto", "container"):
        for engine in engines:
            why = probe_engine(engine)
            if not why:
                return Container(engine=engine)
            reasons.append(why)
    message = "no sandbox works on this machine: " + "; ".join(reasons)
    raise IsolationRefusedError(message, where=f"--isolation {wanted}")
