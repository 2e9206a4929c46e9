#!/bin/sh
# "there", "absent" or "unknown" of each path. $@ paths.
# Only "No such file" is absent: a dead mount, or a folder that may not be entered, is not known.
of_all=''
for path; do
  if [ -e "$path" ]; then
    echo "there $path"
    continue
  fi
  # What is not there is asked about at once: a process for each costs more than all else here.
  [ -n "$of_all" ] || of_all=$(stat -L -- "$@" 2>&1 >/dev/null)
  case $of_all in
    *"'$path': No such file"* | *"'$path': Not a directory"*)
      echo "absent $path"
      continue
      ;;
  esac
  if said=$(stat -L -- "$path" 2>&1 >/dev/null); then echo "there $path"
  else
    case $said in
      *"No such file"*|*"Not a directory"*) echo "absent $path";;
      *) echo "unknown $path";;
    esac
  fi
done
