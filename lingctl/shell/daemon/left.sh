#!/bin/sh
# In the container: the daemon's processes, each told to "$1 PID". They are those of its process group, $pid, as long
# as no other process has that number (then none of the group is left), and those whose names begin with a word of
# $names and whose root is this container's: a worker whose parent was killed may go on serving for ever.
# shellcheck disable=SC2154
each_of() {
  group=${pid:-none} here=$(stat -Lc %d:%i / 2>/dev/null)
  if [ -n "$start" ] && read -r line 2>/dev/null <"/proc/$group/stat"; then
    tick=$(set -- ${line##*) } && echo "${20}")
    [ "$tick" = "$start" ] || group=none
  fi
  for stat in /proc/[0-9]*/stat; do
    read -r line 2>/dev/null <"$stat" || continue
    other=${stat#/proc/} other=${other%/stat} name=${line#*\(}
    name=${name%)*}
    own=$(set -- ${line##*) } && [ "$1" != Z ] && echo "$3")
    [ -n "$own" ] || continue
    if [ "$own" = "$group" ]; then
      "$1" "$other"
      continue
    fi
    for begin in $names; do
      case $name in
      "$begin"*) [ "$(stat -Lc %d:%i "/proc/$other/root/" 2>/dev/null)" = "$here" ] && "$1" "$other" ;;
      esac
    done
  done
}
