"""What is wrong with a command line, told as every other error: what, where, and what to type instead."""

from __future__ import annotations

import errno
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lingctl.cli.manual.examples import EXAMPLES, examples_of
from lingctl.errors import UsageError
from lingctl.nearest import did_you_mean

if TYPE_CHECKING:
    from typer._click.core import Command, Context, Parameter
    from typer._click.exceptions import ClickException

# The root of what typer raises for a command line, wherever its versions keep it.
WRONG_LINE: type[ClickException] = next(
    base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException"
)
_NO_VERB = re.compile(r"No such command '(.*?)'\.", re.DOTALL)
_TOO_MUCH = re.compile(r"Got unexpected extra argument(?:s|\(s\))? \((.*)\)", re.DOTALL)
_NO_VALUE = re.compile(r"Option '?(\S+?)'? requires (?:an argument|[0-9]+ arguments)")
_WHOLE, _ANY = "a whole number", "a number"
# A name that no system takes, or a place that this user may not go to; a full disk is no word of a name.
_UNUSABLE = (
    *(errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENOTDIR, errno.EISDIR),
    errno.EROFS,
)
_KINDS = {"int": _WHOLE, "int range": _WHOLE, "float": _ANY, "float range": _ANY}


def usage_error(error: ClickException, words: Sequence[str]) -> UsageError:
    """The error of a command line that cannot be.

    Args:
        words: what was typed behind ``lingctl``.
    """
    context: Context | None = getattr(error, "ctx", None)
    path = context.command_path if context is not None else _path_of(words)
    what, remedy = _told(error, context, path, words)
    return UsageError(what, where=path, remedy=remedy)


def path_error(error: Exception, words: Sequence[str]) -> UsageError | None:
    """The error of a file or folder that was typed and cannot be used at all; None for all else.

    Args:
        words: what was typed behind ``lingctl``.
    """
    if not isinstance(error, OSError) or error.errno not in _UNUSABLE or not isinstance(error.filename, str):
        return None
    place = Path(error.filename).absolute()
    values = (part for word in words if word for part in (word, word.partition("=")[2]) if part)
    if not any(place.is_relative_to(Path(value).absolute()) for value in values):
        return None
    return UsageError(f"{error.strerror}: {error.filename}", code="path-unusable")


def _path_of(words: Sequence[str]) -> str:
    """The verb, and its subverb, that were typed, where typer does not say."""
    typed = [word for word in words if not word.startswith("-")]
    for count in (2, 1):
        path = " ".join(typed[:count])
        if path in EXAMPLES:
            return f"lingctl {path}"
    return "lingctl"


def _told(error: ClickException, context: Context | None, path: str, words: Sequence[str]) -> tuple[str, str]:
    """What is wrong, and what to do."""
    message, parameter = error.format_message(), getattr(error, "param", None)
    if context is not None and type(error).__name__ == "NoSuchOption":
        return _no_option(str(getattr(error, "option_name", "")), context, path, words)
    if context is not None and (found := _NO_VERB.match(message)):
        near = did_you_mean(found[1], getattr(context.command, "commands", {}))
        everything = f"all of them: lingctl help {path.partition(' ')[2]}".rstrip()
        return f"there is no verb {found[1]!r}", f"{near}\n{everything}".strip()
    if found := _TOO_MUCH.match(message):
        return f"it does not take {found[1]!r}", _for_example(path)
    if found := _NO_VALUE.match(message):
        return f"{found[1]} wants a value behind it", _for_example(path, found[1])
    if parameter is not None and context is not None:
        what = (
            _missing(parameter)
            if type(error).__name__ == "MissingParameter"
            else _bad_value(str(getattr(error, "message", message)), parameter, context, words)
        )
        return what, _for_example(path)
    return str(getattr(error, "message", message)), _for_example(path)


def _no_option(option: str, context: Context, path: str, words: Sequence[str]) -> tuple[str, str]:
    what = f"there is no option {option}"
    verb = next((word for word in words if not word.startswith("-")), "")
    commands = getattr(context.command, "commands", {})
    if verb in commands and option in _options(commands[verb], context):
        return f"{what} before the verb", f"write it behind the verb: lingctl {verb} {option}"
    return what, did_you_mean(option, _options(context.command, context)) or _see(path)


def _options(command: Command, context: Context) -> list[str]:
    return [
        name
        for one in command.get_params(context)
        for name in (*one.opts, *one.secondary_opts)
        if name.startswith("--")
    ]


def _named(parameter: Parameter) -> str:
    if parameter.param_type_name == "option":
        return max(parameter.opts, key=len)
    return parameter.metavar or (parameter.name or "").upper()


def _missing(parameter: Parameter) -> str:
    meaning = str(getattr(parameter, "help", "") or "").rstrip(".")
    if meaning[1:2].islower() or meaning[1:2] == " ":
        meaning = f"{meaning[:1].lower()}{meaning[1:]}"
    return f"{_named(parameter)} is missing" + (f": {meaning}" if meaning else "")


def _bad_value(message: str, parameter: Parameter, context: Context, words: Sequence[str]) -> str:
    record = parameter.get_help_record(context) or ("", "")
    kind = re.search(r"<(.*)>", record[0])
    given = _value_of(parameter, words)
    of = f"{_named(parameter)}: {given!r}" if given else _named(parameter)
    if kind is not None and "|" in kind[1]:
        return f"{of} is none of {', '.join(kind[1].split('|'))}"
    if kind is not None and kind[1] in _KINDS:
        from lingctl.cli.manual.verb import range_in

        bounds = range_in(record[1])
        return f"{of} is not {_KINDS[kind[1]]}" + (f" of {bounds}" if bounds else "")
    return f"{_named(parameter)}: {message}"


def _value_of(parameter: Parameter, words: Sequence[str]) -> str:
    """What was typed behind an option; empty where it does not stand there by itself."""
    for at, word in enumerate(words):
        name, mark, value = word.partition("=")
        if name in parameter.opts:
            return value if mark else words[at + 1] if at + 1 < len(words) else ""
    return ""


def _for_example(path: str, option: str = "") -> str:
    shown = examples_of(path.partition(" ")[2])
    fit = [one for one in shown if option and option in one] or list(shown)
    return f"for example: {fit[0]}\n{_see(path)}" if fit else _see(path)


def _see(path: str) -> str:
    inner = path.partition(" ")[2]
    return f"see what it takes: lingctl help {inner}" if inner else "see all verbs: lingctl help"
