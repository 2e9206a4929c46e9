"""What is looked for in MindIE's console."""

from __future__ import annotations

from lingctl.engine.logs import Console
from lingctl.engine.words.telling import telling

# Of a daemon that served, refused requests are most of its errors, and never the cause.
_REQUESTS = r"request_?[iI]d|http_handler\.cpp|single_req_"
# What tells how far the daemon was when errors came.
_TELLING = telling(
    "MIE[0-9][0-9][EC]",
    "g_mainPid",
    "ConfigManager: Load",
    "Execute command",
    "GRPCCommunicator",
    "Registration succeeded",
    "InitModelConfig",
    "Daemon start success",
    "Received exit signal",
    "exited normally",
    "terminated by signal",
)
# Every daemon of every version prints it when it has loaded, whatever its node.
LOADED = "Daemon start success!"
CONSOLE = Console(loaded=LOADED, loaded_elsewhere=LOADED, telling=_TELLING, requests=_REQUESTS)
