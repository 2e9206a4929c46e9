"""Starting, stopping and looking at the daemon, as commands for its node. Pure.

A process id alone is not trusted: after a restart of the container it may belong to something else. So the
time at which the process started is kept beside it, and both must match.
"""

from __future__ import annotations

from dataclasses import dataclass

from lingctl.errors import NodeError
from lingctl.mindie.profile import Profile
from lingctl.release.console import WATCHED_BYTES
from lingctl.release.site import Site
from lingctl.remote.command import Command
from lingctl.remote.runtime import runtime_script

# In the container: whether $pid, started at tick $start (if known), is still there and no zombie.
_ALIVE = """
alive() {
  kill -0 "$pid" 2>/dev/null && read -r line 2>/dev/null <"/proc/$pid/stat" || return 1
  set -- ${line##*) }
  [ "$1" != Z ] && { [ -z "$start" ] || [ "$start" = "${20}" ]; }
}
"""
_LOOK = f"""
start=$(sed -n 2p "$3" 2>/dev/null)
told=$("$runtime" exec "$1" sh -c '{_ALIVE}
pid=$(cat "$1" 2>/dev/null) start=$2
if [ -n "$pid" ] && alive; then echo "alive $pid"; else echo dead; fi' sh "$2" "$start" 2>/dev/null)
if [ -z "$told" ]; then
  # Where no container runs, no daemon does. A runtime that does not tell says nothing of one: it may serve.
  told="unknown the container runs, and nothing can be run in it"
  if state=$("$runtime" inspect --format "{{{{.State.Status}}}}" "$1" 2>&1); then
    case $state in exited | created | dead | stopped | configured) told=dead ;; esac
  else
    case $state in *[Nn]"o such "*) told=dead ;; *) told="unknown $(echo "$state" | tail -n 1)" ;; esac
  fi
fi
echo "$told"
echo "$(sed -n 1p "$3" 2>/dev/null)"
"""
# Then how it ended, its success line if it printed one, and the end of what it printed: a daemon that serves
# prints on and on, and its success line is soon far from the end (-a: of a long console
# start.sh empties the middle, which then reads as zero bytes).
# A long console has a hole of zeros between these two parts (start.sh), which grep would take for one line.
_WATCH = f"""{_LOOK}
echo "$(cat "$4" 2>/dev/null)"
{{ head -c 16000000 "$5"; tail -c 80000000 "$5" | tr -d "\\000"; }} 2>/dev/null | grep -a -m 1 -F "$6"
tail -c {WATCHED_BYTES} "$5" 2>/dev/null || true
"""
# Error lines of its other logs, of this start only; of each file the first ones, which name the cause.
_ERRORS = """
"$runtime" exec "$1" sh -c '
since=$1
shift
find "$@" -type f -newer "$since" 2>/dev/null | while read -r file; do
  grep -hE -m 20 "ERROR|Error|EI0|EJ0" "$file"
done | head -c 60000' sh "$2" $3 2>/dev/null || true
"""
# MindIE takes 5 s, gives its workers 15 s more, and may be told so only once. What is left of its process
# group after that is killed: workers of 3.0.0 keep it as orphans, and a stopped follower left its worker, and
# so its card, in 11 of 13 stops (seen). Cards need a pause then: HCCP refuses a new start for ten seconds
# (EJ0001).
_STOP = f"""
name=$1 pid_file=$2 started=$3 patience=$4 pause=$5
shift 5
start=$(sed -n 2p "$started" 2>/dev/null)
forced=$("$runtime" exec "$name" sh -c '{_ALIVE}
pid=$(cat "$1" 2>/dev/null) start=$2 patience=$3
[ -n "$pid" ] || exit 0
# Its number is held by its workers as long as one is left: another process with it means that none is.
if [ -n "$start" ] && read -r line 2>/dev/null <"/proc/$pid/stat"; then
  set -- ${{line##*) }}
  [ "${{20}}" = "$start" ] || exit 0
fi
if alive; then
  kill -TERM "$pid" 2>/dev/null
  n=0
  while alive && [ "$n" -lt "$patience" ]; do n=$((n + 1)); sleep 1; done
fi
for stat in /proc/[0-9]*/stat; do
  read -r line 2>/dev/null <"$stat" || continue
  set -- ${{line##*) }}
  other=${{stat#/proc/}}
  [ "$3" = "$pid" ] && [ "$1" != Z ] && kill -KILL "${{other%/stat}}" 2>/dev/null && echo "${{other%/stat}}"
done
true' sh "$pid_file" "$start" "$patience") || exit 1
[ -e "$started" ] && mv -f "$started" "${{started%/*}}/last-started"
[ -n "$forced" ] || exit 0
echo "killed what did not end by itself: processes $(echo $forced)"
sleep "$pause"
n=0
for card; do
  while [ "$n" -lt 30 ]; do
    used=$(npu-smi info -t usages -i "$card" 2>/dev/null | sed -n 's/.*HBM Usage Rate(%) *: *//p')
    used=$(printf %s "$used" | tr -dc 0-9)
    [ "${{used:-0}}" -gt 10 ] || break
    n=$((n + 1))
    sleep 1
  done
done
"""
_START = f"""
mkdir -p "$3" && chmod 0750 "$3" && rm -f "$3/daemon.exit" "$3/daemon.pid" "$3/started"
"$runtime" exec -d "$1" bash "$2" || exit 1
n=0
until [ -s "$3/daemon.pid" ] || [ -s "$3/daemon.exit" ]; do
  n=$((n + 1))
  [ "$n" -gt 1200 ] && {{ echo "the start script wrote no process id within two minutes" >&2; exit 1; }}
  sleep 0.1
done
start=$("$runtime" exec "$1" sh -c '{_ALIVE}
pid=$(cat "$1" 2>/dev/null) start=
[ -n "$pid" ] && alive && set -- ${{line##*) }} && echo "${{20}}"' sh "$3/daemon.pid")
printf '%s\\n%s\\n' "$4" "$start" >"$3/started"
"""
_COUNT = f"""
start=$(sed -n 2p "$3" 2>/dev/null)
"$runtime" exec "$1" sh -c '{_ALIVE}
pid=$(cat "$1" 2>/dev/null) start=$2
[ -n "$pid" ] && alive || {{ echo 0; exit 0; }}
count=0
for stat in /proc/[0-9]*/stat; do
  read -r line 2>/dev/null <"$stat" || continue
  set -- ${{line##*) }}
  [ "$3" = "$pid" ] && [ "$1" != Z ] && count=$((count + 1))
done
echo "$count"' sh "$2" "$start" 2>/dev/null || echo 0
"""
_PAUSE_SECONDS = 10
# The longest that ``start_command`` may take: start.sh waits for the last run's ports, which linger a minute.
START_SECONDS = 150
# What every daemon prints when it has loaded, on every node and in every version.
SUCCESS = "Daemon start success!"
# In the container; what CANN, HCCL and ATB write, whatever the MindIE version.
CANN_LOGS = ("/root/ascend/log/debug/plog", "/root/ascend/log/run/plog", "/root/atb/log")


