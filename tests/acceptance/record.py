"""Records what the parts of an acceptance say of emulated clusters where all is well, into emulated.json,
with which ``accept`` compares what a machine says.

    python -m tests.acceptance.record ACCEPTANCE...     folders of acceptances of such clusters
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from importlib.resources import files
from pathlib import Path

from lingctl.flows.accept.heard_text import skeleton
from lingctl.flows.accept.lessons import CONSOLE, forms_of, read_lessons
from lingctl.release.evidence.anonymous import Anonymous

# A slow or busy machine shows more than these, and a machine with cards that does so teaches something.
GOOD = (" pass", " note")


def recorded(folders: list[Path]) -> dict[str, list[str]]:
    """Every sentence of every part, and the forms of the consoles' lines that look like errors."""
    said: dict[str, set[str]] = defaultdict(set)
    for folder in folders:
        anonymous = Anonymous([("node1", "node"), ("node2", "node"), ("sandbox", "cluster")])
        for name, part in json.loads((folder / "run.json").read_text())["parts"].items():
            well = [one for one in part["sentences"] if one.partition(": ")[0].endswith(GOOD)]
            said[name] |= set(forms_of(well, anonymous))
        texts = read_lessons(folder)["texts"]
        said[CONSOLE] |= {skeleton(text["said"]) for text in texts if text["kind"] == "line"}
    return {name: sorted(sentences) for name, sentences in said.items()}


if __name__ == "__main__":
    path = files("lingctl.flows.accept") / "emulated.json"
    table = recorded([Path(word) for word in sys.argv[1:]])
    Path(str(path)).write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
