"""The everyday queries of hccn_tool: address, link, net_health, netdetect, gateway, TLS, LLDP, MTU, speed.

``-i N`` takes the physical id of a card. Spellings: captures of A2, A3 and 910A servers and the published
source; older and newer ones are both accepted. A text that holds several answers is refused, because it
cannot be told whose they are.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from dataclasses import dataclass
from typing import Literal

from lingctl.ascend.unread import CUT_SHORT, Unread, unread, whole
from lingctl.inventory.forms import is_address
from lingctl.remote.command import Command, command
from lingctl.remote.probe import Answer

TOOL = "hccn_tool"
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
_SEVERAL = "several answers in one"


def query(card: int, name: str, *words: str | int) -> Command:
    """``hccn_tool -i CARD -NAME -g ...``."""
    return command(TOOL, "-i", card, f"-{name}", "-g", *words)


@dataclass(frozen=True, slots=True)
class DeviceAddress:
    """Address and mask of a card; the mask as the tool prints it, a prefix length for IPv6."""

    address: str
    netmask: str

    @property
    def parsed(self) -> IpAddress:
        """The address to reckon with."""
        return _parsed(self.address)

    @property
    def family(self) -> int:
        """4 or 6."""
        return self.parsed.version

    @property
    def network(self) -> IpNetwork | None:
        """Its subnet; None when the mask is none."""
        return _network(self.address, self.netmask)


# Every card is compared with the cards of every other node, so each is asked for these many times.
@functools.lru_cache(maxsize=16384)
def _parsed(address: str) -> IpAddress:
    return ipaddress.ip_address(address)


@functools.lru_cache(maxsize=16384)
def _network(address: str, netmask: str) -> IpNetwork | None:
    try:
        return ipaddress.ip_interface(f"{address}/{netmask}").network
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Gateway:
    """Default gateway of a card; drivers of the 950 name no interface."""

    address: str
    interface: str = ""


@dataclass(frozen=True, slots=True)
class Tls:
    """The TLS switch of a card's sockets."""

    switch: int | None  # 0 or 1; None where no certificate is installed, which works like 0
    # whether the certificate is the one from the factory; None where the driver does not say
    preset: bool | None = None
    # whether a certificate has expired; None where not every certificate's state is told
    expired: bool | None = None
    issuers: tuple[str, ...] = ()  # issuers of the certificates, to compare cards with each other

    @property
    def effective(self) -> int:
        """0 or 1."""
        return self.switch or 0


@dataclass(frozen=True, slots=True)
class Neighbour:
    """What a card hears from the other end of its cable by LLDP."""

    port: str  # the neighbour's interface, e.g. ``400GE1/1/20:2``.
    chassis: str = ""  # its MAC address or what it calls itself
    kind: Literal["switch", "card", ""] = ""  # ``switch``, ``card`` (a direct cable) or empty
    max_frame: int | None = None  # largest frame it takes, in bytes


def read_address(answer: Answer | None) -> DeviceAddress | Unread | None:
    """``-ip -g``; None when no address is set."""
    if _says(answer, r"^Get ip(?:conf)? failed, because no ip was preset there!"):
        return None
    seen = whole(answer)
    if isinstance(seen, Unread):
        return seen
    found = re.findall(r"^ipaddr:(\S+)\s*\n\s*netmask:(\S+)\s*$", seen.stdout, re.MULTILINE)
    found += re.findall(
        r"^ipv6_address:(\S+)\s*\n\s*prefix_length:([0-9]{1,3})\s*$", seen.stdout, re.MULTILINE
    )
    if len(found) != 1:
        return unread(seen, _SEVERAL if found else "")
    address, mask = found[0]
    if not is_address(address):
        return unread(seen)
    return DeviceAddress(address, mask)


def read_link(answer: Answer | None) -> Literal["UP", "DOWN"] | Unread:
    """``-link -g``. Exits 0 whether up or down."""
    value = _one(answer, r"^link status:\s*(UP|DOWN)\s*$")
    if isinstance(value, Unread):
        return value
    return "UP" if value == "UP" else "DOWN"


# Both spellings of state 1 exist: `Socket failed` up to 23.0.5, `Socket fail` in today's source.
HEALTH_STATES = (
    "Success",
    "Socket fail",
    "Receive timeout",
    "Unreachable",
    "Time exceeded",
    "Fault",
    "Init",
    "Thread error",
    "Detect ip set",
    "Unknown",
)


def read_net_health(answer: Answer | None) -> str | Unread:
    """``-net_health -g``: one of ``HEALTH_STATES``. It speaks of the netdetect address only."""
    value = _one(answer, r"^net health status:\s*(\S.*?)\s*$")
    if isinstance(value, Unread):
        return value
    by_name = {state.lower(): state for state in HEALTH_STATES} | {"socket failed": "Socket fail"}
    state = by_name.get(value.lower())
    return state if state else unread(answer, f"no state of net_health that is known: {value}")


def read_netdetect(answer: Answer | None) -> str | Unread:
    """``-netdetect -g``; ``0.0.0.0`` when none is set."""
    value = _one(answer, r"^netdetect addr(?:ess)?:\s*(\S+)\s*$")
    if isinstance(value, Unread) or is_address(value):
        return value
    return unread(answer)


