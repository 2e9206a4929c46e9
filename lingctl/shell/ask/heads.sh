#!/bin/sh
# The first line of every record in a folder, or "absent". $1 folder.
. ./there.sh
cd "$1" || exit 1
for record in *.json; do
  [ "$record" = "*.json" ] || head -n 1 "$record" || exit 1
done
