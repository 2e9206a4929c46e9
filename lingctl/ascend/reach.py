"""Can a node reach the others' TCP ports? Asked with Python where it is, else with bash.

A refused connection is an answer too: the packet arrived there and nothing listens yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, cast

from lingctl.ascend.unread import every_line, of_whole
from lingctl.assets import shell
from lingctl.remote.command import Command, script
from lingctl.remote.probe import Answer

Reached = Literal["connected", "refused", "silent", "no-route"]
SECONDS = 3

_PYTHON = """
import errno, select, socket, sys, time
words = {0: "connected", errno.ECONNREFUSED: "refused", errno.ETIMEDOUT: "silent"}
def ask(places, seconds):
    waiting, asked, ends = {}, select.poll(), time.monotonic() + seconds
    for host, port in places:
        s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        s.setblocking(False)
        e = s.connect_ex((host, int(port)))
        if e == errno.EINPROGRESS:
            waiting[s.fileno()] = (s, host, port)
            asked.register(s, select.POLLOUT)
        else:
            print(host, port, words.get(e, "no-route"))
    while waiting and time.monotonic() < ends:
        for ready, _ in asked.poll(1000 * max(0, ends - time.monotonic())):
            s, host, port = waiting.pop(ready)
            asked.unregister(ready)
            print(host, port, words.get(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), "no-route"))
    for s, host, port in waiting.values():
        print(host, port, "silent")
places = list(zip(sys.argv[2::2], sys.argv[3::2]))
# A process may commonly have 1,024 files open.
for begin in range(0, len(places), 500):
    ask(places[begin : begin + 500], float(sys.argv[1]))
"""
_ASK = shell("ask/reach")


def reach_command(targets: Sequence[tuple[str, int]], seconds: float = SECONDS) -> Command:
    """Try to connect to every (address, port), 500 at a time, for so many seconds each."""
    words: list[str | int] = []
    for address, port in targets:
        words += [address, port]
    return script(_ASK, _PYTHON, f"{seconds:g}", *words)


@of_whole
def read_reach(seen: Answer) -> Mapping[tuple[str, int], Reached]:
    """What happened to each connection; one that is not named has no answer."""
    lines = every_line(seen, r"(\S+) ([0-9]{1,5}) (connected|refused|silent|no-route)")
    return {(line[1], int(line[2])): cast("Reached", line[3]) for line in lines}
