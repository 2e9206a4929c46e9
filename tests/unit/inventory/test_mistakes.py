"""Mistakes of hosts.yaml as people make them: all at once, each with its line and a remedy that holds."""

from __future__ import annotations

import pytest

from lingctl.errors import ConfigurationError
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.load import cluster_from
from lingctl.inventory.yaml_text.odd_characters import odd_characters
from lingctl.inventory.yaml_text.source import YamlSource

HEAD = "name: demo\nmodel: Ling-plus\n"
NODES = "nodes:\n  - address: 192.0.2.11\n  - address: 192.0.2.12\n"
GOOD = HEAD + NODES


def read(text: str) -> Cluster:
    return cluster_from(YamlSource(text, "hosts.yaml"), {})


def mistakes(text: str) -> list[ConfigurationError]:
    with pytest.raises(ConfigurationError) as caught:
        read(text)
    return [caught.value, *(other for other in caught.value.also if isinstance(other, ConfigurationError))]


# What was written, what is said, what the remedy says, and the text with the remedy followed.
FOLLOWED = [
    ("container: {privileged: on}", "on means true", "write true", "container: {privileged: true}"),
    ("container: {privileged: 'no'}", "is true or false", "write false", "container: {privileged: false}"),
    ("serving: {port: 01025}", "the number 533", "write 1025", "serving: {port: 1025}"),
    ("serving: {port: 1025.0}", "the number 1025.0", "write 1025", "serving: {port: 1025}"),
    ("serving: {port: '1025'}", "text, and no number", "write 1025, without", "serving: {port: 1025}"),
    ("serving: {port: 80}", "from 1024 to 65535", "such as 1025", "serving: {port: 1025}"),
    (
        "serving: {npu_memory_fraction: 90%}",
        "a share of 1",
        "write 0.9",
        "serving: {npu_memory_fraction: 0.9}",
    ),
    (
        "serving: {npu_memory_fraction: '0.9'}",
        "no number",
        "write 0.9",
        "serving: {npu_memory_fraction: 0.9}",
    ),
    ("timeouts: {start: 2h}", "counted in seconds", "write 7200", "timeouts: {start: 7200}"),
    ("timeouts: {stop: 90 s}", "counted in seconds", "write 90", "timeouts: {stop: 90}"),
    ("mindie: 2.10", "the number 2.1", 'in quotes: "2.10"', 'mindie: "2.10"'),
    ("mindie: 1", "a number, and no version", 'in quotes: "1.0.0"', 'mindie: "1.0.0"'),
    ("timeouts: {start: 1h30m}", "counted in seconds", "write 5400", "timeouts: {start: 5400}"),
    ("timeouts: {start: 1:30:00}", "to the base 60", "write 5400", "timeouts: {start: 5400}"),
    ("timeouts: {start: -1}", "at least 1", "such as 7200", "timeouts: {start: 7200}"),
    ("container: {shm_size: 2}", "which are bytes", "write 2g", "container: {shm_size: 2g}"),
    ("paths: {models: ~/models}", "no absolute path", "from / on", "paths: {models: /models}"),
    (
        "paths: {models: '/data/my models'}",
        "has ' ' in it",
        "MindIE refuses",
        "paths: {models: /data/models}",
    ),
    ("paths: {models: /数据}", "has '据' '数' in it", "rename the folder", "paths: {models: /data}"),
    ("container: {runtime: nerdctl}", "'docker' or 'podman'", "one of these", "container: {runtime: podman}"),
    (
        "container: {extra_mounts: /data:/data}",
        "a list",
        "[/data:/data]",
        "container: {extra_mounts: ['/d:/d']}",
    ),
    ("https: true", "has keys of its own", "https: {cert: FILE", ""),
    ("ssh: ops", "has keys of its own", "write ssh: {KEY: VALUE}", "ssh: {user: ops}"),
    ("ssh:", "has no value", "write ssh: {KEY: VALUE}", ""),
    ("ssh: {password: x}", "unknown key", "passwords are not supported", ""),
    (
        "serving: {max_seq_len: 100, max_input_tokens: 8192}",
        "input and output together",
        "raise serving.max_seq_len to 8192",
        "serving: {max_seq_len: 8192, max_input_tokens: 8192}",
    ),
    (
        "serving: {max_seq_len: 100, max_output_tokens: 200}",
        "max_output_tokens 200 is more",
        "raise serving.max_seq_len to 200",
        "serving: {max_seq_len: 200, max_output_tokens: 200}",
    ),
    ("serving: {port: 1120}", "between the nodes", "another port", "serving: {port: 1121}"),
]


