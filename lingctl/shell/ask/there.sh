#!/bin/sh
# Ends with "absent" where $1 is not there.
# What cannot be looked at (a dead mount, a disk error) is not absent.
if ! [ -e "$1" ] && ! said=$(LC_ALL=C stat -L "$1" 2>&1 >/dev/null); then
  case $said in
    *"No such file"*|*"Not a directory"*) echo absent; exit 0;;
    *) echo "$said" >&2; exit 1;;
  esac
fi
