"""A text without what tells whose it is: addresses, names, serial numbers, paths; each always by the same
stand-in, so that what was the same still is. Pure.

A stand-in has the form of what it stands for, so that a reader reads on: addresses are those that are kept
for documents (RFC 5737, RFC 3849), a MAC address one that nobody was given. Secrets go first (``redaction``).
What is known by its form or by the word before it goes; a bare name that nobody told cannot be known.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from lingctl.release.evidence.redaction import redacted

# Letters of other scripts stand beside an address without a blank: only these are a part of its word.
_APART, _END = "(?<![A-Za-z0-9])", "(?![A-Za-z0-9])"
_OCTET = r"(?:0{0,2}(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9]))"
# Four numbers, and a port of four digits or more behind another point; with a fifth it is a version.
_IPV4 = re.compile(rf"(?<![0-9])(?<![0-9]\.)(?:{_OCTET}\.){{3}}{_OCTET}(?![0-9])(?!\.[0-9]{{1,3}}(?![0-9]))")
# As names of hosts hold it.
_IPV4_IN_NAME = re.compile(
    rf"(?<![0-9])(?<![0-9][-_]){_OCTET}([-_]){_OCTET}\1{_OCTET}\1{_OCTET}(?![0-9])(?![-_][0-9])"
)
_COLONS = re.compile(r"(?:[0-9a-fA-F]{0,4}:){2,8}[0-9a-fA-F]{0,4}(?![\w:])(?!\.[0-9]{1,3}(?![0-9]))")
_MAC = re.compile(
    rf"(?i){_APART}(?<!\b[0-9a-f][0-9a-f][:-])(?:[0-9a-f]{{2}}([:-])[0-9a-f]{{2}}(?:\1[0-9a-f]{{2}}){{4,18}}"
    rf"|[0-9a-f]{{4}}([-.])[0-9a-f]{{4}}\2[0-9a-f]{{4}})(?![\w-])"
)
_UUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
_LONG = re.compile(
    rf"(?<![A-Za-z0-9_-])(?:{_UUID}|(?:0[xX])?(?=[0-9]*[a-fA-F])(?=[a-fA-F]*[0-9])[0-9a-fA-F]{{12,}}"
    r"|[0-9a-fA-F]{24,})(?![A-Za-z0-9_-])"
)
_MAIL = re.compile(r"(?<![A-Za-z0-9.+-])[\w.+-]{1,64}@[\w.-]{1,200}")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,20}://)([^\s/\"'<>]*)(/[^\s\"'<>,;]*)?")
# A name that ends as names in the network do, or has a port behind it; a source file has a line there.
_ENDINGS = (
    "com|cn|net|org|local|lan|internal|corp|intra|edu|gov|io|hk|tw|jp|kr|sg|de|fr|uk|eu|ai|cloud|bank|svc"
)
_FILES = "cc|cpp|cu|c|h|hpp|py|pyc|ts|go|rs|so|sh|toml|yaml|yml|json|log|txt|cfg|conf|info"
_LABEL = "[A-Za-z0-9-]{1,63}"
_HOST = re.compile(
    rf"(?i)(?<![A-Za-z0-9_.-])(?:{_LABEL}\.){{1,8}}"
    rf"(?:(?:{_ENDINGS})(?![\w-])|(?!(?:{_FILES}):)[a-z][a-z0-9-]{{1,62}}(?=:[0-9]{{2,5}}{_END}|:/))"
    rf"|(?<![A-Za-z0-9_./-])(?:{_LABEL}\.){{2,8}}[a-z][a-z0-9-]{{1,62}}(?=/[a-z])"
    # A single word only where it has a number: others before a path say what it is.
    r"|(?<![A-Za-z0-9_./-])[a-z][a-z-]{0,40}[0-9][a-z0-9-]{0,40}(?=:/)"
)
# What a tool calls a serial number, and the number: its letters and digits up to the end of the cell.
_SERIAL = re.compile(
    r"(?i)((?:serial(?:[ _-]?(?:number|num|no))?|[a-z_]{0,20}(?-i:SN|Sn)(?![a-z])|(?<![a-z])sn(?![a-z])"
    r"|bar[ _-]?code|uuid|\b[vn]?die[ _-]?id|asset[ _-]?tag|序列号|条码)"
    r"(?:[\"']?\s{0,40}[:=|：(>]\s{0,40}[\"']?|\s{1,40}(?:is\s{1,40})?))"
    r"([a-z0-9][\w./-]{2,80}(?: (?:0x)?[0-9A-F]{4,16})*)"
)
# One that nothing calls so; codes of MindIE and versions of drivers are written alike.
_SERIAL_FORM = re.compile(
    r"(?<![A-Za-z0-9_-])(?!MI[EC]|V[0-9]{3}R)(?=(?:[A-Z]*[0-9]){4})(?=(?:[0-9]*[A-Z]){2})[A-Z0-9]{10,40}"
    r"(?![A-Za-z0-9_-])"
)
# What stands behind these is a name: of a machine, of whom a certificate is for, of who is logged in.
_CALLED = re.compile(
    r"(?i)((?:(?<![a-z])(?:(?:host|node|sys|system|log)[ _-]?name|user(?:[ _-]?name)?|主机名|用户名?)"
    r"[\"']?\s{0,40}[:=：]\s{0,40}|system name tlv\s{1,40}|(?<![a-z])(?:host|server|peer|master_addr)="
    r"|\b(?:host|resolve)\s(?=[\"']?[a-z][\w.-]*[0-9])|\b[ug]id=[0-9]{1,10}\(|(?<=\s)(?:-u|--user)[= ])"
    r"[\"']?)([a-z][\w.-]*)"
)
_OF_CERTIFICATE = re.compile(
    r"(?<![A-Za-z0-9])((?:CN|OU?|ST|L|emailAddress|cn|dc|ou)[ ]?=[ ]?)([^,/=\n\"']{1,200})(?=[,/\n\"']|$)"
)
_OF_SYSLOG = re.compile(r"(?m)^([A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} )([A-Za-z][\w.-]*)(?= )")
_PATH = re.compile(
    r"(?<=[\"'])/[^\"'\n]*(?=[\"'])|(?:(?<![A-Za-z0-9_./<-])|(?<=\s-[A-Za-z]))/(?:[\w.+@-]+/)*[\w.+@-]+"
)
_OF_HOME = re.compile(r"(?<![A-Za-z0-9_.-])/home/([A-Za-z][\w.-]*)")
_HOME = re.compile(r"(?<![\w/])~[\w.-]+(?:/[\w.+@-]+)*")
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


def names_in(text: str) -> Iterator[tuple[str, str]]:
    """Names that stand behind a word which tells that they are names: elsewhere they may stand bare."""
    for pattern, group in ((_CALLED, 2), (_OF_SYSLOG, 2), (_OF_HOME, 1)):
        for found in pattern.finditer(text):
            if len(found[group]) > 3 and found[group].lower() not in _NO_NAMES:
                yield found[group].strip("._-"), "name"


@dataclass
class Anonymous:
    """Takes names out of texts, the same one always by the same stand-in."""

    names: Iterable[tuple[str, str]] = ()  # a name that is known to tell whose it is, and its kind
    _known: dict[tuple[str, str], int] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    _pattern: re.Pattern[str] | None = None

    def __post_init__(self) -> None:
        kinds: dict[str, str] = {}
        for name, kind in self.names:
            # One of a letter or two, and what every site has, is no name that tells anything.
            if len(name) > 2 and name.lower() not in _COMMON:
                kinds.setdefault(name.lower(), kind)
        for name, kind in kinds.items():
            self._number(kind, name)
        self._kinds = kinds
        if kinds:
            words = "|".join(re.escape(name) for name in sorted(kinds, key=len, reverse=True))
            # With the domain behind it.
            self._pattern = re.compile(rf"(?i){_APART}({words})(?:\.[a-z][a-z0-9-]*)*{_END}")

    def text(self, text: str) -> str:
        """The text with stand-ins."""
        text = redacted(text)
        text = _SERIAL.sub(lambda found: found[1] + self._serial(found[2]), text)
        text = _SERIAL_FORM.sub(lambda found: self._serial(found[0]), text)
        text = _URL.sub(self._url, text)
        for pattern in (_CALLED, _OF_CERTIFICATE, _OF_SYSLOG):
            text = pattern.sub(lambda found: found[1] + self._called(found[2]), text)
        text = _MAIL.sub(lambda found: self._mail(found[0]), text)
        if self._pattern is not None:
            text = self._pattern.sub(lambda found: self._named(found[1].lower()), text)
        text = _PATH.sub(lambda found: self._path(found[0]), text)
        text = _HOME.sub(lambda found: self._path(found[0]), text)
        text = _LONG.sub(lambda found: self._of("digest", found[0].lower(), "digest-{}".format), text)
        text = _MAC.sub(lambda found: self._mac(found[0]), text)
        text = _IPV4.sub(lambda found: self._ipv4(found[0]), text)
        text = _IPV4_IN_NAME.sub(
            lambda found: self._ipv4(found[0].replace(found[1], ".")).replace(".", found[1]), text
        )
        text = _COLONS.sub(self._ipv6, text)
        return _HOST.sub(lambda found: self._host(found[0]), text)

    def _number(self, kind: str, value: str) -> int:
        if (kind, value) not in self._known:
            self._known[kind, value] = self._counts[kind] = self._counts.get(kind, 0) + 1
        return self._known[kind, value]

    def _of(self, kind: str, value: str, form: Callable[[int], str]) -> str:
        return form(self._number(kind, value))

    def _named(self, name: str) -> str:
        return f"{self._kinds[name]}-{self._number(self._kinds[name], name)}"

    def _called(self, name: str) -> str:
        known = name.strip().lower()
        if known in self._kinds:
            return self._named(known)
        if known in _COMMON or known in _NO_NAMES or _NAMED.fullmatch(known):
            return name
        return self._of("name", known, "name-{}".format)

    def _serial(self, value: str) -> str:
        if not re.search(r"\d|^[A-Z]{6,}$", value) or re.fullmatch(r"SERIAL\d+", value):
            return value
        return self._of("serial", value, "SERIAL{}".format)

    def _mail(self, mail: str) -> str:
        return mail if mail.endswith("@example.org") else self._of("mail", mail, "user-{}@example.org".format)

    def _url(self, found: re.Match[str]) -> str:
        scheme, place, path = found[1], found[2], found[3] or ""
        place = place.rpartition("@")[2]
        host, colon, port = place.rpartition(":") if re.search(r":[0-9]*$", place) else (place, "", "")
        if host.lower() in _PUBLIC:
            return found[0]
        if host and not re.match(r"[0-9\[:]", host):
            host = self._host(host)
        return f"{scheme}{host}{colon}{port}{self._path(path) if len(path) > 1 else path}"

    def _path(self, path: str) -> str:
        if any(path == place or path.startswith(f"{place}/") for place in _EVERYWHERE):
            return path
        return path if re.fullmatch(r"/path-\d+", path) else self._of("path", path, "/path-{}".format)

    def _mac(self, mac: str) -> str:
        signs = re.sub(r"[^0-9a-f]", "", mac.lower())
        if signs.startswith("020000"):
            return mac
        digits = iter(f"02{self._number('mac', signs):0{len(signs) - 2}x}")
        return "".join(next(digits) if sign.isalnum() else sign for sign in mac)

    def _ipv4(self, address: str) -> str:
        plain = ".".join(str(int(part)) for part in address.split("."))
        return address if _NOBODYS.match(plain) or _is_documents(plain) else self._of("ipv4", plain, _ipv4)

    def _ipv6(self, found: re.Match[str]) -> str:
        """A time and a bus address are written so too; what stands before it may end in a colon."""
        text, before = found[0], found.string[max(0, found.start() - 1) : found.start()]
        begins = [0] if not re.match(r"[\w.]", before) else []
        begins += [place + 1 for place, sign in enumerate(text) if sign == ":"]
        for begin in begins:
            address = text[begin:] if text.endswith("::") else text[begin:].rstrip(":")
            if begin and address.startswith(":"):
                continue
            try:
                parsed = ipaddress.IPv6Address(address)
            except ValueError:
                continue
            if parsed.is_unspecified or parsed.is_loopback or str(parsed).startswith("2001:db8:"):
                return text
            rest = text[begin + len(address) :]
            return f"{text[:begin]}{self._of('ipv6', str(parsed), '2001:db8::{:x}'.format)}{rest}"
        return text

    def _host(self, name: str) -> str:
        low = name.lower()
        if low.endswith("example.org") or low in _PUBLIC or low in _COMMON or _NAMED.fullmatch(low):
            return name
        return self._named(low) if low in self._kinds else self._of("host", low, "host-{}.example.org".format)


# Stand-ins.
_NAMED = re.compile(r"(?:name|user|node|host|hostname|cluster|container)-\d+(?:[@.]example\.org)?")
# Names in vendors' own texts.
_PUBLIC = frozenset({"www.hiascend.com", "hiascend.com", "huawei.com", "github.com", "gitee.com"})
_COMMON = frozenset(
    {
        *("root", "node", "nodes", "models", "localhost", "lingctl", "ling", "data", "bailing_moe"),
        *("ascend", "mindie", "vllm", "docker", "master", "worker", "server", "client", "host", "npu"),
        *("hwhiaiuser", "admin", "service", "model", "error", "failed"),
    }
)
# What stands behind "user" and "host name" in sentences.
_NO_NAMES = frozenset(
    {
        *("is", "are", "was", "has", "may", "can", "does", "not", "no", "none", "null", "unknown"),
        *("and", "or", "of", "in", "for", "to", "a", "the"),
    }
)


def _ipv4(number: int) -> str:
    room, place = divmod(number - 1, 254)
    return f"{_ROOM[room]}.{place + 1}" if room < len(_ROOM) else f"198.18.{number // 250}.{number % 250}"


def _is_documents(address: str) -> bool:
    return address.rpartition(".")[0] in _ROOM
