#!/bin/sh
# Permissions, owner and content of a file, or "absent". $1 file.
. ./there.sh
stat -c "%a %u" "$1" && cat "$1"
