#!/bin/sh
# In the container: error lines of logs, of each file the first ones, which name the cause.
# $1 a file as old as the start, then the logs' folders
since=$1
shift
find "$@" -type f -newer "$since" 2>/dev/null | while read -r file; do
  grep -hE -m 20 "ERROR|Error|EI0|EJ0" "$file"
done | head -c 60000
