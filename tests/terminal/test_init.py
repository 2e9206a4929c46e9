"""``lingctl init`` on a terminal: each answer is judged at once; scripts are asked nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lingctl.inventory.load import load_cluster
from tests import forked
from tests.terminal.screen import CTRL_C, CTRL_D, Terminal, left_in_order, terminal


def init(folder: Path, *words: str):
    """The dialogue, in a folder, with a home that has no configuration of ssh."""
    return terminal(
        forked.LINGCTL, "init", *words, cwd=folder, environment={"HOME": str(folder), "SSH_AUTH_SOCK": ""}
    )


def answers(shown: Terminal, *pairs: tuple[str, str]) -> None:
    """Answer questions in their order."""
    for question, answer in pairs:
        shown.until(question)
        shown.press(f"{answer}\r")


def test_a_dialogue_writes_what_was_answered_and_what_config_check_passes(tmp_path: Path):
    (tmp_path / "key").write_text("")
    with init(tmp_path) as shown:
        answers(
            shown,
            (r"addresses of the machines \[192.0.2.11\]:\s*$", "gpu1=192.0.2.4, 192.0.2.5"),
            (r"login name there.*\[-\]:\s*$", "admin"),
            (r"key file here.*\[-\]:\s*$", "key"),
            (r"model \[Ling-lite\]:\s*$", "ling-plus"),
            (r"engine \[mindie:1.0.0\]:\s*$", "3.0.0"),
        )
        shown.until(r"write it \(y or n\) \[y\]:\s*$")
        assert shown.shows("model: Ling-plus") and shown.shows("- address: gpu1")
        assert not (tmp_path / "hosts.yaml").exists()
        shown.press("\r")
        assert shown.end() == 0
        left_in_order(shown)
    cluster = load_cluster(tmp_path / "hosts.yaml", {})
    assert (cluster.model, cluster.mindie, cluster.ssh.user) == ("Ling-plus", "3.0.0", "admin")
    assert [node.service_address for node in cluster.nodes] == ["192.0.2.4", "192.0.2.5"]
    checked = forked.run("config", "check", cwd=tmp_path, env={"HOME": str(tmp_path)}, timeout=120)
    assert checked.returncode == 0, checked.stderr


def test_a_wrong_answer_is_told_at_once_and_asked_again(tmp_path: Path):
    with init(tmp_path) as shown:
        shown.until(r"addresses of the machines \[192.0.2.11\]:\s*$")
        for answer, then in (
            ("192.0.2.300", "'192.0.2.300' is no IPv4 address"),
            ("gpu1", "fix: write both: gpu1=192.0.2.11"),
            ("", r"login name there.*:\s*$"),
            ("no name", "'no name' is no login name"),
            ("", r"key file here.*:\s*$"),
            ("/nowhere", "there is no key file /nowhere"),
            ("", r"model \[Ling-lite\]:\s*$"),
            ("Ling-lit", r"fix: did you mean Ling-lite\?"),
            ("", r"engine \[mindie:1.0.0\]:\s*$"),
            ("nonsense", "'nonsense' is no engine"),
        ):
            shown.press(f"{answer}\r")
            shown.until(then)
        shown.press(CTRL_C)
        assert shown.end() == 130
        left_in_order(shown)
    assert not list(tmp_path.glob("hosts*"))


@pytest.mark.parametrize(("keys", "status"), [(CTRL_C, 130), (CTRL_D, 1)])
def test_who_ends_it_at_the_last_question_has_written_nothing(tmp_path: Path, keys: str, status: int):
    with init(tmp_path, "--node", "192.0.2.1", "--user", "root", "--model", "Ling-lite") as shown:
        answers(shown, (r"key file.*:\s*$", ""), (r"engine .*:\s*$", ""))
        shown.until(r"write it .*:\s*$")
        shown.press(keys)
        assert shown.end() == status
    assert not list(tmp_path.glob("hosts*"))


def test_a_file_that_is_there_is_told_before_any_question(tmp_path: Path):
    (tmp_path / "hosts.yaml").write_text("mine")
    with init(tmp_path) as shown:
        assert shown.end() == 2
        assert shown.shows("hosts.yaml is already there")
    assert (tmp_path / "hosts.yaml").read_text() == "mine"


def test_a_script_is_asked_nothing_and_an_editor_finds_the_schema(tmp_path: Path):
    with init(tmp_path, "--yes", "-o", "site.yaml") as shown:
        assert shown.end() == 0
    first = (tmp_path / "site.yaml").read_text().splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    schema = json.loads((tmp_path / first.partition("=")[2]).read_text())
    assert schema["title"] == "hosts.yaml of lingctl" and "nodes" in schema["properties"]


def test_another_file_of_the_schemas_name_is_left(tmp_path: Path):
    (tmp_path / "hosts.schema.json").write_text("{}")
    done = forked.run("init", cwd=tmp_path, env={"HOME": str(tmp_path)}, timeout=120)
    assert (done.returncode, "was left" in done.stderr) == (0, True)
    assert (tmp_path / "hosts.schema.json").read_text() == "{}"


def test_what_the_engine_would_refuse_is_not_written_and_asked_again(tmp_path: Path):
    three = "192.0.2.1 192.0.2.2 192.0.2.3"
    with init(
        tmp_path, "--user", "root", "--key", "key", "--model", "Ling-plus", "--engine", "mindie"
    ) as shown:
        assert shown.end() == 2  # the key is not there
    (tmp_path / "key").write_text("")
    with init(
        tmp_path, "--user", "root", "--key", "key", "--model", "Ling-plus", "--engine", "mindie"
    ) as shown:
        shown.until(r"machines .*:\s*$")
        shown.press(f"{three}\r")
        shown.until("would refuse this configuration")
        shown.press("192.0.2.1 192.0.2.2\r")
        shown.until(r"write it .*:\s*$")
        shown.press("\r")
        assert shown.end() == 0
    assert len(load_cluster(tmp_path / "hosts.yaml", {}).nodes) == 2
