#!/bin/sh
# Append lines to the audit log. $1 log, $2 lines.
umask 027
newline='
'
mkdir -p "${1%/*}" || exit 1
[ ! -L "$1" ] || { echo "$1 is a link, and is not written through" >&2; exit 1; }
[ "$(wc -c <"$1" 2>/dev/null || echo 0)" -gt 2000000 ] && mv -fT "$1" "$1.1"
# A line that was cut short by a full disk must not spoil this one.
cut=
if [ -s "$1" ] && [ -n "$(tail -c 1 "$1")" ]; then cut=$newline; fi
printf '%s%s\n' "$cut" "$2" | dd of="$1" oflag=append,nofollow conv=notrunc status=none && tail -n 20 "$1" | grep -qxF -e "${2##*"$newline"}" && exit 0
df -hP "${1%/*}" | tail -n 1 >&2
exit 1
