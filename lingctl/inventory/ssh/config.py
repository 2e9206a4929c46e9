"""Which lines of OpenSSH's configuration hold for a host: ``Host``, ``Match``, ``Include``; first value wins.

paramiko has a reader too, which passes over ``Include``, takes criteria that it does not know for matching,
and does not tell which line a value is of. ``ssh -G`` tells all but the line, costs a process for each node,
and is not on every machine; the tests hold this reader to it.
"""

from __future__ import annotations

import glob
import hashlib
import os
import shlex
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lingctl.errors import ConfigurationError
from lingctl.inventory.forms import is_address
from lingctl.inventory.ssh.lines import ConfigLine, read_lines
from lingctl.inventory.ssh.machine import Machine
from lingctl.inventory.ssh.patterns import listed
from lingctl.inventory.ssh.tokens import at_home, expand

# Each line of these adds; of all others the first counts.
_ADDING = ("identityfile", "certificatefile")
# Their value is the rest of the line as it is written.
_RAW = ("proxycommand", "proxyjump", "knownhostscommand", "localcommand", "remotecommand")
_OTHER_NAMES = {
    "pubkeyacceptedkeytypes": "pubkeyacceptedalgorithms",
    "hostbasedkeytypes": "hostbasedacceptedalgorithms",
    "globalknownhostsfile2": "globalknownhostsfile",
    "userknownhostsfile2": "userknownhostsfile",
}
_PROXIES = ("proxyjump", "proxycommand")
_DEEPEST = 16


@dataclass(frozen=True, slots=True)
class SaidSetting:
    """A value and where it is from."""

    words: tuple[str, ...]  # without quotes
    place: str = ""  # file and line; nothing for what hosts.yaml says

    @property
    def text(self) -> str:
        """The words with blanks between them."""
        return " ".join(self.words)


@dataclass(slots=True)
class HostSettings:
    """What holds for one host."""

    asked: str  # its name as one would give it to ssh
    around: Machine  # where it is asked from
    second: str | None = None  # the name that a first reading found, where the files are read a second time
    # by keyword in lower case, what is said once
    single: dict[str, SaidSetting] = field(default_factory=dict)
    adding: dict[str, list[SaidSetting]] = field(default_factory=dict)  # by keyword, what every line adds

    @property
    def host(self) -> str:
        """The name to connect to, as far as is known: ``HostName``, with what was asked for in it."""
        if self.second is not None:
            return self.second
        said = self.single.get("hostname")
        name = self.asked if said is None else expand(said.text, {"h": self.asked}, said.place)
        return name.lower()

    def text(self, keyword: str) -> str:
        """A value, or nothing where none is set; a value of one word with blanks between several."""
        found = self.single.get(keyword)
        return found.text if found else ""

    def place(self, keyword: str) -> str:
        """File and line of a value, or nothing."""
        found = self.single.get(keyword)
        return found.place if found else ""

    def is_on(self, keyword: str) -> bool:
        """Whether a switch is set to yes."""
        return self.text(keyword).lower() in ("yes", "true")

    def is_off(self, keyword: str) -> bool:
        """Whether it is set to no."""
        return self.text(keyword).lower() in ("no", "false")

    @property
    def tokens(self) -> dict[str, str]:
        """What each token of ssh_config stands for, as far as is known."""
        around, jump = self.around, self.text("proxyjump")
        user, port = self.text("user") or around.user, self.text("port") or "22"
        named = os.fsencode(f"{around.host}{self.host}{port}{user}")
        whole = hashlib.sha1(named, usedforsecurity=False).hexdigest()
        return {
            "C": whole,
            "L": around.host.partition(".")[0],
            "d": str(around.home),
            "h": self.host,
            "i": str(os.getuid()),
            "j": "" if jump == "none" else jump,
            "k": self.text("hostkeyalias") or self.asked,
            "l": around.host,
            "n": self.asked,
            "p": port,
            "r": user,
            "u": around.user,
        }


def settings_for(
    asked: str, files: Sequence[Path], preset: Mapping[str, str], around: Machine
) -> HostSettings:
    """What the files say of a host.

    Args:
        asked: the name as one would give it to ssh.
        files: in order.
        preset: what is decided already, as by an option of ssh, by keyword.
        around: this machine.

    Raises:
        ConfigurationError: a file says something that cannot be.
    """
    said = {keyword: SaidSetting((value,)) for keyword, value in preset.items()}
    found = HostSettings(asked, around, single=said)
    reading = _Reading(found)
    reading.read(files)
    canonical = _canonical(found)
    if canonical or reading.asks_again:
        found.second = canonical or found.host
        reading.read(files)
    return found


