"""``lingctl help`` and ``lingctl version``."""

from __future__ import annotations

from typing import Annotated

import typer
from typer.core import TyperGroup

from lingctl import __version__
from lingctl.cli.common import JsonOption


def help(
    context: typer.Context,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[VERB [SUBVERB]]", help="What to tell about; all without.")
    ] = None,
) -> None:
    """Tell what a verb does, its options and examples; the same as VERB --help."""
    from lingctl.errors import UsageError
    from lingctl.nearest import did_you_mean
    from lingctl.output.screen.terminal import answer_file

    shown = context.find_root()
    for word in words or ():
        command = shown.command
        verbs = command.commands if isinstance(command, TyperGroup) else {}
        if word not in verbs:
            raise UsageError(
                f"{shown.command_path} has no verb {word!r}",
                remedy=did_you_mean(word, verbs) or "lingctl help lists them all",
            )
        shown = type(shown)(verbs[word], info_name=word, parent=shown)
    answer_file(shown.get_help() + "\n")


def version(as_json: JsonOption = False) -> None:
    """Print the version; with --json also that of the Python that runs it."""
    import platform

    from lingctl.output.documents import print_json
    from lingctl.output.screen.terminal import answer

    if as_json:
        print_json("version", {"lingctl": __version__, "python": platform.python_version()})
        return
    answer(f"lingctl {__version__}")
