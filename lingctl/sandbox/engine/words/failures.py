"""What daemons print that fail while they load: the fault ``daemon-prints``, by name or from a file.

The words are those of MindIE 2.x and 3.x, CANN 8.0 to 9.x and torch_npu in public reports; ``{time}``,
``{comma}``, ``{dashes}`` and ``{cann}`` are the moment in the forms that it has there.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from lingctl.sandbox import state

FAULT = "daemon-prints"
FILE = "file"
_GENERAL = (
    "[{time}] [34] [281473586159104] [llm] [ERROR] [llm_infer_model_instance.cpp:47] [MIE05E030001] "
    "Initialize modelBackends_ failed",
    "[{time}] [34] [36] [server] [ERROR] [endpoint.cpp:45] : [MIE04E02011C] [endpoint] Failed to init "
    "engine! Please check in the env MINDIE_LOG_PATH (default ~/mindie/log) or console output.",
)
_TRACEBACK = (
    "Traceback (most recent call last):",
    '  File "/usr/local/lib/python3.11/site-packages/mindie_llm/connector/request_router.py", line 99, in do',
    "    self.initialize(execute_request.config)",
)
_HCCL = "[ERROR] HCCL(77,python):{cann} [hccl_socket_manager.cc:"
NAMED: dict[str, tuple[str, ...]] = {
    "npu-memory": (
        "[{comma}] [77] [281472] [llm] [INFO] [generator_torch.py-1] : warm up",
        *_TRACEBACK,
        "RuntimeError: NPU out of memory. NPUWorkspaceAllocator tried to allocate 1.89 GiB(NPU 2; 60.96 GiB)",
        *_GENERAL,
    ),
    "hccl-timeout": (
        f"{_HCCL}816] [78][Wait][LinkEstablish]wait socket establish timeout, role[0] rank[0] timeout[120 s]",
        f"{_HCCL}642] [78]   ____________LINK_ERROR_INFO____________",
        f"{_HCCL}599] [78]   |  192.0.2.198(1)  |  16666  |  192.0.2.199(0)  |  0  |  server  | time out "
        "|   DISABLE  | LinkInfo",
        "[ERROR] {dashes} (PID:77, Device:0, RankID:0) ERR02200 DIST call hccl api failed.",
        "EI0006: [PID: 77] {cann} Getting socket times out. Reason: Remote Rank did not send the data.",
        "        Solution: 1. Check the rank service processes with other errors or no errors.",
        *_GENERAL,
    ),
    "card-busy": (
        *_TRACEBACK,
        "RuntimeError: c10_npu::SetDevice, error code is 507033",
        "[ERROR] {dashes} (PID:77, Device:0, RankID:0) ERR00100 PTA call acl api failed.",
        "EL0005: [PID: 77] {cann} The resources are busy.",
        "        Possible Cause: 1. The resources have been occupied. 2. The device is being reset.",
        *_GENERAL,
    ),
    "driver-too-old": (
        *_TRACEBACK,
        "EH9999: Inner Error!",
        "EH9999: [PID: 77] {cann} rtSetStreamFailureMode failed, runtime result = 207000."
        "[FUNC:ReportCallError][FILE:log_inner.cpp][LINE:161]",
        *_GENERAL,
    ),
    "operator-failed": (
        *_TRACEBACK,
        "RuntimeError: ACL stream synchronize failed, error code:507035",
        *_GENERAL,
    ),
    "missing-package": (
        "[{time}] [34] [36] [llm] [ERROR] [llm_python_model.cpp:31] LLMPythonModel initializes fail",
        *_TRACEBACK,
        "ModuleNotFoundError: No module named 'tiktoken'",
        *_GENERAL,
    ),
    "unknown": (*_TRACEBACK, "KeyError: 'rope_type'", *_GENERAL),
}


def words_of(name: str, now: datetime) -> str:
    """What a failure prints at a moment."""
    micro = f"{now.microsecond:06d}"
    forms = {
        "time": f"{now:%Y-%m-%d %H:%M:%S}.{micro}",
        "comma": f"{now:%Y-%m-%d %H:%M:%S},{micro[:3]}",
        "dashes": f"{now:%Y-%m-%d-%H:%M:%S}",
        "cann": f"{now:%Y-%m-%d-%H:%M:%S}.{micro[:3]}.{micro[3:]}",
    }
    return "".join(line.format(**forms) + "\n" for line in NAMED[name])


def file_of(node: str, root: Path = state.STATE) -> Path:
    """Where the text is kept that a node's daemon is to print."""
    return root / f"{node}.prints"


def print_and_die() -> None:
    """Where the fault is set: print, and end the whole group by SIGKILL, as a refused start does."""
    if not state.NODE_NAME.exists():
        return
    node = state.this_node()
    name = node.faults.get(FAULT)
    if name is not None:
        _die(file_of(node.name).read_bytes() if name == FILE else words_of(name, datetime.now()).encode())


def _die(words: bytes) -> NoReturn:
    sys.stdout.flush()
    sys.stdout.buffer.write(words)
    sys.stdout.buffer.flush()
    os.killpg(os.getpgrp(), signal.SIGKILL)
    raise AssertionError("unreachable")
