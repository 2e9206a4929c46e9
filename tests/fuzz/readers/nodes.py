"""Answers of host tools on nodes: hccn_tool, npu-smi, hccn.conf, the host, and what is judged of them."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from pathlib import Path

from lingctl.ascend import conf, devices, host, reach, versions
from lingctl.ascend.cards import hccn, npu_map, npu_smi, ping, signal, vnic
from lingctl.ascend.facts import as_json
from lingctl.ascend.unread import close
from lingctl.flows.network.probe import NodeAnswers, facts_of
from lingctl.flows.network.saved import answer_files, judge_saved
from lingctl.remote.probe import Answer, read_answers
from lingctl.remote.wire.framing import ERR, OUT, Stream
from tests.fuzz.reader import Reader, Wrong
from tests.fuzz.readers.samples import files
from tests.unit.checks.world import World, healthy_node, said

_READERS: dict[str, Callable[[Answer | None], object]] = {
    **{
        name: getattr(hccn, f"read_{name}")
        for name in ("address", "link", "net_health", "netdetect", "gateway")
    },
    **{name: getattr(hccn, f"read_{name}") for name in ("tls", "lldp", "mtu", "speed")},
    "history": signal.read_link_history,
    "optics": signal.read_optics,
    "counters": signal.read_counters,
    "vnic": vnic.read_vnic,
    "ping": ping.read_ping,
    "hccs_ping": ping.read_hccs_ping,
    "conf": conf.read_conf,
    "npus": npu_smi.read_table,
    "chips": npu_map.read_map,
    "place": npu_smi.read_pod,
    "version": versions.read_version,
    "dev": devices.read_dev,
    "pci": devices.read_pci,
    "reach": reach.read_reach,
    **{name: getattr(host, f"read_{name}") for name in ("clock", "listeners", "memory", "disks", "paths")},
    **{name: getattr(host, f"read_{name}") for name in ("rights", "digests", "word", "runtime", "image")},
    **{name: getattr(host, f"read_{name}") for name in ("service", "firewall")},
}
_WORDS = (
    *(
        b"ipaddr:",
        b"netmask:",
        b"[devid 0]",
        b"link status: UP\n",
        b"mtu:4200\n",
        b"Speed: ",
        b" Mb/s",
        b"End of LLDPDU TLV\n",
    ),
    *(
        b"packet loss",
        b"| ",
        b"+====+",
        b"Version=",
        b"address_0=",
        b"LISTEN 0 128 ",
        b"[::]:1025",
        b"0.0.0.0:*",
    ),
    *(
        b"%",
        b"mW",
        b"present",
        b"there ",
        b"absent ",
        b"davinci0\n",
        b"NPU ID",
        b"Fri Feb 30 25:61:61 2025",
        b"-1",
    ),
)


def _read(data: bytes, _folder: Path) -> object:
    """Every reader of a tool's answer: on standard output, and on standard error with a status."""
    text = data.decode("utf-8", "replace")
    answers = [Answer(text, "", 0), Answer(close(text), "", 0), Answer("", text, 1), Answer(text, text, 124)]
    return {name: as_json([read(one) for one in answers]) for name, read in _READERS.items()}


def _seeds() -> list[bytes]:
    told = [answer.stdout.encode() for answer in healthy_node(1, 2).values()]
    return [*told, *files("samples/*.txt", "field/answers/*.txt")]


def _made(chance: random.Random) -> bytes:
    """An answer with values that are told back."""
    octets = ".".join(str(chance.randrange(256)) for _ in range(4))
    lines = {
        "address": f"ipaddr:{octets}\nnetmask:255.255.{chance.choice((0, 128, 255))}.0\n",
        "gateway": f"default gateway:{octets}, Iface:eth{chance.randrange(9)}\n",
        "mtu": f"mtu:{chance.randrange(100000)}\n",
        "speed": f"Speed: {chance.randrange(10**6)} Mb/s\n",
        "memory": f"MemTotal:  {chance.randrange(10**12)} kB\nMemAvailable: {chance.randrange(10**12)} kB\n",
        "listeners": f'LISTEN 0 128 {octets}:{chance.randrange(70000)} 0.0.0.0:* users:(("a",pid=1,fd=3))\n',
    }
    return chance.choice(list(lines.values())).encode()


# ---- the whole answer of a node, judged


def _judged(data: bytes, folder: Path) -> object:
    """A node's saved answers, judged with two healthy ones; as ``check-network --from`` does."""
    name, _, rest = data.partition(b"\n")
    world = World.healthy(3)
    answers = world.nodes["node2"]
    asked = name.decode("utf-8", "replace")
    if asked in answers or asked.startswith(("card:", "pod:")):
        text, status = rest.decode("utf-8", "replace"), 1 if rest.endswith(b"!") else 0
        world.set("node2", asked, Answer(close(text) if rest.endswith(b"\n\n") else text, "", status))
    findings = world.judged()
    facts = facts_of(world.scope, "node2", NodeAnswers(answers, complete=True))
    return [[finding.as_json() for finding in findings], as_json(facts)]


def _judged_seeds() -> list[bytes]:
    return [f"{name}\n{answer.stdout}".encode() for name, answer in healthy_node(2, 2).items()]


# ---- answers in a folder


def _saved(data: bytes, folder: Path) -> object:
    first, _, second = data.partition(b"\n----\n")
    (folder / "scope.json").write_bytes(first)
    (folder / "node1.json").write_bytes(second)
    return [finding.as_json() for finding in judge_saved(folder).findings]


def _saved_seeds() -> list[bytes]:
    from lingctl.flows.network.check import judged as report_of

    world = World.healthy(1, 2)
    shot = {"ping/0/0/1/10.1.1.2": said("3 packets transmitted, 3 received, 0.00% packet loss\n")}
    records = {name: NodeAnswers({**answers, **shot}, complete=True) for name, answers in world.nodes.items()}
    made = answer_files(report_of(world.scope, records, {}, ()))
    plain = {name: json.dumps(json.loads(content)).encode() for name, content in made.items()}
    return [plain["scope.json"] + b"\n----\n" + plain["node1.json"]]


# ---- a probe's output, in its frames


def _probe(data: bytes, _folder: Path) -> object:
    """The same however it arrives; an answer is believed only from a whole frame."""
    cut = len(data) // 3
    whole, parts = Stream(OUT), Stream(OUT)
    whole.take(data)
    for part in (data[:cut], data[cut : 2 * cut], data[2 * cut :]):
        parts.take(part)
    if whole.text != parts.text:
        raise Wrong("what is read depends on how it arrives")
    answers = read_answers(whole.text if whole.begun else data.decode("utf-8", "replace"))
    return [answers.complete, {name: as_json(answer) for name, answer in answers.items()}]


def _probe_seeds() -> list[bytes]:
    def frame(name: str, text: str) -> bytes:
        part = base64.b64encode(text.encode())
        return b"\x1e" + name.encode() + b" 0\n" + part + b"\n\x1e\n" + part + b"\n"

    frames = b"".join(frame(name, "said\n") for name in ("clock", "npus", "card:0:link"))
    return [OUT + frames + b"\x1elingctl-end\n", b"banner\n" + ERR + OUT + frames]


READERS = (
    Reader("tools", _seeds, _read, _WORDS, _made),
    Reader("check", _judged_seeds, _judged, _WORDS),
    Reader("saved", _saved_seeds, _saved, _WORDS),
    Reader("probe", _probe_seeds, _probe, (OUT, ERR, b"\x1e", b"\x1elingctl-end\n", b"bGk=")),
)
