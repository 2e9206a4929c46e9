#!/bin/sh
# Take the lock by renaming a prepared folder onto its name: "taken", or nothing where somebody has it.
# It begins with trusted.sh. $1 state folder, $2 token of the holder, $3 who that is
umask 027
mkdir -p "$1" || exit 1
odd=$(others_decide "$1")
[ -z "$odd" ] || { echo "others may write there: $odd" >&2; exit 1; }
find "$1" -maxdepth 1 -name '.lock.*' -mmin +1 -exec rm -rf {} + 2>/dev/null
mkdir "$1/.lock.$2" && printf '%s\n' "$3" > "$1/.lock.$2/$2" ||
  { rm -rf "$1/.lock.$2"; df -hP "$1" | tail -n 1 >&2; exit 1; }
if mv -T "$1/.lock.$2" "$1/lock" 2>/dev/null; then echo taken; exit 0; fi
rm -rf "$1/.lock.$2"
