"""From an address in hosts.yaml to a target: hosts.yaml decides what it sets, ssh's own files the rest."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from lingctl.errors import ConfigurationError
from lingctl.inventory.sections import Ssh
from lingctl.inventory.ssh.config import HostSettings, settings_for
from lingctl.inventory.ssh.machine import Machine
from lingctl.inventory.ssh.target import (
    GLOBAL_KNOWN_HOSTS,
    NO_KEY_FILES,
    USER_KNOWN_HOSTS,
    USUAL_KEYS,
    Algorithms,
    SshTarget,
)
from lingctl.inventory.ssh.tokens import at_home, expand, expand_path
from lingctl.paths import is_folder, is_there

_MOST_HOPS = 8
_USUAL_USER = "root"
_SECONDS = re.compile(r"(\d+)([smhdw]?)", re.IGNORECASE)
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
# By the field of hosts.yaml, what it is called in ssh_config.
_FIELDS = {
    "user": "user",
    "port": "port",
    "key": "identityfile",
    "known_hosts": "userknownhostsfile",
    "connect_timeout": "connecttimeout",
}
# Where a login is not what it would be without ssh's configuration, these lines say why.
_TOLD = (
    "hostname",
    "user",
    "port",
    "identityfile",
    "certificatefile",
    "identitiesonly",
    "identityagent",
    "pubkeyauthentication",
    "userknownhostsfile",
    "globalknownhostsfile",
    "revokedhostkeys",
    "hostkeyalias",
    "proxyjump",
    "proxycommand",
    "connecttimeout",
    "addressfamily",
    "bindaddress",
    "kexalgorithms",
    "ciphers",
    "macs",
    "hostkeyalgorithms",
    "pubkeyacceptedalgorithms",
)
_NOT_FOLLOWED = {
    "stricthostkeychecking": ("no", "off", "accept-new"),
    "knownhostscommand": (),
    "pkcs11provider": (),
    "proxyusefdpass": ("yes",),
}


def resolve(asked: str, ssh: Ssh, around: Machine) -> SshTarget:
    """How to log in to a node, whose address may be a ``Host`` of ssh's configuration.

    Raises:
        ConfigurationError: ssh's configuration says something that cannot be.
    """
    return _Hop(asked, ssh, around, _preset(ssh), hops=0).target(_USUAL_USER)


def host_name(asked: str, ssh: Ssh, around: Machine) -> str:
    """The name or address that an ``address`` of hosts.yaml stands for in ssh's configuration.

    Raises:
        ConfigurationError: see ``resolve``.
    """
    return settings_for(asked, config_files(ssh, around), _preset(ssh), around).host


def config_files(ssh: Ssh, around: Machine) -> tuple[Path, ...]:
    """The files that ssh would read.

    Raises:
        ConfigurationError: what hosts.yaml names does not exist, or is a folder.
    """
    if ssh.config is None:
        return (around.user_config, around.system_config)
    if ssh.config == "none":
        return ()
    named = Path(at_home(ssh.config, around))
    if not is_there(named) or is_folder(named):
        raise ConfigurationError(
            f"{named} {'is a folder' if is_there(named) else 'does not exist'}",
            where="ssh.config in hosts.yaml",
            code="ssh-config-missing",
        )
    return (named,)


def _preset(ssh: Ssh) -> dict[str, str]:
    said = {name: getattr(ssh, name) for name in _FIELDS if name in ssh.model_fields_set}
    return {_FIELDS[name]: str(value) for name, value in said.items() if value is not None}


class _Hop:
    """A server on the way to a node, the node's own at last."""

    def __init__(self, asked: str, ssh: Ssh, around: Machine, preset: Mapping[str, str], hops: int) -> None:
        self._asked, self._ssh, self._around, self._preset, self._hops = asked, ssh, around, preset, hops
        self._found = settings_for(asked, config_files(ssh, around), preset, around)
        if hops > _MOST_HOPS:
            raise ConfigurationError(
                f"{asked} is reached through itself",
                where=self._found.place("proxyjump"),
                remedy="leave the jump host out of the pattern (Host * !BASTION), or give it ProxyJump none",
                code="ssh-config",
            )

    def target(self, usual_user: str) -> SshTarget:
        found, node = self._found, self._hops == 0
        return SshTarget(
            host=found.host,
            port=self._port(),
            user=found.text("user") or usual_user,
            host_key_alias=found.text("hostkeyalias").lower(),
            known_hosts=self._files("userknownhostsfile", USER_KNOWN_HOSTS),
            global_known_hosts=self._files("globalknownhostsfile", GLOBAL_KNOWN_HOSTS),
            revoked_keys=next(iter(self._files("revokedhostkeys", ())), ""),
            keys=self._keys(),
            keys_named=self._named_key is not None and node,
            certificates=self._added("certificatefile"),
            identities_only=self._named_key is not None or found.is_on("identitiesonly"),
            agent=self._agent(),
            connect_timeout=_seconds(found.text("connecttimeout")) or self._ssh.connect_timeout,
            family=_choice(found.text("addressfamily"), ("inet", "inet6")),
            bind_address=found.text("bindaddress"),
            algorithms=Algorithms(
                found.text("kexalgorithms"),
                found.text("ciphers"),
                found.text("macs"),
                found.text("hostkeyalgorithms"),
                found.text("pubkeyacceptedalgorithms"),
            ),
            jump=self._jump(),
            proxy_command=self._expanded("proxycommand", "hknpr"),
            sudo=self._ssh.sudo and node,
            typed=self._typed() if node else "",
            taken=tuple(_taken(found)),
            notes=tuple(_notes(found)),
        )

    @property
    def _named_key(self) -> str | None:
        """The key that hosts.yaml names for this server."""
        return self._ssh.key if "identityfile" in self._preset else None

    def _path(self, text: str, place: str) -> str:
        return expand_path(text, self._found.tokens, self._around, place)

    def _files(self, keyword: str, usual: tuple[str, ...]) -> tuple[str, ...]:
        setting = self._found.single.get(keyword)
        if setting is None or not setting.place:  # of hosts.yaml a percent sign is one
            return tuple(at_home(name, self._around) for name in (setting.words if setting else usual))
        return tuple(self._path(name, setting.place) for name in setting.words if name != "none")

    def _added(self, keyword: str) -> tuple[str, ...]:
        lines = self._found.adding.get(keyword, [])
        return tuple(self._path(line.text, line.place) for line in lines if line.text != "none")

    def _keys(self) -> tuple[str, ...]:
        if self._found.is_off("pubkeyauthentication"):
            return NO_KEY_FILES
        if self._named_key is not None:
            return (at_home(self._named_key, self._around),)
        lines = self._added("identityfile")
        if not lines and "identityfile" in self._found.adding:
            return NO_KEY_FILES
        if not lines and self._hops and self._ssh.key:
            return (*USUAL_KEYS, at_home(self._ssh.key, self._around))
        return lines

    def _agent(self) -> str:
        setting = self._found.single.get("identityagent")
        if self._found.is_off("pubkeyauthentication"):
            return ""
        if setting is None or setting.text == "SSH_AUTH_SOCK":
            return self._around.environment.get("SSH_AUTH_SOCK", "")
        if setting.text == "none":
            return ""
        if re.fullmatch(r"\$\w+", setting.text):
            return self._around.environment.get(setting.text[1:], "")
        return self._path(setting.text, setting.place)

    def _expanded(self, keyword: str, letters: str) -> str:
        """A value in which only these tokens may stand; empty where there is none."""
        setting = self._found.single.get(keyword)
        if setting is None or setting.text.lower() == "none":
            return ""
        tokens = self._found.tokens
        return expand(setting.text, {letter: tokens[letter] for letter in letters}, setting.place)

    def _jump(self) -> SshTarget | None:
        text = self._expanded("proxyjump", "hnpr")
        if not text:
            return None
        before, _, last = text.rpartition(",")
        preset = _of_jump(last.strip(), self._found.place("proxyjump"))
        # The bastion is a machine of its own: of hosts.yaml, only what is about this side holds there.
        ours = _preset(self._ssh)
        preset |= {name: ours[name] for name in ("userknownhostsfile", "connecttimeout") if name in ours}
        if before:
            preset["proxyjump"] = before
        asked = preset.pop("host")
        return _Hop(asked, self._ssh, self._around, preset, self._hops + 1).target(self._around.user)

    def _typed(self) -> str:
        if not any(place for _, _, place in _taken(self._found)):
            return ""
        words = ["ssh", *(["-F", self._ssh.config] if self._ssh.config else [])]
        words += ["-p", self._preset["port"]] if "port" in self._preset else []
        # ssh would log in as who one is here, where nothing is set.
        user = self._preset.get("user") or ("" if self._found.text("user") else _USUAL_USER)
        return shlex.join([*words, f"{user}@{self._asked}" if user else self._asked])

    def _port(self) -> int:
        text = self._found.text("port") or "22"
        if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 65536:
            raise ConfigurationError(
                f"{text!r} is no port",
                where=self._found.place("port"),
                remedy="correct that line",
                code="ssh-config",
            )
        return int(text)


