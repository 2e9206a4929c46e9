"""Whatever a tool prints, a reader gives facts or says why not: it never raises; noise is never a fact."""

from __future__ import annotations

import os
import subprocess
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lingctl.ascend import conf, devices, host, reach, versions
from lingctl.ascend.cards import hccn, npu_map, npu_smi, ping, signal, vnic
from lingctl.ascend.unread import Unread, close
from lingctl.remote.probe import Answer
from tests.unit.checks.world import healthy_card, healthy_node

READERS = [
    hccn.read_address,
    hccn.read_link,
    hccn.read_net_health,
    hccn.read_netdetect,
    hccn.read_gateway,
    hccn.read_tls,
    hccn.read_lldp,
    hccn.read_mtu,
    hccn.read_speed,
    signal.read_link_history,
    signal.read_optics,
    signal.read_counters,
    vnic.read_vnic,
    ping.read_ping,
    ping.read_hccs_ping,
    conf.read_conf,
    npu_smi.read_table,
    npu_map.read_map,
    npu_smi.read_pod,
    versions.read_version,
    devices.read_dev,
    devices.read_pci,
    host.read_clock,
    host.read_listeners,
    host.read_memory,
    host.read_disks,
    host.read_paths,
    host.read_digests,
    host.read_word,
    host.read_runtime,
    host.read_image,
    host.read_service,
    host.read_firewall,
    host.read_rights,
    reach.read_reach,
]
HEALTHY = [answer.stdout for answer in (*healthy_card(1, 0).values(), *healthy_node(1).values())]
TEXTS = st.one_of(
    st.text(max_size=200),
    st.sampled_from(HEALTHY).flatmap(
        lambda text: st.tuples(st.integers(0, len(text)), st.integers(0, 40), st.text(max_size=20)).map(
            lambda cut: text[: cut[0]] + cut[2] + text[cut[0] + cut[1] :]
        )
    ),
)


# A deadline would measure what else runs on the machine.
@settings(deadline=None)
@given(stdout=TEXTS, stderr=st.one_of(st.just(""), TEXTS), status=st.integers(0, 255))
def test_no_reader_ever_raises(stdout: str, stderr: str, status: int) -> None:
    for reader in READERS:
        reader(Answer(stdout, stderr, status))


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_silence_and_time_limits_are_no_facts(reader: object) -> None:
    assert callable(reader)
    assert isinstance(reader(None), Unread)
    late = reader(Answer("", "", 124))
    assert isinstance(late, Unread)


def test_a_ping_whose_time_ran_out_is_no_fact_although_its_counts_stand_there() -> None:
    counts = "3 packets transmitted, 3 received, 0.00% packet loss\n"
    assert ping.read_ping(Answer(counts, "", 1)) == ping.Ping(3, 3)
    assert isinstance(ping.read_ping(Answer(counts, "", 124)), Unread)
    assert isinstance(ping.read_ping(Answer(counts[:-1], "", 0)), Unread)


def test_that_nothing_is_set_is_not_believed_of_a_query_whose_time_ran_out() -> None:
    unset = "Get ip failed, because no ip was preset there!\n"
    assert hccn.read_address(Answer("", unset, 1)) is None
    assert isinstance(hccn.read_address(Answer("", unset, 124)), Unread)


def test_an_inner_address_that_is_none_is_no_fact() -> None:
    said = "vnic link status: UP\nvnic ipaddr: {}\nvnic netmask: 255.255.0.0\n"
    assert isinstance(vnic.read_vnic(Answer(said.format("192.168.0.1"), "", 0)), vnic.Vnic)
    assert isinstance(vnic.read_vnic(Answer(said.format("192.168.0"), "", 0)), Unread)


def test_changes_of_a_link_that_are_counted_and_not_shown_are_no_fact() -> None:
    said = "[devid 0]link up count : {}\n[devid 0]link change records :\nNA\n"
    assert signal.read_link_history(Answer(said.format(0), "", 0)) == signal.LinkHistory((), 0, None)
    assert isinstance(signal.read_link_history(Answer(said.format(2), "", 0)), Unread)


def test_a_file_that_cannot_be_read_is_told_as_one() -> None:
    absent = "cat: /etc/hccn.conf: No such file or directory\n"
    for reader in (conf.read_conf, versions.read_version):
        told = reader(Answer("", absent, 1))
        assert (
            isinstance(told, Unread) and "file cannot be read" in told.text and absent.strip() in told.quote
        )


CARD_READERS = {
    "link": hccn.read_link,
    "address": hccn.read_address,
    "tls": hccn.read_tls,
    "net_health": hccn.read_net_health,
    "netdetect": hccn.read_netdetect,
    "gateway": hccn.read_gateway,
    "mtu": hccn.read_mtu,
    "speed": hccn.read_speed,
    "history": signal.read_link_history,
    "counters": signal.read_counters,
    "optics": signal.read_optics,
}


