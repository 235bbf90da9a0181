"""Commands as functions whose parameters say what they are; from them come the commands of click.

typer reads the same kind of declarations, but takes six times as long to start as this, because it builds a pydantic
validator for every option.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, get_args, get_origin

import click

Completion = Callable[[click.Context, str], Sequence[str | tuple[str, str]]]

HELP_NAMES = {"help_option_names": ["-h", "--help"]}


@dataclass(frozen=True)
class Parameter:
    """What is said about a parameter in its annotation."""

    help: str = ""
    metavar: str | None = None
    #: Least and largest number.
    min: float | None = None
    max: float | None = None
    #: Makes a value from text; raises :class:`click.BadParameter`.
    parser: Callable[[str], Any] | None = None
    #: Values that begin with what is typed so far, maybe each with a word about it.
    autocompletion: Completion | None = None


@dataclass(frozen=True)
class Argument(Parameter):
    """A parameter by its place. Without a default it has to be given; a list takes any number."""

    #: A list that takes everything from its first word on, also what looks like options.
    takes_the_rest: bool = False


@dataclass(frozen=True)
class _OptionFields(Parameter):
    names: tuple[str, ...] = ()
    count: bool = False
    hidden: bool = False
    #: Why the option, which jobflow-remote has, cannot be given here; it is not listed then.
    refused: str = ""
    #: The value when the option stands without one.
    bare: str | None = None


class Option(_OptionFields):
    """A parameter by its names; ``Option("--force", "-f", help=...)``. A list may be given several times."""

    def __init__(self, *names: str, **about: Any) -> None:
        super().__init__(names=names, **about)


def command_of(function: Callable[..., Any], name: str, *, hidden: bool = False) -> click.Command:
    """The command that `function` declares.

    A parameter that is annotated with a dataclass stands for all fields of the dataclass; one that is annotated with
    :class:`click.Context` is the context of the call.
    """
    parameters: list[click.Parameter] = []
    groups: dict[str, Any] = {}
    contexts: list[str] = []
    takes_the_rest = False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.annotation is click.Context:
            contexts.append(parameter.name)
        elif is_dataclass(parameter.annotation):
            groups[parameter.name] = parameter.annotation
            parameters += [
                _click_parameter(item.name, item.type, item.default) for item in fields(parameter.annotation)
            ]
        else:
            default = MISSING if parameter.default is inspect.Parameter.empty else parameter.default
            parameters.append(_click_parameter(parameter.name, parameter.annotation, default))
            takes_the_rest |= _takes_the_rest(parameter.annotation)

    def call(**values: Any) -> Any:
        for group_name, group in groups.items():
            values[group_name] = group(**{item.name: values.pop(item.name) for item in fields(group)})
        values.update(dict.fromkeys(contexts, click.get_current_context()))
        return function(**values)

    return _Command(
        name,
        params=parameters,
        callback=call,
        help=inspect.cleandoc(function.__doc__ or ""),
        hidden=hidden,
        context_settings={**HELP_NAMES, "allow_interspersed_args": not takes_the_rest},
    )


def _takes_the_rest(annotation: Any) -> bool:
    about = get_args(annotation)[1]
    return isinstance(about, Argument) and about.takes_the_rest


def _click_parameter(name: str, annotation: Any, default: Any) -> click.Parameter:
    if get_origin(annotation) is not Annotated:
        raise TypeError(f"{name} is {annotation!r}; annotate it with an Option or an Argument")
    kind, about = get_args(annotation)[:2]
    is_list, plain = _unwrapped(kind)
    settings: dict[str, Any] = {
        "type": _type(plain, about),
        "callback": lambda context, parameter, value: _as_declared(value, is_list=is_list),
        "shell_complete": _shell_complete(about.autocompletion),
        "metavar": about.metavar,
    }
    if isinstance(about, Option):
        return _click_option(name, about, plain, default, settings, is_list=is_list)
    required = default is MISSING
    settings["metavar"] = about.metavar if required else f"[{about.metavar}]"
    if not required:
        settings["default"] = default
    argument = click.Argument([name], required=required, nargs=-1 if is_list else 1, **settings)
    # click keeps no help of arguments; the section of _Command shows it.
    argument.help_text = about.help  # type: ignore[attr-defined]
    return argument


def _click_option(
    name: str, about: Option, plain: Any, default: Any, settings: dict[str, Any], *, is_list: bool
) -> click.Option:
    if plain is bool or about.count:
        # They have no values, so there is nothing to convert or to complete.
        for key in ("type", "metavar", "shell_complete"):
            del settings[key]
    if about.bare is not None:
        settings |= {"is_flag": False, "flag_value": about.bare}
    if about.refused:
        settings["callback"] = _refusing(about)
    if default is not MISSING:
        # Told that the default is None, click takes a required option for given.
        settings["default"] = default.value if isinstance(default, Enum) else default
    return click.Option(
        [*about.names, name],
        is_flag=settings.pop("is_flag", plain is bool),
        count=about.count,
        multiple=is_list,
        required=default is MISSING,
        show_default=default not in (MISSING, None, False, 0, "", Path()) and not is_list,
        help=about.help,
        hidden=about.hidden or bool(about.refused),
        **settings,
    )


def _refusing(about: Option) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Lets nothing but the default pass."""

    def check(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
        if value != parameter.get_default(context) and not context.resilient_parsing:
            raise click.UsageError(f"{about.names[0]} {about.refused}", context)
        return value

    return check


def _unwrapped(kind: Any) -> tuple[bool, Any]:
    """Whether an annotation is a list, and of what, without ``| None``."""
    if isinstance(kind, UnionType):
        (kind,) = (part for part in get_args(kind) if part is not NoneType)
    return (True, get_args(kind)[0]) if get_origin(kind) is list else (False, kind)


def _type(plain: Any, about: Parameter) -> click.ParamType[Any] | None:
    if about.parser is not None:
        return _Parsed(about.parser)
    if isinstance(plain, type) and issubclass(plain, Enum):
        return _OneOf(plain)
    if plain is Path:
        return click.Path(path_type=Path)
    if about.min is not None or about.max is not None:
        return (click.IntRange if plain is int else click.FloatRange)(about.min, about.max)  # type: ignore[arg-type]
    return {int: click.INT, float: click.FLOAT, str: click.STRING, bool: click.BOOL}[plain]  # type: ignore[return-value]


class _Command(click.Command):
    """A command whose help explains its arguments too, and that knows where the project is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the words of the user apart."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if error.option_name not in ("-p", "--project"):
                raise
            words = ctx.command_path.split()
            typed = f"{words[0]} -p NAME {' '.join(words[1:])}"
            raise click.UsageError(
                f"No such option {error.option_name!r}; the project is named before the command: {typed}", ctx
            ) from error

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Arguments, then options."""
        rows = [
            (str(parameter.metavar), str(getattr(parameter, "help_text", "")))
            for parameter in self.params
            if isinstance(parameter, click.Argument)
        ]
        if rows:
            with formatter.section("Arguments"):
                formatter.write_dl(rows)
        super().format_options(ctx, formatter)


class _Parsed(click.ParamType[Any]):
    """A value that a function makes from text."""

    name = "text"

    def __init__(self, parser: Callable[[str], Any]) -> None:
        self._parser = parser

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Make the value; defaults are values already."""
        return self._parser(value) if isinstance(value, str) and not isinstance(value, Enum) else value


class _OneOf(click.Choice[str]):
    """A member of an enumeration, by its value in any case."""

    def __init__(self, kind: type[Enum]) -> None:
        super().__init__([str(member.value) for member in kind], case_sensitive=False)
        self._kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The member."""
        return value if isinstance(value, self._kind) else self._kind(super().convert(value, param, ctx))


def _as_declared(value: Any, *, is_list: bool) -> Any:
    """Lists as lists, and None when none was given."""
    return (list(value) or None) if is_list else value


def _shell_complete(complete: Completion | None) -> Callable[..., list[Any]] | None:
    if complete is None:
        return None

    def items(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem  # only when a value is completed

        found = complete(context, incomplete)
        pairs = [(item, None) if isinstance(item, str) else item for item in found]
        return [CompletionItem(text, help=about) for text, about in pairs]

    return items
