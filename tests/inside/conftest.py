"""One real kernel per dialect runs the same notebook, and several test modules check its record."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support.recorded import (
    Record,
    environment,
    make_data,
    read_events,
    run_notebook,
    run_script,
    write_session,
)


@pytest.fixture(scope="session")
def small_mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def keras3(tmp_path_factory: pytest.TempPathFactory, small_mnist: Path) -> Record:
    return run_notebook(tmp_path_factory.mktemp("keras3"), small_mnist, "keras3")


@pytest.fixture(scope="session")
def keras2(tmp_path_factory: pytest.TempPathFactory, small_mnist: Path) -> Record:
    return run_notebook(tmp_path_factory.mktemp("keras2"), small_mnist, "keras2")


@pytest.fixture(scope="session", params=["keras3", "keras2"])
def record(request: pytest.FixtureRequest) -> Record:
    """The record of each dialect in turn."""
    found: Record = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def sandboxed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment of a process in a sandbox without a session."""
    return environment(tmp_path_factory.mktemp("home") / "session.json")


@pytest.fixture(scope="session")
def kernel_tools() -> SimpleNamespace:
    """Return the functions above, for tests that start their own processes."""
    return SimpleNamespace(
        write_session=write_session, environment=environment, read_events=read_events, run_script=run_script
    )
