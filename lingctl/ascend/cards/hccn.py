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

from lingctl.ascend.unread import CUT_SHORT, Unread, of_whole, the_one, unread, where_it_says
from lingctl.inventory.forms import is_address
from lingctl.remote.command import Command, command
from lingctl.remote.probe import Answer

TOOL = "hccn_tool"
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


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


@where_it_says(r"^Get ip(?:conf)? failed, because no ip was preset there!", None)
@of_whole
def read_address(seen: Answer) -> DeviceAddress | Unread:
    """``-ip -g``; None when no address is set."""
    v4, v6 = r"ipaddr:(\S+)\s*\n\s*netmask:(\S+)", r"ipv6_address:(\S+)\s*\n\s*prefix_length:([0-9]{1,3})"
    found = the_one(seen, rf"^(?:{v4}|{v6})\s*$")
    address, mask = found[1] or found[3], found[2] or found[4]
    return DeviceAddress(address, mask) if is_address(address) else unread(seen)


@of_whole
def read_link(seen: Answer) -> Literal["UP", "DOWN"]:
    """``-link -g``. Exits 0 whether up or down."""
    return "UP" if the_one(seen, r"^link status:\s*(UP|DOWN)\s*$")[1] == "UP" else "DOWN"


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


@of_whole
def read_net_health(seen: Answer) -> str | Unread:
    """``-net_health -g``: one of ``HEALTH_STATES``. It speaks of the netdetect address only."""
    value = the_one(seen, r"^net health status:\s*(\S.*?)\s*$")[1]
    by_name = {state.lower(): state for state in HEALTH_STATES} | {"socket failed": "Socket fail"}
    state = by_name.get(value.lower())
    return state if state else unread(seen, f"no state of net_health that is known: {value}")


@of_whole
def read_netdetect(seen: Answer) -> str | Unread:
    """``-netdetect -g``; ``0.0.0.0`` when none is set."""
    value = the_one(seen, r"^netdetect addr(?:ess)?:\s*(\S+)\s*$")[1]
    return value if is_address(value) else unread(seen)


@where_it_says(r"^Get gateway failed, because no gateway was preset there!", None)
@of_whole
def read_gateway(seen: Answer) -> Gateway | Unread:
    """``-gateway -g``; None when none is set."""
    found = the_one(seen, r"^default gateway:\s*([^,\s]+)(?:,\s*Iface:(\S+))?\s*$")
    return Gateway(found[1], found[2] or "") if is_address(found[1]) else unread(seen)


@where_it_says(r"No certificate found, please set certs firstly", Tls(None))
@of_whole
def read_tls(seen: Answer) -> Tls | Unread:
    """``-tls -g``. With an expired certificate the line that says so is on stderr and the status is 0."""
    switch = the_one(seen, r"^(?:dev_id:|device )[0-9]{1,18}, tls switch\[([01])\][^\n]*$")[1]
    preset = re.search(r"tls preconfigured\[([01])\]", seen.stdout)
    # A certificate begins with `..., [pub cert] info:`.
    _, *certificates = re.split(r"^.*\[[^\]\n]+\] info:[ \t]*$", seen.stdout, flags=re.MULTILINE)
    if not all(re.search(r"^\s*end_time\[.+\]\s*$", text, re.MULTILINE) for text in certificates):
        return unread(seen, CUT_SHORT)
    return Tls(
        int(switch),
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
    return _neighbour(answer)


@of_whole
def _neighbour(seen: Answer) -> Neighbour | Unread:
    port = the_one(seen, r"^\s*Ifname:\s*(\S+)\s*$")[1]
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
    return Neighbour(port, chassis[1] if chassis else "", kind, int(frame[1]) if frame else None)


@of_whole
def read_mtu(seen: Answer) -> int:
    """``-mtu -g``, in bytes."""
    return int(the_one(seen, r"^mtu:\s*([0-9]{1,18})\s*$")[1])


@of_whole
def read_speed(seen: Answer) -> int | None:
    """``-speed -g``, in Mb/s; None when the tool does not know, as on a link that is down."""
    number = the_one(seen, r"^Speed:\s*(?:([0-9]{1,18}) Mb/s|Unknown!)\s*$")[1]
    return None if number is None else int(number)
