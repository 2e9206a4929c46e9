"""Command lines of the documents, read by the real command line without running anything."""

from __future__ import annotations

import re
import shlex
import subprocess
from functools import cache

import typer
from typer.core import TyperGroup
from typer.main import get_command

from lingctl.cli.app import app, register_verbs
from tests.documents.blocks import CHECKOUT

# Typer brings the parser along in one version and depends on it in another.
_UsageError = typer.BadParameter.__mro__[1]
# What stands for a verb.
_ALONE = {"-h", "--help", "-V", "--version", "--install-completion", "--show-completion"}
_BETWEEN = frozenset({"|", "||", "&", "&&", ";", "(", ")", "|&"})


@cache
def _command_line() -> TyperGroup:
    if not app.registered_commands:
        register_verbs()
    root = get_command(app)
    assert isinstance(root, TyperGroup)
    return root


def simple_commands(line: str) -> list[list[str]]:
    """The simple commands of a line of shell, without comments and redirections."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="();<>|&")
    lexer.whitespace_split = True
    lexer.commenters = ""
    found: list[list[str]] = [[]]
    skip = False
    for word in lexer:
        if word.startswith("#"):
            break
        if word in _BETWEEN:
            found.append([])
        elif set(word) <= set("<>&"):
            skip = True
        elif skip:
            skip = False
        else:
            found[-1].append(word)
    return [words for words in found if words]


def refused(line: str) -> str:
    """What is wrong with a line of shell; empty where nothing is."""
    said = subprocess.run(["bash", "-n", "-c", line], capture_output=True, text=True, check=False)
    if said.returncode:
        return said.stderr.strip()
    return "; ".join(filter(None, (_refused(words) for words in simple_commands(line))))


def _refused(words: list[str]) -> str:
    while words and (words[0] == "do" or re.match(r"\w+=", words[0])):
        words = words[1:]
    if words[:1] == ["lingctl"]:
        return _not_taken(words[1:], whole=True)
    if words[:1] == ["make"]:
        rules = re.findall(r"^([\w-]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE)
        unknown = [word for word in words[1:] if "=" not in word and word not in rules]
        return f"no such rule of the Makefile: {', '.join(unknown)}" if unknown else ""
    return ""


def inline_refused(text: str) -> str:
    """What is wrong with a mention in prose, which may leave out what a command needs."""
    try:
        words = simple_commands(re.sub(r"[][]", "", text))[0]  # what may be left out
    except ValueError as error:
        return str(error)
    options = _not_taken(words[1:], whole=False)
    if options or any(re.fullmatch(r"[A-Z_]+|.*\.\.\.", word) for word in words):
        return options
    values = _not_taken(words[1:], whole=True)
    return "" if re.search(r": (Missing|no verb)", values) else values


def _not_taken(words: list[str], *, whole: bool) -> str:
    """Walk down to the verb, and have its own parser take the rest; ``whole``: with every value and need."""
    command: typer.core.TyperCommand | TyperGroup = _command_line()
    context = typer.Context(command, info_name="lingctl")
    path = ["lingctl"]
    while isinstance(command, TyperGroup) and words:
        if words[0].startswith("-"):
            break
        inner = command.commands.get(words[0])
        if inner is None and command.invoke_without_command:
            break
        if inner is None:
            placeholder = not whole and words[0].isupper()
            return "" if placeholder else f"{' '.join(path)}: no such verb: {words[0]}"
        path.append(words[0])
        command, words = inner, words[1:]
        context = typer.Context(command, info_name=path[-1], parent=context)
    if whole and isinstance(command, TyperGroup) and not command.invoke_without_command:
        return "" if words and set(words) <= _ALONE else f"{' '.join(path)}: no verb"
    try:
        if whole and not {"-h", "--help"} & set(words):
            command.make_context(path[-1], list(words), parent=context.parent)
        else:
            command.make_parser(context).parse_args(list(words))
    except _UsageError as error:
        return f"{' '.join(path)}: {error.format_message()}"
    return ""
