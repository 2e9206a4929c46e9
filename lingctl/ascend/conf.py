"""/etc/hccn.conf: what the driver applies again after a reboot or a reset, as ``key_<card>=value`` lines.

Sources: captures of A2, A3 and 910A servers, the published driver (`hicann/driver`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from lingctl.ascend.unread import Unread, closed, closing_cat, unread
from lingctl.remote.command import Command
from lingctl.remote.probe import Answer

PATH = "/etc/hccn.conf"
Conf = Mapping[int, Mapping[str, str]]


def read_conf_command() -> Command:
    """Print the file."""
    return closing_cat(PATH)


def read_conf(answer: Answer | None) -> Conf | Unread:
    """Settings by card and key, e.g. ``{0: {"address": "10.0.0.1"}}``.

    A file that has lines of no known form is refused: half a file must not look like a whole one.
    """
    seen = closed(answer)
    if isinstance(seen, Unread):
        return unread(answer, "the file cannot be read") if answer and answer.exit_status else seen
    settings: dict[int, dict[str, str]] = {}
    for line in seen.stdout.splitlines():
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        found = re.fullmatch(r"([A-Za-z][A-Za-z0-9_]*?)_(\d{1,2})\s*=\s*(.*)", text)
        if not found:
            return unread(answer, f"a line of /etc/hccn.conf is not understood: {text[:80]}")
        key, card, value = found.groups()
        settings.setdefault(int(card), {})[key] = value.strip()
    if not settings:
        return unread(answer, "/etc/hccn.conf sets nothing")
    return settings
