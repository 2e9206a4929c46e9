"""A healthy cluster as its nodes would answer, and ways to spoil single answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lingctl.ascend.facts import NodeFacts
from lingctl.ascend.scope import NodeScope, Scope
from lingctl.ascend.unread import close
from lingctl.checks.network import judge
from lingctl.findings import Finding, Verdict
from lingctl.flows.network.probe import NodeAnswers, facts_of
from lingctl.remote.probe import Answer

Answers = dict[str, Answer]
CARDS = 4


def said(text: str, status: int = 0) -> Answer:
    return Answer(text, "", status)


def listed(text: str) -> Answer:
    """A listing of lingctl's own, to its end."""
    return said(close(text))


def complained(text: str, status: int) -> Answer:
    return Answer("", text, status)


def healthy_card(node: int, card: int) -> Answers:
    prefix = f"[devid {card}]"
    tls = (
        f"dev_id:{card}, tls switch[0](0:disable, 1:enable), tls preconfigured[1](0:non-preset, 1:preset), "
        "tls alarm time threshold[60]days\n"
    )
    answers = {
        "link": "link status: UP\n",
        "address": f"ipaddr:10.1.{node}.{card + 1}\nnetmask:255.255.0.0\n",
        "tls": tls,
        "net_health": "net health status: Success\n",
        "netdetect": "netdetect address: 10.1.255.254\n",
        "gateway": f"default gateway:10.1.255.254, Iface:eth{card}\n",
        "lldp": f"Chassis ID TLV\n\tMAC: 00:00:5e:00:53:01\nPort ID TLV\n\tIfname: 400GE1/{node}/{card}:1\n"
        "System Description TLV\n\tVRP\nMaximum Frame Size TLV\n\t9216\nEnd of LLDPDU TLV\n",
        "mtu": "mtu:4200\n",
        "speed": "Speed: 200000 Mb/s\n",
        "history": f"{prefix}current time        : Tue Mar  4 12:00:00 2025\n"
        f"{prefix}link up count       : 1\n{prefix}link down count     : 0\n{prefix}link change records :\n"
        f"{prefix}    Mon Mar  3 08:00:00 2025    LINK UP\n",
        "counters": "packet statistics:\nmac_tx_total_pkt_num:1000000\nmac_rx_total_pkt_num:1000000\n"
        "roce_new_pkt_rty_num:0\n",
        "optics": "optical info:\npresent              : present\nTx Power0            : 1.2000 mW\n"
        "Rx Power0            : 1.0000 mW\nTxPower High Thres   : 3.5000 mW\n"
        "TxPower Low Thres    : 0.2000 mW\n"
        "RxPower High Thres   : 3.5000 mW\nRxPower Low Thres    : 0.1000 mW\n"
        "Tx Los Flag          : 0x0\nRx Los Flag          : 0x0\n"
        "Tx LoL Flag          : 0x0\nRx LoL Flag          : 0x0\n",
    }
    return {f"card:{card}:{name}": said(text) for name, text in answers.items()}


_BORDER = "+======+======+======+"


def table(cards: int, health: Mapping[int, str] | None = None, used: int = 3400) -> str:
    rows = [
        "| npu-smi 24.1.0                   Version: 24.1.0          |",
        "| NPU   Name   | Health   | Power(W)  Temp(C)   Hugepages-Usage(page) |",
        "| Chip         | Bus-Id   | AICore(%) Memory-Usage(MB)  HBM-Usage(MB) |",
        _BORDER,
    ]
    for card in range(cards):
        rows.append(f"| {card}  910B3 | {(health or {}).get(card, 'OK')} | 92.0  40   0 / 0 |")
        rows.append(f"| 0 | 0000:C{card}:00.0 | 0   0 / 0   {used} / 65536 |")
        rows.append(_BORDER)
    rows.append("| NPU   Chip | Process id | Process name | Process memory(MB) |")
    rows.append(_BORDER)
    for card in range(cards):
        rows += [f"| No running processes found in NPU {card} |", _BORDER]
    return "\n".join(rows) + "\n"


