"""One node's host: driver, cards' health and memory, ports, disks, container runtime, what is mounted.

Sources: HCCL's documents for its ports (HCCL_IF_BASE_PORT), a report to gpustack/runtime (#27) for the root
info; what is called scarce is this module's own choice.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from lingctl.ascend.conf import PATH as CONF
from lingctl.ascend.facts import NodeFacts
from lingctl.ascend.host import Disk, ListeningSocket
from lingctl.ascend.npu_smi import NpuTable
from lingctl.ascend.unread import Unread
from lingctl.ascend.versions import Version, fits_firmware, is_older
from lingctl.checks.cards.health import card_health_findings, own_service
from lingctl.checks.cards.roce import unknown
from lingctl.checks.scope import Scope
from lingctl.findings import Finding, Verdict

ROOT_INFO = "/etc/hccl_rootinfo.json"
_SHM = "/dev/shm"  # noqa: S108  (its name, no file is made)
_GIB = 1 << 30
_MIB = 1 << 20


def node_findings(facts: NodeFacts, scope: Scope) -> Iterator[Finding]:
    """Everything about one node but its cards' network."""
    yield from _driver(facts, scope)
    yield from card_health_findings(facts, scope)
    yield from _ports(facts, scope)
    yield from _memory(facts)
    yield from disk_findings(facts, scope)
    yield from _runtime(facts, scope)
    yield from _paths(facts, scope)
    yield from _firewall(facts, scope)


def _driver(facts: NodeFacts, scope: Scope) -> Iterator[Finding]:
    node, driver, firmware = facts.node, facts.driver, facts.firmware
    table = facts.npus
    if isinstance(table, NpuTable) and not table.installed:
        yield Finding(
            "driver",
            Verdict.FAILURE,
            "npu-smi says that the driver package is not completely installed",
            node,
            remedy="install the driver again, then reboot; /etc/ascend_install.info must say "
            "Driver_Install_Status=complete",
        )
    by_tool = table.driver if isinstance(table, NpuTable) else ""
    named = driver.version if isinstance(driver, Version) else by_tool
    if scope.driver and is_older(named, scope.driver):
        yield Finding(
            "driver",
            Verdict.WARNING,
            f"{named} is older than {scope.driver}, which the image's CANN wants",
            node,
            remedy=f"install driver and firmware of {scope.driver} or later, then reboot",
        )
    elif isinstance(driver, Version):
        yield Finding("driver", Verdict.PASS, driver.version, node)
    elif isinstance(table, NpuTable):
        yield Finding("driver", Verdict.NOTE, f"{table.driver}, by npu-smi alone", node)
    elif "No such file" in driver.quote:
        text = "no driver is installed, or not below /usr/local/Ascend"
        yield Finding(
            "driver",
            Verdict.FAILURE,
            text,
            node,
            None,
            evidence=driver.quote,
            remedy="install driver and firmware",
        )
    else:
        yield unknown("driver", driver, node)
    if isinstance(firmware, Unread):
        yield Finding("firmware", Verdict.NOTE, f"not judged: {firmware.text}", node)
    elif isinstance(driver, Version) and fits_firmware(driver, firmware) is False:
        yield Finding(
            "firmware",
            Verdict.FAILURE,
            f"{firmware.version} is not a firmware that driver {driver.version} works with",
            node,
            evidence=f"the driver asks for {' to '.join(driver.firmware or ())}",
            remedy="install driver and firmware of one release (driver first, then firmware, then reboot)",
        )
    else:
        told = isinstance(driver, Version) and driver.firmware is not None
        text = (
            firmware.version
            if told
            else f"{firmware.version}; not judged: the driver names no firmware it wants"
        )
        yield Finding("firmware", Verdict.PASS if told else Verdict.NOTE, text, node)


def _ports(facts: NodeFacts, scope: Scope) -> Iterator[Finding]:
    node, listeners = facts.node, facts.listeners
    if not (scope.ports or scope.shared_ports):
        return
    if isinstance(listeners, Unread):
        yield unknown("port", listeners, node)
        return
    address = scope.node(node).address
    free = []
    for purpose, port in {**scope.ports, **scope.shared_ports}.items():
        taken = next((one for one in listeners if one.port == port and one.covers(address)), None)
        if taken is None:
            free.append(port)
        else:
            needed = purpose in scope.shared_ports or node == scope.primary.name
            yield _taken(facts, scope, taken, purpose, needed=needed)
    if free:
        yield Finding("port", Verdict.PASS, f"free: {', '.join(map(str, free))}", node)


def _taken(facts: NodeFacts, scope: Scope, taken: ListeningSocket, purpose: str, *, needed: bool) -> Finding:
    own = own_service(facts, scope)
    if own:
        text = f"{taken.port} ({purpose}) is in use by this cluster's service"
        return Finding("port", Verdict.PASS, text, facts.node)
    text = f"{taken.port} ({purpose}) is taken" + ("" if needed else ", though only the primary needs it")
    verdict = Verdict.FAILURE if needed else Verdict.WARNING
    if own is None:
        text, verdict = f"{text}; it is not known whether by this cluster's service", Verdict.UNKNOWN
    return Finding(
        "port",
        verdict,
        text,
        facts.node,
        evidence=f"listening on {taken.address}:{taken.port} {taken.process}".strip(),
        remedy=f"see what it is: ss -ltnp 'sport = :{taken.port}'; stop it, or take another port "
        "(serving: in hosts.yaml)",
    )


