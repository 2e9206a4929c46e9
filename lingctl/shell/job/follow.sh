#!/bin/sh
# Print what a job has printed and prints, and end with its exit status. $1 folder of the job.
. ./runs.sh

d=$1 seen=0 looks=0
while :; do
  ended=
  runs || ended=$(cat "$d/exit" 2>/dev/null || { sleep 1; cat "$d/exit" 2>/dev/null; } || echo lost)
  size=$(wc -c <"$d/out")
  if [ "$size" -gt "$seen" ]; then
    tail -c "+$((seen + 1))" "$d/out" | head -c "$((size - seen))"
    seen=$size
  fi
  [ -n "$ended" ] && break
  # A short one ends soon, and a long one lasts.
  looks=$((looks + 1))
  if [ "$looks" -lt 8 ]; then sleep 0.05; else sleep 0.3; fi
done
cat "$d/err" >&2
case $ended in
  *[!0-9]* | '')
    echo "it ended without telling how: it was killed, or its disk has no room left to say it" >&2
    df -hP "$d" | tail -n 1 >&2
    exit 137 ;;
esac
exit "$ended"
