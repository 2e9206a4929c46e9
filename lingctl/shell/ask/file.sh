#!/bin/sh
# Permissions, owner and content of a file, or "absent". $1 file. Done by asker.py itself: tell_file
. ./there.sh
stat -c "%a %u" "$1" && cat "$1"
