"""Every captured or reconstructed answer of a host tool: what it must be read as, or why it must be refused.

The samples stay in ../shared/samples, beside the project. A row says: file, exit status and stream of the
answer (as the index there has them), the reader of its command, and what that reader must make of it. No
other reader may take the text for an answer of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from lingctl.ascend import conf, devices, versions
from lingctl.ascend.cards import hccn, npu_map, npu_smi, ping, signal, vnic
from lingctl.ascend.cards.card_rows import card_rows
from lingctl.ascend.unread import Unread, close, refusal
from lingctl.remote.probe import Answer

SAMPLES = Path(__file__).resolve().parents[2].parent / "shared" / "samples"
pytestmark = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason=f"the captured answers are not beside this checkout: {SAMPLES}"
)

READERS: dict[str, Callable[[Answer | None], object]] = {
    "ip": hccn.read_address,
    "link": hccn.read_link,
    "net_health": hccn.read_net_health,
    "netdetect": hccn.read_netdetect,
    "gateway": hccn.read_gateway,
    "tls": hccn.read_tls,
    "lldp": hccn.read_lldp,
    "mtu": hccn.read_mtu,
    "speed": hccn.read_speed,
    "link_stat": signal.read_link_history,
    "optical": signal.read_optics,
    "stat": signal.read_counters,
    "vnic": vnic.read_vnic,
    "ping": ping.read_ping,
    "hccs_ping": ping.read_hccs_ping,
    "conf": conf.read_conf,
    "npu-smi": npu_smi.read_table,
    "npu-smi -m": npu_map.read_map,
    "spod-info": npu_smi.read_pod,
    "version.info": versions.read_version,
    "/dev": devices.read_dev,
    "lspci": devices.read_pci,
}


@dataclass(frozen=True)
class Refused:
    """It must be refused, for this reason."""

    reason: str


SEVERAL = Refused("not-understood")
NOT_UNDERSTOOD = Refused("not-understood")


@dataclass(frozen=True)
class Row:
    file: str
    reader: str
    expected: object
    status: int = 0
    stderr: bool = False


def _at(*parts: int) -> datetime:
    return datetime(*parts)  # type: ignore[arg-type]


def _history(*records: tuple[datetime, str], ups: int, downs: int | None = None) -> signal.LinkHistory:
    return signal.LinkHistory(records, ups, downs)


_LIMITS = {"tx_limits": (0.2818, 3.5481), "rx_limits": (0.1445, 3.5481)}
_OPTICS_FULL = signal.Optics(
    present=False,
    tx=(4.4035, 1.3968, 1.4140, 1.4988),
    rx=(1.0189, 0.0054, 0.9907, 1.0213),
    lost=("Rx Los Flag", "Rx LoL Flag"),
    flags=True,
    **_LIMITS,
)

HCCN = [
    Row("hccn_tool-ip-a2-card0.txt", "ip", hccn.DeviceAddress("11.12.165.80", "255.255.255.0")),
    Row("hccn_tool-ip-a2-hwcloud-slash16.txt", "ip", hccn.DeviceAddress("29.1.112.213", "255.255.0.0")),
    Row("hccn_tool-ip-inet6.txt", "ip", hccn.DeviceAddress("2001:db8::1", "64")),
    Row("hccn_tool-ip-not-preset.txt", "ip", None, 13, stderr=True),
    # The 950's status 6 means "invalid address" on an A2: the text decides.
    Row("hccn_tool-ip-not-preset-950.txt", "ip", None, 6, stderr=True),
    Row("hccn_tool-ip-a2-8cards.txt", "ip", SEVERAL),  # whose addresses? order alone would tell
    Row("hccn_tool-ip-8cards-transcript.txt", "ip", SEVERAL),
    Row("hccn_tool-ip-a2-masked.txt", "ip", NOT_UNDERSTOOD),  # 10.xx.xx.10 is no address
    Row("hccn_tool-ip-set-invalid.txt", "ip", NOT_UNDERSTOOD, 6, stderr=True),
    Row("hccn_tool-ip-set-ok.txt", "ip", NOT_UNDERSTOOD),  # a setter's answer is no query's answer
    Row("hccn_tool-link-down.txt", "link", "DOWN"),
    Row("hccn_tool-link-a2-loop-elided.txt", "link", SEVERAL),
    Row("hccn_tool-link-synthetic.txt", "link", NOT_UNDERSTOOD),  # no driver prints "Up"
    Row("hccn_tool-net_health-success.txt", "net_health", "Success"),
    Row("hccn_tool-net_health-fault.txt", "net_health", "Fault"),
    Row("hccn_tool-net_health-init.txt", "net_health", "Init"),
    Row("hccn_tool-net_health-socket-failed-old.txt", "net_health", "Socket fail"),  # older spelling
    Row("hccn_tool-net_health-socket-fail.txt", "net_health", "Socket fail"),
    Row("hccn_tool-net_health-receive-timeout.txt", "net_health", "Receive timeout"),
    Row("hccn_tool-net_health-unreachable.txt", "net_health", "Unreachable"),
    Row("hccn_tool-net_health-time-exceeded.txt", "net_health", "Time exceeded"),
    Row("hccn_tool-net_health-thread-error.txt", "net_health", "Thread error"),
    Row("hccn_tool-net_health-detect-ip-set.txt", "net_health", "Detect ip set"),
    Row("hccn_tool-net_health-unknown.txt", "net_health", "Unknown"),
    Row("hccn_tool-net_health-synthetic.txt", "net_health", NOT_UNDERSTOOD),  # no driver prints "Healthy"
    Row("hccn_tool-net_health-dsmi-failed.txt", "net_health", Refused("failed"), 1, stderr=True),
    Row("hccn_tool-netdetect-a2-address.txt", "netdetect", "11.12.165.1"),
    Row("hccn_tool-netdetect-addr-new-spelling.txt", "netdetect", "11.12.165.1"),
    Row("hccn_tool-netdetect-a2-loop-elided.txt", "netdetect", SEVERAL),
    Row("hccn_tool-gateway-a2-card0.txt", "gateway", hccn.Gateway("11.12.165.1", "eth0")),
    Row("hccn_tool-gateway-950.txt", "gateway", hccn.Gateway("11.12.165.1")),
    Row("hccn_tool-gateway-not-preset.txt", "gateway", None, 2, stderr=True),
    Row("hccn_tool-gateway-a2-8cards.txt", "gateway", SEVERAL),
    Row("hccn_tool-gateway-set-diff-segment.txt", "gateway", NOT_UNDERSTOOD, 8, stderr=True),
    Row("hccn_tool-gateway-set-no-ip.txt", "gateway", NOT_UNDERSTOOD, 26, stderr=True),
    Row("hccn_tool-tls-enabled-card0.txt", "tls", hccn.Tls(1, preset=True)),
    Row("hccn_tool-tls-no-cert.txt", "tls", hccn.Tls(None), 14, stderr=True),
    Row(
        "hccn_tool-tls-950-full.txt",
        "tls",
        hccn.Tls(
            0,
            preset=False,
            expired=False,
            issuers=(
                "/C=CN/O=xxx/CN=Test RSA CA",
                "/C=CN/O=xxx/CN=xxx RSA CA",
                "/C=CN/O=xxx/CN=xxx RSA PSS Sub CA",
            ),
        ),
    ),
    Row(
        "hccn_tool-tls-cert-expired-combined.txt",
        "tls",
        hccn.Tls(1, preset=False, expired=True, issuers=("/C=CN/ST=GD/O=HUAWEI/OU=2012/CN=2_1thCA",)),
    ),
    Row("hccn_tool-tls-switch-mixed.txt", "tls", SEVERAL),
    Row("hccn_tool-tls-set-0-ok.txt", "tls", NOT_UNDERSTOOD),
    Row("hccn_tool-tls-set-1-preset-warning.txt", "tls", NOT_UNDERSTOOD),
    Row("hccn_tool-tls-busy.txt", "tls", Refused("busy"), 11),
    Row(
        "hccn_tool-lldp-a2-full.txt",
        "lldp",
        hccn.Neighbour("400GE1/1/20:2", chassis="...", kind="switch", max_frame=9216),
    ),
    Row("hccn_tool-lldp-empty-guess.txt", "lldp", None),  # nothing heard
    Row("hccn_tool-lldp-a2-ifname-8cards.txt", "lldp", SEVERAL),
    Row("hccn_tool-lldp-synthetic.txt", "lldp", NOT_UNDERSTOOD),  # no end of the packet
    Row("hccn_tool-mtu.txt", "mtu", 1500),
    Row("hccn_tool-speed-200g.txt", "speed", 200000),
    Row("hccn_tool-speed-100g.txt", "speed", 100000),
    Row("hccn_tool-speed-unknown.txt", "speed", None),
    Row("hccn_tool-speed-950.txt", "speed", NOT_UNDERSTOOD),  # a table of several ports
    Row(
        "hccn_tool-link_stat-old-no-downcount.txt",
        "link_stat",
        _history(
            (_at(2022, 8, 1, 14, 43, 26), "UP"),
            (_at(2022, 8, 1, 14, 43, 40), "DOWN"),
            (_at(2022, 8, 1, 14, 43, 40), "UP"),
            ups=2,
        ),
    ),
    Row(
        "hccn_tool-link_stat-device-prefix.txt",
        "link_stat",
        _history(
            (_at(2023, 6, 6, 16, 31, 55), "UP"),
            (_at(2023, 6, 6, 16, 32, 10), "DOWN"),
            (_at(2023, 6, 6, 16, 32, 12), "UP"),
            ups=2,
        ),
    ),
    Row(
        "hccn_tool-link_stat-new-downcount.txt",
        "link_stat",
        _history(
            (_at(2025, 10, 5, 10, 13, 35), "UP"),
            (_at(2025, 10, 5, 10, 13, 50), "DOWN"),
            (_at(2025, 10, 5, 10, 13, 51), "UP"),
            ups=2,
            downs=1,
        ),
    ),
    Row("hccn_tool-link_stat-none.txt", "link_stat", _history(ups=0, downs=0)),
    Row("hccn_tool-optical-910a-full.txt", "optical", _OPTICS_FULL),
    Row(
        "hccn_tool-optical-doc-elided.txt",
        "optical",
        signal.Optics(
            False, (4.4035,), (1.0189,), lost=("Rx Los Flag", "Rx LoL Flag"), flags=True, **_LIMITS
        ),
    ),
    Row("hccn_tool-optical-absent.txt", "optical", signal.Optics(False)),
    Row("hccn_tool-optical-not-present-msg.txt", "optical", signal.Optics(False), 20),
    Row("hccn_tool-optical-control-link-unreachable.txt", "optical", Refused("failed"), 15, stderr=True),
    Row("hccn_tool-optical-initializing.txt", "optical", Refused("busy"), 18),
    Row("hccn_tool-stat-doc-elided.txt", "stat", NOT_UNDERSTOOD),  # elided by its author
    Row("hccn_tool-stat-errors-transcript.txt", "stat", SEVERAL),
    Row("hccn_tool-vnic-950.txt", "vnic", vnic.Vnic("UP", "192.168.2.199", "255.255.255.0")),
    Row("hccn_tool-vnic-down.txt", "vnic", vnic.Vnic("DOWN", "192.168.2.199", "255.255.255.0")),
    Row("hccn_tool-vnic-8devices.txt", "vnic", SEVERAL),
    Row("hccn_tool-vnic-a3-superpod-server4-guess.txt", "vnic", SEVERAL),
    Row("hccn_tool-ping-a2-hwcloud-ok.txt", "ping", ping.Ping(3, 3, 1.418)),
    Row("hccn_tool-ping-loss-100pct-guess.txt", "ping", ping.Ping(3, 0), 1),
    Row("hccn_tool-ping-host-unreachable-guess.txt", "ping", ping.Ping(0, 0, trouble="unreachable"), 1),
    Row("hccn_tool-ping-message-too-long-guess.txt", "ping", ping.Ping(0, 0, trouble="too-long"), 1),
    Row("hccn_tool-ub_ping-950-ok.txt", "ping", ping.Ping(6, 6, 0.295)),
    # All lost, and yet: exit 0 and "Cmd executed successfully!".
    Row("hccn_tool-hccs_ping-loss-100pct.txt", "hccs_ping", ping.Ping(3, 0, 0.0)),
    Row("hccn_tool-hccs_ping-send-fail.txt", "hccs_ping", ping.Ping(1, 0)),
    Row("hccn_tool-hccs_ping-unsupported.txt", "hccs_ping", Refused("unsupported"), 13),
    Row("hccn_tool-hccs_ping-occupied.txt", "hccs_ping", Refused("busy"), 31, stderr=True),
]

NPU_SMI = [
    Row("npu-smi-spod-info-a3.txt", "spod-info", npu_smi.PodPlace(16777216, 384, 0, 4)),
    Row("npu-smi-spod-info-a3-padded.txt", "spod-info", npu_smi.PodPlace(16777216, 384, 0, 4)),
    Row("npu-smi-spod-unsupported.txt", "spod-info", Refused("unsupported")),
    Row("npu-smi-m-950.txt", "npu-smi -m", (npu_map.MappedChip(0, 0, None, 0, "xxx"),)),
    # Its last package has no controller, as if the list had been cut.
    Row("npu-smi-m-a3-with-mcu-fixture.txt", "npu-smi -m", NOT_UNDERSTOOD),
    Row(
        "npu-smi-m-910a.txt",
        "npu-smi -m",
        tuple(npu_map.MappedChip(n, 0, n, None, "Ascend 910A") for n in range(8)),
    ),
    Row(
        "npu-smi-m-a2-8cards.txt",
        "npu-smi -m",
        tuple(npu_map.MappedChip(n, 0, n, None, "910B3") for n in range(8)),
    ),
    Row(
        "npu-smi-m-a3-16dies.txt",
        "npu-smi -m",
        tuple(npu_map.MappedChip(n // 2, n % 2, n, n, "Ascend910") for n in range(16)),
    ),
    Row("npu-smi-no-card.txt", "npu-smi -m", Refused("no-device")),
    Row("npu-smi-info-910a-warning-23.0.5-elided.txt", "npu-smi", NOT_UNDERSTOOD),  # elided by its author
    Row("npu-smi-err-missing.txt", "npu-smi", Refused("no-tool"), 127, stderr=True),
    Row("npu-smi-err-dcmi-8005.txt", "npu-smi", Refused("failed"), 187),
    Row("npu-smi-err-dcmi-8020-in-use.txt", "npu-smi", Refused("failed"), 172),
    Row("npu-smi-err-invalid-card-id.txt", "npu-smi", Refused("no-device"), 1),
    Row("npu-smi-warning-incomplete-driver.txt", "npu-smi", NOT_UNDERSTOOD),  # the table is missing
]

FILES = [
    Row("hccn_conf-missing.txt", "conf", NOT_UNDERSTOOD, 1, stderr=True),
    Row("hccn_conf-a2-hwcloud.txt", "conf", NOT_UNDERSTOOD),  # elided by its author
    Row(
        "hccn_conf-partial.txt",
        "conf",
        {
            **{
                card: {
                    "address": f"127.0.0.{last}",
                    "netmask": "255.255.0.0",
                    "netdetect": "127.0.0.1",
                    "gateway": "127.0.0.1",
                }
                for card, last in enumerate((123, 182, 116))
            },
            3: {"address": "127.0.0.67"},
        },
    ),
    Row("driver-version.info-23.0.7.txt", "version.info", versions.Version("23.0.7", ("7.0.0", "7.1.99"))),
    Row(
        "driver-version.info-24.1.rc1.txt", "version.info", versions.Version("24.1.rc1", ("7.0.0", "7.2.99"))
    ),
    Row("firmware-version.info-7.1.0.11.220.txt", "version.info", versions.Version("7.1.0.11.220")),
    Row("cann-toolkit_install.info-7.0.T10.txt", "version.info", versions.Version("7.0.T10")),
    Row("cann-toolkit_install.info-8.5.0-aarch64.txt", "version.info", versions.Version("8.5.0")),
    Row("cann-toolkit_install.info-8.5.0-x86_64.txt", "version.info", versions.Version("8.5.0")),
    Row("cann-nnae_install.info-8.0.RC3.txt", "version.info", versions.Version("8.0.RC3")),
    Row("cann-version.cfg-comment.txt", "version.info", NOT_UNDERSTOOD),  # several installed versions
    Row("ascend_install.info-keys.txt", "version.info", NOT_UNDERSTOOD),
    Row("mindie-version.info-template.txt", "version.info", NOT_UNDERSTOOD),  # MindIE's is asked in its image
    Row("dev-davinci-a2.txt", "/dev", tuple(range(8))),
    Row("dev-davinci-a3-16.txt", "/dev", tuple(range(16))),  # listed as words, read as numbers
    Row("dev-hisi_hdc-a2.txt", "/dev", NOT_UNDERSTOOD),
    Row("lspci-910a-8cards.txt", "lspci", ("d801",) * 8),
    Row("lspci-910a-7cards-one-dropped.txt", "lspci", ("d801",) * 7),
]

# Errors that any query may get. The link stands for all.
ERRORS = [
    Row("hccn_tool-err-invalid-device-id.txt", "link", Refused("no-device"), 4, stderr=True),
    Row("hccn_tool-err-device-not-exist.txt", "link", Refused("no-device"), 4, stderr=True),
    Row("hccn_tool-err-param-count.txt", "link", Refused("unsupported"), 4, stderr=True),
    Row("hccn_tool-err-permission-denied.txt", "link", Refused("denied"), 12, stderr=True),
    Row("hccn_tool-err-conf-access.txt", "link", Refused("denied"), 29, stderr=True),
    Row("hccn_tool-err-conf-write-failed.txt", "link", NOT_UNDERSTOOD, 4, stderr=True),
    Row("hccn_tool-err-unknown-option.txt", "link", Refused("unsupported"), 3, stderr=True),
    Row("hccn_tool-err-major-cmd.txt", "link", Refused("unsupported"), 3, stderr=True),
    Row("hccn_tool-err-command-execute-failed.txt", "link", Refused("failed"), 1, stderr=True),
    Row("hccn_tool-err-cmd-execute-failed.txt", "link", Refused("failed"), 234, stderr=True),
    Row("hccn_tool-err-timeout.txt", "link", Refused("failed"), 1, stderr=True),
    Row("hccn_tool-err-unsupported-product.txt", "link", Refused("unsupported"), 13),
    Row("hccn_tool-err-vm-unsupported.txt", "link", Refused("unsupported"), 21, stderr=True),
    Row("hccn_tool-err-link-is-down.txt", "link", Refused("failed"), 22, stderr=True),
    Row("hccn_tool-err-get-lock-failed.txt", "link", Refused("busy"), 25, stderr=True),
    Row("hccn_tool-err-missing-bash.txt", "link", Refused("no-tool"), 127, stderr=True),
    Row("hccn_tool-err-missing-lib-guess.txt", "link", Refused("no-library"), 127, stderr=True),
]

ROWS = [*HCCN, *NPU_SMI, *FILES, *ERRORS]
# Read by a reader, but too large to write out in a row: the tests below say what must come of them.
LARGE = {
    "hccn_tool-stat-full-names.txt": "stat",
    "hccn_tool-stat-950.txt": "stat",
    "hccn_conf-a2-8npu-tls.txt": "conf",
    "npu-smi-info-200i-a2-25.2.0.txt": "npu-smi",
    "npu-smi-info-310p3-22.0.txt": "npu-smi",
    "npu-smi-info-910a-8cards-23.0.rc3.txt": "npu-smi",
    "npu-smi-info-a2-910b1-24.1.0-excerpt.txt": "npu-smi",
    "npu-smi-info-a3-16dies-24.1.rc3.3.txt": "npu-smi",
    "npu-smi-info-a3-24.1.rc3.7-excerpt.txt": "npu-smi",
    "npu-smi-info-a3-25.2.1-excerpt.txt": "npu-smi",
    "npu-smi-info-a3-26.0.rc2-wide-excerpt.txt": "npu-smi",
}
# Answers to commands that lingctl never gives. No reader may take one for its own.
NEVER_ASKED = {
    "ascend-dmi-network-pass.txt",
    "hccl-log-error-cqe.txt",
    "hccl-log-ip-family-EI0001.txt",
    "hccl-log-socket-timeout-EI0006.txt",
    "hccl-log-tls-inconsistent-EI0016.txt",
    "hccl-log-tls-switch-device.txt",
    "hccn_stat-csv-910a-real-counters.txt",
    "hccn_tool-bandwidth-950.txt",
    "hccn_tool-cfg-recovery-all-950.txt",
    "hccn_tool-cfg-recovery-all-a2.txt",
    "hccn_tool-cfg-recovery-failed.txt",
    "hccn_tool-cfg-status-none.txt",
    "hccn_tool-dev_info-950.txt",
    "hccn_tool-duplex-full.txt",
    "hccn_tool-fec-auto.txt",
    "hccn_tool-fec-none-fault.txt",
    "hccn_tool-fec-rs.txt",
    "hccn_tool-mac.txt",
    "hccn_tool-pfc.txt",
    "hccn_tool-port_info-950.txt",
    "hccn_tool-process-exist.txt",
    "hccn_tool-process-not-exist.txt",
    "hccn_tool-roce_test-ib_read_bw.txt",
    "hccn_tool-route-a2.txt",
    "hccn_tool-scdr-not-supported.txt",
    "hccn_tool-version-950.txt",
    "npu-smi-board-950.txt",
    "npu-smi-board-card-910a.txt",
    "npu-smi-board-chip-910a.txt",
    "npu-smi-common-950.txt",
    "npu-smi-common-a2.txt",
    "npu-smi-ecc-950.txt",
    "npu-smi-fault-event-950.txt",
    "npu-smi-hccs-ok-a2.txt",
    "npu-smi-health-950.txt",
    "npu-smi-health-alarm-910a.txt",
    "npu-smi-l-950.txt",
    "npu-smi-l-a2-8cards.txt",
    "npu-smi-l-a3-8npus.txt",
    "npu-smi-memory-950.txt",
    "npu-smi-phyid-remap-950.txt",
    "npu-smi-power-950.txt",
    "npu-smi-sensors-950.txt",
    "npu-smi-temp-950.txt",
    "npu-smi-topo-950-sys.txt",
    "npu-smi-topo-a2-8xhccs.txt",
    "npu-smi-topo-a3-phyid-excerpt.txt",
    "npu-smi-usages-910a.txt",
    "npu-smi-usages-a2.txt",
    "npu-smi-version-950.txt",
    # Rank tables are read by the rank table's own tests.
    "ranktable-a2-4nodes-with-comments.txt",
    "ranktable-a3-1node-log-line.txt",
}


# lingctl asks for these by a script that says where the listing ends; the captures are of the bare command.
_CLOSED = ("conf", "version.info", "/dev", "lspci")


def _answer(file: str, status: int = 0, stderr: bool = False, reader: str = "") -> Answer:
    text = (SAMPLES / file).read_text()
    if reader in _CLOSED and status == 0:
        text = close(text)
    return Answer("" if stderr else text, text if stderr else "", status)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.file)
def test_a_sample_is_read_or_refused(row: Row) -> None:
    answer = _answer(row.file, row.status, row.stderr, row.reader)
    seen = READERS[row.reader](answer)
    if isinstance(row.expected, Refused):
        assert isinstance(seen, Unread), seen
        assert seen.reason == row.expected.reason
        assert not answer.stdout or seen.quote, "a refusal quotes what was not understood"
    else:
        assert seen == row.expected


@pytest.mark.parametrize(
    "file", sorted(path.name for path in SAMPLES.glob("*.txt")) if SAMPLES.is_dir() else []
)
def test_no_reader_takes_another_commands_answer_for_its_own(file: str) -> None:
    mine = {row.reader: row for row in ROWS if row.file == file}
    own = {row.reader for row in mine.values()} | {LARGE.get(file, "")}
    row = next(iter(mine.values()), Row(file, "", None))
    for name, reader in READERS.items():
        answer = _answer(file, row.status, row.stderr, name)
        if name in own:
            continue
        if file == "hccn_tool-lldp-empty-guess.txt" and name == "/dev":
            continue  # an empty listing of /dev is an answer: no card
        if file == "npu-smi-no-card.txt" and name == "npu-smi -m":
            continue
        seen = reader(answer)
        assert isinstance(seen, Unread), f"{name} reads {seen} from {file}"


def test_every_sample_has_its_expectation() -> None:
    named = {row.file for row in ROWS} | set(LARGE) | NEVER_ASKED
    there = {path.name for path in SAMPLES.glob("*.txt")}
    assert named == there


def test_an_error_text_is_never_an_answer() -> None:
    for row in ERRORS:
        answer = _answer(row.file, row.status, row.stderr)
        swapped = Answer(answer.stderr, answer.stdout, 0)
        for name, reader in READERS.items():
            assert isinstance(reader(answer), Unread), (row.file, name)
            assert isinstance(reader(swapped), Unread), (row.file, name, "on stdout with exit 0")


def test_healthy_boots_show_no_flap() -> None:
    for file in ("old-no-downcount", "device-prefix", "new-downcount", "none"):
        history = signal.read_link_history(_answer(f"hccn_tool-link_stat-{file}.txt"))
        assert isinstance(history, signal.LinkHistory)
        assert history.flaps == ()


def test_counters_by_their_own_names() -> None:
    full = signal.read_counters(_answer("hccn_tool-stat-full-names.txt"))
    assert isinstance(full, signal.Counters)
    assert len(full.values) == 48
    assert full.errors == {}
    newer = signal.read_counters(_answer("hccn_tool-stat-950.txt"))
    assert isinstance(newer, signal.Counters)
    assert newer.values["crc_error_sum"] == 0


def test_optics_name_the_lanes_outside_their_limits() -> None:
    assert _OPTICS_FULL.outside == (
        "Tx lane 0: 4.4035 mW is outside 0.2818 to 3.5481",
        "Rx lane 1: 0.0054 mW is outside 0.1445 to 3.5481",
    )


def test_conf_of_eight_cards() -> None:
    seen = conf.read_conf(_answer("hccn_conf-a2-8npu-tls.txt", reader="conf"))
    assert not isinstance(seen, Unread)
    assert sorted(seen) == list(range(8))
    assert seen[7] == {
        "address": "127.0.0.223",
        "netmask": "255.255.0.0",
        "netdetect": "127.0.0.1",
        "gateway": "127.0.0.1",
        "send_arp_status": "1",
        "tls_enable": "0",
    }


@dataclass(frozen=True)
class Table:
    file: str
    tool: str
    driver: str
    cards: tuple[int, ...]
    first: npu_smi.Chip
    processes: int = 0
    whole: bool = False


TABLES = [
    Table(
        "npu-smi-info-a3-16dies-24.1.rc3.3.txt",
        "24.1.rc3.3",
        "24.1.rc3.3",
        tuple(range(16)),
        npu_smi.Chip(0, 0, 0, "Ascend910", "OK", "0000:9D:00.0", 3402, 65536),
        processes=8,
        whole=True,
    ),
    Table(
        "npu-smi-info-910a-8cards-23.0.rc3.txt",
        "23.0.rc3",
        "23.0.rc2.3",
        tuple(range(8)),
        npu_smi.Chip(0, 0, None, "xxx", "OK", "0000:C1:00.0", 30710, 32768),
        processes=8,
        whole=True,
    ),
    Table(
        "npu-smi-info-a3-24.1.rc3.7-excerpt.txt",
        "24.1.rc3.7",
        "24.1.rc3.7",
        (0, 1),
        npu_smi.Chip(0, 0, 0, "Ascend910", "OK", "0000:9D:00.0", 3397, 65536),
    ),
    Table(
        "npu-smi-info-a3-26.0.rc2-wide-excerpt.txt",
        "26.0.rc2",
        "26.0.rc2",
        (0, 1),
        npu_smi.Chip(0, 0, 0, "Ascend910", "OK", "0000:9D:00.0", 3419, 65536),
    ),
    Table(
        "npu-smi-info-a3-25.2.1-excerpt.txt",
        "25.2.1",
        "25.2.1",
        (0, 1, 2),
        npu_smi.Chip(0, 0, 0, "Ascend910", "OK", "0000:9D:00.0", 3131, 65536),
    ),
    Table(
        "npu-smi-info-a2-910b1-24.1.0-excerpt.txt",
        "24.1.0",
        "24.1.0",
        (0, 1),
        npu_smi.Chip(0, 0, None, "910B1", "OK", "0000:C1:00.0", 3418, 65536),
    ),
    Table(
        "npu-smi-info-310p3-22.0.txt",
        "22.0.2",
        "22.0.4",
        (0,),
        npu_smi.Chip(2144, 0, None, "310P3", "OK", "0000:86:00.0", logic=0),  # no HBM
    ),
    Table(
        "npu-smi-info-200i-a2-25.2.0.txt",
        "25.2.0",
        "25.2.0",
        (0,),
        npu_smi.Chip(0, 0, None, "xxx", "OK", "NA", logic=0),
    ),
]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.file)
def test_npu_smi_tables_of_every_width(table: Table) -> None:
    seen = npu_smi.read_table(_answer(table.file))
    assert isinstance(seen, npu_smi.NpuTable), seen
    assert (seen.tool, seen.driver) == (table.tool, table.driver)
    rows = card_rows(seen, Unread("unsupported", "no such query"), table.cards)
    assert tuple(sorted(rows.chips)) == table.cards
    assert seen.chips[0] == table.first
    assert len(seen.processes) == table.processes
    assert seen.whole is table.whole


def test_the_super_pods_number_says_where_the_die_stands() -> None:
    place = npu_smi.read_pod(_answer("npu-smi-spod-info-a3.txt"))
    assert isinstance(place, npu_smi.PodPlace)
    assert place.decoded == (4, 0, 0, 0)
    assert vnic.pod_address(4, 0, 0) == "192.4.2.199"  # as the captured vNIC of that server's device 0


def test_refusals_are_known_by_text_on_either_stream() -> None:
    for row in ERRORS:
        assert isinstance(row.expected, Refused)
        if row.expected.reason == "not-understood":
            continue
        found = refusal(_answer(row.file, 0, not row.stderr))
        assert found is not None, row.file
        assert found.reason == row.expected.reason
