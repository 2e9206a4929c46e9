"""Each trouble is found once, on the right node and card, by name; and a healthy cluster has none."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from lingctl.ascend.facts import device_addresses
from lingctl.checks.network import judge
from lingctl.findings import Verdict
from lingctl.flows.network.check import scope_of
from lingctl.remote.probe import Answer
from tests.unit.checks.world import World, complained, listed, said, table
from tests.unit.mindie.samples import make_cluster


def test_a_healthy_cluster_has_nothing_but_passes() -> None:
    findings = World.healthy().judged()
    assert {finding.check for finding in findings if finding.verdict is not Verdict.PASS} == set()
    checks = {finding.check for finding in findings}
    assert {"link", "ip", "tls", "net-health", "ip-unique", "tls-same", "driver-same", "clock"} <= checks


def test_addresses_of_the_cards_are_the_live_ones() -> None:
    facts = World.healthy().facts["node2"]
    assert device_addresses(facts) == {0: "10.1.2.1", 1: "10.1.2.2", 2: "10.1.2.3", 3: "10.1.2.4"}


@dataclass(frozen=True)
class Case:
    """An answer of node2 that is spoilt, and what must be found there."""

    name: str
    question: str
    answer: Answer
    found: frozenset[tuple[str, int | None, str]]


def _case(name: str, question: str, answer: Answer, *found: tuple[str, int | None, str]) -> Case:
    return Case(name, question, answer, frozenset(found))


TLS_ON = (
    "dev_id:1, tls switch[1](0:disable, 1:enable), tls preconfigured[0](0:non-preset, 1:preset), "
    "tls alarm time threshold[60]days\ndev_id:1, [pub cert] info:\n\t issuer[/CN=own]\n"
    "\t start_time[Wed Feb 19 03:19:21 2025 GMT]\n\t end_time[Sat Feb 16 03:19:21 2035 GMT]\n"
    "\t tls expiration status[0](0:normal, 1:near expiration, 2:has expired)\n"
)
FLAPS = (
    "[devid 1]link up count       : 3\n[devid 1]link change records :\n"
    "[devid 1]    Tue Mar  4 09:00:02 2025    LINK UP\n"
    "[devid 1]    Tue Mar  4 09:00:00 2025    LINK DOWN\n"
    "[devid 1]    Mon Mar  3 08:00:00 2025    LINK UP\n"
)
CASES = [
    *(
        _case(f"rights: {name}", "rights", listed(text), ("rights", None, verdict))
        for name, text, verdict in (
            (
                "a folder that may not be written",
                "user 7 ops\nmay /root/models\nmay-not /var/lib/lingctl\n",
                "failure",
            ),
            ("a path that is not told", "user 7 ops\nmay /root/models\n", "unknown"),
            ("an odd line", "user 7 ops\nmaybe /root/models\n", "unknown"),
        )
    ),
    _case("link down", "card:1:link", said("link status: DOWN\n"), ("link", 1, "failure")),
    _case("garbled link", "card:1:link", said("1ink stat us: UF\n"), ("link", 1, "unknown")),
    _case("two answers", "card:1:link", said("link status: UP\nlink status: UP\n"), ("link", 1, "unknown")),
    _case("silence", "card:1:link", said(""), ("link", 1, "unknown")),
    _case("error with exit 0", "card:1:link", said("Command execute failed!\n"), ("link", 1, "unknown")),
    _case(
        "no address",
        "card:1:address",
        complained("Get ipconf failed, because no ip was preset there!\n", 13),
        ("ip", 1, "failure"),
    ),
    _case(
        "address of the inner network",
        "card:1:address",
        said("ipaddr:192.168.2.10\nnetmask:255.255.255.0\n"),
        ("ip", 1, "failure"),
        ("gateway", 1, "failure"),
        ("hccn-conf", 1, "failure"),
        ("netmask-same", 1, "failure"),
    ),
    _case(
        "mask with holes",
        "card:1:address",
        said("ipaddr:10.1.2.2\nnetmask:255.0.255.0\n"),
        ("ip", 1, "failure"),
        ("hccn-conf", 1, "failure"),
        ("netmask-same", 1, "failure"),
    ),
    _case("TLS on", "card:1:tls", said(TLS_ON), ("tls-same", 1, "failure")),
    _case(
        "expired certificate",
        "card:1:tls",
        Answer(TLS_ON, "\t tls expiration status[2](0:normal, 1:near expiration, 2:has expired)\n", 0),
        ("tls", 1, "failure"),
        ("tls-same", 1, "failure"),
    ),
    *(
        _case(f"net_health {state}", "card:1:net_health", said(f"net health status: {state}\n"), found)
        for state, found in {
            "Fault": ("net-health", 1, "failure"),
            "Socket failed": ("net-health", 1, "failure"),
            "Socket fail": ("net-health", 1, "failure"),
            "Receive timeout": ("net-health", 1, "failure"),
            "Thread error": ("net-health", 1, "failure"),
            "Init": ("net-health", 1, "warning"),
            "Detect ip set": ("net-health", 1, "warning"),
            "Unknown": ("net-health", 1, "unknown"),
            "Healthy": ("net-health", 1, "unknown"),
        }.items()
    ),
    _case(
        "netdetect elsewhere",
        "card:1:netdetect",
        said("netdetect addr: 172.16.0.1\n"),
        ("netdetect", 1, "warning"),
        ("hccn-conf", 1, "warning"),
    ),
    _case(
        "no gateway",
        "card:1:gateway",
        complained("Get gateway failed, because no gateway was preset there!\n", 2),
        ("gateway", 1, "warning"),
    ),
    _case(
        "gateway over another port",
        "card:1:gateway",
        said("default gateway:10.1.255.254, Iface:eth0\n"),
        ("gateway", 1, "warning"),
    ),
    _case("no neighbour", "card:1:lldp", said(""), ("lldp", 1, "warning")),
    _case("another MTU", "card:1:mtu", said("mtu:1500\n"), ("mtu-same", 1, "failure")),
    _case(
        "MTU above the switch's",
        "card:1:mtu",
        said("mtu:9702\n"),
        ("mtu", 1, "warning"),
        ("mtu-same", 1, "failure"),
    ),
    _case("slower port", "card:1:speed", said("Speed: 100000 Mb/s\n"), ("speed-same", 1, "warning")),
    _case("flaps", "card:1:history", said(FLAPS), ("link-flaps", 1, "warning")),
    _case(
        "repeated packets",
        "card:1:counters",
        said("packet statistics:\nmac_tx_total_pkt_num:1000\nroce_new_pkt_rty_num:500\n"),
        ("error-counters", 1, "warning"),
    ),
    _case(
        "repeated packets of none that were sent",
        "card:1:counters",
        said("packet statistics:\nmac_tx_total_pkt_num:0\nroce_new_pkt_rty_num:500\n"),
        ("error-counters", 1, "warning"),
    ),
    _case(
        "weak light",
        "card:1:optics",
        said(
            "optical info:\npresent              : present\nRx Power0            : 0.0054 mW\n"
            "RxPower High Thres   : 3.5000 mW\nRxPower Low Thres    : 0.1000 mW\n"
        ),
        ("optics", 1, "warning"),
    ),
    _case(
        "dropped card",
        "card:1:link",
        complained("Get invalid device id.\n", 4),
        ("card", 1, "failure"),
    ),
    _case("hanging card", "card:1:link", complained("", 124), ("card", 1, "failure")),
    _case(
        "busy for ever",
        "card:1:link",
        said("hccn_tool is busy, please try again.\n", 11),
        ("card", 1, "unknown"),
    ),
    _case(
        "stale hccn.conf",
        "conf",
        listed(
            "".join(
                f"address_{c}=10.1.2.{9 if c == 1 else c + 1}\nnetmask_{c}=255.255.0.0\n" for c in range(4)
            )
        ),
        ("hccn-conf", 1, "failure"),
    ),
    _case(
        "no hccn.conf",
        "conf",
        complained("cat: /etc/hccn.conf: No such file or directory\n", 1),
        ("hccn-conf", None, "failure"),
    ),
    _case("no card", "dev", listed(""), ("card-count", None, "failure")),
    _case("alarm", "npus", said(table(4, {1: "Alarm"})), ("npu-health", 1, "failure")),
    # The table shows four: which of the two answers was cut, nobody knows.
    _case(
        "fewer chips",
        "chips",
        said("NPU ID  Chip ID  Chip Logic ID  Chip Name\n0  0  0  910B3\n"),
        ("card-count", None, "unknown"),
        *(("npu-health", card, "unknown") for card in (1, 2, 3)),
    ),
    _case(
        "image that the runtime does not tell of",
        "image",
        complained("Error response from daemon: layer store is locked\n", 1),
        ("image", None, "unknown"),
    ),
    _case(
        "records that cannot be read",
        "card:1:history",
        said(FLAPS.replace("LINK DOWN", "LINK ????")),
        ("link-flaps", 1, "unknown"),
    ),
    _case(
        "fewer records than changes",
        "card:1:history",
        said("\n".join(FLAPS.splitlines()[:3]) + "\n"),
        ("link-flaps", 1, "unknown"),
    ),
    _case(
        "an NPU that is -1",
        "npus",
        said(table(4).replace("| 1  910B3", "| -1  910B3")),
        ("npu-health", None, "unknown"),
    ),
    _case(
        "a mount that cannot be looked at",
        "paths",
        listed("unknown /dev/davinci_manager\nabsent /etc/hccl_rootinfo.json\n"),
        ("mount", None, "unknown"),
    ),
    _case("a disk that is not told", "disks", listed(""), ("disk", None, "unknown")),
    _case("digests that were cut", "digests", said(""), ("same-files", None, "unknown")),
    _case(
        "lanes that are not told",
        "card:1:optics",
        said(
            "optical info:\npresent              : present\nTx Power0            : NA\n"
            "RxPower Low Thres    : 0.1000 mW\n"
        ),
        ("optics", 1, "unknown"),
    ),
    _case(
        "memory held by others",
        "npus",
        said(table(4, used=50000)),
        *(("hbm", card, "warning") for card in range(4)),
    ),
    _case("another driver", "driver", listed("Version=23.0.7\n"), ("driver-same", None, "failure")),
    _case(
        "firmware that does not fit",
        "firmware",
        listed("Version=6.4.12.1.241\n"),
        ("firmware", None, "failure"),
        ("firmware-same", None, "failure"),
    ),
    _case(
        "firmware that cannot be read",
        "firmware",
        complained("cat: version.info: Input/output error\n", 1),
        ("firmware", None, "unknown"),
    ),
    _case("a runtime of odd words", "runtime", said("???\n"), ("runtime", None, "unknown")),
    _case("another image", "image", said("sha256:22\n"), ("image-same", None, "failure")),
    _case(
        "inter-node port taken",
        "listeners",
        listed('LISTEN 0 128 *:1120 *:* users:(("nc",pid=7,fd=3))\n'),
        ("port", None, "failure"),
    ),
    _case(
        "service port taken on a node that is not the primary",
        "listeners",
        listed("LISTEN 0 128 192.0.2.2:1025 0.0.0.0:*\n"),
        ("port", None, "warning"),
    ),
    _case(
        "full disk",
        "disks",
        listed("/root/models /dev/sda1 1000000000 999999999 1 100% /\n"),
        ("disk", None, "failure"),
    ),
    _case(
        "no docker",
        "runtime",
        complained("Cannot connect to the Docker daemon\n", 1),
        ("runtime", None, "warning"),
    ),
    _case(
        "stale root info",
        "paths",
        listed("there /dev/davinci_manager\nthere /etc/hccl_rootinfo.json\n"),
        ("root-info", None, "warning"),
    ),
    _case("no manager device", "paths", listed("absent /dev/davinci_manager\n"), ("mount", None, "failure")),
    _case("a host name twice", "hostname", said("host1\n"), ("hostname", None, "warning")),
    _case(
        "other sampling defaults",
        "digests",
        listed(f"{'b' * 64}  /root/models/Ling_lite/generation_config.json\n"),
        ("same-files", None, "failure"),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_trouble_is_found_where_it_is(case: Case) -> None:
    found = World.healthy().set("node2", case.question, case.answer).trouble()
    here = {(check, device, verdict) for check, node, device, verdict in found if node == "node2"}
    assert here == case.found
    elsewhere = {(check, node) for check, node, _, _ in found if node != "node2"}
    assert elsewhere <= ({("hostname", "node1")} if case.name == "a host name twice" else set())


@pytest.mark.parametrize(
    ("version", "verdict"),
    [
        ("23.0.7", "warning"),
        ("24.0.0", "warning"),
        ("24.1.rc2", "pass"),
        ("24.1.0", "pass"),
        ("25.0.rc1.1", "pass"),
    ],
)
def test_a_driver_older_than_the_image_wants_is_warned_of(version: str, verdict: str) -> None:
    world = World.healthy(1).set("node1", "driver", listed(f"Version={version}\n"))
    findings = judge(replace(world.scope, driver="24.1"), world.facts)
    assert [f.verdict.word for f in findings if f.check == "driver"] == [verdict]


def test_what_a_deploy_needs_of_a_driver_is_in_its_scope() -> None:
    assert scope_of(make_cluster()).driver == "24.1"


def test_nothing_else_is_said_of_a_card_that_does_not_answer() -> None:
    world = World.healthy().set("node2", "card:1:link", complained("", 124))
    for name in list(world.nodes["node2"]):
        if name.startswith("card:1:") and name != "card:1:link":
            del world.nodes["node2"][name]
    about = {finding.check for finding in world.judged() if (finding.node, finding.device) == ("node2", 1)}
    assert about == {"card", "npu-health", "hbm"}


def test_a_missing_tool_is_one_failure_and_no_card_passes() -> None:
    world = World.healthy()
    for name in list(world.nodes["node2"]):
        if name.startswith("card:"):
            world.set("node2", name, complained("sh: 1: hccn_tool: not found\n", 127))
    here = [finding for finding in world.judged() if finding.node == "node2"]
    tool = [finding for finding in here if finding.check == "hccn-tool"]
    assert [finding.verdict for finding in tool] == [Verdict.FAILURE]
    assert not [finding for finding in here if finding.check in ("link", "ip", "tls", "net-health")]


def test_one_address_twice_is_found_on_both_cards() -> None:
    world = World.healthy().set("node2", "card:1:address", said("ipaddr:10.1.1.1\nnetmask:255.255.0.0\n"))
    found = {(node, device) for check, node, device, _ in world.trouble() if check == "ip-unique"}
    assert found == {("node1", 0), ("node2", 1)}


def test_one_switch_port_twice_is_found_on_both_cards() -> None:
    world = World.healthy()
    world.set("node2", "card:1:lldp", world.nodes["node1"]["card:0:lldp"])
    found = {(node, device) for check, node, device, _ in world.trouble() if check == "switch-port"}
    assert found == {("node1", 0), ("node2", 1)}


def test_no_gateway_is_a_failure_only_across_subnets() -> None:
    none = complained("Get gateway failed, because no gateway was preset there!\n", 2)
    flat, routed = World.healthy(2), World.healthy(2)
    for world in (flat, routed):
        for node in world.nodes:
            for card in range(4):
                world.set(node, f"card:{card}:gateway", none)
    for node, number in (("node1", 1), ("node2", 2)):
        for card in range(4):
            text = f"ipaddr:10.{number}.0.{card + 1}\nnetmask:255.255.0.0\n"
            routed.set(node, f"card:{card}:address", said(text))
    assert not [found for found in flat.trouble() if found[0] == "gateway"]
    assert {found[3] for found in routed.trouble() if found[0] == "gateway"} == {"failure"}


def test_tls_on_everywhere_is_only_noted() -> None:
    world = World.healthy()
    for node in world.nodes:
        for card in range(4):
            world.set(node, f"card:{card}:tls", said(TLS_ON))
    assert world.trouble() == set()
    assert [f.verdict for f in world.judged() if f.check == "tls-same"] == [Verdict.NOTE]


def test_tls_without_its_certificates_is_not_judged_and_does_not_pass() -> None:
    world = World.healthy().set("node2", "card:1:tls", said(TLS_ON.splitlines()[0] + "\n"))
    assert ("tls", "node2", 1, "unknown") in world.trouble()


@pytest.mark.parametrize(("off", "verdict"), [(0.5, None), (30.0, "warning"), (-300.0, "failure")])
def test_a_clock_that_is_off_is_found(off: float, verdict: str | None) -> None:
    world = World.healthy(2)
    world.clock_off["node2"] = off
    found = {(node, word) for check, node, _, word in world.trouble() if check == "clock"}
    assert found == ({("node2", verdict)} if verdict else set())


def test_a_port_held_by_this_clusters_own_service_is_no_trouble() -> None:
    world = World.healthy()
    for node in world.nodes:
        world.set(node, "listeners", listed("LISTEN 0 128 0.0.0.0:1025 0.0.0.0:*\nLISTEN 0 128 *:1120 *:*\n"))
        world.set(node, "service", said("alive 42\nabc\n"))
        world.set(node, "npus", said(table(4, used=60000)))
    assert world.trouble() == set()


def test_a_listener_on_another_address_is_in_nobodys_way() -> None:
    world = World.healthy().set("node2", "listeners", listed("LISTEN 0 128 127.0.0.1:1120 0.0.0.0:*\n"))
    assert world.trouble() == set()


def test_on_a_machine_alone_roce_is_only_noted() -> None:
    world = World.healthy(1)
    world.set("node1", "card:0:link", said("link status: DOWN\n"))
    world.set(
        "node1", "card:0:address", complained("Get ipconf failed, because no ip was preset there!\n", 13)
    )
    world.set("node1", "card:1:lldp", said(""))
    world.set("node1", "card:2:net_health", said("net health status: Fault\n"))
    world.set("node1", "card:3:tls", said("nonsense\n"))
    assert world.trouble() == set()
    notes = {(f.check, f.device) for f in world.judged() if f.verdict is Verdict.NOTE}
    assert {("link", 0), ("ip", 0), ("lldp", 1), ("net-health", 2), ("tls", 3)} <= notes


def test_on_a_machine_alone_a_sick_card_is_still_a_failure() -> None:
    world = World.healthy(1).set("node1", "card:0:link", complained("", 124))
    world.set("node1", "npus", said(table(4, {1: "Critical"})))
    assert world.trouble() == {("card", "node1", 0, "failure"), ("npu-health", "node1", 1, "failure")}


def test_an_a3_without_roce_is_not_judged_and_does_not_pass() -> None:
    world = World.healthy(2)
    for node in world.nodes:
        world.change(node, "pci", lambda text: text.replace("d802", "d803"))
        for card in range(4):
            world.set(node, f"card:{card}:link", said("link status: DOWN\n"))
            world.set(
                node,
                f"card:{card}:address",
                complained("Get ipconf failed, because no ip was preset there!\n", 13),
            )
    links = [finding for finding in world.judged() if finding.check == "link"]
    assert len(links) == 8
    assert {finding.verdict for finding in links} == {Verdict.NOTE}
    assert all("not judged" in finding.message for finding in links)
    assert not [f for f in world.judged() if f.check == "ip" and f.verdict is Verdict.PASS]


def test_optional_queries_that_a_driver_lacks_are_noted() -> None:
    world = World.healthy()
    for node in world.nodes:
        for card in range(4):
            for name in ("optics", "speed", "history", "counters", "lldp", "mtu"):
                world.set(node, f"card:{card}:{name}", complained("Get unknown option!\n", 3))
    assert world.trouble() == set()
    noted = {finding.check for finding in world.judged() if finding.verdict is Verdict.NOTE}
    assert noted == {"optics", "speed", "link-flaps", "error-counters", "lldp", "mtu"}


def test_every_trouble_says_what_to_type() -> None:
    for case in CASES:
        world = World.healthy().set("node2", case.question, case.answer)
        for finding in world.judged():
            if finding.verdict in (Verdict.FAILURE, Verdict.WARNING):
                assert finding.remedy, (case.name, finding.check)


def test_an_address_that_some_products_reserve_is_not_judged_where_the_product_is_not_known() -> None:
    world = World.healthy(2).set("node1", "pci", listed("pci devices: 0\n"))
    world.set("node1", "npus", said("?\n")).set("node1", "chips", said("?\n"))
    world.set("node1", "card:1:address", said("ipaddr:192.168.2.10\nnetmask:255.255.0.0\n"))
    found = [f for f in world.judged() if f.check == "ip" and (f.node, f.device) == ("node1", 1)]
    assert [f.verdict for f in found] == [Verdict.UNKNOWN] and "192.168.2.0/24" in found[0].message
