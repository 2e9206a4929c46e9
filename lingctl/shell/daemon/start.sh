#!/bin/sh
# $1 start_inside.sh, $2 container, $3 start script, $4 folder of the run, $5 digest of the release,
# $6 log_sizes_inside.sh, then the folders of logs in the container
# shellcheck disable=SC2154
inside=$1 name=$2 start=$3 run=$4 digest=$5 sizes=$6
shift 6
umask 027
mkdir -p "$run" || exit 1
[ -L "$run" ] && { echo "$run is a link, and is not written through" >&2; exit 1; }
chmod 0750 "$run"
# What runs in the container may write there, links too: a file of ours is always a new one (set -C).
rm -f "$run/daemon.exit" "$run/daemon.pid" "$run/started" "$run/log-sizes"
set -C
"$runtime" exec "$name" sh -c "$sizes" sh "$@" 2>/dev/null >"$run/log-sizes"
"$runtime" exec -d "$name" bash "$start" || exit 1
n=0
until [ -s "$run/daemon.pid" ] || [ -s "$run/daemon.exit" ]; do
  n=$((n + 1))
  [ "$n" -gt 1200 ] && { echo "the start script wrote no process id within two minutes" >&2; exit 1; }
  sleep 0.1
done
tick=$("$runtime" exec "$name" sh -c "$inside" sh "$run/daemon.pid")
rm -f "$run/started"
printf '%s\n%s\n' "$digest" "$tick" >"$run/started"
