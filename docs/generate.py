"""Writes what the code can tell into docs/reference: a schema, pages of commands, errors, rules, failures.

``make reference`` runs it; a test compares its output with the files, so that they cannot grow old.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

# As a script it is started from its own folder.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from docs.written.errors import error_reference
from docs.written.failures import EnginePart, catalogue_page
from docs.written.questions import questions_page
from docs.written.rules import rule_reference
from docs.written.tables import table
from lingctl.cli.app import EPILOG, app, register_verbs
from lingctl.cli.manual.examples import EXAMPLES
from lingctl.cli.manual.verb import records_of, usage_of
from lingctl.inventory.schema import SCHEMA_NAME, hosts_schema
from lingctl.mindie.logs.log_reader import MINDIE_LOGS
from lingctl.vllm.logs.log_reader import VLLM_LOGS

REFERENCE = Path(__file__).parent / "reference"


def documents() -> Mapping[str, str]:
    """Text of every generated file, by name."""
    return {
        SCHEMA_NAME: hosts_schema(),
        "commands.md": _commands(),
        "errors.md": error_reference(),
        "../hardware.md": questions_page(),
        "mindie-rules.md": rule_reference(),
        "failures.md": catalogue_page(
            [
                EnginePart("MindIE", MINDIE_LOGS.catalogue, MINDIE_LOGS.status_meanings),
                EnginePart("vLLM", VLLM_LOGS.catalogue, VLLM_LOGS.status_meanings),
            ]
        ),
    }


def _commands() -> str:
    if not app.registered_commands:
        register_verbs()
    root = get_command(app)
    assert isinstance(root, TyperGroup)
    parts = ["# Commands", "", "Generated from the program's own help.", "", EPILOG, ""]
    for name, command in root.commands.items():
        parts += _section(f"lingctl {name}", command)
    return "\n".join(parts).rstrip() + "\n"


def _section(path: str, command: object) -> list[str]:
    if isinstance(command, TyperGroup):
        parts = [f"## {path}", "", command.help or "", ""]
        if command.params:
            parts += _options(path, command)
        for name, inner in command.commands.items():
            parts += _section(f"{path} {name}", inner)
        return parts
    assert isinstance(command, TyperCommand)
    help_text = (command.help or "").replace("\b", "").strip()
    usage = usage_of(command, typer.Context(command, info_name=path))
    return [f"## {path}", "", f"`{path} {usage}`", "", help_text, "", *_options(path, command)]


def _options(path: str, command: TyperCommand | TyperGroup) -> list[str]:
    """What it takes, and examples."""
    context = typer.Context(command, info_name=path)
    records = [one for kind in ("argument", "option") for one in records_of(command, context, kind)]
    rows = [record for record in records if record[0] != "-h, --help"]
    options = table(("option", "meaning"), rows) if rows else []
    return [*options, "```console", *(f"$ {one}" for one in EXAMPLES[path.partition(" ")[2]]), "```", ""]


if __name__ == "__main__":
    for name, text in documents().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")
