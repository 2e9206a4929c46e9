"""The files of an emulated Atlas 800I A2 server, at the places where the real ones are.

Contents: captures of driver 24.1 servers (version.info, ascend_install.info, hccn.conf).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from lingctl.sandbox.interpreter import (
    any_tool_script,
    base_python,
    full_script,
    places,
    tool_script,
)
from lingctl.sandbox.state import Card, NodeState

_PASSWD = """\
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
HwHiAiUser:x:1000:1000::/home/HwHiAiUser:/bin/bash
"""
_GROUP = "root:x:0:\ndaemon:x:1:\nnogroup:x:65534:\nHwHiAiUser:x:1000:\n"
_INSTALL_INFO = """\
Driver_Install_Mode=normal
UserName=HwHiAiUser
UserGroup=HwHiAiUser
Firmware_Install_Type=full
Firmware_Install_Path_Param=/usr/local/Ascend
Driver_Install_Type=full
Driver_Install_Path_Param=/usr/local/Ascend
Driver_Install_For_All=no
Driver_Install_Status=complete
"""
_OS = """\
NAME="openEuler"
VERSION="22.03 (LTS-SP4)"
ID="openEuler"
VERSION_ID="22.03"
PRETTY_NAME="openEuler 22.03 (LTS-SP4)"
"""


def write_host_files(root: Path, usr_local: Path, node: NodeState, others: Iterable[NodeState]) -> None:
    """Write what a node starts with.

    Args:
        root: folder that becomes the node's ``/``.
        usr_local: folder that becomes its ``/usr/local``.
        node: the node.
        others: the cluster's nodes, for /etc/hosts.
    """
    etc = root / "etc"
    names = "".join(f"{other.address}\t{other.hostname}\n" for other in others)
    for name, text in {
        "passwd": _PASSWD,
        "group": _GROUP,
        "hostname": f"{node.hostname}\n",
        "hosts": f"127.0.0.1\tlocalhost\n{names}",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
        "resolv.conf": "",
        "os-release": _OS,
        "ascend_install.info": _INSTALL_INFO,
        "hccn.conf": hccn_conf(node.cards),
    }.items():
        _write(etc / name, text)
    (root / "home/HwHiAiUser").mkdir(parents=True, exist_ok=True)
    for card in node.cards:
        show_on_bus(card, root / "sys")
    _write_driver(usr_local / "Ascend", node)
    _write_programs(root / ".sandbox", usr_local)
    _write(root / ".sandbox/node", node.name)


def show_on_bus(card: Card, sys: Path = Path("/sys")) -> None:
    """Show a card on the PCI bus, or take it away where it is not present.

    What is shown already stays untouched: written anew, a file would be empty for whoever reads it then.
    """
    folder = sys / "bus/pci/devices" / card.bus.lower()
    if not card.present:
        shutil.rmtree(folder, ignore_errors=True)
    if not card.present or folder.exists():
        return
    for name, value in (("vendor", "0x19e5"), ("device", "0xd802"), ("class", "0x120000")):
        _write(folder / name, f"{value}\n")


def hccn_conf(cards: Iterable[Card]) -> str:
    """/etc/hccn.conf as it configures the cards."""
    lines: list[str] = []
    for card in cards:
        if card.configured:
            lines += [f"address_{card.id}={card.configured}", f"netmask_{card.id}={card.netmask}"]
            lines += [f"netdetect_{card.id}={card.netdetect}", f"gateway_{card.id}={card.gateway}"]
        lines += [f"send_arp_status_{card.id}=1", f"tls_enable_{card.id}={card.tls}"]
    return "".join(f"{line}\n" for line in lines)


def driver_version_info(version: str) -> str:
    """version.info of a driver."""
    return (
        f"Version={version}\nascendhal_version=7.35.23\naicpu_version=1.0\ntdt_version=1.0\nlog_version=1.0\n"
        "prof_version=2.0\ndvppkernels_version=1.1\ntsfw_version=1.0\n"
        "Innerversion=V100R001C19SPC001B181\ncompatible_version=[V100R001C13],[V100R001C15],[V100R001C18]\n"
        "compatible_version_fw=[7.0.0,7.6.99]\n"
    )


def _write_driver(ascend: Path, node: NodeState) -> None:
    driver = ascend / "driver"
    _write(driver / "version.info", driver_version_info(node.driver))
    _write(
        ascend / "firmware/version.info",
        "Version=7.5.0.3.220\nfirmware_version=1.0\npackage_version=24.1.0\n"
        "compatible_version_drv=[23.0.rc3,23.0.rc3.],[23.0.0,23.0.0.],[24.0,24.0.],[24.1,24.1.]\n",
    )
    for library in ("driver/libascend_hal.so", "driver/libdcmi.so", "common/libc_sec.so"):
        _write(driver / "lib64" / library, "")
    _write_tool(driver / "tools/hccn_tool", "hccn_tool")


def _write_programs(sandbox: Path, usr_local: Path) -> None:
    """What starts the emulated programs, and a python3 for those that bring their own scripts."""
    _write(sandbox / "tool", any_tool_script(), 0o755)
    _write(sandbox / "python", full_script(), 0o755)
    _write(sandbox / "python-places", "".join(f"{place}\n" for place in places()))
    _write_tool(usr_local / "sbin/npu-smi", "npu_smi")
    _write_tool(usr_local / "bin/docker", "docker")
    python = usr_local / "bin/python3"
    python.unlink(missing_ok=True)
    python.symlink_to(base_python())


def _write_tool(path: Path, module: str) -> None:
    _write(path, tool_script(module), 0o755)


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
