"""One node's host: driver, cards' health and memory, ports, disks, container runtime, what is mounted.

Sources: HCCL's documents for its ports (HCCL_IF_BASE_PORT), a report to gpustack/runtime (#27) for the root
info; what is called scarce is this module's own choice.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from lingctl.ascend.cards.npu_smi import NpuTable
from lingctl.ascend.conf import PATH as CONF
from lingctl.ascend.facts import NodeFacts
from lingctl.ascend.host import Disk, ListeningSocket
from lingctl.ascend.scope import Scope
from lingctl.ascend.unread import Unread
from lingctl.ascend.versions import Version, fits_firmware, is_older
from lingctl.checks.cards.health import card_health_findings, own_service
from lingctl.checks.cards.judge import not_read
from lingctl.checks.remedies import bring_image
from lingctl.findings import Finding, Subject, Verdict

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
    yield from _rights(facts, scope)


def _driver(facts: NodeFacts, scope: Scope) -> Iterator[Finding]:
    node, driver, firmware = facts.node, facts.driver, facts.firmware
    table = facts.npus
    of = Subject("driver", node)
    if isinstance(table, NpuTable) and not table.installed:
        yield of.failure(
            "npu-smi says that the driver package is not completely installed",
            remedy="install the driver again, then reboot; /etc/ascend_install.info must say "
            "Driver_Install_Status=complete",
        )
    by_tool = table.driver if isinstance(table, NpuTable) else ""
    named = driver.version if isinstance(driver, Version) else by_tool
    if scope.driver and is_older(named, scope.driver):
        yield of.warning(
            f"{named} is older than {scope.driver}, which the image's CANN wants",
            remedy=f"install driver and firmware of {scope.driver} or later, then reboot",
        )
    elif isinstance(driver, Version):
        yield of.passes(driver.version)
    elif isinstance(table, NpuTable):
        yield of.note(f"{table.driver}, by npu-smi alone")
    elif "No such file" in driver.quote:
        text = "no driver is installed, or not below /usr/local/Ascend"
        yield Subject("driver", node, None).failure(
            text, evidence=driver.quote, remedy="install driver and firmware"
        )
    else:
        yield not_read(of, driver)
    of_firmware = Subject("firmware", node)
    if isinstance(firmware, Unread) and "No such file" in firmware.quote:
        yield of_firmware.note("not judged: there is no version file of its package")
    elif isinstance(firmware, Unread):
        yield not_read(of_firmware, firmware)
    elif isinstance(driver, Version) and fits_firmware(driver, firmware) is False:
        yield of_firmware.failure(
            f"{firmware.version} is not a firmware that driver {driver.version} works with",
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
        yield of_firmware.finding(Verdict.PASS if told else Verdict.NOTE, text)


def _ports(facts: NodeFacts, scope: Scope) -> Iterator[Finding]:
    node, listeners = facts.node, facts.listeners
    if not (scope.ports or scope.shared_ports):
        return
    of = Subject("port", node)
    if isinstance(listeners, Unread):
        yield not_read(of, listeners)
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
        yield of.passes(f"free: {', '.join(map(str, free))}")


def _taken(facts: NodeFacts, scope: Scope, taken: ListeningSocket, purpose: str, *, needed: bool) -> Finding:
    own = own_service(facts, scope)
    of = Subject("port", facts.node)
    if own:
        return of.passes(f"{taken.port} ({purpose}) is in use by this cluster's service")
    text = f"{taken.port} ({purpose}) is taken" + ("" if needed else ", though only the primary needs it")
    verdict = Verdict.FAILURE if needed else Verdict.WARNING
    if own is None:
        text, verdict = f"{text}; it is not known whether by this cluster's service", Verdict.UNKNOWN
    return of.finding(
        verdict,
        text,
        evidence=f"listening on {taken.address}:{taken.port} {taken.process}".strip(),
        remedy=f"see what it is: ss -ltnp 'sport = :{taken.port}'; stop it, or take another port "
        "(serving: in hosts.yaml)",
    )


def _memory(facts: NodeFacts) -> Iterator[Finding]:
    memory = facts.memory
    of = Subject("memory", facts.node)
    if isinstance(memory, Unread):
        yield not_read(of, memory)
        return
    total, available = memory
    said = f"{available / _GIB:.0f} of {total / _GIB:.0f} GiB available"
    scarce = available < _GIB
    yield of.finding(
        Verdict.WARNING if scarce else Verdict.PASS,
        said,
        remedy="stop what uses it: ps aux --sort=-rss | head" if scarce else "",
    )


def disk_findings(facts: NodeFacts, scope: Scope) -> Iterator[Finding]:
    """Free space of every path that needs some."""
    if isinstance(facts.disks, Unread):
        yield not_read(Subject("disk", facts.node), facts.disks)
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
    of = Subject("runtime", facts.node)
    if isinstance(facts.runtime, Unread):
        if facts.runtime.reason in ("empty", "not-understood", "not-asked"):
            yield not_read(of, facts.runtime)
            return
        yield of.finding(
            Verdict.WARNING if scope.image else Verdict.NOTE,
            f"{program} does not answer: {facts.runtime.text}",
            evidence=facts.runtime.quote,
            remedy=scope.runtime.down,
        )
        return
    yield of.passes(f"{program} {facts.runtime}")
    if not scope.image:
        return
    of_image = Subject("image", facts.node)
    if isinstance(facts.image, Unread):
        yield not_read(of_image, facts.image)
    elif facts.image is None:
        yield of_image.note(
            f"{scope.image} is not there yet; deploy needs it", remedy=bring_image(scope, facts.node)
        )
    else:
        yield of_image.passes(facts.image)


def _paths(facts: NodeFacts, scope: Scope) -> Iterator[Finding]:
    node, paths = facts.node, facts.paths
    of = Subject("mount", node)
    if isinstance(paths, Unread):
        yield not_read(of, paths)
        return
    # hccn.conf has a check of its own, and the root info is better absent.
    wanted = [path for path in scope.node(node).paths if path not in (CONF, ROOT_INFO)]
    absent = [path for path in wanted if paths.get(path) is False]
    untold = [path for path in wanted if path not in paths]
    for path in untold:
        yield of.unknown(f"not judged: {path} cannot be looked at", remedy=f"ls -ld {path}; dmesg | tail")
    for path in absent:
        device = path.startswith("/dev/")
        yield of.finding(
            Verdict.FAILURE if device else Verdict.WARNING,
            f"{path} is not there, and the container is given it",
            remedy="install the driver again, which makes the device files"
            if device
            else f"install what it belongs to; {scope.runtime.absent_mount}",
        )
    if wanted and not absent and not untold:
        yield of.passes(f"all {len(wanted)} are there")
    if paths.get(ROOT_INFO) and facts.generation != "950":
        yield Subject("root-info", node).warning(
            f"{ROOT_INFO} is there: ascend-docker-runtime mounts it, and a stale one ends a start (EI0014)",
            remedy=f"if nothing of yours made it: mv {ROOT_INFO} {ROOT_INFO}.old",
        )


def _firewall(facts: NodeFacts, scope: Scope) -> Iterator[Finding]:
    if not scope.multi_node:
        return
    of = Subject("firewall", facts.node)
    if isinstance(facts.firewall, Unread):
        yield of.note(f"not judged: {facts.firewall.text}")
    elif facts.firewall:
        ports = ", ".join(map(str, {**scope.ports, **scope.shared_ports}.values()))
        yield of.note(f"{', '.join(facts.firewall)} runs; HCCL needs TCP 60000-60031 and the service {ports}")


def _rights(facts: NodeFacts, scope: Scope) -> Iterator[Finding]:
    if not scope.writes:
        return
    of, rights = Subject("rights", facts.node), facts.rights
    if isinstance(rights, Unread):
        yield not_read(of, rights)
        return
    untold = [path for path in scope.writes if path not in rights.may_write]
    denied = [path for path in scope.writes if rights.may_write.get(path) is False]
    if untold:
        text = f"not judged: it is not told whether {rights.user} may write {' and '.join(untold)}"
        yield of.unknown(text, remedy=shlex.join(["ls", "-ld", *untold]))
    elif denied:
        made = shlex.join(["install", "-d", "-o", rights.user, *denied])
        yield of.failure(
            f"{rights.user} may not write {' and '.join(denied)}, which deploy does",
            remedy=f"set sudo to true under ssh in hosts.yaml, or log in as root; or as root there: {made}",
        )
    elif rights.is_root:
        yield of.passes(f"{rights.user} may do everything")
    else:
        yield of.note(
            f"{rights.user} may write what deploy writes; what asks the cards may need root, or sudo: true"
        )


def _amount(count: int) -> str:
    return f"{count / _GIB:.0f} GiB" if count >= 10 * _GIB else f"{count / _MIB:.0f} MiB"
