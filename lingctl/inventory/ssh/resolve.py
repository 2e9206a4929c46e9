"""From an address in hosts.yaml to a target: hosts.yaml decides what it sets, ssh's own files the rest."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from lingctl.errors import ConfigurationError
from lingctl.inventory.sections import Ssh
from lingctl.inventory.ssh.config import HostSettings, settings_for, tokens_of
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
    return _Resolver(ssh, around).node(asked)


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
    if not named.exists() or named.is_dir():
        raise ConfigurationError(
            f"{named} {'is a folder' if named.exists() else 'does not exist'}",
            where="ssh.config in hosts.yaml",
            remedy="correct the path, leave it out (then ~/.ssh/config is read), or say none",
            code="ssh-config-missing",
        )
    return (named,)


def _preset(ssh: Ssh) -> dict[str, str]:
    said = {name: getattr(ssh, name) for name in _FIELDS if name in ssh.model_fields_set}
    return {_FIELDS[name]: str(value) for name, value in said.items() if value is not None}


class _Resolver:
    def __init__(self, ssh: Ssh, around: Machine) -> None:
        self._ssh = ssh
        self._around = around
        self._files = config_files(ssh, around)

    def node(self, asked: str) -> SshTarget:
        return self._target(asked, _preset(self._ssh), _USUAL_USER, hops=0)

    def _target(self, asked: str, preset: Mapping[str, str], usual_user: str, *, hops: int) -> SshTarget:
        found = settings_for(asked, self._files, preset, self._around)
        if hops > _MOST_HOPS:
            raise ConfigurationError(
                f"{asked} is reached through itself",
                where=_place(found, "proxyjump"),
                remedy="leave the jump host out of the pattern (Host * !BASTION), or give it ProxyJump none",
                code="ssh-config",
            )
        files = self._file_names
        tokens = tokens_of(asked, found.host, found, self._around)
        node, preset_key = hops == 0, self._ssh.key if "identityfile" in preset else None
        timeout = found.text("connecttimeout")
        return SshTarget(
            host=found.host,
            port=_number(found, "port", 22),
            user=found.text("user") or usual_user,
            host_key_alias=found.text("hostkeyalias").lower(),
            known_hosts=files(found, tokens, "userknownhostsfile", USER_KNOWN_HOSTS),
            global_known_hosts=files(found, tokens, "globalknownhostsfile", GLOBAL_KNOWN_HOSTS),
            revoked_keys=next(iter(files(found, tokens, "revokedhostkeys", ())), ""),
            keys=self._keys(found, tokens, preset_key, jumping=not node),
            keys_named=preset_key is not None and node,
            certificates=self._added(found, tokens, "certificatefile"),
            identities_only=preset_key is not None or found.is_on("identitiesonly"),
            agent=self._agent(found, tokens),
            connect_timeout=_seconds(timeout) or self._ssh.connect_timeout,
            family=_choice(found.text("addressfamily"), ("inet", "inet6")),
            bind_address=found.text("bindaddress"),
            algorithms=Algorithms(
                found.text("kexalgorithms"),
                found.text("ciphers"),
                found.text("macs"),
                found.text("hostkeyalgorithms"),
                found.text("pubkeyacceptedalgorithms"),
            ),
            jump=self._jump(found, tokens, hops),
            proxy_command=self._proxy_command(found, tokens),
            sudo=self._ssh.sudo and node,
            typed=self._typed(asked, preset, found) if node else "",
            taken=tuple(_taken(found)),
            notes=tuple(_notes(found)),
        )

    def _file_names(
        self, found: HostSettings, tokens: Mapping[str, str], keyword: str, usual: tuple[str, ...]
    ) -> tuple[str, ...]:
        setting = found.single.get(keyword)
        if setting and not setting.place:  # of hosts.yaml, where a percent sign is one
            return tuple(at_home(name, self._around) for name in setting.words)
        names = setting.words if setting else usual
        place = setting.place if setting else ""
        return tuple(expand_path(name, tokens, self._around, place) for name in names if name != "none")

    def _added(self, found: HostSettings, tokens: Mapping[str, str], keyword: str) -> tuple[str, ...]:
        lines = found.adding.get(keyword, [])
        return tuple(
            expand_path(line.text, tokens, self._around, line.place) for line in lines if line.text != "none"
        )

    def _keys(
        self, found: HostSettings, tokens: Mapping[str, str], named: str | None, *, jumping: bool
    ) -> tuple[str, ...]:
        if found.text("pubkeyauthentication").lower() in ("no", "false"):
            return NO_KEY_FILES
        if named is not None:
            return (at_home(named, self._around),)
        lines = self._added(found, tokens, "identityfile")
        if not lines and "identityfile" in found.adding:
            return NO_KEY_FILES
        if not lines and jumping and self._ssh.key:
            return (*USUAL_KEYS, at_home(self._ssh.key, self._around))
        return lines

    def _agent(self, found: HostSettings, tokens: Mapping[str, str]) -> str:
        setting = found.single.get("identityagent")
        usual = self._around.environment.get("SSH_AUTH_SOCK", "")
        if found.text("pubkeyauthentication").lower() in ("no", "false"):
            return ""
        if setting is None or setting.text == "SSH_AUTH_SOCK":
            return usual
        if setting.text == "none":
            return ""
        if re.fullmatch(r"\$\w+", setting.text):
            return self._around.environment.get(setting.text[1:], "")
        return expand_path(setting.text, tokens, self._around, setting.place)

    def _proxy_command(self, found: HostSettings, tokens: Mapping[str, str]) -> str:
        setting = found.single.get("proxycommand")
        if setting is None or setting.text.lower() == "none":
            return ""
        allowed = {letter: tokens[letter] for letter in "hknpr"}
        return expand(setting.text, allowed, setting.place)

    def _jump(self, found: HostSettings, tokens: Mapping[str, str], hops: int) -> SshTarget | None:
        setting = found.single.get("proxyjump")
        if setting is None or setting.text.lower() in ("none", ""):
            return None
        text = expand(setting.text, {letter: tokens[letter] for letter in "hnpr"}, setting.place)
        before, _, last = text.rpartition(",")
        preset = _of_jump(last.strip(), setting.place)
        # The bastion is a machine of its own: of hosts.yaml, only what is about this side holds there.
        for keyword in ("userknownhostsfile", "connecttimeout"):
            if keyword in _preset(self._ssh):
                preset[keyword] = _preset(self._ssh)[keyword]
        if before:
            preset["proxyjump"] = before
        asked = preset.pop("host")
        return self._target(asked, preset, self._around.user, hops=hops + 1)

    def _typed(self, asked: str, preset: Mapping[str, str], found: HostSettings) -> str:
        if not any(place for _, _, place in _taken(found)):
            return ""
        words = ["ssh", *(["-F", self._ssh.config] if self._ssh.config else [])]
        words += ["-p", preset["port"]] if "port" in preset else []
        # ssh would log in as who one is here, where nothing is set.
        user = preset.get("user") or ("" if found.text("user") else _USUAL_USER)
        return shlex.join([*words, f"{user}@{asked}" if user else asked])


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


def _place(found: HostSettings, keyword: str) -> str:
    setting = found.single.get(keyword)
    return setting.place if setting else ""


def _choice(text: str, choices: tuple[str, ...]) -> str:
    return text.lower() if text.lower() in choices else ""


def _number(found: HostSettings, keyword: str, usual: int) -> int:
    text = found.text(keyword)
    if not text:
        return usual
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 65536:
        raise ConfigurationError(
            f"{text!r} is no port",
            where=_place(found, keyword),
            remedy="correct that line",
            code="ssh-config",
        )
    return int(text)


def _seconds(text: str) -> int:
    """A time as ssh_config writes it (``90``, ``1m30s``); 0 where there is none."""
    parts = _SECONDS.findall(text)
    return sum(int(number) * _UNITS[unit.lower()] for number, unit in parts)
