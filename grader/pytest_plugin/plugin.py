"""The module that pytest loads at its start: options, and nothing else unless a rubric is given.

It imports only pytest and the standard library, because pytest loads it in every project of this Python.
"""

import argparse

import pytest

__all__ = ["pytest_addoption", "pytest_configure"]

_INI = "grader_rubric"
_LARGEST_SEED = 2**32 - 1


def pytest_addoption(parser: pytest.Parser) -> None:
    """Define the options."""
    group = parser.getgroup("grader", "grading of notebooks")
    group.addoption(
        "--rubric",
        metavar="ID|FILE",
        help="Grade the notebooks (.ipynb): a shipped rubric's id, or a YAML file. Each criterion is a test.",
    )
    group.addoption(
        "--grader-isolation",
        choices=("auto", "bubblewrap", "container", "none"),
        default="auto",
        help="Sandbox of the notebooks; `none` only for your own notebook. Default: the first one that works here.",
    )
    group.addoption(
        "--grader-device",
        choices=("auto", "cpu", "gpu"),
        default="auto",
        help="Device for trainings. Default: a GPU if there is one.",
    )
    group.addoption(
        "--grader-seed", metavar="N", type=_seed, help="Seed of the random numbers. Default: the rubric's seed."
    )
    group.addoption(
        "--grader-quick",
        action="store_true",
        help="A first answer within a minute: cut trainings short, and do not judge accuracies.",
    )
    parser.addini(_INI, "A shipped rubric's id, or a YAML file relative to this file; --rubric overrides it.")


def _seed(text: str) -> int:
    """Read `--grader-seed`."""
    if text.isdecimal() and int(text) <= _LARGEST_SEED:
        return int(text)
    msg = f"{text!r} is not an integer from 0 to {_LARGEST_SEED}"
    raise argparse.ArgumentTypeError(msg)


@pytest.hookimpl(trylast=True)  # after a conftest may have set `CHECK`
def pytest_configure(config: pytest.Config) -> None:
    """Register the part that grades, if a rubric is given.

    Raises:
        pytest.UsageError: The rubric does not exist or is wrong.
    """
    rubric = config.getoption("--rubric") or _from_ini(config)
    if rubric:
        from grader.pytest_plugin.session import start  # noqa: PLC0415 - slow, and only now needed

        start(config, rubric)


def _from_ini(config: pytest.Config) -> str:
    """Return the rubric of the configuration file; a file is relative to the configuration file."""
    value = str(config.getini(_INI))
    if value and config.inipath is not None:
        path = config.inipath.parent / value
        return str(path) if path.is_file() else value
    return value
