#!/bin/sh
# In the container: how many processes the daemon's group has. $1 pid file, $2 tick at which it was started.
. ./alive.sh
pid=$(cat "$1" 2>/dev/null) start=$2
[ -n "$pid" ] && alive || { echo 0; exit 0; }
count=0
for stat in /proc/[0-9]*/stat; do
  read -r line 2>/dev/null <"$stat" || continue
  set -- ${line##*) }
  [ "$3" = "$pid" ] && [ "$1" != Z ] && count=$((count + 1))
done
echo "$count"
