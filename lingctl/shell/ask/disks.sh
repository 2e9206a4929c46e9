#!/bin/sh
# The df line of each place, or of the nearest folder above it that is there. $@ places.
for want; do
  at=$want
  while [ ! -e "$at" ] && [ "$at" != / ]; do at=$(dirname "$at"); done
  printf '%s ' "$want"
  df -kP "$at" | { read -r _; read -r line; printf '%s\n' "$line"; }
done
