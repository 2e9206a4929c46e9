"""A long command that outlives its connection: started apart, followed, and picked up again.

Its output, process id and exit status lie in a folder on the node. Two calls mean the same job as long as the
command is the same and the first one still runs.
"""

from __future__ import annotations

import hashlib

from lingctl.errors import ConnectError
from lingctl.remote.command import Command, script
from lingctl.remote.connection import Completed, Connection, OutputListener

# Whether the job in $d still runs: its process is there, no zombie, and started when the job did.
_RUNS = """
runs() {
  [ -s "$d/pid" ] && [ ! -e "$d/exit" ] || return 1
  pid=$(sed -n 1p "$d/pid") start=$(sed -n 2p "$d/pid")
  read -r line 2>/dev/null <"/proc/$pid/stat" || return 1
  set -- ${line##*) }
  [ "$1" != Z ] && [ "${20}" = "$start" ]
}
"""
_START = f"""{_RUNS}
umask 027
d=$1
mkdir -p "$d" || exit 1
runs && exit 0
rm -f "$d/pid" "$d/exit" "$d/out" "$d/err"
setsid sh -c '
read -r line <"/proc/$$/stat"
d=$1 text=$2
set -- ${{line##*) }}
printf "%s\\n%s\\n" "$$" "${{20}}" >"$d/pid.new" && mv "$d/pid.new" "$d/pid" || exit 1
sh -c "$text"
echo $? >"$d/exit.new" && mv "$d/exit.new" "$d/exit"' job "$d" "$2" >"$d/out" 2>"$d/err" </dev/null &
n=0
until [ -s "$d/pid" ]; do
  n=$((n + 1))
  [ "$n" -gt 100 ] && {{ cat "$d/err" >&2; df -hP "$d" | tail -n 1 >&2; exit 1; }}
  sleep 0.05
done
"""
_FOLLOW = f"""{_RUNS}
d=$1 seen=0
while :; do
  ended=
  runs || ended=$(cat "$d/exit" 2>/dev/null || {{ sleep 1; cat "$d/exit" 2>/dev/null; }} || echo lost)
  size=$(wc -c <"$d/out")
  if [ "$size" -gt "$seen" ]; then
    tail -c "+$((seen + 1))" "$d/out" | head -c "$((size - seen))"
    seen=$size
  fi
  [ -n "$ended" ] && break
  sleep 0.3
done
cat "$d/err" >&2
case $ended in
  *[!0-9]* | '')
    echo "it ended without telling how: it was killed, or its disk has no room left to say it" >&2
    df -hP "$d" | tail -n 1 >&2
    exit 137 ;;
esac
exit "$ended"
"""


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
        connection: to the node.
        jobs: folder of jobs on the node.
        command: what to run; standard output is given to ``on_output`` from its beginning.
        timeout: seconds to follow it for.
        on_output: gets standard output as it arrives.

    Raises:
        ConnectError: the connection was lost; the job goes on, and the remedy says how to pick it up.
        NodeError: it could not be started, or the time limit passed.
    """
    folder = job_folder(jobs, command)
    title = command.title or "job"
    start = script(_START, folder, command.text, title=f"start: {title}")
    connection.run(start, timeout=60).checked(connection.node)
    follow = script(_FOLLOW, folder, title=title)
    try:
        return connection.run(follow, timeout=timeout, on_output=on_output)
    except ConnectError as error:
        raise ConnectError(
            error.what,
            where=error.where,
            evidence=error.evidence,
            remedy=f"{error.remedy}\n"
            f"{title!r} goes on on {connection.node} without us: the same command picks it up",
            code=error.code,
        ) from error
