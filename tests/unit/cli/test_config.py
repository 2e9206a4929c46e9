"""``lingctl config``: hosts.yaml judged and shown without a node."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.field import Ran, lingctl

GOOD = """\
name: demo
model: Ling-plus
mindie: "3.0.0"
nodes: [{address: 192.0.2.11}, {address: 192.0.2.12}]
"""


def config(folder: Path, text: str, *words: str) -> Ran:
    (folder / "hosts.yaml").write_text(text)
    return lingctl("config", *words, "--nodes", folder / "hosts.yaml")


def test_a_good_file_is_said_to_be_good_and_what_was_not_looked_at(tmp_path: Path) -> None:
    ran = config(tmp_path, GOOD, "check")
    assert ran.status == 0
    assert "Ling-plus with MindIE 3.0.0 on 2 nodes, 16 cards: no mistake found" in ran.text
    assert "lingctl check-network" in ran.text


def test_every_mistake_is_told_also_as_a_document(tmp_path: Path) -> None:
    text = GOOD + "serving: {port: 01025, prot: 1}\ntimeouts: {start: 2h}\n"
    ran = config(tmp_path, text, "check")
    assert ran.status == 2
    assert ran.text.count("error: ") == 3
    ran = config(tmp_path, text, "check", "--json")
    document, _ = json.JSONDecoder().raw_decode(ran.text, ran.text.index("{\n"))
    assert document["document"] == "error"
    assert [one["remedy"] for one in (document, *document["also"])] == [
        "write 1025",
        "did you mean 'port'?",
        "write 7200",
    ]
    assert document["also"][1]["evidence"] == "timeouts: {start: 2h}\n           ^"


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ("ssh: {key: /nowhere/key}\n", "ssh.key"),
        ("ssh: {known_hosts: /nowhere/hosts}\n", "ssh.known_hosts"),
        ("ssh: {config: /nowhere/config}\n", "ssh.config"),
        ("hub: {ca: /nowhere/ca.pem}\n", "hub.ca"),
        ("https: {cert: /nowhere/c.pem, key: /nowhere/k.pem, ca: /nowhere/a.pem}\n", "https"),
    ],
)
def test_a_file_that_is_not_here_is_told(tmp_path: Path, more: str, where: str) -> None:
    ran = config(tmp_path, GOOD + more, "check")
    assert ran.status == 2
    assert where in ran.text
    assert "/nowhere/" in ran.text


def test_what_the_engine_would_refuse_is_told(tmp_path: Path) -> None:
    vllm = GOOD.replace('mindie: "3.0.0"', "engine: vllm") + "serving: {max_input_tokens: 100}\n"
    ran = config(tmp_path, vllm, "check")
    assert ran.status == 2
    assert "no limit of its own for inputs" in ran.text


def test_values_are_shown_with_where_they_came_from(tmp_path: Path) -> None:
    ran = config(tmp_path, GOOD, "show", "--json")
    values = {one["name"]: one for one in json.loads(ran.text)["values"]}
    assert (values["model"]["value"], values["model"]["source"]) == ("Ling-plus", "hosts.yaml")
