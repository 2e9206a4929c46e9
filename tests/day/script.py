"""What is typed in a day, in order, with the mistakes that people make."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tests.terminal.screen import CTRL_C

HOSTS = "hosts.yaml"
SANDBOX = ".lingctl-sandbox/hosts.yaml"


@dataclass(frozen=True)
class Edit:
    """A change of a file, as by an editor; an empty ``old`` adds to its end."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Typed:
    """One command.

    Attributes:
        line: as it is typed, without ``lingctl``.
        status: how it ends.
        keys: a pattern, and what is pressed when it has come once more; in order.
        edit: what was changed before it.
        taken_back: the edit was a mistake, and is taken back after it.
        varies: how it ends, and with what, depends on the moment; it is looked at that it ends in order.
        until: a pattern that shows what it waits for: it is typed again and again until that comes.
        measured: what it prints are times, rates and text of a model: no two runs share its numbers.
    """

    line: str
    status: int = 0
    keys: Sequence[tuple[str, str]] = ()
    edit: Edit | None = None
    taken_back: bool = False
    until: str = ""
    measured: bool = False
    varies: bool = False

    @property
    def name(self) -> str:
        """For the name of its picture."""
        return "-".join(re.findall("[A-Za-z0-9]+", self.line))[:40] or "lingctl"


def _mistake(old: str, new: str) -> Typed:
    return Typed("config check", 2, edit=Edit(HOSTS, old, new), taken_back=True)


_QUESTION = r"\? \[y/N\]"

# Nothing is there yet but lingctl itself.
MORNING: tuple[Typed, ...] = (
    Typed("", 2),
    Typed("version"),
    Typed("help lock release"),
    Typed("status", 2),
    Typed("deply", 2),
    Typed("deploy --nods hosts.yaml", 2),
    Typed("convert", 2),
    Typed("models"),
    Typed("engines"),
    Typed("capacity Ling-plus --nodes nowhere.yaml", 2),
    Typed("init --yes --model Ling-pluss --node 192.0.2.11", 2),
    Typed("init", 130, keys=[(r"^addresses of the machines .*\]:", CTRL_C)]),
    Typed(
        "init",
        keys=[
            (r"^addresses of the machines .*\]:", "192.0.2.11 root@192.0.2.12\n"),
            (r"^addresses of the machines .*\]:", "192.0.2.11 192.0.2.12\n"),
            (r"^login name .*\]:", "root\n"),
            (r"^key file .*\]:", "\n"),
            (r"^model .*\]:", "Ling-pluss\n"),
            (r"^model .*\]:", "Ling-plus\n"),
            (r"^engine .*\]:", "\n"),
            (r"^write it .*\]:", "y\n"),
        ],
    ),
    Typed("init --yes --node 192.0.2.13", 2),
    Typed("config check"),
    _mistake("name: ling", "name： ling"),
    _mistake("address: 192.0.2.11", "address: root@192.0.2.11:22"),
    _mistake("address: 192.0.2.12", "address: 192.0.2.11"),
    _mistake('user: "root"', "password: secret"),
    Typed(
        "config check",
        2,
        edit=Edit(
            HOSTS,
            "",
            "serving: {port: 01025, prot: 1}\ntimeouts: {start: 2h}\npaths: {models: ~/models}\n",
        ),
        taken_back=True,
    ),
    Typed("config show"),
    Typed("capacity"),
    Typed("explain EI0006"),
    Typed("explain 134"),
    Typed("explain nonsense-1", 2),
)

# An emulated cluster: two nodes of four cards.
NOON: tuple[Typed, ...] = (
    Typed("sandbox up --nodes 2 --devices 4 --time-scale 0.005"),
    Typed("sandbox faults"),
    Typed("check-network"),
    Typed("sandbox break node2 link-down=1"),
    Typed("check-network", 3),
    Typed("deploy --yes", 3),
    Typed("sandbox heal"),
    Typed("sandbox break node1 nosuchfault", 2),
    Typed("convert .lingctl-sandbox/checkpoint/Ling_lite"),
    Typed("convert .lingctl-sandbox/checkpoint/Ling_lite"),
    Typed("verify-weights .lingctl-sandbox/checkpoint/Ling_lite_safetensor"),
    Typed("verify-weights .lingctl-sandbox/checkpoint/Ling_lost", 2),
    Typed("smoke-test", 4),
    Typed("deploy --dry-run"),
    Typed("deploy", 1, keys=[(_QUESTION, "what\n"), (_QUESTION, "n\n")]),
    Typed("deploy", keys=[(_QUESTION, "d\n"), (r"^-- \d+ more", "q\n"), (_QUESTION, "y\n")]),
    Typed("deploy"),
    Typed("status"),
    Typed("smoke-test"),
    Typed("ask Hello --max-tokens 8", measured=True),
    Typed("bench --requests 4 --concurrency 2 --output-len 4", measured=True),
    Typed("logs --lines 3", measured=True),
    Typed("patch status"),
)

# Changes, and what goes wrong.
AFTERNOON: tuple[Typed, ...] = (
    Typed("deploy --dry-run", edit=Edit(SANDBOX, "", "serving: {max_seq_len: 1024}\n")),
    Typed("deploy --yes"),
    Typed("releases"),
    Typed("rollback --dry-run"),
    Typed("restart --yes", 130, keys=[(r"✓ node\d stop the daemon", CTRL_C)], varies=True),
    Typed("status", 3, varies=True),
    Typed("deploy --yes", varies=True),
    Typed("sandbox break node1 daemon-dies-serving"),
    Typed("ask Hello", varies=True),
    # The second node's daemon ends a moment after the first one's.
    Typed("status", 3, until=r"node2 +dead"),
    Typed("smoke-test", 4),
    Typed("sandbox heal"),
    Typed("restart --yes"),
    Typed("audit --lines 3", varies=True),
    Typed("lock status"),
    Typed("collect --to evidence.tar.gz"),
    Typed("explain evidence.tar.gz"),
    Typed("check-network --mesh off --save facts"),
    Typed("export kubernetes", 2),
    Typed("stop", keys=[(_QUESTION, "y\n")]),
    Typed("status", 3),
    Typed("sandbox down"),
)

DAY = (*MORNING, *NOON, *AFTERNOON)
