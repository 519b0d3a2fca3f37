"""Forms of code in cells, run in a real IPython shell with the replacements, and what each of them must do."""

import re
from pathlib import Path

from tests.inside.notebook.test_install import Form, Ran
from tests.inside.notebook.test_install import _run as _run_forms

__all__ = ["Form", "Ran", "has_its_effect", "run_forms", "runs"]


def run_forms(folder: Path, forms: tuple[Form, ...]) -> Ran:
    """Run each form as a cell of one shell.

    Args:
        folder: An empty folder.
        forms: The forms, in order.
    """
    return _run_forms(folder, "keras3", forms)


def runs(name: str, code: str, shows: str = "on", event: str | None = None) -> Form:
    """Return a cell that ends well."""
    return Form(name, code, event, shows)


def has_its_effect(ran: Ran, form: Form) -> None:
    """Assert that a form has its expected output, error and note.

    Args:
        ran: The result of all forms.
        form: One of them.
    """
    result = ran.result(form.name)
    output = re.sub(r"\x1b\[[0-9;]*m", "", result["output"])
    name, message = result["error"] or (None, "")
    assert name == form.error, output
    assert form.says in message
    assert form.shows in output
    assert result["images"] == form.images
    noted = [event["form"] for event in ran.events("emulated", form.name)]
    assert form.event in noted if form.event else noted == []
