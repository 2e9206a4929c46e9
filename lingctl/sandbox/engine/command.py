"""The command line of the emulated mindieservice_daemon."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

from lingctl.sandbox.engine.console import Console
from lingctl.sandbox.engine.daemon import Daemon
from lingctl.sandbox.engine.machine.processes import DAEMON, name_process
from lingctl.sandbox.engine.machine.surroundings import missing_library

_ARGUMENTS = ("--config-file", "--expert-parallel")


def main(version: str, program: str) -> int:
    """Run the daemon of a version as the program at that path; returns only where it cannot begin.

    The first lines of 3.0.0 come before it asks for a process group of its own, which the kernel refuses to
    the leader of a session: status 255 (seen on 3.0.0; a public file shows the same of 2.0.RC1). What 1.0.0
    does is not known; it is not treated better.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    name_process(DAEMON)
    home = Path(program).resolve().parent.parent
    library = missing_library(version, home)
    if library:
        print(library, file=sys.stderr, flush=True)
        return 127
    console = Console(version, home)
    if version != "1.0.0":
        console.err(f"g_mainPid = {os.getpid()}")
        console.loggers()
        console.out("LogLevelDynamicHandler start")
    try:
        os.setpgid(0, 0)
    except OSError as error:
        text = f"[MIE04E01011C] [daemon] Failed to set process group. errno is {error.errno}"
        console.server("ERROR", text, "llm_daemon.cpp:391")
        return 255
    options: dict[str, str] = {}
    rest = sys.argv[1:]
    while rest:
        key = rest.pop(0)
        if key not in _ARGUMENTS or not rest:
            text = (
                f"Missing value for key: {key}" if key in _ARGUMENTS else "Unrecognized command-line argument"
            )
            expected = f"[MIE04E01011C] [daemon] {text}, expect [{', '.join(_ARGUMENTS)}]"
            console.server("ERROR", expected, "llm_daemon.cpp:369")
            return 255
        options[key] = rest.pop(0)
    stated = options.get("--config-file") or os.environ.get("MIES_CONFIG_JSON_PATH")
    daemon = Daemon(version, home, Path(stated) if stated else home / "conf/config.json", console)
    return daemon.run()
