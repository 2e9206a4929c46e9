"""What HCCL's lines add to a cause: the pair of cards, TLS switches, the rank that it blames, its result.

Forms of LINK_ERROR_INFO's rows by CANN's versions, from public reports: four columns (8.0), with ports (8.0
to 8.2), with a TLS column (8.3), with ``| LinkInfo`` behind it (9.0). Results: ``hccl_types.h``, quoted by
torch_npu (NPUErrorCodes.h). Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lingctl.engine.words.log_lines import LogLine

_END = r"\|\s*([0-9a-fA-F.:]+)\((\d+)\)\s*"
# The peer and its rank, perhaps a port, this side and its rank; the rest holds the role, the status,
# perhaps TLS.
_LINK = re.compile(rf"{_END}(?:\|\s*\d+\s*)?{_END}\|(.*)$")
_SWITCH = re.compile(r"\b(ENABLE|DISABLE|UNKNOWN)\b", re.IGNORECASE)
_CQE = re.compile(r"deviceIp\[([^]]+)\]\}, remoteIP\{.*deviceIp\[([^]]+)\]")
_TLS = re.compile(r"enabled tls:\s*(.*?); rankList for disabled tls:\s*(.*?);")
_BLAMED = re.compile(
    r"Cluster Exception Location\[IP/ID\]: ?\[([^]/]+)/(\d+)\].{0,200}?ExceptionType: ?\[([^]]+)\]"
)
_RESULT = re.compile(
    r"\bhccl\w{0,40} ?(?:function error|\().{0,200}\berror code is (\d{1,2})\b", re.IGNORECASE
)
_RESULTS = {
    1: "an invalid parameter",
    2: "a null pointer",
    3: "memory",
    4: "a fault inside",
    5: "a feature that is not supported",
    6: "a resource that was not found",
    7: "a resource that is not available",
    8: "a call of the system",
    9: "a time limit passed",
    10: "a file could not be opened",
    11: "a TCP connection failed",
    12: "a RoCE connection failed",
    13: "a TCP transfer failed",
    14: "a RoCE transfer failed",
    15: "a call of the runtime failed",
    16: "a call of the driver failed",
    19: "a call of the network failed",
    20: "to be tried again",
    21: "packets were lost for good (error CQE)",
    22: "the communicator is suspended",
    24: "memory ran out",
}
_NEAR = 40
_LONGEST = 1000


def link_detail(lines: Sequence[LogLine], at: int, *, with_pair: bool) -> str:
    """What the line, or those near it, add; empty where they add nothing.

    Args:
        lines: of the log.
        at: index of the line that shows the failure.
        with_pair: whether a row of HCCL's table near it belongs to it.
    """
    line = lines[at].text[:_LONGEST] if 0 <= at < len(lines) else ""
    if tls := _TLS.search(line):
        return f"on: {tls[1] or 'none'}; off: {tls[2] or 'none'}"
    if cqe := _CQE.search(line):
        return f"from {cqe[1]} to {cqe[2]}"
    if result := _RESULT.search(line):
        number = int(result[1])
        return f"HCCL's result {number}: {_RESULTS[number]}" if number in _RESULTS else ""
    if not with_pair:
        return ""
    around = (*lines[at : at + _NEAR], *reversed(lines[max(0, at - _NEAR) : at]))
    nearest = [near.text[:_LONGEST] for near in around]
    for near in nearest:
        if blamed := _BLAMED.search(near):
            return f"HCCL names rank {blamed[2]} ({blamed[1]}) as the first: {blamed[3]}"
    for near in nearest:
        if link := _LINK.search(near):
            peer, peer_rank, own, own_rank, rest = link.groups()
            switch = _SWITCH.search(rest)
            told = f"; this side's TLS: {switch[1].lower()}" if switch else ""
            return f"from {own} (rank {own_rank}) to {peer} (rank {peer_rank}){told}"
    return ""
