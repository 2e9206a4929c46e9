"""Entry of the zipapp: one program per name, JSON lines on standard output.

Each line is an event; the last one is ``{"event": "result", ...}`` or ``{"event": "error", ...}``.
Exit status: 0 done, 1 failed, 2 usage, 5 another one is at work there, 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from types import FrameType
from typing import Mapping, NoReturn, Optional, Sequence

from lingctl.node.files import system_trouble
from lingctl.node.progress import say
from lingctl.node.trouble import Trouble

# Name -> module with ``add_arguments(parser)`` and ``run(arguments, report) -> result``.
PROGRAMS = {
    "convert": "lingctl.node.convert.program",
    "fetch": "lingctl.node.fetch.program",
    "fold": "lingctl.node.fold.program",
    "npu-check": "lingctl.node.npu_check",
    "offline": "lingctl.node.offline.program",
    "overlay": "lingctl.node.overlay",
    "prove": "lingctl.node.prove.program",
    "weights": "lingctl.node.weights.program",
}


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are events too."""

    def error(self, message: str) -> NoReturn:
        raise Trouble(message, where=self.prog, remedy=f"{self.prog} --help", code="usage", exit_status=2)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run the program named first and return the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    # What a login's umask says is meant for a person's own files; MindIE refuses more and needs no less.
    os.umask(0o027)
    # A closed SSH session or `docker stop` ends a program as Ctrl-C does: files half written are taken away.
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    try:
        result = _run(words)
    except Trouble as trouble:
        return _end(trouble)
    except KeyboardInterrupt:
        return _end(
            Trouble("interrupted", remedy="run it again: it goes on", code="interrupted", exit_status=130)
        )
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except OSError as error:
        return _end(system_trouble(error))
    except Exception as error:
        if os.environ.get("LINGCTL_DEBUG"):
            raise
        name = type(error).__name__
        return _end(Trouble(f"the node program itself failed: {name}: {error}", code="internal"))
    say({"event": "result", **result})
    return 0


def _run(words: Sequence[str]) -> Mapping[str, object]:
    if not words or words[0] not in PROGRAMS:
        known = ", ".join(PROGRAMS)
        raise Trouble(f"name a program: {known}", where="node.pyz", code="usage", exit_status=2)
    module = importlib.import_module(PROGRAMS[words[0]])
    parser = _Parser(prog=f"node.pyz {words[0]}", description=module.__doc__)
    # Output is always JSON lines; the option is accepted so that callers can say what they expect.
    parser.add_argument("--json", action="store_true", help=argparse.SUPPRESS)
    module.add_arguments(parser)
    result: Mapping[str, object] = module.run(parser.parse_args(list(words[1:])), say)
    return result


def _end(trouble: Trouble) -> int:
    say(trouble.as_event())
    return trouble.exit_status


def _interrupt(signum: int, frame: Optional[FrameType]) -> None:
    raise KeyboardInterrupt
