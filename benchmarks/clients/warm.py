"""Runs a client's own command line again and again, each time in a process of its own, but imports it once.

The Python of the client's environment runs this file; it needs nothing but the standard library:

    python warm.py ENTRY MODULE...

ENTRY (``package.module:function``) is the function behind the client's command, MODULEs are what is imported
beforehand. Each line of standard input is a run, ``{"argv": [...], "cwd": ..., "log": ...}``; a forked
process calls ENTRY with that argv, with its output in the log. Its exit status is told on a line of standard
output.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import traceback


def run(entry, argv, cwd, log):
    """In the forked process: call the client's command."""
    os.chdir(cwd)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, nothing), (1, file), (2, file)):
        os.dup2(source, target)
    sys.argv = argv
    module, function = entry.split(":")
    try:
        getattr(importlib.import_module(module), function)()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # told in the log, where the caller looks
        traceback.print_exc()
        return 1
    return 0


def main():
    entry, *modules = sys.argv[1:]
    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what an import prints is no answer
    for name in modules:
        importlib.import_module(name)
    print("ready", file=told, flush=True)
    for line in sys.stdin:
        task = json.loads(line)
        child = os.fork()
        if child == 0:
            status = run(entry, **task)
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError, ValueError):
                    stream.flush()
            os._exit(status)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=told, flush=True)


if __name__ == "__main__":
    main()
