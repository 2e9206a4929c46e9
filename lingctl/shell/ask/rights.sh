#!/bin/sh
# Who asks, then "may" or "may-not" of each path: whether it can be written, or made where it is not. $@ paths.
. ./above.sh
echo "user $(id -u) $(id -un 2>/dev/null || id -u)"
for path; do
  nearest "$path"
  if [ -w "$at" ]; then echo "may $path"; else echo "may-not $path"; fi
done
