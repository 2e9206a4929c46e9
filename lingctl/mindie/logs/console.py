"""What is looked for in MindIE's console."""

from __future__ import annotations

from lingctl.engine.logs import Console

# Of a daemon that served, refused requests are most of its errors, and never the cause.
_REQUESTS = r"request_?[iI]d|http_handler\.cpp|single_req_"
# Errors, and what tells how far the daemon was when they came.
_TELLING = "|".join(
    (
        "ERROR",
        "Error",
        r"\[error\]",
        "FATAL",
        "CRITICAL",
        "Exception",
        "E[A-Z1-9][0-9][0-9][0-9][0-9]",
        "terminate called",
        r"what\(\):",
        "[Oo]ut of memory",
        "[Ff]ail",
        "[Ii]nvalid",
        "[Cc]annot",
        "not (found|exist)",
        "error code",
        "MIE[0-9][0-9][EC]",
        "reason=",
        " ECC",
        "[Tt]ime(d )?out",
        "LINK_ERROR_INFO",
        "core dumped|核心已转储",
        "Killed|已杀死",
        "Aborted|已放弃",
        "Segmentation fault|段错误",
        "undefined symbol|symbol lookup error|static TLS block",
        "No space left|设备上没有空间",
        "Read-only file system|Stale file handle|exec format",
        "[Pp]ermission denied|权限不够",
        "No such file|没有那个文件",
        "in use|地址已在使用",
        "无法分配内存|No route to host|gaierror|x509",
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
        r"\([0-9]+\) *\|",
    )
)
# Every daemon of every version prints it when it has loaded, whatever its node.
LOADED = "Daemon start success!"
CONSOLE = Console(loaded=LOADED, loaded_elsewhere=LOADED, telling=_TELLING, requests=_REQUESTS)
