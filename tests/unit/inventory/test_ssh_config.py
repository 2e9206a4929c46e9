"""ssh's configuration is read as `ssh -G` reads the same file."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from lingctl.errors import ConfigurationError
from lingctl.inventory.sections import Ssh
from lingctl.inventory.ssh.machine import Machine, here
from lingctl.inventory.ssh.resolve import resolve
from lingctl.inventory.ssh.target import NO_KEY_FILES, SshTarget

NEEDS_SSH = pytest.mark.skipif(shutil.which("ssh") is None, reason="OpenSSH's client is not installed")

CONFIGS = {
    "patterns": """
        Host web* !web3 "db?x"
            User deploy
            Port 2200
        Host *.example.org
            HostName %h.internal
        Host *
            User everybody
            Port 2300
        """,
    "first value wins": """
        Port 2201
        Host *
            Port 2202
            User=one
            User two
        Host = node1
            User three
        """,
    "case and equals signs": """
        HOST node1
            hostNAME=10.0.0.1
            USER   =   ops
            Port = 2203
        """,
    "comments and quotes": """
        # nothing
        Host node1 # the first
            User "ops" # not root
            IdentityFile "/keys/with blank"   # one
            IdentityFile /keys/with\\ blank2
            UserKnownHostsFile /a/known "/b/known hosts" # two
        """,
    "keys add up": """
        IdentityFile /keys/a
        Host node1
            IdentityFile /keys/b
            IdentityFile /keys/a
            CertificateFile /keys/b-cert.pub
            IdentitiesOnly yes
        Host *
            IdentityFile /keys/%h-%r-%p-%n
        """,
    "match": """
        Match originalhost node*
            HostName 10.0.0.9
        Match host 10.0.0.* user root
            User fromaddress
        Match host 10.0.0.9 !user nobody
            Port 2204
        Match !originalhost node1
            Port 2205
        Match all
            ConnectTimeout 7
        Match user fromaddress
            HostKeyAlias matched
        """,
    "match exec": """
        Match originalhost node1 exec "test %n = node1"
            Port 2206
        Match exec "test %n = other"
            User other
        Match originalhost unheard exec "touch TMP/must-not-run"
            User never
        """,
    "what is final counts after all else": """
        Match final all
            User late
            Port 2298
        Host node1
            User early
        """,
    "match final": """
        Match final host 10.0.0.2
            User second
        Host 10.*
            Port 2207
        Host node1
            HostName 10.0.0.2
        Match final all
            ConnectTimeout 9
        Match canonical
            HostKeyAlias canonical
        """,
    "match local user": """
        Match localuser LOCAL_USER
            User me
        Match localuser somebody-else
            Port 1
        """,
    "jump hosts": """
        Host node1
            ProxyJump a@bastion:2222,second
            ProxyCommand nc %h %p
        Host node2
            ProxyCommand none
            ProxyJump never
        Host web1
            ProxyCommand sh -c "nc %h %p # %%" | cat
        Host web2
            ProxyJump none
        Host other
            ProxyJump none
            ProxyCommand after none
            ProxyJump never
        Host Node1
            ProxyCommand none
            ProxyJump never
        """,
    "agent and alias": """
        Host node1
            IdentityAgent none
            HostKeyAlias Node-Key
        Host node2
            IdentityAgent /run/agent-%r
        Host web1
            IdentityAgent SSH_AUTH_SOCK
        """,
    "no files at all": """
        Host node1
            UserKnownHostsFile none
            IdentityFile none
        Host *
            IdentityFile /keys/late
        """,
    "include": """
        Host node1
            Include TMP/part-*.conf
            Port 2299
        Include TMP/all
        Host *
            ConnectTimeout 1m30s
        Include TMP/missing
        """,
    "algorithms": """
        Ciphers aes256-ctr
        KexAlgorithms -*nistp*
        Host node1
            Ciphers +aes256-cbc
        """,
}
PARTS = {
    "part-1.conf": "User one\nHost node2\n  User two\nHost node1\n  HostKeyAlias included\n",
    "part-2.conf": "Host web1\n  User web\n",
    "all": "Match originalhost web1\n  Port 2208\nHost other\n  Port 2209\n",
}
NAMES = ("node1", "node2", "web1", "web3", "db-x", "a.example.org", "Node1", "other")


def written(tmp_path: Path, text: str) -> Path:
    for name, part in PARTS.items():
        (tmp_path / name).write_text(part)
    (tmp_path / "part-of-folder.conf").mkdir(exist_ok=True)  # ssh passes over it
    path = tmp_path / "config"
    path.write_text(text.replace("TMP", str(tmp_path)).replace("LOCAL_USER", getpass.getuser()))
    return path


def runs(command: str) -> bool:
    return subprocess.run(["sh", "-c", command], check=False).returncode == 0


def around() -> Machine:
    return replace(here(runs), environment={"SSH_AUTH_SOCK": "/agent"})


def as_ssh_says(target: SshTarget) -> dict[str, object]:
    jumps, jump = [], target.jump
    while jump:
        user = "" if jump.user == getpass.getuser() else f"{jump.user}@"
        jumps.insert(0, f"{user}{jump.host}" + (f":{jump.port}" if jump.port != 22 else ""))
        jump = jump.jump
    return {
        "hostname": target.host,
        "port": str(target.port),
        "user": target.user,
        "hostkeyalias": target.host_key_alias,
        "identitiesonly": "yes" if target.identities_only else "no",
        "connecttimeout": str(target.connect_timeout),
        "identityfile": [] if not target.keys else list(target.keys),
        "certificatefile": list(target.certificates),
        "userknownhostsfile": " ".join(target.known_hosts),
        "identityagent": target.agent,
        "proxyjump": ",".join(jumps),
        "proxycommand": target.proxy_command,
    }


def judged(path: Path, name: str) -> dict[str, object]:
    """What ssh says, with what it expands only when it connects expanded."""
    done = subprocess.run(["ssh", "-F", str(path), "-G", name], capture_output=True, text=True, check=True)
    said: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        keyword, _, value = line.partition(" ")
        said.setdefault(keyword, []).append(value)
    one = {keyword: values[0] for keyword, values in said.items()}
    tokens = {"%h": one["hostname"], "%r": one["user"], "%p": one["port"], "%n": name, "%%": "%"}

    def plain(text: str) -> str:
        for token, value in tokens.items():
            text = text.replace(token, value)
        return text

    keys = [plain(value) for value in said.get("identityfile", [])]
    agent = one.get("identityagent", "SSH_AUTH_SOCK")
    jump, command = one.get("proxyjump", ""), one.get("proxycommand", "")
    return {
        "hostname": one["hostname"],
        "port": one["port"],
        "user": one["user"],
        "hostkeyalias": one.get("hostkeyalias", ""),
        "identitiesonly": one["identitiesonly"],
        "connecttimeout": "5" if one["connecttimeout"] == "none" else one["connecttimeout"],
        "identityfile": [] if "~/.ssh/id_rsa" in keys else [key for key in keys if key != "none"],
        "certificatefile": said.get("certificatefile", []),
        "userknownhostsfile": "" if one["userknownhostsfile"] == "none" else one["userknownhostsfile"],
        "identityagent": {"none": "", "SSH_AUTH_SOCK": "/agent"}.get(agent, plain(agent)),
        "proxyjump": "" if jump == "none" else jump,
        "proxycommand": "" if command == "none" else plain(command),
    }


@NEEDS_SSH
@pytest.mark.parametrize("kind", CONFIGS)
def test_a_file_is_read_as_ssh_reads_it(tmp_path: Path, kind: str):
    path = written(tmp_path, CONFIGS[kind])
    me = getpass.getuser()
    for name in NAMES:
        expected = judged(path, name)
        target = resolve(name, Ssh(config=str(path)), around())
        if target.user == "root" and "user" not in {keyword for keyword, _, _ in target.taken}:
            target = replace(target, user=me)  # lingctl's own default; ssh takes who one is here
        assert as_ssh_says(target) == expected, name
    assert not (tmp_path / "must-not-run").exists()


def resolved(tmp_path: Path, text: str, name: str = "node1", **said: object) -> SshTarget:
    path = written(tmp_path, text)
    return resolve(name, Ssh.model_validate({"config": str(path), **said}), around())


def test_hosts_yaml_decides_what_it_sets_and_nothing_else(tmp_path: Path):
    text = "User theirs\nPort 2222\nIdentityFile /theirs\nConnectTimeout 9\nUserKnownHostsFile /k\n"
    target = resolved(tmp_path, text, user="ours", key="/ours")
    assert (target.user, target.port, target.connect_timeout) == ("ours", 2222, 9)
    assert (target.keys, target.identities_only, target.keys_named) == (("/ours",), True, True)
    assert target.known_hosts == ("/k",)
    target = resolved(tmp_path, text, port=23, known_hosts="/ours/known", connect_timeout=4)
    assert (target.user, target.port, target.connect_timeout) == ("theirs", 23, 4)
    assert target.known_hosts == ("/ours/known",)


def test_a_value_equal_to_the_default_is_set_when_hosts_yaml_says_it(tmp_path: Path):
    target = resolved(tmp_path, "User theirs\nPort 2222\n", user="root", port=22)
    assert (target.user, target.port) == ("root", 22)


def test_a_percent_sign_in_hosts_yaml_is_one(tmp_path: Path):
    target = resolved(tmp_path, "", known_hosts="/a%b/known hosts", key="/100%/id")
    assert (target.known_hosts, target.keys) == (("/a%b/known hosts",), ("/100%/id",))


def test_without_login_by_key_no_agent_and_no_file_is_asked(tmp_path: Path):
    target = resolved(tmp_path, "PubkeyAuthentication no\nIdentityFile /keys/a\n", key="/ours")
    assert (target.agent, target.keys) == ("", NO_KEY_FILES)


def test_match_user_sees_the_user_of_hosts_yaml(tmp_path: Path):
    assert resolved(tmp_path, "Match user ops\n Port 2222\n", user="ops").port == 2222


def test_no_file_is_read_where_hosts_yaml_says_none(tmp_path: Path):
    own = written(tmp_path, "Host *\n Port 2222\n")
    surroundings = replace(around(), user_config=own, system_config=tmp_path / "missing")
    own.chmod(0o600)
    assert resolve("node1", Ssh(), surroundings).port == 2222
    target = resolve("node1", Ssh(config="none"), surroundings)
    assert (target.port, target.user, target.host, target.taken) == (22, "root", "node1", ())


def test_the_users_file_counts_before_the_machines(tmp_path: Path):
    own, system = tmp_path / "own", tmp_path / "system"
    own.write_text("Host node1\n Port 2222\n")
    own.chmod(0o600)
    system.write_text("Host *\n Port 3333\n User system\n")
    target = resolve("node1", Ssh(), replace(around(), user_config=own, system_config=system))
    assert (target.port, target.user) == (2222, "system")


def test_each_line_that_counts_is_named(tmp_path: Path):
    target = resolved(tmp_path, "Host node1\n  HostName 10.0.0.1\n  User ops\n")
    assert target.taken == (
        ("hostname", "10.0.0.1", f"{tmp_path}/config:2"),
        ("user", "ops", f"{tmp_path}/config:3"),
    )
    assert target.by_hand == f"ssh -F {tmp_path}/config node1"


def test_a_jump_host_is_a_machine_of_its_own(tmp_path: Path):
    text = """
        Host bastion
            HostName 192.0.2.1
            User jumper
            IdentityFile /keys/bastion
        Host 10.*
            ProxyJump bastion
        """
    target = resolved(tmp_path, text, "10.0.0.5", user="root", key="/ours", known_hosts="/known")
    jump = target.jump
    assert jump is not None
    assert (jump.host, jump.user, jump.keys, jump.keys_named) == (
        "192.0.2.1",
        "jumper",
        ("/keys/bastion",),
        False,
    )
    assert jump.known_hosts == ("/known",)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Host *\n ProxyJump bastion\n", 2),
        ("Port twenty\n", 1),
        ("Host node1\n HostName %q\n", 2),
        ("IdentityFile ${NOT_SET_ANYWHERE}/key\n", 1),
        ("User\n", 1),
        ('Host "node1\n User x\n', 1),
        ("Match unheard-of node1\n Port 3\n", 1),
        ("Match\n", 1),
    ],
)
def test_what_cannot_be_is_told_with_its_line(tmp_path: Path, text: str, line: int):
    with pytest.raises(ConfigurationError) as caught:
        resolved(tmp_path, text)
    assert caught.value.where == f"{tmp_path}/config:{line}"
    assert caught.value.remedy


def test_a_file_that_others_may_write_is_refused(tmp_path: Path):
    own = tmp_path / "config"
    own.write_text("Host *\n")
    own.chmod(0o666)
    with pytest.raises(ConfigurationError) as caught:
        resolve("node1", Ssh(), replace(around(), user_config=own))
    assert caught.value.code == "ssh-config-open"


def test_a_file_that_is_named_has_to_be_there(tmp_path: Path):
    for named in (tmp_path / "none-of-it", tmp_path):
        with pytest.raises(ConfigurationError) as caught:
            resolve("node1", Ssh(config=str(named)), around())
        assert caught.value.code == "ssh-config-missing"


def test_what_has_no_end_is_not_read_and_the_null_device_is_empty(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    for named in ("/dev/zero", str(tmp_path / "pipe")):
        with pytest.raises(ConfigurationError) as caught:
            resolve("node1", Ssh(config=named), around())
        assert caught.value.code == "ssh-config-unreadable" and "no ordinary file" in caught.value.what
    assert resolve("node1", Ssh(config="/dev/null"), around()).host == "node1"


def test_files_that_include_each_other_end(tmp_path: Path):
    with pytest.raises(ConfigurationError):
        resolved(tmp_path, f"Include {tmp_path}/config\n")


def test_short_names_are_made_whole(tmp_path: Path):
    text = "CanonicalizeHostname yes\nCanonicalDomains a.example b.example\nHost *.b.example\n Port 2222\n"
    path = written(tmp_path, text)
    surroundings: Mapping[str, bool] = {"node1.b.example": True}
    world = replace(around(), resolves=lambda name: name in surroundings)
    target = resolve("node1", Ssh(config=str(path)), world)
    assert (target.host, target.port) == ("node1.b.example", 2222)
