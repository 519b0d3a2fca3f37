"""Cells that end or restart the kernel, in the real kernel: the later cells run, and the record goes on."""

import json
from collections.abc import Callable

import pytest

from grader.execution.runner import ExecutionOutcome
from grader.execution.sandbox.isolation import Isolation

pytestmark = pytest.mark.bubblewrap

CALLS = (
    "quit()",
    "exit(0)",
    "exit(keep_kernel=True)",
    "import sys; sys.exit()",
    "import os; os._exit(0)",
    "os.kill(os.getpid(), 9)",
    "import IPython; IPython.Application.instance().kernel.do_shutdown(True)",
    "get_ipython().kernel.do_shutdown(restart=True)",
    "get_ipython().ask_exit()",
    "!kill -9 $PPID",
    "await __import__('asyncio').sleep(0); quit()",
)


def test_the_cells_after_a_call_that_ends_the_kernel_run(
    bubblewrap: Isolation, run_cells: Callable[..., ExecutionOutcome]
) -> None:
    cells = [source for number, call in enumerate(CALLS) for source in (f"{call}\nlate = 1", f"print({number})")]
    cells += ["exit", "print('late' in dir())"]
    outcome = run_cells(bubblewrap, *cells, kernel_module="inside.kernel")
    assert (outcome.run.status, outcome.run.errors) == ("completed", ())
    printed = ["".join(o.get("text", "") for o in cell.outputs) for cell in outcome.notebook.cells]
    assert printed[1::2] == [*(f"{number}\n" for number in range(len(CALLS))), "False\n"]
    events = [json.loads(line) for line in (outcome.out / "events.jsonl").read_text().splitlines()]
    noted = [(event["cell"], event["form"]) for event in events if event["kind"] == "emulated"]
    assert [cell for cell, _ in noted] == list(range(1, len(cells), 2))
    assert {form for _, form in noted} == {"end.cell", "end.restart"}
    assert [event["ok"] for event in events if event["kind"] == "cell_end"] == [True] * len(cells)