@pytest.mark.parametrize(
    ("written", "what", "remedy", "followed"), FOLLOWED, ids=[row[0] for row in FOLLOWED]
)
def test_a_mistake_is_told_and_its_remedy_is_taken(
    written: str, what: str, remedy: str, followed: str
) -> None:
    (only,) = mistakes(f"{GOOD}{written}\n")
    assert what in only.what
    assert remedy in only.remedy
    assert only.where.startswith("hosts.yaml:6:")
    if followed:
        assert read(f"{GOOD}{followed}\n")


@pytest.mark.parametrize(
    ("nodes", "what", "remedy", "followed"),
    [
        ("nodes: [192.0.2.11]\n", "has keys of its own", "- address: 192.0.2.11", "  - address: 192.0.2.11"),
        ("nodes:\n", "no machine is named", "- address: ADDRESS", "  - address: 192.0.2.11"),
        ("nodes: []\n", "no machine is named", "- address: ADDRESS", "  - address: 192.0.2.11"),
        (
            "nodes: 192.0.2.11\n",
            "a list of machines",
            "nodes: [{address: 192.0.2.11}]",
            "  - address: 192.0.2.11",
        ),
        ("nodes: [{address: root@192.0.2.11}]\n", "a login name in it", "ssh: {user: root}", ""),
        ("nodes: [{address: 192.0.2.11:22}]\n", "a port in it", "ssh: {port: 22}", ""),
        ("nodes: [{address: 192.0.2.11}, {address: 192.0.2.11}]\n", "nodes 1 and 2", "once", ""),
        (
            "nodes: [{address: 192.0.2.11}, {address: 192.0.2.12, devices: [0]}]\n",
            "same number",
            "8 devices",
            "",
        ),
    ],
)
def test_a_mistake_among_the_nodes_is_told_once(nodes: str, what: str, remedy: str, followed: str) -> None:
    (only,) = mistakes(HEAD + nodes)
    assert what in only.what
    assert remedy in only.remedy
    assert only.where.startswith("hosts.yaml:3:")
    if followed:
        assert read(f"{HEAD}nodes:\n{followed}\n")


def test_a_number_with_a_nought_at_its_end_is_simply_a_number() -> None:
    assert read(f"{GOOD}serving: {{npu_memory_fraction: 0.90}}\n").serving.npu_memory_fraction == 0.9


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    text = f"{GOOD}serving: {{port: x, prot: 3}}\nmindie: 2.10\ncontainer: {{privileged: yes}}\nname: again\n"
    found = mistakes(text.replace("model: Ling-plus", "modle: Ling-plus"))
    assert [one.where for one in found] == [
        "hosts.yaml:2:1",
        "hosts.yaml:6:11",
        "hosts.yaml:6:20",
        "hosts.yaml:7:1",
        "hosts.yaml:8:13",
        "hosts.yaml:9:1",
    ]
    assert not [one for one in found if "pydantic" in f"{one.what}{one.remedy}".lower()]
    assert "'model'" in found[0].remedy


def test_the_line_is_shown_with_a_caret_below_the_place() -> None:
    (only,) = mistakes(f"{GOOD}serving: {{served_name: ling, port: 80}}\n")
    assert only.evidence == "serving: {served_name: ling, port: 80}\n" + " " * 29 + "^"


def test_a_caret_stands_right_behind_wide_letters_and_on_long_lines() -> None:
    (wide,) = mistakes(f"{GOOD}hub: {{ca: /证书/一.pem, cb: 1}}\n")
    line, caret = wide.evidence.split("\n")
    assert line[: line.index("cb")].count("证") == 1
    assert len(caret) - 1 == line.index("cb") + 3
    (long,) = mistakes(
        f"{GOOD}container: {{extra_mounts: [{', '.join(f'/d:/d{n:03}' for n in range(40))}], x: 1}}\n"
    )
    line, caret = long.evidence.split("\n")
    assert line[len(caret) - 1] == "x"
    assert len(line) <= 64


def test_a_line_that_may_hold_a_secret_is_not_shown() -> None:
    (only,) = mistakes(f"{GOOD}ssh: {{password: hunter2}}\n")
    assert "hunter2" not in f"{only.what}{only.evidence}{only.remedy}"


