"""Help texts and usage errors of all commands: nothing is cut off, options are in groups, errors name the nearest name.

Typer's rich help cuts long words in narrow terminals, and its plain help has no groups. These classes keep the plain
form and write all texts in full.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from grader.facts.nearest import did_you_mean, near_path

__all__ = ["MACHINE", "RESULT", "RUNS", "CommandLine"]

_WIDEST = 120
"""Largest width of help texts, in columns."""
_TWO_COLUMNS = 78
"""Width from which texts are to the right of the options; in narrower terminals they are below."""
_TERM, _STACKED_TERM = 30, 4
"""Largest width of the first column, in both forms."""
_ARGUMENTS, _OPTIONS = "Arguments", "Options"
RESULT, RUNS, MACHINE = "Result", "Executions", "This machine, or several"
"""Groups of options."""
_CHOICE = re.compile(r"(?:Value error, )?(?P<choices>'(?P<name>.*)' is not one of .*?)\.?$", re.DOTALL)
_NO_PATH = re.compile(r"^\w+ '(?P<path>.*)' does not exist\.?$", re.DOTALL)
_VALUE_ERROR = "Value error, "
_HYPHEN, _KEPT_HYPHEN = "-", "\N{NON-BREAKING HYPHEN}"
"""The library breaks lines after hyphens, also in names such as `--with-pending`; not after the second one."""


class CommandLine(typer.Typer):
    """A group of commands with complete help texts."""

    def __init__(self, **settings: Any) -> None:
        """Make an empty group.

        Args:
            settings: Settings of `typer.Typer`.
        """
        context = {"help_option_names": ["-h", "--help"], "max_content_width": _WIDEST}
        super().__init__(
            cls=_Group,
            no_args_is_help=True,
            rich_markup_mode=None,
            add_completion=False,
            pretty_exceptions_enable=False,
            context_settings=context,
            **settings,
        )

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Any], Any]:
        """Add a command; see `typer.Typer.command`."""
        return super().command(name, cls=_Command, **settings)


class _ClearTexts:
    """Names the nearest valid name in errors about the words of a command line, and keeps names whole in help texts."""

    def get_help(self, ctx: Any) -> str:
        base: Any = super()
        return str(base.get_help(ctx)).replace(_KEPT_HYPHEN, _HYPHEN)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        base: Any = super()
        try:
            parsed: list[str] = base.parse_args(ctx, args)
        except typer.Exit:
            raise
        except Exception as error:
            _clarify(error, ctx.command.get_params(ctx))
            raise
        return parsed


class _Command(_ClearTexts, TyperCommand):
    """A command that writes complete help texts."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _write_parameters(self, ctx, formatter)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return _usage(self, ctx)


class _Group(_ClearTexts, TyperGroup):
    """A group that writes complete help texts."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _write_parameters(self, ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, _first_sentence(command)) for name, command in commands if command and not command.hidden]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _first_sentence(command: Any) -> str:
    """Return the first paragraph of a command's help."""
    return " ".join((command.help or "").partition("\n\n")[0].split())


def _usage(command: Any, ctx: Any) -> list[str]:
    """List the words of the usage line, without the braces that Typer puts around arguments."""
    arguments = [p for p in command.get_params(ctx) if p.param_type_name == "argument"]
    names = (_argument(parameter) for parameter in arguments)
    required = [name if p.required else f"[{name}]" for name, p in zip(names, arguments, strict=True)]
    return [command.options_metavar, *required]


def _write_parameters(command: Any, ctx: Any, formatter: Any) -> None:
    """Write arguments, then options by group; options without a group come first."""
    order = (_ARGUMENTS, _OPTIONS, RESULT, RUNS, MACHINE)
    groups: dict[str, list[tuple[str, str]]] = {heading: [] for heading in order}
    for parameter in command.get_params(ctx):
        if parameter.hidden:
            continue
        is_argument = parameter.param_type_name == "argument"
        group = _ARGUMENTS if is_argument else parameter.rich_help_panel or _OPTIONS
        name = _argument(parameter) if is_argument else _option(parameter, ctx)
        groups.setdefault(group, []).append((name, _text(parameter, ctx)))
    for heading, rows in groups.items():
        if rows:
            with formatter.section(heading):
                formatter.write_dl(rows, col_max=_TERM if formatter.width >= _TWO_COLUMNS else _STACKED_TERM)


def _argument(parameter: Any) -> str:
    name = str(parameter.metavar or parameter.name.upper())
    return name if parameter.nargs == 1 or name.endswith("...") else f"{name}..."


def _option(parameter: Any, ctx: Any) -> str:
    forms = (sorted(options, key=len) for options in (parameter.opts, parameter.secondary_opts) if options)
    names = " / ".join(map(", ".join, forms))
    if parameter.is_flag or parameter.count:
        return names
    return f"{names} {parameter.metavar or parameter.display_type(ctx).strip('<>')}"


def _text(parameter: Any, ctx: Any) -> str:
    return "  ".join(filter(None, (parameter.help or "", *_additions(parameter, ctx)))).replace(_HYPHEN, _KEPT_HYPHEN)


def _additions(parameter: Any, ctx: Any) -> Iterator[str]:
    """Say whether a parameter is required, and what its default is."""
    if parameter.required:
        yield "[required]"
        return
    site = ctx.lookup_default(parameter.name, call=False)
    if site is not None:
        yield f"[default: {str(site).lower()}, by the site file]"
    elif isinstance(parameter.show_default, str):
        yield f"[default: {parameter.show_default}]"
    elif parameter.default is not None and parameter.show_default and not getattr(parameter, "is_flag", False):
        yield f"[default: {getattr(parameter.default, 'value', parameter.default)}]"


def _clarify(error: Exception, parameters: list[Any]) -> None:
    """Add the nearest valid name to a usage error."""
    options = [name for parameter in parameters for name in (*parameter.opts, *parameter.secondary_opts)]
    known: Any = error
    if hasattr(error, "possibilities"):
        known.possibilities = None
        known.message = f"No such option: {known.option_name}{did_you_mean(known.option_name, _long(options))}"
    elif isinstance(error, typer.BadParameter):
        error.message = _clear_value(error.message, error.param)


def _long(options: list[str]) -> Iterator[str]:
    return (name for name in options if name.startswith("--"))


def _clear_value(message: str, parameter: Any) -> str:
    """Add the nearest choice or path to the message about a wrong value."""
    if found := _CHOICE.match(message):
        choices = [str(getattr(choice, "value", choice)) for choice in parameter.type_descriptor.choices or ()]
        return f"{found['choices']}{did_you_mean(found['name'], choices)}"
    if found := _NO_PATH.match(message):
        return f"{message.rstrip('.')}{near_path(Path(found['path']))}"
    return message.removeprefix(_VALUE_ERROR)
