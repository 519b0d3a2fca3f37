"""The template engine: everything is escaped, and a page's policy allows only its own style and script, by hash."""

import base64
import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from grader.report import text
from grader.schema.errors import StorageError

__all__ = ["Asset", "asset", "environment", "policy"]


class Asset:
    """A style sheet or script of the project's own, ready to stand in the page.

    Attributes:
        body: Its text as markup.
        digest: `sha256-…`, as a content security policy names it.
    """

    __slots__ = ("body", "digest")

    def __init__(self, source: str) -> None:
        if "</" in source:
            msg = "a style sheet or script that stands in the page cannot contain `</`"
            raise ValueError(msg)
        self.body = Markup(source)  # noqa: S704  a file of the project's own, not of a student
        self.digest = f"sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode('ascii')}"


@lru_cache(maxsize=8)
def asset(templates: Path, name: str) -> Asset:
    """Read a style sheet or script from the templates folder.

    Raises:
        StorageError: It cannot be read.
    """
    try:
        return Asset((templates / name).read_text(encoding="utf-8"))
    except OSError as error:
        message = f"the report's {name} cannot be read: {error.strerror}"
        raise StorageError(message, where=str(templates), advice="install the grader again") from error


def policy(style: Asset, script: Asset | None = None) -> str:
    """Write the page's content security policy.

    Nothing is loaded from anywhere; pictures stand in the page; only the given style sheet applies, not even a `style`
    attribute does; no script runs but the given one.

    Args:
        style: The page's style sheet.
        script: The page's script; None for none at all.
    """
    scripts = f"script-src '{script.digest}'" if script else "script-src 'none'"
    return (
        f"default-src 'none'; img-src data:; style-src '{style.digest}'; style-src-attr 'none'; {scripts}; "
        "base-uri 'none'; form-action 'none'"
    )


def _finalize(value: Any) -> Any:
    """Clean every plain text on its way into a page; markup of our own stays."""
    return text.clean(value) if type(value) is str else value


@lru_cache(maxsize=4)
def environment(templates: Path) -> Environment:
    """Make the template engine for one folder.

    Args:
        templates: Folder of `report.html.j2`, `class.html.j2`, `macros.html.j2` and the style sheet.

    Returns:
        An engine that escapes everything, cleans every text, and calls a missing name an error.
    """
    made = Environment(
        loader=FileSystemLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "bdi": text.bdi,
        "count": text.count,
        "duration": text.duration,
        "percent": text.percent,
        "points": text.points,
        "prose": text.prose,
        "shape": text.shape,
    }
    return made
