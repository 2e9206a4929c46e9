#!/bin/sh
# Error lines of a console before its watched end, each with the line before it, for its time.
# $1 console, $2 bytes of its end, $3 most bytes to print, $4 lines to leave out, $5 lines to print
size=$(wc -c <"$1" 2>/dev/null) || exit 0
[ "$size" -gt "$2" ] || exit 0
# A long console has a hole of zero bytes (start.sh).
head -c $((size - $2)) "$1" | tr -d '\000' | grep -a -v -E "$4" | grep -a -B 1 -E "$5" |
  cut -c 1-1000 | head -c "$3"
