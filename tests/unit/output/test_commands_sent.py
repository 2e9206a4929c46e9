"""--verbose: every command in one line, without secrets, wherever the option stands."""

from __future__ import annotations

import pytest

from lingctl.cli.app import _verbose_first
from lingctl.events import Event
from lingctl.output.commands_sent import show_what_is_sent, shown_command
from lingctl.output.progress import progress
from lingctl.remote.command import Command, command, script
from lingctl.remote.local import LocalConnection
from lingctl.remote.wire import sent


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (command("docker", "rm", "a b"), "docker rm 'a b'"),
        (
            script("echo one\necho two\n", "/root/模型", title="look"),
            "sh -c (look: 18 bytes) lingctl '/root/模型'",
        ),
        (script("echo " + "x" * 300), "sh -c (a program: 305 bytes) lingctl"),
        (Command("it's not whole", "read it"), """'it'"'"'s not whole'"""),
    ],
)  # fmt: skip
def test_a_command_is_one_line_with_size_and_name_of_a_long_program(given: Command, said: str):
    assert shown_command(given) == said


@pytest.mark.parametrize(
    "given",
    [
        command("curl", "-u", "admin:hunter2", "https://example.com"),
        command("tool", "--password", "hunter2"),
        command("env", "HF_TOKEN=hunter2", "fetch"),
        command("git", "clone", "https://hunter2@example.com/x.git"),
        command("curl", "-H", "Authorization: Bearer hunter2hunter2"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(given: Command):
    assert "hunter2" not in shown_command(given)


@pytest.mark.parametrize("before", range(370, 400))
def test_a_secret_is_taken_out_wherever_a_long_command_is_cut(before: int):
    shown = shown_command(
        command("x" * 100, *(["y"] * ((before - 101) // 2)), "https://me:hunter2@example.com", "z" * 99)
    )
    assert "hunt" not in shown


def test_a_very_long_command_is_cut_and_its_size_told():
    shown = shown_command(command("tool", *("word" for _ in range(1_000))))
    assert len(shown) < 450 and shown.endswith("(5,004 bytes)")


def test_commands_are_said_on_standard_error_also_while_progress_is_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sent, "_listeners", [])
    show_what_is_sent()
    node = LocalConnection("node1")
    node.run(command("echo", "said by it"))
    with progress() as listener:
        listener(Event("look", "started", "node1"))
        node.run(command("true", "again"))
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[0] == "node1: echo 'said by it'"
    assert "node1: true again" in said.err.splitlines()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("status --json --verbose", "--verbose status --json"),
        ("--verbose status", "--verbose status"),
        ("ask -- --verbose", "ask -- --verbose"),
        ("status", "status"),
    ],
)
def test_the_option_is_heard_behind_the_verb_too(typed: str, meant: str):
    assert _verbose_first(typed.split()) == meant.split()
