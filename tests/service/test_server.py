"""The server limits connections, and closes those that send no request."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from starlette.responses import PlainTextResponse

from grader.schema.errors import UsageError
from grader.service import server as server_module
from grader.service.guard import Limits
from grader.service.server import Life, address_of, is_loopback, listen, serve
from tests.support.waiting import DEADLOCK_SECONDS, until


@contextmanager
def served(limits: Limits) -> Iterator[Callable[[], socket.socket]]:
    """Serve a small application; yield a function that connects to it."""
    ready = threading.Event()
    life = Life(ready.set, lambda _number: None, lambda: True)
    servers: list[server_module._Server] = []

    class Noted(server_module._Server):
        def __init__(self, *parts: object) -> None:
            super().__init__(*parts)  # type: ignore[arg-type]
            servers.append(self)

    with pytest.MonkeyPatch.context() as patch, listen("127.0.0.1", 0) as listener:
        patch.setattr(server_module, "_Server", Noted)
        app = PlainTextResponse("hello")
        thread = threading.Thread(target=serve, args=(app, listener, limits, life), daemon=True)
        thread.start()
        until(ready.is_set)
        try:
            yield lambda: socket.create_connection(listener.getsockname(), timeout=DEADLOCK_SECONDS)
        finally:
            servers[0].handle_exit(15, None)
            thread.join()


def is_closed(connection: socket.socket) -> bool:
    """Whether the server ends a connection without an answer."""
    try:
        return connection.recv(10) == b""
    except ConnectionResetError:
        return True


def test_a_request_is_answered_and_the_server_ends_after_a_signal() -> None:
    with served(Limits()) as connect, connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
        assert answer.endswith(b"hello")
        assert b"server:" not in answer.lower()


def test_a_connection_without_a_request_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_HEAD_SECONDS", 0.05)
    with served(Limits()) as connect, connect() as silent, connect() as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost:")
        for connection in (silent, slow):
            assert is_closed(connection)


def test_connections_beyond_the_limit_are_closed() -> None:
    with served(Limits(connections=2)) as connect, connect() as first, connect() as second, connect() as third:
        assert is_closed(third)
        for connection in (first, second):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")


def test_addresses() -> None:
    assert is_loopback("127.0.0.1")
    assert is_loopback("::1")
    assert is_loopback("localhost")
    assert not is_loopback("0.0.0.0")  # noqa: S104 - the address is only looked at
    with pytest.raises(UsageError, match="not an IP address"):
        is_loopback("example.org")
    with listen("localhost", 0) as listener:
        port = listener.getsockname()[1]
        assert address_of(listener) == f"http://127.0.0.1:{port}"
        with pytest.raises(UsageError, match=f"port {port} cannot be used"):
            listen("127.0.0.1", port)
    with pytest.raises(UsageError, match=r"address 203\.0\.113\.9 cannot") as error:
        listen("203.0.113.9", 0)
    assert error.value.where == "--host"