def read_gateway(answer: Answer | None) -> Gateway | Unread | None:
    """``-gateway -g``; None when none is set."""
    if _says(answer, r"^Get gateway failed, because no gateway was preset there!"):
        return None
    seen = whole(answer)
    if isinstance(seen, Unread):
        return seen
    found = re.findall(r"^default gateway:\s*([^,\s]+)(?:,\s*Iface:(\S+))?\s*$", seen.stdout, re.MULTILINE)
    if len(found) != 1 or not is_address(found[0][0]):
        return unread(seen, _SEVERAL if len(found) > 1 else "")
    return Gateway(*found[0])


def read_tls(answer: Answer | None) -> Tls | Unread:
    """``-tls -g``. With an expired certificate the line that says so is on stderr and the status is 0."""
    if _says(answer, r"No certificate found, please set certs firstly"):
        return Tls(None)
    seen = whole(answer)
    if isinstance(seen, Unread):
        return seen
    head = r"^(?:dev_id:|device )([0-9]{1,18}), tls switch\[([01])\][^\n]*$"
    found = re.findall(head, seen.stdout, re.MULTILINE)
    if len(found) != 1:
        return unread(seen, _SEVERAL if len(found) > 1 else "")
    preset = re.search(r"tls preconfigured\[([01])\]", seen.stdout)
    # A certificate begins with `..., [pub cert] info:`.
    _, *certificates = re.split(r"^.*\[[^\]\n]+\] info:[ \t]*$", seen.stdout, flags=re.MULTILINE)
    if not all(re.search(r"^\s*end_time\[.+\]\s*$", text, re.MULTILINE) for text in certificates):
        return unread(seen, CUT_SHORT)
    return Tls(
        int(found[0][1]),
        preset.group(1) == "1" if preset else None,
        _expired(certificates, seen.stderr),
        tuple(sorted(set(re.findall(r"^\s*issuer\[(.+)\]\s*$", seen.stdout, re.MULTILINE)))),
    )


def _expired(certificates: list[str], stderr: str) -> bool | None:
    """Whether one has expired; None unless every one says that it has not."""
    said = [re.findall(r"tls expiration status\[(\d)\]", text) for text in (*certificates, stderr)]
    if any("2" in states for states in said):
        return True
    return False if certificates and all(said[:-1]) else None


def read_lldp(answer: Answer | None) -> Neighbour | Unread | None:
    """``-lldp -g``; None when nothing was heard from the other end."""
    if answer is not None and not answer.stdout and not answer.stderr.strip() and answer.exit_status == 0:
        return None
    seen = whole(answer)
    if isinstance(seen, Unread):
        return seen
    ports = re.findall(r"^\s*Ifname:\s*(\S+)\s*$", seen.stdout, re.MULTILINE)
    if len(ports) != 1:
        return unread(seen, _SEVERAL if len(ports) > 1 else "")
    # Every LLDP packet ends with this one (IEEE 802.1AB): without it what was announced is not all known.
    if not re.search(r"^End of LLDPDU TLV\s*\Z", seen.stdout, re.MULTILINE):
        return unread(seen, CUT_SHORT)
    chassis = re.search(r"^Chassis ID TLV\s*\n\s*(?:MAC:\s*)?(\S+)\s*$", seen.stdout, re.MULTILINE)
    frame = re.search(r"^Maximum Frame Size TLV\s*\n\s*([0-9]{1,18})\s*$", seen.stdout, re.MULTILINE)
    kind: Literal["switch", "card", ""] = ""
    if "AscendNPU" in seen.stdout:
        kind = "card"
    elif re.search(r"Rout(?:er|ing)|VRP|Bridge", seen.stdout):
        kind = "switch"
    return Neighbour(
        ports[0], chassis.group(1) if chassis else "", kind, int(frame.group(1)) if frame else None
    )


def read_mtu(answer: Answer | None) -> int | Unread:
    """``-mtu -g``, in bytes."""
    value = _one(answer, r"^mtu:\s*([0-9]{1,18})\s*$")
    return value if isinstance(value, Unread) else int(value)


def read_speed(answer: Answer | None) -> int | Unread | None:
    """``-speed -g``, in Mb/s; None when the tool does not know, as on a link that is down."""
    value = _one(answer, r"^Speed:\s*([0-9]{1,18} Mb/s|Unknown!)\s*$")
    if isinstance(value, Unread):
        return value
    return None if value == "Unknown!" else int(value.split()[0])


def _says(answer: Answer | None, pattern: str) -> bool:
    """Whether the tool says on stderr that there is nothing to tell."""
    return (
        answer is not None and not answer.timed_out and bool(re.search(pattern, answer.stderr, re.MULTILINE))
    )


def _one(answer: Answer | None, pattern: str) -> str | Unread:
    """The one match of a query whose answer is one line."""
    seen = whole(answer)
    if isinstance(seen, Unread):
        return seen
    found = re.findall(pattern, seen.stdout, re.MULTILINE)
    if len(found) != 1:
        return unread(seen, _SEVERAL if len(found) > 1 else "")
    return str(found[0])
