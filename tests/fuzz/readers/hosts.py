"""What says which machines there are: hosts.yaml, known_hosts, ssh's configuration, keys."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from lingctl.ascend.facts import as_json
from lingctl.inventory.load import cluster_from, load_cluster
from lingctl.inventory.sections import Ssh
from lingctl.inventory.ssh.machine import Machine
from lingctl.inventory.ssh.resolve import host_name, resolve
from lingctl.inventory.yaml_text.source import YamlSource
from lingctl.remote.ssh.login.host_keys.known_hosts import REVOKED, read_known_hosts, revoked_keys
from lingctl.remote.ssh.login.keys.key_files import KeyFileError, certificate_beside, load_private, public_key
from tests.fuzz.reader import Reader, Wrong
from tests.fuzz.readers.samples import files

_EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
_YAML = (
    *(
        b"&a ",
        b"*a",
        b"<<: *a",
        b"!!python/object/apply:os.system [x]",
        b"!!binary ",
        b"!!int ",
        b"? ",
        b"- ",
        b": ",
    ),
    *(
        b"|\n",
        b">-\n",
        b"%YAML 1.1\n---\n",
        b"...\n",
        b"{",
        b"[",
        b"#",
        b"'",
        b'"',
        b"\t",
        b"0640",
        b"1:30",
        b"yes",
    ),
    *(
        b"2026-01-01",
        b"address: ",
        b"nodes:\n",
        b"devices: [0, 1]\n",
        b"ssh: {config: none}\n",
        b"image: x@sha256:",
    ),
    *(
        b"extra_mounts: [/a:/b]\n",
        b".inf",
        b"~",
        b"0b1",
        b"1__0",
        b"user: root\n",
        b"192.0.2.1",
        b"[2001:db8::1]:22",
    ),
)


def _hosts(data: bytes, folder: Path) -> object:
    """A hosts.yaml; the login of each node is found with a ~/.ssh/config that is not there."""
    (folder / "hosts.yaml").write_bytes(data)
    cluster = load_cluster(folder / "hosts.yaml", {})
    text = YamlSource(data.decode(), "hosts.yaml")
    if cluster_from(text, {}).node_names != cluster.node_names:
        raise Wrong("the same text gives another cluster")
    targets = [resolve(node.address, cluster.ssh_of(node), _machine(folder)) for node in cluster.nodes[:3]]
    return [cluster.model_dump(mode="json"), [target.shown for target in targets], cluster.state_dir]


def _machine(folder: Path) -> Machine:
    return Machine("ops", folder, "here", {}, folder / ".ssh-config", folder / "ssh_config")


def _hosts_seeds() -> list[bytes]:
    return [path.read_bytes() for path in sorted(_EXAMPLES.glob("*.yaml"))] + files("field/files/*.yaml")


# ---- known_hosts


_KEY = base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(range(32))).decode()
_HASHED = "|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg="
_LINES = (
    f"node1,192.0.2.1 ssh-ed25519 {_KEY} a comment\n[node2]:2222 ssh-ed25519 {_KEY}\n",
    f"*.example,!bad.example ssh-ed25519 {_KEY}\n{_HASHED} ssh-ed25519 {_KEY}\n",
    f"@revoked * ssh-ed25519 {_KEY}\n@cert-authority *.example ssh-ed25519 {_KEY}\n# none\nbroken line\n",
)


def _known_hosts(data: bytes, folder: Path) -> object:
    """A line of ours behind whatever else there is is found; what is revoked is told."""
    path = folder / f"known-{hashlib.sha1(data).hexdigest()}"
    path.write_bytes(data + f"\nown.example ssh-ed25519 {_KEY}\n".encode())
    known = read_known_hosts([str(path)])
    found = {
        name: len(known.of(name)) for name in ("node1", "[node2]:2222", "a.example", "own.example", "x" * 300)
    }
    if not found["own.example"]:
        raise Wrong("a line of a known host is not found")
    return [
        found,
        len(known.of("node1", REVOKED)),
        known.is_revoked(["node1"], base64.b64decode(_KEY)) is not None,
    ]


# ---- ssh's configuration


_SSH_WORDS = (
    *(b"Host *\n", b"Host node1 !node2\n", b"Match all\n", b"Match host node* user ops\n", b"Match final\n"),
    *(b'Match exec "true"\n', b"Include *\n", b"Include config\n", b"HostName %h.example\n", b"User ops\n"),
    *(
        b"Port 22\n",
        b"ProxyJump a,b@c:22\n",
        b"ProxyCommand nc %h %p\n",
        b"IdentityFile ~/.ssh/%r\n",
        b"${HOME}",
    ),
    *(
        b"CanonicalizeHostname yes\n",
        b"CanonicalDomains example\n",
        b"ConnectTimeout 1h2m\n",
        b"%%",
        b"%",
        b'"',
    ),
    *(
        b"HostKeyAlgorithms +ssh-rsa\n",
        b"Ciphers -*cbc\n",
        b"UserKnownHostsFile none\n",
        b"=",
        b"HostKeyAlias x\n",
    ),
)
_SSH = (
    b"Host node1\n  HostName 192.0.2.1\n  User ops\n  Port 2222\n  IdentityFile ~/.ssh/id\n"
    b"Match host *.example\n  ProxyJump gate@192.0.2.9:22\n  Ciphers aes256-ctr\nHost *\n  Compression no\n",
    b'Include more\nHost gate\n  ProxyCommand none\nMatch originalhost node2 exec "a"\n  HostName %h\n',
)


def _ssh_config(data: bytes, folder: Path) -> object:
    """The login of some nodes by such a file, which may include itself."""
    path = folder / f"config-{hashlib.sha1(data).hexdigest()}"
    path.write_bytes(data)
    path.chmod(0o600)
    (folder / "more").symlink_to(path)
    ssh = Ssh(config=str(path))
    told = []
    for asked in ("node1", "a.example", "node2"):
        target = resolve(asked, ssh, _machine(folder))
        told.append([host_name(asked, ssh, _machine(folder)), as_json(target.shown), target.names])
    return told


# ---- keys


def _keys(data: bytes, folder: Path) -> object:
    """A key file, its public half and a file of revoked keys."""
    name = f"id-{hashlib.sha1(data).hexdigest()}"
    for suffix in ("", ".pub", "-cert.pub"):
        (folder / f"{name}{suffix}").write_bytes(data)
        (folder / f"{name}{suffix}").chmod(0o600)
    path = folder / name
    told = []
    for read in (public_key, certificate_beside, load_private, revoked_keys):
        try:
            told.append(len(str(read(path))))
        except (KeyFileError, ValueError, OSError) as error:
            told.append(f"{type(error).__name__}: {error}")
    return told


def _key_seeds() -> list[bytes]:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    made = []
    for key in (ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())):
        form = serialization.PrivateFormat
        for kind in (form.OpenSSH, form.PKCS8):
            made.append(key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption()))
        public = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        made.append(key.public_key().public_bytes(*public) + b" ops@here\n")
    return made


READERS = (
    Reader("hosts", _hosts_seeds, _hosts, _YAML),
    Reader(
        "known",
        lambda: [line.encode() for line in _LINES],
        _known_hosts,
        (b"|1|", b"@revoked ", b"*", b"!", b","),
    ),
    Reader("ssh", lambda: list(_SSH), _ssh_config, _SSH_WORDS),
    Reader(
        "keys", _key_seeds, _keys, (b"-----BEGIN OPENSSH PRIVATE KEY-----\n", b"ssh-ed25519 ", b"\0\0\0\x0b")
    ),
)
