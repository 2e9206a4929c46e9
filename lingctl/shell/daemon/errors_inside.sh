#!/bin/sh
# In the container: error lines of logs, of each file the first ones, which name the cause. A form feed begins a file.
# $1 a file as old as the start, then the logs' folders
since=$1
shift
find "$@" -type f -newer "$since" 2>/dev/null | while read -r file; do
  printf '\f'
  LC_ALL=C grep -a -h -m 20 -B 1 -E "ERROR|Error|E[EIJLZ][0-9][0-9][0-9][0-9]" "$file" | cut -c 1-1000
done | head -c 60000
