"""One change at a time: a lock on the primary, taken and given back atomically.

The lock is a folder with one file in it. The file's name is the holder's token, its content tells who holds
it, its time of change is the holder's last sign of life. It is taken by renaming a prepared folder onto that
name, which succeeds only where there is none (or an empty one); it is taken over by renaming the file of a
holder that is gone, which succeeds for one contender only.
"""

from __future__ import annotations

import getpass
import json
import os
import secrets
import socket
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from lingctl.assets import shell
from lingctl.errors import NodeError
from lingctl.node.foreign_json import foreign_json
from lingctl.remote.command import Command, script
from lingctl.remote.connection import Connection

BEAT_SECONDS = 10
# Without a sign of life for so long, the holder is taken for gone.
PATIENCE_SECONDS = 60

_TAKE = shell("ask/trusted") + shell("lock/take")
_SHOW = shell("lock/show")
_TAKE_OVER = shell("lock/take_over")
_BEAT = '[ -e "$1/lock/$2" ] && touch -c "$1/lock/$2"'
_RELEASE = 'rm -f "$1/lock/$2" && { rmdir "$1/lock" 2>/dev/null || true; }'

_LONGEST_RECORD = 10_000


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock."""

    token: str  # names this holding of it
    who: str  # user and machine
    command: str  # what is being done
    since: str  # when it was taken, by the clock of the holder's machine
    machine: str  # identity of the holder's machine, boot and process namespace; see ``is_gone``
    pid: int  # the holder's process there
    process_start: str  # when that process started, in ticks since boot
    quiet: int = 0  # seconds since its last sign of life, by the primary's clock

    @property
    def is_gone(self) -> bool:
        """Whether the holder ended without giving the lock back.

        Its process is looked for where it ran on this very machine; else its silence decides.
        """
        if self.quiet > PATIENCE_SECONDS:
            return True
        return self.machine == _machine() and _process_start(self.pid) != self.process_start

    @property
    def description(self) -> str:
        """One line about it."""
        return f"{self.command} by {self.who} (process {self.pid}) since {self.since}"


def me(command: str) -> Holder:
    """This process as a holder."""
    return Holder(
        token=secrets.token_hex(8),
        who=f"{_user()}@{socket.gethostname()}",
        command=command,
        since=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        machine=_machine(),
        pid=os.getpid(),
        process_start=_process_start(os.getpid()),
    )


def take(connection: Connection, state_dir: str, mine: Holder) -> Holder | None:
    """Try to take the lock, also from a holder that is gone.

    Returns:
        None when it is ours now, else who holds it.

    Raises:
        NodeError: the primary cannot keep a lock (disk full, no permission).
        ConnectError: the primary was lost.
    """
    taking = script(_TAKE, state_dir, mine.token, _record(mine), title="take the lock")
    for _ in range(20):
        if _said(connection, taking) == "taken":
            return None
        holder = show(connection, state_dir)
        if holder is None:
            continue
        if not holder.is_gone:
            return holder
        if _take_over(connection, state_dir, holder, mine):
            return None
    raise NodeError("the lock changes hands too quickly", where=connection.node, code="lock-failed")


def show(connection: Connection, state_dir: str) -> Holder | None:
    """Who holds the lock, or None.

    Raises:
        NodeError: the primary does not tell.
        ConnectError: the primary was lost.
    """
    said = _said(connection, script(_SHOW, state_dir, title="look at the lock"))
    if said == "free":
        return None
    try:
        return _holder(said)
    except ValueError as error:
        raise NodeError(
            "look at the lock: the answer makes no sense",
            where=connection.node,
            evidence=said[:300],
            code="lock-failed",
        ) from error


def beat(connection: Connection, state_dir: str, mine: Holder) -> bool:
    """Give a sign of life; false when the lock is no longer ours."""
    return connection.run(script(_BEAT, state_dir, mine.token, title="keep the lock"), timeout=20).ok


def release(connection: Connection, state_dir: str, token: str) -> None:
    """Give the lock of that token back; nothing happens when it is gone already."""
    give_back = script(_RELEASE, state_dir, token, title="give the lock back")
    connection.run(give_back, timeout=20).checked(connection.node)


def _take_over(connection: Connection, state_dir: str, gone: Holder, mine: Holder) -> bool:
    takeover = script(
        _TAKE_OVER, state_dir, gone.token, mine.token, _record(mine), title="take the lock over"
    )
    return _said(connection, takeover) == "taken"


def _said(connection: Connection, what: Command) -> str:
    done = connection.run(what, timeout=30)
    if not done.ok:
        raise NodeError(
            f"{what.title}: exit status {done.exit_status}",
            where=connection.node,
            evidence=done.last_words(),
            remedy="look at free space and permissions of lingctl's folder there (paths.state in hosts.yaml)",
            code="lock-failed",
        )
    return done.stdout.strip()


def _record(holder: Holder) -> str:
    return json.dumps({key: value for key, value in asdict(holder).items() if key not in ("token", "quiet")})


def _holder(said: str) -> Holder:
    head, _, record = said.partition("\n")
    word, seconds, token = head.split()
    if word != "held":
        raise ValueError(head)
    quiet = int(seconds)
    if len(record) > _LONGEST_RECORD:
        raise ValueError("a record of the lock is not so long")
    try:
        told = foreign_json(record)
        texts = {name: told[name] for name in ("who", "command", "since", "machine", "process_start")}
        if not all(isinstance(text, str) for text in texts.values()):
            raise ValueError("a word of the record is none")
        return Holder(token=token, quiet=quiet, pid=int(told["pid"]), **texts)
    except (ValueError, TypeError, LookupError, OverflowError):
        # Being written just now, or cut short by a full disk: its silence still tells whether it is gone.
        return Holder(token, "unknown", "a change", "an unknown time", "", 0, "", quiet)


def _user() -> str:
    try:
        return getpass.getuser()
    except OSError:  # no name for this user id
        return str(os.getuid())


def _machine() -> str:
    """Tells this boot of this machine and this process namespace from all others; empty where it cannot."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _process_start(pid: int) -> str:
    """Field 22 of its stat line; empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
