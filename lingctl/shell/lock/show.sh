#!/bin/sh
# "held SECONDS TOKEN" and who holds it, or "free". $1 state folder.
for held in "$1"/lock/*; do
  [ -L "$held" ] && continue
  seen=$(stat -c %Y "$held" 2>/dev/null) || continue
  echo "held $(( $(date +%s) - seen )) ${held##*/}"
  cat "$held" 2>/dev/null
  exit 0
done
echo free