class _Reading:
    def __init__(self, found: HostSettings) -> None:
        self.asks_again = False
        self._found, self._around = found, found.around

    def read(self, files: Sequence[Path]) -> None:
        for file in files:
            if file == self._around.user_config:
                _check_owner(file)
            # As OpenSSH: what a file of the user's includes is looked for in ~/.ssh.
            own = file != self._around.system_config
            self._walk(file, True, 0, self._around.home / ".ssh" if own else file.parent)

    def _walk(self, file: Path, counts: bool, depth: int, folder: Path) -> None:
        """Take the lines of a file that count; none does where it is included for other hosts."""
        if depth > _DEEPEST:
            raise ConfigurationError(
                "files of ssh's configuration include each other too deeply",
                where=str(file),
                remedy="take the Include out that leads back; or ssh: {config: none} in hosts.yaml",
                code="ssh-config",
            )
        active = counts
        for line in read_lines(file):
            if line.keyword == "host":
                active = counts and listed(self._found.second or self._found.asked, line.words)
            elif line.keyword == "match":
                active = counts and self._matches(line)
            elif line.keyword == "include":
                for path in self._included(line, folder):
                    self._walk(path, active, depth + 1, folder)
            elif active:
                self._take(line)

    def _included(self, line: ConfigLine, folder: Path) -> list[Path]:
        patterns = [folder / at_home(word, self._around) for word in line.words]
        return [Path(name) for pattern in patterns for name in sorted(glob.glob(str(pattern)))]  # noqa: PTH207  (absolute)

    def _take(self, line: ConfigLine) -> None:
        keyword = _OTHER_NAMES.get(line.keyword, line.keyword)
        raw = keyword in _RAW
        words = (line.rest,) if raw else tuple(line.words)
        if not words:
            raise line.error("nothing behind the keyword")
        setting = SaidSetting(words, line.place)
        if keyword in _ADDING:
            if keyword in self._found.single:
                return  # decided beforehand
            known = self._found.adding.setdefault(keyword, [])
            if setting.words not in [one.words for one in known]:
                known.append(setting)
            return
        # Of these two, the first excludes the other; but ProxyJump none does not exclude a ProxyCommand.
        jump = self._found.text("proxyjump").lower()
        if keyword == "proxyjump" and "proxycommand" in self._found.single:
            return
        if keyword == "proxycommand" and jump not in ("", "none"):
            return
        self._found.single.setdefault(keyword, setting)

    def _matches(self, line: ConfigLine) -> bool:
        words, holds, count = line.words, True, 0
        while words:
            criterion = words.pop(0).lower()
            negated, criterion = criterion.startswith("!"), criterion.removeprefix("!")
            count += 1
            if criterion == "all":
                if words or count > 2:
                    raise line.error("'all' stands alone, or behind canonical or final")
                return holds and not negated
            if criterion in ("canonical", "final"):
                # Only a line that asks for it brings the second reading about.
                self.asks_again = self.asks_again or criterion == "final"
                holds = holds and (self._found.second is not None) != negated
                continue
            if not words:
                raise line.error(f"nothing behind {criterion}")
            argument = words.pop(0)
            # A command is not run where it could not change the answer.
            holds = holds and self._meets(criterion, argument, line) != negated
        if not count:
            raise line.error("no criterion")
        return holds

    def _meets(self, criterion: str, argument: str, line: ConfigLine) -> bool:
        around, patterns = self._around, argument.split(",")
        if criterion == "host":
            return listed(self._found.host, [pattern.lower() for pattern in patterns])
        if criterion == "originalhost":
            return listed(self._found.asked.lower(), [pattern.lower() for pattern in patterns])
        if criterion == "user":
            return listed(self._found.text("user") or around.user, patterns)
        if criterion == "localuser":
            return listed(around.user, patterns)
        if criterion == "tagged":
            return listed(self._found.text("tag"), patterns)
        if criterion == "exec":
            return around.succeeds(expand(argument, self._found.tokens, line.place))
        raise line.error(f"lingctl does not know the criterion {criterion}")


def _canonical(found: HostSettings) -> str:
    """The full name that ``CanonicalizeHostname`` makes of a short one, or nothing."""
    host, how = found.host, found.text("canonicalizehostname").lower()
    proxied = any(found.text(one) not in ("", "none") for one in _PROXIES)
    if how not in ("yes", "true", "always") or (proxied and how != "always"):
        return ""
    dots = found.text("canonicalizemaxdots") or "1"
    if host.endswith(".") or is_address(host):
        return host.rstrip(".")
    if host.count(".") <= (int(dots) if dots.isdecimal() else 1):
        for domain in found.text("canonicaldomains").split():
            if domain != "none" and found.around.resolves(f"{host}.{domain}"):
                return f"{host}.{domain}".lower()
    return host


def _check_owner(file: Path) -> None:
    """As OpenSSH: what names commands to run must not be writable by others."""
    try:
        seen = file.stat()
    except OSError:
        return
    if seen.st_uid not in (0, os.getuid()) or seen.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigurationError(
            f"others may write {file}, which names commands that are run",
            where=str(file),
            remedy=f"chmod go-w {shlex.quote(str(file))}; ls -l {shlex.quote(str(file))}",
            code="ssh-config-open",
        )
