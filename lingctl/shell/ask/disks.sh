#!/bin/sh
# The df line of each place, or of the nearest folder above it that is there. $@ places.
. ./above.sh
for want; do
  nearest "$want"
  printf '%s ' "$want"
  df -kP "$at" | { read -r _; read -r line; printf '%s\n' "$line"; }
done
