#!/bin/sh
# What look.sh tells (it has $1 to $4); then how the daemon ended, its success line if it printed one, and the
# end of what it printed. A daemon that serves prints on and on: its success line is soon far from the end.
# $5 exit status file, $6 console, $7 success line or empty, $8 bytes of the end
. ./look.sh
[ -L "$5" ] || echo "$(cat "$5" 2>/dev/null)"
# The container may write in that folder: what a link leads to is not told for the daemon's words.
[ ! -L "$6" ] || exit 0
# A long console has a hole of zeros between its two parts (start.sh), which grep would take for one line.
[ -n "$7" ] &&
  { head -c 16000000 "$6"; tail -c 80000000 "$6" | tr -d "\000"; } 2>/dev/null | grep -a -m 1 -F "$7"
tail -c "$8" "$6" 2>/dev/null || true
