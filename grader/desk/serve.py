"""Serve the desk on this machine until it is stopped."""

import ipaddress
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from grader.schema.errors import UsageError
from grader.web.server import Server, listening

__all__ = ["bound", "serve"]

_BACKLOG = 128


def bound(port: int, host: str = "127.0.0.1") -> socket.socket:
    """Reserve a port of this machine's loopback.

    Args:
        port: The port; 0 for any free one.
        host: An address of the loopback.

    Raises:
        UsageError: The port is not free, or the address is reachable from other machines.
    """
    if not ipaddress.ip_address(host).is_loopback:
        msg = f"{host} is reachable from other machines"
        raise UsageError(msg, advice="docs/desk.md describes the use through a proxy")
    try:
        return listening(host, port, _BACKLOG)
    except OSError as error:
        msg = f"port {port} cannot be used: {error.strerror or error}"
        raise UsageError(msg, advice="leave `--port` out to use any free port") from error


def serve(app: ASGIApp, listener: socket.socket, *, ready: Callable[[], None]) -> None:
    """Serve an application until a signal arrives.

    Args:
        app: The application.
        listener: Result of `bound`.
        ready: Called when requests are answered.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=5,
    )
    Server(config, ready).run(sockets=[listener])
