"""Set up the template engine: everything is escaped, and a page allows only its own style and script, by hash."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    DictLoader,
    Environment,
    FileSystemLoader,
    StrictUndefined,
    Template,
    pass_context,
)
from jinja2.runtime import Context
from markupsafe import Markup

from grader.facts.language import Language
from grader.report import text
from grader.schema.errors import StorageError
from grader.schema.message import Message, MessageLike

__all__ = ["Asset", "Templates", "asset", "environment", "page_of", "policy", "translate_templates"]


@dataclass(frozen=True, slots=True)
class Templates:
    """The shipped templates, and a course's own versions of some of them."""

    shipped: Path
    """Folder of the shipped templates."""
    own: tuple[tuple[str, str], ...] = ()
    """Names and texts of the course's templates; they replace the shipped ones."""

    @property
    def loader(self) -> BaseLoader:
        """Jinja's loader of these templates."""
        return ChoiceLoader([DictLoader(dict(self.own)), FileSystemLoader(self.shipped)])

    def text(self, name: str) -> str:
        """Read a file that is inserted into a page.

        Raises:
            OSError: It cannot be read.
        """
        own = dict(self.own).get(name)
        return (self.shipped / name).read_text(encoding="utf-8") if own is None else own


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
def asset(templates: Path | Templates, name: str) -> Asset:
    """Read a style sheet or script from the templates.

    Raises:
        StorageError: The file cannot be read.
    """
    known = Templates(templates) if isinstance(templates, Path) else templates
    try:
        return Asset(known.text(name))
    except OSError as error:
        message = f"cannot read the report's {name}: {error.strerror}"
        raise StorageError(message, where=str(known.shipped), advice="install the grader again") from error


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
    kind = type(value)
    if kind is Message:
        value = language.text(value)
    elif kind is not str:
        return value
    return text.unbroken(text.clean(value)) if type(value) is str else value


@lru_cache(maxsize=4)
def environment(templates: Path | Templates, language: Language = text.ENGLISH) -> Environment:
    """Create the template engine for a folder.

    Args:
        templates: The templates, or the folder of the templates and the style sheet.
        language: The language of the page: of its own words, of messages and of figures. Templates know it as `lang`.

    Returns:
        An engine that escapes everything, cleans every string, and raises an error for an undefined name.
    """
    engine = Environment(
        loader=(Templates(templates) if isinstance(templates, Path) else templates).loader,
        autoescape=True,
        undefined=StrictUndefined,
        finalize=partial(_shown, language=language),
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    translate_templates(engine, language)
    figures = (text.count, text.duration, text.percent, text.points, text.shape)
    engine.filters |= {format_.__name__: partial(format_, language=language) for format_ in figures}
    engine.filters |= {
        "bdi": partial(_bdi, language=language),
        "prose": partial(_prose, language=language),
        "unbroken": partial(_unbroken, language=language),
        "time": language.time,
    }
    return engine


def translate_templates(engine: Environment, language: Language) -> None:
    """Give templates the functions and blocks for translated texts: `_()`, `ngettext()` and `{% trans %}`.

    Named values are rendered and escaped like other expressions; integers get separated thousands.

    Args:
        engine: The template engine; it gets Jinja's extension `i18n`.
        language: The language.
    """
    engine.add_extension("jinja2.ext.i18n")
    engine.policies["ext.i18n.trimmed"] = True
    engine.install_gettext_translations(language.catalog, newstyle=True)  # type: ignore[attr-defined]  # of the extension
    for name in ("gettext", "ngettext", "pgettext", "npgettext"):
        function: Any = engine.globals[name]
        engine.globals[name] = _with_shown(function, language)
    engine.globals["_"] = engine.globals["gettext"]
    engine.globals["lang"] = language.tag
    engine.globals["zone"] = str(language.zone)


def page_of(template: Template, view: Mapping[str, Any]) -> str:
    """Render a template like `Template.render`, but let all that it shows go at the end.

    The macros of a template and its context refer to each other. Otherwise, the grade and the evidence of each page
    would stay in memory until the next collection of garbage, which would take an eighth of the time of a regrade.

    Args:
        template: The template.
        view: What it shows.
    """
    context = template.new_context(dict(view))
    try:
        return template.environment.concat(template.root_render_func(context))
    except Exception:  # noqa: BLE001 - Jinja raises it again, with the place in the template
        return template.environment.handle_exception()
    finally:
        context.parent.clear()
        context.vars.clear()


def _with_shown(function: Callable[..., str], language: Language) -> Callable[..., str]:
    """Render the named values of a translated text, which Jinja does not pass to `finalize`."""
    constant: dict[tuple[object, ...], str] = {}
    """The translations of texts without values: of the templates' own words, so there are not many."""

    @pass_context
    def translated(context: Context, *texts: Any, **values: Any) -> str:
        if not values and len(texts) == 1:
            key = (*texts, context.eval_ctx.autoescape)
            if key not in constant:
                constant[key] = function(context, *texts)
            return constant[key]
        if isinstance(texts[-1], int):  # the count of a plural form, which Jinja adds as `num`
            values.setdefault("num", texts[-1])
        return function(context, *texts, **{name: _written(value, language) for name, value in values.items()})

    return translated


def _written(value: Any, language: Language) -> Any:
    return language.whole(value) if type(value) is int else _shown(value, language)


def _bdi(value: Any, limit: int = 200, *, language: Language) -> Markup:
    return text.bdi(language.text(value) if isinstance(value, Message) else value, limit)


def _prose(message: MessageLike, *, language: Language) -> Markup:
    return text.prose(text.rendered(message, language))


def _unbroken(message: MessageLike, *, language: Language) -> str:
    return text.unbroken(text.rendered(message, language))
