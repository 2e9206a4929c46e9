"""A verb as its help shows it: what it takes in the words of people, and examples at the end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from typer.core import TyperCommand, TyperGroup

from lingctl.cli.manual.complete import asks_for_words, with_completion
from lingctl.cli.manual.examples import examples_of

if TYPE_CHECKING:
    from typer._click.core import Command, Context, Parameter
    from typer._click.formatting import HelpFormatter

    _Beside = Command
else:
    _Beside = object  # typer's verbs stand beside it; what they have in common has no public name there

# What stands behind an option, by its name; else by its type.
_BY_NAME = {
    "model": "MODEL",
    "name": "NAME",
    "output": "FILE",
    "to": "FILE",
    "folder": "FOLDER",
    "mindie": "VERSION",
    "python": "VERSION",
    "arch": "ARCH",
    "kind": "KIND",
    "source": "SOURCE",
    "endpoint": "URL",
    "proxy": "URL",
    "weights": "FOLDER",
    "tokenizer": "FOLDER",
    "saved": "FOLDER",
    "directory": "FOLDER",
    "patience": "SECONDS",
    "timeout": "SECONDS",
    "mesh_seconds": "SECONDS",
    "first_token_limit": "SECONDS",
    "goodput": "LIMIT",
    "max_shard_size": "SIZE",
    "hbm": "GIB",
    "reserve": "GIB",
    "ttft_limit": "MS",
    "tpot_limit": "MS",
}
_BY_TYPE = {
    "path": "FILE",
    "dir": "FOLDER",
    "file": "FILE",
    "str": "TEXT",
    "int": "N",
    "int range": "N",
    "float": "NUMBER",
    "float range": "NUMBER",
}
_TYPE = re.compile(r" ?<(?:list\[)?([^<>\]]*)\]?>")
_RANGE = re.compile(r"(?:(?<=; )|(?<=\[))(?:(-?[0-9.]+)<=)?x([<>])=(-?[0-9.]+)(?=[;\]])")


def usage_of(command: Command, context: Context) -> str:
    """How it is called, behind its name: ``[DST]`` may be left out, ``SRC`` may not."""
    pieces = [_argument(one) for one in command.get_params(context) if one.param_type_name == "argument"]
    return " ".join(["[OPTIONS]", *pieces, *(["COMMAND ..."] if isinstance(command, TyperGroup) else [])])


def _argument(parameter: Parameter) -> str:
    name = parameter.metavar or (parameter.name or "").upper()
    if parameter.nargs != 1 and not name.endswith("..."):
        name += "..."
    return name if parameter.required or name.startswith("[") else f"[{name}]"


def records_of(command: Command, context: Context, kind: str) -> list[tuple[str, str]]:
    """What the arguments, or the options, of a verb are, in two columns; ``kind`` is argument or option."""
    found = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context) if parameter.param_type_name == kind else None
        if record is not None:
            name, meaning = record
            if kind == "argument":
                found.append((_argument(parameter), _said(_choices(name) + meaning)))
            else:
                folder = meaning.startswith("Folder") and not parameter.metavar
                found.append((_typed(name, "folder" if folder else parameter.name or ""), _said(meaning)))
    return found


def _choices(shown: str) -> str:
    """The few words that an argument may be; empty where there are no such."""
    kind = _TYPE.search(shown)
    return f"{kind[1].replace('|', ', ')}. " if kind and "|" in kind[1] else ""


def _typed(shown: str, name: str) -> str:
    def in_words(found: re.Match[str]) -> str:
        if "|" in found[1]:
            return f" {found[1]}"
        return f" {_BY_NAME.get(name) or _BY_TYPE.get(found[1].lower(), found[1].upper())}"

    return _TYPE.sub(in_words, shown)


def range_in(meaning: str) -> str:
    """The range that a number may be of, in words; empty where none stands in the meaning of an option."""
    found = _RANGE.search(meaning)
    return _bounds(found) if found else ""


def _said(meaning: str) -> str:
    return _RANGE.sub(_bounds, meaning)


def _bounds(found: re.Match[str]) -> str:
    low, sign, bound = found.groups()
    if low and bound:
        return f"{low} to {bound}"
    return f"at least {bound}" if sign == ">" else f"at most {bound}"


def first_sentence(text: str) -> str:
    """The first sentence of a help text."""
    return f"{text.partition(chr(10))[0].partition('. ')[0].rstrip('.')}."


class _Manual(_Beside):
    """What every verb tells of itself."""

    def get_params(self, ctx: Context) -> list[Parameter]:
        """What it takes; while a shell asks, with what completes it."""
        found = super().get_params(ctx)
        return with_completion(found, ctx) if asks_for_words() else found

    def format_usage(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write how it is called."""
        formatter.write_usage(ctx.command_path, usage_of(self, ctx))

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write what it takes."""
        for kind, title in (("argument", "Arguments"), ("option", "Options")):
            records = records_of(self, ctx, kind)
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write what holds for all of it, and examples."""
        super().format_epilog(ctx, formatter)
        examples = examples_of(ctx.command_path.partition(" ")[2])
        if examples:
            with formatter.section("Examples"):
                for example in examples:
                    formatter.write(f"{'':{formatter.current_indent}}{example}\n")


class Verb(_Manual, TyperCommand):
    """A verb that does something itself."""


class VerbGroup(_Manual, TyperGroup):
    """A verb with verbs of its own."""

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write what it takes, and its verbs."""
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write its verbs, each with its whole first sentence."""
        rows = [
            (name, first_sentence(self.commands[name].short_help or self.commands[name].help or ""))
            for name in self.list_commands(ctx)
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
