#!/bin/sh
# Who else may decide what lies in a folder or takes its place: a line of ls, or nothing where nobody may.
# Whoever may write where our programs lie decides what we run: as with OpenSSH's StrictModes.
others_decide() { # folder
  for at in "$1" "${1%/*}"; do
    find -H "$at" -prune \( ! -user 0 ! -user "$(id -u)" -o -perm -0002 ! -perm -1000 \) -exec ls -ld {} + 2>/dev/null
  done
}