def healthy_node(node: int, cards: int = CARDS) -> Answers:
    conf = "".join(
        f"address_{c}=10.1.{node}.{c + 1}\nnetmask_{c}=255.255.0.0\ngateway_{c}=10.1.255.254\n"
        f"netdetect_{c}=10.1.255.254\n"
        for c in range(cards)
    )
    chips = "NPU ID  Chip ID  Chip Logic ID  Chip Name\n" + "".join(
        f"{c}       0        {c}              910B3\n" for c in range(cards)
    )
    pci = "".join(f"0000:c{c}:00.0 Processing accelerators: Device d802\n" for c in range(cards))
    answers = {
        "clock": said("1000000.5\n"),
        "dev": listed("".join(f"davinci{c}\n" for c in range(cards))),
        "pci": listed(f"{pci}pci devices: 90\n"),
        "npus": said(table(cards)),
        "chips": said(chips),
        "driver": listed("Version=24.1.0\ncompatible_version_fw=[7.0.0,7.6.99]\n"),
        "firmware": listed("Version=7.5.0.5.220\n"),
        "conf": listed(conf),
        "listeners": listed(f'LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid={node},fd=3))\n'),
        "memory": said("MemTotal:  1000000000 kB\nMemAvailable:  900000000 kB\n"),
        "disks": listed("/root/models /dev/sda1 1000000000 1000 999999000 1% /\n"),
        "paths": listed("there /dev/davinci_manager\nabsent /etc/hccl_rootinfo.json\n"),
        "digests": listed(f"{'a' * 64}  /root/models/Ling_lite/generation_config.json\n"),
        "firewall": listed("firewalld inactive\nufw absent\n"),
        "rights": listed("user 0 root\nmay /root/models\nmay /var/lib/lingctl\n"),
        "hostname": said(f"host{node}\n"),
        "runtime": said("20.10.21\n"),
        "image": said("sha256:11\n"),
        "service": said("dead\n\n"),
    }
    for card in range(cards):
        answers |= healthy_card(node, card)
    return answers


@dataclass
class World:
    """Nodes by number (1, 2, ...) with their answers."""

    nodes: dict[str, Answers] = field(default_factory=dict)
    clock_off: dict[str, float] = field(default_factory=dict)
    reached: dict[str, Answer] = field(default_factory=dict)

    @classmethod
    def healthy(cls, nodes: int = 3, cards: int = CARDS) -> World:
        return cls({f"node{n}": healthy_node(n, cards) for n in range(1, nodes + 1)})

    @property
    def scope(self) -> Scope:
        return Scope(
            nodes=tuple(
                NodeScope(
                    name,
                    tuple(range(CARDS)),
                    f"192.0.2.{n}",
                    ("/dev/davinci_manager", "/etc/hccl_rootinfo.json"),
                )
                for n, name in enumerate(self.nodes, 1)
            ),
            ports={"service": 1025, "management": 1026, "metrics": 1027},
            shared_ports={"inter-node": 1120} if len(self.nodes) > 1 else {},
            disks=("/root/models",),
            writes=("/root/models", "/var/lib/lingctl"),
            digests={"/root/models/Ling_lite/generation_config.json": "the default sampling parameters"},
            image="mindie:1.0.0",
            service="look",
        )

    @property
    def facts(self) -> dict[str, NodeFacts]:
        scope = self.scope
        records = {
            name: NodeAnswers(
                answers,
                asked_at=1000000.0 + self.clock_off.get(name, 0.0),
                heard_at=1000000.6 + self.clock_off.get(name, 0.0),
            )
            for name, answers in self.nodes.items()
        }
        return {name: facts_of(scope, name, record) for name, record in records.items()}

    def set(self, node: str, question: str, answer: Answer) -> World:
        self.nodes[node][question] = answer
        return self

    def change(self, node: str, question: str, edit: Callable[[str], str]) -> World:
        old = self.nodes[node][question]
        return self.set(node, question, Answer(edit(old.stdout), old.stderr, old.exit_status))

    def judged(self) -> tuple[Finding, ...]:
        return judge(self.scope, self.facts)

    def trouble(self) -> set[tuple[str, str, int | None, str]]:
        return {
            (finding.check, finding.node, finding.device, finding.verdict.word)
            for finding in self.judged()
            if finding.verdict > Verdict.NOTE
        }
