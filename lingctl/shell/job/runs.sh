#!/bin/sh
# Whether the job in $d still runs: its process is there, no zombie, and started when the job did.
# shellcheck disable=SC2154
runs() {
  [ -s "$d/pid" ] && [ ! -e "$d/exit" ] || return 1
  pid=$(sed -n 1p "$d/pid") start=$(sed -n 2p "$d/pid")
  read -r line 2>/dev/null <"/proc/$pid/stat" || return 1
  set -- ${line##*) }
  [ "$1" != Z ] && [ "${20}" = "$start" ]
}
