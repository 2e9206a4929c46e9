"""A long command that outlives its connection: started apart, followed, and picked up again.

Its output, process id and exit status lie in a folder on the node. Two calls mean the same job as long as the
command is the same and the first one still runs.
"""

from __future__ import annotations

import hashlib

from lingctl.assets import shell
from lingctl.errors import ConnectError
from lingctl.remote.command import Command, script
from lingctl.remote.completed import Completed, OutputListener
from lingctl.remote.connection import Connection

_START = shell("job/start")
_APART = shell("job/apart")
_FOLLOW = shell("job/follow")


def job_folder(jobs: str, command: Command) -> str:
    """The folder of a command's job below ``jobs``: the same for the same command."""
    return f"{jobs}/{hashlib.sha256(command.text.encode()).hexdigest()[:12]}"


def run_job(
    connection: Connection,
    jobs: str,
    command: Command,
    *,
    timeout: float,
    on_output: OutputListener | None = None,
) -> Completed:
    """Run a command apart from the connection, or pick it up where an earlier lingctl left it.

    Args:
        command: what to run; standard output is given to ``on_output`` from its beginning.
        timeout: seconds to follow it for.
        on_output: gets standard output as it arrives.

    Raises:
        ConnectError: the connection was lost; the job goes on, and the remedy says how to pick it up.
        NodeError: it could not be started, or the time limit passed.
    """
    folder = job_folder(jobs, command)
    title = command.title or "job"
    start = script(_START, _APART, folder, command.text, title=f"start: {title}")
    connection.run(start, timeout=60).checked(connection.node)
    follow = script(_FOLLOW, folder, title=title)
    try:
        return connection.run(follow, timeout=timeout, on_output=on_output)
    except ConnectError as error:
        goes_on = f"{title!r} goes on on {connection.node} without us: the same command picks it up"
        raise error.but(remedy=f"{error.remedy}\n{goes_on}") from error
