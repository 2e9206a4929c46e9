#!/bin/sh
# A console's lines as they come, until standard input ends: sshd closes it when the connection ends, and without
# that nothing would end a silent tail.
# $1, $2 how much of its end first, as tail takes it; $3 console; $4 pattern, or nothing: see matching.sh;
# $5 for ALL of it
. ./matching.sh
test ! -L "$3" || { echo "$3 is a link: what it leads to is not shown" >&2; exit 1; }
follow() {
  tail "$1" "$2" -F "$3" 2>/dev/null </dev/null &
  tail=$!
  trap 'kill "$tail"' EXIT HUP TERM
  cat <&3 >/dev/null
}
if [ -z "$4" ]; then
  follow "$1" "$2" "$3" 3<&0
else
  : | matching "$4" "$5" || exit
  { follow "$1" "$2" "$3"; } 3<&0 | matching "$4" "$5"
fi
