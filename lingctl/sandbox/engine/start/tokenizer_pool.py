"""The tokenizer processes of 3.0.0: a segment of maxRequestLength MiB and a process for each.

Seen on the real 3.0.0: lines, processes, and that one which cannot start ends the daemon with 137 after its
first line, without a word of why. Read in its source: the words where memory is short.
"""

from __future__ import annotations

import os

from lingctl.sandbox.engine.console import Console
from lingctl.sandbox.engine.machine.processes import start_tokenizer
from lingctl.sandbox.engine.machine.shared_memory import NoRoom, SharedMemory
from lingctl.sandbox.engine.machine.site import this_site
from lingctl.sandbox.engine.settings.server_config import RawConfig
from lingctl.sandbox.engine.words import last_words, start_lines

_SOURCE = "infer_tokenizer.cpp"
_MIB = 1 << 20
# The fault: a module that a tokenizer process imports is not there.
CANNOT_START = "tokenizer-cannot-start"


class TokenizersFailed(Exception):
    """The pool could not be made; silent where even the last lines are lost."""

    def __init__(self, *, silent: bool) -> None:
        super().__init__("tokenizers")
        self.silent = silent

    def say(self, console: Console) -> None:
        """The words before the daemon kills its group."""
        if not self.silent:
            why = "Init process tokenizer pool failed."
            last_words.endpoint_failed(console, why=why, place="endpoint.cpp:103")


def start_tokenizers(raw: RawConfig, memory: SharedMemory, console: Console) -> None:
    """Make segments, then processes.

    Raises:
        TokenizersFailed: no room for a segment, or a process cannot start.
    """
    count = int(raw.backend["tokenizerProcessNumber"])
    size = int(raw.server.get("maxRequestLength", 40)) * _MIB

    def say(text: str, line: int) -> None:
        console.server("INFO", f"[tokenizer] {text}", f"{_SOURCE}:{line}")

    for number in range(count):
        try:
            memory.add_tokenizer(size)
        except NoRoom as error:
            for place, text in error.lines:
                console.server("ERROR", text, place)
            index = f"token index is {number}, status value is -1"
            text = f"[MIE04E040614] [tokenizer] Failed to create tokenizer share memory, {index}"
            console.server("ERROR", text, f"{_SOURCE}:622")
            raise TokenizersFailed(silent=False) from None
        say("Shared memory size check success.", 324)
        name = f"/llm_tokenizer_shared_memory_{os.getpid()}_{number}"
        say(f"Create share memory {name} success.", 387)
    say(f"Init share memory done with size {count}", 642)
    # One alone is started with another function than several, which says other things.
    if count == 1:
        say("Start tokenizer with retry.", 551)
        say("Start tokenizer[0]", 556)
        say("Start tokenizer[0] try 0", 571)
    pids = [start_tokenizer() for _ in range(count)]
    for pid in pids:
        say(f"Started tokenizer sub process with pid {pid}", 539)
    for pid in pids:
        say(f"Create and wait process success, sub pid {pid}", 468)
    for pid in pids:
        start_lines.tokenizer_begins(pid, console)
    if CANNOT_START in this_site().faults:
        raise TokenizersFailed(silent=True)
    for pid in pids:
        start_lines.tokenizer_ready(pid, console)
    if count == 1:
        say("Success to init tokenizer[0]", 562)
    say(f"Finished to init tokenizer sub process size {count}", 564 if count == 1 else 452)