@pytest.mark.parametrize("name", CARD_READERS)
def test_doubled_answers_and_good_text_with_a_bad_status_are_refused(name: str) -> None:
    text = healthy_card(1, 0)[f"card:0:{name}"].stdout
    reader = CARD_READERS[name]
    assert not isinstance(reader(Answer(text, "", 0)), Unread)
    assert isinstance(reader(Answer(text + text, "", 0)), Unread)
    assert isinstance(reader(Answer(text, "", 1)), Unread)
    assert isinstance(reader(Answer(text, "Command execute failed!\n", 0)), Unread)


def test_an_empty_answer_with_exit_0_says_so() -> None:
    seen = hccn.read_link(Answer("", "", 0))
    assert isinstance(seen, Unread)
    assert seen.reason == "empty"


def _history(*records: tuple[int, str]) -> signal.LinkHistory:
    at = [
        (
            datetime(2025, 3, 1, 8, 0, 0).replace(
                day=1 + second // 86400,
                hour=second % 86400 // 3600,
                minute=second % 3600 // 60,
                second=second % 60,
            ),
            state,
        )
        for second, state in records
    ]
    return signal.LinkHistory(tuple(at), 1)


@pytest.mark.parametrize(
    ("records", "flaps"),
    [
        ([(0, "UP")], 0),
        ([(0, "UP"), (15, "DOWN"), (16, "UP")], 0),  # as every healthy boot
        ([(0, "UP"), (15, "DOWN"), (50, "UP")], 1),  # too long for a boot
        ([(0, "UP"), (15, "DOWN"), (16, "UP"), (4000, "DOWN"), (4001, "UP")], 1),
        ([(0, "UP"), (4000, "DOWN")], 1),
        ([], 0),
    ],
)
def test_flaps_are_told_from_the_boots_own_burst(records: list[tuple[int, str]], flaps: int) -> None:
    assert len(_history(*records).flaps) == flaps


def test_listeners_from_ss_and_from_the_kernel_are_alike() -> None:
    ss = host.read_listeners(
        Answer(
            close(
                'LISTEN 0 128 127.0.0.1:1025 0.0.0.0:* users:(("x",pid=7,fd=3))\nLISTEN 0 5 [::]:22 [::]:*\n'
            ),
            "",
            0,
        )
    )
    kernel = host.read_listeners(
        Answer(
            close(
                "  sl  local_address rem_address   st\n   0: 0100007F:0401 00000000:0000 0A 0\n"
                "   1: 0100007F:0402 0100007F:9999 01 0\n  sl  local_address remote_address st\n"
                "   0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 0\n"
            ),
            "",
            0,
        )
    )
    assert ss == (host.ListeningSocket("127.0.0.1", 1025, "x (pid 7)"), host.ListeningSocket("::", 22))
    assert kernel == (host.ListeningSocket("127.0.0.1", 1025), host.ListeningSocket("::", 22))


def test_a_wildcard_is_in_everybodys_way() -> None:
    assert host.ListeningSocket("*", 1025).covers("192.0.2.1")
    assert host.ListeningSocket("0.0.0.0", 1025).covers("192.0.2.1")
    assert host.ListeningSocket("192.0.2.1", 1025).covers("192.0.2.1")
    assert not host.ListeningSocket("192.0.2.2", 1025).covers("192.0.2.1")


def test_firmware_ranges() -> None:
    driver = versions.Version("24.1.0", ("7.0.0", "7.6.99"))
    assert versions.fits_firmware(driver, versions.Version("7.5.0.5.220"))
    assert versions.fits_firmware(driver, versions.Version("7.6.99.9.9"))
    assert not versions.fits_firmware(driver, versions.Version("6.4.12.1.241"))
    assert not versions.fits_firmware(driver, versions.Version("7.7.0.1"))
    assert versions.fits_firmware(versions.Version("24.1.0"), driver) is None


@pytest.mark.parametrize("shell", ["/bin/dash", "/bin/bash"])
def test_the_name_of_a_disk_is_read_as_df_prints_it(shell: str, tmp_path: Path):
    """Debian's sh takes a backslash in what it echoes for the beginning of a sign."""
    if not Path(shell).exists():
        pytest.skip(f"there is no {shell}")
    df = tmp_path / "df"
    df.write_text("#!/bin/sh\nprintf '%s\\n' 'Filesystem' '//nas/a\\nb 100 40 60 40% /mnt/a\\tb'\n")
    df.chmod(0o755)
    said = subprocess.run(
        [shell, "-c", host.disks_command(["/"]).text],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    (disk,) = host.read_disks(Answer(said.stdout, said.stderr, said.returncode))
    assert disk == host.Disk("/", "/mnt/a\\tb", 102400, 61440)
