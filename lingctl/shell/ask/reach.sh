#!/bin/sh
# "ADDRESS PORT WORD" of each connection that is tried: with Python where it is, else with bash.
# $1 the Python program, $2 seconds to wait, then addresses and ports
program=$1 seconds=$2
shift 2
for python in /usr/bin/python3 python3; do
  command -v "$python" >/dev/null && exec "$python" -ISBc "$program" "$seconds" "$@"
done
command -v bash >/dev/null || { echo "neither python3 nor bash"; exit 1; }
while [ $# -ge 2 ]; do
  (
    said=$(timeout "$seconds" bash -c ': </dev/tcp/$0/$1' "$1" "$2" 2>&1)
    case $?:$said in
      0:*) word=connected;; 124:*) word=silent;; *refused*) word=refused;; *) word=no-route;;
    esac
    echo "$1 $2 $word"
  ) &
  shift 2
done
wait
