#!/bin/sh
# "held SECONDS TOKEN" and who holds it, or "free". $1 state folder.
# What cannot be looked at is not free, nor is what is no folder: no lock can be taken there.
said=$(LC_ALL=C ls "$1/lock/" 2>&1) ||
  case $said in *"No such file"*|*"Not a directory"*) ;; *) echo "$said" >&2; exit 1 ;; esac
# Asked by one test each: a folder may be given back between two.
if [ -L "$1/lock" ] || [ -f "$1/lock" ]; then
  echo "$1/lock is no folder" >&2
  exit 1
fi
for held in "$1"/lock/*; do
  [ -L "$held" ] && continue
  seen=$(stat -c %Y "$held" 2>/dev/null) || continue
  echo "held $(( $(date +%s) - seen )) ${held##*/}"
  cat "$held" 2>/dev/null
  exit 0
done
echo free
