#!/bin/sh
# In the container: end the daemon, and kill what does not end by itself; their process ids are printed.
# $1 pid file, $2 tick at which it was started, $3 seconds to wait
#
# MindIE takes 5 s, gives its workers 15 s more, and may be told so only once. What is left of its process
# group after that is killed: workers of 3.0.0 keep it as orphans, and a stopped follower left its worker, and
# so its card, in 11 of 13 stops (seen).
. ./alive.sh
pid=$(cat "$1" 2>/dev/null) start=$2 patience=$3
[ -n "$pid" ] || exit 0
# Its number is held by its workers as long as one is left: another process with it means that none is.
if [ -n "$start" ] && read -r line 2>/dev/null <"/proc/$pid/stat"; then
  set -- ${line##*) }
  [ "${20}" = "$start" ] || exit 0
fi
if alive; then
  kill -TERM "$pid" 2>/dev/null
  n=0
  while alive && [ "$n" -lt "$patience" ]; do n=$((n + 1)); sleep 1; done
fi
for stat in /proc/[0-9]*/stat; do
  read -r line 2>/dev/null <"$stat" || continue
  set -- ${line##*) }
  other=${stat#/proc/}
  [ "$3" = "$pid" ] && [ "$1" != Z ] && kill -KILL "${other%/stat}" 2>/dev/null && echo "${other%/stat}"
done
true
