#!/bin/sh
# In the container: the daemon's processes, each told to "$1 PID". They are those of its process group, $pid, as long
# as no other process has that number (then none of the group is left), and those whose names begin with a word of
# $names and whose root is this container's: a worker whose parent was killed may go on serving for ever.
# shellcheck disable=SC2154
fields() { # of a line of /proc/PID/stat, behind the name
  # shellcheck disable=SC2086
  set -- $1
  state=$1 leader=$3 tick=${20}
}
each_of() {
  group=${pid:-none} here=$(stat -Lc %d:%i / 2>/dev/null)
  if [ -n "$start" ] && read -r line 2>/dev/null <"/proc/$group/stat"; then
    fields "${line##*) }"
    [ "$tick" = "$start" ] || group=none
  fi
  for stat in /proc/[0-9]*/stat; do
    read -r line 2>/dev/null <"$stat" || continue
    fields "${line##*) }"
    [ "$state" != Z ] || continue
    other=${stat#/proc/} other=${other%/stat} name=${line#*\(}
    if [ "$leader" = "$group" ]; then
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
