#!/bin/sh
# The last lines of a console, of a long one no more than its last bytes, and whole lines.
# $1 lines, as tail -n takes them; $2 console, $3 bytes, less than what start.sh keeps of its end;
# $4 pattern, or nothing: see matching.sh; $5 for ALL of it
. ./matching.sh
test ! -L "$2" || { echo "$2 is a link: what it leads to is not shown" >&2; exit 1; }
said=$(LC_ALL=C stat -L "$2" 2>&1 >/dev/null) || {
  case $said in
    *"No such file"*|*"Not a directory"*) said="there is no $2: nothing was started here yet" ;;
  esac
  echo "$said" >&2
  exit 1
}
size=$(wc -c <"$2") || exit 1
ending() { if [ "$size" -le "$2" ]; then cat "$1"; else tail -c "$2" "$1" | tail -n +2; fi; }
searched=$4
case $1 in +*) searched=all ;; esac
if [ -z "$4" ]; then
  ending "$2" "$3" | tail -n "$1"
else
  : | matching "$4" "$5" || exit
  case $1 in
    +*) ending "$2" "$3" | matching "$4" "$5" ;;
    *) ending "$2" "$3" | matching "$4" "$5" | tail -n "$((2 * $1))" ;;
  esac
fi
[ -z "$searched" ] || [ "$size" -le "$3" ] ||
  echo "only the last $(($3 / 1000000)) MB; what is kept is in $2 there" >&2
