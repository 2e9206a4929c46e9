#!/bin/sh
# "PROGRAM runs" or "PROGRAM unknown" of other runtimes that have, or may have, this container.
# $1 container, then the other runtimes: program, and a path that is there while it serves
# The same program under another name (package podman-docker) is no other runtime. Podman's warnings may stand
# before the state.
# shellcheck disable=SC2154
name=$1
shift
while [ $# -gt 0 ]; do
  if [ -e "$2" ] && version=$("$1" --version 2>/dev/null) &&
    [ "$version" != "$("$runtime" --version 2>/dev/null)" ]; then
    if said=$("$1" inspect --format "{{.State.Status}}" "$name" 2>&1); then
      case $said in *running) echo "$1 runs" ;; esac
    else
      case $said in *"o such "*) ;; *) echo "$1 unknown" ;; esac
    fi
  fi
  shift 2
done
