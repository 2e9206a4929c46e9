"""HTTPS and TLS between nodes: rendered, placed, and never shown."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from lingctl.errors import ConfigurationError
from lingctl.findings import Verdict
from lingctl.flows.look.node_states import look_of
from lingctl.inventory.load import load_cluster
from lingctl.mindie.container import container_spec
from lingctl.mindie.files.config import config_document
from lingctl.mindie.profile import PROFILES, profile_for
from lingctl.mindie.rules.check import check_config
from lingctl.mindie.tls import certificate_files
from lingctl.plan import Run
from lingctl.release.certificates import certificate_paths, certificate_steps, encryption_remarks
from lingctl.release.state import FileState, NodeState, state_questions
from lingctl.release.wanted import wanted_release
from lingctl.remote.upload import WriteFile
from lingctl.serving.endpoint import endpoint_of
from tests.unit.mindie.samples import addresses_of, render_environment

PEM = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"
HOSTS = """\
name: demo
model: Ling-plus
mindie: "{version}"
https: {{cert: tls/server.pem, key: tls/server.key, ca: tls/ca.pem, client_cert: tls/client.pem}}
inter_node_tls: {{cert: tls/server.pem, key: tls/server.key, ca: [tls/ca.pem, tls/ca2.pem]}}
nodes:
  - {{address: 10.0.0.1, name: node1}}
  - {{address: 10.0.0.2, name: node2}}
