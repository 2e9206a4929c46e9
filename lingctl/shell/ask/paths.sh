#!/bin/sh
# "there", "absent" or "unknown" of each path. $@ paths.
# Only "No such file" is absent: a dead mount, or a folder that may not be entered, is not known.
for path; do
  if [ -e "$path" ] || said=$(stat -L "$path" 2>&1 >/dev/null); then echo "there $path"
  else
    case $said in
      *"No such file"*|*"Not a directory"*) echo "absent $path";;
      *) echo "unknown $path";;
    esac
  fi
done
