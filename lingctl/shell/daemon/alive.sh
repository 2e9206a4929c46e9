#!/bin/sh
# In the container: whether $pid, started at tick $start (if known), is still there and no zombie.
# shellcheck disable=SC2154
alive() {
  kill -0 "$pid" 2>/dev/null && read -r line 2>/dev/null <"/proc/$pid/stat" || return 1
  set -- ${line##*) }
  [ "$1" != Z ] && { [ -z "$start" ] || [ "$start" = "${20}" ]; }
}
