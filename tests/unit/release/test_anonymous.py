"""Who a text is about is taken out of it, always by the same stand-in; what it says stays."""

from __future__ import annotations

import pytest

from lingctl.ascend.cards.hccn import read_address
from lingctl.mindie.logs.log_reader import MINDIE_LOGS
from lingctl.release.evidence.anonymous import Anonymous
from lingctl.remote.probe import Answer
from tests.unit.mindie.test_failures import LINES

NAMES = [("gpu-07", "node"), ("bank-prod", "cluster"), ("alice", "user"), ("root", "user"), ("ab", "user")]
# What nobody should be able to make out of the texts below.
HOSTILE = {
    "10.20.30.40": [
        *("ip{}", "{}eth0", "rank0_{}_0", "node.{}", "地址{}不通", "\x1b[31m{}\x1b[0m", "%2F{}%2F", "\\n{}"),
        *("{}.52143 > {}.1025: tcp", "::ffff:{}", "v{}", "tcp://{}:1025/x"),
    ],
    "010.020.030.040": ["{}"],
    "10-20-30-40": ["ip-{}", "plog-{}.log"],
    "8c1e::12": ["ipaddr:2409:{}", "2409:{}/64", "[2409:{}]:1025", "ipv6:2409:{}", "fe80:{}%eth0"],
    "aa:bb:cc": ["mac:28:de:e5:{}", "MAC_28:de:e5:{}", "网卡28:de:e5:{}", "00:11:22:33:44:55:66:{}:77"],
    "e5aa-bbcc": ["MAC: 28de-{}"],
    "28dee5aabbcc": ["hwaddr {}", "guid 0x0002{}"],
    "2102315DXW10P8000123": [
        *("SN {}", "serial number {}", "序列号：{}", "Serial Number\n    {}", "BarCode={}", "Board SN({})"),
        *("<serial>{}</serial>", "NPU SN is {}", "board_SN: {}", "{} was found"),
    ],
    "QWERTYUIOP": ["SN: {}"],
    "/home/bob": [
        "path:{}/x",
        "file://{}/x",
        " -v{}:/x",
        "路径{}/x",
        "'{}/my models'",
        "http://10.0.0.1:80{}",
    ],
    "nas01": [
        "mount {}:/export /data",
        "{}.icbc.hz:/x",
        "rsync {}:/data/x",
        "ssh: connect to host {} port 22",
    ],
    "zhang3": ["uid=1001({}) gid=1001({})", "curl -u {}:pw1 x", "LOGNAME={}", "cn={},dc=x", "server={}:80"],
    "9c1e:10::7": ["dial 2409:{}.1025"],
    "bob": ["~{}/x", "user={}", "用户名：{}", "http://{}@nas01/", "{}@nas01", "ssh://{}:pw@nas01"],
    "gpu-07": [
        *("log_{}_x", "{}_0.log", "node.{}", "{}.bank.hz", "节点{}失败", "http://{}:80/", "hostname: {}"),
        "Nov 28 12:00:00 {} kernel: error",
    ],
    "GPU-07": ["{} is down", "System Name TLV\n\t{}"],
    "icbc": [
        *(
            "https://repo.{}.hz:8443/x",
            "db1.{}.COM",
            "registry.{}.hz:5000/ai/mindie:1.0",
            "registry.{}.hz/ai/mindie",
            "smb://{}/share",
        ),
        *(
            "subject: C=CN, O={}, CN=gpu",
            "/C=CN/O={}/CN=gpu",
            "sysname: {}",
            "hostname={}-x9",
            "gpu-07.{}.hz",
        ),
    ],
    "hunter2": ["密码：{}", "口令: {}", "password={}"],
}


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("ipaddr:10.20.30.40", "ipaddr:192.0.2.1"),
        ("10.20.30.40 and 10.20.30.41, 10.20.30.40", "192.0.2.1 and 192.0.2.2, 192.0.2.1"),
        ("netmask:255.255.0.0 none 0.0.0.0 here 127.0.0.1", None),
        ("fe80::1a2b:3c4d%eth0", "2001:db8::1%eth0"),
        ("2026-11-28 12:34:56.789 at 0000:C1:00.0", None),
        ("MAC 28:de:e5:aa:bb:cc, 28-DE-E5-AA-BB-CD", "MAC 02:00:00:00:00:01, 02-00-00-00-00-02"),
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


@pytest.mark.parametrize(
    ("secret", "form"), [(secret, form) for secret, forms in HOSTILE.items() for form in forms]
)
def test_nothing_is_left_of_what_tells_whose_it_is(secret, form):
    anonymous = Anonymous(NAMES)
    kept = anonymous.text(form.format(*[secret] * form.count("{}")))
    assert secret.lower() not in kept.lower()
    assert anonymous.text(kept) == kept, "what was taken out once is taken for somebody's"


@pytest.mark.parametrize(
    "said",
    [
        "firmware 7.1.0.11.220 of V100R001C19SPC001B121",
        "[MIE04E13010A] [endpoint] Request param contains not messages",
        "std::bad_alloc in c10::Error at compiler_depend.ts:146 and at::native",
        "user request failed: hostname lookup, master ascend node, 12:34:56",
        "EE1001: [PID: 4711] 2026-11-28-12:34:56.000.000 devId=3, tdt error=1[FUNC:PrintfTsdError]",
        "see models/bailing_moe/router.py:12 and /usr/local/Ascend/latest",
    ],
)
def test_words_and_codes_of_tools_stay(said):
    assert Anonymous(NAMES).text(said) == said


def test_a_known_failure_is_known_without_names_too():
    for _, line in LINES:
        kept = Anonymous(NAMES).text(line)
        assert len(MINDIE_LOGS.explain(kept)) == len(MINDIE_LOGS.explain(line)), line


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
