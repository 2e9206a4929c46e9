"""Help: examples that are true, words of people, eighty columns; and usage errors as all other errors."""

from __future__ import annotations

import errno
import functools
import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from lingctl import __version__
from lingctl.cli.app import VERBS, app, register_verbs
from lingctl.cli.manual.examples import EXAMPLES
from lingctl.cli.manual.usage import path_error
from tests import forked

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("LINGCTL_")}


@functools.cache
def root() -> TyperGroup:
    """The command line with every verb."""
    if len(app.registered_commands) + len(app.registered_groups) < len(VERBS):
        register_verbs()
    command = get_command(app)
    assert isinstance(command, TyperGroup)
    return command


def every_verb(command: TyperGroup, path: str = "") -> Iterator[tuple[str, TyperCommand | TyperGroup]]:
    """Every verb and subverb that does something itself, by what is typed behind ``lingctl``."""
    for name, inner in command.commands.items():
        here = f"{path} {name}".strip()
        if not isinstance(inner, TyperGroup):
            assert isinstance(inner, TyperCommand)
            yield here, inner
            continue
        if inner.invoke_without_command:
            yield here, inner
        yield from every_verb(inner, here)


def lingctl(*words: str, cwd: Path, **environment: str) -> tuple[int, str, str]:
    """Exit status and both outputs."""
    done = forked.run(*words, cwd=cwd, env={**CLEAN, **environment}, timeout=120)
    return done.returncode, done.stdout, done.stderr


def parsed(line: str) -> tuple[str, typer.Context]:
    """The verb of a command line, and what it was told; raises what a person would see."""
    words = [
        word
        for word in shlex.split(line.partition(" < ")[0].partition(" > ")[0])
        if "LINGCTL_VLLM=" not in word
    ]
    assert words[0] == "lingctl"
    context, path = root().make_context("lingctl", words[1:]), []
    command: TyperCommand | TyperGroup = root()
    rest = words[1:]
    while isinstance(command, TyperGroup) and rest and rest[0] in command.commands:
        inner = command.commands[rest[0]]
        assert isinstance(inner, TyperCommand | TyperGroup)
        path.append(rest[0])
        command, rest = inner, rest[1:]
    return " ".join(path), command.make_context(" ".join(path), rest, parent=context)


def test_every_verb_and_subverb_has_two_examples_and_no_others_have() -> None:
    verbs = {path for path, _ in every_verb(root())}
    assert set(EXAMPLES) == verbs
    assert {path: len(set(shown)) for path, shown in EXAMPLES.items() if len(set(shown)) != 2} == {}


@pytest.mark.parametrize("path", EXAMPLES)
def test_the_examples_of_a_verb_are_read_by_the_command_line_itself(path: str) -> None:
    for example in EXAMPLES[path]:
        if example == "lingctl --version":
            continue
        read, _ = parsed(example)
        assert read == path
        assert len(example) <= 78


def test_an_example_with_an_option_that_is_none_would_be_found() -> None:
    with pytest.raises(typer.BadParameter.__mro__[1]):
        parsed("lingctl deploy --dry-runn")


@pytest.mark.parametrize("path", ["", *EXAMPLES])
def test_help_fits_eighty_columns_and_reads_as_people_speak(path: str) -> None:
    command: TyperCommand | TyperGroup = root()
    context = typer.Context(command, info_name="lingctl", terminal_width=80, max_content_width=80)
    for word in path.split():
        assert isinstance(command, TyperGroup)
        inner = command.commands[word]
        assert isinstance(inner, TyperCommand | TyperGroup)
        command = inner
        context = typer.Context(command, info_name=word, parent=context)
    text = context.get_help()
    assert max(map(len, text.splitlines())) <= 80
    assert not re.search(r"<(str|path|int|float|list|bool)|\{[A-Z]|\[\[|x>=|<=x", text), text
    assert all(example in text for example in EXAMPLES.get(path, ()))


