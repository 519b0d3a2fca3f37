"""Set up the template engine: everything is escaped, and a page allows only its own style and script, by hash."""

import base64
import hashlib
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from grader.facts.language import Language
from grader.report import text
from grader.schema.errors import StorageError
from grader.schema.message import Message, MessageLike

__all__ = ["Asset", "asset", "environment", "policy"]


class Asset:
    """A style sheet or script of this project, to be inserted into the page.

    Attributes:
        body: Its text as markup.
        digest: Its hash in a content security policy, `sha256-…`.
    """

    __slots__ = ("body", "digest")

    def __init__(self, source: str) -> None:
        if "</" in source:
            msg = "a style sheet or script of a page cannot contain `</`"
            raise ValueError(msg)
        self.body = Markup(source)  # noqa: S704  a file of this project, not of a student
        self.digest = f"sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode('ascii')}"


@lru_cache(maxsize=8)
def asset(templates: Path, name: str) -> Asset:
    """Read a style sheet or script from the templates folder.

    Raises:
        StorageError: The file cannot be read.
    """
    try:
        return Asset((templates / name).read_text(encoding="utf-8"))
    except OSError as error:
        message = f"cannot read the report's {name}: {error.strerror}"
        raise StorageError(message, where=str(templates), advice="install the grader again") from error


def policy(style: Asset, script: Asset | None = None) -> str:
    """Return the page's content security policy.

    The page loads nothing and contains its pictures. Only the given style sheet applies, without `style` attributes,
    and only the given script runs.

    Args:
        style: The page's style sheet.
        script: The page's script; None allows no script.
    """
    scripts = f"script-src '{script.digest}'" if script else "script-src 'none'"
    return (
        f"default-src 'none'; img-src data:; style-src '{style.digest}'; style-src-attr 'none'; {scripts}; "
        "base-uri 'none'; form-action 'none'"
    )


def _shown(value: Any, language: Language) -> Any:
    """Render a message, and clean every plain string; the project's own markup is not changed."""
    if isinstance(value, Message):
        value = language.text(value)
    return text.unbroken(text.clean(value)) if type(value) is str else value


@lru_cache(maxsize=4)
def environment(templates: Path, language: Language = text.ENGLISH) -> Environment:
    """Create the template engine for a folder.

    Args:
        templates: Folder of `report.html.j2`, `class.html.j2`, `macros.html.j2` and the style sheet.
        language: The language of messages and figures.

    Returns:
        An engine that escapes everything, cleans every string, and raises an error for an undefined name.
    """
    engine = Environment(
        loader=FileSystemLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=partial(_shown, language=language),
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    figures = (text.count, text.duration, text.percent, text.points, text.shape)
    engine.filters |= {format_.__name__: partial(format_, language=language) for format_ in figures}
    engine.filters |= {
        "bdi": partial(_bdi, language=language),
        "prose": partial(_prose, language=language),
        "unbroken": partial(_unbroken, language=language),
    }
    return engine


def _bdi(value: Any, limit: int = 200, *, language: Language) -> Markup:
    return text.bdi(language.text(value) if isinstance(value, Message) else value, limit)


def _prose(message: MessageLike, *, language: Language) -> Markup:
    return text.prose(text.rendered(message, language))


def _unbroken(message: MessageLike, *, language: Language) -> str:
    return text.unbroken(text.rendered(message, language))
