"""Serve the application until a signal arrives; then finish what runs while questions are still answered."""

import asyncio
import errno
import ipaddress
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import ClassVar, Final

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from grader.schema.errors import UsageError
from grader.service.guard import Limits
from grader.web.server import Server, listening

__all__ = ["Life", "address_of", "is_loopback", "listen", "serve"]

_BACKLOG: Final = 512
_KEEP_ALIVE: Final = 20
"""Seconds until an idle connection is closed."""
_HEAD_SECONDS: Final = 20.0
"""Seconds in which the head of a request must be complete."""
_END_SECONDS: Final = 5
_LARGEST_HEAD: Final = 32 << 10


def is_loopback(host: str) -> bool:
    """Return whether an address is reachable only from this machine.

    Args:
        host: An IP address, or `localhost`.

    Raises:
        UsageError: It is neither.
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError as error:
        msg = f"{host!r} is not an IP address"
        raise UsageError(msg, where="--host", advice="give an address of this machine, such as 127.0.0.1") from error


def listen(host: str, port: int) -> socket.socket:
    """Reserve a port.

    Args:
        host: An IP address of this machine, or `localhost`.
        port: The port; 0 for any free one.

    Raises:
        UsageError: The address or the port cannot be used.
    """
    host = "127.0.0.1" if host == "localhost" else host
    try:
        return listening(host, port, _BACKLOG)
    except OSError as error:
        raise _unusable(host, port, error) from error


def _unusable(host: str, port: int, error: OSError) -> UsageError:
    reason = error.strerror or error
    if error.errno in {errno.EADDRINUSE, errno.EACCES}:
        msg = f"the address {host} with the port {port} cannot be used: {reason}"
        return UsageError(msg, where="--port", advice="use another port, or `--port 0` for any free one")
    msg = f"the address {host} cannot be used: {reason}"
    return UsageError(msg, where="--host", advice="give an IP address of this machine, such as 127.0.0.1")


def address_of(listener: socket.socket) -> str:
    """Return the address of a listener as a URL."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@dataclass(frozen=True, slots=True)
class Life:
    """Functions that the server calls from its beginning to its end."""

    ready: Callable[[], None]
    """Called when requests are answered."""
    on_signal: Callable[[int], None]
    """Called with the number of signals so far."""
    finished: Callable[[], bool]
    """Whether the server can end after a signal."""


def serve(app: ASGIApp, listener: socket.socket, limits: Limits, life: Life) -> None:
    """Serve an application until a signal arrives and its work is finished.

    Args:
        app: The application.
        listener: Result of `listen`.
        limits: The limits on connections.
        life: What to do at the beginning, at signals, and at the end.
    """
    for name in ("uvicorn.error", "python_multipart"):  # the application reports errors itself
        logging.getLogger(name).setLevel(logging.CRITICAL)
    config = uvicorn.Config(
        app,
        http=_protocol(limits),
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_END_SECONDS,
        h11_max_incomplete_event_size=_LARGEST_HEAD,
    )
    _Server(config, life).run(sockets=[listener])


class _Server(Server):
    """A server that goes on answering after the first signal until the work is finished."""

    def __init__(self, config: uvicorn.Config, life: Life) -> None:
        super().__init__(config, life.ready)
        self._life = life
        self._signals = 0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Tell the caller about a signal."""
        del sig, frame
        self._signals += 1
        self._life.on_signal(self._signals)

    async def on_tick(self, counter: int) -> bool:
        """End after a signal as soon as the work is finished; called several times per second."""
        if self._signals and self._life.finished():
            return True
        return await super().on_tick(counter)


class _Protocol(H11Protocol):
    """A connection, with a limit on their number and on the time for the head of a request."""

    most_connections: ClassVar[int]
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection, unless there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.most_connections:
            transport.abort()
            return
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Receive a part of a request."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_timer()
        elif self._head_timer is None:
            self._await_head()

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(_HEAD_SECONDS, self._give_up)

    def _give_up(self) -> None:
        self._head_timer = None
        if self.conn.their_state is h11.IDLE:
            self.transport.abort()

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


def _protocol(limits: Limits) -> type[H11Protocol]:
    return type("_LimitedProtocol", (_Protocol,), {"most_connections": limits.connections})
