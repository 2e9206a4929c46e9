#!/bin/sh
# In the container: end the daemon, and kill what does not end by itself; their process ids are printed.
# $1 pid file, $2 tick at which it was started, $3 seconds to wait, $4 how names of the engine's processes begin
#
# MindIE takes 5 s, gives its workers 15 s more, and may be told so only once. What is left of its process
# group after that is killed: workers of 3.0.0 keep it as orphans, and a stopped follower left its worker, and
# so its card, in 11 of 13 stops (seen). vLLM's node without HTTP takes 17 s when the first node is gone; its
# worker, an orphan, serves on when its parent is killed (seen).
. ./alive.sh
. ./left.sh
pid=$(cat "$1" 2>/dev/null) start=$2 patience=$3 names=$4
if [ -n "$pid" ] && alive; then
  kill -TERM "$pid" 2>/dev/null
  tenths=0
  while alive && [ "$tenths" -lt $((patience * 10)) ]; do
    # One that has nothing to wind up ends at once.
    if [ "$tenths" -lt 10 ]; then sleep 0.1; tenths=$((tenths + 1)); else sleep 1; tenths=$((tenths + 10)); fi
  done
fi
force() { kill -KILL "$1" 2>/dev/null && echo "$1"; }
each_of force
true
