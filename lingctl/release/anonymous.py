"""A text without what tells whose it is: addresses, names, serial numbers, paths; each always by the same
stand-in, so that what was the same still is. Pure.

A stand-in has the form of what it stands for, so that a reader reads on: addresses are those that are kept
for documents (RFC 5737, RFC 3849), a MAC address one that nobody was given. Secrets go first (``redaction``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from lingctl.release.redaction import redacted

_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_IPV4 = re.compile(rf"(?<![\w.])(?:{_OCTET}\.){{3}}{_OCTET}(?![\w.]*\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?=[0-9a-fA-F:]{0,4}:)(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}(?![\w:])")
_MAC = re.compile(r"(?<![\w:-])[0-9a-fA-F]{2}(?:[:-][0-9a-fA-F]{2}){5}(?![\w:-])")
_UUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
_LONG = re.compile(rf"(?<![\w-])(?:{_UUID}|[0-9a-fA-F]{{24,}})(?![\w-])")
_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w.-]{1,200}")
_HOST = re.compile(
    r"(?<![\w.-])(?:[A-Za-z0-9-]{1,63}\.){1,8}(?:com|cn|net|org|local|lan|internal|corp|intra|edu|gov|io)(?![\w-])"
)
# What a tool calls a serial number, and the number: its letters and digits up to the end of the cell.
_SERIAL = re.compile(
    r"(?i)((?:serial(?:[ _-]?(?:number|num|no))?|vendor[ _-]?sn|\bsn|\buuid|\bvdie[ _-]?id|\bndie[ _-]?id"
    r"|\bdie[ _-]?id|\basset[ _-]?tag)[\"']?[ \t]{0,40}[:=|][ \t]{0,40}[\"']?)"
    r"([A-Za-z0-9][\w./-]{2,80}(?: [0-9A-F]{4,16})*)"
)
_PATH = re.compile(r"(?<![\w./:-])/(?:[\w.+@-]+/)*[\w.+@-]+")
# Folders whose files have the same names on every machine.
_EVERYWHERE = (
    *("/usr/local/Ascend", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib64", "/usr/local/bin"),
    *("/usr/local/lib", "/usr/local/sbin", "/bin", "/sbin", "/lib", "/lib64", "/dev", "/proc", "/sys"),
    *("/etc/hccn.conf", "/etc/ascend_install.info", "/etc/hccl_rootinfo.json"),
    *("/var/lib/lingctl", "/v1", "/v2", "/health"),
)
# Addresses that are nobody's: none, all, masks, this machine.
_NOBODYS = re.compile(r"^(?:0\.|127\.|255\.)")
_ROOM = ("192.0.2", "198.51.100", "203.0.113")


@dataclass
class Anonymous:
    """Takes names out of texts, the same one always by the same stand-in."""

    names: Iterable[tuple[str, str]] = ()  # a name that is known to tell whose it is, and its kind
    _known: dict[tuple[str, str], str] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    _pattern: re.Pattern[str] | None = None

    def __post_init__(self) -> None:
        kinds: dict[str, str] = {}
        for name, kind in self.names:
            # One of a letter or two, and what every site has, is no name that tells anything.
            if len(name) > 2 and name not in _COMMON:
                kinds.setdefault(name, kind)
        for name, kind in kinds.items():
            self._of(kind, name, f"{kind}-{{}}".format)
        self._kinds = kinds
        if kinds:
            words = "|".join(re.escape(name) for name in sorted(kinds, key=len, reverse=True))
            self._pattern = re.compile(rf"(?<![\w.])(?:{words})(?![\w]|\.\w)")

    def text(self, text: str) -> str:
        """The text with stand-ins."""
        text = redacted(text)
        text = _SERIAL.sub(lambda found: found[1] + self._serial(found[2]), text)
        text = _MAIL.sub(lambda found: self._of("mail", found[0], "user-{}@example.org".format), text)
        text = _LONG.sub(lambda found: self._of("digest", found[0].lower(), "digest-{}".format), text)
        if self._pattern is not None:
            text = self._pattern.sub(lambda found: self._named(found[0]), text)
        text = _PATH.sub(lambda found: self._path(found[0]), text)
        text = _MAC.sub(lambda found: self._of("mac", found[0].lower(), _mac), text)
        text = _IPV6.sub(lambda found: self._ipv6(found[0]), text)
        text = _IPV4.sub(lambda found: self._ipv4(found[0]), text)
        return _HOST.sub(lambda found: self._host(found[0]), text)

    def _of(self, kind: str, value: str, form: Callable[[int], str]) -> str:
        found = self._known.get((kind, value))
        if found is None:
            number = self._counts[kind] = self._counts.get(kind, 0) + 1
            found = self._known[kind, value] = form(number)
        return found

    def _named(self, name: str) -> str:
        return self._known[self._kinds[name], name]

    def _serial(self, value: str) -> str:
        return self._of("serial", value, "SERIAL{}".format) if re.search(r"\d", value) else value

    def _path(self, path: str) -> str:
        if any(path == place or path.startswith(f"{place}/") for place in _EVERYWHERE):
            return path
        return self._of("path", path, "/path-{}".format)

    def _ipv4(self, address: str) -> str:
        return (
            address if _NOBODYS.match(address) or _is_documents(address) else self._of("ipv4", address, _ipv4)
        )

    def _ipv6(self, address: str) -> str:
        # A time is written so too; a whole address has eight groups.
        is_address = "::" in address or address.count(":") == 7
        if not is_address or address.strip(":") in ("", "1") or address.lower().startswith("2001:db8"):
            return address
        return self._of("ipv6", address.lower(), "2001:db8::{:x}".format)

    def _host(self, name: str) -> str:
        return name if name.endswith("example.org") or name in _PUBLIC else self._of("host", name, _host)


# Names in vendors' own texts.
_PUBLIC = frozenset({"www.hiascend.com", "hiascend.com", "huawei.com", "github.com", "gitee.com"})
_COMMON = frozenset(
    {"root", "node", "nodes", "models", "localhost", "lingctl", "ling", "data", "bailing_moe"}
)


def _ipv4(number: int) -> str:
    room, place = divmod(number - 1, 254)
    return f"{_ROOM[room]}.{place + 1}" if room < len(_ROOM) else f"198.18.{number // 250}.{number % 250}"


def _mac(number: int) -> str:
    return f"02:00:00:00:{number >> 8 & 255:02x}:{number & 255:02x}"


def _host(number: int) -> str:
    return f"host-{number}.example.org"


def _is_documents(address: str) -> bool:
    return address.rpartition(".")[0] in _ROOM
