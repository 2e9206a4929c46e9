"""Which pair of cards HCCL's lines are about, and how their TLS switches stand. Pure.

Forms of LINK_ERROR_INFO's rows by CANN's versions, from public reports: four columns (8.0), with ports (8.0
to 8.2), with a TLS column (8.3), with ``| LinkInfo`` behind it (9.0).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_END = r"\|\s*([0-9a-fA-F.:]+)\((\d+)\)\s*"
# The peer and its rank, perhaps a port, this side and its rank; the rest holds the role, the status,
# perhaps TLS.
_LINK = re.compile(rf"{_END}(?:\|\s*\d+\s*)?{_END}\|(.*)$")
_SWITCH = re.compile(r"\b(ENABLE|DISABLE|UNKNOWN)\b", re.IGNORECASE)
_CQE = re.compile(r"deviceIp\[([^]]+)\]\}, remoteIP\{.*deviceIp\[([^]]+)\]")
_TLS = re.compile(r"enabled tls:\s*(.*?); rankList for disabled tls:\s*(.*?);")
_NEAR = 40


def link_detail(lines: Sequence[str], at: int, *, with_pair: bool) -> str:
    """What the line, or those near it, add; empty where they add nothing.

    Args:
        lines: of the log.
        at: index of the line that shows the failure.
        with_pair: whether a row of HCCL's table near it belongs to it.
    """
    line = lines[at] if 0 <= at < len(lines) else ""
    if tls := _TLS.search(line):
        return f"on: {tls[1] or 'none'}; off: {tls[2] or 'none'}"
    if cqe := _CQE.search(line):
        return f"from {cqe[1]} to {cqe[2]}"
    if not with_pair:
        return ""
    for near in (*lines[at : at + _NEAR], *reversed(lines[max(0, at - _NEAR) : at])):
        if link := _LINK.search(near):
            peer, peer_rank, own, own_rank, rest = link.groups()
            switch = _SWITCH.search(rest)
            told = f"; this side's TLS: {switch[1].lower()}" if switch else ""
            return f"from {own} (rank {own_rank}) to {peer} (rank {peer_rank}){told}"
    return ""