@dataclass(frozen=True, slots=True)
class DaemonState:
    """What ``look_command`` tells.

    Attributes:
        pid: its process in the container, or None when it is not there or that is unknown.
        started: digest of the release that it was started with; empty when it was stopped on request.
        unknown: why it is not known whether it is there; empty where it is.
    """

    pid: int | None
    started: str
    unknown: str = ""


def look_command(site: Site) -> Command:
    """Ask whether the daemon is there; ``read_look`` reads the answer."""
    layout = site.layout
    return runtime_script(
        site.runtime, _LOOK, site.container, layout.pid, layout.started, title="look at the daemon"
    )


def read_look(answer: str) -> DaemonState:
    """The answer to ``look_command``."""
    first, _, rest = answer.partition("\n")
    words = first.split()
    started = rest.partition("\n")[0].strip()
    if words[:1] == ["alive"] and len(words) > 1 and words[1].isdecimal():
        return DaemonState(int(words[1]), started)
    unknown = "" if words == ["dead"] else first.removeprefix("unknown ") or "the node said nothing"
    return DaemonState(None, started, unknown)


def need_known(state: DaemonState, node: str) -> DaemonState:
    """The state, if it is known.

    Raises:
        NodeError: it is not (code ``daemon-unknown``); a daemon that may serve is not taken for dead.
    """
    if state.unknown:
        raise NodeError(
            "it is not known whether the MindIE daemon runs: the container runtime does not tell",
            where=node,
            evidence=state.unknown,
            remedy="see on the node whether its runtime answers (docker ps, podman ps), then the same again",
            code="daemon-unknown",
        )
    return state


def processes_command(site: Site) -> Command:
    """Ask how many processes the daemon's group has, itself included; 0 where it does not run."""
    layout = site.layout
    return runtime_script(
        site.runtime,
        _COUNT,
        site.container,
        layout.pid,
        layout.started,
        title="count its processes",
    )


def watch_command(site: Site) -> Command:
    """Ask whether the daemon is there, how it ended, and what it printed; ``read_watch`` reads the answer."""
    layout = site.layout
    return runtime_script(
        site.runtime,
        _WATCH,
        site.container,
        layout.pid,
        layout.started,
        layout.exit_status,
        layout.console,
        SUCCESS,
        title="look at the daemon",
    )


def read_watch(answer: str) -> tuple[DaemonState, str, str]:
    """The answer to ``watch_command``: the daemon, its exit status as text (or empty), its console's end with
    the success line before it."""
    look, digest, status, console = (*answer.split("\n", 3), "", "", "", "")[:4]
    return read_look(f"{look}\n{digest}"), status.strip(), console


def errors_command(site: Site, profile: Profile) -> Command:
    """Ask for the error lines of MindIE's, CANN's and ATB's own logs since the last start."""
    places = " ".join((*profile.log_places, *CANN_LOGS))
    return runtime_script(
        site.runtime,
        _ERRORS,
        site.container,
        site.layout.pid,
        places,
        title="read the error logs",
    )


def stop_command(site: Site, node: str) -> Command:
    """Ask the daemon to end, wait, and only then use force on what is left of it."""
    layout = site.layout
    return runtime_script(
        site.runtime,
        _STOP,
        site.container,
        layout.pid,
        layout.started,
        site.timeouts.stop,
        _PAUSE_SECONDS,
        *site.cards[node],
        title="stop the daemon",
    )


def stop_seconds(site: Site) -> float:
    """The longest that ``stop_command`` may take."""
    return site.timeouts.stop + _PAUSE_SECONDS + 90


def start_command(site: Site, digest: str) -> Command:
    """Start the daemon in its container; returns when it has a process id.

    Args:
        site: whose daemon.
        digest: of the release, to be remembered as what runs.
    """
    layout = site.layout
    return runtime_script(
        site.runtime,
        _START,
        site.container,
        layout.start,
        layout.run,
        digest,
        title="start the daemon",
    )
