#!/bin/sh
# $1 start_inside.sh, $2 container, $3 start script, $4 folder of the run, $5 digest of the release,
# $6 log_sizes_inside.sh, then the folders of logs in the container
# shellcheck disable=SC2154
inside=$1 name=$2 start=$3 run=$4 digest=$5 sizes=$6
shift 6
mkdir -p "$run" && chmod 0750 "$run" && rm -f "$run/daemon.exit" "$run/daemon.pid" "$run/started"
"$runtime" exec "$name" sh -c "$sizes" sh "$@" >"$run/log-sizes" 2>/dev/null
"$runtime" exec -d "$name" bash "$start" || exit 1
n=0
until [ -s "$run/daemon.pid" ] || [ -s "$run/daemon.exit" ]; do
  n=$((n + 1))
  [ "$n" -gt 1200 ] && { echo "the start script wrote no process id within two minutes" >&2; exit 1; }
  sleep 0.1
done
tick=$("$runtime" exec "$name" sh -c "$inside" sh "$run/daemon.pid")
printf '%s\n%s\n' "$digest" "$tick" >"$run/started"
