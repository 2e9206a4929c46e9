#!/bin/sh
# Take the lock from a holder that is gone, by renaming its file: "taken", or "lost" to another contender.
# $1 state folder, $2 token of the one that is gone, $3 ours, $4 who we are
umask 027
touch -c "$1/lock/$2"
mv "$1/lock/$2" "$1/lock/$3" 2>/dev/null || { echo lost; exit 0; }
if printf '%s\n' "$4" > "$1/.lock.$3" && mv -fT "$1/.lock.$3" "$1/lock/$3"; then echo taken; exit 0; fi
# Not even its name can be written: what cannot be kept is given back.
rm -f "$1/.lock.$3" "$1/lock/$3"; rmdir "$1/lock" 2>/dev/null
df -hP "$1" | tail -n 1 >&2
exit 1
