"""Settings for all tests: property tests, and how tests are divided among processes."""

import gc
import os
from collections import Counter

import psutil
import pytest
from hypothesis import HealthCheck, settings

# Property tests are not timed: they share the machine with trainings. Where a change is let in or not (`CI`), they try
# the same examples each time; everywhere else new ones.
settings.register_profile(
    "grader", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("grader")

_BYTES_EACH = 3 << 30
"""Memory for each process: it may run TensorFlow in sandboxes of its own."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:  # noqa: ARG001 — the hook's signature
    """Use two processes more than cores, since many tests only wait, as far as the memory reaches."""
    processes = len(os.sched_getaffinity(0)) + 2
    return max(1, min(processes, psutil.virtual_memory().available // _BYTES_EACH))


def pytest_collection_finish() -> None:
    """Keep the garbage collector, and forks, away from the objects of the collection."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Start what takes long first in parallel processes, so that they end together: early tests, then large groups."""
    if hasattr(config, "workerinput"):
        sizes = Counter(map(_unit, items))
        items.sort(key=lambda item: (item.get_closest_marker("early") is None, -sizes[_unit(item)]))


def _unit(item: pytest.Item) -> str:
    """Name what one process runs as a whole: a group or a single test."""
    marker = item.get_closest_marker("xdist_group")
    return item.nodeid if marker is None else str(marker.args[0] if marker.args else marker.kwargs["name"])


def pytest_itemcollected(item: pytest.Item) -> None:
    """Put tests that share an expensive fixture into one group, so that a single process makes the fixture."""
    group = None if item.get_closest_marker("xdist_group") else _group(item)
    if group:
        item.add_marker(pytest.mark.xdist_group(group))


def _group(item: pytest.Item) -> str | None:
    """Name the process-wide fixture that a test shares with others; None: the test can run anywhere."""
    if not isinstance(item, pytest.Function):
        return None
    values = item.callspec.params if hasattr(item, "callspec") else {}
    if "record" in item.fixturenames and "record" in values:
        return f"record of {values['record']}"
    if "browser" in item.fixturenames:
        return "browser"
    if "pool" in item.fixturenames or any(str(value).startswith("warm") for value in values.values()):
        return "warm processes"
    return item.location[0] if _has_module_fixture(item) else None


def _has_module_fixture(item: pytest.Function) -> bool:
    """Whether a test uses a fixture that its own module makes once."""
    known = item._fixtureinfo.name2fixturedefs
    return any(
        definition.scope == "module" and definition.func.__module__ == item.module.__name__
        for name in item.fixturenames
        for definition in known.get(name, ())
    )
