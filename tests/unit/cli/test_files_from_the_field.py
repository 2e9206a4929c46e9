"""hosts.yaml, config.json and rank tables as people wrote them, given to the command line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.field import FIELD, Case, Ran, cases, judge, lingctl, maker

FILES = FIELD / "files"
FIELD_CASES = cases("files")
HEAD = "name: demo\nmodel: Ling-lite\n"
GOOD = HEAD + "nodes: [{address: 192.0.2.11}]\n"
NODE = HEAD + "nodes: [{address: %s, service_address: 192.0.2.11}]\n"
MOUNTS = GOOD + "container: {extra_mounts: [%s]}\n"


# The cases were written when such a version was refused; now it takes the nearest earlier one's rules, with a
# word. Only where its line has nothing earlier is it refused.
TAKEN_OVER = ("mindie-2.0.RC2", "mindie-2.0", "mindie-3.1.0")


def _run(case: Case, folder: Path) -> Ran:
    file = FILES / case["file"]
    if not file.is_file():
        maker(FILES / "make_files.py").main(folder)
        file = folder / case["file"]
    if case["how"] == "render":
        return lingctl("render", case.get("what", "config"), "--nodes", file)
    version = ("--mindie", case["mindie"]) if "mindie" in case else ()
    return lingctl("render", "--check", file, *version)


@pytest.mark.skipif(not FIELD_CASES, reason=f"there are no cases beside this checkout: {FIELD}")
@pytest.mark.parametrize("case", FIELD_CASES, ids=[case["name"] for case in FIELD_CASES])
def test_a_file_from_the_field_gets_its_verdict(case: Case, tmp_path: Path) -> None:
    wanted = {"memory_mb": 150, **case, "seconds": 20}
    if case["name"] in TAKEN_OVER:
        wanted["rc"] = [0]
    assert not judge(wanted, _run(case, tmp_path))


def _hosts(text: str, folder: Path, *what: str) -> Ran:
    (folder / "hosts.yaml").write_text(text)
    return lingctl("render", *(what or ("container",)), "--nodes", folder / "hosts.yaml")


@pytest.mark.parametrize(
    ("text", "wants"),
    [
        (NODE % '"[2001:db8::1]:22"', r"has a port in it.*fix: write 2001:db8::1, .*ssh\.port"),
        (NODE % "root@192.0.2.11", r"login name in it.*fix: write 192.0.2.11, and ssh: \{user: root\}"),
        (NODE % "ssh://192.0.2.11", "is a URL.*ssh.port"),
        (NODE % '"[2001:db8::1]"', "brackets.*fix: write 2001:db8::1"),
        (NODE % '"-oProxyCommand=id"', "not a host name"),
        (NODE % '"192.0.2.11\\u202e"', r"\\u202e"),
        (HEAD + "nodes: [{address: 'fe80::1%eth0'}]\n", "one link only.*service_address"),
        (MOUNTS % '"data:/data"', "SOURCE:TARGET"),
        (MOUNTS % '"/data:/data:ro --privileged"', "no option of a mount"),
        (MOUNTS % '"/data:/data:ro:z"', "SOURCE:TARGET"),
        (MOUNTS % '"/data:/"', "not /"),
        (MOUNTS % '"/a:/b", "/c:/b/"', "two mounts have the target /b"),
        (GOOD + 'ssh: {key: "/root/id\\n"}\n', "line end"),
        (GOOD + 'https: {cert: c, key: "k\\x07", ca: [a]}\n', r"\\x07"),
        (
            HEAD + 'nodes: [{address: node1}]\nssh: {config: "a\\nb"}\n',
            "service_address.*\n.*fix.*a line end in it",
        ),
        (GOOD + 'ssh: {key: ""}\n', "is empty.*leave the key out"),
        (GOOD + "paths: {models: /data/模型}\n", "fix:.*letters, digits"),
        (GOOD + "serving: {served_name: Ling/lite}\n", "fix: 1 to 256 letters, digits"),
        (GOOD + "container: {image: 'a b'}\n", "fix: an image is"),
        (GOOD + "container: {image: 'a/b:'}\n", "no tag behind its colon"),
        (GOOD + "container: {image: 'https://quay.example/a/b:c'}\n", "URL.*fix: write quay.example/a/b:c"),
        (GOOD + "container: {image: 'a/b@sha256:12'}\n", "fix: an image is"),
        (GOOD + "container: {image: 'a/MindIE:2.0'}\n", "capitals"),
        (MOUNTS % '"/data:/data:ro,rw"', "ro and rw.*one of them"),
        (MOUNTS % '"/data:/data:z,z"', "write one of them, once"),
        (NODE % "999.1.1.1", "no IPv4 address"),
        (NODE % "192.0.2.011", "no IPv4 address"),
        (GOOD + "ssh: {ProxyJump: bastion}\n", "fix: jump hosts are read from ~/.ssh/config: ProxyJump"),
        (GOOD + "become: true\n", "fix: write ssh: {sudo: true}"),
        (GOOD + "ssh: {become: true}\n", "fix: write sudo: true"),
        (GOOD + "bastion: 192.0.2.1\n", "fix: jump hosts are read from ~/.ssh/config: ProxyJump"),
        (GOOD + "ssh: {password: secret}\n", "fix: passwords are not supported.*ssh-copy-id"),
        (GOOD + "image: mindie:2.0\n", r"fix: it goes under container: container: \{image"),
        (GOOD + "port: 1025\n", r"fix: it goes under serving"),
        (HEAD + "nodes: [{address: 192.0.2.11, port: 22}]\n", r"fix: it goes under ssh: ssh: \{port"),
        (HEAD + "hosts: [192.0.2.11]\n", r"fix: write nodes: \[\{address: HOST"),
        ('name: "a\\ud800"\n' + GOOD, "half a character"),
        ("? [a, b]\n: 1\n" + GOOD, "no word"),
        ("- " * 3000 + "x\n", "nested too deeply"),
        (GOOD + 'a: &a "' + "x" * 100_000 + '"\nb: [' + ",".join(["*a"] * 100) + "]\n", "4 MiB of text"),
        ("x" * 2_000_000, "larger than"),
    ],
)
def test_a_mistake_is_refused_with_what_to_write(text: str, wants: str, tmp_path: Path) -> None:
    assert not judge({"rc": [2], "wants": [wants], "seconds": 20}, _hosts(text, tmp_path))


@pytest.mark.parametrize(
    "text",
    [
        NODE % "node_1",
        NODE % "_gateway",
        NODE % "node-1.example.",
        NODE % '"fe80::1%eth0"',
        MOUNTS % '"/data:/data", "/my models:/models:ro,z"',
        GOOD + "container: {image: mindie}\n",
        GOOD + "container: {image: 'Registry.example/a__b/c-d:2.0.RC1-A2'}\n",
        GOOD + "container: {image: 'a/b:c@sha256:" + "0" * 64 + "'}\n",
        GOOD + "container: {image: 'registry.example:5000/a/b@sha256:" + "0" * 64 + "'}\n",
    ],
)
def test_what_ssh_and_docker_take_is_taken(text: str, tmp_path: Path) -> None:
    assert not judge({"rc": [0]}, _hosts(text, tmp_path))


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("/dev/zero", str(tmp_path / "pipe"), str(tmp_path)):
        for words in (("render", "config", "--nodes", name), ("render", "--check", name)):
            assert not judge({"rc": [2], "seconds": 10}, lingctl(*words))


@pytest.mark.parametrize(
    ("text", "wants"),
    [
        ('{"ModelDeployParam": {}}', "before 1.0.0.*fix: write one of today"),
        ('{"BackendConfig": {}, "ServerConfig": {}}', "refuses"),
        ('{"ScheduleConfig": {}}', "is a part of MindIE's config.json"),
        ('{"group_list": [], "status": "completed"}', "older form"),
        ('{"rank_list": [], "version": "2.0"}', "version 2.0"),
        ('{"weight_map": {}}', "index of a checkpoint.*verify-weights"),
        ('{"a": ' * 3000 + "1" + "}" * 3000, "nested too deeply"),
    ],
)
def test_a_file_of_another_kind_is_told_for_what_it_is(text: str, wants: str, tmp_path: Path) -> None:
    (tmp_path / "file.json").write_text(text)
    ran = lingctl("render", "--check", tmp_path / "file.json", "--mindie", "3.0.0")
    assert not judge({"wants": [wants], "never": ["neither MindIE"]}, ran)
