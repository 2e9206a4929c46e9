#!/bin/sh
# $1 start_inside.sh, $2 container, $3 start script, $4 folder of the run, $5 digest of the release
# shellcheck disable=SC2154
mkdir -p "$4" && chmod 0750 "$4" && rm -f "$4/daemon.exit" "$4/daemon.pid" "$4/started"
"$runtime" exec -d "$2" bash "$3" || exit 1
n=0
until [ -s "$4/daemon.pid" ] || [ -s "$4/daemon.exit" ]; do
  n=$((n + 1))
  [ "$n" -gt 1200 ] && { echo "the start script wrote no process id within two minutes" >&2; exit 1; }
  sleep 0.1
done
start=$("$runtime" exec "$2" sh -c "$1" sh "$4/daemon.pid")
printf '%s\n%s\n' "$5" "$start" >"$4/started"
