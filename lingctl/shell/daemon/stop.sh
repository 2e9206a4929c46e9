#!/bin/sh
# $1 stop_inside.sh, $2 container, $3 pid file, $4 file of what was started, $5 seconds to wait for its end,
# $6 how names of the engine's processes begin, $7 seconds that cards need after force, then the cards
# shellcheck disable=SC2154
inside=$1 name=$2 pid_file=$3 started=$4 patience=$5 names=$6 pause=$7
shift 7
start=$(sed -n 2p "$started" 2>/dev/null)
forced=$("$runtime" exec "$name" sh -c "$inside" sh "$pid_file" "$start" "$patience" "$names") || exit 1
[ -e "$started" ] && mv -fT "$started" "${started%/*}/last-started"
[ -n "$forced" ] || exit 0
echo "killed what did not end by itself: processes $(echo $forced)"
# HCCP refuses a new start for ten seconds (EJ0001).
sleep "$pause"
n=0
for card; do
  while [ "$n" -lt 30 ]; do
    used=$(npu-smi info -t usages -i "$card" 2>/dev/null | sed -n 's/.*HBM Usage Rate(%) *: *//p')
    used=$(printf %s "$used" | tr -dc 0-9)
    [ "${used:-0}" -gt 10 ] || break
    n=$((n + 1))
    sleep 1
  done
done