@pytest.mark.parametrize(
    ("words", "what", "remedy"),
    [
        (["deploi"], "there is no verb 'deploi'", "did you mean deploy"),
        (["patch", "stats"], "there is no verb 'stats'", "did you mean status?"),
        (["deploy", "--nodez", "x"], "there is no option --nodez", "did you mean --nodes?"),
        (["convert"], "SRC is missing", "for example: lingctl convert /data/Ling-lite"),
        (["sandbox", "break", "node1"], "FAULT is missing", "lingctl sandbox break node1 link-down=3"),
        (
            ["bench", "--requests", "many"],
            "--requests: 'many' is not a whole number of at least 1",
            "lingctl help bench",
        ),
        (["bench", "--requests=0"], "--requests: '0' is not a whole number of at least 1", "for example"),
        (["bench", "--kind", "talk"], "--kind: 'talk' is none of auto, chat, base", "lingctl help bench"),
        (["bench", "--requests"], "--requests wants a value behind it", "--requests 200"),
        (["audit", "-n", "0"], "--lines: '0' is not a whole number of at least 1", "lingctl help audit"),
        (["releases", "old"], "it does not take 'old'", "lingctl releases"),
        (["--json", "deploy"], "there is no option --json before the verb", "lingctl deploy --json"),
        (["help", "deploi"], "has no verb 'deploi'", "did you mean deploy"),
    ],
)
def test_a_usage_error_says_what_and_what_to_type(
    tmp_path: Path, words: list[str], what: str, remedy: str
) -> None:
    status, out, err = lingctl(*words, cwd=tmp_path)
    assert status == 2
    assert err.startswith("error: lingctl") and what in err and remedy in err and "(usage)" in err
    assert "Usage:" not in err
    if "--json" not in words:
        assert not out


@pytest.mark.parametrize(
    "words", [["--json", "deploi"], ["deploi", "--json"], ["bench", "--json", "--requests", "x"]]
)
def test_a_usage_error_is_a_document_wherever_json_stands(tmp_path: Path, words: list[str]) -> None:
    status, out, _ = lingctl(*words, cwd=tmp_path)
    document = json.loads(out)
    assert (document["document"], document["code"], document["exit_status"], status) == (
        "error",
        "usage",
        2,
        2,
    )
    assert document["remedy"]


def test_help_of_a_verb_is_that_verbs_help(tmp_path: Path) -> None:
    for words in (["deploy"], ["patch", "diff"], []):
        status, out, err = lingctl("help", *words, cwd=tmp_path)
        assert (status, err) == (0, "")
        assert out == lingctl(*words, "--help", cwd=tmp_path)[1]


def test_the_version_is_said_in_three_ways(tmp_path: Path) -> None:
    said = {lingctl(*words, cwd=tmp_path)[1] for words in (["version"], ["--version"], ["-V"])}
    assert said == {f"lingctl {__version__}\n"}
    assert json.loads(lingctl("version", "--json", cwd=tmp_path)[1])["lingctl"] == __version__


LONG = "RuntimeError: NPU out of memory. " * 10


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["explain", LONG], "is neither a file nor a code that is known"),
        (["init", "--yes", "-o", LONG], "File name too long"),
        (["init", "--yes", "--key", LONG], "cannot be looked at: File name too long"),
        (["init", "--yes", "--key", "~nobody-of-that-name/id"], "there is no key file ~nobody-of-that-name"),
        (["check-network", f"--html={LONG}.html"], "File name too long"),
        (["bench", "--url", "http://127.0.0.1:9", "--results", LONG], "File name too long"),
        (["smoke-test", "--url", "https://127.0.0.1:9", "--ca", LONG], "File name too long"),
        (["accept", "lessons", LONG], "File name too long"),
        (["batch", LONG, "-o", "answers"], "File name too long"),
    ],
    ids=lambda part: " ".join(part)[:30] if isinstance(part, list) else "",
)
def test_a_path_that_cannot_be_is_no_defect_of_lingctl(tmp_path: Path, words: list[str], what: str) -> None:
    status, _, err = lingctl(*words, cwd=tmp_path)
    assert status == 2 and what in err and "(internal)" not in err


@pytest.mark.parametrize(
    ("error", "words", "unusable"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/closed/at/x"), ["--to", "/closed"], True),
        (PermissionError(errno.EACCES, "Permission denied", "/closed/x"), ["--to=/closed/x"], True),
        (PermissionError(errno.EACCES, "Permission denied", "/other"), ["--to", "/closed"], False),
        (OSError(errno.EIO, "Input/output error", "/closed"), ["--to", "/closed"], False),
        (PermissionError(errno.EACCES, "Permission denied"), ["--to", "/closed"], False),
        (ValueError("a defect"), ["--to", "/closed"], False),
    ],
)
def test_only_of_a_path_that_was_typed_it_is_said(error: Exception, words: list[str], unusable: bool) -> None:
    told = path_error(error, words)
    assert (told is not None and told.code == "path-unusable") is unusable


def test_a_home_that_is_nobodys_is_a_file_that_is_not_there(tmp_path: Path) -> None:
    hosts = "name: x\nmodel: Ling-lite\nnodes: [{address: 192.0.2.1}]\n"
    for more in (
        "ssh: {key: ~nobody-of-that-name/id}",
        "https: {cert: ~no-one/a, key: ~no-one/b, ca: ~no-one/c}",
    ):
        (tmp_path / "hosts.yaml").write_text(f"{hosts}{more}\n")
        status, _, err = lingctl("config", "check", cwd=tmp_path)
        assert status == 2 and "~no" in err and "(internal)" not in err
