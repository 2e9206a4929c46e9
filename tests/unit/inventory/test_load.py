"""hosts.yaml: what is accepted, and how each mistake is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from lingctl.errors import ConfigurationError, UsageError
from lingctl.inventory.load import cluster_from, load_cluster
from lingctl.inventory.places import weights_in_container
from lingctl.inventory.sections import Serving
from lingctl.inventory.starter import starter_hosts
from lingctl.inventory.yaml_text.source import YamlSource

GOOD = """\
name: demo
model: Ling-plus
nodes:
  - address: 10.0.0.1
  - address: 10.0.0.2
    name: second
"""


def read(text: str, **environment: str):
    return cluster_from(YamlSource(text, "hosts.yaml"), environment)


def mistake(text: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        read(text)
    return caught.value


def test_defaults_are_filled_in():
    cluster = read(GOOD)
    assert cluster.world_size == 16
    assert cluster.node_names == ("10.0.0.1", "second")
    assert cluster.primary.service_address == "10.0.0.1"
    assert cluster.container_name == "lingctl-demo"
    assert cluster.downloaded_weights == "/root/models/Ling_plus"
    assert weights_in_container(cluster, cluster.downloaded_weights) == "/home/HwHiAiUser/Ascend/Ling_plus"


def test_a_node_may_log_in_differently():
    cluster = read(GOOD + "    ssh: {port: 2222}\nssh: {user: ops, port: 22}\n")
    assert [cluster.ssh_of(node).port for node in cluster.nodes] == [22, 2222]
    assert {cluster.ssh_of(node).user for node in cluster.nodes} == {"ops"}


def test_environment_wins_over_the_file():
    assert read(GOOD, LINGCTL_SSH_USER="ops").ssh.user == "ops"


@pytest.mark.parametrize(
    ("text", "where", "what", "remedy"),
    [
        (GOOD + "ssh:\n  prot: 22\n", "hosts.yaml:8:3", "unknown key 'ssh.prot'", "'port'"),
        (GOOD + "modle: x\n", "hosts.yaml:7:1", "unknown key 'modle'", "'model'"),
        (GOOD.replace("Ling-plus", "Ling-plux"), "hosts.yaml:2:1", "not in the catalogue", "Ling-plus"),
        (GOOD + "ssh: {port: 70000}\n", "hosts.yaml:7:7", "ssh.port is 70000", "from 1 to 65535"),
        (GOOD + "mindie: 10.20\n", "hosts.yaml:7:1", "10.20 means the number 10.2", '"10.20"'),
        (GOOD + "ssh: {user: on}\n", "hosts.yaml:7:7", "on means true", '"on"'),
        (GOOD + "serving: {port: 01025}\n", "hosts.yaml:7:11", "01025 means the number 533", "write 1025"),
        (GOOD + "container: {shm_size: 1:30}\n", "hosts.yaml:7:13", "base 60", '"1:30"'),
        (GOOD.replace("name: demo\n", ""), "hosts.yaml:1:1", "'name' is missing", "init --show"),
        (
            GOOD.replace("10.0.0.2", "10.0.0.1").replace("    name: second\n", ""),
            "hosts.yaml:5:5",
            "nodes 1 and 2 have the name",
            "each node once",
        ),
        (GOOD + "    devices: [0, 1]\n", "hosts.yaml", "same number of cards", ""),
        (GOOD + "    devices: [1, 1]\n", "hosts.yaml:7:5", "name a card twice", "name each once: [1]"),
        (GOOD + "    devices: [64]\n", "hosts.yaml:7:15", "64", ""),
        (GOOD.replace("10.0.0.2", "'bad host;'"), "hosts.yaml:5:5", "host name", ""),
        ("name: [", "hosts.yaml:1:8", "not valid YAML", ""),
        ("just text", "hosts.yaml:1:1", "must be a mapping", ""),
        (GOOD + "name: again\n", "hosts.yaml:7:1", "given twice", ""),
    ],
)
def test_each_mistake_is_told_with_its_place(text: str, where: str, what: str, remedy: str):
    error = mistake(text)
    assert error.exit_status == 2
    assert error.where.startswith(where)
    assert what in error.what
    assert remedy in error.remedy


def test_a_host_name_needs_a_service_address():
    assert "service_address" in mistake(GOOD.replace("10.0.0.1", "node-a.example")).what
    named = GOOD.replace("- address: 10.0.0.1", "- address: node-a.example\n    service_address: 10.0.0.1")
    assert read(named).primary.service_address == "10.0.0.1"


def test_a_missing_file_is_told(tmp_path: Path):
    with pytest.raises(ConfigurationError) as caught:
        load_cluster(tmp_path / "hosts.yaml")
    assert caught.value.code == "hosts-missing"
    assert "lingctl init" in caught.value.remedy


@pytest.mark.parametrize("model", ["Ling-lite", "Ling-plus"])
def test_the_starter_is_valid(model: str):
    text = starter_hosts(name="ling", model=model, mindie="1.0.0", nodes=["192.0.2.11", "192.0.2.12"])
    assert read(text).world_size == 16


# What the starter shows is an example, not the default, of these.
EXAMPLES = {
    ("ssh", "key"),
    ("ssh", "config"),
    ("container", "image"),
    *(("serving", name) for name in Serving.model_fields if name.startswith(("max_", "npu_"))),
}


@pytest.mark.parametrize("section", ["ssh", "container", "paths", "serving", "timeouts"])
def test_the_starter_shows_every_setting_with_its_default(section: str):
    text = starter_hosts(name="ling", model="Ling-lite", mindie="1.0.0", nodes=["192.0.2.11"])
    block = text[text.index(f"# {section}:\n") :].split("\n\n")[0]
    uncommented = "\n".join(line.removeprefix("# ") for line in block.splitlines())
    head = "name: ling\nmodel: Ling-lite\nnodes: [{address: 192.0.2.11}]\n"
    shown, default = getattr(read(head + uncommented), section), getattr(read(head), section)
    assert set(shown.model_fields_set) == set(type(shown).model_fields)
    resolved = {"name": "lingctl-ling", "weights": "/root/models/Ling_lite", "shm_size": "2g"}
    for name in set(type(shown).model_fields) - {name for part, name in EXAMPLES if part == section}:
        assert getattr(shown, name) == (
            getattr(default, name) or resolved.get(name, getattr(default, name))
        ), name


def test_a_mistake_in_the_environment_is_named_as_such():
    with pytest.raises(ConfigurationError) as caught:
        read(GOOD, LINGCTL_IMAGE="no image!")
    assert caught.value.where == "the environment's LINGCTL_IMAGE"


@pytest.mark.parametrize(
    ("name", "code"), [("!!binary aGk=", "hosts-yaml-trap"), ("&a [*a]", "hosts-nested")]
)
def test_what_json_cannot_hold_is_a_mistake_with_a_place(name: str, code: str):
    error = mistake(GOOD.replace("name: demo", f"name: {name}"))
    assert (error.code, error.where) == (code, "hosts.yaml:1:1")


@pytest.mark.parametrize(
    ("changed", "flag"),
    [
        ({"name": "Not A Name"}, "--name"),
        ({"mindie": "one"}, "--mindie"),
        ({"nodes": ["a b"]}, "--node"),
        ({"nodes": ["10.0.0.1", "10.0.0.1"]}, "--node"),
    ],
)
def test_init_writes_nothing_that_would_be_refused(changed: dict[str, object], flag: str):
    wanted = {"name": "ling", "model": "Ling-lite", "mindie": "1.0.0", "nodes": ["10.0.0.1"]}
    with pytest.raises(UsageError) as caught:
        starter_hosts(**{**wanted, **changed})
    assert caught.value.what.startswith(f"{flag}: ")


def test_init_takes_host_names_and_addresses_that_yaml_would_misread():
    nodes = ["1:2:3:4:5:6:7:8", "2001:db8::1"]
    text = starter_hosts(name="ling", model="Ling-lite", mindie="3.0.0", nodes=nodes)
    assert [node.address for node in read(text).nodes] == nodes
    assert "- address: host1.example" in starter_hosts(
        name="ling", model="Ling-lite", mindie="3.0.0", nodes=["host1.example"]
    )


ALIASES = """\
Host first
    HostName 10.0.0.1
Host second
    HostName second.example.org
"""


def aliased(tmp_path: Path, address: str) -> str:
    (tmp_path / "config").write_text(ALIASES)
    ssh = f"ssh: {{config: '{tmp_path}/config'}}"
    return f"name: demo\nmodel: Ling-plus\n{ssh}\nnodes:\n  - address: {address}\n"


def test_an_alias_of_ssh_stands_for_the_address_that_it_has_there(tmp_path: Path):
    cluster = read(aliased(tmp_path, "first"))
    assert (cluster.primary.address, cluster.primary.service_address) == ("first", "10.0.0.1")
    assert "service_address" not in cluster.primary.model_fields_set


@pytest.mark.parametrize("address", ["second", "third"])
def test_an_alias_without_an_address_wants_a_service_address(tmp_path: Path, address: str):
    assert "service_address" in mistake(aliased(tmp_path, address)).what
    given = aliased(tmp_path, address) + "    service_address: 10.0.0.3\n"
    assert read(given).primary.service_address == "10.0.0.3"
