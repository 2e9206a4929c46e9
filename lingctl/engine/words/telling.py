"""Lines of a console that may tell why a start failed: an extended regular expression for the node's grep."""

from __future__ import annotations

# Errors in the words of any program, in English or as a Chinese shell and system print them.
_OF_ANY = (
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
    r"\([0-9]+\) *\|",
    "^lingctl: ",
)


def telling(*own: str) -> str:
    """Such lines of any program, and an engine's own: those that tell how far its daemon came."""
    return "|".join((*_OF_ANY, *own))
