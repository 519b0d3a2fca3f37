"""Find and read site files, and apply them to options of the command line."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from grader.grading.documents import document_error, document_problems, read_bytes, read_located
from grader.grading.yamlnodes import Problem
from grader.schema.errors import UsageError
from grader.schema.site import SiteSettings

if TYPE_CHECKING:
    from grader.datasets.store import DatasetStore

__all__ = ["Site", "load_site", "open_store", "option_defaults", "ray_address", "site_files"]

_APPLICATION = "cnn-grader"
_FILE = "config.yaml"
_VARIABLE = "GRADER_CONFIG"
_ADVICE = "`grader rubric schema --of site` prints what is allowed; docs/settings.md explains it"
_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "grade": ("jobs", "isolation", "device", "engine", "warm"),
    "check": ("isolation", "device"),
    "demo": ("jobs", "isolation", "warm"),
    "rubric draft": ("isolation", "device"),
    "serve": ("jobs", "isolation", "device", "warm"),
    "rubric test": ("isolation", "device"),
    "release": ("isolation", "device"),
}
"""Options that a site file sets, by command."""


@dataclass(frozen=True, slots=True)
class Site:
    """The settings of all site files together."""

    settings: SiteSettings
    files: tuple[Path, ...]
    """Files that were read; a later file overrides an earlier one, key by key."""
    data: Path | None = None
    """Resolved folder of the data sets; None if no file sets it."""


def site_files() -> tuple[Path, ...]:
    """List the paths of site files: the machine's, then the user's or that of `GRADER_CONFIG`."""
    named = os.environ.get(_VARIABLE)
    own = Path(named) if named else platformdirs.user_config_path(_APPLICATION) / _FILE
    return (platformdirs.site_config_path(_APPLICATION) / _FILE, own)


def load_site() -> Site:
    """Read the site files.

    Raises:
        UsageError: A file cannot be read or is wrong; each error has its line and the nearest key.
    """
    values: dict[str, Any] = {}
    files: list[Path] = []
    data: Path | None = None
    for path in site_files():
        if not _is_there(path):
            continue
        files.append(path)
        settings = _read(path)
        own = settings.model_dump(exclude_none=True)
        if "mail" in own:
            own["mail"] = values.get("mail", {}) | own["mail"]
        values |= own
        if settings.data is not None:
            data = (path.resolve().parent / Path(settings.data).expanduser()).resolve()
    return Site(SiteSettings.model_validate({"version": 1, **values}), tuple(files), data)


def _is_there(path: Path) -> bool:
    """Whether a site file exists; True for the file of `GRADER_CONFIG`, so that reading fails if it is missing."""
    if os.environ.get(_VARIABLE) == str(path):
        return True
    with suppress(OSError):  # an unreadable folder has no settings for this user
        return path.is_file()
    return False


def _read(path: Path) -> SiteSettings:
    content = read_bytes(path, noun="the site file", kind=UsageError, advice=_ADVICE)
    read = read_located(content, name=str(path), noun="site file", kind=UsageError)
    problems = list(read.problems)
    if isinstance(read.data, Mapping):
        problems += document_problems(read, SiteSettings)
    elif not problems:
        problems.append(
            Problem(read.value(()), "a site file must be a mapping of keys to values (`version: 1`, `jobs: 4`)")
        )
    if problems:
        wrong = document_error(problems, name=str(path), kind=UsageError)
        raise UsageError(wrong.message, where=wrong.where, advice=_ADVICE)
    return SiteSettings.model_validate(read.data)


def option_defaults(site: Site) -> dict[str, Any]:
    """Return the defaults of the commands' options, nested as click's `default_map`.

    Args:
        site: The settings.
    """
    values = site.settings.model_dump(exclude_none=True)
    defaults: dict[str, Any] = {}
    for command, names in _OPTIONS.items():
        place = defaults
        for word in command.split():
            place = place.setdefault(word, {})
        # `--jobs` is parsed from text.
        place |= {name: str(values[name]) if name == "jobs" else values[name] for name in names if name in values}
    return defaults


def ray_address() -> str | None:
    """Return the site's address of Ray's cluster; None if the environment has one."""
    return None if os.environ.get("RAY_ADDRESS") else load_site().settings.address


def open_store(*, may_download: bool = False) -> "DatasetStore":
    """Open the folder of the data sets: `GRADER_DATA`, else the site's folder, else the user's cache.

    Args:
        may_download: Whether `prepare` downloads data sets that are missing on this machine.

    Raises:
        UsageError: A site file is wrong.
    """
    from grader.datasets.store import DatasetStore

    root = None if os.environ.get("GRADER_DATA") else load_site().data
    return DatasetStore(root, may_download=may_download)
