#!/bin/sh
# Start a job apart from the connection, unless it runs; ends when its process id is written.
# $1 apart.sh, $2 folder of the job, $3 its command
. ./runs.sh

umask 027
d=$2
mkdir -p "$d" || exit 1
[ -L "$d" ] && { echo "$d is a link, and is not written through" >&2; exit 1; }
runs && exit 0
rm -f "$d/pid" "$d/pid.new" "$d/exit" "$d/exit.new" "$d/out" "$d/err"
set -C
setsid sh -c "$1" job "$d" "$3" >"$d/out" 2>"$d/err" </dev/null &
n=0
until [ -s "$d/pid" ]; do
  n=$((n + 1))
  [ "$n" -gt 100 ] && { cat "$d/err" >&2; df -hP "$d" | tail -n 1 >&2; exit 1; }
  sleep 0.05
done