def _of_jump(text: str, place: str) -> dict[str, str]:
    """User, host and port of a ``ProxyJump``, under their keywords."""
    text = text.removeprefix("ssh://").rstrip("/")
    user, _, rest = text.rpartition("@")
    found = re.fullmatch(r"\[([^\]]+)\](?::(\d+))?|([^:]+)(?::(\d+))?|([0-9A-Fa-f:]+)", rest)
    if found is None:
        raise ConfigurationError(
            f"{text!r} is no jump host",
            where=place,
            remedy="write user@host:port, several with commas between them",
            code="ssh-config",
        )
    host, port = found[1] or found[3] or found[5], found[2] or found[4]
    return {"host": host} | ({"user": user} if user else {}) | ({"port": port} if port else {})


def _taken(found: HostSettings) -> list[tuple[str, str, str]]:
    lines = [(keyword, found.single[keyword]) for keyword in _TOLD if keyword in found.single]
    lines += [(keyword, line) for keyword in _TOLD for line in found.adding.get(keyword, [])]
    return [(keyword, line.text, line.place) for keyword, line in lines if line.place]


def _notes(found: HostSettings) -> list[str]:
    notes = []
    for keyword, values in _NOT_FOLLOWED.items():
        setting = found.single.get(keyword)
        if setting and setting.text != "none" and (not values or setting.text.lower() in values):
            notes.append(f"{setting.place}: {keyword} {setting.text} is not followed")
    return notes


def _choice(text: str, choices: tuple[str, ...]) -> str:
    return text.lower() if text.lower() in choices else ""


def _seconds(text: str) -> int:
    """A time as ssh_config writes it (``90``, ``1m30s``); 0 where there is none."""
    parts = _SECONDS.findall(text)
    return sum(int(number) * _UNITS[unit.lower()] for number, unit in parts)
