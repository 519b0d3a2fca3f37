"""A desk that a real browser can open."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from starlette.types import ASGIApp

from grader.desk.guard import Door
from tests.support.serving import serving

__all__ = ["entered", "served"]


@contextmanager
def served(make: Callable[[Door], ASGIApp], name: str = "Mara") -> Iterator[Door]:
    """Serve an application on a free port of the loopback.

    Args:
        make: Makes the application for a door.
        name: Name of the person who judges; empty to ask for it.
    """
    doors: list[Door] = []

    def with_door(port: int) -> ASGIApp:
        doors.append(Door(port, name=name))
        return make(doors[0])

    with serving(with_door):
        yield doors[0]


def entered(browser: Any, address: str, width: int = 1280, **context: Any) -> Any:
    """Open a page, and enter the desk with the token in its address."""
    page = browser.new_page(viewport={"width": width, "height": 900}, **context)
    page.goto(address)
    page.wait_for_url("**/")
    return page
