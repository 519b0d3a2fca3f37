"""Fixtures of the execution tests: isolations, and short ways to run a script or a notebook in them."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest

from grader.execution.runner import ExecutionOutcome, ExecutionRequest, execute
from grader.execution.sandbox.bubblewrap import Bubblewrap, _probe_bubblewrap
from grader.execution.sandbox.choice import choose_isolation
from grader.execution.sandbox.confinement import Confinement
from grader.execution.sandbox.isolation import Isolation, ProcessLimits
from grader.execution.sandbox.layout import Layout, make_layout
from grader.execution.sandbox.processes import Finished, marked_processes, run_to_end
from grader.execution.sandbox.unprotected import NoIsolation
from grader.execution.sandbox.warm import HeldProcess, Program, WarmPool
from grader.execution.sandbox.watchdog import Budget
from grader.schema.errors import IsolationRefusedError
from grader.schema.rubric import RunSettings

_BUDGETS = {"time", "memory", "disk", "processes", "kept_models", "output", "allow_system_calls"}
"""Settings of the rubric that a test may give."""
PYTHON = ExecutionRequest(nbformat.v4.new_notebook(), Path("unused"), NoIsolation()).python


def sandbox() -> Isolation:
    """Return this machine's bubblewrap, or skip the test."""
    try:
        return choose_isolation("bubblewrap")
    except IsolationRefusedError as error:
        pytest.skip(str(error))


def isolation_named(name: str) -> Isolation:
    """Return an isolation by its name in the tests; skip the test if it does not work here."""
    if name == "none":
        return NoIsolation()
    found = sandbox()
    if not name.endswith("-userns") or os.geteuid() != 0:
        return found
    namespace = Bubblewrap(user="namespace")
    if _probe_bubblewrap(namespace):
        pytest.skip("user namespaces do not work here")
    if closed := [str(folder) for folder in (PYTHON, *PYTHON.parents, *Path(__file__).parents) if _is_closed(folder)]:
        pytest.skip(f"in a user namespace, root may not enter folders of others: {', '.join(closed)}")
    return namespace


def _is_closed(path: Path) -> bool:
    """Whether a path belongs to another user, who shares it with nobody."""
    found = path.stat()
    return found.st_uid != os.geteuid() and not found.st_mode & 0o001


WARM = [
    pytest.param("warm", marks=pytest.mark.tensorflow),
    pytest.param("warm-userns", marks=[pytest.mark.tensorflow, pytest.mark.slow]),
]
"""The same walls around a fork of a warm process; the second is what every user but root gets."""


@pytest.fixture(scope="session")
def pool() -> Iterator[WarmPool]:
    """Warm processes, started when the first test asks for a fork."""
    with WarmPool(most=4, start_seconds=240) as made:
        yield made


@pytest.fixture
def warm(request: pytest.FixtureRequest) -> WarmPool | None:
    """Return the warm processes if the test's isolation uses them, else None."""
    asked = getattr(request.node, "callspec", None)
    names = [str(value) for value in asked.params.values()] if asked else []
    return request.getfixturevalue("pool") if any(name.startswith("warm") for name in names) else None


@pytest.fixture(params=["bubblewrap", "bubblewrap-userns", "none", *WARM])
def isolation(request: pytest.FixtureRequest) -> Isolation:
    """Each isolation that works here; every user except root gets `bubblewrap-userns`."""
    return isolation_named(request.param)


@pytest.fixture(params=["bubblewrap", "bubblewrap-userns", *WARM])
def walls(request: pytest.FixtureRequest) -> Isolation:
    """Each isolation except `none`."""
    return isolation_named(request.param)


@pytest.fixture
def bubblewrap() -> Isolation:
    """Return this machine's bubblewrap, or skip the test."""
    return sandbox()


@dataclass(frozen=True)
class Ran:
    """A script that ran in a sandbox."""

    finished: Finished
    printed: str
    layout: Layout

    @property
    def facts(self) -> Any:
        """Return the JSON in the last printed line."""
        return json.loads(self.printed.strip().splitlines()[-1])


@pytest.fixture
def run_script(tmp_path: Path, warm: WarmPool | None) -> Callable[..., Ran]:
    """Run Python code in a sandbox without a kernel."""
    count = iter(range(1000))

    def run(
        isolation: Isolation,
        code: str,
        *,
        timeout: float = 120.0,
        limits: ProcessLimits | None = None,
        **budget: Any,
    ) -> Ran:
        own, bounds = isolation.for_run(), limits or ProcessLimits()
        layout = make_layout(tmp_path / f"scratch-{next(count)}", own)
        (layout.code / "script.py").write_text(code)
        for folder in (layout.code, layout.work, layout.out, layout.home, layout.tmp):
            own.own(folder)
        budgeted = {"memory_bytes": 1 << 30, "folders": layout.written, **budget}
        binds, cwd = layout.binds(PYTHON), layout.inner("work")

        def program(env: Mapping[str, str]) -> Program:
            return Program("script", (), PYTHON, "keras3", own, binds, env, cwd, bounds, layout.log)

        def starter(env: Mapping[str, str], _: Confinement) -> HeldProcess | None:
            return None if warm is None else warm.start(program(env))

        if warm is not None:
            # The first test that needs the warm process would else count its start.
            warm.ready(program(layout.environment(PYTHON, {})))

        finished = run_to_end(
            [str(PYTHON), "-c", code],
            isolation=own,
            binds=binds,
            starter=starter,
            env=layout.environment(PYTHON, {}),
            cwd=cwd,
            limits=bounds,
            budget=Budget(**budgeted),
            timeout=timeout,
            log=layout.log,
        )
        return Ran(finished, layout.log.read_text(errors="replace"), layout)

    return run


@pytest.fixture
def run_cells(tmp_path: Path, warm: WarmPool | None) -> Callable[..., ExecutionOutcome]:
    """Run cells in a plain ipykernel, without the recorder and without TensorFlow."""
    count = iter(range(1000))

    def run(isolation: Isolation, *sources: str | dict[str, Any], **settings: Any) -> ExecutionOutcome:
        cells = []
        for source in sources:
            code, metadata = (source, {}) if isinstance(source, str) else (source["source"], source["metadata"])
            cells.append(nbformat.v4.new_code_cell(code, metadata=metadata))
        own = {name: settings.pop(name) for name in _BUDGETS if name in settings}
        request = ExecutionRequest(
            notebook=nbformat.v4.new_notebook(cells=cells),
            scratch=tmp_path / f"execution-{next(count)}",
            isolation=isolation,
            settings=RunSettings(**{"time": 300, "memory": 1 << 30, **own}),
            **{
                "kernel_module": "ipykernel_launcher",
                "finish_code": None,
                "grace_seconds": 20.0,
                "warm": warm,
                **settings,
            },
        )
        outcome = execute(request)
        assert outcome.warm == (request.warm is not None), outcome.notices
        return outcome

    return run


@pytest.fixture
def marks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Collect the marks of all sandboxes of a test, and check at its end that none of their processes is left."""
    made: list[str] = []
    real = os.urandom

    def noted(size: int) -> bytes:
        value = real(size)
        made.append(value.hex())
        return value

    monkeypatch.setattr("os.urandom", noted)
    yield made
    monkeypatch.undo()
    assert made
    assert [process.pid for mark in made for process in marked_processes(mark)] == []
