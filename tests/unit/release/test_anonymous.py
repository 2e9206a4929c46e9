"""Who a text is about is taken out of it, always by the same stand-in; what it says stays."""

from __future__ import annotations

import pytest

from lingctl.ascend.cards.hccn import read_address
from lingctl.release.anonymous import Anonymous
from lingctl.remote.probe import Answer

NAMES = [("gpu-07", "node"), ("bank-prod", "cluster"), ("alice", "user"), ("root", "user"), ("ab", "user")]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("ipaddr:10.20.30.40", "ipaddr:192.0.2.1"),
        ("10.20.30.40 and 10.20.30.41, 10.20.30.40", "192.0.2.1 and 192.0.2.2, 192.0.2.1"),
        ("netmask:255.255.0.0 none 0.0.0.0 here 127.0.0.1", None),
        ("fe80::1a2b:3c4d%eth0", "2001:db8::1%eth0"),
        ("2026-11-28 12:34:56.789 at 0000:C1:00.0", None),
        ("MAC 28:de:e5:aa:bb:cc, 28-DE-E5-AA-BB-CD", "MAC 02:00:00:00:00:01, 02:00:00:00:00:02"),
        ("Serial Number : 2102315DXW10P8000123", "Serial Number : SERIAL1"),
        ('{"serial_number": "ABC12345", "sn=XY9Z1"}', '{"serial_number": "SERIAL1", "sn=SERIAL2"}'),
        ("Vendor SN                 : PTKC1234567", "Vendor SN                 : SERIAL1"),
        ("the serial number is not known", None),
        ("/home/alice/models/x.bin of /usr/local/Ascend/driver", "/path-1 of /usr/local/Ascend/driver"),
        ("gpu-07: bank-prod by alice", "node-1: cluster-1 by user-1"),
        ("gpu-077 malice root ab", None),
        ("alice@gpu-07 wrote to a.b@corp.cn", "user-1@example.org wrote to user-2@example.org"),
        ("db1.bank.local, twice db1.bank.local", "host-1.example.org, twice host-1.example.org"),
        ("see https://www.hiascend.com/document", None),
        ("sha256:" + "ab" * 32, "sha256:digest-1"),
        ("HF_TOKEN=hf_abcdefghijklmnopqrstuvwx", "HF_TOKEN=[removed]"),
        ("EI0006 at hccl_socket_manager.cc:816 in 120 s", None),
    ],
)
def test_names_go_and_words_stay(said, kept):
    assert Anonymous(NAMES).text(said) == (said if kept is None else kept)


def test_the_same_is_the_same_in_every_text_and_again():
    anonymous = Anonymous()
    first = anonymous.text("10.0.0.1 to 10.0.0.2")
    assert anonymous.text("10.0.0.2 to 10.0.0.1") == " to ".join(reversed(first.split(" to ")))
    assert anonymous.text(first) == first


def test_more_addresses_than_are_kept_for_documents_stay_apart():
    anonymous = Anonymous()
    kept = {anonymous.text(f"10.1.{number // 250}.{number % 250 + 1}") for number in range(2000)}
    assert len(kept) == 2000
    assert not any(address.startswith("10.") for address in kept)


def test_a_reader_still_reads_what_it_read():
    said = Anonymous().text("ipaddr:10.20.30.40\nnetmask:255.255.0.0\n")
    assert read_address(Answer(said, "", 0)).address == "192.0.2.1"
