"""A desk that a real browser can open."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from time import sleep

import uvicorn
from starlette.types import ASGIApp

from grader.desk.guard import Door
from grader.desk.serve import bound

__all__ = ["served"]


@contextmanager
def served(make: Callable[[Door], ASGIApp], name: str = "Mara") -> Iterator[Door]:
    """Serve an application on a free port of the loopback.

    Args:
        make: Makes the application for a door.
        name: Name of the person who judges; empty to ask for it.
    """
    listener = bound(0)
    door = Door(listener.getsockname()[1], name=name)
    server = uvicorn.Server(uvicorn.Config(make(door), log_config=None, lifespan="off", ws="none"))
    thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            sleep(0.01)
        yield door
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
