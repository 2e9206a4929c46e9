#!/bin/sh
# "alive PID", "dead" or "unknown WHY"; then the digest of the release that the daemon was started with.
# $1 look_inside.sh, $2 container, $3 pid file, $4 file of what was started
# shellcheck disable=SC2154
inside() { # look_inside.sh, container, pid file, file of what was started
  told=$("$runtime" exec "$2" sh -c "$1" sh "$3" "$(sed -n 2p "$4" 2>/dev/null)" 2>/dev/null)
}
told=''
# Where nothing was started there is most likely no container, and asking for it first spares a call.
[ ! -e "$4" ] || inside "$@"
if [ -z "$told" ]; then
  # Where no container runs, no daemon does. A runtime that does not tell says nothing of one: it may serve.
  if state=$("$runtime" inspect --format "{{.State.Status}}" "$2" 2>&1); then
    # Podman's warnings may stand before the state.
    case $state in
      *exited | *created | *dead | *stopped | *configured | *initialized) told=dead ;;
      *) [ -e "$4" ] || inside "$@" ;;
    esac
    told=${told:-unknown the container runs, and nothing can be run in it}
  else
    case $state in *[Nn]"o such "*) told=dead ;; *) told="unknown $(echo "$state" | tail -n 1)" ;; esac
  fi
fi
# Without it, the daemon counts as stopped on request: only where it is known not to be there.
if ! digest=$(sed -n 1p "$4" 2>/dev/null); then
  said=$(LC_ALL=C sed -n 1p "$4" 2>&1 >/dev/null)
  case $said in *"No such file"*) ;; *) told="unknown $(echo "$said" | tail -n 1)" ;; esac
fi
echo "$told"
echo "$digest"
