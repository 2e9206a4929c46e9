#!/bin/sh
# Remove the oldest recorded releases, but not the one that runs, nor the last that was proved.
# $1 folder of releases, $2 file of what was started, $3 how many to keep
# shellcheck disable=SC2012,SC2035
cd "$1" || exit 0
proved=$(ls -1 *.proved 2>/dev/null | sort -r | head -n 1)
if ! running=$(sed -n 1p "$2" 2>/dev/null); then
  case $(LC_ALL=C sed -n 1p "$2" 2>&1 >/dev/null) in
    *"No such file"*) ;;
    *) exit 0 ;;  # which one runs is not known
  esac
fi
ls -1 *.json | sort -r | tail -n "+$(($3 + 1))" | while read -r file; do
  id=${file%%.*}
  [ "$id.proved" = "$proved" ] && continue
  [ -n "$running" ] && [ "$file" = "$id.$running.json" ] && continue
  rm -f "$file" "$id.proved"
done
