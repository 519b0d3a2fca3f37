"""Serve an application on this machine while a test runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

import uvicorn
from starlette.types import ASGIApp

from grader.desk.serve import bound
from tests.support.waiting import until

__all__ = ["serving"]


@contextmanager
def serving(make: Callable[[int], ASGIApp]) -> Iterator[int]:
    """Serve the application that a function makes for a port.

    Args:
        make: The function.

    Yields:
        The port.
    """
    with bound(0) as listener:
        port = listener.getsockname()[1]
        config = uvicorn.Config(make(port), log_config=None, lifespan="off", ws="none")
        server = uvicorn.Server(config)
        thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        until(lambda: server.started)
        try:
            yield port
        finally:
            server.should_exit = True
            thread.join()
