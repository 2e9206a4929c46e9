#!/bin/sh
# In the container: error lines of logs, of each file the first ones, which name the cause. A form feed begins a file.
# $1 a file as old as the start, $2 how long each log was before it, then the logs' folders
since=$1 sizes=$2
shift 2
# Some logs go on from start to start: what stood in one before is of an earlier one. Shorter than it was, it is anew.
added() {
  was=$(grep -F " $1" "$sizes" 2>/dev/null | while read -r size name; do [ "$name" = "$1" ] && echo "$size"; done)
  [ "${was:-0}" -le "$(wc -c <"$1")" ] || was=0
  tail -c "+$((${was:-0} + 1))" "$1"
}
find "$@" -type f -newer "$since" 2>/dev/null | while read -r file; do
  printf '\f'
  added "$file" | LC_ALL=C grep -a -h -m 20 -B 1 -E "ERROR|Error|E[EIJLZ][0-9][0-9][0-9][0-9]" | cut -c 1-1000
done | head -c 60000
