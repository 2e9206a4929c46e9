#!/bin/sh
# Who asks, then "may" or "may-not" of each path: whether it can be written, or made where it is not. $@ paths.
echo "user $(id -u) $(id -un 2>/dev/null || id -u)"
for path; do
  at=$path
  while [ ! -e "$at" ] && [ "$at" != / ]; do at=$(dirname "$at"); done
  if [ -w "$at" ]; then echo "may $path"; else echo "may-not $path"; fi
done