def _memory(facts: NodeFacts) -> Iterator[Finding]:
    memory = facts.memory
    if isinstance(memory, Unread):
        yield unknown("memory", memory, facts.node)
        return
    total, available = memory
    said = f"{available / _GIB:.0f} of {total / _GIB:.0f} GiB available"
    scarce = available < _GIB
    yield Finding(
        "memory",
        Verdict.WARNING if scarce else Verdict.PASS,
        said,
        facts.node,
        remedy="stop what uses it: ps aux --sort=-rss | head" if scarce else "",
    )


def disk_findings(facts: NodeFacts, scope: Scope) -> Iterator[Finding]:
    """Free space of every path that needs some."""
    if isinstance(facts.disks, Unread):
        yield unknown("disk", facts.disks, facts.node)
        return
    for disk in facts.disks:
        yield _disk(facts.node, disk)
    for path in scope.disks:
        if path not in {disk.path for disk in facts.disks}:
            check = "shm" if path == _SHM else "disk"
            text = f"not judged: the free space of {path} is not told"
            yield Finding(check, Verdict.UNKNOWN, text, facts.node, remedy=f"df -h {path}")


def _disk(node: str, disk: Disk) -> Finding:
    check = "shm" if disk.path == _SHM else "disk"
    said = f"{disk.path}: {_amount(disk.free)} of {_amount(disk.total)} free"
    # Room for the release, the overlay and a console log; what the weights need is the download's matter.
    if disk.free < 8 * _MIB or disk.free < 0.001 * disk.total:
        return Finding(
            check,
            Verdict.FAILURE,
            f"no space for {disk.path}",
            node,
            evidence=f"{disk.mounted}: {_amount(disk.free)} of {_amount(disk.total)} free",
            remedy=f"make room: du -xh {disk.mounted} | sort -h | tail",
        )
    return Finding(check, Verdict.PASS, said, node)


def _runtime(facts: NodeFacts, scope: Scope) -> Iterator[Finding]:
    program = scope.runtime.program
    if isinstance(facts.runtime, Unread):
        if facts.runtime.reason in ("empty", "not-understood", "not-asked"):
            yield unknown("runtime", facts.runtime, facts.node)
            return
        yield Finding(
            "runtime",
            Verdict.WARNING if scope.image else Verdict.NOTE,
            f"{program} does not answer: {facts.runtime.text}",
            facts.node,
            evidence=facts.runtime.quote,
            remedy=scope.runtime.down,
        )
        return
    yield Finding("runtime", Verdict.PASS, f"{program} {facts.runtime}", facts.node)
    if not scope.image:
        return
    if isinstance(facts.image, Unread):
        yield unknown("image", facts.image, facts.node)
    elif facts.image is None:
        image = shlex.quote(scope.image)
        yield Finding(
            "image",
            Verdict.NOTE,
            f"{scope.image} is not there yet; deploy needs it",
            facts.node,
            remedy=f"{program} pull {image}; or, without a network, bring it from a machine that has it: "
            f"{program} save {image} | ssh {scope.node(facts.node).address or facts.node} {program} load",
        )
    else:
        yield Finding("image", Verdict.PASS, facts.image, facts.node)


def _paths(facts: NodeFacts, scope: Scope) -> Iterator[Finding]:
    node, paths = facts.node, facts.paths
    if isinstance(paths, Unread):
        yield unknown("mount", paths, node)
        return
    # hccn.conf has a check of its own, and the root info is better absent.
    wanted = [path for path in scope.node(node).paths if path not in (CONF, ROOT_INFO)]
    absent = [path for path in wanted if paths.get(path) is False]
    untold = [path for path in wanted if path not in paths]
    for path in untold:
        text = f"not judged: {path} cannot be looked at"
        yield Finding("mount", Verdict.UNKNOWN, text, node, remedy=f"ls -ld {path}; dmesg | tail")
    for path in absent:
        device = path.startswith("/dev/")
        yield Finding(
            "mount",
            Verdict.FAILURE if device else Verdict.WARNING,
            f"{path} is not there, and the container is given it",
            node,
            remedy="install the driver again, which makes the device files"
            if device
            else f"install what it belongs to; {scope.runtime.absent_mount}",
        )
    if wanted and not absent and not untold:
        yield Finding("mount", Verdict.PASS, f"all {len(wanted)} are there", node)
    if paths.get(ROOT_INFO) and facts.generation != "950":
        yield Finding(
            "root-info",
            Verdict.WARNING,
            f"{ROOT_INFO} is there: ascend-docker-runtime mounts it, and a stale one ends a start (EI0014)",
            node,
            remedy=f"if nothing of yours made it: mv {ROOT_INFO} {ROOT_INFO}.old",
        )


def _firewall(facts: NodeFacts, scope: Scope) -> Iterator[Finding]:
    if not scope.multi_node:
        return
    if isinstance(facts.firewall, Unread):
        yield Finding("firewall", Verdict.NOTE, f"not judged: {facts.firewall.text}", facts.node)
    elif facts.firewall:
        ports = ", ".join(map(str, {**scope.ports, **scope.shared_ports}.values()))
        yield Finding(
            "firewall",
            Verdict.NOTE,
            f"{', '.join(facts.firewall)} runs; HCCL needs TCP 60000-60031 and the service {ports}",
            facts.node,
        )


def _amount(count: int) -> str:
    return f"{count / _GIB:.0f} GiB" if count >= 10 * _GIB else f"{count / _MIB:.0f} MiB"