"""


@pytest.fixture
def hosts(tmp_path):
    folder = tmp_path / "tls"
    folder.mkdir()
    for name in ("server", "ca", "ca2", "client"):
        (folder / f"{name}.pem").write_text(PEM.format(name))
    (folder / "server.key").write_text(KEY)

    def write(version="3.0.0", text=HOSTS):
        path = tmp_path / "hosts.yaml"
        path.write_text(text.format(version=version))
        return load_cluster(path, {})

    return write


def test_paths_are_relative_to_hosts_yaml(hosts, tmp_path):
    cluster = hosts()
    assert cluster.https and cluster.inter_node_tls
    assert cluster.https.cert == str(tmp_path / "tls/server.pem")
    assert cluster.https.client_cert == str(tmp_path / "tls/client.pem")
    assert cluster.https.client_key is None
    assert [Path(one).name for one in cluster.inter_node_tls.ca] == ["ca.pem", "ca2.pem"]


@pytest.mark.parametrize("version", [profile.version for profile in PROFILES])
def test_every_version_accepts_what_is_rendered(hosts, version):
    cluster, profile = hosts(version), profile_for(version)
    document = config_document(cluster, cluster.primary, profile, cluster.downloaded_weights)
    assert [f.verdict for f in check_config(document, profile)] == [Verdict.PASS]
    server, backend = document["ServerConfig"], document["BackendConfig"]
    assert server["httpsEnabled"] is True and backend["interNodeTLSEnabled"] is True
    assert server["tlsCaPath"] + server["tlsCaFile"][0] == "security/lingctl/https/ca1.pem"
    assert backend["interNodeTlsCrlPath"] == ""
    assert ("metricsTlsCert" in server) is not version.startswith(("1.", "2.0"))


@pytest.mark.parametrize(("version", "home"), [("1.0.0", "mindie-service"), ("3.0.0", "mindie_llm")])
def test_the_files_are_where_config_json_says(hosts, version, home):
    cluster, profile = hosts(version), profile_for(version)
    mount = next(m for m in container_spec(cluster, cluster.primary, profile).mounts if "/tls:" in m)
    on_node, in_container, mode = mount.split(":")
    assert (in_container.split("/security")[0].endswith(home), mode) == (True, "ro")
    document = config_document(cluster, cluster.primary, profile, "/w")
    relative = {path.removeprefix(on_node) for path in certificate_paths(cluster)}
    for field in ("tlsCert", "tlsPk", "managementTlsCert", "managementTlsPk"):
        assert document["ServerConfig"][field].removeprefix("security/lingctl") in relative


@pytest.mark.parametrize(("version", "public"), [("1.0.0", 0o600), ("2.3.0", 0o600), ("3.0.0", 0o640)])
def test_modes_are_the_version_s(hosts, version, public):
    modes = {
        f.path.rsplit("/", 1)[1]: f.mode for f in certificate_files(hosts(version), profile_for(version))
    }
    assert modes["server.key"] == 0o600
    assert modes["server.pem"] == modes["ca1.pem"] == public


def test_steps_place_them_and_a_second_run_finds_nothing_to_do(hosts):
    cluster = hosts()
    steps = list(certificate_steps(cluster, NodeState("node2")))
    written = [a for step in steps for a in step.actions if isinstance(a, WriteFile)]
    assert [a.path for a in written] == certificate_paths(cluster)
    assert all("-m 0700" in a.command.text for s in steps for a in s.actions if isinstance(a, Run))
    there = {
        a.path: FileState(a.mode, 0, hashlib.sha256(a.content).hexdigest().encode() + b"\n") for a in written
    }
    again = list(certificate_steps(cluster, NodeState("node2", files=there)))
    assert {step.state for step in again} == {"in place"}
    there[written[0].path] = FileState(0o644, 0, there[written[0].path].content)
    steps = certificate_steps(cluster, NodeState("node2", files=there))
    assert next(iter(steps)).state == "change"


def test_a_key_is_never_shown_recorded_or_fetched(hosts):
    cluster = hosts()
    steps = list(certificate_steps(cluster, NodeState("node1")))
    assert not any("c2VjcmV0" in step.difference + step.reason + step.title for step in steps)
    release = wanted_release(cluster, cluster.primary, addresses_of(cluster), {}, "/w")
    kept = (*release.files, *release.overlay)
    assert not any(b"c2VjcmV0" in file.content or "/tls/" in file.path for file in kept)
    paths, look = certificate_paths(cluster), look_of(cluster)
    asked = [q for q in state_questions(look.site, "image", look.paths, look.secret) if "/tls/" in q.id]
    assert len(asked) == len(paths)
    assert all("sha256sum" in q.command.text and "cat " not in q.command.text for q in asked)


def test_another_certificate_starts_the_daemon_anew(hosts, tmp_path):
    cluster, profile = hosts(), profile_for("3.0.0")
    before = render_environment(cluster, cluster.primary, profile)
    (tmp_path / "tls/server.pem").write_text(PEM.format("renewed"))
    assert render_environment(cluster, cluster.primary, profile) != before


def test_off_is_said_aloud(hosts):
    plain = "".join(line for line in HOSTS.splitlines(True) if "tls/" not in line)
    cluster = hosts(text=plain)
    assert [line.split(":")[0] for line in encryption_remarks(cluster)] == [
        "HTTPS is off",
        "TLS between nodes is off",
    ]
    assert not list(certificate_steps(cluster, NodeState("node1")))
    mounts = container_spec(cluster, cluster.primary, profile_for("3.0.0")).mounts
    assert not any("/tls" in mount for mount in mounts)


def test_lingctl_s_own_requests_use_them(hosts, tmp_path):
    (tmp_path / "tls/client.key").write_text(KEY)
    text = HOSTS.replace("client_cert:", "client_key: tls/client.key, client_cert:")
    endpoint = endpoint_of(hosts(text=text))
    assert endpoint.service_url == "https://10.0.0.1:1025"
    assert endpoint.tls.ca == tmp_path / "tls/ca.pem"
    assert endpoint.tls.certificate == tmp_path / "tls/client.pem"
    assert endpoint.tls.key == tmp_path / "tls/client.key"


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (None, "No such file"),
        ("", "empty"),
        ("hello", "PEM"),
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----\n", "encrypted"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(hosts, tmp_path, content, word):
    cluster = hosts()
    key = tmp_path / "tls/server.key"
    key.unlink()
    if content is not None:
        key.write_text(content)
    with pytest.raises(ConfigurationError) as caught:
        list(certificate_steps(cluster, NodeState("node1")))
    assert word in caught.value.what
    assert caught.value.where == str(key)


def test_a_device_or_a_pipe_in_the_place_of_a_key_is_not_read(hosts, tmp_path):
    cluster, key = hosts(), tmp_path / "tls/server.key"
    for make in (lambda: os.mkfifo(key), lambda: key.symlink_to("/dev/zero")):
        key.unlink()
        make()
        with pytest.raises(ConfigurationError, match="no ordinary file") as caught:
            list(certificate_steps(cluster, NodeState("node1")))
        assert caught.value.where == str(key)