ODD = [
    (GOOD.replace("model:", "model："), "2:6", "U+FF1A fullwidth colon", "write : for it"),
    (GOOD.replace("  - address: 192.0.2.12", "　　- address: 192.0.2.12"), "5:1", "U+3000", "usual blank"),
    (
        GOOD.replace("  - address: 192.0.2.12", "\u00a0 - address: 192.0.2.12"),
        "5:1",
        "no-break space",
        "usual blank",
    ),
    (GOOD.replace("- address: 192.0.2.12", "– address: 192.0.2.12"), "5:3", "en dash", "write - for it"),
    (GOOD + "mindie: “1.0.0”\n", "6:9", "left double quotation mark", 'write " for it'),
    (GOOD + 'mindie: "1.0.0”\n', "6:15", "right double quotation mark", 'write " for it'),
    (GOOD + "ssh: {user: ops， port: 22}\n", "6:16", "fullwidth comma", "write , for it"),
    (GOOD + "serving: {port: １０２５}\n", "6:17", "fullwidth digit one", "write 1 for it"),
    (GOOD + "serving:\n\tport: 1025\n", "7:1", "U+0009 tab", "indent with blanks"),
    (GOOD + "ssh: {user: o\u200bps}\n", "6:14", "zero width space", "delete it"),
    (GOOD + "＃ a comment\n", "6:1", "fullwidth number sign", "write # for it"),
]


@pytest.mark.parametrize(("text", "place", "what", "remedy"), ODD, ids=[row[2] for row in ODD])
def test_a_character_that_only_looks_like_yaml_is_named(
    text: str, place: str, what: str, remedy: str
) -> None:
    first = mistakes(text)[0]
    assert first.where == f"hosts.yaml:{place}"
    assert what in first.what
    assert remedy in first.remedy


@pytest.mark.parametrize(
    "text",
    [
        GOOD + "# 注意：这是“注释”，可以这样写\n",
        GOOD + "hub: {ca: '/证书：一.pem'}\n",
        GOOD + 'hub: {ca: "/a\\"：b.pem"}\n',
        "\ufeff" + GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD + "hub: {ca: /it's/张三.pem}  # 　\n",
    ],
)
def test_such_characters_are_free_in_comments_and_in_quotes(text: str) -> None:
    assert read(text).name == "demo"


CARDS = "[0, 1, 2, 3, 4, 5, 6, 7]"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("0-7", CARDS),
        ("'0,1,2'", "[0, 1, 2]"),
        ("8", CARDS),
        ("'0-1, 4'", "[0, 1, 4]"),
        ("[1, 0, 1]", "[0, 1]"),
    ],
)
def test_cards_as_people_write_them_become_a_list(written: str, meant: str) -> None:
    head = "name: demo\nmodel: Ling-lite\nnodes:\n  - address: 192.0.2.11\n    devices: "
    (told,) = mistakes(f"{head}{written}\n")
    assert meant in told.remedy
    assert list(read(f"{head}{meant}\n").primary.devices) == [int(one) for one in meant[1:-1].split(",")]


@pytest.mark.parametrize("written", ["999999999", "0-999999999", "0-9999", "0-", "a-b", "0-" + "9" * 5000])
def test_what_is_no_list_of_cards_is_not_made_one(written: str) -> None:
    (told,) = mistakes(f"{HEAD}nodes:\n  - address: 192.0.2.11\n    devices: {written}\n")
    assert len(told.remedy) < 100 or written in told.remedy


def test_one_address_in_the_place_of_the_machines_becomes_a_list() -> None:
    (told,) = mistakes(f"{HEAD}nodes: 192.0.2.11\n")
    assert told.remedy == "write nodes: [{address: 192.0.2.11}]"
    assert len(read(f"{HEAD}{told.remedy.removeprefix('write ')}\n").nodes) == 1


def test_two_nodes_of_one_name_are_told_with_both_lines() -> None:
    (told,) = mistakes(
        f"{HEAD}nodes:\n  - address: 192.0.2.11\n  - address: 192.0.2.12\n  - address: 192.0.2.11\n"
    )
    assert told.where == "hosts.yaml:6:5"
    assert "the other one is in line 4" in told.what


def test_odd_characters_in_a_row_are_told_once_and_others_by_themselves():
    found = [(odd.line, odd.column, odd.times) for odd in odd_characters("a：：b：c\n：：\n")]
    assert [times for _, _, times in found] == [2, 1, 2]
    assert [line for line, _, _ in found] == [1, 1, 2]
