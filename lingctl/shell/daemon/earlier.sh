#!/bin/sh
# What may tell in a console before its watched end, the first of each kind.
# $1 console, $2 bytes of its end, $3 most bytes to print, $4 lines to leave out, $5 lines to look for
. ./first_of_each.sh
[ ! -L "$1" ] || exit 0
size=$(wc -c <"$1" 2>/dev/null) || exit 0
[ "$size" -gt "$2" ] || exit 0
# A long console has a hole of zero bytes (start.sh).
head -c $((size - $2)) "$1" | first_of_each "$4" "$5" "$3"
