"""Where the files that travel with the grader are: beside the package in a checkout, inside it in a wheel."""

from pathlib import Path

__all__ = ["share"]

_PACKAGE = Path(__file__).resolve().parent
_IN_CHECKOUT = {
    "rubrics": "rubrics",
    "reference": "reference",
    "templates": "templates",
    "examples": "examples/submissions",
    "ci": "examples/ci",
    "gradescope": "examples/gradescope",
    "prairielearn": "examples/prairielearn",
}


def share(name: str) -> Path:
    """Find a folder of shipped files.

    Args:
        name: `rubrics`, `reference`, `templates`, `examples`, `ci`, `gradescope` or `prairielearn`.

    Returns:
        The folder in the wheel where there is one, else the checkout's.
    """
    installed = _PACKAGE / "_share" / name
    return installed if installed.is_dir() else _PACKAGE.parent / _IN_CHECKOUT[name]
