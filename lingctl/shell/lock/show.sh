#!/bin/sh
# "held SECONDS TOKEN" and who holds it, or "free". $1 state folder.
for held in "$1"/lock/*; do
  [ -L "$held" ] && continue
  seen=$(stat -c %Y "$held" 2>/dev/null) || continue
  echo "held $(( $(date +%s) - seen )) ${held##*/}"
  cat "$held" 2>/dev/null
  exit 0
done
# What cannot be looked at is not free.
if said=$(LC_ALL=C ls "$1/lock/" 2>&1); then echo free
else
  case $said in
    *"No such file"*|*"Not a directory"*) echo free ;;
    *) echo "$said" >&2; exit 1 ;;
  esac
fi
