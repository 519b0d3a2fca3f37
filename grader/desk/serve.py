"""Serve the desk on this machine until it is stopped."""

import ipaddress
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from grader.schema.errors import UsageError

__all__ = ["bound", "serve"]

_BACKLOG = 128
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


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
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        msg = f"port {port} cannot be used: {error.strerror or error}"
        raise UsageError(msg, advice="leave `--port` out to use any free port") from error
    return listener


def serve(app: ASGIApp, listener: socket.socket, *, ready: Callable[[], None]) -> None:
    """Serve an application until a signal arrives.

    Args:
        app: The application.
        listener: Result of `bound`.
        ready: Called when requests are answered.
    """
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # the application reports its errors itself
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
    _Server(config, ready).run(sockets=[listener])


class _Server(uvicorn.Server):
    """A server that reports when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End cleanly at a signal, and do not raise it again as uvicorn does: the caller has work to finish."""
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and report it."""
        await super().startup(sockets)
        if self.started:
            self._ready()
