"""/etc/hccn.conf: what the driver applies again after a reboot or a reset, as ``key_<card>=value`` lines.

Sources: captures of A2, A3 and 910A servers, the published driver (`hicann/driver`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from lingctl.ascend.unread import Unread, closing_cat, of_file, quote, unread
from lingctl.remote.probe import Answer

PATH = "/etc/hccn.conf"
CONF = closing_cat(PATH)
Conf = Mapping[int, Mapping[str, str]]


@of_file
def read_conf(seen: Answer) -> Conf | Unread:
    """Settings by card and key, e.g. ``{0: {"address": "10.0.0.1"}}``.

    A file that has lines of no known form is refused: half a file must not look like a whole one.
    """
    settings: dict[int, dict[str, str]] = {}
    for line in seen.stdout.splitlines():
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        found = re.fullmatch(r"([A-Za-z][A-Za-z0-9_]*?)_(\d{1,2})\s*=\s*(.*)", text)
        if not found:
            return unread(seen, f"a line of /etc/hccn.conf is not understood: {text[:80]}")
        key, card, value = found.groups()
        settings.setdefault(int(card), {})[key] = value.strip()
    if not settings:
        return Unread("not-understood", "/etc/hccn.conf sets nothing", quote(seen))
    return settings
